package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver "sqlite3"
	"golang.org/x/sys/unix"

	"callbox/internal/seal"
)

// readers is how many read-only connections there may be.
const readers = 6

func (d *DB) open(ctx context.Context) error {
	for _, step := range []func(context.Context) error{
		d.makeDir, d.takeLock, d.notForgotten, d.openWriter, d.checkPragmas,
		d.checkPages, d.migrate, d.countStart, d.openReader, d.openJournal, d.trySeal,
	} {
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (d *DB) makeDir(context.Context) error {
	if err := os.MkdirAll(d.cfg.Dir, 0o700); err != nil {
		return err
	}
	return localDisk(d.cfg.Dir)
}

// networks are file systems (statfs(2)'s f_type) on which neither locks nor
// SQLite's shared memory can be relied on.
var networks = map[uint32]string{
	0x6969: "NFS", 0x517B: "SMB", 0xFF534D42: "CIFS", 0xFE534D42: "SMB2",
	0x00C36400: "Ceph", 0x5346414F: "AFS", 0x73757245: "Coda", 0x01021997: "9P",
}

func localDisk(dir string) error {
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return fmt.Errorf("statfs: %w", err)
	}
	if name, found := networks[uint32(st.Type)]; found {
		return fmt.Errorf("the folder is on a network file system (%s); the database needs a local disk", name)
	}
	return nil
}

func (d *DB) takeLock(context.Context) error {
	f, err := os.OpenFile(filepath.Join(d.cfg.Dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		pid, _ := io.ReadAll(io.LimitReader(f, 32))
		f.Close()
		if !errors.Is(err, unix.EWOULDBLOCK) {
			return fmt.Errorf("lock: %w", err)
		}
		return fmt.Errorf("%w (pid %s)", ErrLocked, strings.TrimSpace(string(pid)))
	}
	d.lock = f
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("lock: %w", err)
	}
	_, err = f.WriteAt(fmt.Appendf(nil, "%d\n", os.Getpid()), 0)
	return err
}

// notForgotten refuses to begin an empty database where there was one.
func (d *DB) notForgotten(context.Context) error {
	st, err := os.Stat(d.Path())
	if err == nil && st.Size() > 0 {
		return nil
	}
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	left, err := filepath.Glob(filepath.Join(d.backups(), "*.db"))
	if err != nil || len(left) == 0 {
		return err
	}
	return fmt.Errorf("%s is missing or empty, yet there are backups: copy %s to its place, or move the folder away to begin anew",
		FileName, left[len(left)-1])
}

func (d *DB) backups() string { return filepath.Join(d.cfg.Dir, "backups") }

// pragmas are what the promises rest on; they are read back.
var pragmas = map[string]string{
	"journal_mode":  "wal",
	"synchronous":   "2", // FULL: a commit is on the disk when it returns
	"foreign_keys":  "1",
	"secure_delete": "1",
}

func (d *DB) dsn(extra map[string]string) string {
	q := url.Values{}
	for k, v := range map[string]string{
		"_busy_timeout": "5000", "_foreign_keys": "1", "_stmt_cache_size": "128",
		"_mutex": "no", // database/sql uses a connection from one goroutine at a time
	} {
		q.Set(k, v)
	}
	for k, v := range extra {
		q.Set(k, v)
	}
	path := (&url.URL{Path: d.Path()}).EscapedPath()
	return "file:" + path + "?" + q.Encode()
}

func (d *DB) openWriter(ctx context.Context) error {
	if err := touch(d.Path()); err != nil {
		return err
	}
	pool, err := sql.Open("sqlite3", d.dsn(map[string]string{
		"_journal_mode": "WAL", "_synchronous": "FULL", "_txlock": "immediate", "_secure_delete": "1",
		"_cache_size": "-16000", // kB
	}))
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(1)
	pool.SetMaxIdleConns(1)
	d.writer = pool
	// Savepoints in memory: what an operation may have to undo is no file.
	if _, err := pool.ExecContext(ctx, "PRAGMA temp_store = MEMORY"); err != nil {
		return d.damaged(err)
	}
	return nil
}

// touch makes the file with the rights it shall have.
func touch(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	return f.Close()
}

func (d *DB) checkPragmas(ctx context.Context) error {
	for name, want := range pragmas {
		var got string
		// #nosec: name is from the table above.
		if err := d.writer.QueryRowContext(ctx, "PRAGMA "+name).Scan(&got); err != nil {
			return fmt.Errorf("pragma %s: %w", name, err)
		}
		if got != want {
			return fmt.Errorf("pragma %s is %q, not %q: this SQLite does not keep what it is told", name, got, want)
		}
	}
	return nil
}

// checkPages refuses a damaged file; it never begins an empty one instead.
func (d *DB) checkPages(ctx context.Context) error {
	var says string
	if err := d.writer.QueryRowContext(ctx, "PRAGMA quick_check(1)").Scan(&says); err != nil {
		return d.damaged(err)
	}
	if says != "ok" {
		return d.damaged(errors.New(says))
	}
	return nil
}

func (d *DB) damaged(why error) error {
	words := "there is no backup of it in " + d.backups()
	if left, _ := filepath.Glob(filepath.Join(d.backups(), "*.db")); len(left) > 0 {
		words = "the last backup is " + left[len(left)-1]
	}
	return fmt.Errorf("%s is damaged or cannot be read (%w); %s", FileName, why, words)
}

// countStart counts how often the file was opened: the journal's range.
func (d *DB) countStart(ctx context.Context) error {
	const q = `INSERT INTO meta (key, value) VALUES ('starts', '1')
		ON CONFLICT (key) DO UPDATE SET value = CAST(CAST(value AS INTEGER) + 1 AS TEXT)
		RETURNING CAST(value AS INTEGER)`
	if err := d.writer.QueryRowContext(ctx, q).Scan(&d.start); err != nil {
		return fmt.Errorf("count start: %w", err)
	}
	return nil
}

func (d *DB) openReader(ctx context.Context) error {
	pool, err := sql.Open("sqlite3", d.dsn(map[string]string{"mode": "ro", "_query_only": "1"}))
	if err != nil {
		return err
	}
	pool.SetMaxOpenConns(readers)
	pool.SetMaxIdleConns(readers)
	pool.SetConnMaxIdleTime(time.Minute)
	d.reader = pool
	return pool.PingContext(ctx)
}

// trySeal says so where the API keys were sealed under another secret.key: they
// are still good to log in with, and sign nothing any more.
func (d *DB) trySeal(ctx context.Context) error {
	var id string
	err := d.reader.QueryRowContext(ctx, "SELECT id FROM api_keys ORDER BY created DESC LIMIT 1").Scan(&id)
	if errors.Is(err, sql.ErrNoRows) || d.cfg.Secret == nil {
		return nil
	}
	if err == nil {
		_, err = d.KeySecret(ctx, id)
	}
	if errors.Is(err, seal.ErrBroken) {
		d.log.Warn("secret.key is not the one that the API keys were made with: callbacks go out unsigned; bring it back, or make new keys")
		return nil
	}
	return err
}
