package recorder

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"callbox/internal/guard"
	"callbox/recorder/wav"
)

const (
	menders     = 8
	mostMissing = 60.0 // seconds; a file's time says nothing when it says more
)

// Recover mends what a crash left: files whose row is still [Running] and that
// this shelf does not write. Each gets its header from its length and a row in
// state [Partial] (or [None], where there is no file) that says why and how
// much is missing. It may run beside new recordings.
func (s *Shelf) Recover(ctx context.Context) error {
	rows, err := s.index.Unfinished(ctx)
	if err != nil {
		return fmt.Errorf("finding unfinished recordings: %w", err)
	}
	rows = s.leftBehind(rows)
	s.inParallel(ctx, rows, func(row *Row) { s.mend(row) })
	if err := s.disk.Sync(); err != nil {
		return fmt.Errorf("syncing mended recordings: %w", err)
	}
	faults := make(chan error, len(rows))
	s.inParallel(ctx, rows, func(row *Row) {
		if err := s.index.Closed(ctx, *row); err != nil {
			faults <- fmt.Errorf("storing recording %s: %w", row.ID, err)
		}
	})
	close(faults)
	all := []error{context.Cause(ctx)}
	for err := range faults {
		all = append(all, err)
	}
	return errors.Join(all...)
}

// leftBehind leaves out what is being recorded now.
func (s *Shelf) leftBehind(rows []Row) []Row {
	s.mu.Lock()
	defer s.mu.Unlock()
	var left []Row
	for _, r := range rows {
		if s.takes[r.ID] == nil {
			left = append(left, r)
		}
	}
	return left
}

func (s *Shelf) inParallel(ctx context.Context, rows []Row, do func(*Row)) {
	next := make(chan *Row)
	group := guard.Group{Log: s.log}
	for range min(menders, len(rows)) {
		group.Go("mending recordings", func() {
			for row := range next {
				if err := guard.Call(func() { do(row) }); err != nil {
					s.log.Error("mending a recording failed", "call", row.ID, "err", err)
				}
			}
		})
	}
	for i := range rows {
		if ctx.Err() != nil {
			break
		}
		next <- &rows[i]
	}
	close(next)
	group.Wait()
}

// mend repairs a row's file and writes into the row what there is.
func (s *Shelf) mend(row *Row) {
	row.State, row.Why = None, "crash"
	if !filepath.IsLocal(filepath.FromSlash(row.Path)) {
		row.Why = "crash: its path leads elsewhere"
		return
	}
	path := filepath.Join(s.cfg.Dir, filepath.FromSlash(row.Path))
	last, err := modified(path)
	if err == nil {
		var n int64
		n, err = wav.Repair(path, format(row.Law))
		row.Seconds = seconds(n)
	}
	if err == nil {
		row.SHA256, err = hashFile(path)
	}
	switch {
	case errors.Is(err, fs.ErrNotExist):
		row.Why = "crash: before its first byte"
	case err != nil:
		row.Why = "crash: " + err.Error()
		s.log.Error("a recording cannot be mended", "call", row.ID, "err", err)
	default:
		row.State = Partial
		row.Missing = missingAfter(last, *row)
		s.log.Info("a recording was mended", "call", row.ID, "seconds", row.Seconds, "missing", row.Missing)
	}
}

// missingAfter estimates what a crash took: the call lived at least until the
// file was last written and at most until it would have been again.
func missingAfter(last time.Time, row Row) float64 {
	missing := last.Add(writeEvery).Sub(row.Started).Seconds() - row.Seconds
	if missing > mostMissing {
		missing = mostMissing
	}
	return max(missing, (writeEvery + writeBehind).Seconds())
}

func modified(path string) (time.Time, error) {
	stat, err := os.Stat(path)
	if err != nil {
		return time.Time{}, err
	}
	return stat.ModTime(), nil
}

func hashFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer func() { _ = f.Close() }()
	return hashOf(f)
}
