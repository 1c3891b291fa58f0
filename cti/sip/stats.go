package sip

import (
	"sync/atomic"
)

type counters struct {
	calls, refused, dropped, malformed, authFailed atomic.Uint64
	unacked, panics, revived, connsRefused         atomic.Uint64
}

// Stats is what was counted since the start, and what there is now.
type Stats struct {
	Calls        uint64 // legs begun, both directions
	Refused      uint64 // requests of strangers
	Dropped      uint64 // datagrams of strangers over the limits or banned, unread
	Malformed    uint64 // messages that could not be read or broke RFC 3261
	AuthFailed   uint64 // wrong credentials
	Bans         uint64 // of addresses, so far
	Unacked      uint64 // answers whose ACK never came
	Panics       uint64 // requests ended by a panic
	Relistened   uint64 // listeners that were lost and came back
	ConnsRefused uint64 // TCP connections over the limits or without framing

	Legs, Dialogs, Extensions int // now
	Banned                    int // now: addresses
	Bindings, Subscriptions   int // now: registered phones, and their wishes to be told of extensions and mailboxes
}

// Stats gives the counters.
func (s *Server) Stats() Stats {
	c := &s.count
	extensions, phones := s.bindings.count()
	bans, banned := s.shield.counts()
	return Stats{
		Calls: c.calls.Load(), Refused: c.refused.Load(), Dropped: c.dropped.Load(),
		Malformed: c.malformed.Load(), AuthFailed: c.authFailed.Load(), Bans: bans, Banned: banned,
		Unacked: c.unacked.Load(), Panics: c.panics.Load(), Relistened: c.revived.Load(),
		ConnsRefused: c.connsRefused.Load(),
		Legs:         s.legs.count(), Dialogs: s.dialogs.open(), Extensions: extensions,
		Bindings: phones, Subscriptions: s.subscriptions.count(),
	}
}
