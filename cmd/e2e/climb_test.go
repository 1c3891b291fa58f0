//go:build e2e

package e2e

import (
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"
)

// climbing is a notice as the API shows it.
type climbing struct {
	ID, Status string
	Messages   []struct{ ID, To, Status string }
	Ack        *struct{ How, By string }
}

// statuses are the messages' by the last four digits of their numbers.
func (c climbing) statuses() map[string]string {
	all := map[string]string{}
	for _, m := range c.Messages {
		all[m.To[len(m.To)-4:]] = m.Status
	}
	return all
}

func (b *box) climb(args map[string]any) climbing {
	b.t.Helper()
	args["ref"], args["class"] = "N-1", "notice"
	var job climbing
	if status := b.call("POST", "/api/v1/sms/jobs", args, &job); status != http.StatusAccepted {
		b.t.Fatalf("notice: %d", status)
	}
	return job
}

func level(after float64, to ...string) map[string]any {
	return map[string]any{"to": to, "after": after}
}

// reply brings a text in at the centre.
func reply(t *testing.T, control, from, text string) {
	t.Helper()
	resp, err := http.Post(control+"/mo", "application/json", strings.NewReader(`{"from":"`+from+`","to":"10690000","text":"`+text+`"}`))
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
}

// TestNoticeClimbsAndStops: nobody answers on the first level, the second one
// does, the third hears nothing of it. In between the daemon is killed.
func TestNoticeClimbsAndStops(t *testing.T) {
	t.Parallel()
	_, centre, control := newCentre(t, "--report-delay", "100ms")
	h := newHook(t)
	b := newBox(t, layout{smsc: centre, webhook: h.URL})
	job := b.climb(map[string]any{
		"text":  "3号楼电梯困人,回复1接单",
		"tiers": []any{level(0, "13800138001"), level(3, "13800138002"), level(4, "13800138003")},
	})
	if got := job.statuses(); len(got) != 3 || got["8002"] != "scheduled" || got["8003"] != "scheduled" {
		t.Errorf("at first %v", got)
	}
	b.end(9)
	b.start()
	show := func() climbing {
		var c climbing
		b.call("GET", "/api/v1/sms/jobs/"+job.ID, nil, &c)
		return c
	}
	wait(t, "the second level", func() bool { return show().statuses()["8002"] == "delivered" })
	if got := show().statuses()["8003"]; got != "scheduled" {
		t.Errorf("the third level is %s", got)
	}
	reply(t, control, "13800138002", "1")
	wait(t, "the acknowledgement", func() bool { return show().Ack != nil })
	got := show()
	if got.Ack.How != "reply" || got.Ack.By != "+8613800138002" || got.statuses()["8003"] != "canceled" || got.Status != "done" {
		t.Errorf("in the end %+v, ack %+v", got, got.Ack)
	}
	wait(t, "notice.ack", func() bool { return strings.Contains(strings.Join(h.events("id", job.ID), " "), "notice.ack") })
	time.Sleep(4 * time.Second) // longer than the third level's time
	for _, text := range submits(t, control, 100) {
		if text.To == "13800138003" {
			t.Errorf("the third level got %q", text.Text)
		}
	}
}

// TestLinkAcknowledges opens the link of a text as a phone does: looking at it
// acknowledges nothing, a press does.
func TestLinkAcknowledges(t *testing.T) {
	t.Parallel()
	_, centre, control := newCentre(t)
	b := newBox(t, layout{smsc: centre})
	job := b.climb(map[string]any{"text": "电梯困人,确认 {ack}", "tiers": []any{level(0, "13800138001"), level(600, "13800138002")}})
	var link string
	wait(t, "the text", func() bool {
		for _, text := range submits(t, control, 10) {
			link = regexp.MustCompile(`https?://\S+/a/\w+`).FindString(text.Text)
		}
		return link != ""
	})
	for range 2 {
		resp, err := http.Get(link)
		if err != nil {
			t.Fatal(err)
		}
		page, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK || !strings.Contains(string(page), "接单") || !strings.Contains(string(page), "遗留原因") {
			t.Fatalf("page: %d %s", resp.StatusCode, page)
		}
	}
	show := func() climbing {
		var c climbing
		b.call("GET", "/api/v1/sms/jobs/"+job.ID, nil, &c)
		return c
	}
	if got := show(); got.Ack != nil {
		t.Fatalf("looking acknowledged: %+v", got.Ack)
	}
	b.press(link, "接单")
	got := show()
	if got.Ack == nil || got.Ack.How != "link" || got.Ack.By != "+8613800138001" || got.statuses()["8002"] != "canceled" {
		t.Errorf("in the end %+v, ack %+v", got, got.Ack)
	}
}

// press sends the page's form with one of its buttons.
func (b *box) press(link, word string) {
	b.t.Helper()
	resp, err := http.Get(link)
	if err != nil {
		b.t.Fatal(err)
	}
	page, _ := io.ReadAll(resp.Body)
	resp.Body.Close()
	button := regexp.MustCompile(`<button[^>]*name="(\w+)"[^>]*value="([^"]+)"[^>]*>\s*` + word).FindStringSubmatch(string(page))
	if button == nil {
		b.t.Fatalf("no button %s in %s", word, page)
	}
	answer, err := http.PostForm(link, url.Values{button[1]: {button[2]}})
	if err != nil {
		b.t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		b.t.Fatalf("press: %d %s", answer.StatusCode, text)
	}
}
