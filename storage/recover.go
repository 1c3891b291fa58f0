package storage

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"callbox/cti"
	"callbox/internal/stamp"
)

// Mended is what [DB.Recover] did.
type Mended struct {
	Calls   []string // closed with cause crash
	WrapUps []string // wrap-up ended
}

// Recover mends what a crash left: it closes every call without an end and
// ends every wrap-up that no desk will end. It needs a running writer, and
// comes before any new call and after the recordings were mended.
func (d *DB) Recover(ctx context.Context) (Mended, error) {
	var m Mended
	if err := d.recoverCalls(ctx, &m); err != nil {
		return m, fmt.Errorf("close interrupted calls: %w", err)
	}
	if err := d.recoverWrapUps(ctx, &m); err != nil {
		return m, fmt.Errorf("end wrap-ups: %w", err)
	}
	return m, nil
}

// broken is a call that was running when the box stopped.
type broken struct {
	cdr  cti.CDR
	last int64
}

func (d *DB) recoverCalls(ctx context.Context, m *Mended) error {
	rows, err := d.reader.QueryContext(ctx,
		"SELECT doc, acw_end, disposition, survey, recording, last FROM calls WHERE result IS NULL ORDER BY id")
	if err != nil {
		return err
	}
	left, err := collect(rows, scanBroken)
	if err != nil {
		return err
	}
	for _, b := range left {
		if err := d.recoverCall(ctx, b); err != nil {
			return err
		}
		m.Calls = append(m.Calls, b.cdr.ID)
	}
	return nil
}

func scanBroken(rows *sql.Rows) (broken, error) {
	var b broken
	c, err := scanCall(behind{rows, &b.last})
	b.cdr = c
	return b, err
}

// behind scans one column more than it is asked for.
type behind struct {
	rows *sql.Rows
	last *int64
}

func (b behind) Scan(into ...any) error { return b.rows.Scan(append(into, b.last)...) }

func (d *DB) recoverCall(ctx context.Context, b broken) error {
	row, err := d.Recording(ctx, b.cdr.ID)
	known := err == nil
	cdr := crashed(b.cdr, lastSign(b.last, row))
	if known && row.State != cti.RecordingRunning {
		was := cdr.Recording
		cdr.Recording = row.Recording()
		cdr.Recording.Pauses, cdr.Recording.Voicemail = was.Pauses, cutOff(was.Voicemail, row.Seconds)
		if cdr.Recording.Left() && *cdr.Result == cti.ResultFailed {
			*cdr.Result = cti.ResultVoicemail
		}
	}
	if err := d.journal.Close(ctx, cdr); err != nil {
		return err
	}
	return d.journal.Note(ctx, cti.Event{
		Type: cti.EventCallCleared, CallID: cdr.ID, Line: cdr.Line, Cause: cti.CauseCrash, AgentID: refID(cdr.Agent),
	})
}

// cutOff is a message that ended with its recording, if it had begun.
func cutOff(v *cti.VoiceMessage, recorded float64) *cti.VoiceMessage {
	if v == nil || v.Seconds > 0 {
		return v
	}
	if recorded-v.From < 1 { // too short for one
		return nil
	}
	return &cti.VoiceMessage{From: v.From, Seconds: recorded - v.From, Queue: v.Queue}
}

// lastSign is when the call was last known to live: its last event or the end
// of its recording.
func lastSign(event int64, row RecordingRow) stamp.Time {
	last := stamp.FromMillis(event)
	if row.Started.IsZero() {
		return last
	}
	end := row.Started.Add(time.Duration(row.Seconds * float64(time.Second)))
	if end.After(last.Time) {
		return stamp.At(end)
	}
	return last
}

// crashed is the final record of a call that was cut off at end.
func crashed(c cti.CDR, end stamp.Time) cti.CDR {
	result := cti.ResultFailed
	if c.Talked() {
		result = cti.ResultAnswered
	}
	c.Result, c.Cause, c.HangupSide, c.Times.Hangup = &result, cti.CauseCrash, cti.BoxSide, end
	for i := range c.Legs {
		if c.Legs[i].End.IsZero() {
			c.Legs[i].End, c.Legs[i].Standing, c.Legs[i].StandingSince = end, "", cti.Time{}
		}
	}
	for i := range c.Offers {
		if c.Offers[i].Outcome == "" {
			c.Offers[i].Outcome, c.Offers[i].End = cti.OfferFailed, end
		}
	}
	return c
}

// recoverWrapUps leaves those alone whose agent comes back working after call:
// the floor ends them.
func (d *DB) recoverWrapUps(ctx context.Context, m *Mended) error {
	rows, err := d.reader.QueryContext(ctx, `SELECT id FROM calls
		WHERE result IS NOT NULL AND acw_end = 0 AND agent != '' AND NOT EXISTS (
			SELECT 1 FROM desks JOIN users ON users.id = desks.agent
			WHERE desks.call = calls.id AND desks.state != 'loggedOff')`)
	if err != nil {
		return err
	}
	m.WrapUps, err = collect(rows, func(rows *sql.Rows) (id string, err error) { return id, rows.Scan(&id) })
	if err != nil {
		return err
	}
	for _, id := range m.WrapUps {
		if err := d.journal.Amend(ctx, id, cti.Amendment{ACWEnd: stamp.Now()}); err != nil {
			return err
		}
	}
	return nil
}
