package sip

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	wire "github.com/emiago/sipgo/sip"
)

// Limits of subscriptions.
const (
	subscriptionsEach  = 64 // of one extension: as many as the keys of a big phone
	subscriptionsInAll = 5000
	notifyEach         = 200 * time.Millisecond // between two NOTIFYs of a subscription: what changes meanwhile is told once
	notifyRate         = 1000                   // NOTIFYs a second in all
)

// eventPackage is a kind of news that phones may subscribe to (RFC 6665 §7).
type eventPackage struct {
	name    string
	content string // type of the body
	own     bool   // for the subscriber's own extension only
	body    func(*Server, *subscription) []byte
}

var (
	dialogPackage = &eventPackage{name: "dialog", content: "application/dialog-info+xml", body: (*Server).dialogInfo}
	mailPackage   = &eventPackage{name: "message-summary", content: "application/simple-message-summary", own: true, body: (*Server).messageSummary}
	eventPackages = []*eventPackage{dialogPackage, mailPackage}
)

func eventsAllowed() wire.Header {
	names := make([]string, len(eventPackages))
	for i, e := range eventPackages {
		names[i] = e.name
	}
	return wire.NewHeader("Allow-Events", strings.Join(names, ", "))
}

// eventOf reads the Event header: the package, nil for one that is not served,
// and the id parameter that tells subscriptions of a dialog apart.
func eventOf(req *wire.Request) (e *eventPackage, id string) {
	h := req.GetHeader("event")
	if h == nil {
		h = req.GetHeader("o")
	}
	if h == nil {
		return nil, ""
	}
	name, params, _ := strings.Cut(h.Value(), ";")
	for param := range strings.SplitSeq(params, ";") {
		if k, v, _ := strings.Cut(strings.TrimSpace(param), "="); strings.EqualFold(k, "id") {
			id = strings.TrimSpace(v)
		}
	}
	i := slices.IndexFunc(eventPackages, func(e *eventPackage) bool { return strings.EqualFold(e.name, strings.TrimSpace(name)) })
	if i < 0 {
		return nil, ""
	}
	return eventPackages[i], id
}

// news is what can change for subscribers.
type news struct {
	event     *eventPackage
	extension string
}

// subscription is a phone's wish to be told of an extension: a dialog of its
// own, through which NOTIFYs go, one at a time.
type subscription struct {
	*dialog
	news
	eventID string
	user    string // whose phone it is
	contact string // the binding it lives with, "" for a phone that is not registered

	// Of the NOTIFY under way.
	version int
	told    []lamp

	// Guarded by subscriptions.mu.
	expires time.Time
	ended   string // the reason, once nothing more will be told
	changed bool   // something is to be told
	busy    bool   // a NOTIFY is under way
	last    time.Time
}

// isSame says that a phone of the same user asks again for what it is told already: it has
// forgotten the dialog that other goes through.
func (sub *subscription) isSame(other *subscription) bool {
	return sub.news == other.news && sub.eventID == other.eventID &&
		sub.contact == other.contact && (sub.contact != "" || sub.hop() == other.hop())
}

// subscriptions are all of them, and what is still to be told.
type subscriptions struct {
	wake chan struct{}

	mu     sync.Mutex // guards what follows
	byID   map[string]*subscription
	byUser map[string][]*subscription
	about  map[news][]*subscription
	queue  []*subscription // changed or ended, not busy, in the order they are told
	pace   bucket
}

func newSubscriptions() *subscriptions {
	return &subscriptions{
		wake: make(chan struct{}, 1), byID: map[string]*subscription{},
		byUser: map[string][]*subscription{}, about: map[news][]*subscription{},
	}
}

func (t *subscriptions) count() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return len(t.byID)
}

// find is the subscription that a SUBSCRIBE from there refreshes, nil for none.
func (t *subscriptions) find(req *wire.Request, from netip.AddrPort) *subscription {
	t.mu.Lock()
	sub := t.byID[dialogKey(callIDOf(req), tagOf(req.To()), tagOf(req.From()))]
	t.mu.Unlock()
	if sub == nil || !sub.mayUse(from) {
		return nil
	}
	return sub
}

// add keeps sub until it expires, in place of its forerunner; false when the
// phone or the box has enough of them.
func (t *subscriptions) add(sub *subscription, expires time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := slices.IndexFunc(t.byUser[sub.user], sub.isSame); i >= 0 {
		t.drop(t.byUser[sub.user][i])
	}
	if len(t.byUser[sub.user]) >= subscriptionsEach || len(t.byID) >= subscriptionsInAll {
		return false
	}
	sub.expires = expires
	t.byID[sub.id] = sub
	t.byUser[sub.user] = append(t.byUser[sub.user], sub)
	t.about[sub.news] = append(t.about[sub.news], sub)
	return true
}

// drop forgets sub. The caller holds mu.
func (t *subscriptions) drop(sub *subscription) {
	delete(t.byID, sub.id)
	if t.byUser[sub.user] = without(t.byUser[sub.user], sub); len(t.byUser[sub.user]) == 0 {
		delete(t.byUser, sub.user)
	}
	if t.about[sub.news] = without(t.about[sub.news], sub); len(t.about[sub.news]) == 0 {
		delete(t.about, sub.news)
	}
	t.queue = without(t.queue, sub)
}

func without(list []*subscription, sub *subscription) []*subscription {
	return slices.DeleteFunc(list, func(s *subscription) bool { return s == sub })
}

// extend sets when sub ends, and tells its phone how things are.
func (t *subscriptions) extend(sub *subscription, seconds int, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sub.expires, sub.ended = now.Add(time.Duration(seconds)*time.Second), ""
	if seconds == 0 {
		sub.ended = "timeout"
	}
	t.put(sub)
}

// changed has everybody told who asked for it.
func (t *subscriptions) changed(n news) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, sub := range t.about[n] {
		t.put(sub)
	}
}

// put has sub told. The caller holds mu.
func (t *subscriptions) put(sub *subscription) {
	if !sub.changed && !sub.busy {
		t.queue = append(t.queue, sub)
	}
	sub.changed = true
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

// due takes the subscriptions that are to be told now; wait is when to look
// again, 0 for not before something changes.
func (t *subscriptions) due(now time.Time) (tell []*subscription, wait time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	var later []*subscription
	for _, sub := range t.queue {
		left := sub.last.Add(notifyEach).Sub(now)
		if left <= 0 && !t.pace.take(now, notifyRate) {
			left = notifyEach / 10
		}
		if left > 0 {
			later = append(later, sub)
			wait = sooner(wait, left)
			continue
		}
		sub.changed, sub.busy, sub.last = false, true, now
		tell = append(tell, sub)
	}
	t.queue = later
	return tell, wait
}

func sooner(a, b time.Duration) time.Duration {
	if a == 0 {
		return b
	}
	return min(a, b)
}

// state is Subscription-State now, and whether that is the last word.
func (t *subscriptions) state(sub *subscription, now time.Time) (text string, last bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if sub.ended != "" {
		return "terminated;reason=" + sub.ended, true
	}
	left := max(0, sub.expires.Sub(now).Round(time.Second)/time.Second)
	return "active;expires=" + strconv.Itoa(int(left)), false
}

// told says that a NOTIFY has its answer; gone that there will be no other.
func (t *subscriptions) told(sub *subscription, gone bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	sub.busy = false
	switch {
	case t.byID[sub.id] != sub: // dropped meanwhile
	case gone:
		t.drop(sub)
	case sub.changed:
		sub.changed = false
		t.put(sub)
	}
}

// sweep ends what has expired, and forgets what has no phone any more.
func (t *subscriptions) sweep(now time.Time, follow func(*subscription) bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, sub := range t.byID {
		switch {
		case !follow(sub):
			t.drop(sub)
		case sub.ended == "" && !now.Before(sub.expires):
			sub.ended = "timeout"
			t.put(sub)
		}
	}
}

// admitSubscribe decides at the gate on a SUBSCRIBE outside of a dialog.
func (s *Server) admitSubscribe(p packet, req *wire.Request, now time.Time) bool {
	if e, _ := eventOf(req); e == nil {
		s.answer(p, req, 489, "Bad Event", eventsAllowed())
		return false
	}
	return s.registrar.admit(p, req, now)
}

// onSubscribe serves a SUBSCRIBE: a new one with a nonce of ours, or the
// refresh of one that is known.
func (s *Server) onSubscribe(req *wire.Request, tx *wire.ServerTx) {
	from, err := sourceOf(req)
	ep := s.endpointAt(req.Transport(), tx.Connection().LocalAddr())
	if err != nil || ep == nil {
		s.respond(tx, response(req, 400, "Bad Request", s.stableTag(req)))
		return
	}
	sub, f := s.subscriptionOf(req, from, ep)
	seconds := expiresOf(req, nil)
	if f == nil && seconds > 0 && seconds < minExpires {
		f = briefInterval()
	}
	if f == nil && tagOf(req.To()) == "" && !s.subscriptions.add(sub, time.Now().Add(time.Duration(seconds)*time.Second)) {
		f = &fault{code: 403, reason: "Too Many Subscriptions"}
	}
	if f != nil {
		s.respond(tx, response(req, f.code, f.reason, s.stableTag(req), f.headers...))
		return
	}
	s.respond(tx, response(req, 200, "OK", sub.localTag,
		wire.NewHeader("Expires", strconv.Itoa(seconds)), s.contact(ep, from.Addr()), eventsAllowed()))
	s.subscriptions.extend(sub, seconds, time.Now())
}

// subscriptionOf is the subscription that req makes or refreshes.
func (s *Server) subscriptionOf(req *wire.Request, from netip.AddrPort, ep *endpoint) (*subscription, *fault) {
	if tagOf(req.To()) == "" {
		return s.newSubscription(req, from, ep)
	}
	sub := s.subscriptions.find(req, from)
	switch e, _ := eventOf(req); {
	case sub == nil:
		return nil, &fault{code: 481, reason: "Subscription Does Not Exist"}
	case e != sub.event:
		return nil, &fault{code: 489, reason: "Bad Event", headers: []wire.Header{eventsAllowed()}}
	case !sub.accept(req, from):
		return nil, &fault{code: 500, reason: "Out Of Order"}
	}
	return sub, nil
}

func (s *Server) newSubscription(req *wire.Request, from netip.AddrPort, ep *endpoint) (*subscription, *fault) {
	user, f := s.registrar.identify(req, from, time.Now())
	if f != nil {
		return nil, f
	}
	e, id := eventOf(req)
	watched := userOf(&req.Recipient)
	switch {
	case userOf(&req.From().Address) != user || e.own && watched != user:
		return nil, &fault{code: 403, reason: "Forbidden"}
	case req.Contact() == nil:
		return nil, bad("no Contact")
	case !s.registrar.isExtension(watched):
		return nil, &fault{code: 404, reason: "Not Found"}
	}
	sub := &subscription{
		dialog: asServer(req, wire.GenerateTagN(20), ep, from),
		news:   news{event: e, extension: watched}, eventID: id, user: user,
	}
	sub.symmetric = true
	for _, b := range s.bindings.all(user, time.Now()) {
		if b.Source == from.String() {
			sub.contact = b.Contact
		}
	}
	return sub, nil
}

// follow keeps a subscription with its phone's binding, which may have got
// another address; false when that is gone.
func (s *Server) follow(sub *subscription) bool {
	if sub.contact == "" {
		return true
	}
	b, ok := s.bindings.contact(sub.user, sub.contact)
	if !ok {
		return false
	}
	if at, err := netip.ParseAddrPort(b.Source); err == nil {
		sub.dialog.mu.Lock()
		sub.source = at
		sub.dialog.mu.Unlock()
	}
	return true
}

// tellSubscribers sends NOTIFYs until ctx ends.
func (s *Server) tellSubscribers(ctx context.Context) {
	again := time.NewTimer(0)
	defer again.Stop()
	tick := time.NewTicker(sweepEach)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.subscriptions.sweep(now, s.follow)
		case <-s.subscriptions.wake:
		case <-again.C:
		}
		tell, wait := s.subscriptions.due(time.Now())
		for _, sub := range tell {
			s.work.Go("NOTIFY", func() { s.subscriptions.told(sub, s.tellNews(sub)) })
		}
		if wait > 0 {
			again.Reset(wait)
		}
	}
}

// tellNews tells a subscriber the whole state (RFC 6665 §4.2.2); gone says that
// the subscription is over, by its own end or because the phone does not know
// it or does not answer.
func (s *Server) tellNews(sub *subscription) (gone bool) {
	state, last := s.subscriptions.state(sub, time.Now())
	req := s.newNotify(sub, state)
	ctx, cancel := context.WithTimeout(s.life, s.timers.giveUp())
	defer cancel()
	if sub.ep.isStream() && !s.connected(sub.ep, sub.hop()) {
		return true // behind NAT there is no way back
	}
	if err := s.address(ctx, req, sub.ep, sub.hop()); err != nil {
		s.log.Info("NOTIFY not sent", "extension", sub.user, "err", err)
		return true
	}
	res, err := s.transact(ctx, req)
	switch {
	case err != nil:
		s.log.Info("subscription ended", "extension", sub.user, "err", err)
		return true
	case res.StatusCode >= 300 && res.StatusCode < 500:
		return true
	}
	return last
}

func (s *Server) newNotify(sub *subscription, state string) *wire.Request {
	req := sub.request(wire.NOTIFY)
	event := sub.event.name
	if sub.eventID != "" {
		event += ";id=" + sub.eventID
	}
	req.AppendHeader(s.contact(sub.ep, sub.hop().Addr()))
	req.AppendHeader(wire.NewHeader("Event", event))
	req.AppendHeader(wire.NewHeader("Subscription-State", state))
	req.AppendHeader(wire.NewHeader("Content-Type", sub.event.content))
	req.SetBody(sub.event.body(s, sub))
	return req
}

// extensionURI is the address of an extension as sub's phone sees us.
func (s *Server) extensionURI(sub *subscription, user string) string {
	return "sip:" + userPart(user) + "@" + hostText(s.advertised(sub.ep, sub.hop().Addr()))
}
