package box

import (
	"time"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
)

// kind is what a step of a job does with the line.
type kind uint8

const (
	sounds     kind = iota // plays a digit or a tone
	rests                  // plays nothing
	flashes                // opens the loop
	awaitsDial             // until dial tone is heard
	awaitsEnd              // until the call is answered or is not
)

// move is a step of a job: it takes so many samples of the line, at most as
// many where something is awaited.
type move struct {
	kind   kind
	left   int
	key    byte // a digit, or
	hz     []float64
	source *dsp.Source
	sound  []int16
}

// job is what a command that takes time does: +VTS and ATD.
type job struct {
	moves []move
	dials bool // ATD: any byte of the host breaks it off
	call  supervision
}

// supervision is what a dialled call told so far.
type supervision struct {
	waited    int // samples since the last digit
	ringback  bool
	lastRing  int // waited, when ringback was last heard
	ringsOn   bool
	completed *result
}

// toneLevel is that of each tone of +VTS=[f1,f2,t].
const toneLevel = -9 // dBm0

// start begins a job; its end goes on with the command line.
func (m *modem) start(j *job) {
	m.job, m.phase = j, working
}

// work plays a frame of the job that is going on.
func (m *modem) work(out []int16) {
	for m.job != nil && len(m.job.moves) > 0 && len(out) > 0 {
		out = out[m.play(&m.job.moves[0], out):]
	}
	if m.job != nil && len(m.job.moves) == 0 {
		m.broken, m.job = false, nil
		m.advance()
	}
}

// play does what there is to do of one move in what is left of a frame.
func (m *modem) play(s *move, out []int16) int {
	n := min(len(out), s.left)
	m.broken = s.kind == flashes
	switch s.kind {
	case sounds:
		s.fill(out[:n])
		m.deaf = deafFor
	case flashes:
		m.deaf = deafFor
	case awaitsDial:
		return m.awaitDial(s, n)
	case awaitsEnd:
		return m.awaitEnd(n)
	}
	if s.left -= n; s.left == 0 {
		m.job.moves = m.job.moves[1:]
	}
	return n
}

// deafFor is how long the echo of own tones lasts.
const deafFor = 60*ms + analog.Samples

// fill plays a digit or a tone.
func (s *move) fill(out []int16) {
	if s.key == 0 {
		if s.source == nil {
			s.source = dsp.NewSource(dsp.Cadence{Hz: s.hz}, toneLevel)
		}
		s.source.Fill(out)
		return
	}
	if s.sound == nil {
		keying := dsp.DefaultKeying
		keying.On, keying.Off = time.Duration(s.left)*time.Second/dsp.Rate, 0
		s.sound = dsp.AppendDTMF(nil, string(s.key), keying)
	}
	s.sound = s.sound[copy(out, s.sound):]
}

// interrupt takes a byte that comes while a command is at work: DLE breaks it
// off, and so does anything while dialling (V.250 §5.6.1); the rest is nothing.
func (m *modem) interrupt(c byte) {
	switch {
	case m.job == nil || c == lf || c == cr:
	case m.job.dials:
		m.hang()
		m.finish(noCarrier)
	case c == dle:
		m.broken = false
		m.finish(ok)
	default:
		return
	}
	m.escaped = false
	m.typist.escaped = c == dle
}

func (m *modem) awaitDial(s *move, n int) int {
	switch {
	case m.ears.tone["dial"]:
		m.job.moves = m.job.moves[1:]
		return 0
	case s.left <= n:
		m.hang()
		m.finish(noDialTone)
	}
	s.left -= n
	return n
}

// supervise takes a tone that was heard while a call is dialled.
func (m *modem) supervise(h dsp.Heard) {
	if m.job == nil || len(m.job.moves) == 0 || m.job.moves[0].kind != awaitsEnd || h.Name == "dial" {
		return
	}
	c := &m.job.call
	switch {
	case h.Name == "ringback":
		if !c.ringback {
			c.lastRing = c.waited
		}
		c.ringback, c.ringsOn = true, !h.Gone
	case h.Gone:
	case h.Name == "vacant":
		c.completed = &noCarrier
	case h.Name == "busy" || h.Name == "congestion":
		c.completed = &busy
	}
}

// answered is a reversal of the polarity: while a call is dialled, the answer.
func (m *modem) answered() {
	if m.job != nil && len(m.job.moves) > 0 && m.job.moves[0].kind == awaitsEnd && m.job.call.completed == nil {
		m.job.call.completed = &ok
	}
}

// ringbackLevel is what is taken for a burst while ringback lasts, dBm0.
const ringbackLevel = -40

// awaitEnd judges a dialled call: by a tone, by the polarity, by a ringback
// that stopped or never came (+VRA, +VRN), or gives up (S7).
func (m *modem) awaitEnd(n int) int {
	c := &m.job.call
	c.waited += n
	if c.ringsOn && dsp.Level(m.line.Sound[:]) > ringbackLevel {
		c.lastRing = c.waited
	}
	switch done := m.verdict(c); {
	case done == nil:
	case *done == ok:
		m.job.moves = nil
	default:
		m.hang()
		m.finish(*done)
	}
	return n
}

func (m *modem) verdict(c *supervision) *result {
	switch {
	case c.completed != nil:
		return c.completed
	case c.ringback && c.waited-c.lastRing >= m.set.answerGap*100*ms,
		!c.ringback && c.waited >= m.set.answerNever*dsp.Rate:
		return &ok
	case c.waited >= m.set.registers[7]*dsp.Rate:
		return &noAnswer
	}
	return nil
}
