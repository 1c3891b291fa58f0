package dsp

import "math"

// Digit is a key heard: At the sample where it began, Length in samples (0
// while it lasts).
type Digit struct {
	Key    byte
	At     int64
	Length int
}

// The detector's measure. The window moves by 5 ms.
const (
	dtmfHop     = 40
	dtmfHits    = 5    // hops that make a key sure: 32 ms of tone
	dtmfGap     = 5    // hops without it that end it: a pause of 28 ms
	dtmfPurity  = 0.70 // least share of the two tones in all that is heard
	dtmfOff     = 0.024
	dtmfLow     = -43.0 // weakest tone, dBm0
	dtmfOver    = 7.0   // high above low, dB
	dtmfUnder   = 11.0  // high below low, dB
	dtmfUneven  = 4.0   // most that a tone may change from hop to hop, dB
	dtmfBegin   = 105   // samples from a tone's begin to the end of the first window that hears it
	dtmfTrailed = 55    // samples from a tone's end to the end of the last window that hears it
)

var (
	dtmfProbes = func() (p [8]probe) {
		for i := range 4 {
			p[i], p[4+i] = newProbe(rows[i]), newProbe(columns[i])
		}
		return p
	}()
	dtmfFloor = float32(loudness(dtmfLow))
	dtmfTwist = [2]float32{float32(ratio(-dtmfUnder)), float32(ratio(dtmfOver))}
	dtmfStep  = [2]float32{float32(ratio(-dtmfUneven)), float32(ratio(dtmfUneven))}
)

// ratio is dB as a ratio of powers.
func ratio(db float64) float64 { return math.Pow(10, db/10) }

// pair is the tones of one hop: which row and column, and their power.
type pair struct {
	row, column int
	low, high   float32
}

// DTMF finds the keys of ITU-T Q.23 as Q.24 asks: tones from 35 ms and pauses
// from 30 ms, frequencies off by ±1.5 %, high above low by 4 to -8 dB.
type DTMF struct {
	slide  slide
	view   view
	notch  [2]biquad
	re, im [8]float32 // of the hop before
	before pair
	maybe  candidate
	last   Digit
	active bool
	misses int   // hops since the active key was heard
	heard  int64 // end of the last window that heard it
}

// candidate is a key that is not sure yet.
type candidate struct {
	key    byte
	hits   int
	misses int
	at     int64
}

// NewDTMF makes a detector that begins at sample 0.
func NewDTMF() *DTMF {
	d := &DTMF{notch: [2]biquad{newNotch(430, 60), newNotch(470, 60)}}
	d.slide.reset(dtmfHop)
	return d
}

// Active says whether a key is heard right now.
func (d *DTMF) Active() bool { return d.active }

// Last is the key reported last, with its length once it is over.
func (d *DTMF) Last() Digit { return d.last }

// Detect takes the next samples and appends each key to found once, as soon as
// it is sure.
func (d *DTMF) Detect(in []int16, found []Digit) []Digit {
	for _, v := range in {
		if !d.slide.push(d.notch[1].next(d.notch[0].next(float32(v)))) {
			continue
		}
		if d.decide(d.key()) {
			found = append(found, d.last)
		}
		d.slide.next(dtmfHop)
	}
	return found
}

// key is the key that this hop sounds of, 0 for none.
func (d *DTMF) key() byte {
	d.view.fold(&d.slide)
	if d.view.power < 2*dtmfFloor {
		d.before = pair{}
		return 0
	}
	re, im := d.re, d.im
	var p [8]float32
	for i := range p {
		d.re[i], d.im[i] = dtmfProbes[i].look(&d.view)
		p[i] = d.re[i]*d.re[i] + d.im[i]*d.im[i]
	}
	now := pair{row: greatest(p[:4]), column: greatest(p[4:])}
	low, lowOK := d.tuned(now.row, re[now.row], im[now.row], rows[now.row])
	high, highOK := d.tuned(4+now.column, re[4+now.column], im[4+now.column], columns[now.column])
	now.low, now.high = low*p[now.row], high*p[4+now.column]
	before := d.before
	d.before = now
	if !lowOK || !highOK || !now.pure(d.view.power) || !now.follows(before) {
		return 0
	}
	return pad[now.row*4+now.column]
}

// tuned says whether the tone in probe i is near its frequency, by how far its
// phase went on since the hop before, and gives the factor that makes good what
// the probe lost by the tone's being beside it.
func (d *DTMF) tuned(i int, re, im float32, hz float64) (float32, bool) {
	turn := 2 * math.Pi * hz * dtmfHop / Rate
	sin, cos := math.Sincos(turn)
	r, m := float64(d.re[i]*re+d.im[i]*im), float64(d.im[i]*re-d.re[i]*im)
	off := math.Atan2(m*cos-r*sin, r*cos+m*sin) / (2 * math.Pi) * (Rate / dtmfHop)
	if math.Abs(off) > dtmfOff*hz {
		return 1, false
	}
	x := off / bin
	if math.Abs(x) < 1e-3 {
		return 1, true
	}
	gain := math.Sin(math.Pi*x) / (math.Pi * x * (1 - x*x))
	return float32(1 / (gain * gain)), true
}

// pure says whether the tones are loud and alike enough and hardly anything
// else is heard.
func (p pair) pure(all float32) bool {
	if p.low < dtmfFloor || p.high < dtmfFloor || p.low+p.high < dtmfPurity*all {
		return false
	}
	return p.high > p.low*dtmfTwist[0] && p.high < p.low*dtmfTwist[1]
}

// follows says whether p is the same tones as before, as loud.
func (p pair) follows(before pair) bool {
	if p.row != before.row || p.column != before.column {
		return false
	}
	return steady(p.low, before.low) && steady(p.high, before.high)
}

func steady(now, before float32) bool {
	return now > before*dtmfStep[0] && now < before*dtmfStep[1]
}

func greatest(p []float32) int {
	best := 0
	for i, v := range p {
		if v > p[best] {
			best = i
		}
	}
	return best
}

// decide takes the key of one hop and says whether one became sure.
func (d *DTMF) decide(key byte) bool {
	d.lapse(key)
	if key == 0 || d.active && key == d.last.Key {
		return false
	}
	if d.maybe.key != key {
		d.maybe = candidate{key: key, at: d.slide.seen - dtmfBegin}
	}
	d.maybe.misses = 0
	d.maybe.hits++
	if d.maybe.hits < dtmfHits {
		return false
	}
	if d.active {
		d.end()
	}
	d.last = Digit{Key: key, At: max(0, d.maybe.at)}
	d.active, d.misses, d.heard = true, 0, d.slide.seen
	d.maybe = candidate{}
	return true
}

// lapse counts what was not heard.
func (d *DTMF) lapse(key byte) {
	d.maybe.misses++
	if d.maybe.misses > 2 {
		d.maybe = candidate{}
	}
	if !d.active {
		return
	}
	d.misses++
	if key == d.last.Key {
		d.misses, d.heard = 0, d.slide.seen
	}
	if d.misses >= dtmfGap {
		d.end()
	}
}

func (d *DTMF) end() {
	d.active = false
	d.last.Length = int(d.heard - dtmfTrailed - d.last.At)
}
