package cti

import (
	"cmp"
	"context"
	"slices"
	"time"

	"callbox/internal/guard"
)

// Usual times of [NoAudio].
const (
	noticeAfter = 10 * time.Second
	hangupAfter = 60 * time.Second
)

// listenEach is how often it is looked whether all parties are heard.
const listenEach = time.Second

func (n NoAudio) orUsual() NoAudio {
	return NoAudio{cmp.Or(n.Notice, noticeAfter), cmp.Or(n.Hangup, hangupAfter)}
}

// Run watches the live calls until ctx ends: a party that should be heard and
// is not is told of, and after a while the call is ended.
func (s *Server) Run(ctx context.Context) error {
	tick := time.NewTicker(listenEach)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			for _, c := range s.live() {
				if err := guard.Call(func() { c.listen(now) }); err != nil {
					c.log.Error("silence not watched", "err", err)
				}
			}
		}
	}
}

// hearing is since when a party of the call is not heard.
type hearing struct {
	leg   Leg
	agent string
	since time.Time // when it last was, or first should have been
	told  bool
}

// quietness is what is to be done about a party that was not heard for so long.
type quietness int

const (
	isHeard quietness = iota
	isQuiet           // told of, once
	isGone
)

// judge is pure: silent is how long nothing came that could be heard, dead how
// long nothing came at all.
func (n NoAudio) judge(silent, dead time.Duration) quietness {
	switch {
	case n.Hangup > 0 && dead >= n.Hangup:
		return isGone
	case n.Notice > 0 && silent >= n.Notice:
		return isQuiet
	}
	return isHeard
}

// listen looks at each party whose sound is to be expected.
func (c *Call) listen(now time.Time) {
	rules := c.server.cfg.NoAudio.orUsual()
	for _, h := range c.heard(now) {
		c.noticeFax(h)
		stats := h.leg.Media().Stats()
		if held, ok := as[Holder](h.leg); ok && held.OnHold() {
			h.since, h.told = now, false
			continue
		}
		sound, sign := latest(h.since, stats.LastReceived), stats.Far.Last
		silent, dead := now.Sub(sound), now.Sub(latest(sound, sign))
		switch rules.judge(silent, dead) {
		case isHeard:
			c.soundIsBack(h)
		case isQuiet:
			c.soundIsGone(h, silent)
		case isGone:
			c.soundIsGone(h, silent)
			c.lose(h, dead)
		}
	}
}

// lose ends a party of which nothing comes any more: one of several alone, else
// with the call.
func (c *Call) lose(h *hearing, dead time.Duration) {
	c.mu.Lock()
	one := h != c.outside && len(c.others) > 1
	c.mu.Unlock()
	c.log.Warn("nothing is heard of a party: ended", "leg", h.leg.ID(), "seconds", int(dead.Seconds()), "whole_call", !one)
	if one {
		h.leg.Hangup(CauseTimeout)
		return
	}
	c.cancel(ErrNoAudio)
}

// noticeFax tells of a fax machine that was heard on a party's side.
func (c *Call) noticeFax(h *hearing) {
	f, ok := as[Faxing](h.leg)
	if !ok {
		return
	}
	select {
	case tone := <-f.Fax(): // never, where nobody listens for it
		c.log.Info("a fax machine is heard", "leg", h.leg.ID(), "tone", tone)
		agent := cmp.Or(h.agent, c.agentID())
		c.note(Event{Type: EventFaxDetected, AgentID: agent, ConnectionID: h.leg.ID(), UserData: map[string]any{"tone": tone}})
	default:
	}
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
}

func (c *Call) soundIsGone(h *hearing, silent time.Duration) {
	if h.told {
		return
	}
	h.told = true
	c.log.Warn("no audio from a party", "leg", h.leg.ID(), "agent", h.agent, "seconds", int(silent.Seconds()))
	c.noteQuiet(h, map[string]any{"seconds": int(silent.Seconds())})
}

func (c *Call) soundIsBack(h *hearing) {
	if !h.told {
		return
	}
	h.told = false
	c.noteQuiet(h, map[string]any{"seconds": 0, "over": true})
}

func (c *Call) noteQuiet(h *hearing, data map[string]any) {
	agent := cmp.Or(h.agent, c.agentID())
	c.note(Event{Type: EventNoAudio, AgentID: agent, ConnectionID: h.leg.ID(), UserData: data})
}

// heard are the parties that were answered and are not over.
func (c *Call) heard(now time.Time) []*hearing {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.outside == nil && !c.record.Times.Answer.IsZero() {
		c.outside = &hearing{leg: c.leg, since: now}
	}
	all := slices.Clone(c.others)
	if c.outside != nil {
		all = append(all, c.outside)
	}
	return all
}

// hear says that sound is to be expected of a leg that joined the call, which is
// an agent's or "". Callers hold mu.
func (c *Call) hear(leg Leg, agent string) {
	c.others = append(c.others, &hearing{leg: leg, agent: agent, since: time.Now()})
}

// forget ends that. Callers hold mu.
func (c *Call) forget(leg Leg) {
	c.others = slices.DeleteFunc(c.others, func(h *hearing) bool { return h.leg == leg })
}
