package media

import (
	"math/rand/v2"
	"testing"
	"time"

	"callbox/cti/media/dsp"
)

// listening is a receiver that listens for what is wanted, and who is told.
func listening(t testing.TB, want Detect) (p *port, fax chan string) {
	t.Helper()
	h := newHall(t, PCMA)
	fax = make(chan string, 1)
	p = &h.ports[0].port
	p.detect(want, fax)
	return p, fax
}

// over carries sound to p with some of its packets lost.
func over(p *port, sound []int16, loss float64) {
	random := rand.New(rand.NewPCG(5, 6))
	coded := make([]byte, len(sound))
	Encode(PCMA, coded, sound)
	for n := 0; (n+1)*FrameSamples <= len(coded); n++ {
		now := int64(n * FrameSamples)
		if random.Float64() >= loss {
			p.in.mu.Lock()
			p.in.sound(&heard{arrival: now, law: PCMA, payload: coded[n*FrameSamples : (n+1)*FrameSamples]}, uint32(now), p.out.ids)
			p.in.mu.Unlock()
		}
		p.beat(now + 73)
	}
}

func pressedOf(p *port) (keys string) {
	for len(p.digits) > 0 {
		keys += string(<-p.digits)
	}
	return keys
}

// TestNoEarAfterClose: a port that is closed is kept for a while by whoever
// answers repeated requests; the 20 kB of an ear are not.
func TestNoEarAfterClose(t *testing.T) {
	h := newHall(t, PCMA, PCMA)
	p, other := &h.ports[0].port, h.ports[1]
	p.detect(DetectKeys|DetectFax, make(chan string, 1))
	h.room.Hear(h.ports[0], other)
	h.beat(1)
	h.ports[0].shut()
	h.beat(1) // the room lets go of who left
	if p.in.ear != nil {
		t.Errorf("a closed port has an ear with %d users", p.in.ear.users)
	}
	p.agreed(Stream{Detect: DetectKeys}, nil)
	if p.in.ear != nil || p.detects.Load() {
		t.Error("a closed port got an ear again")
	}
}

// TestNoKeysInSpeech: ten minutes of a voice hold no key, nor does what is made up
// where a part of it is lost.
func TestNoKeysInSpeech(t *testing.T) {
	sound := speechlike(200 * time.Second)
	for _, loss := range []float64{0, 0.05, 0.3} {
		p, fax := listening(t, DetectKeys|DetectFax)
		over(p, sound, loss)
		if got := pressedOf(p); got != "" || len(fax) > 0 {
			t.Errorf("%v lost: heard %q, and %d faxes", loss, got, len(fax))
		}
	}
}

// TestKeysOverLoss: each key is found once, also where a packet of it is lost.
func TestKeysOverLoss(t *testing.T) {
	const all = "0123456789*#ABCD"
	sound := dsp.AppendDTMF(make([]int16, 4000), all+all, dsp.Keying{Level: -12, Twist: 2, On: 100 * time.Millisecond, Off: 100 * time.Millisecond})
	for _, tt := range []struct {
		loss  float64
		wrong int
	}{{0, 0}, {0.02, 1}, {0.05, 4}} {
		p, _ := listening(t, DetectKeys)
		over(p, append(sound, make([]int16, 2000)...), tt.loss)
		got := pressedOf(p)
		if n := mistaken(got, all+all); n > tt.wrong {
			t.Errorf("%v lost: %q, %d wrong", tt.loss, got, n)
		}
	}
}

// mistaken is how many keys were left out, added or taken for others.
func mistaken(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		last := row[0]
		row[0] = i + 1
		for j := range len(b) {
			change := last
			if a[i] != b[j] {
				change++
			}
			last = row[j+1]
			row[j+1] = min(change, row[j]+1, last+1)
		}
	}
	return row[len(b)]
}

// TestFaxIsListenedForAWhile: both tones are told once each, and none behind
// 60 s of sound.
func TestFaxIsListenedForAWhile(t *testing.T) {
	cng := dsp.AppendSilence(dsp.AppendTone(nil, 1100, -15, 500*time.Millisecond), 3*time.Second)
	ced := dsp.AppendSilence(dsp.AppendTone(nil, 2100, -15, 3*time.Second), time.Second)
	for name, tt := range map[string]struct {
		sound [][]int16
		want  []string
	}{
		"cng":            {[][]int16{cng, cng, cng}, []string{"cng"}},
		"ced":            {[][]int16{ced, ced}, []string{"ced"}},
		"after a minute": {[][]int16{dsp.AppendTone(nil, 700, -15, time.Minute), cng, ced}, nil},
		"after silence":  {[][]int16{make([]int16, 90*SampleRate), cng}, []string{"cng"}},
	} {
		p, fax := listening(t, DetectFax)
		var sound []int16
		for _, s := range tt.sound {
			sound = append(sound, s...)
		}
		over(p, append(sound, make([]int16, 1000)...), 0)
		var got []string
		for len(fax) > 0 {
			got = append(got, <-fax)
		}
		if len(got) != len(tt.want) || len(got) > 0 && got[0] != tt.want[0] {
			t.Errorf("%s: %q, want %q", name, got, tt.want)
		}
	}
}

// TestDetectionEnds: nobody decodes when nothing is asked for any more.
func TestDetectionEnds(t *testing.T) {
	p, fax := listening(t, DetectFax)
	p.detect(DetectKeys|DetectFax, fax)
	if p.in.ear == nil || p.in.ear.keys == nil || p.in.ear.users != 1 {
		t.Fatal("the port does not listen")
	}
	p.detect(0, nil)
	if p.in.ear != nil || p.detects.Load() {
		t.Error("the port still listens")
	}
}
