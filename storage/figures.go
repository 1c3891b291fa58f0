package storage

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"callbox/cti"
	"callbox/internal/stamp"
)

// shortAbandon is within what time of the queue a caller who gives up counts
// apart: nobody could have answered.
const shortAbandon = 5 * time.Second

// How a call left its queue, as tallies have it.
const (
	leftOtherwise = iota
	leftAnswered
	leftAbandoned
)

// Tally is what the calls of one queue, or several, add up to. Offered is all
// that entered: answered, abandoned (ShortAbandoned with them) and those that
// left otherwise, for a voicemail say. InTime were answered within the service
// level. Wait is that of the answered ones; Talk and Work are those of the
// Handled ones, that is the answered ones that are over.
type Tally struct {
	Offered, Answered, Abandoned, ShortAbandoned, InTime, Handled int
	Wait, Talk, Work                                              time.Duration
}

// Plus is both together.
func (t Tally) Plus(o Tally) Tally {
	return Tally{
		Offered: t.Offered + o.Offered, Answered: t.Answered + o.Answered, Abandoned: t.Abandoned + o.Abandoned,
		ShortAbandoned: t.ShortAbandoned + o.ShortAbandoned, InTime: t.InTime + o.InTime, Handled: t.Handled + o.Handled,
		Wait: t.Wait + o.Wait, Talk: t.Talk + o.Talk, Work: t.Work + o.Work,
	}
}

// tally is one call in numbers; false for a call that was in no queue.
type tally struct {
	queue            string
	entered          int64
	outcome          int
	wait, talk, work int64
}

func tallyOf(c *cti.CDR) (t tally, ok bool) {
	if c.Queue == nil || c.Times.QueueIn.IsZero() {
		return t, false
	}
	entered, answer, end := c.Times.QueueIn, c.Times.AgentAnswer, c.Times.Hangup
	t = tally{queue: c.Queue.ID, entered: entered.Millis()}
	switch {
	case !answer.IsZero():
		t.outcome, t.wait, t.talk = leftAnswered, length(entered, answer), length(answer, end)
		t.work = length(end, c.Times.ACWEnd)
	case c.Result != nil && *c.Result == cti.ResultAbandoned && (c.Where == cti.WhereQueue || c.Where == cti.WhereRinging):
		t.outcome, t.wait = leftAbandoned, length(entered, end)
	default:
		t.wait = length(entered, end)
	}
	return t, true
}

// length is from one instant to another in milliseconds, 0 where one is missing.
func length(from, to stamp.Time) int64 {
	if from.IsZero() || to.IsZero() {
		return 0
	}
	return max(0, to.Millis()-from.Millis())
}

// sum is what one call adds, as it stands: an answered one counts at once, and
// is handled when it is over.
func (t tally) sum(over bool, within time.Duration) Tally {
	s, wait := Tally{Offered: 1}, time.Duration(t.wait)*time.Millisecond
	switch t.outcome {
	case leftAnswered:
		s.Answered, s.Wait, s.InTime = 1, wait, one(wait <= within)
		if over {
			s.Handled, s.Talk, s.Work = 1, time.Duration(t.talk)*time.Millisecond, time.Duration(t.work)*time.Millisecond
		}
	case leftAbandoned:
		s.Abandoned, s.ShortAbandoned = 1, one(wait < shortAbandon)
	}
	return s
}

func one(yes bool) int {
	if yes {
		return 1
	}
	return 0
}

// putTally keeps what a call adds to the figures, once it is over.
func putTally(tx *sql.Tx, id string) error {
	c, err := scanCall(tx.QueryRow(selectCall+" WHERE id = ?", id))
	if err != nil {
		return err
	}
	t, ok := tallyOf(&c)
	if !ok || !c.Final() {
		return nil
	}
	_, err = tx.Exec(`INSERT OR REPLACE INTO tallies (queue, entered, call, outcome, wait, talk, work)
		VALUES (?, ?, ?, ?, ?, ?, ?)`, t.queue, t.entered, id, t.outcome, t.wait, t.talk, t.work)
	return err
}

// tallyQuery adds the calls of a queue up that entered since ?2: short ones gave
// up within ?3, those in time were answered within ?4.
const tallyQuery = `SELECT count(*), coalesce(sum(outcome = 1), 0), coalesce(sum(outcome = 2), 0),
	coalesce(sum(outcome = 2 AND wait < ?3), 0), coalesce(sum(outcome = 1 AND wait <= ?4), 0),
	coalesce(sum(iif(outcome = 1, wait, 0)), 0), coalesce(sum(talk), 0), coalesce(sum(work), 0)
	FROM tallies WHERE queue = ?1 AND entered >= ?2`

// Tallies adds up, by queue, the calls that entered it since a time: those that
// are over, and of live ones those that are not among them yet. within are the
// queues and their service levels.
func (d *DB) Tallies(ctx context.Context, since time.Time, within map[string]time.Duration, live []cti.CDR) (map[string]Tally, error) {
	tx, err := d.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // so that no call is met twice
	if err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	defer func() { _ = tx.Rollback() }()
	sums := map[string]Tally{}
	for queue, limit := range within {
		if sums[queue], err = tallied(ctx, tx, queue, since, limit); err != nil {
			return nil, fmt.Errorf("figures of queue %s: %w", queue, err)
		}
	}
	for i := range live {
		t, ok := tallyOf(&live[i])
		limit, known := within[t.queue]
		if !ok || !known || t.entered < stamp.At(since).Millis() {
			continue
		}
		switch kept, err := t.kept(ctx, tx, live[i].ID); {
		case err != nil:
			return nil, fmt.Errorf("figures of call %s: %w", live[i].ID, err)
		case !kept:
			sums[t.queue] = sums[t.queue].Plus(t.sum(live[i].Final(), limit))
		}
	}
	return sums, nil
}

func tallied(ctx context.Context, tx *sql.Tx, queue string, since time.Time, within time.Duration) (t Tally, err error) {
	var wait, talk, work int64
	err = tx.QueryRowContext(ctx, tallyQuery,
		queue, stamp.At(since).Millis(), shortAbandon.Milliseconds(), within.Milliseconds()).
		Scan(&t.Offered, &t.Answered, &t.Abandoned, &t.ShortAbandoned, &t.InTime, &wait, &talk, &work)
	t.Handled = t.Answered
	t.Wait, t.Talk, t.Work = time.Duration(wait)*time.Millisecond, time.Duration(talk)*time.Millisecond, time.Duration(work)*time.Millisecond
	return t, err
}

// kept says whether a call is added up already.
func (t tally) kept(ctx context.Context, tx *sql.Tx, call string) (bool, error) {
	var n int
	err := tx.QueryRowContext(ctx, "SELECT count(*) FROM tallies WHERE queue = ? AND entered = ? AND call = ?",
		t.queue, t.entered, call).Scan(&n)
	return n > 0, err
}

// AgentChange is a change of an agent's state: an event's type of
// [cti.EventAgentReady] and the like.
type AgentChange struct {
	Seq   int64
	Time  time.Time
	Agent string
	Type  string
}

// NewRun says that the box was started anew between two changes.
func (c AgentChange) NewRun(before AgentChange) bool {
	return c.Seq/rangeSize != before.Seq/rangeSize
}

// agentQuery reads the index alone.
const agentQuery = `SELECT seq, time, agent, type FROM journal
	WHERE type IN ('agentReady', 'agentNotReady', 'agentBusy', 'agentWorkingAfterCall', 'agentLoggedOff')
	AND time >= ? AND seq > ? ORDER BY time, seq`

// AgentChanges gives the agents' changes since a time that come after seq, in
// order.
func (d *DB) AgentChanges(ctx context.Context, since time.Time, seq int64) ([]AgentChange, error) {
	rows, err := d.reader.QueryContext(ctx, agentQuery, stamp.At(since).Millis(), seq)
	if err != nil {
		return nil, fmt.Errorf("agents' changes: %w", err)
	}
	changes, err := collect(rows, func(rows *sql.Rows) (c AgentChange, err error) {
		var ms int64
		err = rows.Scan(&c.Seq, &ms, &c.Agent, &c.Type)
		c.Time = time.UnixMilli(ms)
		return c, err
	})
	if err != nil {
		return nil, fmt.Errorf("agents' changes: %w", err)
	}
	return changes, nil
}
