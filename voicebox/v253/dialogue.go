package v253

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"
)

// reset may bring back digits for result codes, and the echo; hello follows.
const reset = "ATZ"

// question is a command whose answer is awaited.
type question struct {
	command string
	lines   []string
	size    int
	bare    int         // so many results without a text belong to what was asked before
	final   chan string // one result code, buffered
}

// The most that is kept of an answer.
const (
	answerLines = 64
	answerBytes = 4096
)

// results are the words that end an answer (V.250 §5.7.1, V.253 §9), with what
// they mean. CONNECT only comes where a data state was asked for.
var results = map[string]error{
	"OK": nil, "VCON": nil, "CONNECT": nil, "0": nil,
	"ERROR": ErrRefused, "4": ErrRefused, "BUSY": ErrBusy, "NO CARRIER": ErrNoCarrier, "NO ANSWER": ErrNoAnswer,
	"NO DIALTONE": ErrNoDialTone, "NO DIAL TONE": ErrNoDialTone,
}

// refused says that an error is a result code: the box lives and takes commands.
func refused(err error) bool {
	for _, result := range results {
		if result != nil && errors.Is(err, result) {
			return true
		}
	}
	return false
}

// answered takes a line that is no event; mu is held.
func (m *Modem) answered(text []byte) {
	q := m.question
	if q == nil {
		return
	}
	line := strings.TrimSpace(string(text))
	result := strings.ToUpper(line) // some boxes whisper
	if _, known := results[result]; known && (len(line) > 1 || m.deaf || q.command == reset) {
		if q.bare > 0 && len(q.lines) == 0 && results[result] == nil {
			q.bare--
			return
		}
		m.question = nil
		q.final <- result
		return
	}
	if line == q.command || len(q.lines) == answerLines || q.size+len(line) > answerBytes {
		return // our own echo, or more than an answer
	}
	q.lines = append(q.lines, line)
	q.size += len(line)
}

// hold takes the turn to talk with the box; the caller gives it back.
func (m *Modem) hold(ctx context.Context) error {
	select {
	case m.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-m.closed:
		return m.gone()
	}
}

func (m *Modem) release() { <-m.turn }

// command takes the turn, leaves a live stream, and asks.
func (m *Modem) command(ctx context.Context, text string, limit time.Duration) error {
	if err := m.hold(ctx); err != nil {
		return fmt.Errorf("%s: %w", text, err)
	}
	defer m.release()
	if err := m.ready(ctx); err != nil {
		return fmt.Errorf("before %s: %w", text, err)
	}
	_, err := m.ask(ctx, text, limit)
	return err
}

// ready brings the box where it takes commands; the turn is held.
func (m *Modem) ready(ctx context.Context) error {
	if s := m.live(); s != nil {
		if err := m.leave(ctx, s); err != nil {
			return err
		}
	}
	if !m.owed.Load() {
		return nil
	}
	return m.resync(ctx)
}

// ask sends one command and waits for its result code; the turn is held. The
// lines before that are the answer. When no result comes the box's state is
// unknown, and the next command begins with a resync.
func (m *Modem) ask(ctx context.Context, text string, limit time.Duration) ([]string, error) {
	q := &question{command: text, final: make(chan string, 1)}
	err := m.inquire(ctx, q, limit)
	return q.lines, err
}

// inquire sends a question's command and waits for its result.
func (m *Modem) inquire(ctx context.Context, q *question, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("%w within %v", ErrSilent, limit))
	defer cancel()
	m.put(q)
	err := m.send(ctx, q.command+"\r")
	if err == nil {
		err = m.await(ctx, q)
	}
	if err != nil {
		return fmt.Errorf("%s: %w", q.command, err)
	}
	return nil
}

// put makes a question the one that answers belong to.
func (m *Modem) put(q *question) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.question = q
}

// await waits for a question's result code.
func (m *Modem) await(ctx context.Context, q *question) error {
	select {
	case final := <-q.final:
		return results[final]
	case <-ctx.Done():
		m.drop(q)
		return context.Cause(ctx)
	case <-m.closed:
		return m.gone()
	}
}

// drop gives a question up.
func (m *Modem) drop(q *question) {
	m.owed.Store(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.question == q {
		m.question = nil
	}
}
