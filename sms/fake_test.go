package sms_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"callbox/internal/guard"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// fake is a carrier in memory. answer decides about the n-th submit, from 0;
// without it every part gets an id.
type fake struct {
	name     string
	capacity int
	answer   func(n int, s sms.Submission) (sms.Receipt, error)
	onSubmit func(s sms.Submission) // after the answer was decided, before it is given
	leaving  time.Duration          // how long Run takes to end

	mu     sync.Mutex
	ready  chan struct{}
	up     bool
	sent   []sms.Submission
	nextID uint64
	got    chan struct{} // a submit came; room for one
}

func newFake(name string) *fake {
	f := &fake{name: name, capacity: 16, ready: make(chan struct{}), got: make(chan struct{}, 1), nextID: 0xA000000000000000}
	f.setUp(true)
	return f
}

func (f *fake) setUp(up bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if up && !f.up {
		close(f.ready)
	}
	if !up && f.up {
		f.ready = make(chan struct{})
	}
	f.up = up
}

func (f *fake) Name() string  { return f.name }
func (f *fake) Capacity() int { return f.capacity }
func (f *fake) Ready() <-chan struct{} {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ready
}

func (f *fake) State() sms.CarrierState {
	f.mu.Lock()
	defer f.mu.Unlock()
	return sms.CarrierState{Up: f.up}
}

func (f *fake) Run(ctx context.Context, _ sms.Receiver) error {
	<-ctx.Done()
	time.Sleep(f.leaving)
	return nil
}

func (f *fake) Submit(_ context.Context, s sms.Submission) (sms.Receipt, error) {
	f.mu.Lock()
	n := len(f.sent)
	f.sent = append(f.sent, s)
	var r sms.Receipt
	for range s.Parts {
		f.nextID++
		r.Parts = append(r.Parts, fmt.Sprintf("%016x", f.nextID))
	}
	f.mu.Unlock()
	var err error
	if f.answer != nil {
		var answered sms.Receipt
		if answered, err = f.answer(n, s); answered.Parts != nil || err != nil {
			r = answered
		}
	}
	if f.onSubmit != nil {
		f.onSubmit(s)
	}
	select {
	case f.got <- struct{}{}:
	default:
	}
	return r, err
}

func (f *fake) submissions() []sms.Submission {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]sms.Submission(nil), f.sent...)
}

// notebook collects events.
type notebook struct {
	mu    sync.Mutex
	notes []sms.Note
	next  sms.Events // is told, too; may be nil
	times map[string][]time.Duration
}

// timed is an observer of the gateway's.
func (b *notebook) timed(what string) func(string, time.Duration) {
	return func(_ string, took time.Duration) {
		b.mu.Lock()
		defer b.mu.Unlock()
		if b.times == nil {
			b.times = map[string][]time.Duration{}
		}
		b.times[what] = append(b.times[what], took)
	}
}

func (b *notebook) Note(ctx context.Context, n sms.Note) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notes = append(b.notes, n)
	if b.next != nil {
		b.next.Note(ctx, n)
	}
}

func (b *notebook) statuses() (all []sms.Status) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.notes {
		if n.Type == sms.NoteStatus {
			all = append(all, n.Message.Status)
		}
	}
	return all
}

// templates is a map as the gateway's port.
type templates map[string]sms.Template

func (t templates) Template(_ context.Context, id string) (sms.Template, error) {
	found, ok := t[id]
	if !ok {
		return found, sms.ErrNotFound
	}
	return found, nil
}

var workOrder = sms.Template{
	ID: "work_order", Class: sms.ClassDispatch,
	Replies: map[string]string{"1": "接单", "2": "到达", "3": "完成"},
	Text:    "{engineer},您有新工单{ref}:{customer}。回复1接单 2到达 3完成",
}

// desk is a gateway with its surroundings.
type desk struct {
	*sms.Gateway
	t     testing.TB
	db    *storage.DB
	texts *storage.SMS
	line  *fake
	notes *notebook
	group guard.Group
	stop  context.CancelFunc
}

const account = "cmcc"

const linkBase = "https://box.example"

// open makes a gateway over a fresh database; run starts it.
func open(t testing.TB, set ...func(*sms.Account)) *desk {
	t.Helper()
	return openOn(t, storagetest.Open(t), set...)
}

func openOn(t testing.TB, db *storage.DB, set ...func(*sms.Account)) *desk {
	t.Helper()
	a := sms.Account{Name: account, SrcID: "10690000"}
	for _, f := range set {
		f(&a)
	}
	d := &desk{t: t, db: db, texts: db.SMS(), line: newFake(account), notes: &notebook{}}
	cfg := sms.Config{
		Accounts: []sms.Account{a}, AreaCode: "0571", Events: d.notes, LinkBase: linkBase,
		Templates: templates{workOrder.ID: workOrder},
		Submitted: d.notes.timed("submitted"), Delivered: d.notes.timed("delivered"),
	}
	var err error
	if d.Gateway, err = sms.New(cfg, d.texts, d.line); err != nil {
		t.Fatal(err)
	}
	return d
}

// run starts the gateway until the test ends or halt is called.
func (d *desk) run() *desk {
	ctx, stop := context.WithCancel(context.Background())
	d.stop = stop
	d.group.Go("gateway", func() {
		if err := d.Run(ctx); err != nil {
			d.t.Errorf("Run: %v", err)
		}
	})
	d.t.Cleanup(d.halt)
	return d
}

func (d *desk) halt() {
	d.stop()
	d.group.Wait()
}

// send accepts one text to one number.
func (d *desk) send(to, text string) sms.Job {
	d.t.Helper()
	return d.accept(sms.Request{To: []string{to}, Text: text})
}

func (d *desk) accept(r sms.Request) sms.Job {
	d.t.Helper()
	job, created, err := d.Accept(context.Background(), r)
	if err != nil || !created {
		d.t.Fatalf("Accept = %v, created %v", err, created)
	}
	return job
}

// message is a job's first message as it stands.
func (d *desk) message(job string) sms.Message {
	d.t.Helper()
	j, err := d.texts.Job(context.Background(), job)
	if err != nil {
		d.t.Fatal(err)
	}
	return j.Messages[0]
}

// await waits for a job's first message to reach a status.
func (d *desk) await(job string, want sms.Status) sms.Message {
	d.t.Helper()
	var m sms.Message
	for range 2000 {
		if m = d.message(job); m.Status == want {
			return m
		}
		time.Sleep(time.Millisecond)
	}
	d.t.Fatalf("message is %s, want %s", m.Status, want)
	return m
}

// told waits until these changes of status, and no others, were events.
func (d *desk) told(want ...sms.Status) {
	d.t.Helper()
	var got []sms.Status
	for range 2000 {
		if got = d.notes.statuses(); len(got) >= len(want) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	if !slices.Equal(got, want) {
		d.t.Errorf("events = %v, want %v", got, want)
	}
}

func (d *desk) report(id, to, stat string) {
	d.t.Helper()
	err := d.Report(context.Background(), sms.Report{Account: account, ID: id, To: to, Stat: stat})
	if err != nil {
		d.t.Fatal(err)
	}
}

// incoming brings a text in and gives the inbox, newest first.
func (d *desk) incoming(t sms.Text) []sms.Incoming {
	d.t.Helper()
	t.Account = account
	if err := d.Incoming(context.Background(), t); err != nil {
		d.t.Fatal(err)
	}
	return d.inbox()
}

func (d *desk) inbox() []sms.Incoming {
	d.t.Helper()
	all, _, err := d.texts.Inbox(context.Background(), storage.InboxFilter{})
	if err != nil {
		d.t.Fatal(err)
	}
	return all
}
