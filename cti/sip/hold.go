package sip

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"

	"callbox/cti"
	"callbox/cti/media"

	wire "github.com/emiago/sipgo/sip"
)

// bargain says whose offer is open in a dialog; there is one at a time
// (RFC 3264 §4).
type bargain int

const (
	settled bargain = iota
	ours
	theirs
)

// glare is what an offer of the peer meets while another one is open
// (RFC 3261 §14.2, RFC 3311 §5.2).
func (b bargain) glare() *fault {
	switch b {
	case ours:
		return &fault{code: 491, reason: "Request Pending"}
	case theirs:
		wait := strconv.Itoa(rand.IntN(11))
		return &fault{code: 500, reason: "Offer Pending", headers: []wire.Header{wire.NewHeader("Retry-After", wait)}}
	}
	return nil
}

func (d *dialog) open() bargain {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.bargain
}

func (d *dialog) set(b bargain) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.bargain = b
}

// propose opens an offer of ours; false while another one, or the answer to
// one, is under way.
func (d *dialog) propose() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.bargain != settled || d.inviting != 0 || d.pending != nil {
		return false
	}
	d.bargain = ours
	return true
}

// terms are what both sides' last descriptions said.
type terms struct {
	said   []byte // ours
	heard  []byte // the peer's, nil while there was none
	agreed described
}

// repeats says whether body is the peer's last description again, by its o=
// line: version and all, the same one describes no change (RFC 3264 §8).
func (t terms) repeats(body []byte) bool {
	return t.heard != nil && originLine(t.heard) == originLine(body)
}

// originLine is who made a description, and which version of it.
func originLine(body []byte) string {
	for line := range bytes.Lines(body) {
		if text, ok := bytes.CutPrefix(line, []byte("o=")); ok {
			return strings.TrimSpace(string(text))
		}
	}
	return ""
}

// towardUs is the direction that a peer's description asks for. An address of
// 0.0.0.0 is the old way to hold (RFC 2543 §B.5): nothing is to be sent there.
func (d described) towardUs() string {
	if !d.held {
		return d.direction
	}
	switch d.direction {
	case "sendrecv":
		return "sendonly"
	case "recvonly":
		return "inactive"
	}
	return d.direction
}

// listens says whether the peer wants to hear us.
func (d described) listens() bool {
	way := d.towardUs()
	return way == "sendrecv" || way == "recvonly"
}

// speaks says whether the peer is to be heard.
func (d described) speaks() bool {
	way := d.towardUs()
	return way == "sendrecv" || way == "sendonly"
}

// start lets sound flow as a first description of the peer's says, unless it
// flows so already.
func (l *leg) start(d described, body []byte) error {
	l.sound.Lock()
	defer l.sound.Unlock()
	if l.terms.heard != nil && bytes.Equal(l.terms.heard, body) {
		return nil
	}
	return l.take(d, body)
}

// take lets sound flow as both sides agreed and remembers it. What cannot be
// taken changes nothing. Only under sound.
func (l *leg) take(d described, body []byte) error {
	if d.held {
		d.stream.Remote, d.stream.Control = l.terms.agreed.stream.Remote, l.terms.agreed.stream.Control
	}
	if d.stream.Remote.IsValid() {
		if err := l.rtp.Start(l.streamOf(d)); err != nil {
			return fmt.Errorf("start sound: %w", err)
		}
	}
	l.terms.agreed, l.terms.heard = d, body
	l.mu.Lock()
	defer l.mu.Unlock()
	l.held = !d.speaks() || !d.listens()
	return nil
}

// streamOf is the stream with what the trunk's settings add to it.
func (l *leg) streamOf(d described) media.Stream {
	s := l.sdp.sealed(d)
	s.Mute, s.Deaf = !d.listens(), !d.speaks()
	s.Keying, s.Detect = l.keying(s.DTMF)
	if s.Keying == media.Messages {
		s.Keys = l.keysOut()
	}
	if l.fax {
		s.Detect |= media.DetectFax
	}
	return s
}

// OnHold says that the party put us on hold, or listens only: [cti.Holder].
func (l *leg) OnHold() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.held
}

// lawsNow are the codecs for the next offer, the one in use first.
func (l *leg) lawsNow() []media.Law {
	now := l.terms.agreed.stream.Law
	if l.terms.heard == nil || !slices.Contains(l.laws, now) {
		return l.laws
	}
	return append([]media.Law{now}, slices.DeleteFunc(slices.Clone(l.laws), func(law media.Law) bool { return law == now })...)
}

// readAgain reads a later description. The codec in use stays as long as the
// peer offers it.
func (l *leg) readAgain(body []byte) (described, error) {
	if l.terms.heard != nil {
		d, err := l.sdp.offered(body, []media.Law{l.terms.agreed.stream.Law})
		if !errors.Is(err, errNoCodec) {
			return d, err
		}
	}
	return l.sdp.offered(body, l.laws)
}

// renegotiate answers an offer of the peer within the dialog, or makes ours
// where it sent none. When it fails everything is as it was.
func (l *leg) renegotiate(body []byte) (answer []byte, err error) {
	l.sound.Lock()
	defer l.sound.Unlock()
	if l.isOver() {
		return nil, cti.ErrWrongState
	}
	if len(body) == 0 {
		return l.say(func() []byte { return l.sdp.offer(l.lawsNow()) }), nil
	}
	d := l.terms.agreed
	if !l.terms.repeats(body) {
		before := l.listened()
		if d, err = l.readAgain(body); err != nil {
			return nil, err
		}
		if err := l.take(d, body); err != nil {
			return nil, err
		}
		l.tellHold(before, d.listens())
	}
	return l.say(func() []byte { return l.answerTo(d) }), nil
}

// answerTo is our answer in the mirrored direction.
func (l *leg) answerTo(d described) []byte {
	d.direction = d.towardUs()
	return l.sdp.answer(d)
}

// say gives our next description. Its version rises only if it differs from
// the last one (RFC 3264 §8).
func (l *leg) say(make func() []byte) []byte {
	if text := make(); bytes.Equal(text, l.terms.said) {
		return text
	}
	if l.terms.said != nil {
		l.sdp.version++
	}
	l.terms.said = make()
	return l.terms.said
}

// ourOffer is our first description.
func (l *leg) ourOffer() []byte {
	l.sound.Lock()
	defer l.sound.Unlock()
	return l.say(func() []byte { return l.sdp.offer(l.laws) })
}

// ourAnswer is our first description where the peer's was first.
func (l *leg) ourAnswer(d described) []byte {
	l.sound.Lock()
	defer l.sound.Unlock()
	return l.say(func() []byte { return l.answerTo(d) })
}

// lastSaid is our last description, for a refresh that changes nothing.
func (l *leg) lastSaid() []byte {
	l.sound.Lock()
	defer l.sound.Unlock()
	return l.terms.said
}

// takeAnswer reads the peer's answer to an offer of ours in the message m.
func (l *leg) takeAnswer(m wire.Message) error {
	body := bodySDP(m)
	l.sound.Lock()
	defer l.sound.Unlock()
	if l.terms.repeats(body) {
		return nil
	}
	d, err := l.sdp.answered(body, l.laws)
	if err != nil {
		return err
	}
	before := l.listened()
	if err := l.take(d, body); err != nil {
		return err
	}
	l.tellHold(before, d.listens())
	return nil
}

// listened says whether the party was not on hold so far. Only under sound.
func (l *leg) listened() bool { return l.terms.heard == nil || l.terms.agreed.listens() }

// tellHold tells whoever serves the call that the party pressed hold or came
// back.
func (l *leg) tellHold(before, now bool) {
	switch {
	case before && !now:
		l.wish(cti.Wish{Kind: cti.WishHold, Reply: make(chan error, 1)})
	case !before && now:
		l.wish(cti.Wish{Kind: cti.WishRetrieve, Reply: make(chan error, 1)})
	}
}

// wishesKept is how many wishes wait for whoever serves the call.
const wishesKept = 8

// Wishes are what the party asks for at its telephone: [cti.Wisher].
func (l *leg) Wishes() <-chan cti.Wish { return l.wishes }

// wish never waits: where nobody takes them, the oldest is refused.
func (l *leg) wish(w cti.Wish) {
	for {
		select {
		case l.wishes <- w:
			return
		default:
		}
		select {
		case old := <-l.wishes:
			old.Reply <- cti.ErrWrongState // has room: nobody else answers it
		default:
		}
	}
}

// Fax gives "cng" or "ced" of a caller behind a trunk: [cti.Faxing].
func (l *leg) Fax() <-chan string {
	if !l.fax {
		return nil
	}
	return l.rtp.Fax()
}
