// Package storage keeps what callbox must not forget, in one SQLite file.
//
// One writer goroutine ([DB.Run]) commits in groups; readers have their own
// read-only pool. There is one file an aggregate and one transaction a use
// case; events go through the journal and notices through the outbox. It knows
// the types of cti, acd and sms and none of their rules.
package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"

	"callbox/cti"
	"callbox/internal/guard"
	"callbox/internal/seal"
)

// What a caller decides on.
var (
	// ErrLocked: another callbox has this data folder.
	ErrLocked = errors.New("the data folder is in use by another callbox")
	// ErrClosed: the writer has stopped.
	ErrClosed = errors.New("the database is closed")
	// ErrUnavailable: the disk or the file did not take the transaction (full,
	// locked by another program, read-only); nothing of it was kept.
	ErrUnavailable = errors.New("the database cannot be written")
	// ErrNotFound: there is no such row.
	ErrNotFound = cti.ErrNotFound
	// ErrConflict: the id, number or name is taken by another row.
	ErrConflict = errors.New("already taken")
)

// FileName is the database's name in [Config].Dir.
const FileName = "callbox.db"

// Config says where the database is.
type Config struct {
	Dir      string // holds callbox.db, lock, backups/
	Log      *slog.Logger
	AreaCode string    // the local area, for the customers' numbers
	Secret   *seal.Box // seals API keys; without one they are refused
	// Committed is told of every group commit; it must not block.
	Committed func(took time.Duration, operations int)
	// SlowSync is added to every commit: a slow disk, for measurements.
	SlowSync time.Duration
}

// DB is the open database.
type DB struct {
	cfg     Config
	log     *slog.Logger
	lock    *os.File
	writer  *sql.DB // one connection, immediate transactions
	reader  *sql.DB
	queue   *queue
	fault   atomic.Pointer[error] // of the last commit, if it failed
	start   int64                 // how often this file was opened
	notices *Notices
	doors   *Doors
	journal *Journal
	keys    keyring

	// What follows is the writer goroutine's.
	conn     *sql.Conn     // of the transaction that is on
	patience time.Duration // how long a group stays open for who comes late; a quarter of it after the last one
	refused  int           // operations, since commits fail
}

// Open takes the lock, opens and migrates Dir/callbox.db and reads the pragmas
// back. It starts nothing. Errors: [ErrLocked]; otherwise words for the
// operator.
func Open(ctx context.Context, cfg Config) (*DB, error) {
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	d := &DB{cfg: cfg, log: cfg.Log, queue: newQueue()}
	d.notices, d.journal, d.doors = newNotices(d), newJournal(d), &Doors{d: d}
	if err := d.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open database in %s: %w", cfg.Dir, err), d.Close())
	}
	return d, nil
}

// With opens the database, serves f with a running writer and closes it: what
// a one-shot command needs.
func With(ctx context.Context, cfg Config, f func(*DB) error) error {
	d, err := Open(ctx, cfg)
	if err != nil {
		return err
	}
	run, stop := context.WithCancel(context.WithoutCancel(ctx))
	g := guard.Group{Log: d.log}
	var ran error
	g.Go("database writer", func() { ran = d.Run(run) })
	done := f(d)
	stop()
	g.Wait()
	return errors.Join(done, ran, d.Close())
}

// Path is the database file.
func (d *DB) Path() string { return filepath.Join(d.cfg.Dir, FileName) }

// Reader is the pool of read-only connections.
func (d *DB) Reader() *sql.DB { return d.reader }

// Close closes the database and gives the lock back. The writer must have
// stopped.
func (d *DB) Close() error {
	d.queue.close()
	var errs []error
	for _, pool := range []*sql.DB{d.reader, d.writer} {
		if pool != nil {
			errs = append(errs, pool.Close())
		}
	}
	if d.lock != nil {
		errs = append(errs, d.lock.Close())
	}
	return errors.Join(errs...)
}

// conflict makes a UNIQUE constraint's failure [ErrConflict].
func conflict(err error) error {
	var e sqlite3.Error
	if errors.As(err, &e) && (e.ExtendedCode == sqlite3.ErrConstraintUnique || e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey) {
		return fmt.Errorf("%w: %w", ErrConflict, err)
	}
	return err
}
