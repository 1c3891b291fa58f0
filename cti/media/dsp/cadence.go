package dsp

import (
	"slices"
	"time"
)

// Cadence is a call-progress tone: on, off, on, off … of Hz together; no
// Pattern: continuous. An odd Pattern ends in a pause as long as its last tone.
type Cadence struct {
	Name    string // dial ringback busy congestion vacant …
	Hz      []float64
	Pattern []time.Duration
}

// Plan is the tones of a country.
type Plan []Cadence

// China is the plan of Chinese exchanges: 450 Hz.
func China() Plan {
	tone, howl, third := []float64{450}, []float64{950}, []float64{1400}
	return Plan{
		{Name: "dial", Hz: tone},
		{Name: "ringback", Hz: tone, Pattern: every(1000, 4000)},
		{Name: "busy", Hz: tone, Pattern: every(350, 350)},
		{Name: "congestion", Hz: tone, Pattern: every(700, 700)},
		{Name: "vacant", Hz: tone, Pattern: every(100, 100, 100, 100, 100, 100, 400, 400)},
		{Name: "toll", Hz: tone, Pattern: every(200, 200, 200, 600)},
		{Name: "callwaiting", Hz: tone, Pattern: every(400, 4000)},
		{Name: "howler", Hz: howl},
		{Name: "reminder", Hz: third, Pattern: every(400, 10000)},
	}
}

// every is a pattern in milliseconds.
func every(ms ...int) []time.Duration {
	var p []time.Duration
	for _, v := range ms {
		p = append(p, time.Duration(v)*time.Millisecond)
	}
	return p
}

// samples is the pattern in samples, with the pause of an odd one.
func (c Cadence) samples() (pattern []int) {
	for _, d := range c.Pattern {
		pattern = append(pattern, samples(d))
	}
	if n := len(pattern); n%2 == 1 {
		pattern = append(pattern, pattern[n-1])
	}
	return pattern
}

// Find gives a tone by its name.
func (p Plan) Find(name string) (Cadence, bool) {
	for _, c := range p {
		if c.Name == name {
			return c, true
		}
	}
	return Cadence{}, false
}

// The time is counted in hops of 10 ms.
const (
	toneHop    = 80
	settled    = 100 // an off that lasted so long need not be waited for
	looseHops  = 2   // what two edges may be off by
	tolerance  = 0.2
	longOn     = 80 // an on from here is sure the first time
	leastOn    = 80 // a continuous tone is sure not before
	goneHops   = 10 // a continuous tone is gone after
	slideMost  = 40 // Hz
	unlikeness = 4  // power of ons to each other, and of the quiet between to them
)

// mostTones is how many tones together are told apart.
const mostTones = 4

// glance is what one hop shows of a set of tones: whether they are on, the
// power of all that is heard, and of each tone where they are several.
type glance struct {
	on    bool
	power float32
	pitch float32 // of one tone, in Hz
	each  [mostTones]float32
}

// segment is a stretch with the tone, or without.
type segment struct {
	on          bool
	n           int // hops
	begin       int64
	all         float64 // power of all hops, summed
	each        [mostTones]float64
	lag         [2]glance // the last two hops
	middle      float64   // mean, without two hops at either end
	least, most float64   // there
	low, high   float32   // there, of the pitch
}

// add takes a hop; the first two and the last two of a segment are its edges
// and are not its middle.
func (s *segment) add(g glance) {
	power := float64(g.power)
	s.all += power
	for i, v := range g.each {
		s.each[i] += float64(v)
	}
	if s.n >= 4 {
		s.settle(s.lag[0])
	}
	s.lag[0], s.lag[1] = s.lag[1], g
	s.n++
}

func (s *segment) settle(g glance) {
	n, power := float64(s.n-3), float64(g.power)
	if n == 1 {
		s.least, s.most = power, power
		s.low, s.high = g.pitch, g.pitch
	}
	s.low, s.high = min(s.low, g.pitch), max(s.high, g.pitch)
	s.middle += (power - s.middle) / n
	s.least, s.most = min(s.least, power), max(s.most, power)
}

// slides says that its pitch is no exchange's: it wanders.
func (s *segment) slides() bool { return s.high-s.low > slideMost }

// chord says whether each of n tones has its share.
func (s *segment) chord(n int) bool {
	for _, v := range s.each[:n] {
		if v < toneEach*s.all {
			return false
		}
	}
	return true
}

// level is the mean power, also of a segment too short to have a middle.
func (s *segment) level() float64 {
	if s.n <= 4 {
		return float64(s.lag[0].power)
	}
	return s.middle
}

// beat is a cadence in hops.
type beat struct {
	name    string
	pattern []int
	need    int // cadences until it is sure
	check   int // of the last off
	sure    int // of a continuous tone
}

func newBeat(c Cadence, plan Plan) beat {
	b := beat{name: c.Name, need: 2}
	for _, n := range c.samples() {
		b.pattern = append(b.pattern, n/toneHop)
	}
	if len(b.pattern) == 0 {
		b.sure = surelyContinuous(c, plan)
		return b
	}
	if b.pattern[0] >= longOn {
		b.need = 1
	}
	least, _ := around(b.pattern[len(b.pattern)-1])
	b.check = max(2, min(least, settled))
	return b
}

// surelyContinuous is how long a tone must last to be none of the plan's that
// pause.
func surelyContinuous(c Cadence, plan Plan) int {
	sure := leastOn
	for _, other := range plan {
		if !slices.Equal(other.Hz, c.Hz) {
			continue
		}
		for i := 0; i < len(other.Pattern); i += 2 {
			_, most := around(samples(other.Pattern[i]) / toneHop)
			sure = max(sure, most+looseHops)
		}
	}
	return sure
}

// around is the least and the most that n hops may be.
func around(n int) (least, most int) {
	return int(float64(n)*(1-tolerance)) - looseHops, int(float64(n)*(1+tolerance)) + looseHops + 1
}

func within(n, want int) bool {
	least, most := around(want)
	return n >= least && n <= most
}

// matches says whether the last segments, the newest of which is the off going
// on, are as many whole cadences as are needed, of so many tones together.
func (b *beat) matches(past *rhythm, tones int) bool {
	n := b.need * len(b.pattern)
	if past.n < n || n > len(past.ring) {
		return false
	}
	on := past.back(1)
	for i := range n {
		s := past.back(i)
		want := b.pattern[len(b.pattern)-1-i%len(b.pattern)]
		if i > 0 && !within(s.n, want) {
			return false
		}
		if s.on && !s.sounds(on, tones) || !s.on && !s.rests(on) && !b.among(want) {
			return false
		}
	}
	return b.need > 1 || b.alone(past)
}

// strays is how far the last segments are from b, in hops a segment.
func (b *beat) strays(past *rhythm) float64 {
	n, sum := b.need*len(b.pattern), 0
	for i := 1; i < n; i++ {
		off := past.back(i).n - b.pattern[len(b.pattern)-1-i%len(b.pattern)]
		sum += max(off, -off)
	}
	return float64(sum) / float64(n)
}

// among says that a pause is one in which people talk: a long one, of a tone
// that comes into a call.
func (b *beat) among(pause int) bool { return b.need > 1 && pause > settled }

// rests says whether s is as quiet as a pause between tones like on.
func (s *segment) rests(on *segment) bool { return s.level() < on.level()/unlikeness }

// sounds says whether s is a tone like on, and steady; several tones together
// beat.
func (s *segment) sounds(on *segment, tones int) bool {
	if tones > 0 {
		return s.chord(tones)
	}
	if s.n > 4 && (s.most > s.least*unlikeness || s.slides()) {
		return false
	}
	return s.level() < on.level()*unlikeness && on.level() < s.level()*unlikeness
}

// alone says that a tone known by its first on is not the last of some other:
// what was before it is long gone, or was continuous.
func (b *beat) alone(past *rhythm) bool {
	if past.n < 4 || past.back(2).n >= settled {
		return true
	}
	_, most := around(past.back(1).n)
	return past.back(3).n > most
}

// rhythm is the last segments of one set of frequencies.
type rhythm struct {
	ring [32]segment
	n    int
}

// back gives the segment i before the newest.
func (h *rhythm) back(i int) *segment { return &h.ring[(h.n-1-i)%len(h.ring)] }

// push begins a segment.
func (h *rhythm) push(s segment) *segment {
	h.n++
	*h.back(0) = s
	return h.back(0)
}
