package voicebox

import (
	"testing"
	"time"
)

// TestKeypad: each press counts once, whoever notices it, in whatever order.
func TestKeypad(t *testing.T) {
	const ms = time.Millisecond
	type notice struct {
		at  time.Duration
		by  byte // t: the box tells, h: it is heard, s: we send it
		key byte
	}
	for name, tt := range map[string]struct {
		notices []notice
		want    string
	}{
		"told only":                 {[]notice{{0, 't', '1'}, {200 * ms, 't', '1'}, {400 * ms, 't', '2'}}, "112"},
		"heard only":                {[]notice{{0, 'h', '1'}, {100 * ms, 'h', '1'}, {200 * ms, 'h', '2'}}, "112"},
		"both, heard first":         {[]notice{{0, 'h', '1'}, {90 * ms, 't', '1'}, {200 * ms, 'h', '1'}, {290 * ms, 't', '1'}}, "11"},
		"both, told first":          {[]notice{{0, 't', '1'}, {90 * ms, 'h', '1'}, {200 * ms, 't', '1'}, {290 * ms, 'h', '1'}}, "11"},
		"told behind the next key":  {[]notice{{0, 'h', '1'}, {160 * ms, 'h', '2'}, {200 * ms, 't', '1'}, {360 * ms, 't', '2'}}, "12"},
		"last instant":              {[]notice{{0, 'h', '1'}, {sameKey, 't', '1'}}, "1"},
		"one after":                 {[]notice{{0, 'h', '1'}, {sameKey + 1, 't', '1'}}, "11"},
		"ours comes back":           {[]notice{{0, 's', '5'}, {150 * ms, 't', '5'}, {700 * ms, 't', '5'}}, "5"},
		"theirs while we send":      {[]notice{{0, 's', '5'}, {100 * ms, 't', '6'}}, "6"},
		"the box missed the first":  {[]notice{{0, 'h', '1'}, {200 * ms, 'h', '1'}, {280 * ms, 't', '1'}}, "11"},
		"the sound lacks the first": {[]notice{{80 * ms, 't', '1'}, {200 * ms, 'h', '1'}, {280 * ms, 't', '1'}}, "11"},
	} {
		t.Run(name, func(t *testing.T) {
			var k keypad
			got, start := "", time.Now()
			for _, n := range tt.notices {
				at := start.Add(n.at)
				switch {
				case n.by == 's':
					k.sent(n.key, at)
				case n.by == 't' && k.tells(n.key, at), n.by == 'h' && k.hears(n.key, at):
					got += string(rune(n.key))
				}
			}
			if got != tt.want {
				t.Errorf("pressed %q, want %q", got, tt.want)
			}
		})
	}
}
