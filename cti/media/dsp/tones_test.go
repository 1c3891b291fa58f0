package dsp

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"time"
)

// exchange is a tone as some exchange sends it: how far off frequency and time
// are in per cent.
type exchange struct{ level, hz, pace float64 }

func (e exchange) send(c Cadence, d time.Duration) []int16 {
	off := Cadence{}
	for _, hz := range c.Hz {
		off.Hz = append(off.Hz, hz*(1+e.hz/100))
	}
	for _, p := range c.Pattern {
		off.Pattern = append(off.Pattern, time.Duration(float64(p)*(1+e.pace/100)))
	}
	sound := make([]int16, samples(d))
	NewSource(off, e.level).Fill(sound)
	return sound
}

// tonesIn gives all that a detector reports.
func tonesIn(p Plan, sound []int16) (found []Heard) {
	t := NewTones(p)
	for len(sound) > 0 {
		n := min(160, len(sound))
		found = t.Detect(sound[:n], found)
		sound = sound[n:]
	}
	return found
}

// story tells findings in short: busy:2 busy:3 -busy.
func story(found []Heard) string {
	var s []string
	for _, h := range found {
		if h.Gone {
			s = append(s, "-"+h.Name)
		} else {
			s = append(s, fmt.Sprintf("%s:%d", h.Name, h.Count))
		}
	}
	return strings.Join(s, " ")
}

// cycle is how long a cadence takes, a second where it does not end.
func (c Cadence) cycle() (d time.Duration) {
	for _, p := range c.Pattern {
		d += p
	}
	if d == 0 {
		return time.Second
	}
	return d
}

// TestTonesGrid hears every tone of China from exchanges that are 10 % off in
// frequency and 20 % in time, loud and quiet, with noise; and nothing else.
func TestTonesGrid(t *testing.T) {
	sent, right := 0, 0
	for _, c := range China() {
		for _, e := range exchanges(c) {
			snr := []float64{math.Inf(1), 15, 10}[sent%3]
			sound := append(make([]int16, 9600), e.send(c, e.enough(c))...)
			sound = AppendSilence(sound, c.cycle()*3/2)
			NewNoise(uint64(sent), e.level-snr).Add(sound)
			overALaw(sound)
			sent++
			if got := tonesIn(China(), sound); !only(got, c.Name) {
				t.Errorf("%s, %+v, SNR %v: %q", c.Name, e, snr, story(got))
				continue
			}
			right++
		}
	}
	t.Logf("%d of %d right", right, sent)
}

// exchanges are the corners; all between them with CALLBOX_LONG=1, and few for
// tones that take half a minute.
func exchanges(c Cadence) (all []exchange) {
	for _, level := range []float64{-5, -38} {
		for _, hz := range []float64{-10, 0, 10} {
			for _, pace := range []float64{-20, 0, 20} {
				corner := hz*pace != 0 || hz == pace
				brief := c.cycle() < 3*time.Second || level < -10 && hz == pace/2
				if long() || corner && brief {
					all = append(all, exchange{level, hz, pace})
				}
			}
		}
	}
	return all
}

// enough is how long c must sound to be sure.
func (e exchange) enough(c Cadence) time.Duration {
	cycles := time.Duration(2)
	if c.cycle() < 2*time.Second {
		cycles = 3
	}
	return time.Duration(float64(cycles*c.cycle()) * (1 + e.pace/100))
}

// only says that name, and nothing else, was heard and ended.
func only(found []Heard, name string) bool {
	for _, h := range found {
		if h.Name != name {
			return false
		}
	}
	return len(found) >= 2 && found[len(found)-1].Gone && !found[0].Gone
}

// TestNoTones: speech, music, noise and digits hold no tone of any plan.
func TestNoTones(t *testing.T) {
	t.Run("speech", func(t *testing.T) {
		for s := range muchSpeech(t) {
			if got := tonesIn(China(), s.sound); len(got) > 0 {
				t.Errorf("%s: %s", s.name, story(got))
			}
		}
	})
	for name, sound := range map[string][]int16{
		"noise":               noise(-20, 20*time.Second),
		"loud noise":          noise(0, 20*time.Second),
		"digits":              AppendDTMF(nil, strings.Repeat(pad, 20), DefaultKeying),
		"same digit":          AppendDTMF(nil, strings.Repeat("1", 60), Keying{-9, 2, 350 * ms, 350 * ms}),
		"melody":              melody(100),
		"sweep":               sweep(100, 3900, 20*time.Second),
		"sweep back":          sweep(3900, 100, 25*time.Second),
		"380 Hz as busy":      exchange{-10, -16, 0}.send(mustFind("busy"), 10*time.Second),
		"520 Hz as busy":      exchange{-10, 16, 0}.send(mustFind("busy"), 10*time.Second),
		"450 Hz in no rhythm": unrhythmic(),
	} {
		if got := tonesIn(China(), sound); len(got) > 0 {
			t.Errorf("%s: %s", name, story(got))
		}
	}
}

func mustFind(name string) Cadence {
	c, ok := China().Find(name)
	if !ok {
		panic(name)
	}
	return c
}

func noise(level float64, d time.Duration) []int16 {
	sound := make([]int16, samples(d))
	NewNoise(3, level).Fill(sound)
	return sound
}

// melody is notes of an instrument with overtones, one after the other and two
// at a time, many of them near 450 Hz.
func melody(notes int) (sound []int16) {
	random := rand.New(rand.NewPCG(1, 2))
	for range notes {
		d := time.Duration(1+random.IntN(6)) * 125 * ms
		note := make([]int16, samples(d))
		for range 2 {
			hz := 440 * math.Pow(2, float64(random.IntN(25)-12)/12)
			for k := 1; k <= 4; k++ {
				overlay(note, AppendTone(nil, hz*float64(k), -18-6*float64(k), d))
			}
		}
		sound = append(sound, note...)
	}
	return sound
}

// unrhythmic is 450 Hz for times that are in no plan.
func unrhythmic() (sound []int16) {
	for _, on := range []int{500, 530, 500, 30, 50, 520, 250, 480, 40} {
		sound = AppendTone(sound, 450, -10, time.Duration(on)*ms)
		sound = AppendSilence(sound, 500*ms)
	}
	return sound
}

// TestTonesInSequence follows whole calls.
func TestTonesInSequence(t *testing.T) {
	type part = []int16
	play := func(name string, d time.Duration) part { return exchange{level: -12}.send(mustFind(name), d) }
	quiet := func(d time.Duration) part { return make(part, samples(d)) }
	_, talk := sayMuch(t, 3)
	for name, tt := range map[string]struct {
		parts []part
		want  string
	}{
		"dial tone, digits, ringback, answer": {
			[]part{play("dial", 2*time.Second), AppendDTMF(nil, "13812345678", DefaultKeying), quiet(2 * time.Second), play("ringback", 11*time.Second), talk[:20*Rate]},
			"dial:1 -dial ringback:1 ringback:2 ringback:3 -ringback",
		},
		"a second of dial tone is no ringback": {
			[]part{play("dial", time.Second), AppendDTMF(nil, "13812345678", DefaultKeying), quiet(5 * time.Second)},
			"",
		},
		"ringback at once after three digits": {
			[]part{play("dial", 1500*ms), AppendDTMF(nil, "801", DefaultKeying), play("ringback", 11*time.Second), quiet(6 * time.Second)},
			"dial:1 -dial ringback:1 ringback:2 ringback:3 -ringback",
		},
		"ringback, then busy": {
			[]part{quiet(time.Second), play("ringback", 7*time.Second), play("busy", 2100*ms), quiet(2 * time.Second)},
			"ringback:1 -ringback busy:2 busy:3 -busy",
		},
		"busy joined in the middle of a tone": {
			[]part{play("busy", 2800*ms)[1200:], quiet(time.Second)},
			"busy:2 busy:3 -busy",
		},
		"vacant joined in its long tone": {
			[]part{play("vacant", 5600*ms)[samples(700*ms):], quiet(time.Second)},
			"vacant:2 vacant:3 -vacant",
		},
		"busy, then congestion": {
			[]part{quiet(time.Second), play("busy", 1400*ms), play("congestion", 4200*ms), quiet(2 * time.Second)},
			"busy:2 -busy congestion:2 congestion:3 -congestion",
		},
		"the far side hangs up after talk": {
			[]part{talk[:10*Rate], play("busy", 2100*ms), quiet(time.Second)},
			"busy:2 busy:3 -busy",
		},
		"a call waits while somebody talks": {
			[]part{talk[:3*Rate], play("callwaiting", 400*ms), talk[3*Rate : 7*Rate], play("callwaiting", 400*ms), talk[7*Rate : 12*Rate]},
			"callwaiting:2 -callwaiting",
		},
		"set left off the hook": {
			[]part{play("busy", 1400*ms), quiet(time.Second), rising(play("howler", 6*time.Second))},
			"busy:2 -busy howler:1",
		},
	} {
		var line part
		for _, p := range tt.parts {
			line = append(line, p...)
		}
		NewNoise(1, -55).Add(line)
		overALaw(line)
		if got := story(tonesIn(China(), line)); got != tt.want {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// rising makes steps of 3 dB a second, as a howler does.
func rising(sound []int16) []int16 {
	for i := range sound {
		sound[i] = fit(float64(sound[i]) / 4 * math.Pow(10, 3*float64(i/Rate)/20))
	}
	return sound
}

// TestTonesOverPrompt: a busy tone is heard while the echo of our own prompt is
// on the line.
func TestTonesOverPrompt(t *testing.T) {
	_, prompt := sayMuch(t, 0)
	amplify(prompt, -32-Level(prompt))
	found := tonesIn(China(), overlay(exchange{level: -15}.send(mustFind("busy"), 20*time.Second), prompt))
	if len(found) < 10 || found[0].Name != "busy" {
		t.Errorf("%s", story(found))
	}
	for _, h := range found {
		if h.Name != "busy" {
			t.Errorf("heard %v", h)
		}
	}
}

// TestTonesInTime: what a call waits for is told soon.
func TestTonesInTime(t *testing.T) {
	for name, limit := range map[string]time.Duration{
		"dial":       1300 * ms,
		"ringback":   2050 * ms,
		"busy":       1400 * ms,
		"congestion": 2800 * ms,
		"vacant":     2800 * ms,
		"toll":       2400 * ms,
		"howler":     900 * ms,
	} {
		c := mustFind(name)
		d, at := NewTones(China()), 0
		sound := exchange{level: -10}.send(c, 5*time.Second)
		for i, v := range sound {
			if at == 0 && len(d.Detect([]int16{v}, nil)) > 0 {
				at = i
			}
		}
		if at == 0 || at > samples(limit) {
			t.Errorf("%s told after %d ms, want %v", name, at/8, limit)
		}
	}
}

// TestTonesAlone: with nothing else in the plan, a dial tone is sure sooner.
func TestTonesAlone(t *testing.T) {
	found := tonesIn(Plan{mustFind("dial")}, AppendTone(make([]int16, 800), 450, -10, 900*ms))
	if len(found) != 1 || found[0].Name != "dial" || found[0].At < 640 || found[0].At > 960 {
		t.Errorf("heard %+v, want dial from 800", found)
	}
}

// TestTonesOfOtherPlans: tones of two frequencies are told apart by which two
// they are (ITU-T E.180 supplement 2, North America).
func TestTonesOfOtherPlans(t *testing.T) {
	plan := Plan{
		{Name: "dial", Hz: []float64{350, 440}},
		{Name: "ringback", Hz: []float64{440, 480}, Pattern: every(2000, 4000)},
		{Name: "busy", Hz: []float64{480, 620}, Pattern: every(500, 500)},
		{Name: "congestion", Hz: []float64{480, 620}, Pattern: every(250, 250)},
	}
	for _, c := range plan {
		for _, pace := range []float64{-10, 0, 10} {
			sound := append(make([]int16, Rate), exchange{-13, 0, pace}.send(c, 3*c.cycle())...)
			if got := tonesIn(plan, AppendSilence(sound, 6*time.Second)); !only(got, c.Name) {
				t.Errorf("%s, %v %%: %s", c.Name, pace, story(got))
			}
		}
	}
}

// TestTonesNearlyAlike: of two cadences that are both within 20 %, the nearer
// one is told.
func TestTonesNearlyAlike(t *testing.T) {
	plan := Plan{
		{Name: "fast", Hz: []float64{450}, Pattern: every(350, 350)},
		{Name: "slow", Hz: []float64{450}, Pattern: every(420, 420)},
	}
	for _, c := range plan {
		sound := AppendSilence(append(make([]int16, Rate), exchange{level: -10}.send(c, 4*c.cycle())...), time.Second)
		if got := tonesIn(plan, sound); !only(got, c.Name) {
			t.Errorf("%s: %s", c.Name, story(got))
		}
	}
}

// TestPlanOddities: a plan comes from a configuration; a strange one must not
// end the program.
func TestPlanOddities(t *testing.T) {
	for _, p := range []Plan{
		nil,
		{{Name: "no frequency"}},
		{{Name: "high", Hz: []float64{99999}}, {Name: "low", Hz: []float64{0}}, {Name: "below", Hz: []float64{-5}}},
		{{Name: "only on", Hz: []float64{450}, Pattern: every(300)}},
		{{Name: "nothing", Hz: []float64{450}, Pattern: every(0, 0)}},
		{{Name: "long", Hz: []float64{450}, Pattern: every(100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100, 100)}},
		{{Name: "negative", Hz: []float64{450}, Pattern: every(-100, 100)}},
	} {
		tonesIn(p, exchange{level: -10}.send(mustFind("busy"), 5*time.Second))
		for _, c := range p {
			NewSource(c, -10).Fill(make([]int16, 1000))
		}
	}
}
