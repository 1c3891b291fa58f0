package ctitest

import (
	"context"
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"callbox/cti/media"
)

// clear is the share of energy from which on a tone counts as heard.
const clear = 0.8

// ear is what a phone heard; the sound's mutex guards it.
type ear struct {
	ring  [media.SampleRate]byte // the last second, in law
	at    int
	total int
	law   media.Law

	watched []watch
	pressed string
	lastKey uint32

	stats       Stats
	first, last time.Time
	base        uint16
	extended    int // sequence numbers since base
	stamp       uint32
	jitter      time.Duration
}

// watch is a tone that each packet is looked at for.
type watch struct {
	hz      float64
	first   time.Time
	packets int
}

// Stats counts a phone's RTP packets in one call.
type Stats struct {
	Sent, Received, Lost int
	Jitter               time.Duration // RFC 3550 §6.4.1
	Gap                  time.Duration // longest time between two packets
	First, Last          time.Time     // packet received
}

// payload is what an RTP packet carries (RFC 3550 §5.1); false for what is none,
// as a neighbour's RTCP (RFC 5761 §4).
func payload(b []byte) ([]byte, bool) {
	if len(b) < 12 || b[0]>>6 != 2 || b[1]>>5 == 6 {
		return nil, false
	}
	from, to := 12+4*int(b[0]&15), len(b)
	if b[0]&0x10 != 0 && from+4 <= to { // header extension
		from += 4 + 4*int(binary.BigEndian.Uint16(b[from+2:]))
	}
	if b[0]&0x20 != 0 { // padding
		to -= int(b[to-1])
	}
	if from > to {
		return nil, false
	}
	return b[from:to], true
}

// take hears one packet; events is the payload type of telephone-event.
func (e *ear) take(b []byte, events uint8, now time.Time) {
	data, ok := payload(b)
	if !ok {
		return
	}
	e.count(b, now)
	switch pt := b[1] & 0x7f; {
	case media.Law(pt).Valid():
		e.hear(media.Law(pt), data, now)
	case events != 0 && pt == events && len(data) >= 4:
		e.key(data, binary.BigEndian.Uint32(b[4:]))
	}
}

func (e *ear) count(b []byte, now time.Time) {
	seq := binary.BigEndian.Uint16(b[2:])
	stamp := binary.BigEndian.Uint32(b[4:])
	if e.stats.Received++; e.stats.Received == 1 {
		e.first, e.base = now, seq
	} else {
		e.extended = max(e.extended, e.extended+int(int16(seq-e.base-uint16(e.extended))))
		spoken := time.Duration(int32(stamp-e.stamp)) * time.Second / media.SampleRate
		e.jitter += ((now.Sub(e.last) - spoken).Abs() - e.jitter) / 16
		e.stats.Gap = max(e.stats.Gap, now.Sub(e.last))
	}
	e.stamp, e.last = stamp, now
}

func (e *ear) hear(law media.Law, data []byte, now time.Time) {
	if law != e.law {
		e.law, e.total = law, 0
	}
	for rest := data; len(rest) > 0; {
		n := copy(e.ring[e.at:], rest)
		e.at = (e.at + n) % len(e.ring)
		e.total += n
		rest = rest[n:]
	}
	if len(e.watched) == 0 {
		return
	}
	var samples [2 * media.FrameSamples]int16
	n := media.Decode(law, samples[:], data)
	for i := range e.watched {
		if w := &e.watched[i]; Share(samples[:n], w.hz) > clear {
			if w.packets++; w.first.IsZero() {
				w.first = now
			}
		}
	}
}

// key takes a telephone event, once at its end (RFC 4733 §2.5.2.2).
func (e *ear) key(data []byte, stamp uint32) {
	if data[1]&0x80 == 0 || int(data[0]) >= len(keys) || e.lastKey == stamp && e.pressed != "" {
		return
	}
	e.pressed += string(keys[data[0]])
	e.lastKey = stamp
}

// latest are the newest n samples, fewer when there are not so many.
func (e *ear) latest(n int) []int16 {
	n = min(n, e.total, len(e.ring))
	raw := make([]byte, n)
	from := (e.at - n + len(e.ring)) % len(e.ring)
	copy(raw[copy(raw, e.ring[from:]):], e.ring[:])
	samples := make([]int16, n)
	media.Decode(e.law, samples, raw)
	return samples
}

// Listen has every packet from now on looked at for tones of these
// frequencies, for FirstHeard and HeardFor. A pair of tones closer than 50 Hz
// is not told apart in 20 ms.
func (s *sound) Listen(hz ...float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range hz {
		s.ear.watched = append(s.ear.watched, watch{hz: f})
	}
}

func (s *sound) watched(hz float64) watch {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, w := range s.ear.watched {
		if w.hz == hz {
			return w
		}
	}
	return watch{}
}

// FirstHeard is when the first packet with a clear tone of hz came; the zero
// time for not yet, or when Listen was not asked for it.
func (s *sound) FirstHeard(hz float64) time.Time { return s.watched(hz).first }

// HeardFor is how much clear tone of hz came in all, in whole packets of 20 ms.
func (s *sound) HeardFor(hz float64) time.Duration {
	return time.Duration(s.watched(hz).packets) * media.Frame
}

// Heard is how much of the energy of the last second, or of the second so far,
// is a tone of hz: 0 to 1; 0 when there was next to no sound.
func (s *sound) Heard(hz float64) float64 { return s.heardIn(hz, media.SampleRate) }

func (s *sound) heardIn(hz float64, n int) float64 {
	s.mu.Lock()
	samples := s.ear.latest(n)
	s.mu.Unlock()
	return Share(samples, hz)
}

// WaitTone waits until most of what is heard in 200 ms is a tone of hz.
func (s *sound) WaitTone(ctx context.Context, hz float64) error {
	const n = media.SampleRate / 5
	tick := time.NewTicker(media.Frame)
	defer tick.Stop()
	for {
		s.mu.Lock()
		enough := s.ear.total >= n
		s.mu.Unlock()
		if enough && s.heardIn(hz, n) > clear {
			return nil
		}
		select {
		case <-tick.C:
		case <-s.done:
			return fmt.Errorf("ctitest: the call ended before %.0f Hz was heard", hz)
		case <-ctx.Done():
			return fmt.Errorf("ctitest: %.0f Hz is not heard (%.2f): %w", hz, s.heardIn(hz, n), context.Cause(ctx))
		}
	}
}

// Pressed is what the other side pressed.
func (s *sound) Pressed() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ear.pressed
}

// WaitPressed waits until the other side has pressed keys that contain digits.
func (s *sound) WaitPressed(ctx context.Context, digits string) error {
	tick := time.NewTicker(media.Frame)
	defer tick.Stop()
	for !strings.Contains(s.Pressed(), digits) {
		select {
		case <-tick.C:
		case <-s.done:
			return fmt.Errorf("ctitest: the call ended with %q pressed, not %q", s.Pressed(), digits)
		case <-ctx.Done():
			return fmt.Errorf("ctitest: %q pressed, not %q: %w", s.Pressed(), digits, context.Cause(ctx))
		}
	}
	return nil
}

// Stats counts this call's packets so far.
func (s *sound) Stats() Stats {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.ear.stats
	st.Sent, st.Jitter, st.First, st.Last = s.sent, s.ear.jitter, s.ear.first, s.ear.last
	if st.Received > 0 {
		st.Lost = max(0, s.ear.extended+1-st.Received)
	}
	return st
}
