package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"callbox/cti/ctitest"
	"callbox/cti/media/dsp"
	"callbox/firmware/exchange"
	"callbox/internal/guard"
)

// simLineCmd is an exchange and a caller on an analogue side.
type simLineCmd struct {
	Connect string `required:"" placeholder:"DIR/analog1" help:"The analogue side of a box."`
	Script  string `placeholder:"FILE" help:"What caller, line and telephone do; see below."`

	Number   string `default:"13800138000" help:"The caller's number; empty: withheld."`
	Name     string `help:"The caller's name (FSK only)."`
	CallerID string `name:"callerid" enum:"fsk,dtmf,none" default:"fsk" help:"How the number is sent: fsk (after the first ring), dtmf (before it) or none."`
	Prelude  string `enum:"none,polarity,ring" default:"none" help:"What comes before a number in DTMF: none, polarity (reversed) or ring (short)."`
	V23      bool   `name:"v23" help:"FSK of V.23 (ETSI) instead of Bell 202 (China)."`

	Level      *float64 `placeholder:"dBm0" help:"Level of the caller ID, DTMF: of each tone before twist (-13.5)."`
	DigitLevel float64  `placeholder:"dBm0" default:"-9" help:"Level of each tone of pressed digits."`
	Twist      float64  `placeholder:"dB" default:"2" help:"Twist of digits: high tone minus low."`
	Noise      *float64 `placeholder:"dB" help:"Noise on the line, so far below the caller ID's level; none if not given."`
	Hybrid     float64  `placeholder:"dB" help:"Echo return loss of the box's own sound; no echo if not given."`

	Polarity bool              `help:"The polarity is reversed from answer to release."`
	Drop     time.Duration     `help:"At release the feed is gone for so long."`
	Silent   bool              `help:"After release no busy tone is heard."`
	RingOn   time.Duration     `default:"1s" help:"Length of a ring burst."`
	RingOff  time.Duration     `default:"4s" help:"Length of the pause between two."`
	Dialled  map[string]string `placeholder:"NUMBER=busy" help:"What becomes of numbers that the box dials: busy, congestion, vacant, noanswer, or the time to the answer (5s, as for all others)."`

	Calls int           `default:"1" help:"Without a script: how many call; 0: none, the line only serves what the box dials."`
	Every time.Duration `default:"10s" help:"Without a script: from one call's end to the next."`
	Talk  time.Duration `help:"Without a script: a caller hangs up so long after the answer; 0: stays until the box hangs up."`
}

// Help explains scripts, with examples.
func (simLineCmd) Help() string {
	return `Without a script somebody calls, talks when answered, and stays until the box hangs up; the
line then serves what the box dials, until SIGTERM. With one, the exit code is 0 at its end
and 1 where an "expect" fails; paths are relative to it. What it is about to do goes to the log.

` + exchange.Steps + `

A script:
  record heard.wav    # all that the caller hears
  ring
  play question.wav
  expect 159#
  digits 1
  wait 5s
  hangup
  expect hangup

Example: callbox sim line --connect /tmp/box/analog1 --number 13812345678 --callerid dtmf
         callbox sim line --connect /tmp/box/analog1 --script call.txt --hybrid 10 --noise 30
         callbox sim line --connect /tmp/box/analog1 --calls 0 --dialled 88880001=busy --polarity`
}

// How long a box may take to hang up at the end of a script, and when the
// simulator is stopped.
const (
	patience     = 10 * time.Second
	lastPatience = time.Second
)

// Run is the line until the script ends or SIGTERM.
func (c *simLineCmd) Run(s *session) error {
	cfg, err := c.config(s)
	if err != nil {
		return err
	}
	play, err := c.play(s)
	if err != nil {
		return err
	}
	line, err := exchange.New(cfg)
	if err != nil {
		return usageError("sim line: " + err.Error())
	}
	stream, err := exchange.Connect(s.ctx, c.Connect)
	if err != nil {
		return fmt.Errorf("callbox sim line: %w", err)
	}
	if err := runLine(s, line, stream, play); err != nil {
		return fmt.Errorf("callbox sim line: %w", err)
	}
	return nil
}

// runLine has play done on a line and ends both.
func runLine(s *session, line *exchange.Exchange, stream io.ReadWriteCloser, play func(*exchange.Exchange) error) error {
	work, stop := context.WithCancel(context.WithoutCancel(s.ctx))
	defer stop()
	ended := errors.New("the line fell")
	wg := guard.Group{Log: s.log}
	wg.Go("exchange", func() { ended = line.Run(work, stream) })
	err := alive(s, line)
	if err == nil {
		err = errors.Join(play(line), leaveLine(s, work, line))
	}
	stop()
	wg.Wait()
	switch {
	case ended != nil:
		return ended // and the reason of the others
	case s.ctx.Err() != nil && errors.Is(err, context.Cause(s.ctx)):
		return nil // a stop is no error
	}
	return err
}

// errSilent is a socket with nobody behind it.
var errSilent = errors.New("the box does not answer; is another line connected to it?")

// answersWithin is how long a box may take for its first frame.
const answersWithin = 5 * time.Second

// alive waits for the box's first frame.
func alive(s *session, line *exchange.Exchange) error {
	ctx, cancel := context.WithTimeoutCause(s.ctx, answersWithin, errSilent)
	defer cancel()
	return line.Wait(ctx, 1)
}

// leaveLine has the caller hang up and gives the box time to do so, too.
func leaveLine(s *session, work context.Context, line *exchange.Exchange) error {
	if s.ctx.Err() == nil {
		err := line.Leave(s.ctx, patience)
		if s.ctx.Err() == nil {
			return err
		}
	}
	short, cancel := context.WithTimeout(work, 3*lastPatience)
	defer cancel()
	return line.Leave(short, lastPatience)
}

// preludes are the values of the flag.
var preludes = map[string]exchange.Prelude{
	"none": exchange.NoPrelude, "polarity": exchange.ReversalPrelude, "ring": exchange.RingPrelude,
}

func (c *simLineCmd) config(s *session) (exchange.Config, error) {
	level := callerIDLevel
	if c.Level != nil {
		level = *c.Level
	}
	routes, err := c.routes()
	if err != nil {
		return exchange.Config{}, err
	}
	cfg := exchange.Config{
		RingOn: c.RingOn, RingOff: c.RingOff, Level: level, Prelude: preludes[c.Prelude],
		Keying:   dsp.Keying{Level: c.DigitLevel, Twist: c.Twist, On: dsp.DefaultKeying.On, Off: dsp.DefaultKeying.Off},
		Polarity: c.Polarity, Drop: c.Drop, Silent: c.Silent, Hybrid: c.Hybrid, Routes: routes, Voice: voice, Log: s.log,
	}
	if c.V23 {
		cfg.Modulation = dsp.V23
	}
	if c.Noise != nil {
		cfg.Noise = level - *c.Noise
	}
	return cfg, nil
}

// voice is what callers and called sound like.
func voice() exchange.Source { return exchange.Loop(ctitest.Speech(140, 9*dsp.Rate)) }

func (c *simLineCmd) routes() (map[string]exchange.Route, error) {
	routes := map[string]exchange.Route{}
	for number, what := range c.Dialled {
		after, err := time.ParseDuration(what)
		switch {
		case what == "noanswer":
			routes[number] = exchange.Route{Never: true}
		case err == nil && after > 0:
			routes[number] = exchange.Route{After: after}
		case what == "busy" || what == "congestion" || what == "vacant":
			routes[number] = exchange.Route{Tone: what}
		default:
			return nil, usageError(fmt.Sprintf("sim line: --dialled %s=%s: not busy, congestion, vacant, noanswer or a time such as 5s", number, what))
		}
	}
	return routes, nil
}

// caller is who calls.
func (c *simLineCmd) caller() dsp.CallerID {
	who := dsp.CallerID{Number: c.Number, Name: c.Name, Private: c.Number == "", Time: time.Now().Format("01021504")}
	if c.CallerID != "none" {
		who.Mode = c.CallerID
	}
	return who
}

// play reads the script and gives what has to be done on the line.
func (c *simLineCmd) play(s *session) (func(*exchange.Exchange) error, error) {
	if c.Script == "" {
		return func(line *exchange.Exchange) error { return c.calls(s.ctx, line) }, nil
	}
	text, err := os.ReadFile(c.Script)
	if err != nil {
		return nil, fmt.Errorf("callbox sim line: %w", err)
	}
	script, err := exchange.ParseScript(string(text))
	if err != nil {
		return nil, fmt.Errorf("callbox sim line: %s:\n%w", c.Script, err)
	}
	cast := exchange.Cast{Call: exchange.Call{Caller: c.caller()}, Files: folder(filepath.Dir(c.Script)), Log: s.log}
	return func(line *exchange.Exchange) error {
		if err := line.Perform(s.ctx, script, cast); err != nil {
			return fmt.Errorf("%s: %w", c.Script, err)
		}
		return nil
	}, nil
}

// folder is where a script's sounds are.
type folder string

func (f folder) path(name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(string(f), name)
}

func (f folder) Read(name string) ([]int16, error) { return readSound(f.path(name), 0) }

func (f folder) Write(name string, sound []int16) error { return writeSound(f.path(name), sound) }

// calls is what happens without a script, until ctx ends.
func (c *simLineCmd) calls(ctx context.Context, line *exchange.Exchange) error {
	for n := 1; n <= c.Calls; n++ {
		if n > 1 {
			if err := line.Wait(ctx, c.Every); err != nil {
				return err
			}
		}
		if err := c.call(ctx, line); err != nil {
			return err
		}
	}
	return line.Reach(ctx) // no state: until the end
}

func (c *simLineCmd) call(ctx context.Context, line *exchange.Exchange) error {
	err := line.RingWhenFree(ctx, exchange.Call{Caller: c.caller()})
	if err == nil {
		err = line.Say(ctx, exchange.Caller, voice())
	}
	if err == nil && c.Talk > 0 {
		err = errors.Join(line.Wait(ctx, c.Talk), line.HangUp(ctx))
	}
	if err != nil {
		return err
	}
	return line.Reach(ctx, exchange.Idle)
}
