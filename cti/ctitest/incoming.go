package ctitest

import (
	"errors"
	"fmt"
	"net/netip"
	"time"

	"callbox/cti/media"
)

// Plan is what a phone does with an incoming call by itself.
type Plan struct {
	Ignore   bool          // says nothing at all
	Silent   bool          // does not say 180
	Early    float64       // says 183 instead and sends this tone before it answers; 0: no
	Ring     time.Duration // then answers, or refuses with Reject
	Never    bool          // rings until the caller gives up
	Reject   int           // 486, 603 …; 0: answers
	Hz       float64       // the tone it sends when it has answered; 0: none
	Prompt   media.Prompt  // sent instead of a tone, when not empty
	Talk     time.Duration // then hangs up; 0: leaves that to the caller
	Answered func(t *Talk) // called once answered, in a goroutine of the call
}

// ring takes an incoming call.
func (p *Phone) ring(m *Message, from netip.AddrPort) {
	t := newTalk(p, m.Get("Call-ID"), false)
	t.invite, t.peer, t.localTag, t.remoteTag = m, from, token(), m.Tag("From")
	t.remote, t.local = m.Get("From"), m.Get("To")
	t.target, t.routes = addressURI(m.Get("Contact")), m.All("Record-Route")
	if _, err := t.agree(m.Body); errors.Is(err, errSealed) {
		p.answer(m, m.Reply(488, "Not Acceptable Here", t.localTag), from)
		return
	}
	if err := t.open(p.addr.Addr()); err != nil {
		p.answer(m, m.Reply(500, "No Port", t.localTag), from)
		return
	}
	if !p.enter(t) {
		t.close()
		return
	}
	if p.cfg.OnCall != nil {
		p.crew.Go("incoming call", func() { t.act(p.cfg.OnCall(t)) })
		return
	}
	t.say(100, "Trying")
	select {
	case p.in <- t:
	default:
		t.Reject(486, "Busy Here")
	}
}

// act carries out a plan.
func (t *Talk) act(plan Plan) {
	if plan.Ignore {
		<-t.ended
		return
	}
	t.say(100, "Trying")
	switch {
	case plan.Early != 0:
		t.Early(plan.Early)
	case !plan.Silent:
		t.Ring()
	}
	switch {
	case plan.Never || !t.linger(plan.Ring):
		<-t.ended
		return
	case plan.Reject != 0:
		t.Reject(plan.Reject, "")
		return
	}
	if len(plan.Prompt.PCMA) > 0 {
		t.sound.begin(plan.Prompt, nil)
	} else {
		t.Tone(plan.Hz)
	}
	if err := t.Answer(); err != nil {
		t.phone.cfg.Log.Warn("phone: not answered", "err", err)
		return
	}
	if plan.Answered != nil {
		plan.Answered(t)
	}
	if plan.Talk > 0 && t.linger(plan.Talk) {
		t.Hangup()
	}
}

// linger waits; false when the call ended meanwhile.
func (t *Talk) linger(d time.Duration) bool {
	if d <= 0 {
		return !is(t.ended)
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-t.ended:
		return false
	}
}

// Ring says 180 to an incoming call.
func (t *Talk) Ring() {
	t.say(180, "Ringing")
	t.rings()
}

// Early says 183 to an incoming call and lets it hear a tone before the answer
// (RFC 3960 §3.2).
func (t *Talk) Early(hz float64) {
	if err := t.start(t.invite.Body); err != nil {
		t.phone.cfg.Log.Warn("phone: no early sound", "err", err)
		return
	}
	t.Tone(hz)
	t.provide(183, "Session Progress", t.answerTo(t.invite.Body))
	t.rings()
}

// say sends a provisional response and keeps it for a repeated INVITE.
func (t *Talk) say(code int, reason string) { t.provide(code, reason, "") }

// provide is say with an SDP, if there is one.
func (t *Talk) provide(code int, reason, sdp string) {
	tag := t.localTag
	if code == 100 {
		tag = ""
	}
	res := t.invite.Reply(code, reason, tag)
	if code != 100 {
		res.Add("Contact", t.phone.contact(t.phone.cfg.User))
	}
	if sdp != "" {
		res.Add("Content-Type", "application/sdp")
		res.Body = sdp
	}
	data := res.Bytes()
	t.mu.Lock()
	t.said = data
	answered, to := t.status != 0, t.peer
	t.mu.Unlock()
	if !answered {
		t.phone.send(data, to)
	}
}

// Answer picks up an incoming call. The 200 is repeated until its ACK.
func (t *Talk) Answer() error {
	t.mu.Lock()
	if t.status != 0 {
		t.mu.Unlock()
		return fmt.Errorf("ctitest: the call was answered with %d", t.status)
	}
	t.status, t.late = 200, t.invite.Body == ""
	from := t.peer
	t.peer = t.next()
	late := t.late
	t.mu.Unlock()
	res := t.invite.Reply(200, "OK", t.localTag)
	res.Add("Contact", t.phone.contact(t.phone.cfg.User))
	res.Add("Content-Type", "application/sdp")
	if late {
		res.Body = t.offer("sendrecv")
	} else {
		res.Body = t.answerTo(t.invite.Body)
		if err := t.start(t.invite.Body); err != nil {
			return err
		}
	}
	t.talks() // before it is sent: the times count from here
	t.phone.answer(t.invite, res, from)
	t.phone.crew.Go("200 until ACK", func() { t.repeat200(res.Bytes(), from) })
	return nil
}

func (t *Talk) repeat200(data []byte, to netip.AddrPort) {
	limit := time.NewTimer(giveUp)
	defer limit.Stop()
	for wait := timerT1; ; wait = min(2*wait, timerT2) {
		again := time.NewTimer(wait)
		select {
		case <-t.acked:
		case <-t.ended:
		case <-limit.C:
		case <-again.C:
			t.phone.send(data, to)
			continue
		}
		again.Stop()
		return
	}
}

// Reject refuses an incoming call with a final response.
func (t *Talk) Reject(code int, reason string) {
	t.mu.Lock()
	if t.status != 0 {
		t.mu.Unlock()
		return
	}
	t.status = code
	t.mu.Unlock()
	if reason == "" {
		reason = "No"
	}
	t.phone.answer(t.invite, t.invite.Reply(code, reason, t.localTag), t.peer)
	t.finish(code)
}

func (t *Talk) acknowledged(m *Message) {
	t.mu.Lock()
	taken := t.status/100 == 2
	late := t.late
	t.late = false
	t.mu.Unlock()
	if !taken {
		return
	}
	if late && m.Body != "" {
		t.listen(m.Body)
	}
	t.once.acked.Do(func() { close(t.acked) })
}

func (t *Talk) canceled(from netip.AddrPort) {
	t.mu.Lock()
	rings := t.status == 0
	if rings {
		t.status, t.byPeer = 487, true
	}
	t.mu.Unlock()
	if rings {
		t.phone.answer(t.invite, t.invite.Reply(487, "Request Terminated", t.localTag), from)
		t.finish(487)
	}
}
