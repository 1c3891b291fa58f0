package cti

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"callbox/cti/media"
	"callbox/internal/guard"
	"callbox/internal/stamp"
)

// Kinds of [LegRecord].
const (
	outsideLeg = "outside"
	agentLeg   = "agent"
)

// Call is one caller's way through the box, from seizing the line to the
// record. Its goroutine is [Server.Accept]; handlers use it from there.
type Call struct {
	id     string
	server *Server
	log    *slog.Logger
	leg    Leg
	own    *handset // the agent's phone that made this call, until it is taken
	lookup *lookup
	mail   chan request

	deskless     bool // the agent whose call it is has no desk for it
	cessions     chan cession
	conversation *conversation // of the goroutine that runs the call; nil: nobody talks

	informed chan<- chan struct{} // see follow; nil: the numbers were known at the start

	ctx    context.Context // the call's life; its cause says who ended it
	cancel context.CancelCauseFunc

	mu      sync.Mutex // guards what follows
	origin  Origin
	record  CDR
	where   string
	pending *Ref          // the agent who is rung or talks
	talks   chan struct{} // closed when the talk that runs is over; nil: none
	stop    func(context.Context) Recording
	ear     *earshot       // of what is recorded
	ringing map[string]Leg // telephones that ring or rang, by agent
	outside *hearing       // what is heard of the outside party, once it was answered
	others  []*hearing     // and of those who joined
}

func newCall(ctx context.Context, s *Server, id string, leg Leg) *Call {
	o := leg.Origin()
	o.From, o.To = s.number(o.From), s.number(o.To)
	c := &Call{
		id: id, server: s, leg: leg, origin: o, where: WhereIVR,
		log:  s.cfg.Log.With("call", id),
		mail: make(chan request), cessions: make(chan cession),
	}
	c.ctx, c.cancel = context.WithCancelCause(ctx)
	c.record = CDR{
		ID: id, Direction: o.Direction, From: o.From, To: o.To, DID: o.DID, Line: o.Line,
		IVRPath: []string{}, Offers: []Offer{}, UserData: map[string]any{},
		Legs:      []LegRecord{{ID: leg.ID(), Kind: outsideLeg, Device: leg.Device(), Start: stamp.Now()}},
		Recording: Recording{State: RecordingNone, Why: "not answered"},
		Times:     Times{Seize: stamp.Now()},
	}
	maps.Copy(c.record.UserData, o.Data)
	if _, late := leg.(Informer); !late || o.From.known() {
		c.record.Times.CallerID = c.record.Times.Seize
	}
	return c
}

// watch ends the call when its outside leg is over.
func (c *Call) watch(leg Leg) {
	guard.Go("call ends with its leg", c.log, func() {
		select {
		case <-c.ctx.Done():
		case <-leg.Done():
			c.cancel(legError(leg))
		}
	})
}

func legError(leg Leg) error {
	if err := leg.Err(); err != nil {
		return err
	}
	return ErrRemoteHangup
}

// ID is the call's UUIDv7, the recording's too.
func (c *Call) ID() string { return c.id }

// Log is a logger that names the call on every line.
func (c *Call) Log() *slog.Logger { return c.log }

// Origin is where the call came from, its numbers normalised. They may come
// late, see [Informer].
func (c *Call) Origin() Origin {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.origin
}

// renumber changes the call's numbers.
func (c *Call) renumber(o Origin) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.origin.From, c.origin.To = o.From, o.To
	c.record.From, c.record.To = o.From, o.To
	if c.record.Times.CallerID.IsZero() && o.From.known() {
		c.record.Times.CallerID = stamp.Now()
	}
}

// Media is the outside party's sound.
func (c *Call) Media() media.Port { return c.leg.Media() }

// Record is the record as it stands, for reading.
func (c *Call) Record() CDR {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.record.clone()
}

// clone copies what a later change of the record would touch.
func (r CDR) clone() CDR {
	r.IVRPath, r.Offers, r.Legs = slices.Clone(r.IVRPath), slices.Clone(r.Offers), slices.Clone(r.Legs)
	r.UserData = maps.Clone(r.UserData)
	r.Recording.Pauses = slices.Clone(r.Recording.Pauses)
	return r
}

func (c *Call) update(change func(*CDR)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.record)
}

func (c *Call) phase() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.where
}

func (c *Call) agentID() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.pending != nil {
		return c.pending.ID
	}
	if c.record.Agent != nil {
		return c.record.Agent.ID
	}
	return c.origin.Attend
}

// note fills an event with what the call knows and hands it to the ledger.
func (c *Call) note(e Event) {
	r := c.Record()
	e.CallID, e.Line, e.Call = c.id, r.Line, &r
	e.Calling, e.Called = &r.From, &r.To
	if e.Queue == nil {
		e.Queue = r.Queue
	}
	if err := c.server.deps.Ledger.Note(c.ctx, e); err != nil {
		c.log.Error("event not noted", "event", e.Type, "err", err)
	}
}

// Answer answers the outside leg and starts the recording. Later calls do
// nothing.
func (c *Call) Answer(ctx context.Context) error {
	if !c.Record().Times.Answer.IsZero() {
		return nil
	}
	if err := c.leg.Answer(ctx); err != nil {
		return fmt.Errorf("answer the caller: %w", err)
	}
	c.catchUp()
	c.startRecording()
	c.update(func(r *CDR) {
		r.Times.Answer = stamp.Now()
		r.Legs[0].Codec = codec(c.leg.Media())
	})
	c.note(Event{Type: EventRecordStarted, ConnectionID: c.leg.ID()})
	return nil
}

func codec(p media.Port) string {
	if p == nil {
		return ""
	}
	if p.Law() == media.PCMU {
		return "PCMU"
	}
	return "PCMA"
}

func (c *Call) startRecording() {
	both := c.Origin().Attend != "" // the agent's own telephone hangs on the line
	listens := &earshot{}
	stop, err := c.server.deps.Recorder.Record(c.ctx, c.id, outside{c.leg.Media(), both, listens})
	if err != nil {
		c.log.Error("call is not recorded", "err", err)
		c.update(func(r *CDR) { r.Recording = Recording{State: RecordingNone, Why: err.Error()} })
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stop, c.ear = stop, listens
	c.record.Recording = Recording{ID: c.id, State: RecordingRunning, Mixed: both}
}

func (c *Call) stopRecording(ctx context.Context) {
	c.mu.Lock()
	stop := c.stop
	c.stop = nil
	c.mu.Unlock()
	if stop == nil {
		return
	}
	done := stop(ctx)
	done.ID = c.id
	c.update(func(r *CDR) {
		r.Recording.endPause()
		done.Pauses, done.Voicemail = r.Recording.Pauses, r.Recording.Voicemail
		r.Recording = done
	})
	c.note(Event{Type: EventRecordStopped, AgentID: c.agentID()})
}

// Visit adds a flow's node to the IVR path.
func (c *Call) Visit(node string) {
	c.update(func(r *CDR) {
		if r.Times.IVRIn.IsZero() {
			r.Times.IVRIn = stamp.Now()
		}
		r.IVRPath = append(r.IVRPath, node)
	})
}

// Set keeps a variable of the flow in user_data.
func (c *Call) Set(name string, value any) {
	c.update(func(r *CDR) { r.UserData[name] = value })
}

// Digits reports keys that a menu or collect node took (event digitsReceived).
func (c *Call) Digits(digits string) {
	c.note(Event{
		Type: EventDigitsReceived, ConnectionID: c.leg.ID(),
		UserData: map[string]any{"digits": digits},
	})
}

// Customer waits for the look-up, at most the rest of its time; false where
// the caller is unknown or the look-up was late.
func (c *Call) Customer(ctx context.Context) (Customer, bool) { return c.lookup.wait(ctx) }

// Queued says that the call waits in q.
func (c *Call) Queued(q Ref) {
	c.mu.Lock()
	c.where = WhereQueue
	c.record.Queue = &q
	now := stamp.Now()
	if c.record.Times.QueueIn.IsZero() {
		c.record.Times.QueueIn = now
	}
	if !c.record.Times.IVRIn.IsZero() && c.record.Times.IVROut.IsZero() {
		c.record.Times.IVROut = now
	}
	c.mu.Unlock()
	c.note(Event{Type: EventQueued})
}

// Dequeued says that the call left its queue, and why; cause is empty when an
// agent took it.
func (c *Call) Dequeued(cause string) {
	c.mu.Lock()
	if cause != "" {
		c.where = WhereIVR
	}
	c.mu.Unlock()
	c.note(Event{Type: EventDiverted, Cause: cause, AgentID: c.agentID()})
}

// Ring dials a device for this call and gives the ringing leg at once. The
// first ring waits for the look-up, at most the rest of its time. The leg is
// hung up when the call ends.
func (c *Call) Ring(ctx context.Context, d Device) (Leg, error) {
	c.Customer(ctx)
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	if own := c.takeOwn(); own != nil {
		return own, nil
	}
	return c.ringAs(d, c.Origin().party())
}

// takeOwn is the phone that made this call, for the first who would ring it.
func (c *Call) takeOwn() Leg {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.own == nil {
		return nil
	}
	own := c.own
	c.own = nil
	context.AfterFunc(c.ctx, func() { own.Hangup(CauseCanceled) })
	return own
}

// Offer notes that the call is now offered to agent, and why to this one.
func (c *Call) Offer(agent Ref, why string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := stamp.Now()
	c.where, c.pending = WhereRinging, &agent
	c.record.Offers = append(c.record.Offers, Offer{Agent: agent.ID, Start: now, Why: why})
	if c.record.Times.Offer.IsZero() {
		c.record.Times.Offer = now
	}
}

// Delivered tells the agent's screen that its phone rings: the pop. Once an
// offer, when the leg alerts.
func (c *Call) Delivered(agent Ref, leg Leg) {
	c.rings(agent.ID, leg)
	c.popUp(agent, leg.ID())
}

func (c *Call) popUp(agent Ref, connection string) {
	c.lookup.tell(agent.ID, func(customer *Customer) {
		c.note(Event{Type: EventDelivered, AgentID: agent.ID, ConnectionID: connection, UserData: c.pop(agent.ID, customer)})
	})
}

// pop is what the agent's screen shows beside the numbers and the queue.
func (c *Call) pop(agent string, customer *Customer) map[string]any {
	r := c.Record()
	data := r.UserData
	data["ivr_path"] = r.IVRPath
	data["wait"] = 0.0
	if !r.Times.QueueIn.IsZero() {
		data["wait"] = time.Since(r.Times.QueueIn.Time).Round(time.Millisecond).Seconds()
	}
	if r.Direction == Out {
		data["direction"] = Out
	}
	if c.Origin().Attend != "" { // neither answer nor hang-up is to be offered
		data["attended"] = true
	}
	data["pop_url"], data["customer"] = c.popURL(agent, customer), nil
	if customer != nil {
		customer.show(data)
	}
	return data
}

// EndOffer notes how the running offer ended (an Offer… outcome); an agent
// whose phone stops ringing is told by connectionCleared.
func (c *Call) EndOffer(outcome string) {
	c.mu.Lock()
	agent := ""
	if n := len(c.record.Offers); n > 0 {
		c.record.Offers[n-1].End, c.record.Offers[n-1].Outcome = stamp.Now(), outcome
		agent = c.record.Offers[n-1].Agent
	}
	if outcome != OfferAnswered && outcome != OfferCanceled {
		c.pending = nil
		if c.record.Queue != nil {
			c.where = WhereQueue
		}
	}
	c.mu.Unlock()
	if outcome != OfferAnswered {
		c.note(Event{Type: EventConnectionCleared, AgentID: agent, Cause: outcome})
	}
}
