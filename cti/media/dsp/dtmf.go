package dsp

import "math"

// Digit is a key heard: At the sample where it began, Length in samples (0
// while it lasts).
type Digit struct {
	Key    byte
	At     int64
	Length int
}

// The detector's measure. The window moves by 5 ms. Speech often holds two
// tones for a moment, but nearly never as pure and as steady as a key's.
const (
	dtmfHop    = 40
	dtmfHits   = 5     // hops that make a key sure: 32 ms of tone
	dtmfGap    = 5     // hops without it that end it: a pause of 20 ms
	dtmfLapse  = 2     // hops that a key not yet sure may miss
	dtmfShare  = 0.70  // least share of the two tones in all that is heard
	dtmfPure   = 0.92  // and in the hops that the key fills
	dtmfPures  = 3     // so many at least
	dtmfOff    = 0.024 // of a frequency
	dtmfLow    = -47.0 // weakest tone, dBm0
	dtmfOver   = 7.0   // high above low, dB
	dtmfUnder  = 11.0  // high below low, dB
	dtmfWander = 4.0   // most that a tone's level may wander, dB
	dtmfBend   = 24    // most that a tone's frequency may wander, Hz
	dtmfBegin  = 123   // samples from a tone's begin to the end of the first window that hears it
	dtmfEnd    = 40    // samples from a tone's end to the end of the last window that hears it
)

var (
	dtmfProbes = func() (p [8]probe) {
		for i := range 4 {
			p[i], p[4+i] = newProbe(rows[i]), newProbe(columns[i])
		}
		return p
	}()
	dtmfFloor   = float32(loudness(dtmfLow))
	dtmfMost    = float32(ratio(dtmfOver))
	dtmfLeast   = float32(ratio(-dtmfUnder))
	dtmfWanders = float32(ratio(dtmfWander))
)

// ratio is dB as a ratio of powers.
func ratio(db float64) float64 { return math.Pow(10, db/10) }

// DTMF finds the keys of ITU-T Q.23 as Q.24 asks: tones from 35 ms and pauses
// from 20 ms, frequencies off by ±1.5 %, high above low by 4 to -8 dB, down to
// -35 dBm0 and to 15 dB above noise. What lasts less than 25 ms or is off by
// 3 % is no key; 10 ms without tone do not end one. 450 Hz beside it (dial
// tone) and 50 Hz (hum) are not heard.
type DTMF struct {
	slide  slide
	view   view
	notch  [4]biquad
	re, im [8]float32 // of the hop before
	maybe  candidate
	last   Digit
	active bool
	misses int   // hops since the active key was heard
	heard  int64 // end of the last window that heard it
}

// NewDTMF makes a detector that begins at sample 0.
func NewDTMF() *DTMF {
	d := &DTMF{notch: [4]biquad{newNotch(50, 30), newNotch(430, 60), newNotch(450, 60), newNotch(470, 60)}}
	d.slide.reset(dtmfHop)
	return d
}

// Active says whether a key is heard right now.
func (d *DTMF) Active() bool { return d.active }

// Last is the key reported last; it has its length once Active is false.
func (d *DTMF) Last() Digit { return d.last }

// Detect takes the next samples and appends each key to found once, as soon as
// it is sure: 35 ms after it began.
func (d *DTMF) Detect(in []int16, found []Digit) []Digit {
	for _, v := range in {
		x := float32(v)
		for i := range d.notch {
			x = d.notch[i].next(x)
		}
		if !d.slide.push(x) {
			continue
		}
		if d.decide(d.look()) {
			found = append(found, d.last)
		}
		d.slide.next(dtmfHop)
	}
	return found
}

// tone is one of the two of a key: its power, and how far its frequency is off
// in Hz.
type tone struct{ power, off float32 }

// pair is what one hop sounds of; key is 0 when that is no key.
type pair struct {
	key       byte
	low, high tone
	share     float32 // of all that is heard
}

func (d *DTMF) look() pair {
	d.view.fold(&d.slide)
	if d.view.power < 2*dtmfFloor {
		return pair{}
	}
	re, im := d.re, d.im
	var p [8]float32
	for i := range p {
		d.re[i], d.im[i] = dtmfProbes[i].look(&d.view)
		p[i] = d.re[i]*d.re[i] + d.im[i]*d.im[i]
	}
	row, column := greatest(p[:4]), greatest(p[4:])
	h := 4 + column
	now := pair{
		low:  d.tune(row, re[row], im[row], rows[row]),
		high: d.tune(h, re[h], im[h], columns[column]),
	}
	now.share = (now.low.power + now.high.power) / d.view.power
	if now.alike() && now.low.tuned(rows[row]) && now.high.tuned(columns[column]) {
		now.key = pad[row*4+column]
	}
	return now
}

// tune measures the tone in probe i: how far its phase went on since the hop
// before tells its frequency, and that makes good what the probe lost by the
// tone's being beside it.
func (d *DTMF) tune(i int, re, im float32, hz float64) tone {
	sin, cos := math.Sincos(2 * math.Pi * hz * dtmfHop / Rate)
	r, m := float64(d.re[i]*re+d.im[i]*im), float64(d.im[i]*re-d.re[i]*im)
	off := math.Atan2(m*cos-r*sin, r*cos+m*sin) / (2 * math.Pi) * (Rate / dtmfHop)
	power := float64(d.re[i]*d.re[i] + d.im[i]*d.im[i])
	return tone{power: float32(power / hannLoss(off/bin)), off: float32(off)}
}

// hannLoss is the share of a tone's power that a probe x bins beside it sees.
func hannLoss(x float64) float64 {
	if math.Abs(x) < 1e-3 {
		return 1
	}
	x = min(math.Abs(x), 0.9)
	amplitude := math.Sin(math.Pi*x) / (math.Pi * x * (1 - x*x))
	return amplitude * amplitude
}

func (t tone) tuned(hz float64) bool { return math.Abs(float64(t.off)) < dtmfOff*hz }

// alike says whether the tones are loud and alike enough and little else is
// heard.
func (p pair) alike() bool {
	low, high := p.low.power, p.high.power
	return low > dtmfFloor && high > dtmfFloor && p.share > dtmfShare && high > low*dtmfLeast && high < low*dtmfMost
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

// candidate is a key that is not sure yet, and how its tones wandered.
type candidate struct {
	key         byte
	hits        int
	misses      int
	at          int64
	pure        int // hops
	least, most [2]tone
}

// add takes a hop of the same key; it is false when that is not the same tones.
func (c *candidate) add(p pair) bool {
	for i, t := range [2]tone{p.low, p.high} {
		if c.hits == 0 {
			c.least[i], c.most[i] = t, t
		}
		c.least[i] = tone{min(c.least[i].power, t.power), min(c.least[i].off, t.off)}
		c.most[i] = tone{max(c.most[i].power, t.power), max(c.most[i].off, t.off)}
		if c.most[i].power > c.least[i].power*dtmfWanders || c.most[i].off > c.least[i].off+dtmfBend {
			return false
		}
	}
	c.hits++
	c.misses = 0
	if p.share > dtmfPure {
		c.pure++
	}
	return true
}

func (c *candidate) sure() bool { return c.hits >= dtmfHits && c.pure >= dtmfPures }

// decide takes one hop and says whether a key became sure.
func (d *DTMF) decide(p pair) bool {
	d.lapse(p.key)
	if p.key == 0 || d.active && p.key == d.last.Key {
		return false
	}
	if d.maybe.key != p.key || !d.maybe.add(p) {
		d.maybe = candidate{key: p.key, at: max(0, d.slide.seen-dtmfBegin)}
		d.maybe.add(p)
	}
	if !d.maybe.sure() {
		return false
	}
	d.end()
	d.last = Digit{Key: p.key, At: d.maybe.at}
	d.active, d.misses, d.heard = true, 0, d.slide.seen
	d.maybe = candidate{}
	return true
}

// lapse counts what was not heard.
func (d *DTMF) lapse(key byte) {
	if d.maybe.misses++; d.maybe.misses > dtmfLapse {
		d.maybe = candidate{}
	}
	d.misses++
	if d.active && key == d.last.Key {
		d.misses, d.heard = 0, d.slide.seen
	}
	if d.misses >= dtmfGap {
		d.end()
	}
}

func (d *DTMF) end() {
	if d.active {
		d.active = false
		d.last.Length = int(d.heard - dtmfEnd - d.last.At)
	}
}
