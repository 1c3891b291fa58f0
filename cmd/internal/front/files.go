package front

import (
	"context"
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"sync/atomic"
	"time"
)

// Times of a certificate in files.
const (
	lookAtFiles = 10 * time.Second
	fileEnds    = 14 * 24 * time.Hour // before which somebody is told
)

// files is a certificate in two files, which somebody else renews.
type files struct {
	cert, key string
	log       *slog.Logger
	shown     atomic.Pointer[tls.Certificate]
	trouble   trouble

	looking sync.Mutex // guards seen
	seen    [2]stamp   // of the files when they were last read
}

// stamp tells whether a file is another one than before.
type stamp struct {
	size    int64
	changed time.Time
}

func stampOf(file string) stamp {
	info, err := os.Stat(file)
	if err != nil {
		return stamp{}
	}
	return stamp{info.Size(), info.ModTime()}
}

func openFiles(cert, key string, log *slog.Logger) (*files, error) {
	f := &files{cert: cert, key: key, log: log}
	f.seen = f.stamps()
	return f, f.read()
}

func (f *files) stamps() [2]stamp { return [2]stamp{stampOf(f.cert), stampOf(f.key)} }

func (f *files) read() error {
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	f.shown.Store(&pair)
	return nil
}

func (f *files) show(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.shown.Load(), nil }

// again reads the files if they changed. A pair that does not fit (one file was
// written, the other not yet) leaves the old one shown, and is told of once.
func (f *files) again() {
	f.looking.Lock()
	defer f.looking.Unlock()
	seen := f.stamps()
	if seen == f.seen {
		return
	}
	f.seen = seen
	err := f.read()
	f.trouble.note(err, f.log, "the new certificate cannot be used, the old one is shown")
	if err == nil {
		f.log.Info("certificate read again", "file", f.cert, "until", f.shown.Load().Leaf.NotAfter)
	}
}

func (f *files) keep(ctx context.Context) error { return each(ctx, lookAtFiles, f.again) }

func (f *files) state() error {
	if err := f.trouble.last(); err != nil {
		return err
	}
	return endsSoon("the certificate", f.shown.Load().Leaf.NotAfter, fileEnds)
}

// trouble remembers what went wrong last, and logs each fault once.
type trouble struct {
	mu  sync.Mutex
	err error
}

func (t *trouble) last() error {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.err
}

func (t *trouble) note(err error, log *slog.Logger, words string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if err != nil && (t.err == nil || t.err.Error() != err.Error()) {
		log.Error(words, "err", err)
	}
	t.err = err
}
