package dsp

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"
)

// exchangeKeying is the rhythm of an exchange: 70 ms on, 70 ms off.
var exchangeKeying = Keying{Level: -12, Twist: 1, On: 70 * ms, Off: 70 * ms}

func detectAll(c *Callers, line []int16) (found []CallerID) {
	for block := range slices.Chunk(line, 160) {
		found = c.Detect(block, found)
	}
	return found
}

// keyed is keys on an idle line, with the pause behind them that ends them.
func keyed(keys string, k Keying) []int16 {
	line := AppendDTMF(make([]int16, 2000), keys, k)
	return append(line, make([]int16, 4000)...)
}

func TestCallersDTMF(t *testing.T) {
	for keys, want := range map[string]CallerID{
		"D13812345678C":             {Number: "13812345678"},
		"A13812345678C":             {Number: "13812345678"},
		"B13812345678C":             {Number: "13812345678"},
		"D02156430144#":             {Number: "02156430144"},
		"D110C":                     {Number: "110"},
		"D12345678901234567890C":    {Number: "12345678901234567890"},
		"D10086":                    {Number: "10086"},
		"DD10086C":                  {Number: "10086"},
		"A13812345678D01088881234C": {Number: "13812345678"},
		"A13812345678B00C":          {Number: "13812345678"},
		"B00C":                      {Absent: true},
		"B10C":                      {Private: true},
		"D1#":                       {Private: true},
		"D2#":                       {Absent: true},
	} {
		want.Mode = "dtmf"
		for name, k := range map[string]Keying{
			"usual":  exchangeKeying,
			"quick":  {Level: -12, On: 50 * ms, Off: 50 * ms},
			"slow":   {Level: -12, On: 100 * ms, Off: 150 * ms},
			"weak":   {Level: -30, Twist: 2, On: 70 * ms, Off: 70 * ms},
			"uneven": {Level: -12, Twist: -6, On: 70 * ms, Off: 70 * ms},
		} {
			if name != "usual" && len(keys) < 13 {
				continue
			}
			if got := detectAll(NewCallers(), keyed(keys, k)); len(got) != 1 || got[0] != want {
				t.Errorf("%s, %s: found %+v, want %+v", keys, name, got, want)
			}
		}
	}
}

func TestCallersDTMFMade(t *testing.T) {
	for _, id := range []CallerID{{Number: "13812345678"}, {Number: "110"}, {Private: true}, {Absent: true}} {
		line := append(AppendDTMFCallerID(nil, id, DefaultKeying), make([]int16, 800)...)
		id.Mode = "dtmf"
		if got := detectAll(NewCallers(), line); len(got) != 1 || got[0] != id {
			t.Errorf("found %+v, want %+v", got, id)
		}
	}
	plus := AppendDTMFCallerID(nil, CallerID{Number: "+86 138"}, DefaultKeying)
	if got := hear(plus); got != "D86138C" {
		t.Errorf("keys %s, want D86138C", got)
	}
}

func TestCallersRefuseKeys(t *testing.T) {
	for _, keys := range []string{
		"13812345678C", "D12C", "D12", "DC", "C", "D", "A", "D1*345C", "D123456789012345678901C", "B11C",
		"A12C34", strings.Repeat("D", 50), strings.Repeat("D1", 25), "D" + strings.Repeat("7", 50) + "C",
	} {
		if got := detectAll(NewCallers(), keyed(keys, exchangeKeying)); got != nil {
			t.Errorf("%s: found %+v", keys, got)
		}
	}
}

// TestCallersBoth finds one form behind the other, whatever went before.
func TestCallersBoth(t *testing.T) {
	fsk := append(AppendFSK(nil, someone.MDMF(), V23, -20), make([]int16, 800)...)
	dtmf := keyed("D10086C", exchangeKeying)
	waiting := append(AppendFSK(nil, sealed(typeMDMFWaiting, []byte{0x0B, 1, 0xFF}), Bell202, -20), make([]int16, 800)...)
	stray := keyed("5", exchangeKeying)
	c := NewCallers()
	if c.Raw() != nil {
		t.Error("raw before the first")
	}
	got := detectAll(c, slices.Concat(stray, fsk, dtmf, waiting, dtmf, fsk, waiting))
	key := CallerID{Number: "10086", Mode: "dtmf"}
	if want := []CallerID{someone, key, key, someone}; !slices.Equal(got, want) {
		t.Errorf("found %+v, want %+v", got, want)
	}
	if want := sealed(typeMDMFWaiting, []byte{0x0B, 1, 0xFF}); !bytes.Equal(c.Raw(), want) {
		t.Errorf("raw % X, want % X", c.Raw(), want)
	}
}

func TestCallersReset(t *testing.T) {
	c := NewCallers()
	fsk := AppendFSK(nil, someone.MDMF(), Bell202, -20)
	keys := keyed("D10086C", exchangeKeying)
	found := detectAll(c, fsk[:len(fsk)-600])
	c.Reset()
	found = append(found, detectAll(c, fsk[len(fsk)-600:])...)
	found = append(found, detectAll(c, keys[:5000])...)
	c.Reset()
	if found = append(found, detectAll(c, keys[5000:])...); found != nil {
		t.Errorf("found %+v in halves", found)
	}
	if got := detectAll(c, append(fsk, make([]int16, 400)...)); !slices.Equal(got, []CallerID{someone}) {
		t.Errorf("after Reset: %+v", got)
	}
}

// TestCallersBlocks takes a line in one piece, or sample by sample.
func TestCallersBlocks(t *testing.T) {
	line := slices.Concat(AppendFSK(nil, someone.MDMF(), Bell202, -20), keyed("D10086C", exchangeKeying))
	want := []CallerID{someone, {Number: "10086", Mode: "dtmf"}}
	for _, n := range []int{1, 33, len(line)} {
		c, found := NewCallers(), []CallerID(nil)
		for block := range slices.Chunk(line, n) {
			found = c.Detect(block, found)
		}
		if !slices.Equal(found, want) {
			t.Errorf("blocks of %d: found %+v, want %+v", n, found, want)
		}
	}
}

// TestCallersAllocate nothing while nothing is found.
func TestCallersAllocate(t *testing.T) {
	line := slices.Concat(AppendTone(nil, 25, 0, time.Second), usual(Bell202).send(someone.MDMF())[:4500],
		keyed("D12", exchangeKeying), AppendTone(nil, 1200, -10, time.Second))
	NewNoise(1, -40).Add(line)
	c, found := NewCallers(), make([]CallerID, 0, 4)
	if n := testing.AllocsPerRun(3, func() { found = c.Detect(line, found[:0]) }); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

// nothing are sounds that hold no caller ID.
func nothing(d time.Duration) map[string][]int16 {
	noise := func(seed uint64, level float64) []int16 {
		s := AppendSilence(nil, d)
		NewNoise(seed, level).Add(s)
		return s
	}
	loud := noise(3, 5)
	return map[string][]int16{
		"silence": AppendSilence(nil, d), "noise": noise(1, -20), "faint noise": noise(2, -60), "clipped noise": loud,
		"mark": overlay(AppendTone(nil, 1200, -15, d), noise(4, -25)), "mark of V.23": overlay(AppendTone(nil, 1300, -15, d), noise(5, -22)),
		"space": AppendTone(nil, 2200, -15, d), "ringing": AppendTone(nil, 25, 3, d), "dial tone": AppendTone(nil, 450, -10, d),
		"answer tone": AppendTone(nil, 2100, -10, d), "calling tone": AppendTone(nil, 1100, -10, d),
		"keys": AppendDTMF(nil, strings.Repeat("1234567890*#", int(d/time.Second)), Keying{Level: -10, On: 40 * ms, Off: 40 * ms}),
	}
}

func TestCallersNothing(t *testing.T) {
	d := 2 * time.Second
	if long() {
		d = time.Hour / 4
	}
	for name, sound := range nothing(d) {
		if got := detectAll(NewCallers(), sound); got != nil {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestCallersSpeech listens to an hour of speech. What Callers share with a Listener
// hears some in each test of that.
func TestCallersSpeech(t *testing.T) {
	needLong(t)
	var heard time.Duration
	c := NewCallers()
	for s := range muchSpeech(t) {
		if got := detectAll(c, s.sound); got != nil {
			t.Errorf("%s: %+v", s.name, got)
		}
		heard += seconds(s.sound)
	}
	t.Logf("%v of speech, raw % X", heard.Round(time.Second), c.Raw())
}

// FuzzParseKeys reads any keys.
func FuzzParseKeys(f *testing.F) {
	f.Add("A123D456B00C")
	f.Add("DC")
	f.Fuzz(func(t *testing.T, keys string) {
		id, ok := parseKeys([]byte(keys))
		if ok && (id.Mode != "dtmf" || len(id.Number) > longestNumber || onlyDigits(id.Number) != id.Number) {
			t.Errorf("%q: %+v", keys, id)
		}
		if ok && id.Number == "" && !id.Private && !id.Absent {
			t.Errorf("%q: %+v tells nothing", keys, id)
		}
	})
}

func BenchmarkCallers(b *testing.B) {
	idle := AppendSilence(nil, time.Second)
	NewNoise(1, -45).Add(idle)
	mark := AppendTone(nil, 1200, -20, time.Second)
	NewNoise(1, -30).Add(mark)
	for name, second := range map[string][]int16{"idle": idle, "mark": mark, "message": append(usual(Bell202).send(someone.MDMF()), make([]int16, Rate)...)[:Rate]} {
		b.Run(name, func(b *testing.B) {
			c := NewCallers()
			b.ReportAllocs()
			for b.Loop() {
				detectAll(c, second)
			}
		})
	}
}
