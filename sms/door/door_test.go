package door

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/sms"
	"callbox/storage"
)

const erp = "erp"

// memory is a foreign database in memory, with what goes wrong in it.
type memory struct {
	mu    sync.Mutex
	rows  map[string]*memoryRow
	inbox []sms.Incoming
	away  error            // every operation's
	shaky int              // so many claims are done, and fail all the same
	bad   map[string]error // of single rows
}

type memoryRow struct {
	row
	status  string // as the table has it: "" is new
	history []string
	last    change
}

func newMemory(rows ...row) *memory {
	m := &memory{rows: map[string]*memoryRow{}, bad: map[string]error{}}
	for _, r := range rows {
		m.rows[r.id] = &memoryRow{row: r}
	}
	return m
}

func (m *memory) lock() (unlock func(), err error) {
	m.mu.Lock()
	return m.mu.Unlock, m.away
}

// page gives rows of a status behind after.
func (m *memory) page(status, after string, n int) (ids []string, last string) {
	for _, id := range slices.Sorted(maps.Keys(m.rows)) {
		if id > after && m.rows[id].status == status && len(ids) < n {
			ids = append(ids, id)
		}
	}
	if len(ids) == n {
		last = ids[n-1]
	}
	return ids, last
}

func (m *memory) Claim(_ context.Context, after string, n int) (page, error) {
	unlock, err := m.lock()
	defer unlock()
	ids, last := m.page("", after, n)
	p := page{last: last, no: refusals{}}
	for _, id := range ids {
		if m.bad[id] != nil && m.rows[id].text == "cannot be claimed" {
			p.no[id] = m.bad[id]
			continue
		}
		m.rows[id].set(wordClaimed)
		p.rows = append(p.rows, m.rows[id].row)
	}
	if m.shaky > 0 {
		m.shaky--
		return page{}, errors.New("connection lost")
	}
	return p, err
}

func (m *memory) Left(_ context.Context, after string, n int) (page, error) {
	unlock, err := m.lock()
	defer unlock()
	ids, last := m.page(wordClaimed, after, n)
	p := page{last: last}
	for _, id := range ids {
		p.rows = append(p.rows, m.rows[id].row)
	}
	return p, err
}

func (r *memoryRow) set(status string) {
	if r.status != status {
		r.history = append(r.history, status)
	}
	r.status = status
}

func (m *memory) Write(_ context.Context, changes []change) (refusals, error) {
	unlock, err := m.lock()
	defer unlock()
	if err != nil {
		return nil, err
	}
	no := refusals{}
	for _, c := range changes {
		if m.bad[c.row] != nil {
			no[c.row] = m.bad[c.row]
		} else if r := m.rows[c.row]; r != nil && r.status != "" {
			r.set(string(c.status))
			r.last = c
		}
	}
	return no, nil
}

func (m *memory) Insert(_ context.Context, texts []sms.Incoming) (refusals, error) {
	unlock, err := m.lock()
	defer unlock()
	if err != nil {
		return nil, err
	}
	no := refusals{}
	for _, in := range texts {
		if m.bad[in.Text] != nil {
			no[in.ID] = m.bad[in.Text]
		} else if !slices.ContainsFunc(m.inbox, func(x sms.Incoming) bool { return x.ID == in.ID }) {
			m.inbox = append(m.inbox, in)
		}
	}
	return no, nil
}

func (m *memory) Ping(context.Context) error {
	unlock, err := m.lock()
	defer unlock()
	return err
}

func (m *memory) Close() error { return nil }

// do changes the memory under its lock.
func (m *memory) do(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f()
}

// statuses are all rows' by id.
func (m *memory) statuses() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var all []string
	for _, id := range slices.Sorted(maps.Keys(m.rows)) {
		all = append(all, id+" "+m.rows[id].status)
	}
	return strings.Join(all, ", ")
}

func (m *memory) last(id string) change {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.rows[id].last
}

func testConfig() Config {
	return Config{
		Name: erp, Driver: MySQL, DSN: "u@tcp(127.0.0.1:1)/x",
		Outbox: Outbox{Table: "sms_outbox", ID: "id", To: "phone", Text: "body", Status: "status"},
		Inbox:  Inbox{Table: "sms_inbox", From: "phone", Text: "body"},
	}
}

func (o *office) door(db database) *Door { return newDoor(testConfig(), o.deps(), db) }

// number is a mobile number that ends in n.
func phone(n int) string { return fmt.Sprintf("139%08d", n) }

func (o *office) settled(m *memory, want string) {
	o.t.Helper()
	wait(o.t, want, func() bool { return m.statuses() == want || o.t.Failed() })
}

func TestRowsBecomeTexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t)
		m := newMemory(
			row{id: "1", to: phone(1), text: "您好", ref: "WO-1"},
			row{id: "2", to: phone(2), template: "order", vars: `{"engineer":"赵工"}`, ref: "WO-2"},
			row{id: "3", to: phone(91), text: "x"},
			row{id: "4", to: phone(92), text: "x"},
			row{id: "5", to: "12", text: "x"},
			row{id: "6", to: phone(6), text: " "},
			row{id: "7", to: phone(7), template: "nope"},
			row{id: "8", to: phone(8), text: strings.Repeat("字", 10_000)},
			row{id: "9", to: phone(9), template: "order", vars: "engineer"},
		)
		o.run(o.door(m))
		o.settled(m, "1 delivered, 2 delivered, 3 failed, 4 failed, 5 failed, 6 failed, 7 failed, 8 failed, 9 failed")
		if got := o.line.texts(phone(2)); !slices.Equal(got, []string{"赵工,新工单WO-2"}) {
			t.Errorf("sent %q", got)
		}
		for id, words := range map[string]string{
			"1": "", "3": "UNDELIV: ", "4": "service code", "5": "phone: \"12\" is no number", "6": "body: is empty",
			"7": "there is no template", "8": "body: ", "9": "vars: is no JSON",
		} {
			if got := m.last(id).words; !strings.Contains(got, words) || (words == "") != (got == "") {
				t.Errorf("row %s: error %q, want %q", id, got, words)
			}
		}
		one := m.last("1")
		if one.message == "" || one.parts != 1 || one.sent.IsZero() || one.delivered.Before(one.sent) {
			t.Errorf("row 1 = %+v", one)
		}
		if bad := m.last("5"); bad.message != "" {
			t.Errorf("row 5 became %s", bad.message)
		}
	})
}

func TestRepliesBecomeRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t)
		m := newMemory(row{id: "1", to: phone(1), template: "order", vars: `{"engineer":"赵工"}`, ref: "WO-1"})
		o.run(o.door(m))
		o.settled(m, "1 delivered")
		o.line.receive(phone(1), "1")
		o.line.receive(phone(2), "谁啊")
		wait(t, "the replies", func() bool {
			m.mu.Lock()
			defer m.mu.Unlock()
			return len(m.inbox) == 2
		})
		if in := m.inbox[0]; in.Ref != "WO-1" || in.Keyword != "接单" || sender(in) != phone(1) || m.inbox[1].Job != "" {
			t.Errorf("inbox = %+v", m.inbox)
		}
	})
}

// TestAgain covers rows that are set back to new.
func TestAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t)
		m := newMemory(row{id: "1", to: phone(1), text: "a"}, row{id: "2", to: phone(91), text: "b"}, row{id: "3", to: phone(93), text: "c"})
		o.run(o.door(m))
		o.settled(m, "1 delivered, 2 failed, 3 submitted")
		m.do(func() {
			for _, r := range m.rows {
				r.status = ""
			}
		})
		time.Sleep(5 * time.Second)
		o.settled(m, "1 delivered, 2 failed, 3 submitted")
		for to, want := range map[string]int{
			phone(1):  1, // it arrived
			phone(91): 2, // it failed: once more
			phone(93): 1, // it is under way
		} {
			if got := len(o.line.texts(to)); got != want {
				t.Errorf("%s got %d texts, want %d", to, got, want)
			}
		}
		m.do(func() { m.rows["1"].status, m.rows["1"].text = "", "another" }) // the table was made anew
		m.do(func() { m.rows["3"].status, m.rows["3"].text = "", "another" })
		wait(t, "the others", func() bool { return len(o.line.texts(phone(1))) == 2 && len(o.line.texts(phone(93))) == 2 })
		o.settled(m, "1 delivered, 2 failed, 3 submitted")
	})
}

// bomb stops a door's world dead at the n-th time that something happens, just
// before or just behind it.
type bomb struct {
	database
	Texts
	Ledger
	Replies

	at     string
	behind bool
	mu     sync.Mutex
	count  int
	off    bool
}

var errDead = errors.New("killed")

// around runs f unless the bomb went off.
func (b *bomb) around(name string, f func() error) error {
	b.mu.Lock()
	if name == b.at && !b.off {
		if b.count--; b.count == 0 {
			b.off = true
			if b.behind {
				b.mu.Unlock()
				_ = f()
				return errDead
			}
		}
	}
	dead := b.off
	b.mu.Unlock()
	if dead {
		return errDead
	}
	return f()
}

func (b *bomb) Claim(ctx context.Context, after string, n int) (p page, err error) {
	err = b.around("claim", func() error { p, err = b.database.Claim(ctx, after, n); return err })
	return p, err
}

func (b *bomb) Left(ctx context.Context, after string, n int) (p page, err error) {
	err = b.around("left", func() error { p, err = b.database.Left(ctx, after, n); return err })
	return p, err
}

func (b *bomb) Write(ctx context.Context, c []change) (no refusals, err error) {
	err = b.around("write", func() error { no, err = b.database.Write(ctx, c); return err })
	return no, err
}

func (b *bomb) Insert(ctx context.Context, in []sms.Incoming) (no refusals, err error) {
	err = b.around("insert", func() error { no, err = b.database.Insert(ctx, in); return err })
	return no, err
}

func (b *bomb) Ping(ctx context.Context) error {
	return b.around("ping", func() error { return b.database.Ping(ctx) })
}

func (b *bomb) Accept(ctx context.Context, r sms.Request) (job sms.Job, created bool, err error) {
	err = b.around("accept", func() error { job, created, err = b.Texts.Accept(ctx, r); return err })
	return job, created, err
}

func (b *bomb) Known(ctx context.Context, door string, rows []string) (e []Entry, err error) {
	err = b.around("known", func() error { e, err = b.Ledger.Known(ctx, door, rows); return err })
	return e, err
}

func (b *bomb) Keep(ctx context.Context, door string, e []Entry) error {
	return b.around("keep", func() error { return b.Ledger.Keep(ctx, door, e) })
}

func (b *bomb) Written(ctx context.Context, door string, e []Entry) error {
	return b.around("written", func() error { return b.Ledger.Written(ctx, door, e) })
}

func (b *bomb) Replied(ctx context.Context, door string, ids []string) error {
	return b.around("replied", func() error { return b.Replies.Replied(ctx, door, ids) })
}

// TestKilledBetweenAnyTwoSteps kills the door before and behind each thing it
// does, the first and some later time, and starts another: every row is one
// text and says how it ended, every reply is one row.
func TestKilledBetweenAnyTwoSteps(t *testing.T) {
	for _, at := range []string{"claim", "left", "known", "accept", "keep", "write", "written", "insert", "replied"} {
		for _, behind := range []bool{false, true} {
			for _, count := range []int{1, 2} {
				t.Run(fmt.Sprintf("%s/behind=%v/%d", at, behind, count), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) { killAt(t, at, behind, count) })
				})
			}
		}
	}
}

func killAt(t *testing.T, at string, behind bool, count int) {
	o := openOffice(t)
	m := newMemory(row{id: "4", to: "12", text: "x"})
	for i := 1; i <= 3; i++ {
		id := strconv.Itoa(i)
		m.rows[id] = &memoryRow{row: row{id: id, to: phone(i), text: "text " + id}}
	}
	o.db.Doors().Replies([]string{erp})
	o.line.receive(phone(1), "a")
	o.line.receive(phone(2), "b")
	deps := o.deps()
	b := &bomb{database: m, Texts: deps.Texts, Ledger: deps.Ledger, Replies: deps.Replies, at: at, behind: behind, count: count}
	stop := o.run(newDoor(testConfig(), Deps{Texts: b, Ledger: b, Replies: b, Log: deps.Log}, b))
	time.Sleep(5 * time.Second)
	stop()
	if count == 1 && !b.off {
		t.Errorf("the door never came to %s", at)
	}
	stop = o.run(o.door(m))
	o.settled(m, "1 delivered, 2 delivered, 3 delivered, 4 failed")
	time.Sleep(longestPause + 5*time.Second) // what was put off comes, too
	stop()
	for i := 1; i <= 3; i++ {
		if got := o.line.texts(phone(i)); len(got) != 1 {
			t.Errorf("%s got %q", phone(i), got)
		}
		inOrder(t, m.rows[strconv.Itoa(i)].history)
	}
	if len(m.inbox) != 2 {
		t.Errorf("%d replies, want 2: %+v", len(m.inbox), m.inbox)
	}
	jobs, _, err := o.db.SMS().Messages(t.Context(), storage.MessageFilter{})
	if err != nil || len(jobs) != 3 {
		t.Errorf("%d messages, %v; want 3", len(jobs), err)
	}
}

// inOrder fails where a row's statuses do not follow one another.
func inOrder(t *testing.T, history []string) {
	t.Helper()
	order := []string{"", wordClaimed, "queued", "submitted", "delivered"}
	at := 0
	for _, status := range history {
		i := slices.Index(order, status)
		if i < at {
			t.Errorf("history = %q", history)
			return
		}
		at = i
	}
}

// TestDatabaseAway loses the database for an hour while texts are delivered.
func TestDatabaseAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t)
		m := newMemory(row{id: "1", to: phone(93), text: "x"})
		d := o.door(m)
		if s := d.State(); s.Up || s.Why != "not yet connected" {
			t.Errorf("State = %+v", s)
		}
		o.run(d)
		o.settled(m, "1 submitted")
		m.do(func() { m.away = errors.New("access denied for\n\tuser") })
		o.line.in <- func(ctx context.Context, to sms.Receiver) error {
			return to.Report(ctx, sms.Report{Account: "cmcc", ID: "0000000000010001", To: phone(93), Stat: "DELIVRD"})
		}
		time.Sleep(time.Hour)
		if s := d.State(); s.Up || s.Why != "access denied for user" {
			t.Errorf("State = %+v", s)
		}
		m.do(func() { m.away, m.rows["2"] = nil, &memoryRow{row: row{id: "2", to: phone(2), text: "y"}} })
		o.settled(m, "1 delivered, 2 delivered")
		if s := d.State(); !s.Up {
			t.Errorf("State = %+v", s)
		}
		if o.log.count("database door lost") != 1 || o.log.count("database door is back") != 1 {
			t.Errorf("log:\n%s", o.log)
		}
	})
}

// TestClaimOfUnknownOutcome loses the connection behind the claim, and has it
// again at once.
func TestClaimOfUnknownOutcome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t)
		m := newMemory(row{id: "1", to: phone(1), text: "x"}, row{id: "2", to: phone(2), text: "x"})
		m.shaky = 1
		o.run(o.door(m))
		o.settled(m, "1 delivered, 2 delivered")
	})
}

// TestRowThatCannotBeTaken holds up no other row, before or behind it.
func TestRowThatCannotBeTaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t)
		m := newMemory(row{id: "1", to: phone(1), template: "broken"})
		d := o.door(m)
		o.run(d)
		time.Sleep(time.Minute)
		m.do(func() { m.rows["2"] = &memoryRow{row: row{id: "2", to: phone(2), text: "x"}} })
		o.settled(m, "1 claimed, 2 delivered")
		time.Sleep(time.Minute)
		if why := d.State().Why; !strings.Contains(why, "cannot be read") {
			t.Errorf("Why = %q", why)
		}
		m.do(func() { m.rows["1"].template, m.rows["1"].text = "", "mended" })
		o.settled(m, "1 delivered, 2 delivered")
	})
}

// TestRefusedRows holds nothing up for rows and replies that the database does
// not take, and tries them again.
func TestRefusedRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t)
		m := newMemory(
			row{id: "1", to: phone(1), text: "cannot be claimed"},
			row{id: "2", to: phone(2), text: "x"},
			row{id: "3", to: phone(3), text: "x"},
			row{id: "4", to: "12", text: "x"},
		)
		wide := errors.New("data too long")
		m.bad["1"], m.bad["2"], m.bad["4"], m.bad["wide"] = errors.New("locked"), wide, wide, wide
		d := o.door(m)
		o.run(d)
		o.line.receive(phone(1), "wide")
		o.line.receive(phone(1), "narrow")
		o.settled(m, "1 , 2 claimed, 3 delivered, 4 claimed")
		wait(t, "the reply", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return len(m.inbox) == 1 })
		time.Sleep(time.Minute)
		why := d.State().Why
		for _, words := range []string{"outbox: row 1: locked (and 1 more)", "status: row 2: data too long", "inbox: row "} {
			if !strings.Contains(why, words) {
				t.Errorf("Why = %q, want %q", why, words)
			}
		}
		if n := o.log.count("a part fails"); n != 3 {
			t.Errorf("%d lines, want 3:\n%s", n, o.log)
		}
		m.do(func() { clear(m.bad) })
		o.settled(m, "1 delivered, 2 delivered, 3 delivered, 4 failed")
		wait(t, "the other reply", func() bool { m.mu.Lock(); defer m.mu.Unlock(); return len(m.inbox) == 2 })
		wait(t, "all is well", func() bool { return d.State().Up })
	})
}

// TestManyRows has more rows than a page, with some that are refused among them.
func TestManyRows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t)
		const n = 3*pageSize + 7
		m := newMemory()
		for i := range n {
			id := fmt.Sprintf("%04d", i)
			m.rows[id] = &memoryRow{row: row{id: id, to: phone(100_000 + i*100%500), text: "text " + id}}
			if i < pageSize {
				m.rows[id].text, m.bad[id] = "cannot be claimed", errors.New("locked")
			}
		}
		o.run(o.door(m))
		wait(t, "all", func() bool { return strings.Count(m.statuses(), "delivered") == n-pageSize })
		for i := range 5 {
			list, _, err := o.db.SMS().Messages(t.Context(), storage.MessageFilter{To: phone(100_000 + i*100), Limit: 1000})
			slices.Reverse(list) // oldest first
			if err != nil || !slices.IsSortedFunc(list, func(a, b sms.Message) int { return strings.Compare(a.Text, b.Text) }) {
				t.Errorf("to one number, not accepted in order: %v, %v", list, err)
			}
		}
	})
}

func TestStateOfOneKeyTwoOwners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := openOffice(t)
		_, _, err := o.gateway.Accept(t.Context(), sms.Request{To: []string{phone(5)}, Text: "theirs", Key: "door:erp:1"})
		if err != nil {
			t.Fatal(err)
		}
		m := newMemory(row{id: "1", to: phone(1), text: "ours"})
		o.run(o.door(m))
		o.settled(m, "1 failed")
		if got := m.last("1").words; !strings.Contains(got, "belongs to another job") {
			t.Errorf("error = %q", got)
		}
	})
}
