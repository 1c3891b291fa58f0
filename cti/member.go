package cti

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"callbox/cti/media"
	"callbox/internal/guard"
	"callbox/internal/stamp"
)

// Why a party is rung.
const (
	toConsult   = "consult"
	toTransfer  = "transfer"  // who transfers has left
	toRecall    = "recall"    // the transfer failed: whose it was
	toRetrieve  = "retrieve"  // hung up with the outside party on hold
	toSupervise = "supervise" // to listen in
)

// noOffer is of a party that the call was not offered to.
const noOffer = -1

// member is one party of a conversation.
type member struct {
	kind     string // of its leg in the record
	agent    Ref    // zero: nobody of the house
	leg      Leg
	desk     Desk // lent for this part; nil where the handler has it, or there is none
	offer    int  // the offer's place in the record
	standing standing
	partner  *member // who asked it, or whom it asked
	by       *member // who had it rung
	mode     string  // of a supervisor
	limit    time.Duration

	errand string // why it is rung; "" once it takes part
	rings  bool   // its telephone alerts
	early  bool   // it can be heard before it answers
	talked bool
	giving bool // another call's party is on its way here, for this one
	hungUp bool // while giving
	fate   string
	gone   bool
	over   chan struct{}
}

// hidden says that agents are not to see this party.
func (m *member) hidden() bool { return m.kind == supervisorLeg && m.mode != ModeBarge }

// name is what people call the party.
func (m *member) name() string {
	if m.agent.ID != "" {
		return m.agent.ID
	}
	return m.leg.Device().Address()
}

// What is heard of a party.
const (
	newsRings  = "rings"
	newsEarly  = "early"
	newsPicked = "picked"
	newsLeft   = "left"
	newsWish   = "wish"
	newsHanded = "handed"
)

// news is what happened to a party, on its way to the conversation.
type news struct {
	of   *member
	what string
	err  error
	wish Wish
	gift handed
}

// seat takes a party into the conversation; one with an errand is rung.
func (v *conversation) seat(m *member) *member {
	m.over = make(chan struct{})
	v.members = append(v.members, m)
	v.follow(m)
	return m
}

// follow brings news of a party until it is over.
func (v *conversation) follow(m *member) {
	f := follower{v: v, m: m, leg: m.leg, over: m.over}
	if w, ok := m.leg.(Wisher); ok {
		f.wishes = w.Wishes()
	}
	if m.kind != outsideLeg {
		f.done = m.leg.Done()
	}
	if m.errand != "" {
		f.limit, f.done = m.limit, nil
	}
	if f.wishes != nil || m.kind != outsideLeg {
		guard.Go("party of a talk", v.call.log, f.run)
	}
}

// follower is one party's messenger, with what it may touch of it.
type follower struct {
	v        *conversation
	m        *member // not to be looked at, only named
	leg      Leg
	limit    time.Duration
	over     <-chan struct{}
	done     <-chan struct{}
	wishes   <-chan Wish
	alerting <-chan struct{}
	early    <-chan media.Port
	answered chan error
}

func (f *follower) run() {
	if f.limit > 0 {
		ctx, cancel := context.WithTimeoutCause(f.v.call.ctx, f.limit, ErrNoAnswer)
		defer cancel()
		f.await(ctx)
	}
	for {
		select {
		case <-f.alerting:
			f.alerting = nil
			f.post(news{what: newsRings})
		case <-f.early:
			f.post(news{what: newsEarly})
		case err := <-f.answered:
			if f.alerting != nil && err == nil {
				f.post(news{what: newsRings})
			}
			f.alerting, f.done = nil, f.leg.Done()
			f.post(news{what: newsPicked, err: err})
			if err != nil {
				return
			}
		case <-f.done:
			f.post(news{what: newsLeft})
			return
		case w := <-f.wishes:
			f.post(news{what: newsWish, wish: w})
		case <-f.over:
			return
		}
	}
}

// await waits for the party's answer beside what else is heard of it.
func (f *follower) await(ctx context.Context) {
	f.alerting, f.answered = f.leg.Alerting(), make(chan error, 1)
	if k, ok := f.leg.(*seeker); ok {
		f.early = k.sound
	}
	guard.Go("rung party", f.v.call.log, func() {
		err := error(ErrCanceled) // if it falls
		defer func() { f.answered <- err }()
		err = f.leg.Answer(ctx)
	})
}

func (f *follower) post(n news) {
	n.of = f.m
	select {
	case f.v.news <- n:
	case <-f.over:
		if n.what == newsWish {
			n.wish.Reply <- ErrWrongState
		}
	}
}

// hear acts on news.
func (v *conversation) hear(ctx context.Context, n news) {
	m := n.of
	if n.what == newsHanded {
		v.handed(ctx, n)
		return
	}
	if m.gone {
		if n.what == newsWish {
			n.wish.Reply <- ErrWrongState
		}
		return
	}
	switch n.what {
	case newsRings:
		m.rings = true
		v.popUp(m)
	case newsEarly:
		m.early = true
	case newsPicked:
		v.picked(ctx, m, n.err)
	case newsLeft:
		v.left(ctx, m)
	case newsWish:
		v.wish(ctx, m, n.wish)
	}
}

// picked is a rung party's answer.
func (v *conversation) picked(ctx context.Context, m *member, err error) {
	if err == nil && m.desk != nil && m.errand != toRetrieve && !m.desk.Picked(ctx) {
		err = fmt.Errorf("the desk was taken back: %w", ErrUnreachable)
	}
	if err != nil {
		v.refused(ctx, m, err)
		return
	}
	errand := m.errand
	m.errand, m.talked = "", true
	v.call.enter(m.leg, m.kind, m.agent, m.mode)
	v.call.settleOffer(m.offer, OfferAnswered)
	switch errand {
	case toConsult:
		v.consulted(m)
	case toSupervise:
		v.supervises(m)
	default:
		v.joins(m)
	}
}

// joins lets a party that was rung talk with the outside party.
func (v *conversation) joins(m *member) {
	if m.kind == consultLeg {
		m.kind = agentLeg
		v.call.rename(m.leg, agentLeg)
	}
	v.stand(m, talking)
	v.call.nowWith(m.agent)
	v.tell(Event{Type: EventEstablished, ConnectionID: m.leg.ID()}, v.agents()...)
}

// refused is a rung party that does not take part.
func (v *conversation) refused(ctx context.Context, m *member, err error) {
	cause := failureOf(err).cause
	v.call.log.Info("party not reached", "device", m.leg.Device(), "errand", m.errand, "cause", cause, "err", err)
	m.fate = offerOutcome(err)
	v.drop(m, Outcome{Side: CallerSide, Cause: cause})
	failed := Event{Type: EventFailed, ConnectionID: m.leg.ID(), Cause: cause}
	switch m.errand {
	case toConsult:
		v.tell(failed, m.by.agent)
	case toTransfer:
		v.tell(failed, m.by.agent)
		if !v.alive() {
			v.recall(ctx, m.by)
		}
	case toRecall, toRetrieve:
		v.giveUp()
	case toSupervise:
		v.secret(failed, m)
	}
}

// offerOutcome says how an offer ended that was not answered.
func offerOutcome(err error) string {
	switch {
	case errors.Is(err, ErrNoAnswer):
		return OfferMissed
	case errors.Is(err, ErrBusy):
		return OfferBusy
	case errors.Is(err, ErrRejected), errors.Is(err, ErrRemoteHangup):
		return OfferRejected
	case errors.Is(err, ErrCanceled), errors.Is(err, ErrCleared):
		return OfferCanceled
	}
	return OfferFailed
}

// left is a party's own hang-up. A caller whom it had on hold, or whom it was
// about to transfer, is not lost by it.
func (v *conversation) left(ctx context.Context, m *member) {
	switch {
	case m.giving:
		m.hungUp = true
	case m.standing == holding && m.agent.ID != "" && len(v.others(m)) == 0:
		v.ringBack(ctx, m)
	default:
		v.leave(m)
	}
}

// leave ends a part that somebody took: a consultation becomes a transfer.
func (v *conversation) leave(m *member) {
	end := Outcome{Agent: m.agent.ID, Side: AgentSide, Cause: CauseNormal}
	switch {
	case errors.Is(m.leg.Err(), ErrLineLost): // nobody hung up
		end.Side, end.Cause = LineSide, CauseLineLost
	case m.agent.ID == "":
		end.Side = CallerSide
	}
	if m.standing.consults() {
		v.transfer(m, end)
		return
	}
	v.drop(m, end)
	if m.kind != supervisorLeg {
		v.end = end
		v.inherit()
	}
}

// inherit makes the record's agent one who is still there.
func (v *conversation) inherit() {
	for _, m := range v.members {
		if m.kind == agentLeg && m.errand == "" && m.agent.ID != "" {
			v.call.nowWith(m.agent)
			return
		}
	}
}

// drop ends a party's part as end says, and gives its desk back. It is done once.
func (v *conversation) drop(m *member, end Outcome) {
	if m.gone {
		return
	}
	m.gone = true
	close(m.over)
	v.members = slices.DeleteFunc(v.members, func(o *member) bool { return o == m })
	v.unpair(m)
	if v.pause.by == m {
		v.resume()
	}
	if m.errand == "" {
		m.leg.Hangup(CauseNormal)
	} else {
		m.leg.Hangup(CauseCanceled)
		v.call.settleOffer(m.offer, m.fate)
	}
	v.call.leaves(m.leg)
	if m.desk != nil {
		m.desk.Free(m.talked)
	}
	v.cleared(m, end)
}

// unpair ends a consultation; who asked has the outside party on hold then, or
// talks with it already.
func (v *conversation) unpair(m *member) {
	p := m.partner
	if p == nil {
		return
	}
	m.partner, p.partner = nil, nil
	if to, err := p.standing.next(stepLost); err == nil {
		v.stand(p, to)
	}
}

// cleared tells the screens of an end.
func (v *conversation) cleared(m *member, end Outcome) {
	e := Event{
		Type: EventConnectionCleared, ConnectionID: m.leg.ID(), Cause: end.Cause,
		UserData: map[string]any{"side": end.Side},
	}
	if m.hidden() {
		v.secret(e, m)
		return
	}
	v.tell(e, append([]Ref{m.agent}, v.agents()...)...)
}

// enter writes a party's leg into the record.
func (c *Call) enter(leg Leg, kind string, agent Ref, mode string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if kind != supervisorLeg { // who may well be silent
		c.hear(leg, agent.ID)
	}
	c.record.Legs = append(c.record.Legs, LegRecord{
		ID: leg.ID(), Kind: kind, Device: leg.Device(), Codec: codec(leg.Media()),
		Start: stamp.Now(), Agent: agent.ID, Mode: mode,
	})
}

// leaves writes its end.
func (c *Call) leaves(leg Leg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.forget(leg)
	c.record.closeLeg(leg)
}

// rename changes what a leg is in the call.
func (c *Call) rename(leg Leg, kind string) {
	c.update(func(r *CDR) {
		for i := range r.Legs {
			if r.Legs[i].ID == leg.ID() {
				r.Legs[i].Kind = kind
			}
		}
	})
}

// nowWith says which agent has the call.
func (c *Call) nowWith(agent Ref) {
	if agent.ID == "" {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pending, c.record.Agent = &agent, &agent
}

// offered notes an offer of a running call to one more agent, and gives its
// place.
func (c *Call) offered(agent Ref, why string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.record.Offers = append(c.record.Offers, Offer{Agent: agent.ID, Start: stamp.Now(), Why: why})
	return len(c.record.Offers) - 1
}

// settleOffer notes how that offer ended.
func (c *Call) settleOffer(at int, outcome string) {
	if at == noOffer {
		return
	}
	if outcome == "" {
		outcome = OfferCanceled
	}
	c.update(func(r *CDR) { r.Offers[at].End, r.Offers[at].Outcome = stamp.Now(), outcome })
}
