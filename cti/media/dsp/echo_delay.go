package dsp

import "math"

// The delay finder's measures, in samples.
const (
	lookHop  = 256 // between two looks
	lookHops = 18  // of delay it looks over: 4608, 576 ms
	lookLags = lookHops * lookHop
	lookBins = lookHop + 1
	lookKeep = 0.97 // of what it knew, a look: 32 ms/(1-0.97) = 1.1 s
	lookReg  = 0.01 // of the mean power is added before the whitening
)

// finder finds how far back the echo comes from: it averages the cross-spectra
// of what was sent (in pieces, each a hop older) and what came back, whitens
// them and looks for their peak in time (the generalised cross correlation of
// Knapp and Carter, 1976, with the smoothed coherence transform). What came counts
// the same however loud it is, so that a shout is soon forgotten.
type finder struct {
	fft   *fft
	sent  [lookHops][lookBins]complex64 // spectra, newest at
	loud  [lookHops]bool
	at    int
	cross [lookHops][lookBins]complex64
	power [2][lookBins]float32 // of what was sent and what came
	looks int                  // since it knew nothing

	time  [2 * lookHop]float32
	bins  [lookBins]complex64
	white [lookBins]float32
	lags  [lookLags]float32
}

// forget makes the finder look anew without losing what was sent.
func (f *finder) forget() {
	clear(f.cross[:])
	clear(f.power[:])
	f.looks = 0
}

// look takes the hop that is complete and says which lag stands out and by how
// much: its square over the mean square of all; -1 where it only takes.
func (f *finder) look(far, near *past, end int64, search bool) (lag int, quality float32) {
	f.at = (f.at + lookHops - 1) % lookHops
	sent := far.upto(end, 2*lookHop)
	for i, w := range &lookTaper {
		f.time[i] = sent[i] * w
	}
	f.fft.forward(f.sent[f.at][:], f.time[:])
	f.loud[f.at] = meanSquare(sent) > audible
	if f.loud == [lookHops]bool{} {
		return -1, 0
	}
	clear(f.time[:lookHop])
	came := near.upto(end, lookHop)
	weight := 1 / float32(math.Sqrt(float64(meanSquare(came)+audible)))
	for i, v := range came {
		f.time[lookHop+i] = v * lookTaper[2*i] * weight
	}
	f.fft.forward(f.bins[:], f.time[:])
	f.average()
	f.looks++
	if !search {
		return -1, 0
	}
	f.correlate()
	return f.peak()
}

func (f *finder) average() {
	now := &f.sent[f.at]
	for k, e := range f.bins {
		f.power[0][k] = lookKeep*f.power[0][k] + norm(now[k])
		f.power[1][k] = lookKeep*f.power[1][k] + norm(e)
	}
	for p := range f.cross {
		c, sent := &f.cross[p], &f.sent[(f.at+p)%lookHops]
		for k, e := range f.bins {
			x := sent[k]
			c[k] = complex(
				lookKeep*real(c[k])+real(e)*real(x)+imag(e)*imag(x),
				lookKeep*imag(c[k])+imag(e)*real(x)-real(e)*imag(x))
		}
	}
}

// correlate brings the whitened cross-spectra back into time.
func (f *finder) correlate() {
	sent, came := lookReg*mean(f.power[0][:]), lookReg*mean(f.power[1][:])
	for k := range f.white {
		both := (f.power[0][k] + sent) * (f.power[1][k] + came)
		f.white[k] = 1 / float32(math.Sqrt(float64(both))+1e-6)
	}
	clear(f.white[:5]) // below 80 Hz a line carries nothing
	for p := range f.cross {
		for k, c := range &f.cross[p] {
			w := f.white[k]
			f.bins[k] = complex(real(c)*w, imag(c)*w)
		}
		f.fft.inverse(f.time[:], f.bins[:])
		for i, v := range f.time[:lookHop] {
			f.lags[p*lookHop+i] = v * lookEven[i]
		}
	}
}

func (f *finder) peak() (lag int, quality float32) {
	var sum, most float32
	for i, v := range &f.lags {
		v *= v
		sum += v
		if v > most {
			lag, most = i, v
		}
	}
	return lag, most * lookLags / (sum + 1e-20)
}

func mean(x []float32) float32 {
	var sum float32
	for _, v := range x {
		sum += v
	}
	return sum / float32(len(x))
}

// lookTaper is the window of what was sent, and half of it that of what came (Hann):
// without it, tones make peaks where the pieces end.
var lookTaper = func() (w [2 * lookHop]float32) {
	for i := range w {
		w[i] = float32(0.5 - 0.5*math.Cos(2*math.Pi*(float64(i)+0.5)/(2*lookHop)))
	}
	return w
}()

// lookEven makes all lags of a piece count the same: what came in the middle of its
// window met what was sent more or less far from the middle of its own.
var lookEven = func() (g [lookHop]float32) {
	for i := range g {
		g[i] = 1 / lookTaper[lookHop*3/2-i]
	}
	return g
}()
