package dsp

import (
	"slices"
	"testing"
	"time"
)

// TestSourceKeepsItsRhythm measures every tone of China, filled in pieces of
// odd lengths.
func TestSourceKeepsItsRhythm(t *testing.T) {
	for _, c := range China() {
		sound := make([]int16, samples(2*c.cycle()))
		s := NewSource(c, -10)
		for i := 0; i < len(sound); i += 77 {
			s.Fill(sound[i:min(i+77, len(sound))])
		}
		for i, at := 0, 0; i < 2*len(c.Pattern); i++ {
			n := samples(c.Pattern[i%len(c.Pattern)])
			part := sound[at : at+n]
			at += n
			if level := Level(part); i%2 == 0 && (level < -10.3 || level > -9.7) || i%2 == 1 && level != -100 {
				t.Errorf("%s: part %d has %v", c.Name, i, level)
			}
		}
		if len(c.Pattern) == 0 && Level(sound[len(sound)/2:]) < -10.3 {
			t.Errorf("%s ends", c.Name)
		}
	}
}

// TestSourceOfOddPattern: it ends in a pause.
func TestSourceOfOddPattern(t *testing.T) {
	sound := make([]int16, 2*1600)
	NewSource(Cadence{Hz: []float64{450}, Pattern: every(100)}, -10).Fill(sound)
	for i, want := range []bool{true, false, true, false} {
		if got := Level(sound[i*800:][:800]) > -20; got != want {
			t.Errorf("part %d sounds: %v", i, got)
		}
	}
}

// TestSourceIsSmooth: a tone goes on where it was, also over its pauses and
// from piece to piece: no step is greater than a sine's steepest.
func TestSourceIsSmooth(t *testing.T) {
	whole := make([]int16, 4000)
	NewSource(Cadence{Hz: []float64{450}}, 0).Fill(whole)
	pieces := make([]int16, 4000)
	s := NewSource(Cadence{Hz: []float64{450}}, 0)
	for i := range pieces {
		s.Fill(pieces[i : i+1])
	}
	if !slices.Equal(whole, pieces) {
		t.Error("in pieces it is another tone")
	}
	const steepest = 8070 // 2π·450/8000 of 22820
	for i := 1; i < len(whole); i++ {
		if step := int(whole[i]) - int(whole[i-1]); step > steepest || step < -steepest {
			t.Fatalf("a step of %d at %d", step, i)
		}
	}
}

// TestDTMFKeying: levels, twist, times and what is left out.
func TestDTMFKeying(t *testing.T) {
	sound := AppendDTMF([]int16{1}, "5x ,d", Keying{Level: -12, Twist: 3, On: 100 * ms, Off: 50 * ms})
	if len(sound) != 1+2*1200 || sound[0] != 1 {
		t.Fatalf("%d samples, want two keys of 150 ms behind what was there", len(sound))
	}
	low, high := newProbe(770), newProbe(1336)
	var s slide
	for _, v := range sound[1+200:][:span] {
		s.push(float32(v))
	}
	var v view
	v.fold(&s)
	if l, h := decibels(float64(low.power(&v))), decibels(float64(high.power(&v))); l < -12.3 || l > -11.7 || h < -9.3 || h > -8.7 {
		t.Errorf("low tone %v, high tone %v, want -12 and -9", l, h)
	}
	if got := hear(sound); got != "5D" {
		t.Errorf("heard %q", got)
	}
	if got := AppendDTMF(nil, "12", Keying{Level: 20, On: -time.Second, Off: -time.Second}); len(got) != 0 {
		t.Errorf("keys of less than no time have %d samples", len(got))
	}
}
