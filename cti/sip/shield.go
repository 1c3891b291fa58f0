package sip

import (
	"cmp"
	"container/list"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// Limits for sources that are neither a trunk nor a registered phone.
const (
	strangerRate  = 50  // messages a second from one address
	strangersRate = 400 // and from all of them together
	strikeLimit   = 5   // wrong credentials in strikeWindow, then a ban
	refuseLimit   = 30  // refused or malformed requests in strikeWindow, and unheard ones, which prolong a ban
	strikeWindow  = time.Minute
	banTime       = 10 * time.Minute
	shieldSize    = 25_000 // sources remembered: more than strangersRate makes known in a strikeWindow
	bansKept      = 20_000
	looseBans     = bansKept / 2 // of them for what anybody can send in another's name
)

// offence is what a source is banned for.
type offence int

const (
	wrongWords offence = iota
	unwelcome
	scanning
	offences
)

// offenceRules say how much of each is borne within strikeWindow. What is
// proven came from who really has the address: it answered a challenge.
var offenceRules = [offences]struct {
	why    string
	limit  int
	proven bool
}{
	wrongWords: {"wrong passwords", strikeLimit, true},
	unwelcome:  {"refused requests", refuseLimit, false},
	scanning:   {"a scanner's name", 1, false},
}

// Ban is a source that is not heard.
type Ban struct {
	Address string    `json:"address"` // 192.0.2.1, or 2001:db8::/64 for all of a network of IPv6
	Since   time.Time `json:"since"`
	Until   time.Time `json:"until"` // prolonged while the attack goes on
	Why     string    `json:"why"`
	Unheard uint64    `json:"unheard"` // messages since it began
}

// shield says which strangers are heard at all. It runs before a message is
// parsed or its source is remembered anywhere else. A host of IPv6 has a whole
// /64 of addresses, so that is one source.
type shield struct {
	mu      sync.Mutex // guards what follows
	sources map[netip.Prefix]*list.Element
	recent  *list.List // of *source, the one heard last in front
	all     bucket
	bans    map[netip.Prefix]*ban
	loose   int // bans that are not proven
	given   uint64
}

// source is what is known of one stranger.
type source struct {
	bucket
	key     netip.Prefix
	strikes [offences]window
}

type ban struct {
	Ban
	proven bool
	again  window
}

// window counts what happens within a strikeWindow.
type window struct {
	since time.Time
	n     int
}

func (w *window) count(now time.Time) int {
	if now.Sub(w.since) > strikeWindow {
		*w = window{since: now}
	}
	w.n++
	return w.n
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

func newShield() *shield {
	return &shield{sources: map[netip.Prefix]*list.Element{}, recent: list.New(), bans: map[netip.Prefix]*ban{}}
}

// network is what an address counts as.
func network(a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	bits := a.BitLen()
	if a.Is6() {
		bits = 64
	}
	p, _ := a.Prefix(bits) // fails for bits out of range only
	return p
}

// hears says whether a stranger's message is to be read.
func (s *shield) hears(a netip.Addr, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := network(a)
	if s.turnsAway(key, now) {
		return false
	}
	if e, ok := s.sources[key]; ok {
		s.recent.MoveToFront(e)
		return e.Value.(*source).take(now, strangerRate) && s.all.take(now, strangersRate)
	}
	return s.all.take(now, strangersRate) && s.source(key, now).take(now, strangerRate)
}

// isBanned says whether a message from a is one of a banned source, and counts
// it there.
func (s *shield) isBanned(a netip.Addr, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.turnsAway(network(a), now)
}

// turnsAway drops a ban that is over and prolongs one whose source goes on: by
// now and then a message, as of a phone with an old password, it ends. The
// caller holds mu.
func (s *shield) turnsAway(key netip.Prefix, now time.Time) bool {
	b, ok := s.bans[key]
	if !ok {
		return false
	}
	if now.After(b.Until) {
		s.lift(key)
		return false
	}
	b.Unheard++
	if b.again.count(now) >= refuseLimit {
		b.Until = now.Add(banTime)
	}
	return true
}

// wrong counts wrong credentials from a; true when that banned it.
func (s *shield) wrong(a netip.Addr, now time.Time) bool { return s.strike(a, wrongWords, now) }

// strike counts an offence of a; true when that banned it.
func (s *shield) strike(a netip.Addr, o offence, now time.Time) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := network(a)
	if b, ok := s.bans[key]; ok && !now.After(b.Until) {
		return false
	}
	return s.source(key, now).strikes[o].count(now) >= offenceRules[o].limit && s.ban(key, o, now)
}

// ban keeps key out; false when the table is full of better reasons. Bans of
// whom it need not have been are never made at the cost of others, so nobody
// clears the table with sources that are not his. The caller holds mu.
func (s *shield) ban(key netip.Prefix, o offence, now time.Time) bool {
	rule := offenceRules[o]
	if s.isFull(rule.proven) {
		s.sweepBans(now)
	}
	if s.isFull(rule.proven) && (!rule.proven || !s.dropOldest()) {
		return false
	}
	s.lift(key)
	text := key.Addr().String()
	if !key.IsSingleIP() {
		text = key.String()
	}
	s.bans[key] = &ban{Ban: Ban{Address: text, Since: now, Until: now.Add(banTime), Why: rule.why}, proven: rule.proven}
	if !rule.proven {
		s.loose++
	}
	s.given++
	return true
}

func (s *shield) isFull(proven bool) bool {
	return len(s.bans) >= bansKept || !proven && s.loose >= looseBans
}

// sweepBans forgets what is over. The caller holds mu.
func (s *shield) sweepBans(now time.Time) {
	for key, b := range s.bans {
		if now.After(b.Until) {
			s.lift(key)
		}
	}
}

// dropOldest makes room for a proven ban: a loose one goes before a proven
// one, and of them the one that ends first. The caller holds mu.
func (s *shield) dropOldest() bool {
	var oldest netip.Prefix
	var found *ban
	for key, b := range s.bans {
		if found == nil || found.proven && !b.proven || found.proven == b.proven && b.Until.Before(found.Until) {
			oldest, found = key, b
		}
	}
	return s.lift(oldest)
}

// lift ends a ban. The caller holds mu.
func (s *shield) lift(key netip.Prefix) bool {
	b, ok := s.bans[key]
	if !ok {
		return false
	}
	delete(s.bans, key)
	if !b.proven {
		s.loose--
	}
	return true
}

// source finds or makes the entry of key; the one not heard for longest makes
// room. The caller holds mu.
func (s *shield) source(key netip.Prefix, now time.Time) *source {
	if e, ok := s.sources[key]; ok {
		return e.Value.(*source)
	}
	if s.recent.Len() >= shieldSize {
		oldest := s.recent.Back()
		delete(s.sources, s.recent.Remove(oldest).(*source).key)
	}
	src := &source{key: key, bucket: bucket{tokens: strangerRate, last: now}}
	s.sources[key] = s.recent.PushFront(src)
	return src
}

// list is who is banned, those first who were banned first.
func (s *shield) list(now time.Time) []Ban {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]Ban, 0, len(s.bans))
	for _, b := range s.bans {
		if !now.After(b.Until) {
			all = append(all, b.Ban)
		}
	}
	slices.SortFunc(all, func(a, b Ban) int {
		return cmp.Or(a.Since.Compare(b.Since), cmp.Compare(a.Address, b.Address))
	})
	return all
}

// counts are the bans given so far and those there are.
func (s *shield) counts() (given uint64, bans int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.given, len(s.bans)
}

// forgive ends the ban of a and forgets its strikes.
func (s *shield) forgive(a netip.Addr) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	key := network(a)
	if e, ok := s.sources[key]; ok {
		s.recent.Remove(e)
		delete(s.sources, key)
	}
	return s.lift(key)
}

// Banned are the sources that are not heard now, those first who were banned
// first.
func (s *Server) Banned() []Ban { return s.shield.list(time.Now()) }

// Unban hears a again, and with an address of IPv6 all of its /64; false when
// it was not banned.
func (s *Server) Unban(a netip.Addr) bool { return s.shield.forgive(a) }

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
