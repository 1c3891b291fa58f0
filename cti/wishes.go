package cti

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callbox/internal/guard"
)

// handTime is how long another call may take to give up its party.
const handTime = 5 * time.Second

// errCeded ends a call whose outside party went over to another call.
var errCeded = errors.New("the other party went over to another call")

// wish grants what a party asks for at its own telephone, or says why not.
func (v *conversation) wish(ctx context.Context, m *member, w Wish) {
	if w.Kind == WishTransfer && w.With != "" && m != v.outside {
		v.fetch(ctx, m, w)
		return
	}
	w.Reply <- v.grant(ctx, m, w)
}

func (v *conversation) grant(ctx context.Context, m *member, w Wish) error {
	var err error
	switch {
	case m == v.outside && w.Kind != WishTransfer: // its own side's music
	case m == v.outside, m.agent.ID == "":
		err = fmt.Errorf("%s by a party outside: %w", w.Kind, ErrNotServed)
	case w.Kind == WishTransfer:
		_, err = v.sendOn(ctx, m, args{To: w.To})
	case w.Kind == WishHold && m.standing == talking:
		_, err = v.hold(ctx, m, args{})
	case w.Kind == WishRetrieve && m.standing == holding:
		_, err = v.retrieve(ctx, m, args{})
	case w.Kind == WishHold, w.Kind == WishRetrieve: // so it stands, or a consultation decides
	default:
		err = fmt.Errorf("%s: %w", w.Kind, ErrNotServed)
	}
	return err
}

// cession asks a call to give up its outside party to another one.
type cession struct {
	leg   string // of the agent who transfers, in the call that is asked
	to    string // the call that gets it
	reply chan handed
}

// handed is a party that came from another call.
type handed struct {
	leg   Leg
	agent Ref // one of ours, where it is
	wish  Wish
	err   error
}

// fetch asks the other call in which the telephone takes part for its outside
// party. That call answers in its own time; this one goes on meanwhile.
func (v *conversation) fetch(ctx context.Context, m *member, w Wish) {
	if m.giving || m.standing != talking && m.standing != holding || m.agent.ID == "" {
		w.Reply <- fmt.Errorf("transfer while %s: %w", m.standing, ErrWrongState)
		return
	}
	m.giving = true
	c := v.call
	guard.Go("party of another call", c.log, func() {
		limit, cancel := context.WithTimeout(ctx, handTime)
		defer cancel()
		gift := handed{err: ErrCanceled}
		defer func() {
			gift.wish = w
			select {
			case v.news <- news{of: m, what: newsHanded, gift: gift}:
			case <-v.closed:
				gift.refuse(ErrWrongState)
			}
		}()
		gift = c.server.cede(limit, w.With, c)
	})
}

// refuse lets a party go that nobody takes.
func (h handed) refuse(err error) {
	if h.leg != nil {
		h.leg.Hangup(CauseNormal)
	}
	if h.err != nil {
		err = h.err
	}
	h.wish.Reply <- err
}

// handed joins a party that another call gave up; who brought it leaves.
func (v *conversation) handed(ctx context.Context, n news) {
	m, gift := n.of, n.gift
	m.giving = false
	if gift.err != nil {
		gift.refuse(nil)
		if m.hungUp && !m.gone {
			v.left(ctx, m)
		}
		return
	}
	p := &member{kind: numberLeg, agent: gift.agent, leg: gift.leg, standing: talking, talked: true, offer: noOffer}
	if p.agent.ID != "" {
		p.kind = agentLeg
	}
	context.AfterFunc(v.call.ctx, func() { p.leg.Hangup(CauseNormal) })
	v.seat(p)
	v.call.enter(p.leg, p.kind, p.agent, "")
	v.stand(p, talking)
	v.moved(m, p.name(), p.leg.ID())
	m.standing = departed
	v.leave(m)
	v.call.nowWith(p.agent)
	gift.wish.Reply <- nil
}

// cede asks the call in which the agent's leg takes part for its outside party,
// on behalf of to.
func (s *Server) cede(ctx context.Context, leg string, to *Call) handed {
	from := s.withLeg(leg)
	if from == nil || from == to {
		return handed{err: fmt.Errorf("no other call of this telephone: %w", ErrNotFound)}
	}
	over := from.talkEnds()
	if over == nil {
		return handed{err: fmt.Errorf("nobody answered there yet: %w", ErrWrongState)}
	}
	c := cession{leg: leg, to: to.id, reply: make(chan handed, 1)}
	select {
	case from.cessions <- c:
	case <-over:
		return handed{err: fmt.Errorf("the other call is over: %w", ErrWrongState)}
	case <-ctx.Done():
		return handed{err: fmt.Errorf("the other call does not answer: %w", ErrWrongState)}
	}
	select {
	case h := <-c.reply:
		return h
	case <-from.ctx.Done():
	}
	select {
	case h := <-c.reply:
		return h
	default:
		return handed{err: ErrWrongState}
	}
}

// withLeg is the live call in which a leg takes part, nil where there is none.
func (s *Server) withLeg(id string) *Call {
	for _, c := range s.live() {
		if c.has(id) {
			return c
		}
	}
	return nil
}

func (c *Call) has(leg string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.record.Legs {
		if l.ID == leg && l.End.IsZero() {
			return true
		}
	}
	return false
}

// cede gives up the outside party: the agent's part ends, and the call, whose
// record tells where it went. The party's leg is left as it is.
func (v *conversation) cede(c cession) handed {
	m := v.byLeg(c.leg)
	switch {
	case m == nil || m == v.outside || m.agent.ID == "" || m.kind == supervisorLeg:
		return handed{err: fmt.Errorf("the telephone has no part in the other call: %w", ErrWrongState)}
	case len(v.others(m)) > 0 || m.partner != nil:
		return handed{err: fmt.Errorf("others are in the other call: %w", ErrWrongState)}
	}
	v.call.Set("transferred_to", c.to)
	v.sound.close()
	m.standing = departed
	v.leave(m)
	return handed{leg: v.outside.leg, agent: v.outside.agent}
}
