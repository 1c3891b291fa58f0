// Package speech makes prompts: from WAV and MP3 files, from a speech engine,
// and tones and music that need no file.
//
// A [Library] decodes each file once, on the goroutine that asked for it, and
// keeps it as long as the file does not change. The package runs no goroutine
// of its own. It knows sound and files; when a prompt is heard, and by whom,
// is others' business.
package speech

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"time"

	"callbox/cti/media"
)

// What may be wrong with a prompt.
var (
	ErrNotFound = errors.New("speech: there is no such prompt")
	ErrEmpty    = errors.New("speech: there is no sound in it")
	ErrCorrupt  = errors.New("speech: not a sound file that can be read")
	ErrTooLong  = errors.New("speech: the prompt is too long")
)

// Config says where prompts are and how big they may be.
type Config struct {
	Dirs       []string      // searched in this order; a relative name never leads out of one
	Outside    bool          // absolute names are taken, too
	MaxBytes   int64         // of a file; 32 MB when 0
	MaxLength  time.Duration // of a prompt; 15 min when 0
	CacheBytes int64         // of decoded prompts kept; 256 MB when 0
}

// Library loads prompts and keeps them.
type Library struct {
	cfg Config

	mu    sync.Mutex
	kept  map[string]*entry
	bytes int64
	uses  int64
}

// entry is a prompt that is being, or was, decoded.
type entry struct {
	stamp  stamp
	done   chan struct{} // closed when prompt and err are set
	prompt media.Prompt
	err    error
	used   int64
}

// stamp tells whether a file changed.
type stamp struct {
	modified time.Time
	size     int64
}

// New makes a library. The folders need not be there yet.
func New(cfg Config) (*Library, error) {
	if len(cfg.Dirs) == 0 && !cfg.Outside {
		return nil, errors.New("speech: no folder for prompts")
	}
	cfg.MaxBytes = cmp.Or(cfg.MaxBytes, 32<<20)
	cfg.MaxLength = cmp.Or(cfg.MaxLength, 15*time.Minute)
	cfg.CacheBytes = cmp.Or(cfg.CacheBytes, 256<<20)
	return &Library{cfg: cfg, kept: map[string]*entry{}}, nil
}

// Load gives the prompt in the file called name, decoded now or before. The
// error is one of this package's, wrapped with the name, or ctx's.
func (l *Library) Load(ctx context.Context, name string) (media.Prompt, error) {
	file, path, err := l.find(name)
	if err != nil {
		return media.Prompt{}, fmt.Errorf("loading prompt %s: %w", name, err)
	}
	defer func() { _ = file.Close() }()
	p, err := l.load(ctx, file, path)
	if err != nil {
		return media.Prompt{}, fmt.Errorf("loading prompt %s: %w", name, err)
	}
	p.Name = name
	return p, nil
}

// find opens the file; path is what it is kept under.
func (l *Library) find(name string) (file *os.File, path string, err error) {
	if filepath.IsAbs(name) {
		return l.findOutside(name)
	}
	for _, dir := range l.cfg.Dirs {
		file, err := openIn(dir, name)
		if err == nil {
			return file, filepath.Join(dir, name), nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, "", fmt.Errorf("%w: %w", ErrNotFound, err)
		}
	}
	return nil, "", ErrNotFound
}

func (l *Library) findOutside(name string) (*os.File, string, error) {
	if !l.cfg.Outside {
		return nil, "", fmt.Errorf("%w: it lies outside the prompts' folders", ErrNotFound)
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, "", fmt.Errorf("%w: %w", ErrNotFound, err)
	}
	return file, name, nil
}

func openIn(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer func() { _ = root.Close() }()
	return root.Open(filepath.FromSlash(name))
}

func (l *Library) load(ctx context.Context, file *os.File, path string) (media.Prompt, error) {
	stat, err := file.Stat()
	switch {
	case err != nil:
		return media.Prompt{}, err
	case !stat.Mode().IsRegular():
		return media.Prompt{}, fmt.Errorf("%w: it is no file", ErrCorrupt)
	case stat.Size() > l.cfg.MaxBytes:
		return media.Prompt{}, fmt.Errorf("%w: %d bytes, at most %d", ErrTooLong, stat.Size(), l.cfg.MaxBytes)
	}
	for {
		e, mine := l.entry(path, stamp{stat.ModTime(), stat.Size()})
		if mine {
			l.decode(ctx, e, file, path)
			return e.prompt, e.err
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return media.Prompt{}, context.Cause(ctx)
		}
		if !errors.Is(e.err, errGivenUp) {
			return e.prompt, e.err
		}
	}
}

// errGivenUp marks an entry whose decoder's context ended; others try again.
var errGivenUp = errors.New("speech: decoding was given up")

// entry gives what is kept of a file; mine says that the caller is to decode
// it.
func (l *Library) entry(path string, s stamp) (e *entry, mine bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.uses++
	e = l.kept[path]
	if e != nil && e.stamp == s {
		e.used = l.uses
		return e, false
	}
	l.forget(path)
	e = &entry{stamp: s, done: make(chan struct{}), used: l.uses}
	l.kept[path] = e
	return e, true
}

func (l *Library) decode(ctx context.Context, e *entry, file io.Reader, path string) {
	e.prompt, e.err = Decode(ctx, io.LimitReader(file, l.cfg.MaxBytes), l.cfg.MaxLength)
	if ctx.Err() != nil {
		e.err = fmt.Errorf("%w: %w", errGivenUp, context.Cause(ctx))
	}
	close(e.done)
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.kept[path] != e {
		return
	}
	l.bytes += e.size()
	if ctx.Err() != nil {
		l.forget(path)
	}
	l.makeRoom(path)
}

func (e *entry) size() int64 { return int64(len(e.prompt.PCMA) + len(e.prompt.PCMU)) }

// forget drops what is kept of a file. Callers hold mu.
func (l *Library) forget(path string) {
	e := l.kept[path]
	if e == nil {
		return
	}
	select {
	case <-e.done:
		l.bytes -= e.size()
	default: // its decoder finds itself replaced and counts nothing
	}
	delete(l.kept, path)
}

// makeRoom drops what was not used for longest, but not the newest. Callers
// hold mu.
func (l *Library) makeRoom(newest string) {
	for l.bytes > l.cfg.CacheBytes && len(l.kept) > 1 {
		oldest := ""
		for path, e := range l.kept {
			if path != newest && (oldest == "" || e.used < l.kept[oldest].used) {
				oldest = path
			}
		}
		l.forget(oldest)
	}
}
