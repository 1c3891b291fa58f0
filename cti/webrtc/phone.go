package webrtc

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"callbox/cti"
	"callbox/cti/media"

	"github.com/pion/rtp"
)

const (
	lull       = 400 * time.Millisecond // of a call's sound, then silence is sent; its port does so before
	mostOffers = 10                     // in offerSpan
	offerSpan  = 10 * time.Second

	// firstNumbers are those that a connection may begin with: were a loss at its
	// begin to hide that they went round, nothing would be heard (RFC 3711 §3.3.1).
	firstNumbers = 1<<15 - 1
)

// wire is the connection to a page.
type wire interface {
	// send never waits; what cannot go is lost.
	send(*rtp.Packet) error
	close()
}

// phone is a user's page that can be rung, over all its connections. It owns the
// numbers and the time of what is sent, so that a connection's stream runs on
// whoever is heard: a browser hears nothing more of one whose numbers went back (its SRTP
// takes it for a replay), and throws away what is out of time.
type phone struct {
	s    *Server
	user string

	mu      sync.Mutex // guards what follows
	session string     // of the page that may close
	live    wire       // nil: none
	next    wire       // answered, not yet connected
	since   time.Time  // of next
	faded   time.Time  // since when nothing comes from live, or there is none; zero: all is well
	orphan  time.Time  // since when the page's socket is gone
	leg     *leg
	packet  rtp.Packet
	follows follows
	sent    time.Time
	silence []byte
	hold    int // how far of the hold tone was heard
	shown   bool
	guests  int // offers that are being answered
	offers  []time.Time
}

func newPhone(s *Server, user string) *phone {
	p := &phone{s: s, user: user, silence: make([]byte, media.FrameSamples), faded: time.Now()}
	for i := range p.silence {
		p.silence[i] = s.cfg.Law.Silence()
	}
	p.packet.Version = 2
	p.packet.SequenceNumber, p.packet.Timestamp = uint16(rand.Uint32())&firstNumbers, rand.Uint32()
	return p
}

// enter keeps the phone until leave; ErrTooMany where a page offers over and over.
func (p *phone) enter(now time.Time) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	for len(p.offers) > 0 && now.Sub(p.offers[0]) >= offerSpan {
		p.offers = p.offers[1:]
	}
	if len(p.offers) >= mostOffers {
		return fmt.Errorf("%w: %d offers in %v", cti.ErrTooMany, mostOffers, offerSpan)
	}
	p.offers = append(p.offers, now)
	p.guests++
	return nil
}

func (p *phone) leave() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.guests--
}

// idle says that the phone is no more one.
func (p *phone) idle() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.live == nil && p.next == nil && p.leg == nil && p.guests == 0
}

func (p *phone) reachable() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rings()
}

// rings says whether the page could be rung, were it free. Callers hold mu.
func (p *phone) rings() bool { return p.live != nil && p.faded.IsZero() }

// show tells of a change. Callers hold mu.
func (p *phone) show() {
	if now := p.rings(); now != p.shown {
		p.shown = now
		p.s.changes.tell(p.user)
	}
}

// offered takes a connection that was answered; it is in use once it stands.
func (p *phone) offered(w wire, session string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.next != nil {
		p.next.close()
	}
	p.session, p.orphan = session, time.Time{}
	p.next, p.since = w, now
}

// up says that a connection stands, for the first time or again.
func (p *phone) up(w wire) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch w {
	case p.next:
		if p.live != nil {
			p.live.close()
		}
		p.live, p.next = w, nil
		p.packet.SequenceNumber &= firstNumbers
		p.follows = follows{}
	case p.live:
	default:
		return
	}
	p.faded, p.hold = time.Time{}, 0
	p.show()
}

// down says that nothing comes by a connection any more; it may come back.
func (p *phone) down(w wire, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w == p.live && p.faded.IsZero() {
		p.faded = now
		p.show()
	}
}

// gone says that a connection is over.
func (p *phone) gone(w wire, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	w.close()
	switch w {
	case p.next:
		p.next = nil
	case p.live:
		p.drop(now)
	}
}

// drop lets the connection in use go. Callers hold mu.
func (p *phone) drop(now time.Time) {
	if p.live != nil {
		p.live.close()
		p.live = nil
	}
	if p.faded.IsZero() {
		p.faded = now
	}
	p.show()
}

func (p *phone) closedBy(session string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if session == p.session {
		p.letGo(now)
	}
}

// letGo ends all connections. Callers hold mu.
func (p *phone) letGo(now time.Time) {
	if p.next != nil {
		p.next.close()
		p.next = nil
	}
	p.drop(now)
}

func (p *phone) goneBy(session string, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if session == p.session && p.orphan.IsZero() {
		p.orphan = now
	}
}

// shut ends everything.
func (p *phone) shut() {
	p.mu.Lock()
	l := p.leg
	p.letGo(time.Now())
	p.mu.Unlock()
	if l != nil {
		l.over(cti.ErrLineLost)
	}
}

// ring takes a leg.
func (p *phone) ring(l *leg) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case !p.rings():
		return fmt.Errorf("%w: no page", cti.ErrUnreachable)
	case p.leg != nil:
		return cti.ErrBusy
	}
	p.leg = l
	return nil
}

// free is the end of a leg.
func (p *phone) free(l *leg) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leg == l {
		p.leg = nil
	}
}

// beat does what is due now and then: silence, the hold tone, an end.
func (p *phone) beat(now time.Time) {
	if l, why := p.judge(now); l != nil {
		l.log.Warn("the page did not come back", "agent", p.user)
		l.over(why)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	talks := p.leg != nil && p.leg.talks()
	if talks && !p.faded.IsZero() && !p.leg.quiet.Load() {
		p.leg.feed(p.holdFrame())
	}
	if p.live != nil && (!talks || now.Sub(p.sent) >= lull) {
		p.follows = follows{}
		p.send(p.silence, now)
	}
}

// judge ends what lasted too long, and gives the leg that is to end, and why. A
// talk that is heard goes on without the page's socket.
func (p *phone) judge(now time.Time) (lost *leg, why error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	limits := p.s.cfg.limits
	late := func(since time.Time, limit time.Duration) bool { return !since.IsZero() && now.Sub(since) >= limit }
	if p.next != nil && late(p.since, limits.connect) {
		p.next.close()
		p.next = nil
	}
	switch {
	case p.leg == nil:
		if late(p.orphan, limits.away) {
			p.letGo(now)
		}
	case p.leg.talks():
		if late(p.faded, limits.keep) {
			return p.leg, cti.ErrLineLost
		}
	case late(p.faded, limits.ring) || late(p.orphan, limits.ring):
		return p.leg, cti.ErrUnreachable
	}
	return nil, nil
}

// holdFrame is the next frame of the hold tone. Callers hold mu.
func (p *phone) holdFrame() []byte {
	sound := p.s.cfg.Hold.PCMA
	if p.s.cfg.Law == media.PCMU {
		sound = p.s.cfg.Hold.PCMU
	}
	if p.hold+media.FrameSamples > len(sound) {
		p.hold = 0
	}
	frame := sound[p.hold:min(p.hold+media.FrameSamples, len(sound))]
	p.hold += media.FrameSamples
	return frame
}

// hear lets the page hear a piece of its call.
func (p *phone) hear(l *leg, sound media.Placed) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.leg != l || p.live == nil {
		return
	}
	l.came.stats.Sent++
	if p.follows.leg != l || p.follows.far(sound) {
		p.follows = follows{leg: l, first: sound.Seq, seq: sound.Seq, at: sound.At}
	}
	if int16(sound.Seq-p.follows.seq) < 0 {
		p.sendLate(sound)
		return
	}
	p.packet.SequenceNumber += sound.Seq - p.follows.seq
	p.packet.Timestamp += uint32(sound.At - p.follows.at)
	p.follows.seq, p.follows.at = sound.Seq+1, sound.At+int64(len(sound.Payload))
	p.send(sound.Payload, time.Now())
}

// follows is where a call's stream lies in the page's: its next number and
// sample are those of the next packet. So the page learns what was lost, what
// is late, and when everything was said.
type follows struct {
	leg   *leg // nil: nothing is followed
	first uint16
	seq   uint16
	at    int64
}

// far says that a piece lies where nobody would wait for it.
func (f *follows) far(sound media.Placed) bool {
	gap := sound.At - f.at
	return gap < -media.SampleRate || gap > media.SampleRate
}

// sendLate lets a packet out whose turn is over, unless the stream had not been
// taken up then: its number is another's. Callers hold mu.
func (p *phone) sendLate(sound media.Placed) {
	if int16(sound.Seq-p.follows.first) < 0 {
		return
	}
	late := p.packet
	late.SequenceNumber += sound.Seq - p.follows.seq
	late.Timestamp += uint32(sound.At - p.follows.at)
	late.Payload = sound.Payload
	p.let(&late)
}

// send stamps a piece that comes next and lets it out. Callers hold mu.
func (p *phone) send(payload []byte, now time.Time) {
	p.packet.Payload = payload
	p.let(&p.packet)
	p.packet.SequenceNumber++
	p.packet.Timestamp += uint32(len(payload))
	p.sent = now
}

// let lets a packet out. Callers hold mu.
func (p *phone) let(packet *rtp.Packet) {
	if err := p.live.send(packet); err != nil {
		p.s.log.Debug("a page does not take sound", "agent", p.user, "err", err)
	}
}

// said takes a packet of the page's.
func (p *phone) said(w wire, packet *heard, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w == p.live && p.leg != nil && p.leg.talks() {
		p.leg.came.take(packet, now)
	}
}

// reported takes what the page's RTCP says.
func (p *phone) reported(w wire, far media.Far) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if w == p.live && p.leg != nil {
		p.leg.came.report(far)
	}
}
