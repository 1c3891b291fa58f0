package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"callbox/internal/stamp"
	"callbox/sms"
)

const standingColumns = "id, ref, send_at, valid_until, notice, ack"

func scanStanding(scan func(...any) error) (sms.Standing, error) {
	var s sms.Standing
	var sendAt, until int64
	var notice, ack string
	if err := scan(&s.Job, &s.Ref, &sendAt, &until, &notice, &ack); err != nil {
		return s, noRow(err)
	}
	s.SendAt, s.Until = moment(sendAt), moment(until)
	err := json.Unmarshal([]byte(ack), &s.Ack)
	if notice != "" {
		err = errors.Join(err, json.Unmarshal([]byte(notice), &s.Notice))
	}
	if err != nil {
		s.Notice, s.Ack, s.Fault = nil, nil, err
	}
	return s, nil
}

// Standing implements [sms.NoticeTx].
func (t *smsTx) Standing(job string) (sms.Standing, error) {
	s, err := scanStanding(t.QueryRow("SELECT "+standingColumns+" FROM sms_jobs WHERE id = ?", job).Scan)
	if err != nil {
		return s, fmt.Errorf("standing of job %s: %w", job, err)
	}
	return s, nil
}

// DueNotices implements [sms.NoticeTx].
func (t *smsTx) DueNotices(at stamp.Time, n int) ([]sms.Standing, error) {
	const q = "SELECT " + standingColumns + " FROM sms_jobs WHERE step > 0 AND step <= ? ORDER BY step LIMIT ?"
	rows, err := t.Query(q, at.Millis(), n)
	if err != nil {
		return nil, fmt.Errorf("due notices: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (sms.Standing, error) { return scanStanding(rows.Scan) })
}

// NextStep implements [sms.NoticeTx].
func (t *smsTx) NextStep() (stamp.Time, error) {
	var ms sql.NullInt64
	if err := t.QueryRow("SELECT min(step) FROM sms_jobs WHERE step > 0").Scan(&ms); err != nil {
		return stamp.Time{}, fmt.Errorf("next step: %w", err)
	}
	return moment(ms.Int64), nil
}

// SaveNotice implements [sms.NoticeTx].
func (t *smsTx) SaveNotice(job string, n sms.Notice) error {
	_, err := t.Exec("UPDATE sms_jobs SET notice = ?, step = ? WHERE id = ?", asJSON(n), millis(n.Next), job)
	if err != nil {
		return fmt.Errorf("save notice of job %s: %w", job, err)
	}
	return nil
}

// HaltNotice implements [sms.NoticeTx].
func (t *smsTx) HaltNotice(job string) error {
	if _, err := t.Exec("UPDATE sms_jobs SET step = 0 WHERE id = ?", job); err != nil {
		return fmt.Errorf("halt notice of job %s: %w", job, err)
	}
	return nil
}

// AddMessages implements [sms.NoticeTx].
func (t *smsTx) AddMessages(records []sms.Record, at stamp.Time) error {
	for _, r := range records {
		if err := t.addMessage(r, at); err != nil {
			return fmt.Errorf("add message: %w", err)
		}
	}
	return nil
}

// SaveAck implements [sms.NoticeTx].
func (t *smsTx) SaveAck(job string, a sms.Ack) error {
	if _, err := t.Exec("UPDATE sms_jobs SET ack = ? WHERE id = ?", asJSON(a), job); err != nil {
		return fmt.Errorf("acknowledge job %s: %w", job, err)
	}
	return nil
}

// AnnounceAck implements [sms.NoticeTx].
func (t *smsTx) AnnounceAck(job string) error {
	j, err := t.Job(job)
	if err != nil {
		return err
	}
	n := Notice{Event: NoticeAck, OrderKey: job, Data: j}
	if j.Ack != nil {
		n.Time = j.Ack.Time
	}
	const q = "SELECT callback, signer, format FROM sms_messages WHERE job = ? LIMIT 1"
	if err := t.QueryRow(q, job).Scan(&n.CallbackURL, &n.Signer, &n.Format); err != nil {
		return fmt.Errorf("callback of job %s: %w", job, err)
	}
	return t.db.Notices().Add(t.Tx, n)
}

// byToken finds the message that a link leads to, by its token and since when
// it must have been queued.
const byToken = "SELECT " + smsColumns + " FROM sms_messages WHERE token = ? AND token != '' AND times ->> '$.queued' >= ?"

func ofToken(ctx context.Context, q querier, token string, since stamp.Time) (sms.Record, error) {
	found, err := smsRecords(ctx, q, byToken, token, since.Millis())
	switch {
	case err != nil:
		return sms.Record{}, fmt.Errorf("message of a link: %w", err)
	case len(found) == 0:
		return sms.Record{}, errNoSMS
	}
	return found[0], nil
}

// OfToken implements [sms.NoticeTx].
func (t *smsTx) OfToken(token string, since stamp.Time) (sms.Record, error) {
	return ofToken(context.Background(), t, token, since)
}

// SameAnswer implements [sms.NoticeTx].
func (t *smsTx) SameAnswer(in sms.Incoming, since stamp.Time) (bool, error) {
	const q = `SELECT EXISTS (SELECT 1 FROM sms_inbox
		WHERE job = ? AND sender = ? AND keyword = ? AND text = ? AND time > ?)`
	var there bool
	if err := t.QueryRow(q, in.Job, in.From, in.Keyword, in.Text, since.Millis()).Scan(&there); err != nil {
		return false, fmt.Errorf("the same answer: %w", err)
	}
	return there, nil
}

// linkAnswers is how many answers to a job its links show.
const linkAnswers = 50

// Link gives what the recipient of a text sees behind its link, or
// [ErrNotFound] for a token that is unknown or too old.
func (s *SMS) Link(ctx context.Context, token string) (sms.Link, error) {
	var l sms.Link
	r, err := ofToken(ctx, s.db.Reader(), token, stamp.At(time.Now().Add(-sms.LinkLife)))
	if err != nil {
		return l, err
	}
	l.Message = r.Message
	var ack string
	if err := s.db.Reader().QueryRowContext(ctx, "SELECT ack FROM sms_jobs WHERE id = ?", r.Job).Scan(&ack); err != nil {
		return l, fmt.Errorf("link: %w", noRow(err))
	}
	if err := json.Unmarshal([]byte(ack), &l.Ack); err != nil {
		return l, fmt.Errorf("link: job %s: %w", r.Job, err)
	}
	const q = "SELECT " + inboxColumns + ` FROM (SELECT * FROM sms_inbox
		WHERE job = ? AND keyword != '' ORDER BY id DESC LIMIT ?) ORDER BY id`
	rows, err := s.db.Reader().QueryContext(ctx, q, r.Job, linkAnswers)
	if err != nil {
		return l, fmt.Errorf("link: %w", err)
	}
	l.Answers, err = collect(rows, scanIncoming)
	return l, err
}
