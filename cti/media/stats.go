package media

import "time"

// Loss is the part of the packets that never came, 0 to 1.
func (s Stats) Loss() float64 {
	if s.Received+s.Lost == 0 {
		return 0
	}
	return float64(s.Lost) / float64(s.Received+s.Lost)
}

// MOS estimates how the received sound was, 1 to 4.4 (ITU-T G.107: the E-model
// with default values, G.711 with concealment by G.113 appendix I, delay of two
// frames and twice the jitter). It is 0 when nothing was received.
func (s Stats) MOS() float64 {
	if s.Received == 0 {
		return 0
	}
	const (
		best   = 93.2
		robust = 25.1 // Bpl
	)
	delay := float64(2*Frame+2*s.Jitter) / float64(time.Millisecond)
	r := best - 0.024*delay - 0.11*max(delay-177.3, 0)
	if loss := 100 * s.Loss(); loss > 0 {
		r -= 95 * loss / (loss + robust)
	}
	r = min(max(r, 0), 100)
	return max(1, 1+0.035*r+r*(r-60)*(100-r)*7e-6)
}

// add sums the counts of two ports, for the engine's totals.
func (s Stats) add(o Stats) Stats {
	s.Received += o.Received
	s.Sent += o.Sent
	s.Lost += o.Lost
	s.Dropped += o.Dropped
	s.KernelDropped += o.KernelDropped
	s.Jitter = max(s.Jitter, o.Jitter)
	if o.LastReceived.After(s.LastReceived) {
		s.LastReceived = o.LastReceived
	}
	return s
}
