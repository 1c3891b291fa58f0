package dsp

import (
	"math"
	"math/cmplx"
)

// receiver finds FSK messages of both modulations. It waits for a steady mark,
// whose frequency tells the modulation, and takes the bytes behind it one by one:
// of the 256 that could have been sent, the one whose wave is most like the
// samples from its start to its stop bit, phase and all.
type receiver struct {
	filter  bandpass
	samples [1024]float64 // filtered
	have    int           // how many
	marks   markFinder
	at      int     // up to where marks has looked
	next    float64 // where the next byte's start bit is due
	byteFit

	receiving bool
	waited    float64      // samples of mark since the last byte
	readings  [2][258]byte // by bits that share one phase, and by bits of their own
	length    int
	dropped   int64 // samples that were there before samples[0], since the beginning
	began     int64 // sample where the message began
}

// The receiver's limits.
const (
	bitLength  = float64(Rate) / baud
	sureness   = 0.4            // least part of the power that a byte explains
	longestGap = 40 * bitLength // of mark between two bytes
	ahead      = 112            // samples to be there from a start bit on: 11 bits, and how far it may turn out to be late
	kept       = 64             // samples to be kept before the earliest of interest
	farthest   = bitLength / 2  // a start is looked for so far from where it is due
)

func newReceiver() *receiver {
	r := &receiver{}
	r.reset()
	return r
}

// reset forgets the signal, not the last message.
func (r *receiver) reset() {
	r.dropped += int64(max(0, r.have-kept))
	r.filter = bandpass{}
	r.marks = markFinder{}
	clear(r.samples[:kept])
	r.have, r.at, r.next = kept, kept, 0
	r.receiving = false
}

// receive takes at most 160 samples and gives the message that ended in them, checksum
// right, else nil. The message is good until the next call.
func (r *receiver) receive(in []int16) []byte {
	r.makeRoom(len(in))
	for _, x := range in {
		r.samples[r.have] = r.filter.next(float64(x))
		r.have++
	}
	var message []byte
	for r.at+markHop+ahead <= r.have {
		r.hunt()
		for r.receiving && int(r.next)+ahead <= r.have {
			if whole := r.takeByte(); whole != nil {
				message = whole
			}
		}
	}
	return message
}

// makeRoom drops samples that are looked at no more.
func (r *receiver) makeRoom(n int) {
	if r.have+n <= len(r.samples) {
		return
	}
	past := r.at
	if r.receiving {
		past = min(past, int(r.next))
	}
	past -= kept
	copy(r.samples[:], r.samples[past:r.have])
	r.have -= past
	r.at -= past
	r.next -= float64(past)
	r.dropped += int64(past)
}

// hunt looks at the next samples for a mark and for the start bit that ends it.
func (r *receiver) hunt() {
	m := r.marks.look(r.samples[r.at : r.at+markHop])
	from := r.at
	r.at += markHop
	if r.receiving || !m.sure {
		return
	}
	for p := max(from, int(math.Ceil(r.next))); p < r.at && !r.receiving; p += 2 {
		r.tryStart(float64(p), m)
	}
}

// tryStart begins a message if its type starts at p.
func (r *receiver) tryStart(p float64, m mark) {
	r.tune(m.modulation, m.hz)
	if !r.mayStart(r.samples[:r.have], p) {
		return
	}
	b, ok := r.first(r.samples[:r.have], p)
	if !ok || !isType(b) && !isType(byte(r.plain>>2)) {
		return
	}
	r.receiving, r.length = true, 0
	r.began = r.dropped + int64(r.start) - kept - (taps-1)/2
	r.keep(b)
}

func isType(b byte) bool {
	switch b {
	case typeSDMF, typeMDMF, typeSDMFWaiting, typeMDMFWaiting:
		return true
	}
	return false
}

// keep adds a byte to both readings and gives the message that it made whole, if any.
func (r *receiver) keep(b byte) (whole []byte) {
	r.readings[0][r.length], r.readings[1][r.length] = b, byte(r.plain>>2)
	r.length++
	r.next = r.start + 10*r.period
	r.waited = 0
	if r.length < 2 {
		return nil
	}
	r.receiving = false
	for i := range r.readings {
		size := int(r.readings[i][1]) + 3
		if message := r.readings[i][:r.length]; r.length == size && isType(message[0]) && checksum(message) == 0 {
			r.receiving = false
			return message
		}
		r.receiving = r.receiving || r.length < size
	}
	return nil
}

// takeByte looks for a byte where it is due, or a little later, and gives the message that it made whole.
func (r *receiver) takeByte() []byte {
	samples := r.samples[:r.have]
	if r.waited < 4 || r.mayStart(samples, r.next) {
		if b, ok := r.another(samples, r.next); ok {
			if r.waited == 0 {
				r.pace(r.start-r.next, r.length)
			}
			return r.keep(b)
		}
	}
	r.next += 2
	r.waited += 2
	if r.waited > longestGap || r.lost(samples, r.next) {
		r.receiving = false
	}
	return nil
}

// markHop is how many samples the markFinder takes at once. At 8 kHz its middle
// frequency makes 2.5 turns in it.
const (
	markHop  = 16
	markHops = 8
	middle   = 1250.0
	faintest = -50 // dBm0
)

// mark is a steady tone of a mark's frequency that ended two hops ago or goes on.
type mark struct {
	sure       bool
	modulation Modulation
	hz         float64
}

// markFinder measures the tone about 1250 Hz: how much of the power it has, how steady it is, its frequency.
type markFinder struct {
	half   complex128 // the last hop, mixed down
	whole  complex128 // the last two
	turn   [markHops]complex128
	power  [markHops]float64
	energy [markHops]float64
	found  [3]mark
	count  int
}

var mixer = func() (m [markHop]complex128) {
	for n := range m {
		m[n] = cmplx.Rect(1, -2*math.Pi*middle/Rate*float64(n))
	}
	return m
}()

// look takes the next hop.
func (f *markFinder) look(x []float64) mark {
	var re, im, energy float64
	for n, v := range x {
		re += v * real(mixer[n])
		im += v * imag(mixer[n])
		energy += v * v
	}
	half := complex(re, im)
	if f.count%2 == 1 {
		half = -half
	}
	whole := half + f.half
	i := f.count % markHops
	f.turn[i] = whole * cmplx.Conj(f.whole)
	f.power[i] = real(whole)*real(whole) + imag(whole)*imag(whole)
	f.energy[i] = energy
	f.half, f.whole = half, whole
	f.count++
	f.found[2], f.found[1], f.found[0] = f.found[1], f.found[0], f.judge()
	return f.found[2]
}

func (f *markFinder) judge() mark {
	var turn complex128
	var power, energy float64
	for i := range markHops {
		turn += f.turn[i]
		power += f.power[i]
		energy += f.energy[i]
	}
	if energy < faintestEnergy || cmplx.Abs(turn) < 0.8*power || power < 0.4*2*markHop*energy {
		return mark{}
	}
	hz := middle + cmplx.Phase(turn)*Rate/(2*math.Pi*markHop)
	for _, m := range []Modulation{Bell202, V23} {
		if nominal, _ := m.tones(); math.Abs(hz-nominal) < 0.025*nominal {
			return mark{sure: true, modulation: m, hz: hz}
		}
	}
	return mark{}
}

// faintestEnergy is that of the faintest mark over all hops.
var faintestEnergy = loudness(faintest) * markHop * markHops

// bandpass keeps 500 to 2800 Hz and so takes off DC, hum and ringing, with the same delay at all frequencies.
type bandpass struct {
	past [2 * taps]float64 // each sample twice, so that the last ones always lie in a row
	at   int
}

const taps = 63

// kernel is a windowed sinc (Hamming).
var kernel = func() (k [taps]float64) {
	sinc := func(hz, t float64) float64 {
		if t == 0 {
			return 2 * hz / Rate
		}
		return math.Sin(2*math.Pi*hz/Rate*t) / (math.Pi * t)
	}
	for n := range k {
		t := float64(n) - (taps-1)/2
		window := 0.54 - 0.46*math.Cos(2*math.Pi*float64(n)/(taps-1))
		k[n] = window * (sinc(2800, t) - sinc(500, t))
	}
	return k
}()

func (b *bandpass) next(x float64) (y float64) {
	b.past[b.at], b.past[b.at+taps] = x, x
	b.at = (b.at + 1) % taps
	for n, v := range b.past[b.at : b.at+taps] {
		y += v * kernel[n]
	}
	return y
}
