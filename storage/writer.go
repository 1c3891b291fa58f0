package storage

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/mattn/go-sqlite3"

	"callbox/cti"
	"callbox/internal/guard"
)

// Limits of one group commit.
const (
	groupOps  = 256
	groupTime = 5 * time.Millisecond
	// slowCommit is what a commit takes from which on it pays to wait for who
	// comes a moment late.
	slowCommit = 4 * time.Millisecond
	slowGroup  = 10 * time.Millisecond // and how long at most
)

// When the write-ahead log is emptied, and from when it is worth an alarm.
const (
	quietTime    = 5 * time.Second
	retryTime    = 200 * time.Millisecond
	walEmptyFrom = 4 << 20
	walAlarm     = 256 << 20
)

// op is one operation on its way to the disk. A kept one stays at the front
// until the disk takes it; others are answered with the error.
type op struct {
	what  string
	f     func(*sql.Tx) error
	more  func(cti.Event) bool // takes another event into f; under the queue's lock
	kept  bool
	urge  bool        // somebody waits for it
	done  func(error) // called once, after commit or failure
	taken atomic.Bool // by the writer, or by a caller that gave up
	err   error       // of f
}

func (o *op) answer(err error) {
	if o.done != nil {
		o.done(err)
	}
}

// queue hands operations to the writer in order, without bound: what is live
// never waits for the disk.
type queue struct {
	mu     sync.Mutex
	ops    []*op
	closed bool
	wake   chan struct{} // room for one
	urgent chan struct{} // room for one: somebody waits
}

func newQueue() *queue {
	return &queue{wake: make(chan struct{}, 1), urgent: make(chan struct{}, 1)}
}

func (q *queue) put(o *op) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.closed {
		return false
	}
	q.ops = append(q.ops, o)
	tell(q.wake)
	if o.urge || len(q.ops) >= groupOps {
		tell(q.urgent)
	}
	return true
}

// join hands an event to the operation at the end of the queue, if that takes
// events and has room for one more.
func (q *queue) join(e cti.Event) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.ops) == 0 {
		return false
	}
	last := q.ops[len(q.ops)-1]
	return last.more != nil && last.more(e)
}

// tell signals without waiting; one signal stands for many.
func tell(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// take gives the first operation nobody gave up on; nil when there is none.
func (q *queue) take() *op {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.ops) > 0 {
		o := q.ops[0]
		q.ops[0] = nil
		q.ops = q.ops[1:]
		if o.kept || o.taken.CompareAndSwap(false, true) {
			return o
		}
	}
	q.ops = nil
	return nil
}

// keepOnly puts again before all others and takes out what need not be kept.
func (q *queue) keepOnly(again []*op) (out []*op) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, o := range q.ops {
		if o.kept {
			again = append(again, o)
		} else if o.taken.CompareAndSwap(false, true) {
			out = append(out, o)
		}
	}
	q.ops = again
	return out
}

func (q *queue) len() int {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.ops)
}

// closeEmpty closes the queue if nothing waits in it.
func (q *queue) closeEmpty() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = q.closed || len(q.ops) == 0
	return q.closed
}

// close refuses what still waits and says how many that were.
func (q *queue) close() int {
	q.mu.Lock()
	left := q.ops
	q.closed, q.ops = true, nil
	q.mu.Unlock()
	for _, o := range left {
		if o.kept || o.taken.CompareAndSwap(false, true) {
			o.answer(ErrClosed)
		}
	}
	return len(left)
}

// Write runs f in the writer's next transaction and returns when it is on
// disk. f's error undoes f alone. what names it for the log. f must not keep
// tx. Errors: f's own; [ErrUnavailable]; [ErrClosed]; ctx's cause, where the
// writer had not begun with it.
func (d *DB) Write(ctx context.Context, what string, f func(*sql.Tx) error) error {
	return d.wait(ctx, what, false, f, nil)
}

// keep is Write for what must reach the disk in the end: while the disk cannot
// be written it waits in its place, also after ctx ended and keep returned.
func (d *DB) keep(ctx context.Context, what string, f func(*sql.Tx) error) error {
	return d.wait(ctx, what, true, f, nil)
}

// wait runs f and, when that is on disk, after, on the writer's goroutine; nil is
// nothing.
func (d *DB) wait(ctx context.Context, what string, kept bool, f func(*sql.Tx) error, after func()) error {
	result := make(chan error, 1)
	o := &op{what: what, f: f, kept: kept, urge: true}
	o.done = func(err error) {
		if err == nil && after != nil {
			after()
		}
		result <- err
	}
	if !d.queue.put(o) {
		return fmt.Errorf("%s: %w", what, ErrClosed)
	}
	select {
	case err := <-result:
		return wrap(what, err)
	case <-ctx.Done():
	}
	if !kept && !o.taken.CompareAndSwap(false, true) {
		return wrap(what, <-result) // under way: what it comes to is what counts
	}
	return fmt.Errorf("%s: %w", what, context.Cause(ctx))
}

func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}

// Later is Write without waiting, in the order of the calls; errors are logged.
// f runs again where the disk could not take its transaction.
func (d *DB) Later(what string, f func(*sql.Tx) error) { _ = d.later(what, f, nil) }

// later is Later that tells, from the writer's goroutine, what came of it. It
// returns [ErrClosed], logged, where nothing will.
func (d *DB) later(what string, f func(*sql.Tx) error, after func()) error {
	return d.put(&op{what: what, f: f}, after)
}

func (d *DB) put(o *op, after func()) error {
	o.kept, o.done = true, func(err error) {
		if err != nil {
			d.log.Error("write failed", "what", o.what, "err", err)
		}
		if after != nil {
			after()
		}
	}
	if !d.queue.put(o) {
		d.log.Error("write failed", "what", o.what, "err", ErrClosed)
		return ErrClosed
	}
	return nil
}

// Health is nil while commits work, else [ErrUnavailable] with the last failure.
func (d *DB) Health() error {
	if err := d.fault.Load(); err != nil {
		return fmt.Errorf("%w: %w", ErrUnavailable, *err)
	}
	return nil
}

// Backlog is how many operations wait for the writer.
func (d *DB) Backlog() int { return d.queue.len() }

// Run is the writer: it commits what Write and Later hand in, at most 256
// operations or 5 ms together, until ctx ends and the queue is empty.
func (d *DB) Run(ctx context.Context) error {
	for {
		ok := d.commitWaiting()
		if ok && ctx.Err() != nil && d.queue.closeEmpty() {
			return nil
		}
		if !d.rest(ctx, ok) && !ok {
			break // told to stop, and the disk still does not take it
		}
	}
	if left := d.queue.close(); left > 0 {
		return fmt.Errorf("database writer: %d operations were not written: %w", left, ErrUnavailable)
	}
	return nil
}

// rest waits for work, or, after a failure, for a moment. At quiet times it
// empties the write-ahead log. It reports false when ctx ended.
func (d *DB) rest(ctx context.Context, ok bool) bool {
	wake, pause := d.queue.wake, quietTime
	if !ok {
		wake, pause = nil, retryTime
	}
	timer := time.NewTimer(pause)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-wake:
		d.gather(ctx)
	case <-timer.C:
		if ok {
			d.emptyWAL()
		}
	}
	return true
}

// gather lets what nobody waits for come together, so that a call's events do
// not cost a commit each.
func (d *DB) gather(ctx context.Context) {
	timer := time.NewTimer(groupTime)
	defer timer.Stop()
	select {
	case <-d.queue.urgent:
	case <-timer.C:
	case <-ctx.Done():
	}
}

// commitWaiting commits groups until nothing waits; false where the disk did
// not take one.
func (d *DB) commitWaiting() bool {
	for {
		first := d.queue.take()
		if first == nil {
			return true
		}
		ran, err := d.group(first)
		if err != nil {
			d.failed(ran, err)
			return false
		}
		if d.fault.Swap(nil) != nil {
			d.log.Info("commits work again", "operations_refused", d.refused)
			d.refused = 0
		}
		for _, o := range ran {
			o.answer(o.err)
		}
		d.notices.committed()
	}
}

// failed answers a group that the disk did not take, and whoever waits behind
// it; kept operations wait on.
func (d *DB) failed(ran []*op, err error) {
	if d.fault.Swap(&err) == nil {
		d.log.Error("commits fail", "operations", len(ran), "err", err)
	}
	var again, refused []*op
	for _, o := range ran {
		switch {
		case o.err != nil && !unavailable(o.err):
			o.answer(o.err)
		case o.kept:
			again = append(again, o)
		default:
			refused = append(refused, o)
		}
	}
	refused = append(refused, d.queue.keepOnly(again)...)
	d.refused += len(refused)
	for _, o := range refused {
		o.answer(fmt.Errorf("%w: %w", ErrUnavailable, err))
	}
}

// group runs first and what else waits in one transaction. The error is the
// transaction's; each operation keeps its own.
func (d *DB) group(first *op) (ran []*op, err error) {
	ran = []*op{first}
	began := time.Now()
	tx, err := d.begin()
	if err != nil {
		return ran, fmt.Errorf("begin: %w", err)
	}
	defer d.end()
	for next := first; next != nil; {
		if next.err, err = runOp(tx, next.f); err != nil {
			return ran, errors.Join(err, tx.Rollback())
		}
		next = nil
		if len(ran) < groupOps && time.Since(began) < max(groupTime, d.patience) {
			if next = d.next(began); next != nil {
				ran = append(ran, next)
			}
		}
	}
	if err := d.commit(tx, len(ran)); err != nil {
		return ran, err
	}
	if d.cfg.Committed != nil {
		d.cfg.Committed(time.Since(began), len(ran))
	}
	return ran, nil
}

// begin begins a transaction on the writer's one connection, which is conn
// until end.
func (d *DB) begin() (*sql.Tx, error) {
	ctx := context.Background()
	conn, err := d.writer.Conn(ctx)
	if err != nil {
		return nil, err
	}
	d.conn = conn
	tx, err := conn.BeginTx(ctx, nil)
	if err != nil {
		d.end()
	}
	return tx, err
}

func (d *DB) end() {
	_ = d.conn.Close() // it goes back to the pool
	d.conn = nil
}

func (d *DB) commit(tx *sql.Tx, operations int) error {
	began := time.Now()
	if err := tx.Commit(); err != nil {
		return errors.Join(fmt.Errorf("commit: %w", err), quiet(tx.Rollback()))
	}
	if d.cfg.SlowSync > 0 {
		time.Sleep(d.cfg.SlowSync)
	}
	d.patience = 0
	if took := time.Since(began); took >= slowCommit && operations > 1 {
		d.patience = min(took/2, slowGroup)
	}
	return nil
}

// next gives the next operation of a group that began then: one that waits, or,
// on a slow disk with several who write, one that comes within a moment. It
// would have to wait for the next commit otherwise, and often answers this one.
func (d *DB) next(began time.Time) *op {
	quiet := time.Now()
	for {
		if o := d.queue.take(); o != nil {
			return o
		}
		now := time.Now()
		left := min(d.patience-now.Sub(began), d.patience/4-now.Sub(quiet))
		if left <= 0 {
			return nil
		}
		timer := time.NewTimer(left)
		select {
		case <-d.queue.wake:
		case <-timer.C:
		}
		timer.Stop()
	}
}

func quiet(err error) error {
	if errors.Is(err, sql.ErrTxDone) {
		return nil
	}
	return err
}

// runOp runs f inside a savepoint, so that its error undoes it alone. broken
// says that the whole transaction is lost.
func runOp(tx *sql.Tx, f func(*sql.Tx) error) (own, broken error) {
	if _, err := tx.Exec("SAVEPOINT op"); err != nil {
		return nil, fmt.Errorf("savepoint: %w", err)
	}
	own = call(tx, f)
	if own == nil {
		_, err := tx.Exec("RELEASE op")
		return nil, err
	}
	if unavailable(own) {
		return own, own
	}
	if _, err := tx.Exec("ROLLBACK TO op"); err != nil {
		return own, fmt.Errorf("undo after %w: %w", own, err)
	}
	_, err := tx.Exec("RELEASE op")
	return own, err
}

func call(tx *sql.Tx, f func(*sql.Tx) error) (err error) {
	if fell := guard.Call(func() { err = f(tx) }); fell != nil {
		return fell
	}
	return err
}

// unavailable says whether err is the disk's or the file's, not the operation's.
func unavailable(err error) bool {
	var e sqlite3.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Code {
	case sqlite3.ErrBusy, sqlite3.ErrFull, sqlite3.ErrIoErr, sqlite3.ErrReadonly,
		sqlite3.ErrCantOpen, sqlite3.ErrNomem, sqlite3.ErrCorrupt, sqlite3.ErrNotADB, sqlite3.ErrProtocol:
		return true
	}
	return false
}

// emptyWAL cuts the write-ahead log back when it is large and nobody reads.
func (d *DB) emptyWAL() {
	st, err := os.Stat(d.Path() + "-wal")
	if err != nil || st.Size() < walEmptyFrom {
		return
	}
	if st.Size() > walAlarm {
		d.log.Warn("write-ahead log is large: a reader holds it", "bytes", st.Size())
	}
	var busy, pages, moved int
	if err := d.writer.QueryRow("PRAGMA wal_checkpoint(TRUNCATE)").Scan(&busy, &pages, &moved); err != nil {
		d.log.Warn("checkpoint failed", "err", err)
	}
}
