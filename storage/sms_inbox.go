package storage

import (
	"database/sql"
	"encoding/json"
	"errors"
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

// AddPart implements [sms.LongTx].
func (t *smsTx) AddPart(x sms.Text, at, since stamp.Time) ([]sms.Text, error) {
	again, err := t.again(x, at, since)
	if err != nil || again {
		return nil, err
	}
	const q = `INSERT INTO sms_fragments (account, sender, dest, ref, total, idx, id, text, alphabet, octets, time)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
		ON CONFLICT DO UPDATE SET id = excluded.id, text = excluded.text, alphabet = excluded.alphabet, octets = excluded.octets`
	_, err = t.Exec(q, x.Account, x.From, x.To, x.Part.Ref, x.Part.Total, x.Part.Index, x.ID,
		x.Text, x.Alphabet, []byte(x.Octets), at.Millis())
	if err != nil {
		return nil, fmt.Errorf("add part: %w", err)
	}
	return t.fragments(x)
}

// again says whether x is a part that came once more after its text was
// finished since. Where it is a part of another text with the same reference,
// the finished one is forgotten, and what looked like its repeats so far was of
// the new one.
func (t *smsTx) again(x sms.Text, at, since stamp.Time) (bool, error) {
	var known, same bool
	const q = `SELECT count(*) > 0, ifnull(max(idx = ?6 AND text = ?7 AND alphabet = ?8 AND octets = ?9), 0)` +
		ofFinished + ` AND time >= ?10`
	args := longArgs(x, x.Part.Index, x.Text, x.Alphabet, []byte(x.Octets), since.Millis())
	err := t.QueryRow(q, args...).Scan(&known, &same)
	switch {
	case err != nil:
		return false, fmt.Errorf("finished text: %w", err)
	case !known:
		return false, nil
	case same:
		return true, t.onLong("UPDATE sms_finished SET again = 1"+whereLong+" AND idx = ?6", x, x.Part.Index)
	}
	return false, errors.Join(
		t.onLong(`INSERT OR IGNORE INTO sms_fragments (account, sender, dest, ref, total, idx, id, text, alphabet, octets, time)
			SELECT account, sender, dest, ref, total, idx, '', text, alphabet, octets, ?6`+ofFinished+" AND again = 1", x, at.Millis()),
		t.onLong("DELETE"+ofFinished, x),
	)
}

// What belongs to one long text; the first five arguments say which.
const (
	whereLong  = " WHERE account = ?1 AND sender = ?2 AND dest = ?3 AND ref = ?4 AND total = ?5"
	ofLong     = " FROM sms_fragments" + whereLong
	ofFinished = " FROM sms_finished" + whereLong
)

func longArgs(x sms.Text, more ...any) []any {
	return append([]any{x.Account, x.From, x.To, x.Part.Ref, x.Part.Total}, more...)
}

// onLong runs a statement about the text that x belongs to.
func (t *smsTx) onLong(query string, x sms.Text, more ...any) error {
	if _, err := t.Exec(query, longArgs(x, more...)...); err != nil {
		return fmt.Errorf("parts of a long text: %w", err)
	}
	return nil
}

func (t *smsTx) fragments(x sms.Text) ([]sms.Text, error) {
	rows, err := t.Query("SELECT idx, id, text, alphabet, octets"+ofLong+" ORDER BY idx", longArgs(x)...)
	if err != nil {
		return nil, fmt.Errorf("parts of a long text: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (sms.Text, error) {
		part := x
		err := rows.Scan(&part.Part.Index, &part.ID, &part.Text, &part.Alphabet, &part.Octets)
		return part, err
	})
}

// FinishParts implements [sms.LongTx].
func (t *smsTx) FinishParts(x sms.Text, at stamp.Time) error {
	return errors.Join(
		t.onLong("DELETE"+ofFinished, x),
		t.onLong(`INSERT INTO sms_finished (account, sender, dest, ref, total, idx, text, alphabet, octets, again, time)
			SELECT account, sender, dest, ref, total, idx, text, alphabet, octets, 0, ?6`+ofLong, x, at.Millis()),
		t.onLong("DELETE"+ofLong, x),
	)
}

// ForgetParts implements [sms.LongTx].
func (t *smsTx) ForgetParts(account string, before stamp.Time) error {
	if _, err := t.Exec("DELETE FROM sms_finished WHERE account = ? AND time < ?", account, before.Millis()); err != nil {
		return fmt.Errorf("forget finished texts: %w", err)
	}
	return nil
}

// Stale implements [sms.LongTx].
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

const candidates = `SELECT m.id, m.job, m.number, m.ref, m.account, m.extension, m.status, m.maybe_sent, m.callback,
		m.signer, m.format, j.replies, (SELECT json_group_array(i.keyword) FROM sms_inbox i WHERE i.job = m.job AND i.job != '' AND i.keyword != '')
	FROM sms_messages m JOIN sms_jobs j ON j.id = m.job `

func (t *smsTx) candidates(query string, args ...any) ([]sms.Candidate, error) {
	rows, err := t.Query(candidates+query, args...)
	if err != nil {
		return nil, err
	}
	return collect(rows, func(rows *sql.Rows) (sms.Candidate, error) {
		var c sms.Candidate
		var replies, given string
		err := rows.Scan(&c.Message, &c.Job, &c.To, &c.Ref, &c.Account, &c.Extension, &c.Status, &c.MaybeSent, &c.Callback,
			&c.Signer, &c.Format, &replies, &given)
		if err != nil {
			return c, err
		}
		return c, errors.Join(json.Unmarshal([]byte(replies), &c.Replies), json.Unmarshal([]byte(given), &c.Given))
	})
}

// Recent implements [sms.MatchTx].
func (t *smsTx) Recent(to string, since stamp.Time) ([]sms.Candidate, error) {
	all, err := t.candidates("WHERE m.number = ? AND m.created >= ? ORDER BY m.id DESC LIMIT ?", to, since.Millis(), recentMost)
	if err != nil {
		return nil, fmt.Errorf("recent messages: %w", err)
	}
	return all, nil
}

// Quoted implements [sms.MatchTx].
func (t *smsTx) Quoted(refs []string, since stamp.Time) ([]sms.Candidate, error) {
	all, err := t.candidates(`WHERE m.job IN (SELECT id FROM sms_jobs WHERE ref IN (SELECT value FROM json_each(?)) AND created >= ?)
		GROUP BY m.job ORDER BY m.job DESC LIMIT ?`, asJSON(refs), since.Millis(), recentMost)
	if err != nil {
		return nil, fmt.Errorf("messages by ref: %w", err)
	}
	return all, nil
}

// MessageOf implements [sms.MatchTx].
func (t *smsTx) MessageOf(job, to string) (sms.Candidate, error) {
	all, err := t.candidates("WHERE m.job = ? ORDER BY m.number != ?, m.id LIMIT 1", job, to)
	switch {
	case err != nil:
		return sms.Candidate{}, fmt.Errorf("message of job %s: %w", job, err)
	case len(all) == 0:
		return sms.Candidate{}, errNoSMS
	}
	return all[0], nil
}

// AddIncoming implements [sms.InboxTx].
func (t *smsTx) AddIncoming(in sms.Incoming) error {
	const q = `INSERT INTO sms_inbox (id, time, sender, raw, dest, text, account, ref, job, match, keyword, incomplete)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`
	_, err := t.Exec(q, in.ID, in.Time.Millis(), in.From, in.Raw, in.To, in.Text, in.Account, in.Ref, in.Job,
		in.Match, in.Keyword, in.Incomplete)
	if err != nil {
		return fmt.Errorf("add incoming text: %w", err)
	}
	return t.db.doors.reply(t.Tx, in.ID)
}

// AnnounceIncoming implements [sms.InboxTx].
func (t *smsTx) AnnounceIncoming(in sms.Incoming, c *sms.Candidate) error {
	if c == nil {
		c = &sms.Candidate{Job: in.ID}
	}
	return t.db.Notices().Add(t.Tx, Notice{
		Event: NoticeSMSReceived, OrderKey: c.Job, Time: in.Time, Data: in,
		CallbackURL: c.Callback, Signer: c.Signer, Format: c.Format,
	})
}

// InboxRow implements [sms.InboxTx].
func (t *smsTx) InboxRow(id string) (sms.Incoming, error) {
	rows, err := t.Query("SELECT "+inboxColumns+" FROM sms_inbox WHERE id = ?", id)
	if err != nil {
		return sms.Incoming{}, fmt.Errorf("incoming text: %w", err)
	}
	found, err := collect(rows, scanIncoming)
	switch {
	case err != nil:
		return sms.Incoming{}, fmt.Errorf("incoming text: %w", err)
	case len(found) == 0:
		return sms.Incoming{}, errNoSMS
	}
	return found[0], nil
}

// SaveIncoming implements [sms.InboxTx].
func (t *smsTx) SaveIncoming(in sms.Incoming) error {
	const q = `UPDATE sms_inbox SET ref = ?, job = ?, match = ?, keyword = ?, claimed_by = ?, claimed = ?, answer = ?
		WHERE id = ?`
	var claimed int64
	if in.Claimed != nil {
		claimed = in.Claimed.Millis()
	}
	_, err := t.Exec(q, in.Ref, in.Job, in.Match, in.Keyword, in.ClaimedBy, claimed, in.Answer, in.ID)
	if err != nil {
		return fmt.Errorf("save incoming text: %w", err)
	}
	return nil
}
