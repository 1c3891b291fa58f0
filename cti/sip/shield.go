package sip

import (
	"net/netip"
	"sync"
	"time"
)

// Limits for sources that are neither a trunk nor a registered phone.
const (
	strangerRate  = 50  // messages a second from one address
	strangersRate = 400 // and from all of them together
	strikeLimit   = 5   // wrong credentials in strikeWindow, then a ban
	refuseLimit   = 30  // refused or malformed requests in strikeWindow
	strikeWindow  = time.Minute
	banTime       = 10 * time.Minute
	shieldSize    = 20_000 // addresses remembered; the table is emptied beyond
)

// shield says which strangers are heard at all. It runs before a message is
// parsed or its source is remembered anywhere else.
type shield struct {
	mu      sync.Mutex
	sources map[netip.Addr]*source
	all     bucket
	bans    uint64
}

type source struct {
	bucket
	since   time.Time // of the strikes
	wrong   int
	refused int
	until   time.Time // of the ban
}

// bucket holds at most one second's tokens.
type bucket struct {
	tokens float64
	last   time.Time
}

func (b *bucket) take(now time.Time, rate float64) bool {
	b.tokens = min(rate, b.tokens+rate*now.Sub(b.last).Seconds())
	b.last = now
	if b.tokens < 1 {
		return false
	}
	b.tokens--
	return true
}

func newShield() *shield { return &shield{sources: map[netip.Addr]*source{}} }

// hears says whether a stranger's message is to be read.
func (s *shield) hears(a netip.Addr, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.source(a, now)
	return now.After(src.until) && src.take(now, strangerRate) && s.all.take(now, strangersRate)
}

// wrong counts wrong credentials from a; true when that banned it.
func (s *shield) wrong(a netip.Addr, now time.Time) bool {
	return s.strike(a, now, func(src *source) bool { src.wrong++; return src.wrong >= strikeLimit })
}

// refused counts a request that a stranger should not have sent.
func (s *shield) refused(a netip.Addr, now time.Time) bool {
	return s.strike(a, now, func(src *source) bool { src.refused++; return src.refused >= refuseLimit })
}

func (s *shield) strike(a netip.Addr, now time.Time, count func(*source) bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	src := s.source(a, now)
	if now.Sub(src.since) > strikeWindow {
		src.since, src.wrong, src.refused = now, 0, 0
	}
	if !count(src) || !now.After(src.until) {
		return false
	}
	src.until = now.Add(banTime)
	s.bans++
	return true
}

// source finds or makes the entry of a. Caller holds mu.
func (s *shield) source(a netip.Addr, now time.Time) *source {
	src, ok := s.sources[a]
	if ok {
		return src
	}
	if len(s.sources) >= shieldSize {
		s.forget(now)
	}
	src = &source{bucket: bucket{tokens: strangerRate, last: now}}
	s.sources[a] = src
	return src
}

// forget drops everybody who is not banned. Caller holds mu.
func (s *shield) forget(now time.Time) {
	for a, src := range s.sources {
		if now.After(src.until) {
			delete(s.sources, a)
		}
	}
	if len(s.sources) >= shieldSize {
		clear(s.sources)
	}
}

func (s *shield) banCount() uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bans
}

// peers are addresses that we have just sent requests to, so that their
// answers are heard although they neither call nor register here.
type peers struct {
	mu    sync.Mutex
	until map[netip.Addr]time.Time
}

const peerTime = 5 * time.Minute

func newPeers() *peers { return &peers{until: map[netip.Addr]time.Time{}} }

func (p *peers) touch(a netip.Addr, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.until[a.Unmap()] = now.Add(peerTime)
}

func (p *peers) has(a netip.Addr, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	until, ok := p.until[a]
	return ok && now.Before(until)
}

func (p *peers) sweep(now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for a, until := range p.until {
		if !now.Before(until) {
			delete(p.until, a)
		}
	}
}
