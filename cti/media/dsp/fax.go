package dsp

const (
	faxShare = 0.75 // least share of the tone in all that is heard
	faxLeast = -43  // dBm0
	faxHop   = toneHop
	faxHole  = 4  // hops of 10 ms bridged: CED may turn its phase (V.25 §3.1)
	faxDrift = 30 // Hz that a tone may wander; a note that slides is none
	faxClear = 0.85
	cngLeast = 40 // hops: 0.5 s ±15 % (T.30 §4.2)
	cngMost  = 60
	cngAfter = 20 // hops without it that follow, at least
	cedLeast = 80 // of 2.6 to 4 s (T.30 §4.1)
)

var (
	cngProbes = [3]probe{newProbe(1050), newProbe(1100), newProbe(1150)}
	cedProbes = [3]probe{newProbe(2050), newProbe(2100), newProbe(2150)}
	faxFloor  = float32(loudness(faxLeast))
)

// Fax finds CNG (1100 Hz, 0.5 s in 3.5 s) and CED (2100 Hz), ITU-T T.30 §4.
type Fax struct {
	slide    slide
	view     view
	cng, ced burst
	began    int64
}

// NewFax makes a detector.
func NewFax() *Fax {
	f := &Fax{}
	f.slide.reset(faxHop)
	return f
}

// Began is the sample where the tone told last began.
func (f *Fax) Began() int64 { return f.began }

// Detect gives "cng" or "ced" once when it is sure, else "": CNG 0.2 s after
// its first tone, CED after 0.8 s. A modem's answer tone (V.25) is a CED too.
func (f *Fax) Detect(in []int16) string {
	heard := ""
	for _, v := range in {
		if !f.slide.push(float32(v)) {
			continue
		}
		f.view.fold(&f.slide)
		if got := f.step(); got != "" {
			heard = got
			f.began = max(0, f.slide.seen-span/2-int64(faxHop*(f.lasted(got)-1)))
		}
		f.slide.next(faxHop)
	}
	return heard
}

func (f *Fax) step() string {
	loud := f.view.power > faxFloor
	f.cng.add(f.holds(&cngProbes, loud))
	f.ced.add(f.holds(&cedProbes, loud))
	switch {
	case f.cng.off == cngAfter && f.cng.on >= cngLeast && f.cng.on <= cngMost && f.cng.steady() && f.cng.tell():
		return "cng"
	case f.ced.on >= cedLeast && f.ced.steady() && f.ced.tell():
		return "ced"
	}
	return ""
}

// lasted is how many hops ago the tone began.
func (f *Fax) lasted(name string) int {
	if name == "cng" {
		return f.cng.on + f.cng.off
	}
	return f.ced.on
}

// holds gives what part of the power three probes see, and where between them it lies, in Hz.
func (f *Fax) holds(probes *[3]probe, loud bool) (share, place float32) {
	if !loud {
		return 0, 0
	}
	var p [3]float32
	for i := range probes {
		p[i] = probes[i].power(&f.view)
	}
	sum := p[0] + p[1] + p[2]
	return sum * binShare / f.view.power, (p[2] - p[0]) / sum * float32(bin)
}

// burst counts the hops of a tone, and those since.
type burst struct {
	on, off     int
	told        bool
	least, most float32 // place, where little else is heard
}

func (b *burst) add(share, place float32) {
	switch {
	case share <= faxShare:
		b.off++
		return
	case b.off > faxHole:
		b.on, b.off = 1, 0
		b.least, b.most = faxDrift, -faxDrift
	default:
		b.on, b.off = b.on+b.off+1, 0
	}
	if share > faxClear {
		b.least, b.most = min(b.least, place), max(b.most, place)
	}
}

func (b *burst) steady() bool { return b.most-b.least < faxDrift }

func (b *burst) tell() bool {
	first := !b.told
	b.told = true
	return first
}
