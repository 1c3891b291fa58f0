package dsp

import (
	"math"
	"math/cmplx"
)

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
	plain uint16 // the bits by their neighbours only, see each
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

// surelyStarts says that the bit at p is a space and nothing else.
func (f *byteFit) surelyStarts(x []float64, p float64) bool {
	return squared(correlate(x, p, f.period, f.space)) > 2*squared(correlate(x, p, f.period, f.mark))
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
	for late := 0.5; late < 2 && !f.surelyStarts(x, p) && explains < 0.95*f.usual; late += 0.5 {
		if later, more := f.align(x, p+late*f.period); more > 1.1*explains {
			start, explains, bits = later, more, f.bits
		}
	}
	if explains < sureness {
		return 0, false
	}
	f.start, f.bits = start, bits
	f.plain = f.each(x, start)
	f.usual += 0.3 * (explains - f.usual)
	f.track(x)
	return byte(bits >> 2), true
}

// each reads every bit by itself and its two neighbours: of the eight that the three may be,
// the one that explains most. That stands less noise than eleven bits that share one phase,
// but a sender whose phase jumps, or whose bits end at samples, is read all the same.
func (f *byteFit) each(x []float64, start float64) (bits uint16) {
	f.look(x, start-f.period, anything)
	for k := 1; k < slots-1; k++ {
		best := -1.0
		for three := range uint16(8) {
			sum, phase := complex128(0), complex128(1)
			for i := range 3 {
				b := three >> i & 1
				sum += phase * f.slots[k-1+i][b]
				phase *= f.turns[b]
			}
			if s := squared(sum); s > best {
				best = s
				bits = bits&^(1<<k) | three>>1&1<<k
			}
		}
	}
	return bits
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
	anything    = pattern{3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3}
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
	likely := uint16(0)
	if squared(mark) > squared(space) {
		likely = 1
	}
	for _, b := range [2]uint16{likely, 1 - likely} {
		switch {
		case p[k]&(1<<b) == 0: // cannot be
		case b == 0:
			f.climb(p, k+1, bits, space, phase*f.turns[0])
		default:
			f.climb(p, k+1, bits|1<<k, mark, phase*f.turns[1])
		}
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
