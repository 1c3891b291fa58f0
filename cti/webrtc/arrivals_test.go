package webrtc

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/cti/media"
)

// heardOf plays packets, each given by its number, to arrivals. A packet comes a
// frame after the one before unless it is in a bunch, which comes at once.
func heardOf(packets []int, bunched bool) (string, media.Stats) {
	var out []string
	a := newArrivals(func(frame []byte) {
		if frame == nil {
			out = append(out, "-")
			return
		}
		out = append(out, fmt.Sprint(frame[0]))
	}, func(key rune) { out = append(out, string(key)) })
	now := time.Unix(1e9, 0)
	for _, n := range packets {
		payload := make([]byte, media.FrameSamples)
		payload[0] = byte(n)
		a.take(&heard{ssrc: 1, seq: uint16(65530 + n), ts: uint32(4294967000 + n*media.FrameSamples), payload: payload}, now)
		if !bunched {
			now = now.Add(media.Frame)
		}
	}
	return strings.Join(out, " "), a.counted()
}

func TestArrivals(t *testing.T) {
	for name, tt := range map[string]struct {
		packets       []int
		bunched       bool
		want          string
		lost, dropped uint64
		late          uint64
	}{
		"in order, over the wrap": {[]int{1, 2, 3, 4, 5, 6, 7, 8}, false, "1 2 3 4 5 6 7 8", 0, 0, 0},
		"two change places":       {[]int{1, 3, 2, 4}, false, "1 2 3 4", 0, 0, 0},
		"one is lost":             {[]int{1, 3, 4, 5}, false, "1 - 3 4 5", 1, 0, 0},
		"three are lost":          {[]int{1, 5, 6, 7}, false, "1 - - - 5 6 7", 3, 0, 0},
		"one comes too late":      {[]int{1, 3, 4, 2, 5}, false, "1 - 3 4 5", 0, 0, 1},
		"twice while it waits":    {[]int{1, 3, 3, 2, 4}, false, "1 2 3 4", 0, 1, 0},
		"twice":                   {[]int{1, 2, 2, 3}, false, "1 2 3", 0, 1, 0},
		"a wild one":              {[]int{1, 2, 20000, 3, 4}, false, "1 2 3 4", 0, 1, 0},
		"begins anew":             {[]int{1, 2, 20000, 20001, 20002}, false, "1 2 33 34", 0, 1, 0},
		"all at once":             {[]int{1, 2, 3, 4, 5, 6, 7, 8}, true, "1 2 3 4 5", 0, 0, 3},
	} {
		t.Run(name, func(t *testing.T) {
			got, s := heardOf(tt.packets, tt.bunched)
			if got != tt.want || s.Lost != tt.lost || s.Dropped != tt.dropped || s.Late != tt.late {
				t.Errorf("%q, want %q; lost %d, dropped %d, late %d", got, tt.want, s.Lost, s.Dropped, s.Late)
			}
		})
	}
}

// A page that is loaded again has another source; what was lost before counts.
func TestArrivalsOfAnotherSource(t *testing.T) {
	n := 0
	a := newArrivals(func([]byte) { n++ }, func(rune) {})
	now := time.Unix(1e9, 0)
	for _, p := range []heard{{ssrc: 1, seq: 1}, {ssrc: 1, seq: 3}, {ssrc: 1, seq: 4}, {ssrc: 2, seq: 40000}, {ssrc: 2, seq: 40001}} {
		p.payload = make([]byte, media.FrameSamples)
		a.take(&p, now)
		now = now.Add(media.Frame)
	}
	if s := a.counted(); n != 5 || s.Received != 5 || s.Lost != 1 {
		t.Errorf("%d frames, %+v", n, s)
	}
}

// A key is told once, however its packets come, and a long one in parts once.
func TestKeysOfEvents(t *testing.T) {
	const tone, end = 0x0a, 0x8a
	type packet struct {
		ts       uint32
		key, vol byte
		duration uint16
	}
	for name, tt := range map[string]struct {
		packets []packet
		want    string
	}{
		"whole":              {[]packet{{0, 5, tone, 160}, {0, 5, tone, 320}, {0, 5, end, 480}, {0, 5, end, 480}}, "5"},
		"end alone":          {[]packet{{0, 11, end, 480}}, "#"},
		"twice the same":     {[]packet{{0, 5, end, 480}, {4000, 5, end, 480}}, "55"},
		"held for long":      {[]packet{{0, 5, tone, 65535}, {65535, 5, tone, 160}, {65535, 5, end, 320}}, "5"},
		"no key":             {[]packet{{0, 16, end, 480}, {0, 255, end, 480}}, ""},
		"after a lost end":   {[]packet{{0, 5, tone, 160}, {4000, 6, tone, 160}}, "56"},
		"an old one, late":   {[]packet{{0, 5, end, 480}, {4000, 6, end, 480}, {0, 5, end, 480}}, "56"},
		"several at a sweep": {[]packet{{0, 1, end, 1}, {1, 2, end, 1}, {2, 3, end, 1}}, "123"},
	} {
		t.Run(name, func(t *testing.T) {
			got := ""
			a := newArrivals(func([]byte) {}, func(key rune) { got += string(key) })
			for i, p := range tt.packets {
				a.take(&heard{seq: uint16(i), ts: p.ts, event: true, payload: []byte{p.key, p.vol, byte(p.duration >> 8), byte(p.duration)}}, time.Now())
			}
			a.take(&heard{seq: 100, event: true, payload: []byte{1}}, time.Now())
			if got != tt.want {
				t.Errorf("keys %q, want %q", got, tt.want)
			}
		})
	}
}
