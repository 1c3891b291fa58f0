package exchange

import (
	"log/slog"
	"strings"
	"time"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
)

// Times of an exchange.
const (
	flashLeast  = 80 * time.Millisecond // a shorter break is a fault of the contacts
	flashMost   = 800 * time.Millisecond
	firstDigit  = 15 * time.Second
	nextDigit   = 3 * time.Second
	connecting  = 500 * time.Millisecond // from the last digit to the first tone
	ringsThere  = 60 * time.Second       // nobody lifts for so long: congestion tone
	untilHowler = 60 * time.Second
	mobile      = 11 // digits of a mobile number: complete at once
)

// line is one line, all of it owned by the goroutine in Run.
type line struct {
	cfg   *Config
	now   int64 // frames so far
	state State
	since int64 // when the state began
	out   analog.Line
	in    analog.Box

	loop     bool  // closed, breaks that may be a flash aside
	open     int64 // frames that a closed loop has been open
	setOff   bool
	setUntil int64 // the telephone's own flash ends
	feedAt   int64 // feed is gone until then
	reversed bool  // by an order, beside what the state says

	ringing *ringing
	tone    *tone // to the box
	ear     *tone // to the caller
	caller  mouth
	set     mouth
	noise   *noise
	hybrid  *hybrid

	keys    *dsp.DTMF
	found   []dsp.Digit
	digits  []byte // heard from the line and not yet asked for
	lastKey int64
	flashes int

	dialled string
	await   string // the number that is waited for; any when empty
	manual  bool   // a script says what becomes of dialled numbers
	route   Route
	dealt   bool // the route has begun

	sinks []Sink
	sum   [analog.Samples]int32
	voice [analog.Samples]int16
	mixed [analog.Samples]int16
}

func newLine(cfg *Config) *line {
	return &line{cfg: cfg, noise: newNoise(cfg.Noise), hybrid: newHybrid(cfg.Hybrid), keys: dsp.NewDTMF()}
}

// age is for how long the line has been in its state.
func (l *line) age() int64 { return l.now - l.since }

func (l *line) past(d time.Duration) bool { return l.age() >= frames(d) }

// event moves the line on; what follows from the new state is done at once.
func (l *line) event(e event) {
	to, ok := l.state.next(e)
	if !ok {
		return
	}
	l.cfg.Log.Debug("line", "was", l.state, "is", to, "at", time.Duration(l.now)*tick, slog.String("dialled", l.dialled))
	l.state, l.since = to, l.now
	l.enter(e)
}

func (l *line) enter(why event) {
	l.tone, l.ear = nil, nil
	switch l.state {
	case Idle:
		l.ringing, l.caller.voice = nil, nil
	case Alerting:
		l.forget()
		l.ear = l.sounds("ringback")
	case DialTone:
		l.forget()
		l.tone = l.sounds("dial")
	case Proceeding:
		l.await = ""
	case Refused:
		l.refuse(why)
	case Talking:
		l.ringing = nil
		l.welcome(why)
	case Released:
		l.release()
	case Parked:
		l.tone = newTone(howler, quietHowl)
	}
}

// forget begins a new call: nothing of the last one counts.
func (l *line) forget() {
	l.digits, l.dialled, l.dealt, l.flashes = nil, "", false, 0
	l.keys = dsp.NewDTMF()
}

func (l *line) sounds(name string) *tone {
	c, _ := l.cfg.Tones.Find(name) // New looked
	return newTone(c, l.cfg.ToneLevel)
}

func (l *line) refuse(why event) {
	name := "busy"
	if why == refused {
		name = l.route.Tone
	}
	l.tone = l.sounds(name)
}

// welcome gives somebody whom the box reached a voice.
func (l *line) welcome(why event) {
	if why == answered && !l.caller.speaks() && !l.manual && l.cfg.Voice != nil {
		l.caller.voice = l.cfg.Voice()
	}
}

// release is what the box gets to know when the caller has hung up.
func (l *line) release() {
	l.caller.voice = nil
	l.feedAt = l.now + frames(l.cfg.Drop)
	if !l.cfg.Silent {
		l.tone = l.sounds("busy")
	}
}

// compose makes the next frame to the box.
func (l *line) compose() {
	l.advance()
	if l.setUntil > 0 && l.now >= l.setUntil {
		l.setOff, l.setUntil = true, 0
	}
	l.out.Feed = l.now >= l.feedAt
	l.out.SetOff = l.setOff
	l.out.Ringing = l.ringing != nil && l.ringing.voltage(l.age())
	l.out.Reversed = l.reversed != (l.turned() || l.ringing != nil && l.ringing.reversed(l.age()))
	l.mix()
}

// turned says whether the exchange reverses the polarity in this state.
func (l *line) turned() bool { return l.cfg.Polarity && l.state == Talking }

// advance does what is due by time alone.
func (l *line) advance() {
	switch l.state {
	case Alerting:
		if l.ringing.over(l.age()) {
			l.event(released)
		}
	case DialTone:
		if l.past(firstDigit) {
			l.event(neglected)
		}
	case Dialling:
		if l.ready() {
			l.event(complete)
		}
	case Proceeding:
		l.proceed()
	case Refused, Released:
		if l.past(untilHowler) {
			l.event(neglected)
		}
	case Parked:
		l.howl()
	}
}

// ready says whether the dialled number is complete.
func (l *line) ready() bool {
	if l.await != "" && l.dialled == l.await {
		return true
	}
	if n, ended := strings.CutSuffix(l.dialled, "#"); ended && n != "" && n[0] != '*' {
		l.dialled = n
		return true
	}
	if l.known() || len(l.dialled) == mobile && l.dialled[0] == '1' {
		return true
	}
	return l.now-l.lastKey >= frames(nextDigit)
}

// known says whether the number has a route and none that is longer.
func (l *line) known() bool {
	_, ok := l.cfg.Routes[l.dialled]
	for number := range l.cfg.Routes {
		if number != l.dialled && strings.HasPrefix(number, l.dialled) {
			return false
		}
	}
	return ok
}

// proceed is the way of a call that the box made.
func (l *line) proceed() {
	if !l.dealt && !l.manual && l.past(connecting) {
		l.deal(l.routeOf(l.dialled))
	}
	if l.tone == nil || l.tone.name != "ringback" {
		return
	}
	switch {
	case !l.route.Never && l.past(connecting+l.route.After):
		l.event(answered)
	case l.past(connecting + ringsThere):
		l.route.Tone = "congestion"
		l.event(refused)
	}
}

func (l *line) routeOf(number string) Route {
	r, ok := l.cfg.Routes[number]
	if !ok {
		return l.cfg.Default
	}
	if r.After == 0 {
		r.After = firstRingback
	}
	return r
}

// deal begins a route.
func (l *line) deal(r Route) {
	l.route, l.dealt = r, true
	if r.Tone != "" {
		l.event(refused)
		return
	}
	l.tone = l.sounds("ringback")
}

// Howler: 950 Hz, from quietHowl (dBm0) on 5 dB louder every ten seconds.
var howler = dsp.Cadence{Name: "howler", Hz: []float64{950}}

const quietHowl = -20

func (l *line) howl() {
	const step, steps = 10 * time.Second, 4
	if n := l.age() / frames(step); l.age()%frames(step) == 0 && n < steps {
		l.tone = newTone(howler, quietHowl+5*float64(n))
	}
}

// mix is what is heard on the line: the exchange's tone or caller ID, the
// caller, the telephone beside the box, the box's own echo and noise.
func (l *line) mix() {
	clear(l.sum[:])
	if l.out.Feed {
		l.far(l.voice[:])
		addTo(l.sum[:], l.voice[:])
		l.hybrid.add(l.sum[:])
	}
	if l.setOff {
		l.set.fill(l.voice[:])
		addTo(l.sum[:], l.voice[:])
	}
	l.noise.add(l.sum[:])
	clip(l.out.Sound[:], l.sum[:])
}

// far is what comes from the exchange's side.
func (l *line) far(to []int16) {
	switch {
	case l.state == Talking:
		l.caller.fill(to)
	case l.ringing != nil && l.age() >= l.ringing.spokenAt:
		n := copy(to, l.ringing.spoken)
		l.ringing.spoken = l.ringing.spoken[n:]
		clear(to[n:])
	default:
		l.tone.fill(to)
	}
}

// take is what the box answered.
func (l *line) take() {
	l.now++
	if !l.in.OffHook {
		clear(l.in.Sound[:])
	}
	l.hook()
	l.hybrid.hear(l.in.Sound[:])
	l.listen()
	l.hear()
}

// hook follows the loop. In a talk a short break is a flash.
func (l *line) hook() {
	closed := l.in.OffHook || l.setOff
	switch {
	case closed && !l.loop:
		l.loop = true
		l.event(lifted)
	case closed && l.open > 0:
		if l.open >= frames(flashLeast) {
			l.flashes++
		}
		l.open = 0
	case !closed && l.loop:
		l.open++
		if l.state != Talking || l.open > frames(flashMost) {
			l.loop, l.open = false, 0
			l.event(hungUp)
		}
	}
}

// listen finds the digits that box or telephone dial.
func (l *line) listen() {
	clear(l.sum[:])
	addTo(l.sum[:], l.in.Sound[:])
	if l.setOff {
		addTo(l.sum[:], l.voice[:]) // what the telephone said in this frame
	}
	clip(l.mixed[:], l.sum[:])
	if !l.loop {
		return
	}
	l.found = l.keys.Detect(l.mixed[:], l.found[:0])
	for _, d := range l.found {
		l.dial(d.Key)
	}
}

func (l *line) dial(key byte) {
	const most = 1000 // of what nobody asks for
	if len(l.digits) < most {
		l.digits = append(l.digits, key)
	}
	if l.state == DialTone {
		l.event(digit)
	}
	if l.state == Dialling && len(l.dialled) < most {
		l.dialled += string(key)
		l.lastKey = l.now
	}
}

// hear is what comes to the caller's ear.
func (l *line) hear() {
	heard := l.mixed[:]
	if l.state != Talking {
		l.ear.fill(heard)
	}
	for _, s := range l.sinks {
		s.Take(heard)
	}
}
