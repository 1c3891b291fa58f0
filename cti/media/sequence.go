package media

import "time"

// sequence follows the packets of one synchronisation source: order, loss and
// jitter as RFC 3550 §A.1, §A.3 and §A.8 have them.
type sequence struct {
	begun    bool
	ssrc     uint32
	first    int64 // extended sequence numbers
	top      int64
	seen     uint64 // bit n: top-n came
	next     uint32 // after a wild jump: what must follow for it to be believed
	received int64  // of this source
	lost     int64  // of the sources before it
	timed    bool
	transit  int64
	jitter   float64 // samples
}

// order is how a packet fits its sequence.
type order uint8

const (
	inOrder   order = iota // or late, or after a gap
	anew                   // a new source, or one that began again
	duplicate              // had it
	doubtful               // far off; believed when the next one follows
)

const (
	maxDropout  = 3000
	maxMisorder = 64
	noNumber    = 1 << 16
)

// take files a packet and gives its extended sequence number, which counts on
// where the 16 bits wrap.
func (q *sequence) take(ssrc uint32, seq uint16) (ext int64, o order) {
	if !q.begun || q.ssrc != ssrc {
		return q.begin(ssrc, seq), anew
	}
	delta := int64(int16(seq - uint16(q.top)))
	switch {
	case delta > 0 && delta < maxDropout:
		q.top += delta
		q.seen = q.seen<<delta | 1
	case delta <= 0 && delta > -maxMisorder:
		if q.seen&(1<<-delta) != 0 {
			return q.top + delta, duplicate
		}
		q.seen |= 1 << -delta
	case q.next == uint32(seq):
		return q.begin(ssrc, seq), anew
	default:
		q.next = uint32(seq + 1)
		return 0, doubtful
	}
	q.next = noNumber
	q.received++
	return q.top + min(delta, 0), inOrder
}

func (q *sequence) begin(ssrc uint32, seq uint16) int64 {
	*q = sequence{
		begun: true, ssrc: ssrc, first: int64(seq), top: int64(seq), seen: 1, next: noNumber,
		received: 1, lost: q.allLost(), jitter: q.jitter,
	}
	return q.top
}

// allLost is how many packets never came, over all sources.
func (q *sequence) allLost() int64 {
	if !q.begun {
		return q.lost
	}
	return q.lost + max(q.top-q.first+1-q.received, 0)
}

// timing counts a packet's jitter.
func (q *sequence) timing(ts uint32, arrival int64) {
	transit := int64(int32(uint32(arrival) - ts))
	if q.timed {
		d := float64(max(transit-q.transit, q.transit-transit))
		if d < jump { // a pause or a new time base is no jitter
			q.jitter += (d - q.jitter) / 16
		}
	}
	q.timed, q.transit = true, transit
}

func (q *sequence) jitterTime() time.Duration {
	return time.Duration(q.jitter * float64(time.Second) / SampleRate)
}
