package dsp

import (
	"encoding/binary"
	"fmt"
	"maps"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// plain is a canceller without suppressor: what its echo path alone does.
func plain() *Canceller {
	c := NewCanceller(512)
	c.suppress.off = true
	return c
}

// cell is one place of the grid of lines.
type cell struct {
	sound, hybrid string
	loss          float64
	aLaw          bool
}

func (c cell) String() string {
	return fmt.Sprintf("%s, %s hybrid, %.0f dB, A-law %v", c.sound, c.hybrid, c.loss, c.aLaw)
}

// cells is the whole grid, or one cell for each sound.
func cells() (all []cell) {
	if !long() {
		return []cell{
			{"chinese", "medium", 6, false},
			{"music", "short", 10, false},
			{"white", "short", 20, true},
		}
	}
	for _, sound := range []string{"english", "chinese", "music", "white", "composite"} {
		for _, hybrid := range slices.Sorted(maps.Keys(hybrids)) {
			for _, loss := range []float64{6, 10, 20} {
				all = append(all, cell{sound, hybrid, loss, false}, cell{sound, hybrid, loss, true})
			}
		}
	}
	return all
}

// Within a second of our voice the echo is 30 dB down and lies in the background
// noise (-55 dBm0, within 2 dB), however bad the hybrid is. On a line without noise
// it can be measured what the suppressor leaves; with noise, what the path leaves.
func TestEchoIsGoneWithinASecond(t *testing.T) {
	const delay = 900 // 112 ms
	far := sounds(t, 8*1400)
	sums := map[string][3]float64{}
	all := cells()
	for _, c := range all {
		line := twoWire{far: far[c.sound], hybrid: hybridOf(c.hybrid, c.loss), delay: delay, noise: -55, aLaw: c.aLaw}
		path, heard := line.run(plain()), line.run(NewCanceller(512))
		line.noise = 0
		silent := line.run(NewCanceller(512))
		byPath, byAll, level := path.erle(900, 1400), silent.erle(900, 1400), heard.loud(heard.out, 900, 1400)
		t.Logf("%v: the path takes away %.1f dB, with the suppressor %.1f dB; echo %.1f dBm0, heard %.1f dBm0", c, byPath, byAll, heard.loud(heard.echo, 900, 1400), level)
		if byAll < 30 {
			t.Errorf("%v: %.1f dB of the echo is gone, want 30", c, byAll)
		}
		loudest := -53.0
		if c.sound == "music" {
			loudest = -46 // a new chord shows more of the path
		}
		if level > loudest || level < -59 {
			t.Errorf("%v: %.1f dBm0 is heard, want the background of -55", c, level)
		}
		if byPath < 15 {
			t.Errorf("%v: the path takes away %.1f dB, want 15", c, byPath)
		}
		key := fmt.Sprintf("%s, %.0f dB, A-law %v", c.sound, c.loss, c.aLaw)
		s := sums[key]
		sums[key] = [3]float64{s[0] + byPath, s[1] + byAll, s[2] + 1}
	}
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		s := sums[key]
		t.Logf("mean over %.0f hybrids: %s: path %.1f dB, with suppressor %.1f dB", s[2], key, s[0]/s[2], s[1]/s[2])
	}
}

func TestEchoAtEachDelay(t *testing.T) {
	delays := []int{0, 3200}
	if long() {
		delays = []int{0, 40, 160, 500, 801, 1200, 1600, 2400, 3200, 4000}
	}
	far := sounds(t, 8*1800)["chinese"]
	for _, delay := range delays {
		c := plain()
		k := twoWire{far: far, hybrid: hybridOf("short", 10), delay: delay, noise: -55}.run(c)
		from := delay/8 + 800
		got, found := k.erle(from, from+500), c.Report().Delay
		t.Logf("%d ms: found %d samples for %d, %.1f dB", delay/8, found, delay, got)
		if got < 20 {
			t.Errorf("delay %d: %.1f dB, want 20 after 0.8 s of echo", delay, got)
		}
		if found < delay || found > delay+40 {
			t.Errorf("delay %d: reported as %d", delay, found)
		}
	}
}

// Two speak at once for seconds: the caller's voice comes through as it was, and
// what was learnt of the echo is still there afterwards.
func TestDoubleTalk(t *testing.T) {
	lengths, losses, levels, names := 1200, []float64{6}, []float64{-6, 6}, []string{"chinese"}
	if long() {
		lengths, losses, levels, names = 5000, []float64{6, 10, 20}, []float64{-6, 0, 6}, []string{"english", "chinese", "music", "white"}
	}
	shapes := []string{"medium"}
	if long() {
		shapes = []string{"short", "spread"}
	}
	end := 1600 + lengths
	far := sounds(t, 8*(end+500))
	voice := loop(speech(t, "en+f3", saysCaller), 8*lengths)
	for _, name := range names {
		for _, loss := range losses {
			for _, level := range levels {
				for _, hybrid := range shapes {
					c := NewCanceller(512)
					both := append(make([]float64, 8*1600), at(-16+level, voice)...)
					line := twoWire{far: far[name], voice: both, hybrid: hybridOf(hybrid, loss), delay: 600, aLaw: false, noise: -55}
					k := line.run(c)
					attenuation, distortion := k.damage(1600, end)
					line.noise = 0
					silent := line.run(NewCanceller(512))
					after := silent.erle(end, end+200)
					for from := end + 200; math.IsNaN(after); from += 100 { // we pause just now
						if from > end+400 {
							t.Fatal("no echo after both spoke")
						}
						after = silent.erle(from, from+200)
					}
					t.Logf("%s, %s hybrid %.0f dB, caller %+.0f dB: voice -%.2f dB, distortion %.2f dB; ERLE in 0.2 s after: %.1f dB", name, hybrid, loss, level, attenuation, distortion, after)
					if math.Abs(attenuation) > 1 || distortion > 3 {
						t.Errorf("%s, %s, %+.0f dB: voice -%.1f dB, distorted by %.1f dB", name, hybrid, level, attenuation, distortion)
					}
					if after < 25 {
						t.Errorf("%s, %s, %+.0f dB: ERLE %.1f dB after both spoke, want 25", name, hybrid, level, after)
					}
				}
			}
		}
	}
}

// The caller speaks before anything could be learnt: the voice is not harmed more
// than the echo itself harms it, and once it pauses the echo is learnt.
func TestCallerSpeaksFirst(t *testing.T) {
	levels, names, shapes := []float64{0}, []string{"chinese"}, []string{"medium"}
	if long() {
		levels, names, shapes = []float64{-6, 0, 6}, []string{"english", "chinese", "music", "white"}, []string{"short", "spread"}
	}
	const until = 1500
	far := sounds(t, 8*(until+4500))
	voice := loop(speech(t, "en+f3", saysCaller), 8*until)
	for _, name := range names {
		for _, level := range levels {
			for _, hybrid := range shapes {
				k := twoWire{far: far[name], voice: at(-16+level, voice), hybrid: hybridOf(hybrid, 10), delay: 900, noise: -55}.run(plain())
				untreated := k
				untreated.out = k.near
				_, before := untreated.damage(0, until)
				attenuation, distortion := k.damage(0, until)
				pause, want := 2000, 20.0
				if name == "music" {
					pause, want = 4000, 10 // chords under a loud voice tell nothing of the path
				}
				after := k.erle(until+pause, until+pause+500)
				t.Logf("%s, %s, %+.0f dB: voice -%.2f dB, distortion %.1f dB (with all the echo %.1f); then %.1f dB", name, hybrid, level, attenuation, distortion, before, after)
				if math.Abs(attenuation) > 1 || distortion > before+1 {
					t.Errorf("%s, %s, %+.0f dB: voice -%.1f dB, distorted by %.1f dB instead of %.1f", name, hybrid, level, attenuation, distortion, before)
				}
				if after < want {
					t.Errorf("%s, %s, %+.0f dB: ERLE %.1f dB %d ms later, want %.0f", name, hybrid, level, after, pause, want)
				}
			}
		}
	}
}

// A parallel set is lifted; a frame is lost or doubled; a buffer jumps by any number.
func TestEchoChangesInMidCall(t *testing.T) {
	const at = 8 * 1600
	changes := map[string]func(*twoWire){
		"hybrid":      func(l *twoWire) { l.hybrid = hybridOf("ringing", 7) },
		"20 ms later": func(l *twoWire) { l.delay += 160 },
		"60 ms later": func(l *twoWire) { l.delay += 480 },
		"40 ms less":  func(l *twoWire) { l.delay -= 320 },
		"37 ms later": func(l *twoWire) { l.delay += 296 },
	}
	names := []string{"chinese"}
	if long() {
		names = []string{"english", "chinese", "white", "composite", "music"}
	}
	far := sounds(t, at+8*2000)
	for _, name := range names {
		for what, change := range changes {
			if !long() && what != "hybrid" && what != "37 ms later" {
				continue
			}
			line := twoWire{far: far[name], hybrid: hybridOf("medium", 10), delay: 1200, noise: -55, change: func(n int, l *twoWire) {
				if n == at {
					change(l)
				}
			}}
			k := line.run(plain())
			limit := 1000
			if what != "hybrid" {
				limit = 1500
			}
			if name == "music" {
				limit = 1600 // a chord tells little of the path
			}
			line.noise, line.hybrid, line.delay = 0, hybridOf("medium", 10), 1200
			silent := line.run(NewCanceller(512))
			path, all := k.erle(1600+limit, 2000+limit), silent.erle(1600+limit, 2000+limit)
			t.Logf("%s, %s: %.1f dB before, then each 0.2 s%s; %d ms later %.1f dB, with the suppressor %.1f dB", name, what, k.erle(1100, 1600), k.curve(1600, 200), limit, path, all)
			if path < 15 || all < 30 {
				t.Errorf("%s, %s: ERLE %.1f dB %d ms later, want 15, with suppressor %.1f dB, want 30", name, what, path, limit, all)
			}
		}
	}
}

func (k call) curve(from, step int) (s string) {
	for t := from; (t+step)*8 <= len(k.out); t += step {
		s += fmt.Sprintf(" %.0f", k.erle(t, t+step))
	}
	return s
}

// Digits under our own prompt, at the worst hybrid, are all found.
func TestDigitsUnderPrompt(t *testing.T) {
	want, found := 0, 0
	names, rounds := []string{"chinese"}, 1
	if long() {
		names, rounds = []string{"english", "chinese", "music", "composite"}, 4
	}
	for round := range rounds {
		for i, name := range names {
			r := rand.New(rand.NewPCG(uint64(round), uint64(i)))
			var dialled []byte
			sound := make([]int16, 8*1300)
			for range 13 {
				key := "0123456789*#"[r.IntN(12)]
				dialled = append(dialled, key)
				level := -25 + 22*r.Float64() // the high tone is 2 dB louder and both add up
				sound = AppendDTMF(sound, string(key), Keying{Level: level, Twist: 2, On: 70 * time.Millisecond, Off: 80 * time.Millisecond})
			}
			voice := make([]float64, len(sound))
			for i, v := range sound {
				voice[i] = float64(v)
			}
			far := at(-13, sounds(t, len(voice)+1600)[name])
			k := twoWire{far: far, voice: voice, hybrid: hybridOf("medium", 10), delay: 700, noise: -55, aLaw: round%2 == 1, seed: uint64(round)}.run(NewCanceller(512))
			heard := digitsIn(k.out)
			want += len(dialled)
			found += len(dialled) - missed(heard, string(dialled))
			if heard != string(dialled) {
				t.Errorf("%s, round %d: heard %s, dialled %s (untreated: %s)", name, round, heard, dialled, digitsIn(k.near))
			}
		}
	}
	t.Logf("%d of %d digits found", found, want)
}

func digitsIn(x []float64) string {
	sound := make([]int16, len(x))
	for i, v := range x {
		sound[i] = clip16(v)
	}
	return hear(sound)
}

// While only our echo comes back it is lowered; the first 10 ms of a word that the
// caller begins lose nothing that matters.
func TestWordBeginsUnderSuppression(t *testing.T) {
	const begin = 8 * 1505
	far := sounds(t, 8*1600)["white"]
	for _, level := range []float64{-30, -10} {
		voice := make([]float64, 8*1600)
		for i := begin; i < len(voice); i++ {
			voice[i] = rmsOf(level) * math.Sqrt2 * math.Sin(2*math.Pi*440*float64(i-begin)/8000)
		}
		k := twoWire{far: far, voice: voice, hybrid: hybridOf("medium", 10), delay: 900, noise: -55}.run(NewCanceller(512))
		before := k.loud(k.out, 1400, 1500)
		first, second := power(k.out[begin:begin+40]), power(k.out[begin+40:begin+80])
		want := rmsOf(level) * rmsOf(level)
		a, b := 10*math.Log10(first/want), 10*math.Log10(second/want)
		t.Logf("voice of %.0f dBm0: before it %.1f dBm0 are heard; its first 5 ms %+.1f dB, its second %+.1f dB", level, before, a, b)
		if before > -52 {
			t.Errorf("%.1f dBm0 of echo are heard", before)
		}
		if a < -6 || b < -1.5 {
			t.Errorf("the word of %.0f dBm0 begins with %+.1f and %+.1f dB", level, a, b)
		}
	}
}

func TestComfortNoiseIsLikeTheBackground(t *testing.T) {
	var c ComfortNoise
	if c.Level() != -100 {
		t.Errorf("level %v before anything was heard", c.Level())
	}
	out := make([]int16, 8000)
	c.Fill(out)
	if Level(out) > -90 {
		t.Errorf("noise of %.1f dBm0 out of nothing", Level(out))
	}
	heard := make([]int16, 3*8000)
	r := rand.New(rand.NewPCG(1, 2))
	low := 0.0
	for i := range heard { // dull noise, -50 dBm0; with a second of loud voice
		low = 0.9*low + r.NormFloat64()
		heard[i] = clip16(low * rmsOf(-50) * math.Sqrt(1-0.81))
		if i >= 8000 && i < 16000 {
			heard[i] = clip16(8000 * math.Sin(float64(i)))
		}
	}
	for at := 0; at < len(heard); at += 160 {
		c.Learn(heard[at : at+160])
	}
	c.Fill(out)
	if got := Level(out); math.Abs(got+50) > 1.5 || math.Abs(c.Level()+50) > 1.5 {
		t.Errorf("noise of %.1f dBm0, level %.1f, for a background of -50", got, c.Level())
	}
	if got, want := tilt(out), tilt(heard[:8000]); math.Abs(got-want) > 0.05 {
		t.Errorf("neighbours correlate by %.2f, the background's by %.2f", got, want)
	}
}

// tilt is how much neighbouring samples are alike.
func tilt(x []int16) float64 {
	var a, b float64
	for i, v := range x[1:] {
		a += float64(v) * float64(x[i])
		b += float64(v) * float64(v)
	}
	return a / b
}

// Nothing that comes makes it louder than what came, or lasts: after each abuse it
// cancels again within a second.
func TestEchoCancellerWithstands(t *testing.T) {
	square := func(n int) int16 {
		if n/40%2 == 0 {
			return 32767
		}
		return -32768
	}
	r := rand.New(rand.NewPCG(3, 4))
	random := func(int) int16 { return int16(r.IntN(65536) - 32768) }
	nothing := func(int) int16 { return 0 }
	direct := func(int) int16 { return 20000 }
	abuses := map[string][2]func(int) int16{
		"silence": {nothing, nothing}, "square far": {square, nothing}, "square near": {nothing, square},
		"squares": {square, square}, "random": {random, random}, "random far, square near": {random, square},
		"direct current": {direct, direct},
	}
	line := twoWire{far: sounds(t, 8*1300)["composite"], hybrid: hybridOf("short", 10), delay: 500, noise: -55}
	c := plain()
	for _, name := range slices.Sorted(maps.Keys(abuses)) {
		abuse := abuses[name]
		var far, near, out [frame]int16
		var came, sent, left float64
		for n := 0; n < 8*600; n += frame {
			for i := range far {
				far[i], near[i] = abuse[0](n+i), abuse[1](n+i)
			}
			c.Process(out[:], near[:], far[:])
			for i, v := range out {
				came += float64(near[i]) * float64(near[i])
				sent += float64(far[i]) * float64(far[i])
				left += float64(v) * float64(v)
			}
		}
		if left > 1.5*came+sent/10+1e10 { // what was sent before makes no echo any more: 0.1 s of it are forgiven
			t.Errorf("%s: the output is %.1f dB louder than what came", name, 10*math.Log10(left/(came+1)))
		}
		if r := c.Report(); math.IsNaN(r.ERLE) || math.IsInf(r.ERLE, 0) {
			t.Errorf("%s: ERLE %v", name, r.ERLE)
		}
		k := line.run(c)
		if got := k.erle(1000, 1300); !(got > 15) {
			t.Errorf("%s: ERLE %.1f dB a second later, want 15", name, got)
		}
	}
}

// Another call is as the first one was.
func TestEchoCancellerResets(t *testing.T) {
	line := twoWire{far: sounds(t, 8*800)["english"], hybrid: hybridOf("medium", 10), delay: 500, noise: -55}
	c := NewCanceller(512)
	first := line.run(c)
	c.Reset()
	if r := c.Report(); r.Delay != -1 || r.ERLE != 0 || r.DoubleTalk {
		t.Errorf("Report after Reset = %+v", r)
	}
	if again := line.run(c); !slices.Equal(first.out, again.out) {
		t.Error("a call after Reset differs from the first")
	}
}

// The length of the frames makes no difference but in cost, and near may be out.
func TestEchoInFramesOfAnyLength(t *testing.T) {
	line := twoWire{far: sounds(t, 8*1500)["composite"], hybrid: hybridOf("medium", 10), delay: 500, noise: -55}
	k := line.run(plain())
	c := plain()
	r := rand.New(rand.NewPCG(1, 1))
	out := make([]int16, len(k.near))
	far := make([]int16, len(k.near))
	for i := range out {
		out[i], far[i] = clip16(k.near[i]), clip16(k.far[i])
	}
	for at := 0; at < len(out); {
		to := min(len(out), at+r.IntN(161))
		c.Process(out[at:to], out[at:to], far[at:to])
		at = to
	}
	for i, v := range out {
		k.out[i] = float64(v)
	}
	if got := k.erle(1000, 1500); got < 25 {
		t.Errorf("ERLE %.1f dB in frames of random length", got)
	}
}

func TestEchoCancellerAllocatesNothing(t *testing.T) {
	line := twoWire{far: sounds(t, 8*600)["white"], hybrid: hybridOf("medium", 10), delay: 300, noise: -55}
	c := NewCanceller(512)
	k := line.run(c)
	var far, near, out [frame]int16
	n := 0
	if got := testing.AllocsPerRun(50, func() {
		for i := range far {
			far[i], near[i] = clip16(k.far[n]), clip16(k.near[n])
			n = (n + 1) % len(k.far)
		}
		c.Process(out[:], near[:], far[:])
	}); got != 0 {
		t.Errorf("%v allocations a frame", got)
	}
}

func FuzzCanceller(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4}, uint8(160))
	f.Add([]byte{0xff, 0x7f, 0, 0x80, 0, 0}, uint8(7))
	f.Fuzz(func(t *testing.T, data []byte, size uint8) {
		if len(data) < 4 || size == 0 {
			return
		}
		c := NewCanceller(int(size) * 8)
		far, near := make([]int16, size), make([]int16, size)
		at := 0
		next := func() int16 {
			v := int16(binary.LittleEndian.Uint16(data[at:]))
			at = (at + 1) % (len(data) - 1)
			return v
		}
		for n := 0; n < 8000; n += int(size) {
			for i := range far {
				far[i], near[i] = next(), next()
			}
			c.Process(near, near, far)
		}
		if r := c.Report(); math.IsNaN(r.ERLE) || r.Delay < -1 || r.Delay > lookLags+solveTaps {
			t.Errorf("Report = %+v", r)
		}
	})
}

// BenchmarkCanceller gives the cost of a line: ms of CPU for a second of it.
func BenchmarkCanceller(b *testing.B) {
	const n = 8 * 6000
	far := sounds(b, n)["english"]
	voice := loop(speech(b, "en+f3", saysCaller), n)
	for name, line := range map[string]twoWire{
		"first second":  {far: far[:8000]},
		"our voice":     {far: far},
		"both voices":   {far: far, voice: at(-16, voice)},
		"caller's only": {far: make([]float64, n), voice: at(-16, voice)},
	} {
		b.Run(name, func(b *testing.B) {
			line.hybrid, line.delay, line.noise = hybridOf("medium", 10), 900, -55
			k := line.run(NewCanceller(512))
			near, out := make([]int16, len(k.near)), make([]int16, len(k.near))
			sent := make([]int16, len(k.near))
			for i := range near {
				near[i], sent[i] = clip16(k.near[i]), clip16(k.far[i])
			}
			c := NewCanceller(512)
			for b.Loop() {
				c.Reset()
				for at := 0; at < len(near); at += frame {
					c.Process(out[at:at+frame], near[at:at+frame], sent[at:at+frame])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Milliseconds())/float64(b.N)/float64(len(near))*8000, "ms/s")
		})
	}
}
