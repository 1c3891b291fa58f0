package webrtc

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/media"

	pion "github.com/pion/webrtc/v4"
)

// The tone of each side is heard at the other one, in the box's law although the
// page likes another better.
func TestBothWays(t *testing.T) {
	b := start(t, Config{TCP: true})
	page := newBrowser(t, browserConfig{hz: agentHz})
	answer := page.sit(b.Server, "1001", "a")
	for _, want := range []string{"a=ice-lite", "a=setup:passive", " " + strings.Replace(b.Addr().String(), ":", " ", 1) + " typ host", "tcptype passive", "PCMA/8000", "126 telephone-event"} {
		if !strings.Contains(answer, want) {
			t.Errorf("the answer lacks %q:\n%s", want, answer)
		}
	}
	if strings.Contains(answer, "PCMU") || strings.Count(answer, " 1 udp ") != 1 {
		t.Errorf("the answer:\n%s", answer)
	}
	eventually(t, "silence before a call", func() bool { return len(page.received()) > 3 })
	caller := newParty(t, b.engine, callerHz)
	begin := time.Now()
	l := b.call(t, "1001")
	b.join(l, caller)
	eventually(t, "sound after the answer", func() bool { return page.hears(callerHz) > 0.3 && caller.hears(agentHz) > 0.3 })
	t.Logf("answer to tones both ways (of which 200 ms are listened to): %v", time.Since(begin))
	wantTones(t, page, caller)
	if page.codec != pion.MimeTypePCMA {
		t.Errorf("the page hears %s", page.codec)
	}
	l.Hangup(cti.CauseNormal)
	if l.Err() != nil {
		t.Errorf("Err = %v", l.Err())
	}
	<-l.Done()
	eventually(t, "silence after the call", func() bool { return page.hears(callerHz) < 0.1 })
	if !b.Reachable("1001") {
		t.Error("not to be rung after the call")
	}
}

// What the page is sent runs on over silence, calls and prompts.
func TestNumbersRunOn(t *testing.T) {
	b := start(t, Config{})
	page := newBrowser(t, browserConfig{})
	page.sit(b.Server, "1001", "a")
	prompt := media.NewPrompt("prompt", make([]int16, 1600))
	for range 2 {
		l := b.call(t, "1001")
		caller := newParty(t, b.engine, callerHz)
		b.join(l, caller)
		eventually(t, "the caller is heard", func() bool { return page.hears(callerHz) > 0.8 })
		if err := l.Media().Play(t.Context(), prompt); err != nil {
			t.Error(err)
		}
		l.Hangup(cti.CauseNormal)
		n := len(page.received())
		eventually(t, "silence", func() bool { return len(page.received()) > n+5 })
	}
	got := page.received()
	const stall = media.SampleRate / 5 // of the callers here, whose time is the clock's
	for i := 1; i < len(got); i++ {
		gap := got[i].Timestamp - got[i-1].Timestamp
		if got[i].SequenceNumber != got[i-1].SequenceNumber+1 || gap < media.FrameSamples || gap > media.FrameSamples+stall {
			t.Fatalf("packet %d: %d/%d follows %d/%d", i, got[i].SequenceNumber, got[i].Timestamp, got[i-1].SequenceNumber, got[i-1].Timestamp)
		}
	}
}

// The negative control of all tests with tones: numbers that go back are heard
// as nothing, though the connection stands.
func TestBrokenNumbersAreNotHeard(t *testing.T) {
	b := start(t, Config{})
	p, err := b.enter("1001")
	if err != nil {
		t.Fatal(err)
	}
	p.packet.SequenceNumber = 30000
	page := newBrowser(t, browserConfig{})
	page.sit(b.Server, "1001", "a")
	p.leave()
	l := b.call(t, "1001")
	b.join(l, newParty(t, b.engine, callerHz))
	eventually(t, "the caller is heard", func() bool { return page.hears(callerHz) > 0.8 })
	p.mu.Lock()
	p.packet.SequenceNumber -= 20000
	p.mu.Unlock()
	time.Sleep(100 * time.Millisecond) // what is under way
	n := len(page.received())
	time.Sleep(300 * time.Millisecond)
	if more := len(page.received()) - n; more > 0 || page.pc.ConnectionState() != pion.PeerConnectionStateConnected {
		t.Errorf("%d packets came, the connection is %v", more, page.pc.ConnectionState())
	}
}

// A page that is loaded again takes its call over.
func TestReload(t *testing.T) {
	b := start(t, Config{})
	first := newBrowser(t, browserConfig{hz: agentHz})
	first.sit(b.Server, "1001", "a")
	caller := newParty(t, b.engine, callerHz)
	l := b.call(t, "1001")
	b.join(l, caller)
	wantTones(t, first, caller)
	first.close() // the page is gone; the box hears of it, or not yet
	b.Gone("1001", "a")
	second := newBrowser(t, browserConfig{hz: 700})
	begin := time.Now()
	second.sit(b.Server, "1001", "b")
	eventually(t, "both sides are heard again", func() bool { return second.hears(callerHz) > 0.3 && caller.hears(700) > 0.3 })
	if took := time.Since(begin); took > time.Second {
		t.Errorf("sound was back after %v", took)
	} else {
		t.Logf("sound was back after %v", took)
	}
	select {
	case <-l.Done():
		t.Errorf("the call ended: %v", l.Err())
	default:
	}
}

// While the page is away the caller hears the hold tone; a page that closes by
// itself leaves its call waiting, too.
func TestHoldToneWhileAway(t *testing.T) {
	b := start(t, Config{Hold: media.NewPrompt("hold", linear(450))})
	page := newBrowser(t, browserConfig{hz: agentHz})
	page.sit(b.Server, "1001", "a")
	caller := newParty(t, b.engine, callerHz)
	l := b.call(t, "1001")
	b.join(l, caller)
	wantTones(t, page, caller)
	b.Close("1001", "a")
	eventually(t, "the hold tone", func() bool { return caller.hears(450) > 0.8 })
	if b.Reachable("1001") {
		t.Error("a page that closed can be rung")
	}
	if _, err := b.Dial(t.Context(), "browser:1001", cti.Number{}, "other"); !errors.Is(err, cti.ErrUnreachable) {
		t.Errorf("Dial = %v", err)
	}
	l.Hangup(cti.CauseNormal)
}

// linear is a second of a tone.
func linear(hz float64) []int16 {
	samples := make([]int16, media.SampleRate)
	for i := range media.SampleRate / media.FrameSamples {
		media.Decode(media.PCMA, samples[i*media.FrameSamples:], toneFrame(hz, i))
	}
	return samples
}

// A newer session has the phone; the older one can do nothing to it.
func TestSecondSessionReplaces(t *testing.T) {
	b := start(t, Config{})
	first := newBrowser(t, browserConfig{hz: 700})
	first.sit(b.Server, "1001", "a")
	second := newBrowser(t, browserConfig{hz: agentHz})
	second.sit(b.Server, "1001", "b")
	b.Close("1001", "a")
	b.Gone("1001", "a")
	caller := newParty(t, b.engine, callerHz)
	b.join(b.call(t, "1001"), caller)
	wantTones(t, second, caller)
	eventually(t, "the first connection is closed", func() bool { return first.pc.ConnectionState() == pion.PeerConnectionStateClosed })
	b.Close("1001", "b")
	if b.Reachable("1001") {
		t.Error("closed, and to be rung")
	}
}

// A network that blocks UDP.
func TestTCPOnly(t *testing.T) {
	b := start(t, Config{TCP: true})
	page := newBrowser(t, browserConfig{hz: agentHz, tcp: true})
	page.sit(b.Server, "1001", "a")
	pair, err := page.pc.GetSenders()[0].Transport().ICETransport().GetSelectedCandidatePair()
	if err != nil || pair == nil || pair.Remote.Protocol != pion.ICEProtocolTCP {
		t.Errorf("pair %v, %v", pair, err)
	}
	caller := newParty(t, b.engine, callerHz)
	b.join(b.call(t, "1001"), caller)
	wantTones(t, page, caller)
}

// Keys come by the page's own number for telephone events, on the same track.
func TestKeysOfThePage(t *testing.T) {
	b := start(t, Config{})
	page := newBrowser(t, browserConfig{})
	page.sit(b.Server, "1001", "a")
	l := b.call(t, "1001")
	for i, payload := range []string{"\x05\x0a\x00\xa0", "\x05\x0a\x01\x40", "\x05\x8a\x01\xe0", "\x05\x8a\x01\xe0", "\x0b\x8a\x01\xe0"} {
		page.key(t, 126, uint32(i/4), payload)
	}
	for _, want := range "5#" {
		select {
		case got := <-l.Media().Digits():
			if got != want {
				t.Errorf("key %c, want %c", got, want)
			}
		case <-time.After(5 * time.Second):
			t.Fatalf("no key %c", want)
		}
	}
	select {
	case got := <-l.Media().Digits():
		t.Errorf("one more key: %c", got)
	case <-time.After(100 * time.Millisecond):
	}
}

func TestRingAnswerRefuse(t *testing.T) {
	b := start(t, Config{})
	page := newBrowser(t, browserConfig{hz: agentHz})
	dial := func() (cti.Leg, error) { return b.Dial(t.Context(), "browser:1001", cti.Number{}, "call") }
	if _, err := dial(); !errors.Is(err, cti.ErrUnreachable) {
		t.Errorf("no page: %v", err)
	}
	page.sit(b.Server, "1001", "a")
	l, err := dial()
	if err != nil {
		t.Fatal(err)
	}
	<-l.Alerting()
	if _, err := dial(); !errors.Is(err, cti.ErrBusy) {
		t.Errorf("a second call: %v", err)
	}
	ring, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, cti.ErrNoAnswer)
	defer cancel()
	if err := l.Answer(ring); !errors.Is(err, cti.ErrNoAnswer) {
		t.Errorf("nobody clicks: %v", err)
	}
	if received := l.Media().Stats().Received; received != 0 {
		t.Errorf("%d packets of an agent who has not answered", received)
	}
	if !l.(cti.Rejecter).Reject() || l.(cti.Rejecter).Reject() {
		t.Error("not refused once")
	}
	if err := l.Answer(t.Context()); !errors.Is(err, cti.ErrRejected) {
		t.Errorf("refused: %v", err)
	}
	if err := l.(cti.Lifter).Lift(t.Context()); !errors.Is(err, cti.ErrWrongState) {
		t.Errorf("lifted after that: %v", err)
	}
	l, err = dial()
	if err != nil {
		t.Fatal(err)
	}
	l.Hangup(cti.CauseCanceled)
	if err := l.Answer(t.Context()); !errors.Is(err, cti.ErrCleared) {
		t.Errorf("the caller gave up: %v", err)
	}
	l = b.call(t, "1001")
	if l.(cti.Rejecter).Reject() {
		t.Error("refused in a talk")
	}
	l.Hangup(cti.CauseNormal)
}

// What the record says of the leg is of the packets, not of frames.
func TestStats(t *testing.T) {
	b := start(t, Config{})
	page := newBrowser(t, browserConfig{hz: agentHz})
	page.sit(b.Server, "1001", "a")
	caller := newParty(t, b.engine, callerHz)
	l := b.call(t, "1001")
	b.join(l, caller)
	eventually(t, "sound", func() bool { return l.Media().Stats().Received > 20 })
	page.skip(5)
	eventually(t, "loss and reports", func() bool {
		s := l.Media().Stats()
		return s.Lost == 5 && s.Far.RoundTrip > 0 && s.Sent > 20
	})
	s := l.Media().Stats()
	if s.Jitter <= 0 || s.Jitter > 20*time.Millisecond || !s.Secure || time.Since(s.LastReceived) > time.Second || s.Far.RoundTrip > 100*time.Millisecond || s.MOS() < 3 {
		t.Errorf("Stats = %+v, MOS %.2f", s, s.MOS())
	}
	l.Hangup(cti.CauseNormal)
	if after := l.Media().Stats(); after.Received == 0 || after.Lost != 5 {
		t.Errorf("afterwards %+v", after)
	}
}
