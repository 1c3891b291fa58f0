package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"callbox/internal/stamp"
)

// AuditEntry is who did what to what, from where.
type AuditEntry struct {
	Seq    int64      `json:"seq"`
	Time   stamp.Time `json:"time"`
	Who    string     `json:"who"`
	What   string     `json:"what"`
	Object string     `json:"object"`
	Origin string     `json:"origin"`
	Detail string     `json:"detail"`
}

// Audit appends to the audit log and returns when that is on disk. Seq and Time
// are set here.
func (d *DB) Audit(ctx context.Context, e AuditEntry) error {
	return d.Write(ctx, "audit", func(tx *sql.Tx) error {
		last, hash, err := auditEnd(tx)
		if err != nil {
			return err
		}
		e.Seq, e.Time = last+1, stamp.Now()
		_, err = tx.Exec("INSERT INTO audit (seq, time, who, what, object, origin, detail, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			e.Seq, e.Time.Millis(), e.Who, e.What, e.Object, e.Origin, e.Detail, chain(hash, e))
		return err
	})
}

func auditEnd(tx *sql.Tx) (seq int64, hash []byte, err error) {
	err = tx.QueryRow("SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1").Scan(&seq, &hash)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}
	return seq, hash, err
}

// chain is the hash of an entry and of all before it.
func chain(before []byte, e AuditEntry) []byte {
	doc, err := json.Marshal(e)
	if err != nil {
		doc = nil // no field can fail
	}
	h := sha256.New()
	h.Write(before)
	h.Write(doc)
	return h.Sum(nil)
}

const selectAudit = "SELECT seq, time, who, what, object, origin, detail, hash FROM audit"

// auditRow is an entry with its hash.
type auditRow struct {
	AuditEntry
	hash []byte
}

func scanAudit(rows *sql.Rows) (r auditRow, err error) {
	var ms int64
	err = rows.Scan(&r.Seq, &ms, &r.Who, &r.What, &r.Object, &r.Origin, &r.Detail, &r.hash)
	r.Time = stamp.FromMillis(ms)
	return r, err
}

// AuditLog gives entries, newest first, and the cursor behind the last.
func (d *DB) AuditLog(ctx context.Context, p Page) (list []AuditEntry, next string, err error) {
	at, _, err := parseCursor(p.Cursor)
	if err != nil {
		return nil, "", err
	}
	w := &filter{}
	w.and(p.Cursor != "", "seq < ?", at)
	rows, err := d.reader.QueryContext(ctx, selectAudit+w.sql()+" ORDER BY seq DESC LIMIT ?", append(w.args, p.limit()+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("audit log: %w", err)
	}
	entry := func(rows *sql.Rows) (AuditEntry, error) { r, err := scanAudit(rows); return r.AuditEntry, err }
	if list, err = collect(rows, entry); err != nil {
		return nil, "", fmt.Errorf("audit log: %w", err)
	}
	list, next = cut(list, p.limit(), func(e AuditEntry) string { return cursor(e.Seq, "") })
	return list, next, nil
}

// VerifyAudit goes through the chain and names the first entry that was
// changed, or behind which one is missing.
func (d *DB) VerifyAudit(ctx context.Context) error {
	rows, err := d.reader.QueryContext(ctx, selectAudit+" ORDER BY seq")
	if err != nil {
		return fmt.Errorf("verify audit log: %w", err)
	}
	defer rows.Close()
	var hash []byte
	for seq := int64(1); rows.Next(); seq++ {
		r, err := scanAudit(rows)
		if err != nil {
			return fmt.Errorf("verify audit log: %w", err)
		}
		if r.Seq != seq {
			return fmt.Errorf("audit log: entry %d is missing", seq)
		}
		if hash = chain(hash, r.AuditEntry); string(hash) != string(r.hash) {
			return fmt.Errorf("audit log: entry %d, or one before it, was changed", seq)
		}
	}
	return rows.Err()
}
