// Package guard starts every goroutine of callbox.
//
// A panic in one of them is recovered, logged with its stack and counted, and
// ends that goroutine only. guard runs no goroutine of its own beyond those it
// is asked for ([Serve], an HTTP server, asks for one), and knows nothing of
// calls, messages or lines.
package guard

import (
	"fmt"
	"log/slog"
	"runtime/debug"
	"sync"
	"sync/atomic"
)

var (
	running atomic.Int64
	panics  atomic.Int64
)

// Running is the number of guarded goroutines now alive.
func Running() int64 { return running.Load() }

// Panics is the number of panics recovered since start.
func Panics() int64 { return panics.Load() }

// Go runs f in a goroutine of its own, named for the log. A panic in f is
// logged to log (slog.Default when nil) and ends f only.
func Go(name string, log *slog.Logger, f func()) {
	start(name, log, f, func() {})
}

func start(name string, log *slog.Logger, f, ended func()) {
	running.Add(1)
	go func() {
		defer ended()
		defer running.Add(-1)
		if err := Call(f); err != nil {
			report(name, log, err)
		}
	}()
}

// Call runs f here and turns a panic in it into an error of type [*Panic].
func Call(f func()) (err error) {
	defer func() {
		if v := recover(); v != nil {
			panics.Add(1)
			err = &Panic{Value: v, Stack: debug.Stack()}
		}
	}()
	f()
	return nil
}

// Panic is a recovered panic: what was thrown and from where.
type Panic struct {
	Value any
	Stack []byte
}

func (p *Panic) Error() string { return fmt.Sprintf("panic: %v", p.Value) }

func report(name string, log *slog.Logger, err error) {
	if log == nil {
		log = slog.Default()
	}
	attrs := []any{"goroutine", name, "err", err}
	if p, ok := err.(*Panic); ok {
		attrs = append(attrs, "stack", string(p.Stack))
	}
	log.Error("goroutine ended by a panic", attrs...)
}

// Group is a set of guarded goroutines that are waited for together. The zero
// value is ready to use; Log is where panics go (slog.Default when nil).
type Group struct {
	Log *slog.Logger
	wg  sync.WaitGroup
}

// Go runs f in the group under name.
func (g *Group) Go(name string, f func()) {
	g.wg.Add(1)
	start(name, g.Log, f, g.wg.Done)
}

// Wait returns when every function of the group has returned.
func (g *Group) Wait() { g.wg.Wait() }
