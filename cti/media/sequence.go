package media

import "time"

// sequence follows the packets of one synchronisation source: order, loss and
// jitter as RFC 3550 §A.1, §A.3 and §A.8 have them.
type sequence struct {
	begun    bool
	ssrc     uint32
	at       int64 // when it was heard last
	rival    rival
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

// rival is another source that may take this one's place.
type rival struct {
	ssrc uint32
	next uint32 // number that must follow
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
	handOver    = 5 * FrameSamples / 2
)

// take files a packet that came at clock sample at and gives its extended
// sequence number, which counts on where the 16 bits wrap.
func (q *sequence) take(ssrc uint32, seq uint16, at int64) (ext int64, o order) {
	if !q.begun {
		return q.begin(ssrc, seq, at), anew
	}
	if q.ssrc != ssrc {
		return q.other(ssrc, seq, at)
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
		return q.begin(ssrc, seq, at), anew
	default:
		q.next = uint32(seq + 1)
		return 0, doubtful
	}
	q.next = noNumber
	q.received++
	q.at = at
	return q.top + min(delta, 0), inOrder
}

// other takes a packet of another source. It takes over when two packets of it
// follow one another (RFC 3550 §A.1) and the source before has been silent for
// 50 ms, so that strays and forgeries between its packets change nothing.
func (q *sequence) other(ssrc uint32, seq uint16, at int64) (ext int64, o order) {
	follows := q.rival == rival{ssrc, uint32(seq)}
	q.rival = rival{ssrc, uint32(seq + 1)}
	if !follows || at-q.at < handOver {
		return 0, doubtful
	}
	return q.begin(ssrc, seq, at), anew
}

func (q *sequence) begin(ssrc uint32, seq uint16, at int64) int64 {
	*q = sequence{
		begun: true, ssrc: ssrc, at: at, rival: rival{next: noNumber}, first: int64(seq), top: int64(seq), seen: 1, next: noNumber,
		received: 1, lost: q.allLost(), jitter: q.jitter,
	}
	return q.top
}

// continues says whether a packet is the source's next one, or one a little
// later.
func (q *sequence) continues(ssrc uint32, seq uint16) bool {
	d := int16(seq - uint16(q.top))
	return q.begun && q.ssrc == ssrc && d > 0 && d < maxDropout
}

// expected is how many packets the source has sent, as far as its numbers tell.
func (q *sequence) expected() int64 { return q.top - q.first + 1 }

// allLost is how many packets never came, over all sources.
func (q *sequence) allLost() int64 {
	if !q.begun {
		return q.lost
	}
	return q.lost + max(q.expected()-q.received, 0)
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
