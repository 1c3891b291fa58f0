package box

import (
	"fmt"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
)

// ms is milliseconds in samples.
const ms = dsp.Rate / 1000

var nothingHeard [analog.Samples]int16

// steady is a yes or no that must last before it counts.
type steady struct {
	now   bool
	other int // samples of the other value
}

// hear takes a frame's value; true when it changed for good.
func (s *steady) hear(v bool, yes, no int) (changed bool) {
	if v == s.now {
		s.other = 0
		return false
	}
	s.other += analog.Samples
	need := no
	if v {
		need = yes
	}
	if s.other < need {
		return false
	}
	s.now, s.other = v, 0
	return true
}

// wires is what the two wires tell beside sound.
type wires struct {
	set      steady // the ordinary telephone is lifted
	gone     steady // no feed while the loop is closed
	fed      bool   // the last frame's feed and polarity
	reversed bool
}

// What the wires must last to count.
const (
	setLasts  = 60 * ms
	lossLasts = 200 * ms
	ringLasts = 100 * ms
	ringGap   = 200 * ms
)

// listen judges a frame: wires, bell, then sound.
func (m *modem) listen(in *analog.Line) {
	m.watch(in)
	m.hearBell(in.Ringing && m.set.hook != hookOff)
	m.deaf = max(0, m.deaf-analog.Samples)
	closed := m.set.hook == hookOff && !m.broken || m.wires.set.now
	switch {
	case m.deaf > 0 || m.broken:
	case closed:
		m.ears.talk(m, in.Sound[:])
	case in.Ringing: // the bell drowns the rest; time goes on
		m.ears.caller(m, nothingHeard[:])
	default:
		m.ears.caller(m, in.Sound[:])
	}
	m.hearSilence(in.Sound[:])
}

// watch reports the telephone's hook, a loop without current and reversals.
func (m *modem) watch(in *analog.Line) {
	if m.wires.set.hear(in.SetOff, setLasts, setLasts) {
		m.ears.reset()
		m.event(either(in.SetOff, setLifted, setReplaced))
	}
	looped := m.set.hook == hookOff && !m.broken
	if m.wires.gone.hear(looped && !in.Feed, lossLasts, analog.Samples) && m.wires.gone.now {
		m.event(loopLost)
	}
	if in.Feed && m.wires.fed && in.Reversed != m.wires.reversed {
		m.event(reversed)
		m.answered()
	}
	if m.wires.fed = in.Feed; in.Feed {
		m.wires.reversed = in.Reversed
	}
}

// bell is the ringing voltage: a burst counts when it lasted 100 ms, it ends
// with 200 ms without.
type bell struct {
	voltage steady
	on, off int // samples of this burst, of this pause
}

// hearBell reports a burst at its beginning, and with +VDR its length and the
// pause before it.
func (m *modem) hearBell(ringingNow bool) {
	b := &m.bell
	changed := b.voltage.hear(ringingNow, ringLasts, ringGap)
	switch {
	case changed && b.voltage.now:
		pause := max(0, b.off-ringLasts+analog.Samples)
		b.on, b.off = ringLasts, 0
		m.cadence("DROF", pause)
		m.ringOnce()
	case changed:
		m.cadence("DRON", b.on-ringGap+analog.Samples)
		b.on, b.off = 0, ringGap
	case b.voltage.now:
		b.on += analog.Samples
	case b.off > 0:
		b.off += analog.Samples
	}
	if b.off > longestPause {
		b.off = 0 // another call
	}
}

// longestPause is the longest silence inside one call's ringing.
const longestPause = 8000 * ms

func (m *modem) cadence(name string, samples int) {
	if m.set.ringReport == 1 && samples > 0 {
		m.report(distinctRing, []string{fmt.Sprintf("%s=%d", name, (samples+50*ms)/(100*ms))})
	}
}

func (m *modem) ringOnce() {
	if m.class == voice {
		m.event(ring)
		return
	}
	m.result(ringing)
}

// silence watches +VSD in the states that receive: s if there never was a
// sound, q when it ended.
type silence struct {
	heard bool
	quiet int
	told  bool
}

func (s *silence) begin() { *s = silence{} }

func (m *modem) hearSilence(in []int16) {
	if m.set.patience == 0 || !m.phase.receives() {
		return
	}
	s := &m.silence
	if dsp.Level(in) > float64(m.set.level-128)-40 {
		*s = silence{heard: true}
		return
	}
	s.quiet += len(in)
	if s.told || s.quiet < m.set.patience*100*ms {
		return
	}
	s.told = true
	m.event(either(s.heard, quietAfter, presumedEnd))
}

func either(yes bool, a, b event) event {
	if yes {
		return a
	}
	return b
}
