package exchange

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"callbox/cti/media/dsp"
)

// Files are the sounds that a script names: one channel of linear samples at
// 8 kHz.
type Files interface {
	Read(name string) ([]int16, error)
	Write(name string, sound []int16) error
}

// Cast is what a script needs beside its steps.
type Cast struct {
	Call  Call // whose calls these are
	Files Files
	Log   *slog.Logger
}

// Times of a script.
const (
	expectWithin = 10 * time.Second
	flashLength  = 100 * time.Millisecond
	setFlash     = 300 * time.Millisecond
	dropLength   = 500 * time.Millisecond
	longestTape  = 3600 * dsp.Rate // samples
)

// performance is a script on its way, by the goroutine in Perform.
type performance struct {
	line   *Exchange
	cast   Cast
	sounds map[string][]int16
	fresh  map[Party]bool // has begun to speak, and no time has passed since
	tape   *recording
	lifts  bool // the next step is lift
}

type recording struct {
	Tape
	name string
	stop func()
}

// Perform runs a script to its end, where a caller who is still there hangs up.
// All sounds are read before the first step. The error names the script's line;
// it wraps [ErrExpected] where that is the reason. Recordings are written in
// any case.
func (e *Exchange) Perform(ctx context.Context, script Script, cast Cast) (err error) {
	p := &performance{line: e, cast: cast, fresh: map[Party]bool{}}
	if p.cast.Log == nil {
		p.cast.Log = e.cfg.Log
	}
	if err := p.load(script); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, p.stopTape()) }()
	manual := slices.ContainsFunc(script, func(s Step) bool { return s.Verb == "await" })
	if err := e.Manual(ctx, manual); err != nil {
		return err
	}
	for i, s := range script {
		p.lifts = i+1 < len(script) && script[i+1].Verb == "lift"
		if err := p.step(ctx, s); err != nil {
			return fmt.Errorf("line %d: %s: %w", s.Line, s.Verb, err)
		}
	}
	return p.end(ctx, script)
}

// load reads what will be played; the error joins all that cannot be.
func (p *performance) load(script Script) error {
	p.sounds = map[string][]int16{}
	var faults []error
	for _, s := range script {
		if s.Verb != "play" && s.Verb != "say" || p.sounds[s.Text] != nil {
			continue
		}
		sound, err := p.cast.Files.Read(s.Text)
		if err != nil {
			faults = append(faults, fmt.Errorf("line %d: %s: %w", s.Line, s.Verb, err))
		}
		p.sounds[s.Text] = sound
	}
	return errors.Join(faults...)
}

// end lets what was begun in the last steps come to its end.
func (p *performance) end(ctx context.Context, script Script) error {
	if err := errors.Join(p.finish(ctx, Caller), p.finish(ctx, Set)); err != nil {
		return err
	}
	if n := len(script); n > 0 && script[n-1].Verb == "record" && script[n-1].For == 0 {
		return p.line.ExpectHangUp(ctx, maxTime)
	}
	return nil
}

// step does one of them.
func (p *performance) step(ctx context.Context, s Step) error {
	p.cast.Log.Info("step", "line", s.Line, "step", s.Verb, "with", s.Text)
	do, ok := doings[s.Verb]
	if !ok {
		return fmt.Errorf("no such step")
	}
	err := do(p, ctx, s)
	if errors.Is(err, ErrNotNow) && (s.Verb == "digits" || s.Verb == "dial") {
		p.cast.Log.Warn("nobody hears these digits", "line", s.Line, "err", err)
		return nil
	}
	return err
}

// doings is what each step does.
var doings = map[string]func(*performance, context.Context, Step) error{
	"ring":       (*performance).ring,
	"wait":       (*performance).wait,
	"play":       func(p *performance, ctx context.Context, s Step) error { return p.speak(ctx, Caller, s) },
	"say":        func(p *performance, ctx context.Context, s Step) error { return p.speak(ctx, Set, s) },
	"record":     (*performance).record,
	"digits":     func(p *performance, ctx context.Context, s Step) error { return p.press(ctx, Caller, s) },
	"dial":       func(p *performance, ctx context.Context, s Step) error { return p.press(ctx, Set, s) },
	"expect":     (*performance).expect,
	"flash":      (*performance).flash,
	"hangup":     (*performance).hangUp,
	"polarity":   func(p *performance, ctx context.Context, _ Step) error { return p.line.Reverse(ctx) },
	"lift":       func(p *performance, ctx context.Context, _ Step) error { return p.line.Lift(ctx) },
	"replace":    (*performance).replace,
	"drop":       (*performance).drop,
	"await":      (*performance).await,
	"ringback":   (*performance).treat,
	"busy":       (*performance).treat,
	"congestion": (*performance).treat,
	"vacant":     (*performance).treat,
	"pickup":     func(p *performance, ctx context.Context, _ Step) error { return p.line.PickUp(ctx) },
}

func (p *performance) ring(ctx context.Context, s Step) error {
	call := p.cast.Call
	if p.lifts {
		return p.line.RingFor(ctx, call, max(s.N, 1))
	}
	call.Bursts = s.N
	err := p.line.RingWhenFree(ctx, call)
	if s.N > 0 && errors.Is(err, ErrNoAnswer) {
		p.cast.Log.Info("nobody answered", "line", s.Line)
		return nil
	}
	return err
}

func (p *performance) wait(ctx context.Context, s Step) error { return p.pass(ctx, s.For) }

// pass lets time pass; what is spoken in the meantime is not new any more.
func (p *performance) pass(ctx context.Context, d time.Duration) error {
	clear(p.fresh)
	return p.line.Wait(ctx, d)
}

func (p *performance) speak(ctx context.Context, who Party, s Step) error {
	if err := p.finish(ctx, who); err != nil {
		return err
	}
	if err := p.line.Say(ctx, who, Sound(p.sounds[s.Text])); err != nil {
		return err
	}
	if s.For == 0 {
		p.fresh[who] = true
		return nil
	}
	return errors.Join(p.pass(ctx, s.For), p.line.Say(ctx, who, nil))
}

// finish waits for the end of what somebody has only just begun to say.
func (p *performance) finish(ctx context.Context, who Party) error {
	if !p.fresh[who] {
		return nil
	}
	clear(p.fresh)
	return p.line.Said(ctx, who)
}

func (p *performance) press(ctx context.Context, who Party, s Step) error {
	if err := p.finish(ctx, who); err != nil {
		return err
	}
	clear(p.fresh)
	return p.line.Press(ctx, who, s.Text)
}

func (p *performance) record(ctx context.Context, s Step) error {
	if err := p.stopTape(); err != nil {
		return err
	}
	r := &recording{Tape: Tape{Limit: longestTape}, name: s.Text}
	stop, err := p.line.Listen(ctx, r)
	if err != nil {
		return err
	}
	r.stop, p.tape = stop, r
	if s.For == 0 {
		return nil
	}
	return errors.Join(p.pass(ctx, s.For), p.stopTape())
}

// stopTape writes what was recorded.
func (p *performance) stopTape() error {
	r := p.tape
	if r == nil {
		return nil
	}
	p.tape = nil
	r.stop()
	return p.cast.Files.Write(r.name, r.Sound)
}

func (p *performance) expect(ctx context.Context, s Step) error {
	clear(p.fresh)
	within := s.For
	set(&within, expectWithin)
	switch s.Text {
	case "hangup":
		return p.line.ExpectHangUp(ctx, within)
	case "flash":
		return p.line.ExpectFlash(ctx, within)
	}
	return p.line.Expect(ctx, s.Text, within)
}

func (p *performance) flash(ctx context.Context, s Step) error {
	now, err := p.line.Status(ctx)
	if err != nil {
		return err
	}
	d := s.For
	if now.SetOff {
		set(&d, setFlash)
	}
	set(&d, flashLength)
	return errors.Join(p.line.Flash(ctx, d), p.line.Wait(ctx, d))
}

func (p *performance) hangUp(ctx context.Context, s Step) error {
	if err := p.finish(ctx, Caller); err != nil {
		return err
	}
	if s.Text == "silent" {
		return p.line.HangUpSilently(ctx)
	}
	return p.line.HangUp(ctx)
}

func (p *performance) replace(ctx context.Context, _ Step) error {
	if err := p.finish(ctx, Set); err != nil {
		return err
	}
	return p.line.Replace(ctx)
}

func (p *performance) drop(ctx context.Context, s Step) error {
	d := s.For
	set(&d, dropLength)
	clear(p.fresh)
	return errors.Join(p.line.Drop(ctx, d), p.line.Wait(ctx, d))
}

func (p *performance) await(ctx context.Context, s Step) error {
	clear(p.fresh)
	number, err := p.line.Await(ctx, s.Text, s.For)
	if err == nil {
		p.cast.Log.Info("dialled", "line", s.Line, "number", number)
	}
	return err
}

func (p *performance) treat(ctx context.Context, s Step) error {
	clear(p.fresh)
	if err := p.line.Treat(ctx, s.Verb); err != nil {
		return err
	}
	return p.line.Wait(ctx, s.For)
}
