package ivr_test

import (
	"math"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/internal/guard"
	"callbox/ivr"
)

const mailbox = `
  a: {play: welcome.wav, next: vm}
  vm: {voicemail: {max: 30s, greeting: {play: greet.wav}, queue: night}, next: thanks}
  thanks: {play: thanks.wav, next: bye}
  bye: {hangup: {}}
`

// speakingFrom is when the beep is over: two prompts and 400 ms.
const speakingFrom = 6400 * time.Millisecond

// span is sound of the caller: loud at 0 dB below full scale, less further down.
type span struct {
	from, to time.Duration // behind the beep
	down     float64       // dB
}

// say lets the caller speak, from now on for s.
func (p *phone) say(s span) {
	pcm := make([]int16, media.FrameSamples)
	for i := range pcm {
		pcm[i] = int16(30000 * math.Pow(10, -s.down/20) * math.Sin(2*math.Pi*float64(i)/16))
	}
	frame := make([]byte, media.FrameSamples)
	media.Encode(media.PCMA, frame, pcm)
	for at := s.from; at < s.to; at += media.Frame {
		p.Speak(frame)
		time.Sleep(media.Frame)
	}
}

func TestVoicemail(t *testing.T) {
	const hang = 0.4
	for name, tt := range map[string]struct {
		said    []span
		press   map[time.Duration]string // behind the beep
		hangup  time.Duration            // behind the beep; 0: never
		heard   string
		seconds float64 // of the message; 0: none
		result  string
		took    time.Duration
	}{
		"key ends it": {
			[]span{{0, 5 * time.Second, 10}},
			map[time.Duration]string{6 * time.Second: "#"},
			0, "welcome greet beep thanks", 5 + hang - 0.02, cti.ResultVoicemail, speakingFrom + 9*time.Second,
		},
		"another key does not": {
			[]span{{0, 5 * time.Second, 10}},
			map[time.Duration]string{time.Second: "5*", 6 * time.Second: "#"},
			0, "welcome greet beep thanks", 5 + hang - 0.02, cti.ResultVoicemail, speakingFrom + 9*time.Second,
		},
		"silence ends it": {
			[]span{{time.Second, 3 * time.Second, 20}, {7 * time.Second, 8 * time.Second, 20}},
			nil, 0, "welcome greet beep thanks", 8 + hang - 0.02, cti.ResultVoicemail, speakingFrom + 16*time.Second + time.Millisecond - media.Frame + 3*time.Second,
		},
		"the limit ends it": {
			[]span{{0, 31 * time.Second, 10}},
			nil, 0, "welcome greet beep thanks", 30, cti.ResultVoicemail, speakingFrom + 33*time.Second,
		},
		"hang-up ends it": {
			[]span{{0, 4 * time.Second, 10}},
			nil, 4 * time.Second, "welcome greet beep", 4, cti.ResultVoicemail, speakingFrom + 4*time.Second,
		},
		"nothing said": {
			nil, nil, 0, "welcome greet beep thanks", 0, cti.ResultCompleted, speakingFrom + 11*time.Second,
		},
		"noise of a line": {
			[]span{{0, 9 * time.Second, 56}},
			nil, 0, "welcome greet beep thanks", 0, cti.ResultCompleted, speakingFrom + 11*time.Second,
		},
		"a short word": {
			[]span{{0, 900 * time.Millisecond, 10}},
			nil, 3 * time.Second, "welcome greet beep", 0, cti.ResultAbandoned, speakingFrom + 3*time.Second,
		},
		"just long enough": {
			[]span{{0, time.Second, 10}},
			nil, 3 * time.Second, "welcome greet beep", 1 + hang - 0.02, cti.ResultVoicemail, speakingFrom + 3*time.Second,
		},
		"hang-up before the beep": {
			[]span{{-3 * time.Second, 0, 10}},
			nil, -time.Second, "welcome greet/2.4s", 0, cti.ResultAbandoned, speakingFrom - time.Second,
		},
		"hang-up in the beep": {
			nil, nil, -100 * time.Millisecond, "welcome greet beep/300ms", 0, cti.ResultAbandoned, speakingFrom - 100*time.Millisecond,
		},
		"key stops the greeting": {
			nil,
			map[time.Duration]string{-2400 * time.Millisecond: "##"},
			0, "welcome greet/1s beep thanks", 0, cti.ResultCompleted, 4400*time.Millisecond + 11*time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p, s := call(t, mailbox, ivr.Deps{})
				start := time.Now()
				for _, said := range tt.said {
					time.AfterFunc(speakingFrom+said.from+time.Millisecond, func() { guard.Go("caller", nil, func() { p.say(said) }) })
				}
				for at, keys := range tt.press {
					time.AfterFunc(speakingFrom+at, func() { p.Press(keys) })
				}
				if tt.hangup != 0 {
					time.AfterFunc(speakingFrom+tt.hangup, p.RemoteHangup)
				}
				if _, err := p.wait(); err != nil {
					t.Error(err)
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if heard := p.sounds(); heard != tt.heard {
					t.Errorf("heard %q, want %q", heard, tt.heard)
				}
				if *s.record.Result != tt.result {
					t.Errorf("result %s, want %s", *s.record.Result, tt.result)
				}
				checkMessage(t, s.record.Recording, tt.seconds)
				time.Sleep(40 * time.Second) // who speaks on stops
			})
		})
	}
}

func checkMessage(t *testing.T, r cti.Recording, seconds float64) {
	t.Helper()
	v := r.Voicemail
	switch {
	case seconds == 0 && v != nil:
		t.Errorf("message %+v, want none", v)
	case seconds == 0:
	case v == nil:
		t.Error("no message")
	case v.From != speakingFrom.Seconds() || math.Abs(v.Seconds-seconds) > 0.021 || v.Queue != "night":
		t.Errorf("message %+v, want %v s from %v on", v, seconds, speakingFrom.Seconds())
	}
}

func TestVoicemailTwice(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, s := call(t, `
  a: {voicemail: {}, next: b}
  b: {voicemail: {}}
`, ivr.Deps{})
		time.AfterFunc(400*time.Millisecond, func() { p.say(span{0, 2 * time.Second, 10}) })
		time.AfterFunc(3*time.Second, func() { p.Press("#") })
		time.AfterFunc(4*time.Second, func() { p.say(span{0, 2 * time.Second, 10}) })
		p.wait()
		if v := s.record.Recording.Voicemail; v == nil || v.From != 0.4 || math.Abs(v.Seconds-5.98) > 0.021 {
			t.Errorf("message %+v, want both in one", v)
		}
	})
}

func TestNoMessageWithoutARecording(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, s := call(t, mailbox+"  unrecorded: {hangup: {}}\n", ivr.Deps{})
		p.wait()
		if p.sounds() != "welcome thanks" || *s.record.Result != cti.ResultCompleted {
			t.Errorf("heard %q, result %s", p.sounds(), *s.record.Result)
		}
	})
}
