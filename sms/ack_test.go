package sms_test

import (
	"context"
	"errors"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/sms"
	"callbox/storage"
)

// failing is a store that refuses some transactions after they ran.
type failing struct {
	sms.Store
	mu  sync.Mutex
	bad map[string]bool
}

func (f *failing) fail(what string, bad bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.bad = map[string]bool{what: bad}
}

func (f *failing) Update(ctx context.Context, what string, do func(sms.Tx) error) error {
	return f.Store.Update(ctx, what, func(tx sms.Tx) error {
		err := do(tx)
		f.mu.Lock()
		defer f.mu.Unlock()
		if f.bad[what] {
			return errors.Join(err, errors.New("the disk is full"))
		}
		return err
	})
}

// remade is d's gateway over another store.
func remade(t *testing.T, d *desk, store sms.Store) *sms.Gateway {
	t.Helper()
	g, err := sms.New(sms.Config{Accounts: []sms.Account{{Name: account}}, Events: d.notes, LinkBase: linkBase}, store, d.line)
	if err != nil {
		t.Fatal(err)
	}
	return g
}

var inText = regexp.MustCompile(`https://box\.example/a/([0-9A-Za-z]+)`)

// tokenIn is the token of the link in a text.
func tokenIn(t *testing.T, text string) string {
	t.Helper()
	m := inText.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no link in %q", text)
	}
	return m[1]
}

func TestEachTextHasItsOwnLink(t *testing.T) {
	d := open(t)
	job := d.accept(sms.Request{To: []string{zhang, li}, Text: "请确认 {ack} 或 {ack}"})
	seen := map[string]bool{}
	for _, m := range job.Messages {
		token := tokenIn(t, m.Text)
		if len(token) < 11 || len(token) > 16 || seen[token] {
			t.Errorf("token %q", token)
		}
		seen[token] = true
		if want := "请确认 " + linkBase + "/a/" + token + " 或 " + linkBase + "/a/" + token; m.Text != want {
			t.Errorf("text = %q, want %q", m.Text, want)
		}
		if m.Parts != 2 {
			t.Errorf("%d parts of %d characters", m.Parts, sms.Units(m.Text))
		}
	}
	if kept := d.job(job.ID); kept.Messages[0].Text != job.Messages[0].Text {
		t.Errorf("kept %q, answered %q", kept.Messages[0].Text, job.Messages[0].Text)
	}
	plain := d.accept(sms.Request{
		To: []string{zhang}, Template: "work_order", Ref: "WO-1",
		Vars: map[string]any{"engineer": "张工", "customer": "{ack}厂"},
	})
	if got := plain.Messages[0].Text; !strings.Contains(got, "{ack}厂") {
		t.Errorf("braces in a value became a link: %q", got)
	}
}

func TestLinkNeedsAnAddress(t *testing.T) {
	d := open(t)
	g, err := sms.New(sms.Config{
		Accounts: []sms.Account{{Name: account}}, Templates: templates{"t": {ID: "t", Text: "x {ack}"}},
	}, d.texts, d.line)
	if err != nil {
		t.Fatal(err)
	}
	for field, req := range map[string]sms.Request{
		"text":     {To: []string{zhang}, Text: "x {ack}"},
		"template": {To: []string{zhang}, Template: "t"},
	} {
		if _, _, err := g.Accept(t.Context(), req); !slices.Equal(fields(err), []string{field}) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func (d *desk) link(token string) sms.Link {
	d.t.Helper()
	l, err := d.texts.Link(context.Background(), token)
	if err != nil {
		d.t.Fatal(err)
	}
	return l
}

func TestPressesAreAnswers(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		req := ladder()
		req.Text = "困人 {ack}"
		job := d.accept(req)
		d.after(time.Second)
		token := tokenIn(t, job.Messages[0].Text)
		press := func(word, remark string) {
			t.Helper()
			if err := d.Press(t.Context(), token, sms.Press{Word: word, Remark: remark}); err != nil {
				t.Fatal(err)
			}
		}
		press(sms.WordTaken, "")
		press(sms.WordTaken, "") // reloaded
		d.after(59 * time.Second)
		press(sms.WordTaken, "")
		d.after(time.Second)
		press(sms.WordTaken, "") // a minute after the first
		press(sms.WordLeft, " 缺门机皮带 ")
		press(sms.WordLeft, "等配件")
		inbox := d.inbox()
		slices.Reverse(inbox)
		var got []string
		for _, in := range inbox {
			got = append(got, in.Keyword+":"+in.Text)
			if in.Match != 1 || in.Job != job.ID || in.Ref != "WO-7" || in.From != "+86"+zhang {
				t.Errorf("inbox row = %+v", in)
			}
		}
		if want := []string{"接单:接单", "接单:接单", "遗留原因:缺门机皮带", "遗留原因:等配件"}; !slices.Equal(got, want) {
			t.Errorf("inbox = %q, want %q", got, want)
		}
		j := d.stand(job.ID, sms.Submitted, sms.Canceled, sms.Canceled)
		if j.Ack == nil || j.Ack.How != sms.AckLink || j.Ack.By != "+86"+zhang {
			t.Errorf("ack = %+v", j.Ack)
		}
		l := d.link(token)
		if l.Message.ID != job.Messages[0].ID || l.Ack == nil || len(l.Answers) != 4 || l.Answers[3].Text != "等配件" {
			t.Errorf("link = %+v", l)
		}
		d.checkSteps("link +86"+zhang, "canceled 0: 2")
	})
}

func TestPressIsChecked(t *testing.T) {
	d := open(t)
	token := tokenIn(t, d.accept(sms.Request{To: []string{zhang}, Text: "{ack}"}).Messages[0].Text)
	for name, tt := range map[string]struct {
		press sms.Press
		want  string
	}{
		"no such button": {sms.Press{Word: "拒绝"}, "word"},
		"no reason":      {sms.Press{Word: sms.WordLeft, Remark: " \n"}, "remark"},
		"a long one":     {sms.Press{Word: sms.WordDone, Remark: strings.Repeat("字", 501)}, "remark"},
		"not text":       {sms.Press{Word: sms.WordDone, Remark: "a\x00b"}, "remark"},
	} {
		if err := d.Press(t.Context(), token, tt.press); !slices.Equal(fields(err), []string{tt.want}) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got := d.inbox(); len(got) != 0 {
		t.Errorf("inbox = %+v", got)
	}
}

func TestLinksEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t) // not run: carriers' sweeps would be all that happens
		req := ladder()
		req.Text = "{ack}"
		job := d.accept(req)
		token := tokenIn(t, job.Messages[0].Text)
		check := func(token string, want error) {
			t.Helper()
			_, look := d.texts.Link(t.Context(), token)
			press := d.Press(t.Context(), token, sms.Press{Word: sms.WordTaken})
			if !errors.Is(look, want) || !errors.Is(press, want) {
				t.Errorf("Link = %v, Press = %v, want %v", look, press, want)
			}
		}
		check("", sms.ErrNotFound)
		check("nopenopenope", storage.ErrNotFound)
		check(strings.ToLower(token)+"X", sms.ErrNotFound)
		check(tokenIn(t, job.Messages[1].Text), sms.ErrNotFound) // nobody has it yet
		time.Sleep(sms.LinkLife)
		check(token, nil)
		time.Sleep(time.Millisecond)
		check(token, sms.ErrNotFound)
	})
}

// TestRepeatsKeepTheLink: whichever copy somebody opens, it is the same link.
func TestRepeatsKeepTheLink(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		job := d.accept(sms.Request{To: []string{zhang}, Text: "{ack}", Repeat: &sms.Repeat{Every: 10, Times: 1}})
		d.after(10 * time.Second)
		j := d.stand(job.ID, sms.Submitted, sms.Submitted)
		if j.Messages[1].Text != job.Messages[0].Text {
			t.Errorf("repeat is %q, first copy %q", j.Messages[1].Text, job.Messages[0].Text)
		}
		if l := d.link(tokenIn(t, j.Messages[1].Text)); l.Message.Job != job.ID {
			t.Errorf("link = %+v", l)
		}
	})
}

// TestReplyToAPlainJob acknowledges it; as an event it is a reply and no more.
func TestReplyToAPlainJob(t *testing.T) {
	inABubble(t, func(t *testing.T, d *desk) {
		for text, told := range map[string][]string{"plain": nil, "link {ack}": {"reply +86" + zhang}} {
			d.notes.forget()
			job := d.send(zhang, text)
			d.after(time.Second)
			d.incoming(sms.Text{ID: text, From: zhang, Text: "好"})
			if j := d.job(job.ID); j.Ack == nil || j.Ack.How != sms.AckReply || j.Notice != nil {
				t.Errorf("%s: ack %+v, notice %+v", text, j.Ack, j.Notice)
			}
			d.checkSteps(told...)
		}
	})
}

func (b *notebook) forget() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notes = nil
}
