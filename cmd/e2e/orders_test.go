//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"slices"
	"testing"
	"time"
)

// account is what became of a text, as the box says it.
type account struct {
	ID, Job, To, Status string
	Parts               int
	Error               *struct{ Stat, Text string }
	MaybeSent           bool `json:"maybe_sent"`
}

// atCentre is the same as the SMS centre knows it.
type atCentre struct {
	To, Text string
	Parts    int
	Stats    []string
}

// TestWorkOrdersAreAccountedFor sends work orders whose reports come jittered,
// doubled, early, for nobody, and failing: every one is final, and box and
// centre say the same of each.
func TestWorkOrdersAreAccountedFor(t *testing.T) {
	orders := 2000
	if os.Getenv("CALLBOX_LONG") == "1" {
		orders = 10_000
	}
	_, address, control := newCentre(t,
		"--report-delay", "300ms", "--report-jitter", "1s", "--response-jitter", "5ms",
		"--fail-share", "0.1", "--fail-stats", "UNDELIV,EXPIRED,MA:0001", "--double-share", "0.2",
		"--early-share", "0.2", "--orphan-share", "0.05")
	b := newBox(t, layout{smsc: address})
	began := time.Now()
	sent := b.order(orders)
	all := b.finals(len(sent))
	t.Logf("%d work orders are final after %v", len(all), time.Since(began).Round(time.Millisecond))
	centre := submits(t, control, orders+1)
	if len(centre) != orders {
		t.Errorf("the centre has %d texts, want %d", len(centre), orders)
	}
	ledger := map[string]int{}
	for _, at := range centre {
		got, ok := all[sent["+86"+at.To]]
		if !ok {
			t.Fatalf("%s at the centre is no work order", at.To)
		}
		want, stat := conclusion(at.Stats)
		if got.Status != want || got.Parts != at.Parts || stat != "" && (got.Error == nil || got.Error.Stat != stat || got.Error.Text == "") {
			t.Errorf("%s: %+v (error %+v), the centre said %v", at.To, got, got.Error, at.Stats)
		}
		ledger[got.Status+" "+stat]++
	}
	t.Logf("ledger: %v", ledger)
	if ledger["delivered "] == 0 || len(ledger) < 4 {
		t.Errorf("ledger %v has not every ending", ledger)
	}
}

// order sends one work order to each of n numbers and gives the jobs by number.
func (b *box) order(n int) map[string]string {
	b.t.Helper()
	jobs := map[string]string{}
	for i := range n {
		ref := fmt.Sprintf("WO-%05d", i)
		var job struct{ ID string }
		body := map[string]any{
			"to": []string{fmt.Sprintf("1390%07d", i)}, "template": "work_order", "ref": ref, "key": ref,
			"vars": map[string]string{"engineer": "赵工", "customer": "安顺物业", "address": "文三路100号", "fault": "电梯异响"},
		}
		if status := b.call("POST", "/api/v1/sms/jobs", body, &job); status != http.StatusAccepted {
			b.t.Fatalf("order %s: %d", ref, status)
		}
		jobs[fmt.Sprintf("+861390%07d", i)] = job.ID
	}
	return jobs
}

// finals waits until n texts are final, and gives them by job.
func (b *box) finals(n int) map[string]account {
	b.t.Helper()
	end := time.Now().Add(time.Minute)
	for b.unsettled() > 0 && time.Now().Before(end) {
		time.Sleep(200 * time.Millisecond)
	}
	all := map[string]account{}
	for cursor := ""; ; {
		var page struct {
			Items []account
			Next  string
		}
		b.call("GET", "/api/v1/sms/messages?limit=1000&cursor="+cursor, nil, &page)
		for _, m := range page.Items {
			if !slices.Contains([]string{"delivered", "failed", "expired"}, m.Status) {
				b.t.Errorf("%s to %s is %s, not final", m.ID, m.To, m.Status)
			}
			all[m.Job] = m
		}
		if cursor = page.Next; cursor == "" {
			break
		}
	}
	if len(all) != n {
		b.t.Errorf("%d texts, want %d", len(all), n)
	}
	return all
}

// unsettled counts what is not final, up to one a status.
func (b *box) unsettled() (n int) {
	for _, status := range []string{"queued", "submitting", "submitted", "unknown"} {
		var list struct{ Items []any }
		b.call("GET", "/api/v1/sms/messages?limit=1&status="+status, nil, &list)
		n += len(list.Items)
	}
	return n
}

// submits are the centre's texts.
func submits(t *testing.T, control string, limit int) []atCentre {
	t.Helper()
	resp, err := http.Get(fmt.Sprintf("%s/submits?limit=%d", control, limit))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var list struct{ Items []atCentre }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		t.Fatal(err)
	}
	return list.Items
}

// conclusion is a text's status by its parts' Stats, and the Stat that made it:
// delivered when all are, else what went wrong.
func conclusion(stats []string) (status, stat string) {
	for _, s := range stats {
		switch s {
		case "DELIVRD":
		case "EXPIRED":
			return "expired", s
		default:
			return "failed", s
		}
	}
	return "delivered", ""
}
