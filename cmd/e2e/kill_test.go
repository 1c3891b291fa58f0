//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"sync"
	"syscall"
	"testing"
	"time"

	"callbox/cmpp/cmpptest"
	"callbox/internal/guard"
)

// The account of the kill loop: so many SUBMITs may be open.
const (
	killWindow      = 8
	killConnections = 2
	killOpen        = killWindow * killConnections
)

// ledger is what the kill loop knows of its texts.
type ledger struct {
	t      *testing.T
	box    *box
	centre *cmpptest.Centre

	mu    sync.Mutex
	acked []string // of this round

	came map[string]int // at the centre, by text
	seen int            // of the centre's list
}

// TestKillLoop kills the daemon again and again while texts come in and go out.
// Every acknowledged text reaches the centre, twice only where the box says
// maybe_sent, and of those there are no more than may be open at a time.
// CALLBOX_LONG makes it 200 rounds.
func TestKillLoop(t *testing.T) {
	rounds := 6
	if os.Getenv("CALLBOX_LONG") != "" {
		rounds = 200
	}
	centre, address := ownCentre(t)
	b := newBox(t, layout{extra: fmt.Sprintf(`sms:
  accounts:
    - {name: cmcc, address: %q, sp_id: "901234", secret: shared, src_id: "10690000", rate: 5000, window: %d, connections: %d}
`, address, killWindow, killConnections)})
	l := &ledger{t: t, box: b, centre: centre, came: map[string]int{}}
	var all, again, maybe int
	for round := range rounds {
		centre.SetFaults(cmpptest.Faults{ResponseDelay: cmpptest.Seconds(0.02 * rand.Float64())})
		l.flood(round, time.Duration(50+rand.IntN(350))*time.Millisecond)
		b.start()
		repeated, unsure := l.settle(round)
		t.Logf("round %d: %d acknowledged, %d came twice, %d maybe_sent", round, len(l.acked), repeated, unsure)
		if repeated > killOpen || unsure > killOpen {
			t.Errorf("round %d: %d came twice, %d are maybe_sent; %d may be open", round, repeated, unsure, killOpen)
		}
		all, again, maybe = all+len(l.acked), again+repeated, maybe+unsure
	}
	t.Logf("%d kills: %d texts acknowledged, none lost, %d came twice, %d maybe_sent, at most %d a kill allowed", rounds, all, again, maybe, killOpen)
	if all < 50*rounds || maybe == 0 {
		t.Errorf("the kills met no work: %d texts, %d open", all, maybe)
	}
}

// ownCentre is an SMS centre in this process, which can be asked for all it got.
func ownCentre(t *testing.T) (c *cmpptest.Centre, address string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c = cmpptest.New(cmpptest.Config{SPID: "901234", Secret: "shared", Keep: 1 << 24})
	ctx, stop := context.WithCancel(context.Background())
	var g guard.Group
	g.Go("sms centre", func() { _ = c.Serve(ctx, ln) }) // texts that do not come tell
	t.Cleanup(func() { stop(); g.Wait() })
	return c, ln.Addr().String()
}

// flood posts texts from several clients and kills the daemon after so long, in
// the midst of it all.
func (l *ledger) flood(round int, after time.Duration) {
	l.acked = nil
	ctx, stop := context.WithCancel(context.Background())
	var g guard.Group
	for client := range 8 {
		g.Go("client", func() {
			for n := 0; ctx.Err() == nil; n++ {
				l.post(ctx, round, fmt.Sprintf("%d-%d-%d", round, client, n))
			}
		})
	}
	time.Sleep(after)
	l.box.end(syscall.SIGKILL)
	stop()
	g.Wait()
}

// post posts a text and notes that it was taken.
func (l *ledger) post(ctx context.Context, round int, text string) {
	body, _ := json.Marshal(map[string]any{
		"to": []string{"13800138000"}, "text": text, "class": "notice", "ref": fmt.Sprintf("round-%d", round),
	})
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, l.box.http+"/api/v1/sms/jobs", bytes.NewReader(body))
	if err != nil {
		l.t.Error(err)
		return
	}
	req.Header.Set("Authorization", "Bearer "+l.box.key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return // killed
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		l.t.Errorf("%s: %s", text, resp.Status)
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.acked = append(l.acked, text)
}

// settle waits until the round's texts have all left and says how many came
// twice, and of how many the box is not sure.
func (l *ledger) settle(round int) (repeated, unsure int) {
	l.t.Helper()
	maybe := map[string]bool{}
	wait(l.t, fmt.Sprintf("every text of round %d leaves", round), func() bool {
		clear(maybe)
		for _, m := range l.messages(round) {
			if m.Status != "submitted" && m.Status != "delivered" {
				return false
			}
			if m.MaybeSent {
				maybe[m.Text] = true
			}
		}
		return true
	})
	all := l.centre.Submits()
	for _, s := range all[l.seen:] {
		if l.came[s.Text]++; l.came[s.Text] < 2 {
			continue
		}
		repeated++
		if !maybe[s.Text] {
			l.t.Errorf("%q came twice and is not maybe_sent", s.Text)
		}
	}
	l.seen = len(all)
	for _, text := range l.acked {
		if l.came[text] == 0 {
			l.t.Errorf("%q was acknowledged and is lost", text)
		}
	}
	return repeated, len(maybe)
}

type sentText struct {
	Text      string
	Status    string
	MaybeSent bool `json:"maybe_sent"`
}

// messages are a round's, as the box lists them.
func (l *ledger) messages(round int) (all []sentText) {
	l.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []sentText
			Next  string
		}
		path := fmt.Sprintf("/api/v1/sms/messages?limit=200&ref=round-%d&cursor=%s", round, cursor)
		if status := l.box.call("GET", path, nil, &page); status != 200 {
			l.t.Fatalf("messages: %d", status)
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}
