package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"callbox/cti"
	"callbox/internal/number"
	"callbox/internal/stamp"
)

// Kinds of a [Missed].
const (
	MissedCall      = "missed"
	MissedVoicemail = "voicemail"
)

// Outcomes of a [Missed] that is done.
const (
	MissedReached     = "reached"
	MissedUnreachable = "unreachable"
	MissedTexted      = "texted"
	MissedNothing     = "nothing"
)

// Missed is a party who wanted an agent and got none, as the API shows it: all
// calls from a number to a queue until somebody has done what there is to do.
// Those who withhold their number are one each. What belongs to no queue
// concerns Agent, or, where that is empty, everybody.
type Missed struct {
	ID       string       `json:"id"` // the last call's; the earlier ones' lead here as well
	Kind     string       `json:"kind"`
	Number   cti.Number   `json:"number"`
	Customer *cti.Ref     `json:"customer"`
	Queue    *cti.Ref     `json:"queue"`
	Agent    string       `json:"agent,omitempty"` // whose own telephone rang
	Time     stamp.Time   `json:"time"`            // when the last call came
	First    stamp.Time   `json:"first"`
	Tries    int          `json:"tries"`
	Seconds  float64      `json:"seconds"`  // of the last message
	Messages []MissedMail `json:"messages"` // oldest first
	Claimed  *MissedClaim `json:"claimed"`
	Done     *MissedDone  `json:"done"`
}

// MissedMail is a message: where it stands in a call's recording, in seconds.
type MissedMail struct {
	Call    string     `json:"call_id"`
	From    float64    `json:"from"`
	Seconds float64    `json:"seconds"`
	Time    stamp.Time `json:"time"`
}

// MissedClaim is who sees to it.
type MissedClaim struct {
	By   string     `json:"by"`
	Name string     `json:"name"`
	Time stamp.Time `json:"time"`
}

// MissedDone is who saw to it, and what came of it.
type MissedDone struct {
	MissedClaim
	Outcome string `json:"outcome"`
	Note    string `json:"note,omitempty"`
}

// MissedTaken is the error for a row that another sees to, or that is done.
type MissedTaken struct {
	MissedClaim
	Done bool
}

func (e *MissedTaken) Error() string {
	who := e.Name
	if who == "" {
		who = e.By
	}
	if e.Done {
		return "done by " + who
	}
	return "claimed by " + who
}

// missedKind is what a closed call is to those who look after missed ones; ""
// for nothing.
func missedKind(c cti.CDR) string {
	switch {
	case c.Recording.Left():
		return MissedVoicemail
	case c.Direction != cti.In, c.Talked(), *c.Result == cti.ResultRejected, *c.Result == cti.ResultCallback:
		return ""
	case c.Queue != nil, len(c.Offers) > 0:
		return MissedCall
	}
	return ""
}

// party is the number outside.
func party(c cti.CDR) cti.Number {
	if c.Direction == cti.Out {
		return c.To
	}
	return c.From
}

// missedKey is what rows of one number have in common, "" where it is withheld.
func (j *Journal) missedKey(c cti.CDR) string {
	n := party(c)
	if n.E164 == "" && number.Clean(n.Raw) == "" {
		return ""
	}
	return j.key(n)
}

// missCall writes what a closed call changes in the list: one that was answered
// ends what was open for its number, one that was not adds to it.
func (j *Journal) missCall(tx *sql.Tx, c cti.CDR) ([]Missed, error) {
	changed, err := j.reached(tx, c)
	if err != nil {
		return nil, err
	}
	kind := missedKind(c)
	if kind == "" {
		return changed, nil
	}
	row, err := j.putMissed(tx, kind, c)
	if err != nil || row == 0 {
		return changed, err
	}
	m, err := missedRow(tx, row)
	return append(changed, m), err
}

// reached ends what was open for the number of a call that an agent has talked
// in, which came later.
func (j *Journal) reached(tx *sql.Tx, c cti.CDR) ([]Missed, error) {
	from := j.missedKey(c)
	if !c.Talked() || from == "" || c.Agent == nil {
		return nil, nil
	}
	rows, err := tx.Query(`UPDATE missed SET done = ?1, done_by = ?2, done_name = ?3, outcome = ?4
		WHERE number = ?5 AND number != '' AND done = 0 AND time <= ?6 AND call != ?7 RETURNING row`,
		stamp.Now().Millis(), c.Agent.ID, c.Agent.Name, MissedReached, from, c.Times.Seize.Millis(), c.ID)
	if err != nil {
		return nil, err
	}
	ids, err := collect(rows, func(rows *sql.Rows) (row int64, err error) { return row, rows.Scan(&row) })
	if err != nil {
		return nil, err
	}
	var changed []Missed
	for _, row := range ids {
		m, err := missedRow(tx, row)
		if err != nil {
			return nil, err
		}
		changed = append(changed, m)
	}
	return changed, nil
}

// missedDoc is what of a row is only shown.
type missedDoc struct {
	Number   cti.Number `json:"number"`
	Customer *cti.Ref   `json:"customer"`
	Queue    *cti.Ref   `json:"queue"`
}

// putMissed adds a call to the open row of its number and queue, or makes one;
// 0 for a call that stands in the list.
func (j *Journal) putMissed(tx *sql.Tx, kind string, c cti.CDR) (row int64, err error) {
	voice := c.Recording.Voicemail
	if kind != MissedVoicemail {
		voice = &cti.VoiceMessage{}
	}
	doc := missedDoc{Number: party(c), Customer: c.Customer, Queue: c.Queue}
	if doc.Queue, err = mailQueue(tx, voice.Queue, c.Queue); err != nil {
		return 0, err
	}
	var known bool
	if err := tx.QueryRow("SELECT count(*) > 0 FROM missed_calls WHERE call = ?", c.ID).Scan(&known); err != nil || known {
		return 0, err
	}
	if row, err = j.openMissed(tx, kind, c, doc); err != nil {
		return 0, err
	}
	_, err = tx.Exec("INSERT INTO missed_calls (call, missed, time, voice_from, seconds) VALUES (?, ?, ?, ?, ?)",
		c.ID, row, c.Times.Seize.Millis(), voice.From, voice.Seconds)
	return row, err
}

// openMissed finds or makes the row that a call belongs to.
func (j *Journal) openMissed(tx *sql.Tx, kind string, c cti.CDR, doc missedDoc) (row int64, err error) {
	from, queue, agent := j.missedKey(c), refID(doc.Queue), ""
	if n := len(c.Offers); queue == "" && n > 0 {
		agent = c.Offers[n-1].Agent
	}
	err = tx.QueryRow(`UPDATE missed SET tries = tries + 1, first = min(first, ?4),
			kind = CASE kind WHEN 'voicemail' THEN kind ELSE ?5 END,
			call = CASE WHEN time > ?4 THEN call ELSE ?6 END, doc = CASE WHEN time > ?4 THEN doc ELSE ?7 END, time = max(time, ?4)
		WHERE number = ?1 AND queue = ?2 AND agent = ?3 AND done = 0 AND number != '' RETURNING row`,
		from, queue, agent, c.Times.Seize.Millis(), kind, c.ID, encode(doc)).Scan(&row)
	if !errors.Is(err, sql.ErrNoRows) {
		return row, err
	}
	err = tx.QueryRow(`INSERT INTO missed (call, kind, number, queue, agent, time, first, doc)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7) RETURNING row`,
		c.ID, kind, from, queue, agent, c.Times.Seize.Millis(), encode(doc)).Scan(&row)
	return row, err
}

// mailQueue is the queue that a message names, or that the call was in.
func mailQueue(tx *sql.Tx, named string, last *cti.Ref) (*cti.Ref, error) {
	if named == "" || named == refID(last) {
		return last, nil
	}
	q := cti.Ref{ID: named}
	err := tx.QueryRow("SELECT coalesce(doc ->> '$.name', '') FROM objects WHERE kind = ? AND id = ?", queueKind, named).Scan(&q.Name)
	if errors.Is(err, sql.ErrNoRows) { // it was taken out of the site meanwhile
		err = nil
	}
	return &q, err
}

// queueTalk is queue for the event of a talk that begins: what was open for the
// number is done.
func (j *Journal) queueTalk(e cti.Event) error {
	var changed []Missed
	return j.d.later("note "+e.Type, func(tx *sql.Tx) (err error) {
		changed = nil
		if err = j.write(tx, e); err == nil && e.Call != nil {
			changed, err = j.reached(tx, *e.Call)
		}
		return err
	}, func() { j.settle(e.Seq); j.tellMissed(changed) })
}

// tellMissed publishes rows that were changed.
func (j *Journal) tellMissed(changed []Missed) {
	for _, m := range changed {
		var data map[string]any
		if err := json.Unmarshal([]byte(encode(m)), &data); err != nil {
			j.d.log.Error("a missed call's change not told", "err", err)
			continue
		}
		e := cti.Event{Type: cti.EventMissedChanged, AgentID: m.Agent, Queue: m.Queue, Calling: &m.Number, UserData: data}
		if err := j.Note(context.Background(), e); err != nil { // Note does not wait
			j.d.log.Error("a missed call's change not told", "err", err)
		}
	}
}

// ClaimMissed makes a missed call somebody's to see to. It is found by any of
// its calls. Errors: [ErrNotFound], *[MissedTaken].
func (d *DB) ClaimMissed(ctx context.Context, id string, by cti.Ref) (Missed, error) {
	return d.changeMissed(ctx, "claim", id, by, false,
		"claimed = CASE claimed_by WHEN ?1 THEN claimed ELSE ?3 END, claimed_by = ?1, claimed_name = ?2", by.Name, stamp.Now().Millis())
}

// ReleaseMissed gives a missed call back; anyones: also what another sees to.
// Errors as for ClaimMissed.
func (d *DB) ReleaseMissed(ctx context.Context, id string, by cti.Ref, anyones bool) (Missed, error) {
	return d.changeMissed(ctx, "release", id, by, anyones, "claimed = 0, claimed_by = '', claimed_name = ''")
}

// FinishMissed says what came of a missed call (a Missed… outcome); anyones as
// for ReleaseMissed. Errors as for ClaimMissed.
func (d *DB) FinishMissed(ctx context.Context, id string, by cti.Ref, anyones bool, outcome, note string) (Missed, error) {
	return d.changeMissed(ctx, "finish", id, by, anyones,
		"done = ?3, done_by = ?1, done_name = ?2, outcome = ?4, note = ?5", by.Name, stamp.Now().Millis(), outcome, note)
}

// changeMissed sets columns of a row that is open and nobody else's; the first
// argument of the statement is who asks.
func (d *DB) changeMissed(ctx context.Context, what, id string, by cti.Ref, anyones bool, set string, args ...any) (m Missed, err error) {
	args = append([]any{by.ID}, args...)
	n := len(args)
	args = append(args, id, anyones)
	query := fmt.Sprintf(`UPDATE missed SET %s WHERE row = (SELECT missed FROM missed_calls WHERE call = ?%d)
		AND done = 0 AND (claimed_by IN ('', ?1) OR ?%d) RETURNING row`, set, n+1, n+2)
	err = d.wait(ctx, what+" missed call", false, func(tx *sql.Tx) error {
		var row int64
		err := tx.QueryRow(query, args...).Scan(&row)
		if errors.Is(err, sql.ErrNoRows) {
			return missedTaken(tx, id)
		}
		if err == nil {
			m, err = missedRow(tx, row)
		}
		return err
	}, func() { d.journal.tellMissed([]Missed{m}) })
	return m, err
}

// missedTaken says why a row cannot be changed.
func missedTaken(tx *sql.Tx, id string) error {
	m, err := scanMissed(tx.QueryRow(selectMissed+" WHERE row = (SELECT missed FROM missed_calls WHERE call = ?)", id))
	switch {
	case err != nil:
		return err
	case m.Done != nil:
		return &MissedTaken{m.Done.MissedClaim, true}
	}
	return &MissedTaken{*m.Claimed, false}
}
