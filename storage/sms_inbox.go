package storage

import (
	"database/sql"
	"encoding/json"
	"fmt"

	"callbox/internal/stamp"
	"callbox/sms"
)

// Seen implements [sms.InboxTx].
func (t *smsTx) Seen(x sms.Text, at stamp.Time) (bool, error) {
	if x.ID == "" {
		return false, nil
	}
	const q = "INSERT OR IGNORE INTO sms_seen (account, id, sender, time) VALUES (?, ?, ?, ?)"
	res, err := t.Exec(q, x.Account, x.ID, x.From, at.Millis())
	if err != nil {
		return false, fmt.Errorf("incoming text's id: %w", err)
	}
	n, err := res.RowsAffected()
	return n == 0, err
}

// AddPart implements [sms.InboxTx].
func (t *smsTx) AddPart(x sms.Text, at stamp.Time) ([]sms.Text, error) {
	const q = `INSERT INTO sms_fragments (account, sender, dest, ref, total, idx, id, text, time)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET id = excluded.id, text = excluded.text`
	_, err := t.Exec(q, x.Account, x.From, x.To, x.Part.Ref, x.Part.Total, x.Part.Index, x.ID, x.Text, at.Millis())
	if err != nil {
		return nil, fmt.Errorf("add part: %w", err)
	}
	return t.fragments(x)
}

const ofLong = " FROM sms_fragments WHERE account = ? AND sender = ? AND dest = ? AND ref = ? AND total = ?"

func (t *smsTx) fragments(x sms.Text) ([]sms.Text, error) {
	rows, err := t.Query("SELECT idx, id, text"+ofLong+" ORDER BY idx", x.Account, x.From, x.To, x.Part.Ref, x.Part.Total)
	if err != nil {
		return nil, fmt.Errorf("parts of a long text: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (sms.Text, error) {
		part := x
		err := rows.Scan(&part.Part.Index, &part.ID, &part.Text)
		return part, err
	})
}

// DropParts implements [sms.InboxTx].
func (t *smsTx) DropParts(x sms.Text) error {
	if _, err := t.Exec("DELETE"+ofLong, x.Account, x.From, x.To, x.Part.Ref, x.Part.Total); err != nil {
		return fmt.Errorf("drop parts: %w", err)
	}
	return nil
}

// Stale implements [sms.InboxTx].
func (t *smsTx) Stale(account string, before stamp.Time) ([][]sms.Text, error) {
	const q = `SELECT sender, dest, ref, total FROM sms_fragments WHERE account = ?
		GROUP BY sender, dest, ref, total HAVING min(time) < ?`
	rows, err := t.Query(q, account, before.Millis())
	if err != nil {
		return nil, fmt.Errorf("stale parts: %w", err)
	}
	heads, err := collect(rows, func(rows *sql.Rows) (sms.Text, error) {
		x := sms.Text{Account: account}
		err := rows.Scan(&x.From, &x.To, &x.Part.Ref, &x.Part.Total)
		return x, err
	})
	if err != nil {
		return nil, fmt.Errorf("stale parts: %w", err)
	}
	var all [][]sms.Text
	for _, x := range heads {
		parts, err := t.fragments(x)
		if err != nil {
			return nil, err
		}
		all = append(all, parts)
	}
	return all, nil
}

// recentMost is how far back a reply is matched.
const recentMost = 100

// Recent implements [sms.InboxTx].
func (t *smsTx) Recent(to string, since stamp.Time) ([]sms.Candidate, error) {
	const q = `SELECT m.id, m.job, m.ref, m.account, m.extension, m.status, m.maybe_sent, m.callback, m.signer, j.replies
		FROM sms_messages m JOIN sms_jobs j ON j.id = m.job
		WHERE m.number = ? AND m.created >= ? ORDER BY m.id DESC LIMIT ?`
	rows, err := t.Query(q, to, since.Millis(), recentMost)
	if err != nil {
		return nil, fmt.Errorf("recent messages: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (sms.Candidate, error) {
		var c sms.Candidate
		var replies string
		err := rows.Scan(&c.Message, &c.Job, &c.Ref, &c.Account, &c.Extension, &c.Status, &c.MaybeSent, &c.Callback, &c.Signer, &replies)
		if err != nil {
			return c, fmt.Errorf("recent messages: %w", err)
		}
		return c, json.Unmarshal([]byte(replies), &c.Replies)
	})
}

// AddIncoming implements [sms.InboxTx].
func (t *smsTx) AddIncoming(in sms.Incoming, c *sms.Candidate) error {
	const q = `INSERT INTO sms_inbox (id, time, sender, raw, dest, text, account, ref, job, match, keyword, incomplete)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := t.Exec(q, in.ID, in.Time.Millis(), in.From, in.Raw, in.To, in.Text, in.Account, in.Ref, in.Job,
		in.Match, in.Keyword, in.Incomplete)
	if err != nil {
		return fmt.Errorf("add incoming text: %w", err)
	}
	if err := t.db.doors.reply(t.Tx, in.ID); err != nil {
		return err
	}
	if c == nil {
		c = &sms.Candidate{Job: in.ID}
	}
	return t.db.Notices().Add(t.Tx, Notice{
		Event: NoticeSMSReceived, OrderKey: c.Job, Time: in.Time, Data: in,
		CallbackURL: c.Callback, Signer: c.Signer,
	})
}
