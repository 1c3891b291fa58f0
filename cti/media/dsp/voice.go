package dsp

import "math/bits"

// Voice says whether somebody speaks: what rises above the background and is
// no tone.
type Voice struct {
	slide slide
	view  view
	floor floor
	hits  uint8 // which of the last 160 ms were like speech, newest in bit 0
	hang  int
}

const (
	voiceHop   = 160
	voiceLow   = 250  // Hz
	voiceHigh  = 3400 // Hz
	voiceBins  = (voiceHigh-voiceLow)/50 + 1
	voiceLeast = -50.0 // dBm0
	voiceAbove = 5.0   // dB above the background
	voiceTonal = 0.85  // share of the two strongest tones that is no voice
	voiceSure  = 3     // hops of the last 8
	voiceHang  = 20    // hops, 400 ms
	voiceFloor = -30.0 // dBm0: louder at the beginning is taken for voice
)

var (
	voiceProbes = func() *[voiceBins]probe {
		var p [voiceBins]probe
		for i := range p {
			p[i] = newProbe(voiceLow + float64(i)*bin)
		}
		return &p
	}()
	voiceGate = float32(loudness(voiceLeast))
	voiceRise = float32(ratio(voiceAbove))
	voiceMost = float32(loudness(voiceFloor))
)

// NewVoice makes a detector.
func NewVoice() *Voice {
	v := &Voice{}
	v.slide.reset(voiceHop)
	return v
}

// Detect takes the next samples and says whether there is voice (with a
// hang-over of 400 ms).
func (v *Voice) Detect(in []int16) bool {
	for _, s := range in {
		if !v.slide.push(float32(s)) {
			continue
		}
		v.view.fold(&v.slide)
		v.step()
		v.slide.next(voiceHop)
	}
	return v.hang > 0
}

func (v *Voice) step() {
	v.hits <<= 1
	if v.speechlike() {
		v.hits |= 1
	}
	v.hang = max(0, v.hang-1)
	if bits.OnesCount8(v.hits) >= voiceSure {
		v.hang = voiceHang
	}
}

// speechlike says whether the window rises above the background and is no
// tone.
func (v *Voice) speechlike() bool {
	if v.view.power < voiceGate/4 {
		v.floor.add(voiceGate / 4)
		return false
	}
	var bins [voiceBins]float32
	var all float32
	for i := range bins {
		bins[i] = voiceProbes[i].power(&v.view)
		all += bins[i]
	}
	all *= binShare
	back := v.floor.add(all)
	if !v.floor.full() {
		back = min(back, voiceMost)
	}
	if all < voiceGate || all < back*voiceRise {
		return false
	}
	two := peak(&bins) + peak(&bins)
	return two*binShare < voiceTonal*all
}

// peak takes the strongest bin and its neighbours out and gives their power.
func peak(bins *[voiceBins]float32) float32 {
	best := greatest(bins[:])
	var sum float32
	for i := max(0, best-1); i <= min(len(bins)-1, best+1); i++ {
		sum += bins[i]
		bins[i] = 0
	}
	return sum
}

// floor is the background: the least power of the last 3.2 s.
type floor struct {
	least [16]float32
	at, n int
}

const floorHops = 10 // of 20 ms in one of least

// full says that the background was looked for as long as it is kept.
func (f *floor) full() bool { return f.n >= floorHops*len(f.least) }

// add takes a hop's power and gives the background.
func (f *floor) add(power float32) float32 {
	if f.n == 0 {
		for i := range f.least {
			f.least[i] = power
		}
	}
	if f.n%floorHops == 0 {
		f.at = (f.at + 1) % len(f.least)
		f.least[f.at] = power
	}
	f.n++
	f.least[f.at] = min(f.least[f.at], power)
	back := f.least[0]
	for _, v := range f.least[1:] {
		back = min(back, v)
	}
	return back
}
