package ctitest

import (
	"context"
	"fmt"
	"net/netip"
	"time"
)

// CallOptions are what one outgoing call shows; zero values are the phone's.
type CallOptions struct {
	Server  string // IP:PORT the call goes to
	From    string // number
	Name    string
	Headers []Header // added to the INVITE
	NoSDP   bool     // late offer: the other side offers in its 200
	SDP     string   // sent instead of the phone's own offer
}

// Call calls a number. It returns when the INVITE is on its way; ctx ends the
// call only as long as it is not answered.
func (p *Phone) Call(ctx context.Context, to string, o CallOptions) (*Talk, error) {
	if o.From == "" {
		o.From = p.cfg.User
		if o.Name == "" {
			o.Name = p.cfg.Name
		}
	}
	server := p.server
	if o.Server != "" {
		var err error
		if server, err = netip.ParseAddrPort(o.Server); err != nil {
			return nil, fmt.Errorf("phone: call: %w", err)
		}
	}
	t := newTalk(p, token(), true)
	if err := t.open(p.addr.Addr()); err != nil {
		return nil, err
	}
	uri := "sip:" + to + "@" + server.String()
	t.options, t.localTag, t.peer, t.seq = o, token(), server, 1
	t.local, t.remote, t.target = p.from(o.From, o.Name), "<"+uri+">", uri
	t.invite = t.firstInvite()
	if !p.enter(t) {
		t.close()
		return nil, ErrClosed
	}
	responses, stop := p.begin(t.invite, server)
	p.crew.Go("outgoing call", func() { t.follow(ctx, responses, stop) })
	return t, nil
}

func (t *Talk) firstInvite() *Message {
	req := t.build("INVITE", 1)
	for _, h := range t.options.Headers {
		req.Add(h.Name, h.Value)
	}
	if t.options.NoSDP {
		return req
	}
	req.Add("Content-Type", "application/sdp")
	if req.Body = t.options.SDP; req.Body == "" {
		req.Body = t.offer("sendrecv")
	}
	return req
}

// follow serves the responses to an outgoing INVITE until the final one. The
// other side has 32 s for the first, and again after a CANCEL.
func (t *Talk) follow(ctx context.Context, responses <-chan *Message, stop func()) {
	defer t.phone.end(t.invite)
	defer stop()
	limit := time.NewTimer(giveUp)
	defer limit.Stop()
	for {
		select {
		case m := <-responses:
			stop()
			limit.Stop()
			if t.response(m) {
				return
			}
			if t.wantsToEnd() {
				limit.Reset(giveUp)
			}
		case <-limit.C:
			t.finish(408)
			return
		case <-t.ended:
			return
		case <-ctx.Done():
			t.Hangup()
			ctx = context.Background()
			limit.Reset(giveUp)
		}
	}
}

// response serves one; true when it was final.
func (t *Talk) response(m *Message) bool {
	switch code := m.Code(); {
	case code < 200:
		t.heardFrom()
		if code > 100 {
			t.rings()
		}
		if t.wantsToEnd() {
			t.cancel()
		}
		return false
	case code < 300:
		t.accepted(m)
	default:
		t.phone.send(t.refusalAck(m).Bytes(), t.peer)
		t.finish(code)
	}
	return true
}

// heardFrom notes that a provisional response came, before which there may be
// no CANCEL (RFC 3261 §9.1).
func (t *Talk) heardFrom() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.heard = true
}

func (t *Talk) wantsToEnd() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.wantsEnd
}

// accepted takes a 2xx to our INVITE.
func (t *Talk) accepted(m *Message) {
	t.mu.Lock()
	t.status, t.remoteTag = m.Code(), m.Tag("To")
	t.routes = reversed(m.All("Record-Route"))
	if uri := addressURI(m.Get("Contact")); uri != "" {
		t.target = uri
	}
	t.peer = t.next()
	ack := t.build("ACK", 1)
	wantsEnd := t.wantsEnd
	t.mu.Unlock()
	if t.options.NoSDP {
		ack.Add("Content-Type", "application/sdp")
		ack.Body = t.answerTo(m.Body)
	}
	t.mu.Lock()
	t.ack, t.ackFor = ack.Bytes(), 1
	t.mu.Unlock()
	t.phone.send(ack.Bytes(), t.peer)
	t.listen(m.Body)
	t.talks()
	if wantsEnd {
		t.Hangup()
	}
}

func (t *Talk) refusalAck(res *Message) *Message {
	m := t.like("ACK")
	m.Set("To", res.Get("To"))
	return m
}

// like is an ACK of a refusal or a CANCEL: both bear the INVITE's own names.
func (t *Talk) like(method string) *Message {
	m := &Message{Start: method + " " + t.invite.URI() + " SIP/2.0"}
	m.Add("Via", t.invite.Get("Via"))
	m.Add("Max-Forwards", "70")
	m.Add("From", t.invite.Get("From"))
	m.Add("To", t.invite.Get("To"))
	m.Add("Call-ID", t.id)
	m.Add("CSeq", fmt.Sprintf("%d %s", t.invite.Seq(), method))
	return m
}

// lateResponse repeats the ACK for a repeated 2xx.
func (t *Talk) lateResponse(m *Message) {
	t.mu.Lock()
	ack, peer, seq := t.ack, t.peer, t.ackFor
	t.mu.Unlock()
	if m.Code()/100 == 2 && ack != nil && m.Seq() == seq {
		t.phone.send(ack, peer)
	}
}

// abandon ends a call that is not answered: by CANCEL, as soon as anything came
// back.
func (t *Talk) abandon() {
	t.mu.Lock()
	t.wantsEnd = true
	heard := t.heard
	t.mu.Unlock()
	if heard {
		t.cancel()
	}
}

func (t *Talk) cancel() {
	t.once.cancel.Do(func() {
		m := t.like("CANCEL")
		t.phone.crew.Go("CANCEL", func() {
			ctx, stop := context.WithTimeout(t.phone.life(), patience)
			defer stop()
			_, _ = t.phone.exchange(ctx, m, t.peer) // what counts is the answer to the INVITE
		})
	})
}
