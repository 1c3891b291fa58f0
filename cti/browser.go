package cti

import (
	"context"
	"fmt"
)

// Browser is the scheme of pages that are phones, by their user: browser:1001.
const Browser = "browser"

// Rejecter is a ringing leg whose party may refuse it by a command.
type Rejecter interface {
	// Reject is false for a leg that does not ring.
	Reject() bool
}

// Absentee is a leg whose party may be away for a while, which makes the others
// hear so.
type Absentee interface {
	// Quiet says whether others are heard meanwhile, whom that would disturb.
	Quiet(others bool)
}

// reject has an agent's ringing page refuse this call; false where none rings,
// or what rings is a telephone.
func (c *Call) reject(agent string) bool {
	c.mu.Lock()
	leg := c.ringing[agent]
	c.mu.Unlock()
	r, ok := as[Rejecter](leg)
	return ok && r.Reject()
}

// RingOwn is [Call.Ring] for the device of who asked for this by a click: a page
// answers by itself, a telephone is to be lifted.
func (c *Call) RingOwn(ctx context.Context, d Device) (Leg, error) {
	leg, err := c.Ring(ctx, d)
	if err != nil || d.Scheme() != Browser {
		return leg, err
	}
	page, ok := as[Lifter](leg)
	if !ok {
		return leg, nil
	}
	if err := page.Lift(ctx); err != nil {
		leg.Hangup(CauseCanceled)
		return nil, fmt.Errorf("answer %s: %w", d, err)
	}
	return leg, nil
}

// BrowserView is what a page says of its sound (getStats), about what the box
// cannot see itself: how the agent heard the caller. A nil value was not told.
type BrowserView struct {
	RTTMS     *float64 `json:"rtt_ms,omitempty"`
	JitterMS  *float64 `json:"jitter_ms,omitempty"`
	Lost      *int64   `json:"lost,omitempty"`
	Received  *int64   `json:"received,omitempty"`
	Concealed *int64   `json:"concealed,omitempty"` // samples made up
	Level     *float64 `json:"level,omitempty"`     // of the microphone, 0 to 1
	Device    string   `json:"device,omitempty"`    // microphone
}

// Observe keeps in a live call's record what the page of an agent who takes part
// says, instead of what it said before. ErrNotFound: no such call, or no page of
// this agent in it.
func (s *Server) Observe(call, agent string, v BrowserView) error {
	s.mu.Lock()
	c, ok := s.calls[call]
	s.mu.Unlock()
	if !ok || !c.observed(agent, v) {
		return ErrNotFound
	}
	return nil
}

func (c *Call) observed(agent string, v BrowserView) (found bool) {
	c.update(func(r *CDR) {
		for i := len(r.Legs) - 1; i >= 0 && !found; i-- {
			if l := &r.Legs[i]; l.Agent == agent && l.Device.Scheme() == Browser {
				l.Browser, found = &v, true
			}
		}
	})
	return found
}
