package cti

import (
	"math"
	"time"

	"callbox/cti/media"
)

// The E-model's figures for G.711 (ITU-T G.107 §7, G.113 appendix I): the best
// rating, the robustness against loss without concealment, and what a phone's
// own buffer adds to the delay.
const (
	bestRating = 93.2
	robustness = 4.3
	ownDelay   = 40 * time.Millisecond
)

// mos estimates how a leg was heard, 1 (bad) to 4.5 (as good as the telephone
// gets), from its losses and jitter (ITU-T G.107 annex B); nil where nothing
// was heard.
func mos(s media.Stats) *float64 {
	all := s.Received + s.Lost
	if s.Received == 0 {
		return nil
	}
	loss := 100 * float64(s.Lost) / float64(all)
	delay := float64((ownDelay + 2*s.Jitter).Milliseconds())
	r := bestRating - 0.024*delay - 0.11*max(0, delay-177.3) - 95*loss/(loss+robustness)
	r = min(max(r, 0), 100)
	score := 1 + 0.035*r + r*(r-60)*(100-r)*7e-6
	score = math.Round(max(score, 1)*100) / 100
	return &score
}
