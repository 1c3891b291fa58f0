package cti

import (
	"testing"
	"time"

	"callbox/cti/media"
)

func TestMOS(t *testing.T) {
	for _, tt := range []struct {
		name     string
		stats    media.Stats
		low, top float64
	}{
		{"clean", media.Stats{Received: 1000}, 4.3, 4.5},
		{"one in a hundred lost", media.Stats{Received: 990, Lost: 10}, 4.2, 4.35},
		{"one in ten lost", media.Stats{Received: 900, Lost: 100}, 3, 3.6},
		{"much jitter", media.Stats{Received: 1000, Jitter: 150 * time.Millisecond}, 2, 4},
		{"nearly all lost", media.Stats{Received: 1, Lost: 999}, 1, 1.2},
	} {
		if got := mos(tt.stats); got == nil || *got < tt.low || *got > tt.top {
			t.Errorf("%s: %v, want %v to %v", tt.name, got, tt.low, tt.top)
		}
	}
	if got := mos(media.Stats{Lost: 5}); got != nil {
		t.Errorf("nothing heard: %v, want none", *got)
	}
}
