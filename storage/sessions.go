package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Sessions keeps browsers' log-ins over a restart: scs's CtxStore. Tokens are
// kept as hashes, so that a stolen file opens no session.
type Sessions struct{ d *DB }

// Sessions is the sessions' store.
func (d *DB) Sessions() *Sessions { return &Sessions{d} }

// FindCtx gives a session's data; false where there is none or it is over.
func (s *Sessions) FindCtx(ctx context.Context, token string) ([]byte, bool, error) {
	var data []byte
	err := s.d.reader.QueryRowContext(ctx, "SELECT data FROM sessions WHERE token = ? AND expires > ?",
		tokenHash(token), time.Now().UnixMilli()).Scan(&data)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("find session: %w", err)
	}
	return data, true, nil
}

// CommitCtx writes a session.
func (s *Sessions) CommitCtx(ctx context.Context, token string, data []byte, expiry time.Time) error {
	return s.d.Write(ctx, "write session", func(tx *sql.Tx) error {
		_, err := tx.Exec(`INSERT INTO sessions (token, data, expires) VALUES (?1, ?2, ?3)
			ON CONFLICT (token) DO UPDATE SET data = ?2, expires = ?3`, tokenHash(token), data, expiry.UnixMilli())
		return err
	})
}

// DeleteCtx ends a session; an unknown one is no error.
func (s *Sessions) DeleteCtx(ctx context.Context, token string) error {
	return s.d.Write(ctx, "delete session", func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM sessions WHERE token = ?", tokenHash(token))
		return err
	})
}

// Find is FindCtx without a context.
func (s *Sessions) Find(token string) ([]byte, bool, error) {
	return s.FindCtx(context.Background(), token)
}

// Commit is CommitCtx without a context.
func (s *Sessions) Commit(token string, data []byte, expiry time.Time) error {
	return s.CommitCtx(context.Background(), token, data, expiry)
}

// Delete is DeleteCtx without a context.
func (s *Sessions) Delete(token string) error { return s.DeleteCtx(context.Background(), token) }

func tokenHash(token string) []byte {
	sum := sha256.Sum256([]byte("callbox session " + token))
	return sum[:]
}
