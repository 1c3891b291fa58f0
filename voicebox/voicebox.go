// Package voicebox drives analogue telephone lines through V.253 voice boxes
// on serial ports: each line is a [cti.Leg] while there is a call on it.
//
// [Lines.Run] runs one goroutine a line. It opens the port, owns the box, the
// line's state and its sound, and begins anew after whatever ended it; a leg's
// methods only tell it what is wanted. A call from outside gets a goroutine of
// its own for [Calls].Accept. The package does not know what a call is for, and
// nothing of V.253 beyond package v253.
package voicebox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/cti/media/dsp"
	"callbox/internal/guard"
	"callbox/internal/number"
	"callbox/voicebox/v253"
)

// Modes of a line.
const (
	ModeAnswer = "answer" // callbox takes the call
	ModeAttend = "attend" // the box sits beside an ordinary telephone and listens
)

// MaxLines is how many lines one callbox drives.
const MaxLines = 16

// Config is how the lines are set.
type Config struct {
	Lines    []Line
	AreaCode string // the local area, such as 0571
	Log      *slog.Logger
	Sys      string // where sysfs is; "" for /sys
}

// Line is one analogue line.
type Line struct {
	Port    string // /dev/ttyACM0; "" where Serial says which
	Serial  string // the box's USB serial number; SERIAL:2 for the second port of a box
	Label   string
	Number  string   // the line's own number: the DID of its calls
	Mode    string   // ModeAnswer or ModeAttend
	Desk    string   // ModeAttend: the agent whose telephone hangs on the line
	Profile string   // of the modem, see [v253.Config]; "" for auto
	Tones   dsp.Plan // nil for [dsp.China]
	// Polarity says that the exchange reverses the line at answer and back at
	// release: then nothing else counts as an answer.
	Polarity bool
}

// Validate reports every fault of the settings.
func (c Config) Validate() error {
	var faults []error
	if len(c.Lines) > MaxLines {
		faults = append(faults, fmt.Errorf("%d lines: at most %d", len(c.Lines), MaxLines))
	}
	labels, ports := map[string]bool{}, map[string]bool{}
	for i, l := range c.Lines {
		if err := l.validate(); err != nil {
			faults = append(faults, fmt.Errorf("line %d %q: %w", i+1, l.Label, err))
		}
		if labels[l.Label] || ports[l.Port+"|"+l.Serial] {
			faults = append(faults, fmt.Errorf("line %d %q: label or port is taken by another line", i+1, l.Label))
		}
		labels[l.Label], ports[l.Port+"|"+l.Serial] = true, true
	}
	return errors.Join(faults...)
}

func (l Line) validate() error {
	switch {
	case l.Label == "":
		return errors.New("label: missing")
	case strings.Contains(l.Label, "/"):
		return errors.New("label: no / in it")
	case l.Port == "" && l.Serial == "":
		return errors.New("port or serial: missing")
	case l.Mode != ModeAnswer && l.Mode != ModeAttend:
		return fmt.Errorf("mode %q: want answer or attend", l.Mode)
	case l.Mode == ModeAttend && l.Desk == "":
		return errors.New("desk: an attended line is some agent's")
	}
	return nil
}

// Lines are all lines of the box. Its methods may be called from any goroutine.
type Lines struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	lines   []*line
	connect func(ctx context.Context, port string, l Line) (box, error)
	calls   guard.Crew
}

// New makes the lines; [Lines.Run] brings them to life.
func New(cfg Config, deps Deps) (*Lines, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("voice box: %w", err)
	}
	cfg.Log, cfg.Sys = cmp.Or(cfg.Log, slog.Default()), cmp.Or(cfg.Sys, "/sys")
	if deps.Open == nil {
		deps.Open = openPort
	}
	all := &Lines{cfg: cfg, deps: deps, log: cfg.Log, calls: guard.Crew{Log: cfg.Log}}
	all.connect = all.openBox
	for _, l := range cfg.Lines {
		if l.Tones == nil {
			l.Tones = dsp.China()
		}
		all.lines = append(all.lines, newLine(all, l))
	}
	return all, nil
}

// openBox opens a port and the box behind it.
func (l *Lines) openBox(ctx context.Context, port string, cfg Line) (box, error) {
	stream, err := l.deps.Open(port)
	if err != nil {
		return nil, fmt.Errorf("open %s: %w", port, err)
	}
	m, err := v253.Open(ctx, stream, v253.Config{Profile: cmp.Or(cfg.Profile, "auto"), Log: l.log.With("line", cfg.Label)})
	if err != nil {
		return nil, errors.Join(err, closing(stream))
	}
	return modem{m}, nil
}

func closing(c io.Closer) error {
	if err := c.Close(); err != nil {
		return fmt.Errorf("close the port: %w", err)
	}
	return nil
}

// Run serves all lines until ctx ends. Calls that are left end with
// [cti.ErrShutdown]; when Run returns every line is on hook and its goroutines
// have returned.
func (l *Lines) Run(ctx context.Context) error {
	group := guard.Group{Log: l.log}
	for _, one := range l.lines {
		group.Go("line "+one.cfg.Label, func() { one.run(ctx) })
	}
	<-ctx.Done() // also where there is no line
	group.Wait()
	<-l.calls.Quiet()
	return nil
}

// Dial goes off hook on a line and dials: d is line:LABEL/NUMBER. An analogue
// line always shows its own number, as is kept for the record only. Errors:
// [cti.ErrNotFound] for a line or number that there is not, [cti.ErrUnreachable]
// while the line is out of service, in use or not ours to dial on. The leg's
// Answer fails with [cti.ErrUnreachable], too, where there is no dial tone, or a
// caller rings first and gets the line: another line may do.
func (l *Lines) Dial(_ context.Context, d cti.Device, as cti.Number, callID string) (cti.Leg, error) {
	label, wanted, _ := strings.Cut(d.Address(), "/")
	i := slices.IndexFunc(l.lines, func(one *line) bool { return one.cfg.Label == label })
	if i < 0 {
		return nil, fmt.Errorf("dial %s: %w: no line %q", number.Masked(d), cti.ErrNotFound, label)
	}
	leg, err := l.lines[i].dial(d, wanted, as, callID)
	if err != nil {
		return nil, fmt.Errorf("dial on line %s: %w", label, err)
	}
	return leg, nil
}

// Free gives the labels of the lines in service and idle on which callbox may
// dial: the one with the fewest calls since the start first, of equals the one
// idle longest.
func (l *Lines) Free() []string {
	var free []status
	for _, one := range l.lines {
		if s := one.now(); s.free() && one.cfg.Mode == ModeAnswer {
			free = append(free, s)
		}
	}
	slices.SortStableFunc(free, func(a, b status) int {
		return cmp.Or(cmp.Compare(a.calls, b.calls), a.idle.Compare(b.idle))
	})
	labels := make([]string, len(free))
	for i, s := range free {
		labels[i] = s.Label
	}
	return labels
}

// Words of [State].
const (
	InService    = cti.InService
	OutOfService = cti.OutOfService
)

// State is how a line is.
type State struct {
	Label, Number string
	Port          string // where its box was found last
	State         string // InService or OutOfService
	Busy          bool
	Since         time.Time // of State
	Why           string    // out of service: the reason
	Box           v253.Identity
}

// States tells how all lines are, in the order of the settings.
func (l *Lines) States() []State {
	all := make([]State, len(l.lines))
	for i, one := range l.lines {
		all[i] = one.now().State
	}
	return all
}

// accept hands a leg to the calls in a goroutine of its own.
func (l *Lines) accept(ctx context.Context, leg *leg) {
	l.calls.Go("call on line "+leg.origin.Line, func() {
		defer leg.Hangup(cti.CauseError) // only a panic leaves it open until here
		if err := l.deps.Calls.Accept(ctx, leg); err != nil {
			leg.log.Warn("call ended with an error", "err", err)
		}
	})
}

// law is the law of the lines' ports: that of China and Europe.
const law = media.PCMA
