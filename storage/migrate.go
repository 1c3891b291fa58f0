package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"github.com/pressly/goose/v3"

	"callbox/storage/migrations"
)

// migrate brings the file to this program's version, after a backup of what
// was there. A newer file is refused.
func (d *DB) migrate(ctx context.Context) error {
	p, err := goose.NewProvider(goose.DialectSQLite3, d.writer, migrations.Files)
	if err != nil {
		return fmt.Errorf("read migrations: %w", err)
	}
	have, want, err := p.GetVersions(ctx)
	if err != nil {
		return fmt.Errorf("read schema version: %w", err)
	}
	if have > want {
		return fmt.Errorf("the database is of a newer callbox (schema %d, this program knows %d): use that program, or restore a backup", have, want)
	}
	if have == want {
		return nil
	}
	if have > 0 {
		if err := d.backupBefore(ctx, have); err != nil {
			return fmt.Errorf("backup before migration: %w", err)
		}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("migrate from schema %d to %d: %w", have, want, err)
	}
	d.log.Info("database migrated", "from", have, "to", want)
	return nil
}

func (d *DB) backupBefore(ctx context.Context, version int64) error {
	if err := os.MkdirAll(d.backups(), 0o700); err != nil {
		return err
	}
	name := fmt.Sprintf("schema%d-%s.db", version, time.Now().UTC().Format("20060102T150405.000"))
	return d.Backup(ctx, filepath.Join(d.backups(), name))
}

// Backup writes a whole copy of the database to dest, which must not exist. It
// appears under that name only when it is complete, checked and on the disk.
func (d *DB) Backup(ctx context.Context, dest string) error {
	if _, err := os.Lstat(dest); err == nil {
		return fmt.Errorf("backup to %s: the file exists", dest)
	}
	part := dest + ".part"
	if err := os.Remove(part); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("backup: %w", err)
	}
	if err := d.copyTo(ctx, part); err != nil {
		return fmt.Errorf("backup to %s: %w", dest, err)
	}
	if err := checkCopy(ctx, part); err != nil {
		return fmt.Errorf("backup to %s: %w", dest, err)
	}
	return settle(part, dest)
}

// copyTo copies over a connection of its own: the readers may not write, not
// even elsewhere, and the writer must not wait.
func (d *DB) copyTo(ctx context.Context, part string) (err error) {
	pool, err := sql.Open("sqlite3", d.dsn(nil))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pool.Close()) }()
	_, err = pool.ExecContext(ctx, "VACUUM INTO ?", part)
	return err
}

func checkCopy(ctx context.Context, path string) error {
	pool, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: path}).EscapedPath()+"?mode=ro")
	if err != nil {
		return err
	}
	defer pool.Close()
	var says string
	if err := pool.QueryRowContext(ctx, "PRAGMA integrity_check(1)").Scan(&says); err != nil {
		return fmt.Errorf("check copy: %w", err)
	}
	if says != "ok" {
		return fmt.Errorf("check copy: %s", says)
	}
	return nil
}

// settle brings a finished file under its name, safe against power loss.
func settle(part, dest string) error {
	for _, do := range []func() error{
		func() error { return os.Chmod(part, 0o600) },
		func() error { return syncPath(part) },
		func() error { return os.Rename(part, dest) },
		func() error { return syncPath(filepath.Dir(dest)) },
	} {
		if err := do(); err != nil {
			return fmt.Errorf("finish %s: %w", dest, err)
		}
	}
	return nil
}

func syncPath(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(f.Sync(), f.Close())
}
