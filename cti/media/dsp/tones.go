package dsp

import (
	"math"
	"slices"
)

// Heard is a tone whose cadence is sure; Gone says that it ended.
type Heard struct {
	Name  string
	At    int64
	Count int // cadences heard so far
	Gone  bool
}

const (
	toneShare = 0.7  // least share of the tone in all that is heard
	toneEach  = 0.08 // least share of each of several tones
	toneLeast = -45  // dBm0
	toneWide  = 0.1  // of a frequency
)

// Tones finds the tones of a plan by frequency (±10 %) and cadence (±20 %).
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
	hz     []float64
	bins   []int   // all of its probes
	each   [][]int // those of each frequency
	beats  []beat
	past   rhythm
	odd    int        // hops against the segment going on
	oddly  [2]float64 // their power
	now    int        // beat that is sure, -1 none
	place  int        // in its pattern
	count  int
	origin int64
}

// NewTones makes a detector. Tones of more than one frequency may be weaker in
// one than in the other by 10 dB.
func NewTones(p Plan) *Tones {
	t := &Tones{floor: float32(loudness(toneLeast))}
	t.slide.reset(toneHop)
	var hz []int
	for _, c := range p {
		i := slices.IndexFunc(t.tracks, func(have track) bool { return alike(have.hz, c.Hz) })
		if i < 0 {
			i = len(t.tracks)
			t.tracks = append(t.tracks, newTrack(c, &hz))
		}
		t.tracks[i].beats = append(t.tracks[i].beats, newBeat(c, p))
	}
	for _, k := range hz {
		t.probes = append(t.probes, newProbe(float64(k)*bin))
	}
	t.powers = make([]float32, len(t.probes))
	return t
}

func alike(a, b []float64) bool { return slices.Equal(a, b) }

// newTrack adds the bins that c needs to those there are.
func newTrack(c Cadence, all *[]int) track {
	tr := track{hz: c.Hz, now: -1}
	tr.past.push(segment{n: settled})
	for _, hz := range c.Hz {
		var own []int
		for k := around50(hz * (1 - toneWide)); k <= around50(hz*(1+toneWide)); k++ {
			i := slices.Index(*all, k)
			if i < 0 {
				i = len(*all)
				*all = append(*all, k)
			}
			own = append(own, i)
			if !slices.Contains(tr.bins, i) {
				tr.bins = append(tr.bins, i)
			}
		}
		tr.each = append(tr.each, own)
	}
	return tr
}

// around50 is the nearest bin.
func around50(hz float64) int { return max(1, min(half-1, int(math.Round(hz/bin)))) }

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
			on := t.view.power > t.floor && tr.sounds(t.powers, t.view.power)
			found = tr.step(on, float64(t.view.power), t.slide.seen, found)
		}
		t.slide.next(toneHop)
	}
	return found
}

// measure looks at the window; silence is not looked at.
func (t *Tones) measure() {
	t.view.fold(&t.slide)
	if t.view.power <= t.floor {
		return
	}
	for i := range t.probes {
		t.powers[i] = t.probes[i].power(&t.view)
	}
}

// sounds says whether the track's tones are nearly all that is heard.
func (tr *track) sounds(powers []float32, all float32) bool {
	if sum(powers, tr.bins) < toneShare*all {
		return false
	}
	for _, own := range tr.each {
		if len(tr.each) > 1 && sum(powers, own) < toneEach*all {
			return false
		}
	}
	return true
}

func sum(powers []float32, of []int) float32 {
	var s float32
	for _, i := range of {
		s += powers[i]
	}
	return s * binShare
}

// step takes one hop. A change counts when it lasts for two hops.
func (tr *track) step(on bool, power float64, seen int64, found []Heard) []Heard {
	s := tr.past.back(0)
	if on != s.on {
		tr.oddly[tr.odd] = power
		tr.odd++
		if tr.odd < len(tr.oddly) {
			return found
		}
		found = tr.closed(found, seen)
		tr.past.push(segment{on: on, startsAt: max(0, seen-toneHop-span/2-toneHop/2)})
		s = tr.past.back(0)
	} else if tr.odd > 0 {
		s.add(tr.oddly[0])
	}
	if tr.odd == len(tr.oddly) {
		s.add(tr.oddly[0])
	}
	tr.odd = 0
	s.add(power)
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
		case b.sure > 0 && s.on && s.n == b.sure:
			found = tr.sure(found, i, 1, s.startsAt, seen)
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
	if tr.now >= 0 || !b.matches(&tr.past, b.need) {
		return found
	}
	first := tr.past.back(b.need*len(b.pattern) - 1)
	return tr.sure(found, i, b.need, first.startsAt, seen)
}

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
