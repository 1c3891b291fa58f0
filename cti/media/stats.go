package media

import "time"

// Loss is the part of the packets that never came, 0 to 1.
func (s Stats) Loss() float64 {
	if s.Received+s.Lost == 0 {
		return 0
	}
	return float64(s.Lost) / float64(s.Received+s.Lost)
}

// The E-model's figures for G.711 (ITU-T G.107 §7, G.113 appendix I).
const (
	bestRating = 93.2
	// robustness is Bpl, what loss does little harm below. 4.3 is G.711 where a
	// lost packet is a hole, 25.1 where it is concealed. Nobody hears the holes:
	// a bridge passes losses on as gaps in the numbers, which the other party's
	// phone conceals as all do; where sound is decoded here, it is concealed here.
	robustness = 25.1
	ownDelay   = 2 * Frame // a frame to be filled, and one on the ways inside
	echoKnee   = 177.3     // ms of delay from where talk suffers
)

// MOS estimates how the received sound was, 1 to 4.4, by the E-model (ITU-T
// G.107 annex B) with its default values: R is 93.2 less what delay and loss
// take. Delay is [ownDelay], a jitter buffer of twice the jitter, and half the
// round trip where the party reports one; loss is the share of packets that
// never came, taken as random. It is 0 when nothing was received.
func (s Stats) MOS() float64 {
	if s.Received == 0 {
		return 0
	}
	delay := float64(ownDelay+2*s.Jitter+s.Far.RoundTrip/2) / float64(time.Millisecond)
	loss := 100 * s.Loss()
	r := bestRating - 0.024*delay - 0.11*max(delay-echoKnee, 0) - 95*loss/(loss+robustness)
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
	s.Concealed += o.Concealed
	s.Late += o.Late
	s.Jitter = max(s.Jitter, o.Jitter)
	if o.LastReceived.After(s.LastReceived) {
		s.LastReceived = o.LastReceived
	}
	s.Far.Lost += o.Far.Lost
	return s
}
