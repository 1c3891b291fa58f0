package media

import (
	"errors"
	"math/bits"
	"sync"

	"callbox/cti/media/dsp"
)

// mostSeats is how many parties a room has place for: they are bits of a word.
const mostSeats = 64

var errFull = errors.New("the room is full")

// mixer is the plain engine's room. On every beat it hears each of its parties
// once, sums what anybody hears, once for all who hear the same, and gives it to
// the senders. Whoever begins or ends to be heard does so over one frame.
type mixer struct {
	engine *Plain
	closed bool // under the engine's bridging

	mu    sync.Mutex
	seats []seat
	// Of one beat:
	loud   uint64 // who says something
	total  [FrameSamples]int32
	summed bool // total is made
	sum    [FrameSamples]int32
	mixes  []mix
	fading [FrameSamples]byte
}

// seat is a party in a room; who is heard is said by the bits of their places.
type seat struct {
	port    *port // nil: free
	hears   uint64
	heard   uint64 // in the last beat
	leaving bool   // heard by others for a last frame
	said    *[FrameSamples]int16
}

// mix is what the parties of some seats say together, as samples and, where
// somebody asked for it, in the two laws.
type mix struct {
	of     uint64
	linear [FrameSamples]int16
	coded  [2][FrameSamples]byte
	made   [2]bool
}

// Room implements [Engine].
func (e *Plain) Room() Room { return newMixer(e) }

func newMixer(e *Plain) *mixer { return &mixer{engine: e} }

// Hear implements [Room]. A room has 64 places; who finds none is left out.
func (m *mixer) Hear(listener Port, sources ...Port) {
	m.engine.bridging.Lock()
	defer m.engine.bridging.Unlock()
	to := m.admit(listener)
	if to == nil {
		return
	}
	from := make([]*port, 0, len(sources))
	for _, s := range sources {
		if p := m.admit(s); p != nil && p != to {
			from = append(from, p)
		}
	}
	m.hear(to, from...)
}

// admit takes a port out of where it was; nil is one that cannot be here.
// Callers hold bridging.
func (m *mixer) admit(from Port) *port {
	p := m.engine.ours(from)
	switch {
	case p == nil:
		m.engine.log.Error("a port cannot be in this room", "err", errNotOurs)
		return nil
	case m.closed || p.isClosed():
		return nil
	case p.room != m:
		p.alone()
		p.room = m
	}
	return p
}

// Leave implements [Room].
func (m *mixer) Leave(p Port) {
	m.engine.bridging.Lock()
	defer m.engine.bridging.Unlock()
	if own := m.engine.ours(p); own != nil && own.room == m {
		m.lose(own)
	}
}

// Close implements [Room].
func (m *mixer) Close() {
	m.engine.bridging.Lock()
	defer m.engine.bridging.Unlock()
	m.closed = true
	m.clear()
}

// hear says whom a port hears. Callers hold bridging.
func (m *mixer) hear(listener *port, sources ...*port) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.engine.keep(m)
	to, full := m.place(listener), false
	var hears uint64
	for _, p := range sources {
		at := m.place(p)
		if full = full || at < 0; at >= 0 {
			hears |= 1 << at
		}
	}
	if full || to < 0 {
		m.engine.log.Error("not everybody has a place", "err", errFull)
	}
	if to >= 0 {
		m.seats[to].hears = hears
	}
	m.wire()
}

// place is a port's place, a new one if it has none, -1 in a full room. Callers
// hold mu.
func (m *mixer) place(p *port) int {
	at := m.find(p)
	switch {
	case at >= 0 && !m.seats[at].leaving:
		return at
	case at < 0:
		if at = m.find(nil); at < 0 && len(m.seats) == mostSeats {
			return at
		}
		if at < 0 {
			at = len(m.seats)
			m.seats = append(m.seats, seat{})
		}
		p.in.mu.Lock()
		p.in.need()
		p.in.mu.Unlock()
	}
	m.seats[at] = seat{port: p}
	p.out.enter(m.engine.ids.next())
	return at
}

func (m *mixer) find(p *port) int {
	for i := range m.seats {
		if m.seats[i].port == p {
			return i
		}
	}
	return -1
}

// wire tells every party who gets its keys. Callers hold mu.
func (m *mixer) wire() {
	for i := range m.seats {
		if s := &m.seats[i]; s.port != nil && !s.leaving {
			s.port.in.hearBy(m.hearers(i))
		}
	}
}

func (m *mixer) hearers(of int) (all []*sender) {
	for i := range m.seats {
		if m.seats[i].hears>>of&1 != 0 {
			all = append(all, &m.seats[i].port.out)
		}
	}
	return all
}

// lose takes a port out; nil has none. Callers hold bridging.
func (m *mixer) lose(p *port) {
	if m == nil {
		return
	}
	p.room = nil
	m.mu.Lock()
	defer m.mu.Unlock()
	at := m.find(p)
	if at < 0 || m.seats[at].leaving {
		return
	}
	m.seats[at].leaving, m.seats[at].hears = true, 0
	for i := range m.seats {
		m.seats[i].hears &^= 1 << at
	}
	p.out.enter(0)
	p.in.hearBy(nil)
	m.wire()
}

// clear takes everybody out at once. Callers hold bridging.
func (m *mixer) clear() {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := range m.seats {
		s := &m.seats[i]
		if s.port == nil {
			continue
		}
		if !s.leaving {
			s.port.out.enter(0)
			s.port.in.hearBy(nil)
		}
		if s.port.room == m {
			s.port.room = nil
		}
		s.free()
	}
	m.seats = nil
	m.engine.forget(m)
}

// free gives a seat's ear back. Callers hold the room's mu.
func (s *seat) free() {
	s.port.in.mu.Lock()
	s.port.in.spare()
	s.port.in.mu.Unlock()
	*s = seat{}
}

// beat gives everybody what they hear in the frame at clock sample now.
func (m *mixer) beat(now int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.loud, m.summed, m.mixes = 0, false, m.mixes[:0]
	for i := range m.seats {
		s := &m.seats[i]
		if s.port == nil {
			continue
		}
		var loud bool
		if s.said, loud = s.port.in.listen(now); loud {
			m.loud |= 1 << i
		}
	}
	for i := range m.seats {
		if s := &m.seats[i]; s.port != nil && !s.leaving && s.hears|s.heard != 0 {
			m.give(s)
		}
	}
	m.settle()
}

// give hands a party its frame.
func (m *mixer) give(s *seat) {
	law := s.port.out.soundsIn()
	now, before := s.hears&m.loud, s.heard&m.loud
	if now == before {
		s.port.out.mix(m.code(now, law), now != 0)
		return
	}
	var faded [FrameSamples]int16
	copy(faded[:], m.sounds(before).linear[:])
	dsp.Fade(faded[:], faded[:], m.sounds(now).linear[:])
	Encode(law, m.fading[:], faded[:])
	s.port.out.mix(m.fading[:], true)
}

// code is what some seats say, in a law.
func (m *mixer) code(of uint64, law Law) []byte {
	x := m.sounds(of)
	i := law / PCMA // 0 or 1
	if !x.made[i] {
		x.made[i] = true
		if of == 0 {
			fill(x.coded[i][:], law.Silence())
		} else {
			Encode(law, x.coded[i][:], x.linear[:])
		}
	}
	return x.coded[i][:]
}

// sounds is what some seats say; it is good until the next call.
func (m *mixer) sounds(of uint64) *mix {
	for i := range m.mixes {
		if m.mixes[i].of == of {
			return &m.mixes[i]
		}
	}
	m.mixes = append(m.mixes, mix{of: of})
	x := &m.mixes[len(m.mixes)-1]
	switch bits.OnesCount64(of) {
	case 0:
	case 1:
		x.linear = *m.seats[bits.TrailingZeros64(of)].said
	default:
		m.add(of)
		dsp.Limit(x.linear[:], m.sum[:])
	}
	return x
}

// add makes sum of what some seats say: of all without the others where those
// are fewer.
func (m *mixer) add(of uint64) {
	others := m.loud &^ of
	if bits.OnesCount64(others) >= bits.OnesCount64(of) {
		clear(m.sum[:])
		m.each(of, dsp.Add)
		return
	}
	if !m.summed {
		m.summed = true
		clear(m.sum[:])
		m.each(m.loud, dsp.Add)
		m.total = m.sum
	}
	m.sum = m.total
	m.each(others, dsp.Subtract)
}

func (m *mixer) each(of uint64, do func(sum []int32, sound []int16)) {
	for ; of != 0; of &= of - 1 {
		do(m.sum[:], m.seats[bits.TrailingZeros64(of)].said[:])
	}
}

// settle ends a beat: who was leaving is gone. Callers hold mu.
func (m *mixer) settle() {
	left := 0
	for i := range m.seats {
		s := &m.seats[i]
		s.heard = s.hears
		if s.leaving {
			s.free()
		}
		if s.port != nil {
			left++
		}
	}
	if left == 0 {
		m.engine.forget(m)
	}
}
