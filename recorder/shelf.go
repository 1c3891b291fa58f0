// Package recorder taps a call's outside leg into a file and keeps the shelf
// tidy.
//
// A [Shelf] holds all recordings of one disk. The tap's sink only writes into
// memory; [Shelf.Run] appends to all files from one goroutine several times a
// second and syncs the disk from another, so no call ever waits for a disk.
// Opening and closing a file each have a short goroutine of their own. The
// package knows ports and bytes; what a call is, and where rows are kept, is
// others' business.
package recorder

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"regexp"
	"sync"
	"sync/atomic"
	"time"

	"callbox/cti/media"
	"callbox/internal/guard"
	"callbox/recorder/wav"
)

// States of a recording.
const (
	Running  = "recording"
	Complete = "complete"
	Partial  = "partial"
	None     = "none"
)

// How soon sound is on disk: a crash of the process loses at most writeEvery
// and writeBehind together, a power cut syncEvery more. Sound that comes later
// than writeBehind is put in its place on disk.
const (
	writeEvery  = 160 * time.Millisecond
	writeBehind = 40 * time.Millisecond
	syncEvery   = time.Second
	tryEvery    = time.Second
	indexLimit  = 30 * time.Second
	closers     = 4 // files being closed at a time
)

// ErrClosed is returned by Record when the shelf has stopped.
var ErrClosed = errors.New("recorder: the shelf is closed")

var (
	errIndexSlow = errors.New("the index took too long")
	errStopped   = errors.New("callbox stopped during the call")
)

// Config says where the shelf is.
type Config struct {
	Dir      string         // recordings/ is made in it
	Location *time.Location // whose dates name the folders; UTC when nil
	Log      *slog.Logger
	Disk     Disk // nil: the one that Dir is on
}

// Result says what there is of a recording.
type Result struct {
	State          string
	Seconds        float64 // how long the file plays
	MissingSeconds float64 // what it lacks
	Why            string
	SHA256         string
	Path           string // as in [Row]
	Mixed          bool
	Pauses         int     // how often silence was asked for
	PausedSeconds  float64 // and for how long
}

// Shelf records calls.
type Shelf struct {
	cfg   Config
	log   *slog.Logger
	disk  Disk
	index Index

	mu      sync.Mutex
	stopped bool
	takes   map[string]*take

	jobs    guard.Group // opening and closing
	closing chan struct{}
	dirty   atomic.Bool
	errors  atomic.Uint64
}

// New makes a shelf; it writes while [Shelf.Run] runs.
func New(cfg Config, index Index) (*Shelf, error) {
	s := &Shelf{
		cfg: cfg, log: cmp.Or(cfg.Log, slog.Default()), disk: cfg.Disk, index: index,
		takes: map[string]*take{}, closing: make(chan struct{}, closers),
	}
	s.jobs.Log = s.log
	s.cfg.Location = cmp.Or(cfg.Location, time.UTC)
	if s.disk == nil {
		d, err := openFolder(cfg.Dir)
		if err != nil {
			return nil, err
		}
		s.disk = d
	}
	return s, nil
}

// Active is how many recordings are in progress.
func (s *Shelf) Active() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.takes)
}

// Errors is how many recordings something went wrong with so far.
func (s *Shelf) Errors() uint64 { return s.errors.Load() }

// Lag is how far the file most behind is behind its call. It is below a quarter
// of a second when all is well.
func (s *Shelf) Lag() time.Duration {
	var worst int64
	for _, t := range s.running() {
		worst = max(worst, t.lag())
	}
	return time.Duration(worst) * time.Second / media.SampleRate
}

func (s *Shelf) running() []*take {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*take, 0, len(s.takes))
	for _, t := range s.takes {
		all = append(all, t)
	}
	return all
}

var goodID = regexp.MustCompile(`^[0-9A-Za-z][0-9A-Za-z_-]{0,127}$`)

// Record taps outside from now on, which is sample 0 of the file named after
// call. It never waits for the disk; what goes wrong there is in the result and
// never in the call's way. stop ends the recording and returns when the file is
// closed, or with state [Running] when ctx ends before. It may be called again.
func (s *Shelf) Record(ctx context.Context, call string, outside media.Port) (stop func(context.Context) Result, err error) {
	if !goodID.MatchString(call) {
		return nil, fmt.Errorf("recording call %q: the id is no file name", call)
	}
	t := newTake(s.rowOf(call, outside), s.log)
	if err := s.admit(ctx, t); err != nil {
		return nil, fmt.Errorf("recording call %s: %w", call, err)
	}
	outside.Tap(t)
	return func(ctx context.Context) Result {
		if s.end(t) {
			outside.Tap(nil)
		}
		return t.wait(ctx)
	}, nil
}

func (s *Shelf) rowOf(call string, outside media.Port) Row {
	now := time.Now()
	row := Row{ID: call, Law: outside.Law(), Started: now, State: Running}
	row.Path = "recordings/" + now.In(s.cfg.Location).Format("2006/01/02/") + call + ".wav"
	if m, ok := outside.(mixer); ok {
		row.Mixed = m.Mixed()
	}
	return row
}

// admit takes a recording in and starts what opens its file.
func (s *Shelf) admit(ctx context.Context, t *take) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return ErrClosed
	}
	if s.takes[t.row.ID] != nil {
		return errors.New("it is being recorded already")
	}
	s.takes[t.row.ID] = t
	ctx = context.WithoutCancel(ctx)
	t.shut = func() {
		defer close(t.done)
		defer s.forget(t)
		<-t.opened
		s.close(t)
		s.tell(ctx, t)
	}
	s.jobs.Go("recording opens", func() {
		defer close(t.opened)
		s.open(ctx, t)
	})
	return nil
}

// end says that a recording's call is over and starts what closes its file; it
// is true the first time. The lock is for Run, which waits for all files.
func (s *Shelf) end(t *take) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !t.end() {
		return false
	}
	s.jobs.Go("recording closes", t.shut)
	return true
}

func (s *Shelf) forget(t *take) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.takes, t.row.ID)
}

// open tries until there is a file, or the call is over.
func (s *Shelf) open(ctx context.Context, t *take) {
	for {
		err := s.tryOpen(ctx, t)
		if err == nil {
			return
		}
		if s.failed(t, "opening", err, false); errors.Is(err, fs.ErrExist) {
			return
		}
		select {
		case <-t.ended:
			return
		case <-time.After(tryEvery):
		}
	}
}

func (s *Shelf) tryOpen(ctx context.Context, t *take) error {
	ctx, cancel := context.WithTimeoutCause(ctx, indexLimit, errIndexSlow)
	defer cancel()
	if !t.known {
		if err := s.index.Opened(ctx, t.row); err != nil {
			return fmt.Errorf("storing its row: %w", err)
		}
		t.known = true
	}
	file, err := s.disk.Create(t.row.Path)
	if err != nil {
		return err
	}
	out, err := wav.NewWriter(file, format(t.row.Law))
	t.io.Lock()
	defer t.io.Unlock()
	t.file, t.out = file, out // a header that failed is written with the first sound
	return err
}

func format(l media.Law) wav.Format {
	if l == media.PCMU {
		return wav.MuLaw
	}
	return wav.ALaw
}

// failed notes and logs the first fault of a recording.
func (s *Shelf) failed(t *take, doing string, err error, lasting bool) {
	t.io.Lock()
	defer t.io.Unlock()
	s.failedLocked(t, doing, err, lasting)
}

func (s *Shelf) failedLocked(t *take, doing string, err error, lasting bool) {
	if err != nil && t.broke(doing, err, lasting) {
		s.errors.Add(1)
		t.log.Error("a recording had a fault", "doing", doing, "err", err)
	}
}

// close writes what is left and closes the file; the row then says how the
// recording ended.
func (s *Shelf) close(t *take) {
	s.closing <- struct{}{}
	defer func() { <-s.closing }()
	t.io.Lock()
	defer t.io.Unlock()
	t.closed = true
	if t.out != nil {
		s.closeFile(t)
	}
	r := t.settle()
	t.result = Result{
		State: r.State, Seconds: r.Seconds, MissingSeconds: r.Missing, Why: r.Why, SHA256: r.SHA256,
		Path: r.Path, Mixed: r.Mixed,
	}
	times, length := t.paused()
	t.result.Pauses, t.result.PausedSeconds = times, seconds(length)
}

func (s *Shelf) closeFile(t *take) {
	s.failedLocked(t, "writing", t.finish(), false)
	s.failedLocked(t, "syncing", t.file.Sync(), true)
	var err error
	t.row.SHA256, err = hashOf(t.file)
	s.failedLocked(t, "hashing", err, true)
	s.failedLocked(t, "closing", t.file.Close(), true)
}

// settle fills the row by what became of the file. A fault that was overcome
// without loss leaves no trace in it. Callers hold io.
func (t *take) settle() Row {
	r := &t.row
	if t.out == nil {
		r.State, r.Missing, r.Why = None, seconds(t.missing(0)), t.why
		return *r
	}
	r.State, r.Seconds = Complete, seconds(t.out.Frames())
	r.Missing = seconds(t.missing(t.out.Frames()))
	if t.lasting || r.Missing > 0 {
		r.State, r.Why = Partial, cmp.Or(t.why, "the disk was too slow")
	}
	return *r
}

// hashOf is the SHA-256 of a file, in hexadecimal.
func hashOf(f io.ReaderAt) (string, error) {
	h := sha256.New()
	room := rooms.Get().(*[32 << 10]byte)
	defer rooms.Put(room)
	if _, err := io.CopyBuffer(h, io.NewSectionReader(f, 0, 1<<62), room[:]); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

const tellTries = 30

// tell stores how the recording ended.
func (s *Shelf) tell(ctx context.Context, t *take) {
	for try := 0; t.known && try < tellTries; try++ {
		err := s.tryTell(ctx, t.row)
		if err == nil {
			return
		}
		s.failed(t, "storing the end", err, false)
		if s.isStopped() {
			return
		}
		time.Sleep(tryEvery)
	}
}

func (s *Shelf) tryTell(ctx context.Context, row Row) error {
	ctx, cancel := context.WithTimeoutCause(ctx, indexLimit, errIndexSlow)
	defer cancel()
	return s.index.Closed(ctx, row)
}

func (s *Shelf) isStopped() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stopped
}

// wait gives the result, or what is known when ctx ends first.
func (t *take) wait(ctx context.Context) Result {
	select {
	case <-t.done:
		return t.result
	case <-ctx.Done():
		if t.isDone() {
			return t.result
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		return Result{State: Running, Seconds: seconds(t.total), Path: t.row.Path, Mixed: t.row.Mixed}
	}
}

func (t *take) isDone() bool {
	select {
	case <-t.done:
		return true
	default:
		return false
	}
}

// Run writes until ctx ends; then it closes what is still being recorded. When
// it returns, its goroutines have.
func (s *Shelf) Run(ctx context.Context) error {
	group := guard.Group{Log: s.log}
	group.Go("recordings' sync", func() { every(ctx, syncEvery, s.sync) })
	group.Go("recordings' writer", func() { every(ctx, writeEvery, s.write) })
	group.Wait()
	s.mu.Lock()
	s.stopped = true
	s.mu.Unlock()
	for _, t := range s.running() {
		s.interrupt(t)
	}
	s.jobs.Wait()
	return nil
}

// interrupt ends a recording whose call goes on.
func (s *Shelf) interrupt(t *take) {
	t.io.Lock()
	defer t.io.Unlock()
	if s.end(t) {
		s.failedLocked(t, "recording", errStopped, true)
	}
}

func every(ctx context.Context, period time.Duration, do func()) {
	ticks := time.NewTicker(period)
	defer ticks.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
			do()
		}
	}
}

// write appends to every open file what has had its time.
func (s *Shelf) write() {
	for _, t := range s.running() {
		select {
		case <-t.opened:
		default:
			continue
		}
		if err := guard.Call(func() { s.writeOne(t) }); err != nil {
			s.failed(t, "writing", err, true)
		}
	}
}

func (s *Shelf) writeOne(t *take) {
	if !t.io.TryLock() {
		return // it is being closed
	}
	defer t.io.Unlock()
	if t.out == nil || t.closed {
		return
	}
	if err := t.flush(t.age() - frames(writeBehind)); err != nil {
		s.failedLocked(t, "writing", err, false)
		return
	}
	s.dirty.Store(true)
}

// sync brings to the disk what was written. What it failed on it may have
// forgotten, so no recording of that moment is called complete.
func (s *Shelf) sync() {
	if !s.dirty.Swap(false) {
		return
	}
	if err := s.disk.Sync(); err != nil {
		for _, t := range s.running() {
			s.failed(t, "syncing", err, true)
		}
	}
}
