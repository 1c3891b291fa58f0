package api

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"callbox/cti"
)

// Types of a timeline's items that are no events.
const (
	itemIVR      = "ivr"      // a node of the flow; the record has their order, not their times
	itemAnswered = "answered" // the box answered
	itemOffer    = "offer"
	itemWrapUp   = "wrapUpEnded"
	itemDisposed = "disposed"
	itemQuality  = "quality"
	itemResumed  = "recordResumed"
)

// timelineItem is one thing that happened in a call.
type timelineItem struct {
	Time  cti.Time       `json:"time"`
	Type  string         `json:"type"`
	Agent string         `json:"agent,omitempty"`
	Name  string         `json:"name,omitempty" doc:"the agent's"`
	Why   string         `json:"why,omitempty" doc:"of an offer: why this agent, and why not the others"`
	Cause string         `json:"cause,omitempty"`
	Text  string         `json:"text,omitempty"`
	Data  map[string]any `json:"data,omitempty"`
}

func (a *API) getTimeline(ctx context.Context, in *byID) (*rows[timelineItem], error) {
	call, err := a.visible(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	items, err := a.timeline(ctx, &call)
	if err != nil {
		return nil, err
	}
	return pageOf(items, ""), nil
}

// timeline is what happened in a call, oldest first, from its record and, as
// long as that keeps it, the journal.
func (a *API) timeline(ctx context.Context, call *cti.CDR) ([]timelineItem, error) {
	who := callerOf(ctx)
	shown := who.shown(*call)
	events, err := a.deps.History.CallEvents(ctx, call.ID)
	if err != nil {
		return nil, fmt.Errorf("read the journal: %w", err)
	}
	items := ofRecord(&shown, len(events) > 0)
	for i := range events {
		if events[i].Private && who.own() {
			continue
		}
		if it, ok := ofEvent(&events[i]); ok {
			items = append(items, it)
		}
	}
	names := map[string]string{}
	for _, d := range a.deps.Floor.Desks() {
		names[d.ID] = d.Name
	}
	for i := range items {
		items[i].Name = names[items[i].Agent]
	}
	slices.SortStableFunc(items, func(x, y timelineItem) int { return x.Time.Compare(y.Time.Time) })
	return items, nil
}

// ofRecord is what the record knows with its time. journal says that the
// journal still tells of the talk.
func ofRecord(call *cti.CDR, journal bool) []timelineItem {
	t := call.Times
	items := []timelineItem{{Time: t.Seize, Type: cti.EventOffered, Data: map[string]any{"line": call.Line, "did": call.DID}}}
	add := func(it timelineItem) {
		if !it.Time.IsZero() {
			items = append(items, it)
		}
	}
	add(timelineItem{Time: t.Answer, Type: itemAnswered})
	for i, node := range call.IVRPath {
		add(timelineItem{Time: t.IVRIn, Type: itemIVR, Text: node, Data: map[string]any{"step": i + 1}})
	}
	for _, o := range call.Offers {
		add(offered(o))
	}
	for _, p := range call.Recording.Pauses {
		add(timelineItem{Time: p.Start, Type: cti.EventRecordPaused, Agent: p.By, Text: p.Reason})
		add(timelineItem{Time: p.End, Type: itemResumed, Agent: p.By})
	}
	for _, l := range call.Legs {
		add(quality(l, cmp.Or(l.End, t.Hangup)))
	}
	if !journal {
		items = append(items, withoutJournal(call)...)
	}
	add(timelineItem{Time: t.Hangup, Type: cti.EventCallCleared, Cause: call.Cause, Data: map[string]any{"side": call.HangupSide, "result": call.Result, "where": call.Where}})
	agent := ""
	if call.Agent != nil {
		agent = call.Agent.ID
	}
	add(timelineItem{Time: t.ACWEnd, Type: itemWrapUp, Agent: agent})
	if d := call.Disposition; d != nil {
		add(timelineItem{Time: d.Time, Type: itemDisposed, Agent: d.By, Text: d.Note, Data: map[string]any{"code": d.Code}})
	}
	return items
}

// withoutJournal is what the record still knows of the talk when the journal is
// gone.
func withoutJournal(call *cti.CDR) (items []timelineItem) {
	if t := call.Times.QueueIn; !t.IsZero() && call.Queue != nil {
		items = append(items, timelineItem{Time: t, Type: cti.EventQueued, Data: map[string]any{"queue": *call.Queue}})
	}
	for _, l := range call.Legs {
		if l.Agent != "" && !l.Start.IsZero() {
			items = append(items, timelineItem{Time: l.Start, Type: cti.EventEstablished, Agent: l.Agent, Data: map[string]any{"leg": l.ID, "kind": l.Kind}})
		}
		if l.Agent != "" && !l.End.IsZero() {
			items = append(items, timelineItem{Time: l.End, Type: cti.EventConnectionCleared, Agent: l.Agent, Data: map[string]any{"leg": l.ID, "kind": l.Kind}})
		}
	}
	return items
}

// offered is one ring of one agent.
func offered(o cti.Offer) timelineItem {
	data := map[string]any{"outcome": o.Outcome, "end": o.End}
	if !o.End.IsZero() {
		data["seconds"] = o.End.Sub(o.Start.Time).Seconds()
	}
	return timelineItem{Time: o.Start, Type: itemOffer, Agent: o.Agent, Why: o.Why, Data: data}
}

// quality is how a leg was, at its end.
func quality(l cti.LegRecord, end cti.Time) timelineItem {
	data := map[string]any{
		"leg": l.ID, "kind": l.Kind, "device": l.Device, "codec": l.Codec, "loss": l.Loss, "jitter_ms": l.JitterMS, "mos": l.MOS,
	}
	if l.RTTMS != nil {
		data["rtt_ms"] = *l.RTTMS
	}
	return timelineItem{Time: end, Type: itemQuality, Agent: l.Agent, Data: data}
}

// told are the journal's events that the record does not tell better.
var told = map[string]bool{
	cti.EventQueued: true, cti.EventDiverted: true, cti.EventEstablished: true, cti.EventHeld: true, cti.EventRetrieved: true,
	cti.EventTransferred: true, cti.EventConferenced: true, cti.EventConnectionCleared: true, cti.EventFailed: true,
	cti.EventDigitsReceived: true, cti.EventNoAudio: true, cti.EventFaxDetected: true, cti.EventRecordStarted: true, cti.EventRecordStopped: true,
}

// ofEvent is an event as an item; false for one that is not shown.
func ofEvent(e *cti.Event) (timelineItem, bool) {
	if !told[e.Type] {
		return timelineItem{}, false
	}
	data := maps.Clone(e.UserData)
	if data == nil {
		data = map[string]any{}
	}
	switch e.Type {
	case cti.EventDigitsReceived:
		hideDigits(data)
	case cti.EventQueued, cti.EventDiverted:
		if e.Queue != nil {
			data["queue"] = *e.Queue
		}
	}
	if e.ConnectionID != "" {
		data["leg"] = e.ConnectionID
	}
	return timelineItem{Time: e.Time, Type: e.Type, Agent: e.AgentID, Cause: e.Cause, Data: data}, true
}

// hideDigits leaves the one key of a menu. More may be a card's number, so only
// their count is shown.
func hideDigits(data map[string]any) {
	digits, _ := data["digits"].(string)
	if n := len(strings.TrimSpace(digits)); n != 1 {
		delete(data, "digits")
		data["count"] = n
	}
}
