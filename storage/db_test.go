package storage_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callbox/internal/guard"
	"callbox/storage"
	"callbox/storage/storagetest"
)

func put(key, value string) func(*sql.Tx) error {
	return func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO meta (key, value) VALUES (?, ?)", key, value)
		return err
	}
}

func count(t *testing.T, d *storage.DB, query string, args ...any) int {
	t.Helper()
	var n int
	if err := d.Reader().QueryRow(query, args...).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestGroupCommitIsolatesFailures(t *testing.T) {
	d := storagetest.Open(t)
	var g guard.Group
	var failed atomic.Int32
	for i := range 200 {
		g.Go("write", func() {
			err := d.Write(t.Context(), "try", func(tx *sql.Tx) error {
				if err := put(fmt.Sprint("k", i), "v")(tx); err != nil {
					return err
				}
				switch i % 10 {
				case 3:
					return put(fmt.Sprint("k", i), "twice")(tx)
				case 4:
					panic("oops")
				}
				return nil
			})
			if err != nil {
				failed.Add(1)
			}
		})
	}
	g.Wait()
	if failed.Load() != 40 {
		t.Errorf("%d operations failed, want 40", failed.Load())
	}
	if n := count(t, d, "SELECT count(*) FROM meta WHERE key LIKE 'k%'"); n != 160 {
		t.Errorf("%d rows, want 160", n)
	}
}

func TestGroupsAreUsed(t *testing.T) {
	var commits, ops atomic.Int64
	cfg := storagetest.Config(t, t.TempDir())
	cfg.Committed = func(_ time.Duration, n int) { commits.Add(1); ops.Add(int64(n)) }
	cfg.SlowSync = 5 * time.Millisecond
	d, stop := storagetest.Start(t, cfg)
	for i := range 2000 {
		d.Later("put", put(fmt.Sprint("k", i), "v"))
	}
	stop()
	if ops.Load() != 2000 || commits.Load() > 60 {
		t.Errorf("%d operations in %d commits", ops.Load(), commits.Load())
	}
	if err := d.Write(t.Context(), "late", put("late", "")); !errors.Is(err, storage.ErrClosed) {
		t.Errorf("Write after stop = %v, want ErrClosed", err)
	}
}

func TestLaterKeepsOrder(t *testing.T) {
	d := storagetest.Open(t)
	for i := range 500 {
		d.Later("set", func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT INTO meta VALUES ('last', ?1) ON CONFLICT DO UPDATE SET value = ?1 WHERE CAST(value AS INTEGER) = ?2",
				fmt.Sprint(i), i-1)
			return err
		})
	}
	if err := d.Write(t.Context(), "wait", func(*sql.Tx) error { return nil }); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'last'"); n != 499 {
		t.Errorf("last = %d, want 499", n)
	}
}

func TestWriteGivesUpWithItsContext(t *testing.T) {
	d, err := storage.Open(t.Context(), storagetest.Config(t, t.TempDir())) // no writer
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if err := d.Write(ctx, "put", put("k", "")); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Write = %v, want the context's cause", err)
	}
}

func TestSecondOpenIsRefused(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	storagetest.OpenAt(t, cfg)
	start := time.Now()
	_, err := storage.Open(t.Context(), cfg)
	if !errors.Is(err, storage.ErrLocked) || !strings.Contains(err.Error(), fmt.Sprint(os.Getpid())) {
		t.Errorf("second Open = %v, want ErrLocked and the pid", err)
	}
	if took := time.Since(start); took > time.Second {
		t.Errorf("the refusal took %v", took)
	}
}

func TestImmediateTransactions(t *testing.T) {
	d := storagetest.Open(t)
	var g guard.Group
	for range 4 {
		g.Go("read then write", func() {
			for range 50 {
				err := d.Write(t.Context(), "count up", func(tx *sql.Tx) error {
					var n int
					if err := tx.QueryRow("SELECT coalesce(max(CAST(value AS INTEGER)), 0) FROM meta WHERE key = 'n'").Scan(&n); err != nil {
						return err
					}
					_, err := tx.Exec("INSERT INTO meta VALUES ('n', ?1) ON CONFLICT DO UPDATE SET value = ?1", fmt.Sprint(n+1))
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	g.Wait()
	if n := count(t, d, "SELECT CAST(value AS INTEGER) FROM meta WHERE key = 'n'"); n != 200 {
		t.Errorf("n = %d, want 200", n)
	}
}

func TestReaderCannotWrite(t *testing.T) {
	d := storagetest.Open(t)
	if _, err := d.Reader().Exec("DELETE FROM meta"); err == nil {
		t.Error("the reader wrote")
	}
}

func TestLockedFileComesBack(t *testing.T) {
	t.Parallel() // waits out SQLite's busy time
	cfg := storagetest.Config(t, t.TempDir())
	d := storagetest.OpenAt(t, cfg)
	other, err := sql.Open("sqlite3", d.Path()+"?_txlock=exclusive")
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	tx, err := other.Begin()
	if err != nil {
		t.Fatal(err)
	}
	d.Later("kept", put("kept", ""))
	err = d.Write(t.Context(), "refused", put("refused", ""))
	if !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Write = %v, want ErrUnavailable", err)
	}
	if err := d.Health(); !errors.Is(err, storage.ErrUnavailable) {
		t.Errorf("Health = %v, want ErrUnavailable", err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if err := d.Write(t.Context(), "good again", put("good", "")); err != nil {
		t.Errorf("Write after the lock = %v", err)
	}
	if err := d.Health(); err != nil {
		t.Errorf("Health after the lock = %v", err)
	}
	if n := count(t, d, "SELECT count(*) FROM meta WHERE key IN ('kept', 'good', 'refused')"); n != 2 {
		t.Errorf("%d rows, want kept and good", n)
	}
}

func TestDamagedFileIsRefused(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	d, stop := storagetest.Start(t, cfg)
	for i := range 300 {
		d.Later("fill", put(fmt.Sprint("k", i), strings.Repeat("x", 900)))
	}
	stop()
	path := filepath.Join(cfg.Dir, storage.FileName)
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	copy(raw[len(raw)-3*4096:], make([]byte, 4096))
	if err := os.WriteFile(path, raw, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err = storage.Open(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "damaged") {
		t.Errorf("Open = %v, want words about damage", err)
	}
}

func TestNewerDatabaseIsRefused(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	err := storage.With(t.Context(), cfg, func(d *storage.DB) error {
		return d.Write(t.Context(), "newer", func(tx *sql.Tx) error {
			_, err := tx.Exec("INSERT INTO goose_db_version (version_id, is_applied) VALUES (9999, 1)")
			return err
		})
	})
	if err != nil {
		t.Fatal(err)
	}
	_, err = storage.Open(t.Context(), cfg)
	if err == nil || !strings.Contains(err.Error(), "newer callbox") {
		t.Errorf("Open = %v, want words about a newer callbox", err)
	}
}

func TestBackupOpens(t *testing.T) {
	d := storagetest.Open(t)
	if err := d.Write(t.Context(), "put", put("k", "v")); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	dest := filepath.Join(dir, storage.FileName)
	if err := d.Backup(t.Context(), dest); err != nil {
		t.Fatal(err)
	}
	if err := d.Backup(t.Context(), dest); err == nil {
		t.Error("a second backup wrote over the first")
	}
	again := storagetest.OpenAt(t, storagetest.Config(t, dir))
	if n := count(t, again, "SELECT count(*) FROM meta WHERE key = 'k'"); n != 1 {
		t.Error("the backup lacks the row")
	}
}

func TestMissingFileBesideBackupsIsRefused(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	if err := os.MkdirAll(filepath.Join(cfg.Dir, "backups"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(cfg.Dir, "backups", "schema1.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := storage.Open(t.Context(), cfg); err == nil || !strings.Contains(err.Error(), "backups") {
		t.Errorf("Open = %v, want a refusal that names the backups", err)
	}
}
