package door

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/internal/guard"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// line is a carrier that takes every text and has it delivered, unless the
// last digits of the number say otherwise: 91 fails at the phone, 92 is refused
// by the centre, 93 is never reported.
type line struct {
	ready chan struct{}
	in    chan func(context.Context, sms.Receiver) error

	mu   sync.Mutex
	sent []sms.Submission
}

func newLine() *line {
	l := &line{ready: make(chan struct{}), in: make(chan func(context.Context, sms.Receiver) error, 10_000)}
	close(l.ready)
	return l
}

func (l *line) Name() string            { return "cmcc" }
func (l *line) Capacity() int           { return 64 }
func (l *line) Ready() <-chan struct{}  { return l.ready }
func (l *line) State() sms.CarrierState { return sms.CarrierState{Up: true} }

func (l *line) Submit(_ context.Context, s sms.Submission) (sms.Receipt, error) {
	l.mu.Lock()
	l.sent = append(l.sent, s)
	n := len(l.sent)
	l.mu.Unlock()
	if strings.HasSuffix(s.To, "92") {
		return sms.Receipt{}, &sms.Rejected{Code: 9, Text: "service code is wrong"}
	}
	var r sms.Receipt
	for i := range s.Parts {
		id := fmt.Sprintf("%012x%04x", n, i+1)
		r.Parts = append(r.Parts, id)
		stat := "DELIVRD"
		switch {
		case strings.HasSuffix(s.To, "91"):
			stat = "UNDELIV"
		case strings.HasSuffix(s.To, "93"):
			continue
		}
		l.in <- func(ctx context.Context, to sms.Receiver) error {
			return to.Report(ctx, sms.Report{Account: "cmcc", ID: id, To: s.To, Stat: stat})
		}
	}
	return r, nil
}

func (l *line) Run(ctx context.Context, r sms.Receiver) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case f := <-l.in:
			if err := f(ctx, r); err != nil {
				return err
			}
		}
	}
}

// texts are what was sent to a number.
func (l *line) texts(to string) (all []string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, s := range l.sent {
		if s.To == to {
			all = append(all, strings.Join(s.Parts, ""))
		}
	}
	return all
}

// receive brings a text in.
func (l *line) receive(from, text string) {
	l.in <- func(ctx context.Context, to sms.Receiver) error {
		return to.Incoming(ctx, sms.Text{Account: "cmcc", From: from, To: "10690000", Text: text})
	}
}

// ledger is storage's, in the door's types, as the daemon pairs them.
type ledger struct{ *storage.Doors }

func (l ledger) Known(ctx context.Context, name string, rows []string) ([]Entry, error) {
	known, err := l.Doors.Known(ctx, name, rows)
	entries := make([]Entry, len(known))
	for i, r := range known {
		entries[i] = Entry(r)
	}
	return entries, err
}

func (l ledger) Keep(ctx context.Context, name string, entries []Entry) error {
	return l.Doors.Keep(ctx, name, doorRows(entries))
}

func (l ledger) Changed(ctx context.Context, name, after string, limit int) ([]News, error) {
	changed, err := l.Doors.Changed(ctx, name, after, limit)
	news := make([]News, len(changed))
	for i, c := range changed {
		news[i] = News{Entry: Entry(c.DoorRow), Now: c.Now}
	}
	return news, err
}

func (l ledger) Written(ctx context.Context, name string, entries []Entry) error {
	return l.Doors.Written(ctx, name, doorRows(entries))
}

func doorRows(entries []Entry) []storage.DoorRow {
	rows := make([]storage.DoorRow, len(entries))
	for i, e := range entries {
		rows[i] = storage.DoorRow(e)
	}
	return rows
}

type templates map[string]sms.Template

func (t templates) Template(_ context.Context, id string) (sms.Template, error) {
	found, ok := t[id]
	if id == "broken" {
		return found, errors.New("cannot be read")
	}
	if !ok {
		return found, sms.ErrNotFound
	}
	return found, nil
}

// office is a box with its gateway, without a door.
type office struct {
	t       testing.TB
	db      *storage.DB
	gateway *sms.Gateway
	line    *line
	log     *logBook
}

func openOffice(t testing.TB) *office {
	t.Helper()
	o := &office{t: t, db: storagetest.Open(t), line: newLine(), log: &logBook{}}
	var err error
	o.gateway, err = sms.New(sms.Config{
		Accounts: []sms.Account{{Name: "cmcc", SrcID: "10690000"}}, AreaCode: "0571",
		Templates: templates{
			"order": {ID: "order", Class: sms.ClassDispatch, Text: "{engineer},新工单{ref}", Replies: map[string]string{"1": "接单"}},
			"work_order": { // the documentation's
				ID: "work_order", Class: sms.ClassDispatch, Replies: map[string]string{"1": "接单"},
				Text: "{engineer},新工单{ref}:{customer} {address} {fault}。回复1接单",
			},
		},
	}, o.db.SMS(), o.line)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	var g guard.Group
	g.Go("gateway", func() {
		if err := o.gateway.Run(ctx); err != nil {
			t.Errorf("gateway: %v", err)
		}
	})
	t.Cleanup(func() { stop(); g.Wait() })
	return o
}

func (o *office) deps() Deps {
	return Deps{Texts: o.gateway, Ledger: ledger{o.db.Doors()}, Replies: o.db.Doors(), Log: slog.New(slog.NewTextHandler(o.log, nil))}
}

// run runs a door until the test ends or stop is called.
func (o *office) run(d *Door) (stop func()) {
	o.db.Doors().Replies([]string{d.Name()})
	ctx, cancel := context.WithCancel(context.Background())
	var g guard.Group
	g.Go("door", func() {
		if err := d.Run(ctx); err != nil {
			o.t.Errorf("door: %v", err)
		}
	})
	stop = func() { cancel(); g.Wait() }
	o.t.Cleanup(stop)
	return stop
}

// logBook keeps what is logged.
type logBook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// count is how many lines hold words.
func (l *logBook) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), words)
}

func (l *logBook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// wait polls until done; it fails the test when that takes too long.
func wait(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come", what)
		}
	}
}
