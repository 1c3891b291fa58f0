package app

import (
	"cmp"
	"context"

	"callbox/api"
	"callbox/cmd/internal/config"
	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/voicebox"
)

var (
	_ cti.Exits = exits{}
	_ api.Lines = lines{}
)

// openLines makes the analogue lines; they come to life in answer.
func (a *app) openLines(context.Context) error {
	cfg := voicebox.Config{AreaCode: a.Box.AreaCode, Log: a.Log}
	for _, v := range a.Box.Voicebox {
		cfg.Lines = append(cfg.Lines, lineOf(v))
	}
	var err error
	a.lines, err = voicebox.New(cfg, voicebox.Deps{Engine: a.engine, Calls: a.calls, Journal: a.journal})
	if err != nil {
		return err
	}
	a.calls.Register("line", a.lines)
	return nil
}

func lineOf(v config.Voicebox) voicebox.Line {
	return voicebox.Line{
		Port: v.Port, Serial: v.Serial, Label: v.Label, Number: v.Number, Mode: v.Mode, Desk: v.Desk,
		Profile: v.Profile, Tones: v.Plan(), Polarity: v.Polarity,
	}
}

// PortTroubles are what troubles the ports of a configuration's lines, each at
// its place. A box that is not plugged in is no fault, it may be so later:
// missing has those.
func PortTroubles(file string) (troubles, missing config.Faults) {
	missing = config.PortTroubles(file, func(v config.Voicebox) []string {
		if voicebox.There(lineOf(v)) {
			return nil
		}
		return []string{cmp.Or(v.Port, v.Serial) + " is not there: is the box plugged in?"}
	})
	troubles = config.PortTroubles(file, func(v config.Voicebox) []string {
		if !voicebox.There(lineOf(v)) {
			return nil
		}
		return voicebox.CheckLine(lineOf(v))
	})
	return troubles, missing
}

// lines are the analogue lines as the API shows them.
type lines struct{ of *voicebox.Lines }

// Lines gives them in the order of the configuration.
func (l lines) Lines() []cti.Line {
	states := l.of.States()
	shown := make([]cti.Line, len(states))
	for i, s := range states {
		shown[i] = cti.Line{
			Label: s.Label, Number: s.Number, State: s.State, Since: stamp.At(s.Since), Why: s.Why, Busy: s.Busy, Box: cti.Box(s.Box),
		}
	}
	return shown
}

// exits are the ways out of the box: its trunks in their order, then the
// analogue lines that are free, the least used first.
type exits struct{ *app }

// Exits gives the ways to a number.
func (e exits) Exits(to cti.Number) []cti.Exit {
	number := to.E164
	if number == "" {
		number = to.Raw
	}
	ways := e.trunkExits(to, number)
	for _, label := range e.lines.Free() {
		ways = append(ways, cti.Exit{
			Device: cti.Device("line:" + label + "/" + to.Raw), As: cti.Number{Raw: e.numberOf(label)}, Line: label,
		})
	}
	return ways
}

// trunkExits are the trunks in their order; those that are down come last, since
// their health may be known too late.
func (a *app) trunkExits(to cti.Number, number string) []cti.Exit {
	var ways, last []cti.Exit
	for i, t := range a.phones.Trunks() {
		if !a.Box.SIP.Serves(t.Name, to) {
			continue
		}
		exit := cti.Exit{
			Device: cti.Device("trunk:" + t.Name + "/" + number), As: cti.Number{Raw: a.Box.SIP.Trunks[i].CallerID}, Line: t.Name,
		}
		if t.Up {
			ways = append(ways, exit)
		} else {
			last = append(last, exit)
		}
	}
	return append(ways, last...)
}

// numberOf is a line's own number, which the far side sees.
func (a *app) numberOf(label string) string {
	for _, v := range a.Box.Voicebox {
		if v.Label == label {
			return v.Number
		}
	}
	return ""
}
