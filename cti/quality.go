package cti

import (
	"math"

	"callbox/cti/media"
)

// mos is how a leg was heard, to two places (see [media.Stats.MOS]); nil where
// nothing was.
func mos(s media.Stats) *float64 {
	if s.Received == 0 {
		return nil
	}
	score := math.Round(100*s.MOS()) / 100
	return &score
}
