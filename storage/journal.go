package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"

	"callbox/cti"
	"callbox/internal/stamp"
)

// rangeSize is how many events one run of the box may have: each start begins
// the next range. 9 million starts stay below 2^53, which JSON can carry.
const rangeSize = 1_000_000_000

// followBuffer is how far a follower may fall behind.
const followBuffer = 4096

// ErrTooSlow ends a subscription that fell too far behind.
var ErrTooSlow = errors.New("too slow for the journal")

// Journal is the one event log and the calls' records: a [cti.Ledger]. An
// event has its number and is with all subscribers when Note returns; it is
// committed behind. Its rows are written by the database's writer.
type Journal struct {
	d       *DB
	dropped atomic.Int64

	mu      sync.Mutex // guards what follows; held while queueing, so that disk order is seq order
	base    int64
	last    int64
	durable int64
	tail    []cti.Event // after durable
	subs    map[*Subscription]struct{}
}

func newJournal(d *DB) *Journal { return &Journal{d: d, subs: map[*Subscription]struct{}{}} }

// Journal is the event log.
func (d *DB) Journal() *Journal { return d.journal }

// openJournal begins the range of this start.
func (d *DB) openJournal(context.Context) error {
	j := d.journal
	j.base = d.start * rangeSize
	j.last, j.durable = j.base, j.base
	return nil
}

// Last is the newest event's number, or that before the first.
func (j *Journal) Last() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.last
}

// Durable is the number up to which events are on disk.
func (j *Journal) Durable() int64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.durable
}

// eventsPerOp is how many events that came together are one operation.
const eventsPerOp = 128

// Note publishes an event and commits it behind, with the call's record as it
// carries it. Event and record must not be changed afterwards.
func (j *Journal) Note(_ context.Context, e cti.Event) error {
	e.V, e.ID = 1, newID()
	if e.Time.IsZero() {
		e.Time = stamp.Now()
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	j.last++
	e.Seq, e.DurableSeq = j.last, j.durable
	if err := j.queue(e); err != nil {
		j.last--
		return fmt.Errorf("note %s: %w", e.Type, err)
	}
	bare := e // the writer reads e meanwhile
	bare.Call = nil
	j.tail = append(j.tail, bare)
	j.publish(e)
	return nil
}

// queue hands e to the writer: about a text together with those that wait at
// the end of the queue, since there may be thousands a second; any other as an
// operation of its own.
func (j *Journal) queue(e cti.Event) error {
	switch e.Type {
	case cti.EventEstablished:
		return j.queueTalk(e)
	case cti.EventSMSStatus:
	default:
		return j.d.later("note "+e.Type, func(tx *sql.Tx) error { return j.write(tx, e) }, func() { j.settle(e.Seq) })
	}
	if j.d.queue.join(e) {
		return nil
	}
	events := []cti.Event{e}
	o := &op{what: "note " + e.Type}
	o.f = func(tx *sql.Tx) error { return j.writeAll(tx, events) }
	o.more = func(e cti.Event) bool {
		if len(events) == eventsPerOp {
			return false
		}
		events = append(events, e)
		return true
	}
	return j.d.put(o, func() { j.settle(events[len(events)-1].Seq) })
}

func (j *Journal) writeAll(tx *sql.Tx, events []cti.Event) error {
	for _, e := range events {
		if err := j.write(tx, e); err != nil {
			return err
		}
	}
	return nil
}

func (j *Journal) write(tx *sql.Tx, e cti.Event) error {
	doc, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO journal (seq, time, type, call, agent, doc) VALUES (?, ?, ?, ?, ?, ?)",
		e.Seq, e.Time.Millis(), e.Type, e.CallID, e.AgentID, string(doc))
	switch {
	case err != nil:
		return err
	case e.Type == cti.EventLineState:
		return j.tellLine(tx, e)
	case e.Type == cti.EventMessage:
		return putChat(tx, e)
	case e.Call == nil:
		return nil
	}
	return j.noteCall(tx, e)
}

// tellLine gives the notice of a line's new state.
func (j *Journal) tellLine(tx *sql.Tx, e cti.Event) error {
	line, err := e.Changed()
	if err != nil { // the event stands all the same
		j.d.log.Error("line's state not told", "line", e.Line, "err", err)
		return nil
	}
	return j.d.notices.Add(tx, Notice{Event: NoticeLineState, Time: e.Time, OrderKey: "line:" + e.Line, Data: line})
}

// settle runs on the writer's goroutine when an event is on disk (or, in a
// fault, given up: then Since finds the gap).
func (j *Journal) settle(seq int64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.durable = seq
	n, _ := slices.BinarySearchFunc(j.tail, seq+1, func(e cti.Event, seq int64) int { return int(e.Seq - seq) })
	j.tail = j.tail[n:]
	if len(j.tail) == 0 {
		j.tail = nil
	}
}

// Since gives the events after seq, oldest first. It reports false where the
// journal has a gap behind seq, does not know seq, or would have to give more
// than limit: who asks needs a snapshot.
func (j *Journal) Since(ctx context.Context, seq int64, limit int) ([]cti.Event, bool, error) {
	j.mu.Lock()
	base, last, durable, tail := j.base, j.last, j.durable, slices.Clone(j.tail)
	j.mu.Unlock()
	if seq < 0 || seq > last {
		return nil, false, nil
	}
	var events []cti.Event
	if seq < durable {
		stored, ok, err := j.stored(ctx, seq, base, durable, limit)
		if err != nil || !ok {
			return nil, false, err
		}
		events = stored
	}
	n, _ := slices.BinarySearchFunc(tail, seq+1, func(e cti.Event, seq int64) int { return int(e.Seq - seq) })
	events = append(events, tail[n:]...)
	for i := range events {
		events[i].DurableSeq = durable
	}
	return events, len(events) <= limit, nil
}

// stored reads the rows of (seq, durable] and says whether they are whole.
func (j *Journal) stored(ctx context.Context, seq, base, durable int64, limit int) ([]cti.Event, bool, error) {
	if seq < base {
		known, err := j.knows(ctx, seq)
		if err != nil || !known {
			return nil, false, err
		}
	}
	rows, err := j.d.reader.QueryContext(ctx,
		"SELECT seq, doc FROM journal WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?", seq, durable, limit+1)
	if err != nil {
		return nil, false, fmt.Errorf("read journal: %w", err)
	}
	defer rows.Close()
	var events []cti.Event
	at := seq
	for rows.Next() {
		e, err := scanEvent(rows)
		if err != nil {
			return nil, false, err
		}
		if !follows(at, e.Seq) {
			return nil, false, nil
		}
		at, events = e.Seq, append(events, e)
	}
	whole := len(events) <= limit && (at == durable || durable == base)
	return events, whole, rows.Err()
}

func (j *Journal) knows(ctx context.Context, seq int64) (bool, error) {
	var n int
	err := j.d.reader.QueryRowContext(ctx, "SELECT count(*) FROM journal WHERE seq = ?", seq).Scan(&n)
	if err != nil {
		return false, fmt.Errorf("read journal: %w", err)
	}
	return n > 0, nil
}

// follows says whether b is the event after a, or the first of a later range.
func follows(a, b int64) bool {
	return b == a+1 || (b/rangeSize > a/rangeSize && b%rangeSize == 1)
}

func scanEvent(rows *sql.Rows) (cti.Event, error) {
	var e cti.Event
	var seq int64
	var doc []byte
	if err := rows.Scan(&seq, &doc); err != nil {
		return e, fmt.Errorf("read journal: %w", err)
	}
	if err := json.Unmarshal(doc, &e); err != nil {
		return e, fmt.Errorf("read journal: event %d: %w", seq, err)
	}
	e.Seq = seq
	return e, nil
}

// CallEvents gives the events of one call that are on disk, oldest first. The
// journal keeps them for 30 days.
func (d *DB) CallEvents(ctx context.Context, call string) ([]cti.Event, error) {
	rows, err := d.reader.QueryContext(ctx, callEventsQuery, call)
	if err != nil {
		return nil, fmt.Errorf("events of call %s: %w", call, err)
	}
	return collect(rows, scanEvent)
}

// callEventsQuery names the condition of its index.
const callEventsQuery = "SELECT seq, doc FROM journal WHERE call = ? AND call != '' ORDER BY seq"
