package api

import (
	"slices"

	"callbox/cti"
)

// sight is what one caller may see of the journal. It is a value: the hub asks
// it for each event.
type sight struct {
	all    bool // every event of the kinds below
	calls  bool
	texts  bool
	agent  string // who looks, if it is a person
	queues []string
}

// sightOf is what who may see; queues are an agent's own.
func sightOf(who *caller, queues []string) sight {
	s := sight{all: !who.own(), calls: who.has(ScopeCalls), texts: who.has(ScopeSMS), queues: queues}
	if !who.program() { // whose name may be an agent's
		s.agent = who.ID
	}
	return s
}

// eachOwn are the events of which every agent whom they concern gets one: that
// of a colleague in the same call would be the same thing twice, or a screen pop
// where no telephone rings.
var eachOwn = map[string]bool{
	cti.EventDelivered: true, cti.EventEstablished: true, cti.EventTransferred: true, cti.EventConferenced: true,
	cti.EventConnectionCleared: true, cti.EventFailed: true, cti.EventRecordStarted: true, cti.EventRecordPaused: true,
	cti.EventAgentLoggedOn: true, cti.EventAgentReady: true, cti.EventAgentNotReady: true, cti.EventAgentBusy: true,
	cti.EventAgentWorkingAfterCall: true, cti.EventAgentLoggedOff: true,
}

// sees judges an event. call is the record of its call as it stood then, nil
// where there is none; owner is who sent the text that it is about.
func (s sight) sees(e *cti.Event, call *cti.CDR, owner string) bool {
	switch e.Type {
	case cti.EventSMSStatus, cti.EventSMSLate, cti.EventSMSReceived, cti.EventSMSInbox, cti.EventNoticeStep, cti.EventNoticeAck:
		return s.texts && (s.all || owner != "" && owner == s.agent || shared(e))
	case cti.EventMissedChanged:
		return s.calls && (s.all || s.concerned(e))
	case cti.EventMessage: // is between two, whoever else may see everything
		return s.agent != "" && (e.AgentID == s.agent || e.UserData["from"] == s.agent)
	case cti.EventQueueChanged:
		return s.calls && (s.all || e.Queue != nil && slices.Contains(s.queues, e.Queue.ID))
	}
	if !s.calls {
		return false
	}
	if s.all || e.AgentID == s.agent {
		return true
	}
	if e.AgentID != "" && eachOwn[e.Type] {
		return false
	}
	return !e.Private && call != nil && takesPart(call, s.agent, e.Time)
}

// takesPart says whether agent was part of the call at t: while it was offered
// to him, while he had a leg in it, and to its end where it was his at last.
func takesPart(call *cti.CDR, agent string, t cti.Time) bool {
	if agent == "" {
		return false
	}
	if call.Agent != nil && call.Agent.ID == agent {
		return true
	}
	joined := false
	for _, l := range call.Legs {
		if l.Agent != agent || t.Before(l.Start.Time) {
			continue
		}
		if joined = true; l.End.IsZero() || !t.After(l.End.Time) {
			return true
		}
	}
	for i, o := range call.Offers {
		if o.Agent != agent || t.Before(o.Start.Time) || joined && o.Outcome == cti.OfferAnswered {
			continue
		}
		if end := partEnds(call.Offers, i); end.IsZero() || !t.After(end.Time) {
			return true
		}
	}
	return false
}

// partEnds is when the agent of offer i left the call; zero: not before its end.
func partEnds(offers []cti.Offer, i int) cti.Time {
	o := offers[i]
	last := i == len(offers)-1
	switch {
	case o.Outcome == "", o.Outcome == cti.OfferCanceled && last:
		return cti.Time{}
	case o.Outcome != cti.OfferAnswered:
		return o.End
	}
	for _, later := range offers[i+1:] {
		if later.Outcome == cti.OfferAnswered && later.Agent != o.Agent {
			return later.End
		}
	}
	return cti.Time{}
}
