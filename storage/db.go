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
	"log/slog"
)

// Config says where the database is.
type Config struct {
	Dir string // holds callbox.db, lock, backups/
	Log *slog.Logger
}

// DB is the open database.
type DB struct{}

// Open takes the lock, opens and migrates Dir/callbox.db and reads the pragmas
// back. It starts nothing.
func Open(ctx context.Context, cfg Config) (*DB, error) { return nil, nil }

// Run is the writer: it commits what Write and Later hand in, at most 256
// operations or 5 ms together, until ctx ends and the queue is empty.
func (d *DB) Run(ctx context.Context) error { return nil }

// Write runs f in the writer's next transaction and returns when it is on
// disk. f's error undoes f alone. what names it for the log.
func (d *DB) Write(ctx context.Context, what string, f func(*sql.Tx) error) error { return nil }

// Later is Write without waiting, in the order of the calls; errors are logged.
func (d *DB) Later(what string, f func(*sql.Tx) error) {}

// Reader is the pool of read-only connections.
func (d *DB) Reader() *sql.DB { return nil }

// Close closes the database and gives the lock back.
func (d *DB) Close() error { return nil }
