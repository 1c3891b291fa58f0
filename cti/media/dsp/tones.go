package dsp

import (
	"math"
	"slices"
)

// Heard is a tone whose cadence is sure; Gone says that it ended. At is the
// sample where it began, or where it was seen to be gone.
type Heard struct {
	Name  string
	At    int64
	Count int // cadences heard so far
	Gone  bool
}

const (
	toneShare = 0.7 // least share of the tone in all that is heard
	toneEach  = 0.1 // least share of each of several tones
	toneLeast = -45 // dBm0
	toneWide  = 0.1 // of a frequency
)

// Tones finds the tones of a plan by frequency (±10 %) and cadence (±20 %),
// down to -40 dBm0 and to 10 dB above noise. A cadence is sure when it was heard
// twice, with its pause; at the first, after 1 s of pause, when it begins with a
// tone of 0.8 s or more, as ringback does. A continuous tone is sure when it is
// longer than any other tone of that frequency in the plan: a plan that holds a
// dial tone only tells it sooner.
type Tones struct {
	slide  slide
	view   view
	probes []probe
	powers []float32
	tracks []track
	floor  float32
}

// track follows one set of frequencies.
type track struct {
	hz    []float64
	bins  []int // probes 50 Hz apart that hold all of it
	each  []int // probes of the frequencies themselves, where they are several
	beats []beat
	past  rhythm

	changing bool   // the last hop was against the segment going on
	before   glance // that hop

	now    int // beat that is sure, -1 none
	place  int // in its pattern
	count  int
	origin int64
}

// NewTones makes a detector. Of several tones together one may be weaker than
// the other by 6 dB, and they may be off by 3 %.
func NewTones(p Plan) *Tones {
	t := &Tones{floor: float32(loudness(toneLeast))}
	t.slide.reset(toneHop)
	var hz []float64
	for _, c := range p {
		i := slices.IndexFunc(t.tracks, func(have track) bool { return slices.Equal(have.hz, c.Hz) })
		if i < 0 {
			i = len(t.tracks)
			t.tracks = append(t.tracks, newTrack(c, &hz))
		}
		t.tracks[i].beats = append(t.tracks[i].beats, newBeat(c, p))
	}
	for _, f := range hz {
		t.probes = append(t.probes, newProbe(f))
	}
	t.powers = make([]float32, len(t.probes))
	return t
}

// newTrack adds the probes that c needs to those there are.
func newTrack(c Cadence, all *[]float64) track {
	tr := track{hz: c.Hz, now: -1}
	tr.past.push(segment{n: settled})
	for _, hz := range c.Hz {
		for k := nearest(hz * (1 - toneWide)); k <= nearest(hz*(1+toneWide)); k++ {
			i := indexOf(all, float64(k)*bin)
			if !slices.Contains(tr.bins, i) {
				tr.bins = append(tr.bins, i)
			}
		}
		if len(c.Hz) > 1 && len(tr.each) < mostTones {
			tr.each = append(tr.each, indexOf(all, hz))
		}
	}
	return tr
}

// nearest is the number of the bin nearest to hz.
func nearest(hz float64) int { return int(math.Round(max(1, min(half-1, hz/bin)))) }

// indexOf is the place of hz in all; it is added where it is not there.
func indexOf(all *[]float64, hz float64) int {
	if i := slices.Index(*all, hz); i >= 0 {
		return i
	}
	*all = append(*all, hz)
	return len(*all) - 1
}

// Detect takes the next samples: a tone is reported when its cadence is sure,
// at each further cadence (Count), and when it is gone.
func (t *Tones) Detect(in []int16, found []Heard) []Heard {
	for _, v := range in {
		if !t.slide.push(float32(v)) {
			continue
		}
		t.measure()
		for i := range t.tracks {
			tr := &t.tracks[i]
			found = tr.step(tr.look(t.powers, &t.view, t.floor), t.slide.seen, found)
		}
		t.slide.next(toneHop)
	}
	return found
}

// measure looks at the window; silence is not looked at.
func (t *Tones) measure() {
	t.view.fold(&t.slide)
	if t.view.power <= t.floor {
		clear(t.powers)
		return
	}
	for i := range t.probes {
		t.powers[i] = t.probes[i].power(&t.view)
	}
}

// look says what a track hears: its tone is on where nearly all power is in
// its bins.
func (tr *track) look(powers []float32, v *view, floor float32) glance {
	var sum, turn float32
	for k, i := range tr.bins {
		sum += powers[i]
		turn += powers[i] * float32(k)
	}
	g := glance{on: v.power > floor && sum*binShare > toneShare*v.power, power: v.power}
	if g.on && len(tr.each) == 0 {
		g.pitch = turn / sum * float32(bin)
	}
	for k, i := range tr.each {
		g.each[k] = powers[i]
	}
	return g
}

// step takes one hop. A change counts when it lasts for two hops.
func (tr *track) step(now glance, seen int64, found []Heard) []Heard {
	s := tr.past.back(0)
	if now.on == s.on {
		if tr.changing {
			s.add(tr.before)
		}
		tr.changing = false
		s.add(now)
		return tr.lasts(found, seen)
	}
	if !tr.changing {
		tr.changing, tr.before = true, now
		return found
	}
	found = tr.closed(found, seen)
	s = tr.past.push(segment{on: now.on, begin: max(0, seen-2*toneHop-span/2+toneHop/2)})
	s.add(tr.before)
	s.add(now)
	tr.changing = false
	return tr.lasts(found, seen)
}

// closed checks the tone that is sure against the segment that ended.
func (tr *track) closed(found []Heard, seen int64) []Heard {
	if tr.now < 0 || tr.beats[tr.now].sure > 0 {
		return found
	}
	b := &tr.beats[tr.now]
	if !within(tr.past.back(0).n, b.pattern[tr.place]) {
		return tr.gone(found, seen)
	}
	tr.place = (tr.place + 1) % len(b.pattern)
	return found
}

// lasts looks at the segment going on.
func (tr *track) lasts(found []Heard, seen int64) []Heard {
	s := tr.past.back(0)
	if tr.now >= 0 && tr.over(s) {
		found = tr.gone(found, seen)
	}
	for i := range tr.beats {
		b := &tr.beats[i]
		switch {
		case b.sure > 0 && s.on && s.n == b.sure && s.chord(len(tr.each)) && !s.slides():
			found = tr.sure(found, i, 1, s.begin, seen)
		case b.sure == 0 && !s.on && s.n >= b.check && s.n < b.check+2:
			found = tr.complete(found, i, seen)
		}
	}
	return found
}

// over says that the tone that was sure is so no more.
func (tr *track) over(s *segment) bool {
	b := &tr.beats[tr.now]
	if b.sure > 0 {
		return !s.on && s.n >= goneHops
	}
	_, most := around(b.pattern[tr.place])
	return s.n > most
}

// complete counts a cadence that ends now, if one does.
func (tr *track) complete(found []Heard, i int, seen int64) []Heard {
	b := &tr.beats[i]
	if tr.now == i {
		if tr.place == len(b.pattern)-1 && tr.past.back(0).n == b.check {
			tr.count++
			found = append(found, Heard{Name: b.name, At: tr.origin, Count: tr.count})
		}
		return found
	}
	if tr.now >= 0 || !b.matches(&tr.past, len(tr.each)) || tr.better(b) {
		return found
	}
	first := tr.past.back(b.need*len(b.pattern) - 1)
	return tr.sure(found, i, b.need, first.begin, seen)
}

// better says that another cadence fits better than b, which fits.
func (tr *track) better(b *beat) bool {
	for i := range tr.beats {
		other := &tr.beats[i]
		if other.sure == 0 && other.matches(&tr.past, len(tr.each)) && other.strays(&tr.past) < b.strays(&tr.past) {
			return true
		}
	}
	return false
}

// sure reports beat i, and that the one before is gone.
func (tr *track) sure(found []Heard, i, count int, at, seen int64) []Heard {
	if tr.now == i {
		return found
	}
	if tr.now >= 0 {
		found = tr.gone(found, seen)
	}
	tr.now, tr.count, tr.origin = i, count, at
	tr.place = max(0, len(tr.beats[i].pattern)-1)
	return append(found, Heard{Name: tr.beats[i].name, At: at, Count: count})
}

func (tr *track) gone(found []Heard, seen int64) []Heard {
	h := Heard{Name: tr.beats[tr.now].name, At: seen, Count: tr.count, Gone: true}
	tr.now = -1
	return append(found, h)
}
