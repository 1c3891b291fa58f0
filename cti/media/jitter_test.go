package media

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"

	"callbox/cti/media/dsp"
)

// road is what lies between a party and us.
type road struct {
	loss    float64
	jitter  time.Duration // each packet is late by up to that
	reorder bool          // every tenth packet comes behind the next
	double  bool
	ppm     float64 // the party's clock runs fast by that
	change  func(n int, h *passing)
	pauses  func(n int) bool // the party sends nothing then
	plain   bool             // no buffer: heard when it came within 20 ms, else silence
}

// passing is a packet on the road.
type passing struct {
	ts      uint32
	ssrc    int
	arrival int64
	payload []byte
}

// packets sends sound along the road.
func (r road) packets(sound []int16) (all []passing) {
	random := rand.New(rand.NewPCG(1, 2))
	coded := make([]byte, len(sound))
	Encode(PCMA, coded, sound)
	for n := 0; (n+1)*FrameSamples <= len(coded); n++ {
		p := passing{ts: uint32(n*FrameSamples) - 2000, payload: coded[n*FrameSamples : (n+1)*FrameSamples]}
		p.arrival = int64(float64((n+1)*FrameSamples) / (1 + r.ppm/1e6))
		p.arrival += int64(random.Float64() * float64(samples(r.jitter)))
		if r.reorder && n%10 == 9 {
			p.arrival += FrameSamples + 20
		}
		if r.change != nil {
			r.change(n, &p)
		}
		if random.Float64() < r.loss || r.pauses != nil && r.pauses(n) {
			continue
		}
		all = append(all, p)
		if r.double {
			all = append(all, p)
		}
	}
	slices.SortStableFunc(all, func(a, b passing) int { return int(a.arrival - b.arrival) })
	return all
}

// carry plays sound to the other end of the road, beat by beat, and gives what
// is heard there.
func (r road) carry(sound []int16) (out []int16, at *receiver) {
	in := &receiver{law: PCMA, open: true}
	in.need()
	var ids identities
	all, ssrc := r.packets(sound), 0
	const phase = 73 // between the beat and the packets
	arrived := map[int64][]byte{}
	for now := int64(phase); now < int64(len(sound)); now += FrameSamples {
		for len(all) > 0 && all[0].arrival <= now {
			p := all[0]
			all = all[1:]
			if p.ssrc != ssrc {
				ssrc = p.ssrc
				in.begin(&ids)
			}
			arrived[int64(p.ts+2000)] = p.payload
			in.sound(&heard{arrival: p.arrival, law: PCMA, payload: p.payload}, p.ts, &ids)
		}
		frame, _ := in.listen(now)
		if !r.plain {
			out = append(out, frame[:]...)
			continue
		}
		var bare [FrameSamples]int16
		Decode(PCMA, bare[:], arrived[(now-phase)-FrameSamples])
		out = append(out, bare[:]...)
	}
	return out, in
}

// match finds how late heard follows sound and how like it is, over pieces of
// half a second.
func match(sound, heard []int16) (delay time.Duration, snr float64) {
	const piece, most = 4000, 1400
	var signal, noise float64
	var delays []int
	for at := 0; at+piece <= min(len(sound), len(heard)-most); at += piece {
		best, least := 0, math.Inf(1)
		for lag := range most {
			if e := unlike(sound[at:at+piece], heard[at+lag:], 11); e < least {
				best, least = lag, e
			}
		}
		signal += unlike(sound[at:at+piece], make([]int16, piece), 3)
		noise += unlike(sound[at:at+piece], heard[at+best:], 3)
		delays = append(delays, best)
	}
	slices.Sort(delays)
	return time.Duration(delays[len(delays)/2]) * time.Second / SampleRate, 10 * math.Log10(signal/noise)
}

// unlike sums the squares of what two sounds differ by. It runs so often that
// watched it would take a minute.
//
//go:norace
func unlike(a, b []int16, step int) (sum float64) {
	for i := 0; i < len(a); i += step {
		d := float64(a[i]) - float64(b[i])
		sum += d * d
	}
	return sum
}

// speechlike is syllables of a voice whose pitch moves, with pauses.
func speechlike(span time.Duration) []int16 {
	random := rand.New(rand.NewPCG(3, 4))
	sound := make([]int16, samples(span))
	var phase, pitch, a1, a2, b1, b2 float64
	pitch = 120
	f1, f2 := 500.0, 1500.0
	for i := range sound {
		if i%1600 == 0 {
			pitch = 100 + 80*random.Float64()
			f1, f2 = 300+500*random.Float64(), 900+1400*random.Float64()
		}
		phase += pitch / SampleRate
		pulse := 0.0
		if phase >= 1 {
			phase--
			pulse = 1
		}
		envelope := math.Sin(math.Pi * float64(i%1600) / 1600)
		if i/8000%4 == 3 {
			envelope = 0
		}
		a1, a2 = resonate(pulse, f1, a1, a2), a1
		b1, b2 = resonate(a1, f2, b1, b2), b1
		sound[i] = int16(max(-32000, min(32000, 900*envelope*envelope*b1)))
	}
	return sound
}

func resonate(in, hz, y1, y2 float64) float64 {
	const r = 0.96
	return in + 2*r*math.Cos(2*math.Pi*hz/SampleRate)*y1 - r*r*y2
}

func tone(hz float64, span time.Duration) []int16 {
	s := make([]int16, samples(span))
	for i := range s {
		s[i] = int16(8000 * math.Sin(2*math.Pi*hz*float64(i)/SampleRate))
	}
	return s
}

// TestRoads compares a buffer with none on the same roads. The delay counts from
// a sample's being said, so 20 ms of it is the packet's length.
func TestRoads(t *testing.T) {
	ms := func(n int) time.Duration { return time.Duration(n) * time.Millisecond }
	for name, tt := range map[string]struct {
		road   road
		delay  time.Duration // at most
		snr    float64       // of speech, at least
		gain   float64       // over none, at least
		madeUp uint64        // at most
	}{
		"quiet LAN":       {road{jitter: ms(1)}, ms(75), 34, -0.1, 0},
		"5 % lost":        {road{loss: 0.05, jitter: ms(1)}, ms(75), 16, 4, 60},
		"40 % lost":       {road{loss: 0.4, jitter: ms(1)}, ms(75), 5, 1.5, 400},
		"jitter of 40 ms": {road{jitter: ms(40)}, ms(110), 34, 30, 3},
		"jitter of 80 ms": {road{jitter: ms(80)}, ms(150), 33, 30, 3},
		"jitter and loss": {road{jitter: ms(60), loss: 0.05}, ms(130), 15, 10, 60},
		"reordered":       {road{reorder: true}, ms(95), 20, -10, 3},
		"doubled":         {road{double: true}, ms(75), 34, -0.1, 0},
		"fast clock":      {road{ppm: 200}, ms(75), 34, -0.5, 1},
		"slow clock":      {road{ppm: -200}, ms(75), 34, -0.5, 1},
		"another source every 2 s": {road{change: func(n int, p *passing) {
			p.ssrc = n / 100
			p.ts += uint32(p.ssrc) * 0x3456789A
		}}, ms(75), 34, -0.5, 0},
		"another time base": {road{change: func(n int, p *passing) {
			if n > 200 {
				p.ts += 4000
			}
		}}, ms(75), 13, 5, 8},
		"no sound in pauses": {road{pauses: func(n int) bool { return n/50%4 == 3 }}, ms(75), 33, -0.5, 12},
		"a longer way": {road{change: func(n int, p *passing) {
			if n > 200 {
				p.arrival += 800
			}
		}}, ms(175), 11, 5, 8},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for kind, sound := range map[string][]int16{"tone": tone(1000, 8*time.Second), "speech": speechlike(8 * time.Second)} {
				heard, in := tt.road.carry(sound)
				bare := tt.road
				bare.plain = true
				without, _ := bare.carry(sound)
				delay, snr := match(sound, heard)
				_, none := match(sound, without)
				t.Logf("%s: delay %v, SNR %.1f dB (without %.1f), late %d, made up %d, gaps %d (without %d)",
					kind, delay, snr, none, in.stats.Late, in.stats.Concealed, gaps(sound, heard), gaps(sound, without))
				if kind == "speech" && (delay > tt.delay || snr < tt.snr || snr-none < tt.gain) || in.stats.Concealed > tt.madeUp {
					t.Error("that is not good enough")
				}
			}
		})
	}
}

// gaps counts silences of 5 ms and more in heard beyond those of sound.
func gaps(sound, heard []int16) int {
	count := func(s []int16) (n int) {
		for c := range slices.Chunk(s, 40) {
			if faint(c) {
				n++
			}
		}
		return n
	}
	return max(0, count(heard)-count(sound))
}

// delays plays a road without looking at the sound, and gives each second how
// long sound that came in the shortest time waits.
func (r road) delays(span time.Duration) (each []time.Duration, at *receiver) {
	in := &receiver{law: PCMA, open: true}
	in.need()
	var ids identities
	all := r.packets(make([]int16, samples(span)))
	for now := int64(73); now < samples(span); now += FrameSamples {
		for len(all) > 0 && all[0].arrival <= now {
			in.sound(&heard{arrival: all[0].arrival, law: PCMA, payload: all[0].payload}, all[0].ts, &ids)
			all = all[1:]
		}
		in.listen(now)
		if now/FrameSamples%50 == 49 {
			b := &in.ear.buffer
			each = append(each, time.Duration(now+FrameSamples-b.play-b.least)*time.Second/SampleRate)
		}
	}
	return each, in
}

// TestDrift lets a party's clock run 200 ppm off.
func TestDrift(t *testing.T) {
	for _, ppm := range []float64{200, -200} {
		each, in := road{ppm: ppm, jitter: 2 * time.Millisecond}.delays(10 * time.Minute)
		if most := slices.Max(each); most > 60*time.Millisecond || slices.Min(each) < 5*time.Millisecond {
			t.Errorf("%v ppm: the delay goes from %v to %v", ppm, slices.Min(each), most)
		}
		if in.stats.Late > 0 || in.stats.Concealed > 20 {
			t.Errorf("%v ppm: %d late, %d made up", ppm, in.stats.Late, in.stats.Concealed)
		}
	}
}

// TestWaitGrowsAndShrinks lets a network be bad for 20 s, and dead for half a
// second.
func TestWaitGrowsAndShrinks(t *testing.T) {
	each, in := road{change: func(n int, p *passing) {
		switch {
		case n >= 500 && n < 1500:
			p.arrival += int64(n * 7919 % 600)
		case n >= 3000 && n < 3025:
			p.arrival = 3025 * FrameSamples
		}
	}}.delays(90 * time.Second)
	for _, tt := range []struct {
		at          int // seconds
		least, most time.Duration
	}{{9, 0, 60 * time.Millisecond}, {20, 70 * time.Millisecond, 140 * time.Millisecond}, {50, 0, 60 * time.Millisecond}, {85, 0, 60 * time.Millisecond}} {
		if got := each[tt.at]; got < tt.least || got > tt.most {
			t.Errorf("after %d s the delay is %v, want %v to %v", tt.at, got, tt.least, tt.most)
		}
	}
	if in.stats.Late > 40 {
		t.Errorf("%d packets are late", in.stats.Late)
	}
}

// TestUncountedPause lets a party be silent for 300 ms that its timestamps do
// not count, and press a key that it sends as an event, for 100 ms.
func TestUncountedPause(t *testing.T) {
	_, in := road{change: func(n int, p *passing) {
		if n >= 200 {
			p.arrival += 2400
		}
	}}.delays(10 * time.Second)
	if in.stats.Late > 0 {
		t.Errorf("%d packets are late", in.stats.Late)
	}
	var ids identities
	var before uint64
	base := in.line.ts
	now := int64(200000)
	for n := range uint32(100) {
		if n == 45 {
			before = in.stats.Concealed
		}
		switch at := base + n*FrameSamples; {
		case n < 50 || n >= 55:
			in.sound(&heard{arrival: now, law: PCMA, payload: make([]byte, FrameSamples)}, at, &ids)
		default:
			in.event(&heard{arrival: now, payload: []byte{5, 10, 0, 160}}, base+50*FrameSamples, &ids, func(rune) {})
		}
		now += FrameSamples
		in.listen(now)
	}
	if n := in.stats.Concealed - before; n > 0 {
		t.Errorf("%d frames made up while a key is pressed", n)
	}
}

// TestRing compares the ring's marks with a map.
func TestRing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var j jitter
		there := map[int64]bool{}
		for range rapid.IntRange(1, 20).Draw(t, "pieces") {
			at, n := rapid.Int64Range(-500, 9000).Draw(t, "at"), rapid.IntRange(1, 700).Draw(t, "n")
			on := rapid.Bool().Draw(t, "on")
			j.mark(at, n, on)
			for i := range int64(n) {
				there[(at+i)&(ringSize-1)] = on
			}
		}
		at, most := rapid.Int64Range(-500, 9000).Draw(t, "from"), rapid.IntRange(1, 500).Draw(t, "most")
		n, have := j.run(at, most)
		want := 0
		for want < most && there[(at+int64(want))&(ringSize-1)] == there[at&(ringSize-1)] {
			want++
		}
		if n != want || have != there[at&(ringSize-1)] {
			t.Fatalf("run of %d, %v from %d; want %d, %v", n, have, at, want, there[at&(ringSize-1)])
		}
	})
}

// FuzzJitter gives a buffer packets of any length, time and place.
func FuzzJitter(f *testing.F) {
	f.Add([]byte{160, 0, 0, 160, 10, 3, 7, 200, 90})
	f.Fuzz(func(t *testing.T, steps []byte) {
		in := &receiver{law: PCMA, open: true}
		in.need()
		var ids identities
		now, ts := int64(1000), uint32(0)
		for len(steps) >= 3 {
			n, late, jumps := int(steps[0])*5+1, int64(steps[1])*40, int32(int8(steps[2]))
			steps = steps[3:]
			in.sound(&heard{arrival: now - late, law: PCMU, payload: make([]byte, n)}, ts, &ids)
			ts += uint32(n) + uint32(jumps*jumps*jumps)
			now += FrameSamples
			in.listen(now)
			if j := &in.ear.buffer; j.set && (j.wait < j.least+leastWait || j.wait > j.least+mostWait) {
				t.Fatalf("waits %d after at least %d", j.wait, j.least)
			}
		}
	})
}

// TestComfortNoise: a party that sends no silence has a background, no louder
// than it said.
func TestComfortNoise(t *testing.T) {
	in := &receiver{law: PCMA, open: true}
	in.need()
	var ids identities
	frame := make([]byte, FrameSamples)
	Encode(PCMA, frame, tone(1000, Frame))
	levels := make([]float64, 100)
	for n := range int64(100) {
		now := n * FrameSamples
		switch {
		case n < 20 || n >= 70:
			in.sound(&heard{arrival: now, law: PCMA, payload: frame}, uint32(now), &ids)
		case n%10 == 0:
			in.comfort(&heard{arrival: now, payload: []byte{56, 1, 2}}, uint32(now))
		}
		said, _ := in.listen(now + 73)
		levels[n] = dsp.Level(said[:])
	}
	for n, level := range levels[5:] {
		switch n += 5; {
		case n < 20 || n > 73:
			if level < -14 {
				t.Errorf("frame %d of sound has %.0f dBm0", n, level)
			}
		case n > 25 && n < 70 && (level < -52 || level > -48):
			t.Errorf("frame %d of background has %.0f dBm0, want -50", n, level)
		}
	}
	if in.stats.Concealed > 0 {
		t.Errorf("%d frames made up", in.stats.Concealed)
	}
}
