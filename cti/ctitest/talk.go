package ctitest

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"
	"time"
)

// patience is how long a phone waits for the answer to a BYE or CANCEL.
const patience = 4 * time.Second

// Talk is one call of a phone, in either direction.
type Talk struct {
	phone    *Phone
	id       string
	outgoing bool
	*sound

	ringing  chan struct{}
	answered chan struct{}
	acked    chan struct{} // incoming: the ACK came
	ended    chan struct{}
	once     struct{ ringing, answered, acked, ended, cancel sync.Once }

	mu        sync.Mutex // guards what follows
	invite    *Message
	peer      netip.AddrPort // where requests go
	local     string         // our From or To, without our tag
	remote    string
	localTag  string
	remoteTag string
	target    string
	routes    []string // in the order in which requests pass them
	seq       int
	status    int    // final response to the INVITE
	byPeer    bool   // the peer ended it
	heard     bool   // outgoing: a provisional response came
	wantsEnd  bool   // hung up before the answer
	ack       []byte // of the last 2xx to an INVITE of ours, which had number ackFor
	ackFor    int
	late      bool   // the offer was in our 200
	said      []byte // the last provisional response
	options   CallOptions
	times     Times
}

// Times are when a call's steps happened, as its phone saw them: responses when
// they were sent or came in. What did not happen is zero.
type Times struct {
	Begin    time.Time // INVITE
	Ringing  time.Time // first 18x
	Answered time.Time // 200
	Ended    time.Time
}

func newTalk(p *Phone, id string, outgoing bool) *Talk {
	return &Talk{
		phone: p, id: id, outgoing: outgoing, sound: newSound(p.cfg.Laws, p.cfg.SRTP),
		ringing: make(chan struct{}), answered: make(chan struct{}),
		acked: make(chan struct{}), ended: make(chan struct{}), times: Times{Begin: time.Now()},
	}
}

// ID is the Call-ID.
func (t *Talk) ID() string { return t.id }

// Invite is the INVITE of the call.
func (t *Talk) Invite() *Message { return t.invite }

// From is the number that calls.
func (t *Talk) From() string { return uriUser(addressURI(t.invite.Get("From"))) }

// To is the user of the Request-URI.
func (t *Talk) To() string { return uriUser(t.invite.URI()) }

// Ringing is closed at the first 18x.
func (t *Talk) Ringing() <-chan struct{} { return t.ringing }

// Answered is closed when the call was picked up.
func (t *Talk) Answered() <-chan struct{} { return t.answered }

// Acked is closed when the ACK of an incoming call's answer came.
func (t *Talk) Acked() <-chan struct{} { return t.acked }

// Ended is closed when the call is over, whoever ended it. It may have sent its
// last packet a little before.
func (t *Talk) Ended() <-chan struct{} { return t.ended }

// Status is the final response to the INVITE, 0 while there is none; 408 when
// nothing came.
func (t *Talk) Status() int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.status
}

// EndedByPeer says whether the other side ended the call.
func (t *Talk) EndedByPeer() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.byPeer
}

// Times gives the call's times so far.
func (t *Talk) Times() Times {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.times
}

// WaitAnswered waits until the call was picked up. The error says how it ended
// instead.
func (t *Talk) WaitAnswered(ctx context.Context) error {
	select {
	case <-t.answered:
		return nil
	case <-t.ended:
		select {
		case <-t.answered:
			return nil
		default:
		}
		return fmt.Errorf("%w: INVITE: %d", ErrRefused, t.Status())
	case <-ctx.Done():
		return fmt.Errorf("ctitest: the call is not answered: %w", context.Cause(ctx))
	}
}

func is(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}

func (t *Talk) rings() {
	t.once.ringing.Do(func() {
		t.mu.Lock()
		t.times.Ringing = time.Now()
		t.mu.Unlock()
		close(t.ringing)
	})
}

func (t *Talk) talks() {
	t.once.answered.Do(func() {
		t.mu.Lock()
		t.times.Answered = time.Now()
		t.mu.Unlock()
		close(t.answered)
	})
}

// finish closes the call, once; code is its status when it has none.
func (t *Talk) finish(code int) {
	t.once.ended.Do(func() {
		t.mu.Lock()
		if t.status == 0 {
			t.status = code
		}
		t.times.Ended = time.Now()
		t.mu.Unlock()
		t.close()
		t.phone.forget(t)
		close(t.ended)
	})
}

// build makes a request of the call with number seq. CANCEL and the ACK of a
// refusal are not made here. The caller holds mu, or the call is new.
func (t *Talk) build(method string, seq int) *Message {
	m := &Message{Start: method + " " + t.target + " SIP/2.0"}
	m.Add("Via", t.phone.via())
	for _, r := range t.routes {
		m.Add("Route", r)
	}
	m.Add("Max-Forwards", "70")
	m.Add("From", withTag(t.local, t.localTag))
	m.Add("To", withTag(t.remote, t.remoteTag))
	m.Add("Call-ID", t.id)
	m.Add("CSeq", fmt.Sprintf("%d %s", seq, method))
	m.Add("Contact", t.phone.contact(uriUser(addressURI(t.local))))
	return m
}

func withTag(value, tag string) string {
	if tag == "" || param(value[strings.LastIndexByte(value, '>')+1:], "tag") != "" {
		return value
	}
	return value + ";tag=" + tag
}

// next is where requests of the dialog go; the caller holds mu.
func (t *Talk) next() netip.AddrPort {
	uri := t.target
	if len(t.routes) > 0 {
		uri = addressURI(t.routes[0])
	}
	if a, err := netip.ParseAddrPort(uriHost(uri)); err == nil {
		return a
	}
	return t.peer
}

// Hangup ends the call in the way its state asks for: CANCEL, 480 or BYE. It
// does not wait for the other side; Ended tells.
func (t *Talk) Hangup() {
	switch {
	case is(t.ended):
	case is(t.answered):
		t.phone.crew.Go("BYE", func() {
			t.waitACK()
			t.farewell()
			t.finish(0)
		})
	case t.outgoing:
		t.abandon()
	default:
		t.Reject(480, "Temporarily Unavailable")
	}
}

// waitACK waits a while for the ACK of an incoming call's answer, before which
// who is called may not send BYE (RFC 3261 §15).
func (t *Talk) waitACK() {
	if t.outgoing {
		return
	}
	limit := time.NewTimer(patience)
	defer limit.Stop()
	select {
	case <-t.acked:
	case <-t.ended:
	case <-t.phone.life().Done():
	case <-limit.C:
	}
}

// farewell sends BYE on an answered call and waits for its answer a while, or
// not at all when the phone closes.
func (t *Talk) farewell() {
	if !is(t.answered) || is(t.ended) {
		return
	}
	t.mu.Lock()
	t.seq++
	bye, to := t.build("BYE", t.seq), t.peer
	t.mu.Unlock()
	over := t.phone.life()
	if over.Err() != nil {
		t.phone.send(bye.Bytes(), to)
		return
	}
	ctx, cancel := context.WithTimeout(over, patience)
	defer cancel()
	if _, err := t.phone.exchange(ctx, bye, to); err != nil {
		t.phone.cfg.Log.Debug("phone: BYE without an answer", "err", err)
	}
}

// request serves a request of the peer within the call.
func (t *Talk) request(m *Message, from netip.AddrPort) {
	switch m.Method() {
	case "ACK":
		t.acknowledged(m)
	case "BYE":
		t.phone.answer(m, m.Reply(200, "OK", t.localTag), from)
		t.mu.Lock()
		t.byPeer = true
		t.mu.Unlock()
		t.finish(0)
	case "CANCEL":
		t.phone.answer(m, m.Reply(200, "OK", t.localTag), from)
		t.canceled(from)
	case "INVITE", "UPDATE":
		t.renegotiate(m, from)
	default:
		t.phone.answer(m, m.Reply(405, "Method Not Allowed", t.localTag), from)
	}
}

// renegotiate answers a later offer. An INVITE without one gets ours; the
// answer comes with its ACK.
func (t *Talk) renegotiate(m *Message, from netip.AddrPort) {
	if m.Tag("To") == "" { // the first INVITE again, before it was answered
		t.mu.Lock()
		said := t.said
		t.mu.Unlock()
		if said != nil {
			t.phone.send(said, from)
		}
		return
	}
	res := m.Reply(200, "OK", t.localTag)
	res.Add("Contact", t.phone.contact(t.phone.cfg.User))
	switch {
	case m.Body != "":
		res.Add("Content-Type", "application/sdp")
		res.Body = t.answerTo(m.Body)
		t.hold("sendrecv")
		t.listen(m.Body)
	case m.Method() == "INVITE":
		res.Add("Content-Type", "application/sdp")
		res.Body = t.offer("sendrecv")
		t.mu.Lock()
		t.late = true
		t.mu.Unlock()
	}
	t.phone.answer(m, res, from)
}

// listen starts or changes the sound.
func (t *Talk) listen(sdp string) {
	if err := t.start(sdp); err != nil && !errors.Is(err, errNoSound) {
		t.phone.cfg.Log.Warn("phone: no sound", "err", err)
	}
}

// Reinvite makes a new offer with direction (sendrecv, sendonly, inactive …)
// and gives the answer: hold and retrieve.
func (t *Talk) Reinvite(ctx context.Context, direction string) (*Message, error) {
	t.mu.Lock()
	t.seq++
	seq := t.seq
	req, to := t.build("INVITE", seq), t.peer
	t.mu.Unlock()
	req.Add("Content-Type", "application/sdp")
	req.Body = t.offer(direction)
	res, err := t.phone.exchange(ctx, req, to)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	ack := t.build("ACK", seq)
	t.mu.Unlock()
	if res.Code()/100 == 2 {
		t.mu.Lock()
		t.ack, t.ackFor = ack.Bytes(), seq
		t.mu.Unlock()
		t.hold(direction)
		t.listen(res.Body)
	} else {
		ack.Set("Via", req.Get("Via"))
	}
	t.phone.send(ack.Bytes(), to)
	return res, nil
}
