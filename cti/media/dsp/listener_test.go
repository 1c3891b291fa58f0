package dsp

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// listenAll gives what is heard in a sound as words, and the findings.
func listenAll(sound []int16) (words []string, found []Finding) {
	l := NewListener(China())
	for block := range slices.Chunk(sound, 1000) {
		found = l.Listen(block, found)
	}
	found = l.Close(found)
	for _, f := range found {
		words = append(words, f.word())
	}
	return words, found
}

func (f Finding) word() string {
	if f.Kind == "callerid" {
		return strings.TrimSpace(fmt.Sprintln("callerid", f.Caller.Mode, f.Caller.Number, f.Caller.Name))
	}
	return f.Kind + " " + f.Value
}

// digits is what a Listener says of keys that are no caller ID.
func digits(keys string) (words []string) {
	for _, k := range keys {
		words = append(words, "dtmf "+string(k))
	}
	return words
}

func TestListenerKeys(t *testing.T) {
	finger := Keying{Level: -10, On: 150 * ms, Off: 250 * ms}
	for _, keys := range []string{"1", "123#", "0123456789ABCD*#", "D", "A", "DDD", "ABCD", "A12C", "A123C456", "DC", "D123", "D1#", "B#", "1D13812345678C", "C123", "#"} {
		if got, _ := listenAll(AppendDTMF(nil, keys, DefaultKeying)); !slices.Equal(got, digits(keys)) {
			t.Errorf("%s: %q", keys, got)
		}
	}
	for _, keys := range []string{"D13812345678C", "A123C", "D"} {
		if got, _ := listenAll(AppendDTMF(nil, keys, finger)); !slices.Equal(got, digits(keys)) {
			t.Errorf("%s by hand: %q", keys, got)
		}
	}
}

func TestListenerCallerID(t *testing.T) {
	fsk := usual(V23).send(someone.MDMF())
	pause := AppendSilence(nil, time.Second)
	for name, tt := range map[string]struct {
		sound []int16
		want  []string
	}{
		"fsk":                 {fsk, []string{"callerid fsk 13812345678 张三"}},
		"fsk, nothing behind": {fsk[:len(fsk)-400], []string{"callerid fsk 13812345678 张三"}},
		"dtmf":                {keyed("D13812345678C", exchangeKeying), []string{"callerid dtmf 13812345678"}},
		"dtmf, made":          {AppendDTMFCallerID(nil, CallerID{Number: "13812345678"}, DefaultKeying), []string{"callerid dtmf 13812345678"}},
		"dtmf, short":         {keyed("D110C", exchangeKeying), []string{"callerid dtmf 110"}},
		"dtmf without end":    {keyed("D13812345678", exchangeKeying), []string{"callerid dtmf 13812345678"}},
		"dtmf, withheld":      {keyed("B10C", exchangeKeying), []string{"callerid dtmf"}},
		"both, then digits": {
			slices.Concat(fsk, keyed("A10086#", exchangeKeying), AppendDTMF(nil, "42", DefaultKeying)),
			[]string{"callerid fsk 13812345678 张三", "callerid dtmf 10086", "dtmf 4", "dtmf 2"},
		},
		"ring between": {
			slices.Concat(keyed("D10086C", exchangeKeying), AppendTone(nil, 25, 3, time.Second), pause, fsk),
			[]string{"callerid dtmf 10086", "callerid fsk 13812345678 张三"},
		},
	} {
		if got, _ := listenAll(tt.sound); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// planTone is a tone of the plan for so long.
func planTone(t *testing.T, name string, d time.Duration) []int16 {
	t.Helper()
	c, ok := China().Find(name)
	if !ok {
		t.Fatalf("no tone %s", name)
	}
	sound := AppendSilence(nil, d)
	NewSource(c, -15).Fill(sound)
	return sound
}

// TestListenerTones reports each tone once, however long it lasts.
func TestListenerTones(t *testing.T) {
	for _, name := range told {
		lasts := 8 * time.Second
		if name == "ringback" {
			lasts = 16 * time.Second
		}
		if got, _ := listenAll(planTone(t, name, lasts)); !slices.Equal(got, []string{"tone " + name}) {
			t.Errorf("%s: %q", name, got)
		}
	}
	pause := AppendSilence(nil, 3*time.Second)
	busy := planTone(t, "busy", 5*time.Second)
	dial := planTone(t, "dial", 5*time.Second)
	if got, _ := listenAll(slices.Concat(dial, pause, busy, pause)); !slices.Equal(got, []string{"tone dial", "tone busy"}) {
		t.Errorf("dial, then busy: %q", got)
	}
}

// TestListenerOffice: tones of an office's own exchange are told once, or not at all, but
// never as one that means something else.
func TestListenerOffice(t *testing.T) {
	for name, tt := range map[string]struct {
		pattern []time.Duration
		want    []string
	}{
		"ringback of 1 and 2 s":    {every(1000, 2000), []string{"tone ringback"}},
		"ringback of 1 and 3 s":    {every(1000, 3000), []string{"tone ringback"}},
		"ringback of 2 and 4 s":    {every(2000, 4000), nil},
		"busy that pauses":         {every(400, 400, 400, 1600), nil},
		"double ringback":          {every(400, 200, 400, 2000), nil},
		"busy of half a second":    {every(500, 500), nil},
		"busy of 0.25 s":           {every(250, 250), nil},
		"a second and a second":    {every(1000, 1000), nil},
		"busy of two cadences":     {every(350, 350, 350, 60000), []string{"tone busy"}},
		"dial tone of two seconds": {every(2000, 60000), []string{"tone dial"}},
	} {
		office := exchange{level: -15}.send(Cadence{Hz: []float64{450}, Pattern: tt.pattern}, 15*time.Second)
		if got, _ := listenAll(AppendSilence(office, 3*time.Second)); !slices.Equal(got, tt.want) {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

func TestListenerFax(t *testing.T) {
	var cng []int16
	for range 3 {
		cng = AppendSilence(AppendTone(cng, 1100, -15, 500*ms), 3*time.Second)
	}
	ced := AppendSilence(AppendTone(nil, 2100, -15, 3*time.Second), time.Second)
	for name, sound := range map[string][]int16{"fax cng": cng, "fax ced": ced} {
		if got, _ := listenAll(sound); !slices.Equal(got, []string{name}) {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestListenerAt checks where findings begin, within 20 ms.
func TestListenerAt(t *testing.T) {
	quiet := AppendSilence(nil, time.Second)
	sound := slices.Concat(quiet, AppendFSK(nil, someone.MDMF(), Bell202, -15), quiet, keyed("D10086C", exchangeKeying), AppendDTMF(quiet, "7", DefaultKeying))
	message := len(quiet) + (seizureBits+markBits)*Rate/baud
	last := len(sound) - 2*samples(80*ms)
	keys := last - len(quiet) - len(keyed("D10086C", exchangeKeying)) + 2000
	fax := samples(20 * time.Second)
	sound = append(sound, make([]int16, max(0, fax-len(sound)))...)
	sound = AppendSilence(AppendTone(sound, 1100, -20, 500*ms), time.Second)
	_, found := listenAll(sound)
	if len(found) != 4 {
		t.Fatalf("found %+v", found)
	}
	for i, want := range []int{message, keys, last, fax} {
		if off := int(found[i].At) - want; off < -160 || off > 160 {
			t.Errorf("%+v is %d samples off", found[i], off)
		}
	}
}

func TestListenerNothing(t *testing.T) {
	all := nothing(3 * time.Second)
	for seed := range uint64(2) {
		song := make([]int16, 10*Rate)
		for i, v := range at(-15, music(len(song), seed)) {
			song[i] = fit(v)
		}
		all[fmt.Sprint("music ", seed)] = song
	}
	for _, name := range []string{"dial tone", "answer tone", "calling tone", "keys"} {
		delete(all, name)
	}
	for name, sound := range all {
		if got, _ := listenAll(sound); got != nil {
			t.Errorf("%s: %q", name, got)
		}
	}
}

// TestListenerSpeech listens to four minutes of speech, or an hour: it holds nothing, also no caller ID.
func TestListenerSpeech(t *testing.T) {
	for s := range muchSpeech(t) {
		if got, _ := listenAll(s.sound); got != nil {
			t.Errorf("%s: %q", s.name, got)
		}
	}
}

func BenchmarkListener(b *testing.B) {
	second := AppendSilence(nil, time.Second)
	NewNoise(1, -30).Add(second)
	l := NewListener(China())
	var found []Finding
	for b.Loop() {
		found = l.Listen(second, found[:0])
	}
}
