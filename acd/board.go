package acd

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"slices"
	"time"

	"callbox/acd/strategy"
	"callbox/cti"
	"callbox/internal/guard"
	"callbox/internal/stamp"
)

// board is everything the floor's goroutine owns: desks, queues, who waits and
// what is to happen when. Its methods run in that goroutine only.
type board struct {
	deps    Deps
	log     *slog.Logger
	desks   map[string]*desk
	order   []*desk // as configured
	lines   map[string]*line
	queues  []*line // as configured
	waiting []*ticket
	joined  uint64
	alarms  alarms
	free    int                       // desks that could be offered a call
	look    bool                      // a desk came free since the last dispatch
	stale   map[*line]bool            // whose screens must be told
	owed    map[string]time.Time      // calls whose work is over, and since when; see settle
	moving  map[string]bool           // calls that an agent sent on and that are not over
	left    []string                  // calls that something of the floor let go of in this turn
	tried   map[string]map[string]int // see triedBy
	behind  guard.Group               // amendments on their way to the disk
	ctx     context.Context           // for the journal
}

func newBoard(deps Deps, log *slog.Logger) *board {
	return &board{
		deps: deps, log: log, desks: map[string]*desk{}, lines: map[string]*line{},
		stale: map[*line]bool{}, owed: map[string]time.Time{}, moving: map[string]bool{},
		tried: map[string]map[string]int{}, behind: guard.Group{Log: log}, ctx: context.Background(),
	}
}

// touch brings the queues in step with a desk that changed.
func (b *board) touch(d *desk) {
	view := d.view()
	for _, s := range d.seats {
		s.line.put(s.index, view)
		b.stale[s.line] = true
	}
	if free := d.free(); free != d.counted {
		d.counted = free
		b.free += map[bool]int{true: 1, false: -1}[free]
	}
	b.look = b.look || d.counted
}

// put replaces a desk in the snapshot and keeps the counts.
func (l *line) put(i int, v strategy.Desk) {
	l.count(l.view[i], -1)
	l.view[i] = v
	l.count(v, +1)
}

func (l *line) count(v strategy.Desk, by int) {
	if v.State != "" && v.State != string(LoggedOff) {
		l.loggedOn += by
	}
	if strategy.Bar(&v, &strategy.Call{}) == strategy.None {
		l.free += by
	}
}

// tell writes a desk to the screens and, if it should survive, to the store.
func (b *board) tell(d *desk, word string) {
	b.touch(d)
	b.note(d.event(word))
	b.deps.Desks.SaveDesk(d.row())
}

func (b *board) note(e cti.Event) {
	if err := b.deps.Journal.Note(b.ctx, e); err != nil {
		b.log.Error("event not noted", "event", e.Type, "agent", e.AgentID, "err", err)
	}
}

// join lets a call wait, or says at once why it cannot.
func (b *board) join(t *ticket, now time.Time) (out string, err error) {
	l := b.lines[t.wanted.Queue]
	if l == nil {
		return "", cti.ErrNotFound
	}
	t.line = l
	switch {
	case !l.staffed(t.wanted):
		return cti.NoAgents, nil
	case l.MaxLength > 0 && b.unserved(l) >= l.MaxLength:
		return cti.Full, nil
	}
	b.joined++
	t.number, t.since = b.joined, now
	if l.MaxWait > 0 {
		t.expires = now.Add(l.MaxWait)
	}
	b.wait(t)
	b.try(t, now)
	return "", nil
}

// unserved is how many wait in l without a phone ringing for them.
func (b *board) unserved(l *line) int {
	n := 0
	for _, t := range b.waiting {
		if t.line == l && !t.offered {
			n++
		}
	}
	return n
}

func (b *board) wait(t *ticket) {
	i, _ := slices.BinarySearchFunc(b.waiting, t, (*ticket).before)
	b.waiting = slices.Insert(b.waiting, i, t)
	t.waits, b.stale[t.line] = true, true
}

func (b *board) unwait(t *ticket) {
	if !t.waits {
		return
	}
	if i, ok := slices.BinarySearchFunc(b.waiting, t, (*ticket).before); ok {
		b.waiting = slices.Delete(b.waiting, i, i+1)
	}
	t.waits, b.stale[t.line] = false, true
	b.left = append(b.left, t.id)
}

// dispatch gives the desks that came free to those who wait, in their order.
func (b *board) dispatch(now time.Time) {
	if !b.look {
		return
	}
	b.look = false
	for _, t := range b.waiting {
		if b.free == 0 {
			return
		}
		b.try(t, now)
	}
}

// try offers a waiting call to a desk, if one can take it.
func (b *board) try(t *ticket, now time.Time) {
	if t.offered || t.line.free == 0 || t.expired(now) {
		return
	}
	pick := t.line.decide(t.call(), now)
	if pick.Desk < 0 {
		return
	}
	t.line.last = pick.Desk
	b.reserve(t, t.line.desks[pick.Desk], pick.Why, now)
}

// reserve lends a desk to a call until it is answered, missed or the lease ends.
func (b *board) reserve(t *ticket, d *desk, why string, now time.Time) {
	t.offered = true
	t.offers <- b.lease(t, d, why, now)
}

// sweep frees a desk whose offer outlived its time: the call's goroutine hangs
// somewhere, the desk must not hang with it.
func (b *board) sweep(d *desk, lease int, now time.Time) {
	if d.lease != lease || d.ticket == nil || d.talking {
		return
	}
	b.log.Error("offer outlived its ring_timeout; desk freed", "agent", d.agent.ID, "call", d.ticket.id)
	d.ticket.desk = nil
	b.release(d, now)
}

// release takes an unanswered call off a desk and follows the agent's wish.
func (b *board) release(d *desk, now time.Time) {
	b.left = append(b.left, d.ticket.id)
	d.ticket = nil
	d.lease++
	b.touch(d)
	overdue := d.overdue
	d.overdue = false
	if overdue && d.state == WorkingAfterCall {
		b.wrapped(d, now)
		return
	}
	b.pend(d, now)
	b.retire(d)
}

// missed says that a phone rang in vain: a call that waits does so in its old
// place. Who was asked for by name need not take it.
func (b *board) missed(t *ticket, now time.Time) {
	if t.line == nil {
		b.abort(t, now)
		return
	}
	d := t.desk
	t.desk, t.offered = nil, false
	b.look = true
	if d == nil {
		return
	}
	if t.missed == nil {
		t.missed = map[string]int{}
	}
	t.missed[d.agent.ID]++
	d.misses++
	b.release(d, now)
	if d.misses >= missLimit && d.state == Ready {
		b.move(d, MissedOften, ReasonNoAnswer, now)
	}
	b.unstaff()
}

// picked says that the agent picked up; false where the desk is no longer ours.
func (b *board) picked(t *ticket, now time.Time) bool {
	d := t.desk
	if d == nil {
		return false
	}
	b.unwait(t)
	if d.state != Ready {
		b.interrupt(d, now)
	}
	d.talking, d.answered, d.misses = true, now, 0
	d.lease++
	b.tell(d, "")
	return true
}

// leave takes a call off the floor, wherever it stands. Unless it must, it does
// not leave while a phone rings for it: false then.
func (b *board) leave(t *ticket, must bool, now time.Time) bool {
	if t.offered && !must {
		return false
	}
	b.unwait(t)
	d := t.desk
	t.desk, t.offered = nil, false
	switch {
	case d == nil:
	case d.talking:
		b.ended(d, t, now)
	default:
		b.release(d, now)
	}
	return true
}

// ended takes an agent from the talk to wrap-up.
func (b *board) ended(d *desk, t *ticket, now time.Time) {
	d.calls++
	d.talk += now.Sub(d.answered)
	d.ticket, d.talking, d.wrapFor, d.overdue = nil, false, t.id, false
	if d.share = t.wrapUp(d); d.share <= 0 {
		b.wrapped(d, now)
		return
	}
	b.move(d, TalkEnded, "", now)
}

// wrapped ends wrap-up: ready again, or what the agent wished for.
func (b *board) wrapped(d *desk, now time.Time) {
	wish, reason := d.pending, d.pendingReason
	d.pending, d.pendingReason = "", ""
	if wish == WorkingAfterCall {
		b.linger(d, now)
		return
	}
	b.amend(d, now)
	switch {
	case wish == NotReady && wish == d.state && reason == d.reason: // as before the talk
		b.tell(d, "")
	case wish != "" && wish != Ready, wish == Ready && d.state == NotReady:
		b.move(d, wishes[wish], reason, now)
	case d.state == Ready: // a talk without wrap-up
		d.since, d.idleSince = now, now
		b.tell(d, "")
	default:
		b.move(d, WrapUpOver, "", now)
	}
	b.retire(d)
}

// linger is a wrap-up that the agent ends, no timer.
func (b *board) linger(d *desk, now time.Time) {
	if d.state != WorkingAfterCall {
		b.move(d, SetAfterCall, "", now)
		return
	}
	d.untimed()
	b.tell(d, "")
}

// pend carries out what the agent wished for while a phone rang.
func (b *board) pend(d *desk, now time.Time) {
	wish, reason := d.pending, d.pendingReason
	d.pending, d.pendingReason = "", ""
	switch wish {
	case "":
	case d.state:
		b.tell(d, "")
	default:
		b.move(d, wishes[wish], reason, now)
	}
}

// setState is an agent's wish: carried out at once, or kept during a call.
func (b *board) setState(d *desk, wish State, reason string, now time.Time) error {
	e, ok := wishes[wish]
	switch {
	case !ok:
		return fmt.Errorf("%w: %q", ErrBadState, wish)
	case d.ticket == nil && wish == WorkingAfterCall && d.state == wish:
		b.extend(d, now)
		b.tell(d, "")
		return nil
	case d.ticket == nil:
		d.pending, d.pendingReason = "", ""
		return b.change(d, e, reason, now)
	case wish == d.state && !d.talking:
		if wish == WorkingAfterCall {
			b.extend(d, now)
		}
		wish, reason = "", ""
	}
	d.pending, d.pendingReason = wish, reason
	b.tell(d, "")
	return nil
}

// logOn puts an agent at the desk. One who sits there already stays as it is.
func (b *board) logOn(d *desk, now time.Time) {
	if d.state != LoggedOff {
		return
	}
	d.away, d.phone = false, b.phoneOf(d.agent)
	b.move(d, LogOn, ReasonLogin, now)
	b.logOffAt(d, now.Add(LogOffAfter))
	b.socketGone(d, now)
}

func (b *board) logOffAt(d *desk, at time.Time) {
	d.logon++
	logon := d.logon
	b.alarms.set(at, func(now time.Time) {
		if d.logon != logon || d.state == LoggedOff {
			return
		}
		if err := b.setState(d, LoggedOff, "", now); err != nil {
			b.log.Error("agent not logged off", "agent", d.agent.ID, "err", err)
		}
	})
}

// move is a change that the floor itself makes; a refusal is a fault in it.
func (b *board) move(d *desk, e Event, reason string, now time.Time) {
	if err := b.change(d, e, reason, now); err != nil {
		b.log.Error("desk not moved", "agent", d.agent.ID, "err", err)
	}
}

// change takes a desk along the state machine, then does what the new state
// asks for.
func (b *board) change(d *desk, e Event, reason string, now time.Time) error {
	to, err := d.state.Next(e)
	if err != nil {
		return err
	}
	from := d.state
	if from == to && d.reason == reason && e != TalkEnded {
		return nil
	}
	d.state, d.reason, d.since = to, reason, now
	if from == WorkingAfterCall && to != from {
		b.amend(d, now)
	}
	d.enter(from, now)
	if e == TalkEnded {
		b.wrapUntil(d, now.Add(d.share))
	}
	if e == LogOn {
		b.note(d.event(cti.EventAgentLoggedOn))
	}
	b.tell(d, "")
	if to == LoggedOff {
		b.unstaff()
	}
	return nil
}

func (d *desk) enter(from State, now time.Time) {
	if from != d.state {
		d.untimed()
	}
	switch d.state {
	case Ready:
		d.idleSince, d.misses = now, 0
	case LoggedOff:
		d.logon++
		d.calls, d.talk = 0, 0
	}
}

// amend says that what a desk wraps up is done.
func (b *board) amend(d *desk, now time.Time) {
	if d.wrapFor != "" {
		b.worked(d.wrapFor, now)
		d.wrapFor = ""
	}
}

// worked says that an agent's work on a call is over, also where there was none.
func (b *board) worked(call string, now time.Time) {
	b.owed[call] = now
	b.left = append(b.left, call)
}

// settle writes the end of wrap-up into the records of those calls on which
// nobody works any more: of the agents of one call the last one counts. That
// waits for the disk, so it goes on beside the floor.
func (b *board) settle() {
	left := b.left
	b.left = nil
	for _, call := range left {
		end, owed := b.owed[call]
		if !owed || b.occupies(call) {
			continue
		}
		delete(b.owed, call)
		b.behind.Go("amend wrap-up", func() {
			if err := b.deps.Journal.Amend(b.ctx, call, cti.Amendment{ACWEnd: stamp.At(end)}); err != nil {
				b.log.Error("wrap-up end not recorded", "call", call, "err", err)
			}
		})
	}
}

// occupies says whether a call waits on the floor, is at a desk or wrapped up, or
// went on from one and may come back.
func (b *board) occupies(call string) bool {
	if b.moving[call] {
		return true
	}
	for _, d := range b.desks {
		if d.wrapFor == call || d.ticket != nil && d.ticket.id == call {
			return true
		}
	}
	return slices.ContainsFunc(b.waiting, func(t *ticket) bool { return t.id == call })
}

// unstaff sends those away for whom nobody is logged on any more.
func (b *board) unstaff() {
	for _, t := range slices.Clone(b.waiting) {
		if !t.offered && (t.line.removed || !t.line.staffed(t.wanted)) {
			b.unwait(t)
			t.offered = true // this answer is its last
			t.offers <- offer{out: cti.NoAgents}
		}
	}
}

// newsEvery is how far apart the news of one queue are at least: a busy queue
// changes with every call, and every one of its agents has a screen.
const newsEvery = 200 * time.Millisecond

// publish tells the screens of every queue that changed: at once when it was
// quiet before, else as it stands when newsEvery is over.
func (b *board) publish(now time.Time) {
	for l := range b.stale {
		if l.rests {
			continue
		}
		delete(b.stale, l)
		s := b.status(l, now)
		if l.removed || s.Waiting == l.shown.Waiting && s.Ready == l.shown.Ready {
			continue
		}
		l.shown, l.rests = s, true
		b.alarms.set(now.Add(newsEvery), func(time.Time) { l.rests = false })
		ref := l.ref()
		b.note(cti.Event{Type: cti.EventQueueChanged, Queue: &ref, UserData: map[string]any{
			"waiting": s.Waiting, "longest_wait": s.LongestWait, "ready": s.Ready,
		}})
	}
}

func (b *board) status(l *line, now time.Time) QueueStatus {
	s := QueueStatus{ID: l.ID, Name: l.Name, Ready: l.free, ServiceSeconds: cmp.Or(l.ServiceLevel, serviceByItself).Seconds()}
	for _, t := range b.waiting {
		if t.line == l {
			s.Waiting++
			s.LongestWait = max(s.LongestWait, now.Sub(t.since).Round(time.Millisecond).Seconds())
		}
	}
	return s
}
