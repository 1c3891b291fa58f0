package dsp

import (
	"bytes"
	"encoding/binary"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"
)

const ms = time.Millisecond

// press is a key as some telephone sends it: the level of the louder tone in
// dBm0, high minus low in dB, and how far off the frequencies are in per cent.
type press struct {
	level, twist float64
	low, high    float64
	on, off      time.Duration
}

func (p press) send(to []int16, digits string) []int16 {
	low, high := p.level-max(0, p.twist), p.level+min(0, p.twist)
	for _, key := range digits {
		place := strings.IndexRune(pad, key)
		a := oscillator(rows[place/4]*(1+p.low/100), Amplitude(low))
		b := oscillator(columns[place%4]*(1+p.high/100), Amplitude(high))
		for range samples(p.on) {
			to = append(to, fit(a.next()+b.next()))
		}
		to = AppendSilence(to, p.off)
	}
	return to
}

// hear gives the keys that a detector reports.
func hear(sound []int16) string {
	var keys strings.Builder
	for _, d := range hearDigits(sound) {
		keys.WriteByte(d.Key)
	}
	return keys.String()
}

// hearDigits feeds a detector in pieces, as a line does.
func hearDigits(sound []int16) []Digit {
	d := NewDTMF()
	var found []Digit
	for len(sound) > 0 {
		n := min(160, len(sound))
		found = d.Detect(sound[:n], found)
		sound = sound[n:]
	}
	return found
}

// missed is how many keys got has wrong, too many or too few.
func missed(got, want string) int {
	row := make([]int, len(want)+1)
	for i := range row {
		row[i] = i
	}
	for i := range len(got) {
		last := row[0]
		row[0] = i + 1
		for j := range len(want) {
			cost := last
			if got[i] != want[j] {
				cost++
			}
			last = row[j+1]
			row[j+1] = min(cost, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(want)]
}

// overALaw is what sound becomes on a digital exchange.
func overALaw(sound []int16) {
	line := make([]byte, len(sound))
	EncodeALaw(line, sound)
	DecodeALaw(sound, line)
}

// TestDTMFGrid sends every key at the corners of what a telephone may send
// (ITU-T Q.24 and the national values of its annex), through A-law.
func TestDTMFGrid(t *testing.T) {
	keys := pad
	if long() {
		keys = strings.Repeat(pad, 20)
	}
	lengths := []time.Duration{35 * ms}
	if long() {
		lengths = append(lengths, 40*ms, 50*ms)
	}
	for _, on := range lengths {
		for _, snr := range []float64{math.Inf(1), 20, 15} {
			sent, wrong := 0, 0
			for _, p := range corners(on) {
				sound := p.send(make([]int16, 800), keys)
				level := Level(p.send(nil, "5")[:samples(on)])
				NewNoise(uint64(sent), level-snr).Add(sound)
				overALaw(sound)
				wrong += missed(hear(sound), keys)
				sent += len(keys)
			}
			t.Logf("tones of %v, noise %v dB below: %d of %d keys, %.2f %%", on, snr, sent-wrong, sent, 100*float64(sent-wrong)/float64(sent))
			if 1000*wrong > 2*sent {
				t.Errorf("%d of %d keys wrong, more than 0.2 %%", wrong, sent)
			}
		}
	}
}

func corners(on time.Duration) (all []press) {
	for _, level := range []float64{0, -10, -20, -29, -35} {
		for _, twist := range []float64{-8, -4, 0, 4} {
			for _, off := range []float64{-1.5, 0, 1.5} {
				all = append(all, press{level, twist, off, -off, on, 40 * ms})
			}
		}
	}
	return all
}

// TestDTMFLimits tells what is a key and what is none, each with all 16 keys
// and six places of the window.
func TestDTMFLimits(t *testing.T) {
	plain := press{level: -10, on: 50 * ms, off: 50 * ms}
	with := func(change func(*press)) press {
		p := plain
		change(&p)
		return p
	}
	for name, tt := range map[string]struct {
		press press
		want  int
	}{
		"35 ms":              {with(func(p *press) { p.on = 35 * ms }), 16},
		"too short, 20 ms":   {with(func(p *press) { p.on = 20 * ms }), 0},
		"pause of 30 ms":     {with(func(p *press) { p.off = 30 * ms }), 16},
		"low +1.5 %":         {with(func(p *press) { p.low = 1.5 }), 16},
		"low -1.5 %":         {with(func(p *press) { p.low = -1.5 }), 16},
		"high +1.5 %":        {with(func(p *press) { p.high = 1.5 }), 16},
		"high -1.5 %":        {with(func(p *press) { p.high = -1.5 }), 16},
		"low +3.5 %":         {with(func(p *press) { p.low = 3.5 }), 0},
		"low -3.5 %":         {with(func(p *press) { p.low = -3.5 }), 0},
		"high +3.5 %":        {with(func(p *press) { p.high = 3.5 }), 0},
		"high -3.5 %":        {with(func(p *press) { p.high = -3.5 }), 0},
		"twist +4 dB":        {with(func(p *press) { p.twist = 4 }), 16},
		"twist -8 dB":        {with(func(p *press) { p.twist = -8 }), 16},
		"one tone too weak":  {with(func(p *press) { p.twist = 12 }), 0},
		"high tone too weak": {with(func(p *press) { p.twist = -15 }), 0},
		"0 dBm0":             {with(func(p *press) { p.level = 0 }), 16},
		"-42 dBm0":           {with(func(p *press) { p.level = -42 }), 16},
		"too quiet":          {with(func(p *press) { p.level = -55 }), 0},
	} {
		for _, lead := range []int{0, 7, 13, 20, 27, 33} {
			if got := hear(tt.press.send(make([]int16, lead), pad)); len(got) != tt.want {
				t.Errorf("%s, %d samples in: heard %q, want %d keys", name, lead, got, tt.want)
			}
		}
	}
}

// TestDTMFInterruptions: up to 10 ms without tone do not make two of a key, 20
// ms do.
func TestDTMFInterruptions(t *testing.T) {
	for gap := 0; gap <= 30; gap++ {
		for lead := 0; lead < 40; lead += 3 {
			p := press{level: -10, on: 45 * ms, off: time.Duration(gap) * ms}
			got := hear(AppendSilence(p.send(make([]int16, lead), "55"), 100*ms))
			if gap <= 10 && got != "5" || gap >= 20 && got != "55" {
				t.Errorf("two of 45 ms, %d ms between, %d samples in: %q", gap, lead, got)
			}
		}
	}
}

// TestDTMFTimes: a key is reported at most 45 ms after it began, once, and its
// begin and length are right to 5 ms.
func TestDTMFTimes(t *testing.T) {
	for begin := 400; begin < 440; begin += 3 {
		d := NewDTMF()
		sound := press{level: -10, on: 80 * ms, off: 100 * ms}.send(make([]int16, begin), "7")
		told := 0
		for i := range sound {
			if len(d.Detect(sound[i:i+1], nil)) > 0 {
				told = i
				if !d.Active() {
					t.Error("told and not active")
				}
			}
		}
		got := d.Last()
		if told == 0 || told-begin > 45*8 {
			t.Errorf("told %d samples after it began", told-begin)
		}
		if off := got.At - int64(begin); off < -40 || off > 40 || got.Key != '7' {
			t.Errorf("%+v began %d samples off", got, off)
		}
		if off := got.Length - 640; off < -45 || off > 45 || d.Active() {
			t.Errorf("%+v is %d samples too long, active %v", got, off, d.Active())
		}
	}
}

// TestDTMFBeside hears keys with something else on the line.
func TestDTMFBeside(t *testing.T) {
	keys := strings.Repeat(pad, 3)
	line := func() []int16 {
		return press{level: -10, on: 60 * ms, off: 60 * ms}.send(make([]int16, 400), keys)
	}
	for name, beside := range map[string][]int16{
		"dial tone as loud":         AppendTone(nil, 450, -10, 10*time.Second),
		"dial tone 8 dB louder":     AppendTone(nil, 450, -2, 10*time.Second),
		"dial tone of 425 Hz":       AppendTone(nil, 425, -10, 10*time.Second),
		"two dial tones 20 dB less": overlay(AppendTone(nil, 350, -27, 10*time.Second), AppendTone(nil, 440, -27, 10*time.Second)),
		"hum as loud":               AppendTone(nil, 50, -10, 10*time.Second),
		"direct current":            constant(3000, 10*time.Second),
	} {
		if got := hear(overlay(line(), beside)); got != keys {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestDTMFOverPrompt hears keys while the echo of a prompt is there, 20 dB
// below them.
func TestDTMFOverPrompt(t *testing.T) {
	wrong, sent := 0, 0
	for s := range muchSpeech(t) {
		prompt := s.sound
		amplify(prompt, -30-Level(prompt))
		keys := strings.Repeat(pad, len(prompt)/(16*960)+1)
		line := press{level: -10 - 3, on: 60 * ms, off: 60 * ms}.send(nil, keys)
		wrong += missed(hear(overlay(line, prompt)), keys)
		sent += len(keys)
	}
	t.Logf("%d of %d keys wrong", wrong, sent)
	if 1000*wrong > 2*sent {
		t.Error("more than 0.2 %")
	}
}

// overlay adds b to a, as long as both last.
func overlay(a, b []int16) []int16 {
	for i := range min(len(a), len(b)) {
		a[i] = fit(float64(a[i]) + float64(b[i]))
	}
	return a
}

func constant(v int16, d time.Duration) []int16 {
	s := AppendSilence(nil, d)
	for i := range s {
		s[i] = v
	}
	return s
}

// TestTalkOff counts digits heard in speech: four minutes, or an hour.
func TestTalkOff(t *testing.T) {
	var heard time.Duration
	digits := 0
	for s := range muchSpeech(t) {
		heard += seconds(s.sound)
		if got := hear(s.sound); got != "" {
			digits += len(got)
			t.Errorf("%s: heard %q", s.name, got)
		}
	}
	t.Logf("%d digits in %v of speech", digits, heard.Round(time.Second))
}

// TestDTMFInNoise: noise of any level holds no digits.
func TestDTMFInNoise(t *testing.T) {
	for _, level := range []float64{-60, -45, -30, -10, 0} {
		sound := make([]int16, 20*Rate)
		NewNoise(1, level).Fill(sound)
		if got := hear(sound); got != "" {
			t.Errorf("noise at %v: %q", level, got)
		}
	}
}

// TestDTMFInMusic: two notes at a time are no key.
func TestDTMFInMusic(t *testing.T) {
	if got := hear(melody(100)); got != "" {
		t.Errorf("heard %q", got)
	}
}

// TestMultimonReadsOurDigits lets another's decoder read what we make and what
// our detector reads.
func TestMultimonReadsOurDigits(t *testing.T) {
	needLong(t)
	program, err := exec.LookPath("multimon-ng")
	if err != nil {
		t.Skip("no multimon-ng")
	}
	keys := strings.Repeat(pad, 4)
	for _, k := range []Keying{DefaultKeying, {-12, -4, 60 * ms, 60 * ms}, {-6, 3, 100 * ms, 50 * ms}, {-25, 0, 80 * ms, 80 * ms}} {
		sound := AppendDTMF(make([]int16, 800), keys, k)
		if got := hear(sound); got != keys {
			t.Errorf("%+v: we read %q", k, got)
		}
		raw, _ := binary.Append(nil, binary.LittleEndian, rerate(sound, Rate, 22050))
		cmd := exec.Command(program, "-q", "-t", "raw", "-a", "DTMF", "-")
		cmd.Stdin = bytes.NewReader(raw)
		out, err := cmd.Output()
		got := strings.ReplaceAll(strings.ReplaceAll(strings.TrimSpace(string(out)), "DTMF: ", ""), "\n", "")
		if err != nil || got != keys {
			t.Errorf("%+v: multimon-ng reads %q, %v", k, got, err)
		}
	}
}
