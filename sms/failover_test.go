package sms_test

import (
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/sms"
	"callbox/storage/storagetest"
)

// pair is a gateway with two accounts: cmcc, and backup in b.
type pair struct {
	*desk
	b *fake
}

func openPair(t *testing.T, set ...func(*sms.Config)) *pair {
	t.Helper()
	db := storagetest.Open(t)
	p := &pair{desk: &desk{t: t, db: db, texts: db.SMS(), line: newFake(account), notes: &notebook{}}, b: newFake("backup")}
	cfg := sms.Config{AreaCode: "0571", Events: p.notes, Log: slog.New(slog.DiscardHandler), Accounts: []sms.Account{
		{Name: account, SrcID: "10690000", Signature: "【安顺】", ExtensionDigits: 2},
		{Name: "backup", SrcID: "10650000", Signature: "【安顺维保服务】", ExtensionDigits: 3},
	}}
	for _, f := range set {
		f(&cfg)
	}
	var err error
	if p.Gateway, err = sms.New(cfg, p.texts, p.line, p.b); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestMessagesMoveWhenAnAccountStaysDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := openPair(t)
		p.line.setUp(false)
		p.b.setUp(false)
		p.run()
		text := strings.Repeat("字", 66) // with the signature 70, and 74 in two parts
		job := p.accept(sms.Request{To: []string{zhang, li}, Text: text})
		bound := p.accept(sms.Request{To: []string{zhang}, Text: "x", Account: account})
		p.b.setUp(true)
		time.Sleep(29 * time.Second)
		synctest.Wait()
		p.want(job.ID, sms.Queued, sms.Queued)
		if n := len(p.b.submissions()); n > 0 {
			t.Fatalf("%d submits before the time", n)
		}
		time.Sleep(6 * time.Second)
		synctest.Wait()
		p.want(job.ID, sms.Submitted, sms.Submitted)
		p.want(bound.ID, sms.Queued)
		sent := p.b.submissions()
		if len(sent) != 2 || strings.Join(sent[0].Parts, "") != "【安顺维保服务】"+text || len(sent[0].Parts) != 2 {
			t.Errorf("submitted %+v", sent)
		}
		if len(sent[0].Extension) != 3 || sent[0].Extension != sent[1].Extension {
			t.Errorf("extensions %q, %q", sent[0].Extension, sent[1].Extension)
		}
		if m := p.message(job.ID); m.Account != "backup" || m.Parts != 2 || !strings.HasPrefix(m.Text, "【安顺维保服务】") {
			t.Errorf("message %+v", m)
		}

		p.line.setUp(true) // new ones go the first way again
		synctest.Wait()
		if back := p.accept(sms.Request{To: []string{zhang}, Text: "x"}); back.Messages[0].Account != account {
			t.Errorf("account %s", back.Messages[0].Account)
		}
		p.want(bound.ID, sms.Submitted)
	})
}

// TestWhatFallsDueInAnOutageGoesAnotherWay: at once, not when the gateway looks
// again for what came since.
func TestWhatFallsDueInAnOutageGoesAnotherWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := openPair(t)
		p.run()
		later := time.Now().Add(47 * time.Second)
		due := p.accept(sms.Request{To: []string{zhang}, Text: "x", SendAt: &later})
		bound := p.accept(sms.Request{To: []string{zhang}, Text: "x", SendAt: &later, Account: account})
		climbs := p.accept(sms.Request{Text: "y", Tiers: []sms.Tier{{To: []string{li}}, {To: []string{zhang}, After: 47}}})
		synctest.Wait()
		p.line.setUp(false)
		time.Sleep(47*time.Second + 100*time.Millisecond)
		synctest.Wait()
		p.want(due.ID, sms.Submitted)
		p.want(bound.ID, sms.Queued)
		p.want(climbs.ID, sms.Submitted, sms.Submitted)
		sent := p.b.submissions()
		if len(sent) != 2 {
			t.Fatalf("%d submits by the other account", len(sent))
		}
		for _, s := range sent {
			if text := strings.Join(s.Parts, ""); !strings.HasPrefix(text, "【安顺维保服务】") || len(s.Extension) != 3 {
				t.Errorf("submitted %+v", s)
			}
		}
	})
}

func TestNewMessagesGoWhereItIsUp(t *testing.T) {
	p := openPair(t)
	for name, tt := range map[string]struct {
		a, b bool
		want string
	}{
		"both up": {true, true, account}, "first down": {false, true, "backup"}, "both down": {false, false, account},
	} {
		p.line.setUp(tt.a)
		p.b.setUp(tt.b)
		if job := p.send(zhang, "x"); job.Messages[0].Account != tt.want {
			t.Errorf("%s: account %s, want %s", name, job.Messages[0].Account, tt.want)
		}
	}
	p.line.setUp(false)
	p.b.setUp(true)
	if job := p.accept(sms.Request{To: []string{zhang}, Text: "x", Account: account}); job.Messages[0].Account != account {
		t.Errorf("bound: account %s", job.Messages[0].Account)
	}
}

// What may have left is never given to another account.
func TestWhatMayHaveLeftStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := openPair(t)
		release := make(chan struct{})
		p.line.answer = func(n int, _ sms.Submission) (sms.Receipt, error) {
			if n > 0 {
				<-release
			}
			return sms.Receipt{}, nil
		}
		p.run()
		job := p.accept(sms.Request{To: []string{zhang, li}, Text: "x"})
		synctest.Wait()
		p.line.setUp(false)
		time.Sleep(5 * time.Minute)
		synctest.Wait()
		if got := p.statuses(job.ID); !slices.Contains(got, sms.Submitting) || !slices.Contains(got, sms.Submitted) {
			t.Errorf("messages are %v", got)
		}
		if n := len(p.b.submissions()); n > 0 {
			t.Errorf("%d went the other way, too", n)
		}
		close(release)
	})
}

func TestOnlyWhoServesANumberTakesOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := openPair(t, func(c *sms.Config) { c.Accounts[1].Numbers = []string{"139"} })
		p.line.setUp(false)
		p.b.setUp(false)
		p.run()
		job := p.accept(sms.Request{To: []string{zhang, li}, Text: "x"})
		p.b.setUp(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		p.want(job.ID, sms.Queued, sms.Submitted)
	})
}

// A backlog of many batches leaves whole, each message once and in order.
func TestBacklogMovesWhole(t *testing.T) {
	const n = 1200
	synctest.Test(t, func(t *testing.T) {
		p := openPair(t)
		p.line.setUp(false)
		p.b.setUp(false)
		p.run()
		req := sms.Request{Text: "x"}
		for i := range n {
			req.To = append(req.To, fmt.Sprintf("138%08d", i))
		}
		job := p.accept(req)
		p.b.setUp(true)
		time.Sleep(time.Minute)
		synctest.Wait()
		if sent := p.b.submissions(); len(sent) != n {
			t.Fatalf("%d of %d left", len(sent), n)
		}
		kept, err := p.texts.Job(t.Context(), job.ID)
		if err != nil || kept.Counts[sms.Submitted] != n {
			t.Errorf("%v, %v", kept.Counts, err)
		}
	})
}

func TestRoutesGoBeforeNumbers(t *testing.T) {
	p := openPair(t, func(c *sms.Config) { c.Accounts[1].Numbers = []string{"+1"} })
	err := p.SetRoutes(t.Context(), []sms.Route{
		{Prefix: "*", Accounts: []string{account}},
		{Prefix: "+86138", Accounts: []string{"backup", account}},
		{Prefix: "13800138", Accounts: []string{account}},
		{Prefix: "0571", Accounts: []string{"backup"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{
		"13812345678": "backup", zhang: account, li: account, "057188880001": "backup", "+14155552671": account,
	} {
		if job := p.send(to, "x"); job.Messages[0].Account != want {
			t.Errorf("%s: account %s, want %s", to, job.Messages[0].Account, want)
		}
	}
	p.b.setUp(false)
	if job := p.send("13812345678", "x"); job.Messages[0].Account != account {
		t.Errorf("the route's first is down: account %s", job.Messages[0].Account)
	}
	if err := p.SetRoutes(t.Context(), nil); err != nil {
		t.Fatal(err)
	}
	if job := p.send("+14155552671", "x"); job.Messages[0].Account != account {
		t.Errorf("without routes: account %s", job.Messages[0].Account)
	}
}
