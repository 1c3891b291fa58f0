package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/google/uuid"

	"callbox/internal/number"
	"callbox/internal/stamp"
	"callbox/sms"
)

// Signer is who made a job, as in [sms.Request], or [ErrNotFound].
func (s *SMS) Signer(ctx context.Context, job string) (string, error) {
	var signer string
	const find = "SELECT signer FROM sms_messages WHERE job = ? LIMIT 1"
	if err := s.db.Reader().QueryRowContext(ctx, find, job).Scan(&signer); err != nil {
		return "", fmt.Errorf("signer of job %s: %w", job, noRow(err))
	}
	return signer, nil
}

// Job gives a job with its messages, or [ErrNotFound].
func (s *SMS) Job(ctx context.Context, id string) (sms.Job, error) {
	tx, err := s.db.Reader().BeginTx(ctx, nil)
	if err != nil {
		return sms.Job{}, fmt.Errorf("read job: %w", err)
	}
	defer tx.Rollback() // #nosec: nothing was written
	return smsJob(tx, id)
}

func smsJob(q querier, id string) (sms.Job, error) {
	ctx := context.Background()
	var j sms.Job
	var created, sendAt, until int64
	var awaiting int
	var notice, ack string
	const find = `SELECT id, ref, ifnull(key, ''), class, account, created, awaiting, send_at, valid_until, notice, ack
		FROM sms_jobs WHERE id = ?`
	err := q.QueryRowContext(ctx, find, id).Scan(&j.ID, &j.Ref, &j.Key, &j.Class, &j.Account, &created,
		&awaiting, &sendAt, &until, &notice, &ack)
	if err != nil {
		return j, fmt.Errorf("job %s: %w", id, noRow(err))
	}
	j.Created, j.SendAt, j.ValidUntil = stamp.FromMillis(created), instant(sendAt), instant(until)
	if notice != "" {
		err = json.Unmarshal([]byte(notice), &j.Notice)
	}
	if err := errors.Join(err, json.Unmarshal([]byte(ack), &j.Ack)); err != nil {
		return j, fmt.Errorf("job %s: %w", id, err)
	}
	records, err := smsRecords(ctx, q, "SELECT "+smsColumns+" FROM sms_messages WHERE job = ? ORDER BY id", id)
	if err != nil {
		return j, fmt.Errorf("job %s: %w", id, err)
	}
	for _, r := range records {
		j.Messages = append(j.Messages, r.Message)
		j.MaybeSent = j.MaybeSent || r.MaybeSent
	}
	j.Status = sms.JobStatus(j.Messages)
	if j.Notice != nil && !j.Notice.Next.IsZero() {
		j.Status = sms.JobOpen // more is to come
	}
	if awaiting == awaitsConfirmation && j.Status == sms.JobOpen {
		j.Status = sms.JobAwaitingConfirm
	}
	j.Count()
	return j, nil
}

// instant is a time, nil for none.
func instant(ms int64) *stamp.Time {
	if ms == 0 {
		return nil
	}
	at := stamp.FromMillis(ms)
	return &at
}

// MessageFilter narrows a list of messages by what is set.
type MessageFilter struct {
	To     string // in any writing
	Status sms.Status
	Ref    string
	Since  stamp.Time // accepted at or after
	Signer string     // of the job's request, see [sms.Request]
	Limit  int        // 50 when 0, at most 1000
	Cursor string     // of the page before

	Accounts                       []string // any of them
	SubmittedFrom, SubmittedBefore stamp.Time
}

// Messages lists messages, newest first; next is the cursor of the page that
// follows, "" at the end. Error: [ErrCursor].
func (s *SMS) Messages(ctx context.Context, f MessageFilter) (page []sms.Message, next string, err error) {
	var w where
	if f.To != "" {
		w.add("number = ?", number.Key(f.To, s.db.cfg.AreaCode))
	}
	if f.Status != "" {
		w.status([]sms.Status{f.Status})
	}
	w.equal("job IN (SELECT id FROM sms_jobs WHERE ref = ?)", f.Ref)
	w.time("created >= ?", f.Since)
	w.equal("signer = ?", f.Signer)
	if len(f.Accounts) > 0 {
		w.add("account IN (SELECT value FROM json_each(?))", encode(f.Accounts))
	}
	w.time("times ->> '$.submitted' >= ?", f.SubmittedFrom)
	w.time("times ->> '$.submitted' < ?", f.SubmittedBefore)
	if err := w.cursor(f.Cursor); err != nil {
		return nil, "", err
	}
	limit := Page{Limit: f.Limit}.limit()
	query := "SELECT " + smsColumns + " FROM sms_messages" + w.clause() + " ORDER BY id DESC LIMIT ?"
	records, err := smsRecords(ctx, s.db.Reader(), query, append(w.args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("list messages: %w", err)
	}
	if len(records) > limit {
		records, next = records[:limit], records[limit-1].ID
	}
	page = make([]sms.Message, 0, len(records))
	for _, r := range records {
		page = append(page, r.Message)
	}
	return page, next, nil
}

func (w *where) cursor(id string) error {
	if id != "" && uuid.Validate(id) != nil {
		return ErrCursor
	}
	w.equal("id < ?", id)
	return nil
}

// Message gives one message, or [ErrNotFound].
func (s *SMS) Message(ctx context.Context, id string) (sms.Message, error) {
	found, err := smsRecords(ctx, s.db.Reader(), "SELECT "+smsColumns+" FROM sms_messages WHERE id = ?", id)
	if err != nil {
		return sms.Message{}, fmt.Errorf("message %s: %w", id, err)
	}
	if len(found) == 0 {
		return sms.Message{}, fmt.Errorf("message %s: %w", id, errNoSMS)
	}
	return found[0].Message, nil
}

// InboxFilter narrows a list of incoming texts by what is set.
type InboxFilter struct {
	ID      string
	From    string // in any writing
	Since   stamp.Time
	Matched *bool // whether it answers a job
	Job     string
	Ref     string
	Signer  string // of the job that it answers; also those that answer none
	Claimer string // beside Signer: also those claimed by him
	Limit   int    // 50 when 0, at most 1000
	Cursor  string
}

// Inbox lists incoming texts, newest first, with the cursor of the next page.
func (s *SMS) Inbox(ctx context.Context, f InboxFilter) (page []sms.Incoming, next string, err error) {
	var w where
	if f.From != "" {
		key := number.Key(f.From, s.db.cfg.AreaCode)
		w.add("(sender = ? OR sender = '' AND raw = ?)", key, key)
	}
	if f.Matched != nil {
		w.add("(job != '') = ?", *f.Matched)
	}
	w.equal("job != '' AND job = ?", f.Job)
	w.equal("ref = ?", f.Ref)
	w.time("time >= ?", f.Since)
	w.equal("id = ?", f.ID)
	if f.Signer != "" {
		const own = "EXISTS (SELECT 1 FROM sms_messages m WHERE m.job = sms_inbox.job AND m.signer = ?)"
		w.add("(job = '' OR claimed_by != '' AND claimed_by = ? OR "+own+")", f.Claimer, f.Signer)
	}
	if err := w.cursor(f.Cursor); err != nil {
		return nil, "", err
	}
	limit := Page{Limit: f.Limit}.limit()
	order := "id"
	if !f.Since.IsZero() || f.Job != "" {
		order = "+id" // it is not to decide which index is used
	}
	query := "SELECT " + inboxColumns + " FROM sms_inbox" + w.clause() + " ORDER BY " + order + " DESC LIMIT ?"
	rows, err := s.db.Reader().QueryContext(ctx, query, append(w.args, limit+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("list inbox: %w", err)
	}
	if page, err = collect(rows, scanIncoming); err != nil {
		return nil, "", fmt.Errorf("list inbox: %w", err)
	}
	if len(page) > limit {
		page, next = page[:limit], page[limit-1].ID
	}
	return page, next, nil
}

const inboxColumns = "id, time, sender, raw, dest, text, account, ref, job, match, keyword, incomplete, claimed_by, claimed, answer"

func scanIncoming(rows *sql.Rows) (sms.Incoming, error) {
	var in sms.Incoming
	var at, claimed int64
	err := rows.Scan(&in.ID, &at, &in.From, &in.Raw, &in.To, &in.Text, &in.Account, &in.Ref, &in.Job,
		&in.Match, &in.Keyword, &in.Incomplete, &in.ClaimedBy, &claimed, &in.Answer)
	in.Time, in.Claimed = stamp.FromMillis(at), instant(claimed)
	return in, err
}

// Depth is how many messages wait to be submitted.
func (s *SMS) Depth(ctx context.Context) (int64, error) {
	var n int64
	err := s.db.Reader().QueryRowContext(ctx, "SELECT count(*) FROM sms_messages WHERE status = 'queued'").Scan(&n)
	if err != nil {
		return 0, fmt.Errorf("queue depth: %w", err)
	}
	return n, nil
}

// Templates finds the texts that a supervisor keeps.
type Templates struct{ db *DB }

// SMSTemplates is the gateway's port to the templates.
func (d *DB) SMSTemplates() *Templates { return &Templates{db: d} }

// Template implements [sms.Templates].
func (t *Templates) Template(ctx context.Context, id string) (sms.Template, error) {
	var doc string
	const q = "SELECT doc FROM objects WHERE kind = 'template' AND id = ?"
	if err := t.db.Reader().QueryRowContext(ctx, q, id).Scan(&doc); err != nil {
		return sms.Template{}, fmt.Errorf("template %s: %w", id, noRow(err))
	}
	var found sms.Template
	if err := json.Unmarshal([]byte(doc), &found); err != nil {
		return sms.Template{}, fmt.Errorf("template %s: %w", id, err)
	}
	found.ID = id
	return found, nil
}
