package media

import (
	"strings"
	"testing"
)

// TestStormOfDigits: a thousand digits do not queue for minutes.
func TestStormOfDigits(t *testing.T) {
	for _, takes := range []bool{true, false} {
		var ids identities
		s := &sender{ids: &ids, law: PCMA, to: &taking{takes: takes}}
		for range 100 {
			s.dial("0123456789")
		}
		beats := 0
		for ; (len(s.keys.queue) > 0 || s.tones != nil) && beats < 1000; beats++ {
			s.beat(int64(beats) * FrameSamples)
		}
		if beats < mostQueued*8 || beats > mostQueued*11 {
			t.Errorf("events %v: busy for %d beats", takes, beats)
		}
	}
}

// taking is an outlet that counts.
type taking struct {
	rtpOutOfNothing
	takes bool
}

func (t *taking) events() bool { return t.takes }

// TestHoldOff: between two digits there is a pause, whoever asks for them.
func TestHoldOff(t *testing.T) {
	var k keying
	var story strings.Builder
	for beat := range int64(40) {
		if beat%7 == 0 {
			k.add("5")
		}
		var payload [eventSize]byte
		switch _, first, ok := k.next(beat*FrameSamples, &payload); {
		case first:
			story.WriteByte('|')
		case !ok:
			story.WriteByte('.')
		case payload[1]&endOfEvent != 0:
			story.WriteByte('e')
		default:
			story.WriteByte('-')
		}
	}
	if got, want := story.String(), strings.Repeat("|---eee...", 4); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestLongKeys(t *testing.T) {
	type packet struct {
		code  byte
		ts    uint32
		lasts uint16
		end   bool
	}
	for name, tt := range map[string]struct {
		packets []packet
		fresh   int
	}{
		"one":                              {[]packet{{1, 100, 160, false}, {1, 100, 800, true}, {1, 100, 800, true}}, 1},
		"held for 10 s":                    {[]packet{{1, 100, 65535, false}, {1, 65635, 160, false}, {1, 65635, 800, true}}, 1},
		"held, over the wrap":              {[]packet{{1, 1<<32 - 200, 65535, false}, {1, 65335, 160, false}}, 1},
		"two, the second at once":          {[]packet{{1, 100, 800, true}, {1, 900, 160, false}}, 2},
		"another key at once":              {[]packet{{1, 100, 800, false}, {2, 900, 160, false}}, 2},
		"two, the end of the first lost":   {[]packet{{1, 100, 800, false}, {1, 2100, 160, false}}, 2},
		"the end comes late, after a next": {[]packet{{1, 100, 640, false}, {2, 2100, 160, false}, {1, 100, 800, true}, {2, 2100, 800, true}}, 2},
	} {
		var l eventLog
		fresh := 0
		for _, p := range tt.packets {
			payload := []byte{p.code, 10, byte(p.lasts >> 8), byte(p.lasts)}
			if p.end {
				payload[1] |= endOfEvent
			}
			if _, anew, ok := l.take(p.ts, payload); ok && anew {
				fresh++
			}
		}
		if fresh != tt.fresh {
			t.Errorf("%s: %d keys, want %d", name, fresh, tt.fresh)
		}
	}
}

// TestRelay: a key that the party hears as a tone is told it besides only where
// it takes events or messages.
func TestRelay(t *testing.T) {
	letters := make(chan string, 2)
	for name, tt := range map[string]struct {
		takes  bool
		keying Keying
		queued int
		told   int
	}{
		"events": {true, Events, 1, 0}, "no events": {false, Events, 0, 0}, "tones": {true, Tones, 0, 0}, "messages": {false, Messages, 0, 1},
	} {
		s := &sender{law: PCMA, to: &taking{takes: tt.takes}}
		s.agree(tt.keying, letters)
		s.relay('7')
		if len(s.keys.queue) != tt.queued || len(letters) != tt.told {
			t.Errorf("%s: %d queued, %d told", name, len(s.keys.queue), len(letters))
		}
		for len(letters) > 0 {
			<-letters
		}
	}
}
