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
	waited    float64 // samples of mark since the last byte
	message   [258]byte
	length    int
	dropped   int64 // samples that were there before samples[0], since the beginning
	began     int64 // sample where the message began
}

// The receiver's limits.
const (
	bitLength  = float64(Rate) / baud
	sureness   = 0.4            // least part of the power that a byte explains
	longestGap = 40 * bitLength // of mark between two bytes
	ahead      = 96             // samples to be there from a start bit on: 11 bits and a little
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
			if r.takeByte() {
				message = r.message[:r.length]
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
	if !ok {
		return
	}
	switch b {
	case typeSDMF, typeMDMF, typeSDMFWaiting, typeMDMFWaiting:
	default:
		return
	}
	r.receiving, r.length = true, 0
	r.began = r.dropped + int64(r.start) - kept - (taps-1)/2
	r.keep(b)
}

// keep adds a byte and says whether it made a message whole.
func (r *receiver) keep(b byte) bool {
	r.message[r.length] = b
	r.length++
	r.next = r.start + 10*r.period
	r.waited = 0
	if r.length < 2 || r.length < int(r.message[1])+3 {
		return false
	}
	r.receiving = false
	return checksum(r.message[:r.length]) == 0
}

// takeByte looks for a byte where it is due, or a little later.
func (r *receiver) takeByte() bool {
	samples := r.samples[:r.have]
	late := r.waited > 3
	if !late || r.mayStart(samples, r.next) {
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
	return false
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

var faintestEnergy = func() float64 {
	peak := 32767 * math.Pow(10, (faintest-Full)/20)
	return peak * peak / 2 * markHop * markHops // over the window
}()

// byteFit finds the byte that fits best.
type byteFit struct {
	modulation Modulation
	mark       float64 // radians a sample, as this sender has it
	space      float64
	due        float64            // the space as the mark lets one expect it
	fits       [spaceOffs]float64 // how well all bytes fit with a space about there
	period     float64            // samples a bit

	usual float64 // which part of the power the bytes explain
	start float64 // of the byte that was found
	slots [slots][2]complex128
	turns [2]complex128
	rest  [slots + 1]float64
	best  float64
	bits  uint16
}

// slots are the bits that are looked at together: the bit before, start, eight bits, stop.
const slots = 11

// tune takes what the mark tells of the sender. Its space is taken to be off by as much.
func (f *byteFit) tune(m Modulation, hz float64) {
	nominal, space := m.tones()
	f.modulation = m
	f.mark = 2 * math.Pi * hz / Rate
	f.due = 2 * math.Pi * space * hz / nominal / Rate
	f.space = f.due
	f.fits = [spaceOffs]float64{}
	f.period = bitLength
	f.usual = 1
}

// mayStart asks cheaply whether p begins a bit that is rather a space.
func (f *byteFit) mayStart(x []float64, p float64) bool {
	return squared(correlate(x, p, f.period, f.space)) > 0.7*squared(correlate(x, p, f.period, f.mark))
}

// lost says that the carrier is gone at p: neither tone has a fair part of the power.
func (f *byteFit) lost(x []float64, p float64) bool {
	from, to := int(math.Ceil(p)), int(math.Ceil(p+4*f.period))
	var most float64
	for k := range 4 {
		at := p + float64(k)*f.period
		most += max(squared(correlate(x, at, f.period, f.mark)), squared(correlate(x, at, f.period, f.space)))
	}
	return most*2 < 0.4*f.period*squares(x[from:to])
}

// roundBits is the period of senders that round bits to samples, as minimodem does at 8 kHz.
const roundBits = 7

// The period is followed that far, by bytes that come no more than contiguous late.
const (
	fastestBit = 0.96 * bitLength
	slowestBit = 1.06 * bitLength
	contiguous = 0.45 * bitLength
)

// pace follows the sender's clock: byte number n came late by so many samples.
func (f *byteFit) pace(late float64, n int) {
	if math.Abs(late) < contiguous {
		f.period = min(max(f.period+late/10*max(0.3, 1/float64(n)), fastestBit), slowestBit)
	}
}

// first finds the first byte near p, whatever its space is off by and whether its bits are
// rounded. It tries again from where it got to, since p may be most of a bit too early.
func (f *byteFit) first(x []float64, p float64) (byte, bool) {
	if f.fit(x, p, startsHere) < f.fit(x, p, startsLater) {
		return 0, false // nothing but mark
	}
	for range 2 {
		best := f.trial(x, p, bitLength)
		if rounded := f.trial(x, p, roundBits); rounded.explains > 1.05*best.explains {
			best = rounded
		}
		f.space, f.period, p = best.space, best.period, best.start
	}
	return f.another(x, p)
}

// trial is the first byte taken with one period.
type trial struct{ explains, space, period, start float64 }

func (f *byteFit) trial(x []float64, p, period float64) trial {
	best := trial{period: period}
	f.period = period
	for i := 0; i < spaceOffs; i += 2 {
		f.space = f.offset(float64(i))
		if start, explains := f.align(x, p); explains > best.explains {
			best.explains, best.space, best.start = explains, f.space, start
		}
	}
	return best
}

// another finds a byte near p. One that looks worse than those before it may well begin
// later, by up to one and a half bits.
func (f *byteFit) another(x []float64, p float64) (byte, bool) {
	if f.fit(x, p, startsLater) >= f.fit(x, p, startsHere) {
		return 0, false
	}
	start, explains := f.align(x, p)
	bits := f.bits
	for late := 0.5; late < 2 && explains < 0.95*f.usual; late += 0.5 {
		if later, more := f.align(x, p+late*f.period); more > 1.1*explains {
			start, explains, bits = later, more, f.bits
		}
	}
	if explains < sureness {
		return 0, false
	}
	f.start, f.bits = start, bits
	f.usual += 0.3 * (explains - f.usual)
	f.track(x)
	return byte(bits >> 2), true
}

// align finds bits and start together: near p, the best start for the best bits, twice.
func (f *byteFit) align(x []float64, p float64) (start, explains float64) {
	for range 2 {
		f.fit(x, p, startsHere)
		p = f.settle(x, p, f.bits)
	}
	return p, f.score(x, p, f.bits, f.space)
}

// A pattern holds what each slot may be: bit 0 of a slot for a space, bit 1 for a mark.
type pattern [slots]uint8

var (
	startsHere  = pattern{2, 1, 3, 3, 3, 3, 3, 3, 3, 3, 2}
	startsLater = pattern{2, 2, 3, 3, 3, 3, 3, 3, 3, 3, 3}
)

// fit finds the bits that explain most of the power from the bit before start on, and how much: 0 to 1.
func (f *byteFit) fit(x []float64, start float64, p pattern) float64 {
	from := start - f.period
	f.look(x, from, p)
	f.best = -1
	f.climb(p, 0, 0, 0, 1)
	return f.part(x, from, f.best)
}

// climb tries all bits from slot k on; phase turns a slot's start back to the first one's.
// It goes where more is found first, and not at all where no more can be found.
func (f *byteFit) climb(p pattern, k int, bits uint16, sum, phase complex128) {
	if k == slots {
		if s := squared(sum); s > f.best {
			f.best, f.bits = s, bits
		}
		return
	}
	if most := math.Sqrt(squared(sum)) + f.rest[k]; most*most <= f.best {
		return
	}
	space, mark := sum+phase*f.slots[k][0], sum+phase*f.slots[k][1]
	first := uint16(1)
	if p[k]&2 == 0 || p[k]&1 != 0 && squared(space) > squared(mark) {
		first = 0
	}
	for _, b := range [2]uint16{first, 1 - first} {
		if p[k]&(1<<b) == 0 {
			continue
		}
		next := space
		if b == 1 {
			next = mark
		}
		f.climb(p, k+1, bits|b<<k, next, phase*f.turns[b])
	}
}

// look correlates each slot with the tones it may have, and sums up what the rest can still give.
func (f *byteFit) look(x []float64, from float64, p pattern) {
	f.rest[slots] = 0
	for k := slots - 1; k >= 0; k-- {
		at := from + float64(k)*f.period
		var most float64
		for b := range uint16(2) {
			if p[k]&(1<<b) != 0 {
				f.slots[k][b] = correlate(x, at, f.period, f.tone(b))
				most = max(most, squared(f.slots[k][b]))
			}
		}
		f.rest[k] = f.rest[k+1] + math.Sqrt(most)
	}
	f.turns = [2]complex128{cmplx.Rect(1, -f.space*f.period), cmplx.Rect(1, -f.mark*f.period)}
}

func (f *byteFit) tone(b uint16) float64 {
	if b == 1 {
		return f.mark
	}
	return f.space
}

// settle moves a start by steps of half a sample to where the bits fit best.
func (f *byteFit) settle(x []float64, due float64, bits uint16) float64 {
	start, best := due, f.score(x, due, bits, f.space)
	for _, step := range []float64{0.5, -0.5} {
		for at := start + step; math.Abs(at-due) <= farthest; at += step {
			s := f.score(x, at, bits, f.space)
			if s <= best {
				break
			}
			best, start = s, at
		}
	}
	return start
}

// score is how much of the power bits explain if the space is so many radians a sample.
func (f *byteFit) score(x []float64, start float64, bits uint16, space float64) float64 {
	from := start - f.period
	tones := [2]float64{space, f.mark}
	turns := [2]complex128{cmplx.Rect(1, -space*f.period), cmplx.Rect(1, -f.mark*f.period)}
	sum, phase := complex128(0), complex128(1)
	for k := range slots {
		b := bits >> k & 1
		sum += phase * correlate(x, from+float64(k)*f.period, f.period, tones[b])
		phase *= turns[b]
	}
	return f.part(x, from, squared(sum))
}

// part is which part of the power a sum over all slots stands for.
func (f *byteFit) part(x []float64, from, sum float64) float64 {
	a, b := int(math.Ceil(from)), int(math.Ceil(from+slots*f.period))
	return 2 * sum / (float64(b-a)*squares(x[a:b]) + 1)
}

// spaceOffs are how far the space may lie from where the mark lets one expect it, in Hz:
// either tone may be off by 1.5 %, each on its own.
const (
	spaceOffs = 9
	spaceStep = 15.0
)

func (f *byteFit) offset(i float64) float64 {
	return f.due + 2*math.Pi*spaceStep*(i-spaceOffs/2)/Rate
}

// track finds the sender's space: the frequency at which all bytes so far fit best.
func (f *byteFit) track(x []float64) {
	best := 0
	for i := range f.fits {
		f.fits[i] += f.score(x, f.start, f.bits, f.offset(float64(i)))
		if f.fits[i] > f.fits[best] {
			best = i
		}
	}
	top := float64(best)
	if best > 0 && best < spaceOffs-1 {
		before, at, after := f.fits[best-1], f.fits[best], f.fits[best+1]
		top += (after - before) / (2 * (2*at - before - after)) // the top of a parabola
	}
	f.space = f.offset(top)
}

// correlate is the part of the samples in [at, at+period) at a tone of w radians a sample that has phase 0 at at.
func correlate(x []float64, at, period, w float64) complex128 {
	from, to := int(math.Ceil(at)), int(math.Ceil(at+period))
	sin, cos := math.Sincos(w * (float64(from) - at))
	ts, tc := math.Sincos(w)
	var re, im float64
	for _, v := range x[from:to] {
		re += v * cos
		im -= v * sin
		cos, sin = cos*tc-sin*ts, sin*tc+cos*ts
	}
	return complex(re, im)
}

func squared(z complex128) float64 { return real(z)*real(z) + imag(z)*imag(z) }

func squares(x []float64) (e float64) {
	for _, v := range x {
		e += v * v
	}
	return e
}

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
