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

// told says which of a call's notices were given; each is given once.
type told int

const (
	toldNew told = 1 << iota
	toldAnswer
	toldHangup
	toldRecord
)

var toldEvents = map[told]string{
	toldNew: NoticeCallNew, toldAnswer: NoticeCallAnswer, toldHangup: NoticeCallHangup, toldRecord: NoticeCallRecord,
}

// Open writes a new call's record, behind, with its notice.
func (j *Journal) Open(_ context.Context, cdr cti.CDR) error {
	return j.d.later("open call", func(tx *sql.Tx) error {
		if err := j.putCall(tx, cdr, stamp.Now()); err != nil {
			return err
		}
		return j.tell(tx, cdr.ID, toldNew)
	}, nil)
}

func (j *Journal) noteCall(tx *sql.Tx, e cti.Event) error {
	if err := j.putCall(tx, *e.Call, e.Time); err != nil {
		return err
	}
	if e.Type != cti.EventEstablished {
		return nil
	}
	return j.tell(tx, e.Call.ID, toldAnswer)
}

// Close makes the record final, together with its notices, and returns when
// that is on disk. While the disk cannot be written it waits; when ctx ends
// first, the record is written later all the same.
func (j *Journal) Close(ctx context.Context, cdr cti.CDR) error {
	var changed []Missed
	return j.d.wait(ctx, "close call", true, func(tx *sql.Tx) (err error) {
		if err = j.closeCall(tx, cdr); err == nil {
			changed, err = j.missCall(tx, cdr)
		}
		return err
	}, func() { j.tellMissed(changed) })
}

func (j *Journal) closeCall(tx *sql.Tx, cdr cti.CDR) error {
	if !cdr.Final() {
		return errors.New("the record has no result")
	}
	if err := j.putCall(tx, cdr, stamp.Now()); err != nil {
		return err
	}
	if err := putTally(tx, cdr.ID); err != nil {
		return err
	}
	if err := j.tell(tx, cdr.ID, toldHangup); err != nil {
		return err
	}
	return j.tellRecord(tx, cdr.ID)
}

// Amend fills what may come after the end and returns when it is on disk, as
// Close does. Error: [ErrNotFound].
func (j *Journal) Amend(ctx context.Context, id string, a cti.Amendment) error {
	return j.d.keep(ctx, "amend call", func(tx *sql.Tx) error { return j.amend(tx, id, a) })
}

func (j *Journal) amend(tx *sql.Tx, id string, a cti.Amendment) error {
	res, err := tx.Exec(`UPDATE calls SET
		acw_end     = CASE WHEN ?2 > 0 THEN ?2 ELSE acw_end END,
		disposition = coalesce(?3, disposition),
		survey      = coalesce(?4, survey),
		recording   = coalesce(?5, recording)
		WHERE id = ?1`,
		id, a.ACWEnd.Millis(), optional(a.Disposition), raw(a.Survey), optional(a.Recording))
	if err := mustHit(res, err); err != nil {
		return err
	}
	if a.Disposition != nil {
		if err := dropNote(tx, id, a.Disposition.By); err != nil {
			return err
		}
	}
	if !a.ACWEnd.IsZero() {
		if err := putTally(tx, id); err != nil {
			return err
		}
	}
	return j.tellRecord(tx, id)
}

// putCall writes a record as it stands; a final one stays.
func (j *Journal) putCall(tx *sql.Tx, c cti.CDR, at stamp.Time) error {
	doc, err := json.Marshal(c)
	if err != nil {
		return err
	}
	_, err = tx.Exec(`INSERT INTO calls (id, seize, last, from_number, to_number, agent, queue, result, doc, acw_end,
			recorded, seconds, customer, agent_name)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
		ON CONFLICT (id) DO UPDATE SET last = ?3, from_number = ?4, to_number = ?5, agent = ?6, queue = ?7,
			result = ?8, doc = ?9, acw_end = max(acw_end, ?10), recorded = ?11, seconds = ?12, customer = ?13, agent_name = ?14
		WHERE result IS NULL`,
		c.ID, c.Times.Seize.Millis(), at.Millis(), j.key(c.From), j.key(c.To), refID(c.Agent), refID(c.Queue),
		c.Result, string(doc), c.Times.ACWEnd.Millis(),
		recorded(c.Recording), c.Recording.Seconds, refName(c.Customer), refName(c.Agent))
	if err != nil {
		return err
	}
	return putSeen(tx, c)
}

// putSeen notes whom the call was offered to: they may see it.
func putSeen(tx *sql.Tx, c cti.CDR) error {
	seen := map[string]bool{refID(c.Agent): true}
	for _, o := range c.Offers {
		seen[o.Agent] = true
	}
	delete(seen, "")
	for agent := range seen {
		if _, err := tx.Exec("INSERT OR IGNORE INTO call_agents (agent, call) VALUES (?, ?)", agent, c.ID); err != nil {
			return err
		}
	}
	return nil
}

// key is what a number is found by.
func (j *Journal) key(n cti.Number) string {
	if n.E164 != "" {
		return n.E164
	}
	return number.Key(n.Raw, j.d.cfg.AreaCode)
}

// tellRecord gives call.record when the record is final and nobody works on it.
func (j *Journal) tellRecord(tx *sql.Tx, id string) error {
	var done bool
	err := tx.QueryRow("SELECT result IS NOT NULL AND (agent = '' OR acw_end > 0) FROM calls WHERE id = ?", id).Scan(&done)
	if err != nil || !done {
		return err
	}
	return j.tell(tx, id, toldRecord)
}

// tell gives one of the call's notices, if it was not given yet.
func (j *Journal) tell(tx *sql.Tx, id string, what told) error {
	res, err := tx.Exec("UPDATE calls SET told = told | ?2 WHERE id = ?1 AND told & ?2 = 0", id, what)
	if err != nil {
		return err
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return err
	}
	event := toldEvents[what]
	if !j.d.notices.Wanted(event) {
		return nil
	}
	c, err := scanCall(tx.QueryRow(selectCall+" WHERE id = ?", id))
	if err != nil {
		return err
	}
	return j.d.notices.Add(tx, Notice{Event: event, OrderKey: id, Data: c})
}

func refID(r *cti.Ref) string {
	if r == nil {
		return ""
	}
	return r.ID
}

func refName(r *cti.Ref) string {
	if r == nil {
		return ""
	}
	return r.Name
}

// optional is v as JSON, NULL where there is none.
func optional[T any](v *T) any {
	if v == nil {
		return nil
	}
	return encode(v)
}

func raw(doc json.RawMessage) any {
	if len(doc) == 0 {
		return nil
	}
	return string(doc)
}

// mustHit makes an UPDATE or DELETE that hit no row [ErrNotFound].
func mustHit(res sql.Result, err error) error {
	if err != nil {
		return err
	}
	n, err := res.RowsAffected()
	if err == nil && n == 0 {
		err = ErrNotFound
	}
	return err
}

const selectCall = "SELECT doc, acw_end, disposition, survey, recording FROM calls"

// scanner is a row or the rows' present one.
type scanner interface{ Scan(...any) error }

// scanCall reads what selectCall selects: the record with what was filled in.
func scanCall(row scanner) (c cti.CDR, err error) {
	var doc string
	var acwEnd int64
	var disposition, survey, recording sql.NullString
	if err := row.Scan(&doc, &acwEnd, &disposition, &survey, &recording); err != nil {
		return c, notFound(err)
	}
	if err := json.Unmarshal([]byte(doc), &c); err != nil {
		return c, fmt.Errorf("call record: %w", err)
	}
	if acwEnd > 0 {
		c.Times.ACWEnd = stamp.FromMillis(acwEnd)
	}
	if survey.Valid {
		c.Survey = json.RawMessage(survey.String)
	}
	return c, errors.Join(fill(disposition, &c.Disposition), fill(recording, &c.Recording))
}

func fill[T any](doc sql.NullString, into *T) error {
	if !doc.Valid {
		return nil
	}
	return json.Unmarshal([]byte(doc.String), into)
}

func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return ErrNotFound
	}
	return err
}
