package dsp

// Fax finds CNG (1100 Hz, 0.5 s in 3.5 s) and CED (2100 Hz), ITU-T T.30 §4.
type Fax struct {
	slide slide
	view  view
	cng   faxTone
	ced   faxTone
}

const (
	faxShare = 0.75
	faxLeast = -43 // dBm0
	faxHop   = toneHop
	cngLeast = 40 // hops of 10 ms: 0.5 s ±15 % (T.30 §4.1.1)
	cngMost  = 60
	cngAfter = 20 // hops of quiet that a CNG is followed by, at least
	cedLeast = 80 // of 2.6 to 4 s
	faxHole  = 4  // hops bridged: CED may turn its phase (V.25 §3.1)
)

var (
	cngProbes = [3]probe{newProbe(1050), newProbe(1100), newProbe(1150)}
	cedProbes = [3]probe{newProbe(2050), newProbe(2100), newProbe(2150)}
	faxFloor  = float32(loudness(faxLeast))
)

// faxTone counts hops with the tone and since it.
type faxTone struct {
	on, off int
	told    bool
}

func (f *faxTone) step(heard bool) {
	if heard {
		f.on += 1 + f.off
		f.off = 0
		return
	}
	f.off++
	if f.on == 0 {
		f.off = 0
	}
}

// NewFax makes a detector.
func NewFax() *Fax {
	f := &Fax{}
	f.slide.reset(faxHop)
	return f
}

// Detect gives "cng" or "ced" once when it is sure, else "". A modem's answer
// tone is a CED too.
func (f *Fax) Detect(in []int16) string {
	heard := ""
	for _, v := range in {
		if !f.slide.push(float32(v)) {
			continue
		}
		f.view.fold(&f.slide)
		if got := f.hop(); got != "" {
			heard = got
		}
		f.slide.next(faxHop)
	}
	return heard
}

func (f *Fax) hop() string {
	loud := f.view.power > faxFloor
	f.cng.step(loud && f.share(&cngProbes))
	f.ced.step(loud && f.share(&cedProbes))
	switch {
	case f.cng.off >= cngAfter:
		return f.cng.tell("cng", f.cng.on >= cngLeast && f.cng.on <= cngMost, true)
	case f.ced.on >= cedLeast:
		return f.ced.tell("ced", true, false)
	case f.ced.off > faxHole:
		f.ced.on, f.ced.off = 0, 0
	}
	return ""
}

// tell gives name the first time that it is sure; over begins anew.
func (f *faxTone) tell(name string, sure, over bool) string {
	if over {
		f.on, f.off = 0, 0
	}
	if !sure || f.told {
		return ""
	}
	f.told = true
	return name
}

func (f *Fax) share(probes *[3]probe) bool {
	var sum float32
	for i := range probes {
		sum += probes[i].power(&f.view)
	}
	return sum*binShare > faxShare*f.view.power
}
