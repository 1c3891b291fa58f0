package dsp

import (
	"math"
	"slices"
	"testing"
	"time"
)

// voiceIn gives for each 20 ms whether there is voice.
func voiceIn(sound []int16) (heard []bool) {
	v := NewVoice()
	for len(sound) >= 160 {
		heard = append(heard, v.Detect(sound[:160]))
		sound = sound[160:]
	}
	return heard
}

func share(heard []bool) float64 {
	n := 0
	for _, h := range heard {
		n += one(h)
	}
	return float64(n) / float64(max(1, len(heard)))
}

// TestVoice speaks for three seconds and pauses for two, over and over. At
// least 95 % of what is loud in it is voice, and no pause is, half a second (of
// hang-over) left out.
func TestVoice(t *testing.T) {
	most := 12 * Rate // of each voice
	if long() {
		most = 600 * Rate
	}
	for _, level := range []float64{-16, -28} {
		for _, snr := range []float64{math.Inf(1), 20, 10} {
			var s tally
			for _, u := range someSpeech(t) {
				s.count(u.sound[:min(len(u.sound), most)], level, snr)
			}
			loud, pause := 100*float64(s.hit)/float64(s.loud), 100*float64(s.wrong)/float64(s.quiet)
			t.Logf("speech at %v dBm0, noise %v dB below: %.1f %% of speech, %.1f %% of pauses told as voice", level, snr, loud, pause)
			if loud < 95 || pause > 0.5 || s.quiet < 200 {
				t.Errorf("of %d loud and %d quiet", s.loud, s.quiet)
			}
		}
	}
}

// tally counts frames of 20 ms.
type tally struct{ loud, hit, quiet, wrong int }

func (c *tally) count(speech []int16, level, snr float64) {
	talk := turns(speech)
	amplify(talk, level+16)
	line := slices.Clone(talk)
	NewNoise(5, level-snr).Add(line)
	since := 0
	for i, heard := range voiceIn(line) {
		l := Level(talk[i*160:][:160])
		if since++; l > level-45 {
			since = 0
		}
		switch {
		case l > level-10:
			c.loud++
			c.hit += one(heard)
		case since > 25:
			c.quiet++
			c.wrong += one(heard)
		}
	}
}

func one(b bool) int {
	if b {
		return 1
	}
	return 0
}

// turns is speech with two seconds of nothing after every three.
func turns(speech []int16) (sound []int16) {
	sound = make([]int16, Rate)
	for i := 0; i+3*Rate < len(speech); i += 3 * Rate {
		sound = append(sound, speech[i:i+3*Rate]...)
		sound = append(sound, make([]int16, 2*Rate)...)
	}
	return sound
}

// TestNoVoice: tones and steady noise are nobody.
func TestNoVoice(t *testing.T) {
	sounds := map[string][]int16{
		"silence":        make([]int16, 10*Rate),
		"noise at -60":   noise(-60, 6*time.Second),
		"noise at -45":   noise(-45, 6*time.Second),
		"noise at -33":   noise(-33, 6*time.Second),
		"hum":            AppendTone(nil, 50, -20, 10*time.Second),
		"digits":         AppendDTMF(nil, pad+pad, DefaultKeying),
		"CNG":            calling(0, -15, 0),
		"CED":            answering(0, -15, true, true),
		"direct current": constant(5000, 5*time.Second),
	}
	for _, c := range China() {
		sounds[c.Name] = exchange{level: -10}.send(c, 6*time.Second)
	}
	for name, sound := range sounds {
		for _, snr := range []float64{math.Inf(1), 21} {
			line := slices.Clone(sound)
			NewNoise(9, -10-snr).Add(line)
			if got := share(voiceIn(line)); got > 0 {
				t.Errorf("%s, noise at %v: %.1f %% told as voice", name, -10-snr, 100*got)
			}
		}
	}
}

// TestVoiceGetsUsedToNoise: noise that begins is no voice for longer than 4 s;
// one that does not change is none, and a click is none.
func TestVoiceGetsUsedToNoise(t *testing.T) {
	line := append(noise(-60, 5*time.Second), noise(-36, 8*time.Second)...)
	heard := voiceIn(line)
	if got := share(heard[(5+4)*50:]); got > 0 {
		t.Errorf("%.1f %% of noise that began 4 s ago told as voice", 100*got)
	}
	if got := share(voiceIn(noise(-18, 8*time.Second))[4*50:]); got > 0 {
		t.Errorf("%.1f %% of loud noise told as voice", 100*got)
	}
	clicks := noise(-60, 10*time.Second)
	for i := 0; i < len(clicks); i += Rate {
		clicks[i+100], clicks[i+101] = 20000, -20000
	}
	if got := share(voiceIn(clicks)); got > 0 {
		t.Errorf("%.1f %% of clicks told as voice", 100*got)
	}
}
