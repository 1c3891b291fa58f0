package webrtc

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/internal/guard"

	"github.com/pion/rtp"
)

// line is a connection in memory.
type line struct {
	mu     sync.Mutex
	sent   []rtp.Packet
	closed bool
}

func (l *line) send(p *rtp.Packet) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent = append(l.sent, *p)
	return nil
}

func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
}

func (l *line) isClosed() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.closed
}

func (l *line) all() []rtp.Packet {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.sent)
}

func (l *line) packets() int { return len(l.all()) }

// desk is a box in a bubble, whose pages are lines.
type desk struct {
	*box
	t       *testing.T
	changed []string
}

// atDesk runs test in a bubble with a box without sockets.
func atDesk(t *testing.T, test func(d *desk)) {
	synctest.Test(t, func(t *testing.T) {
		log := slog.New(slog.DiscardHandler)
		engine, err := media.New(media.Config{Log: log})
		if err != nil {
			t.Fatal(err)
		}
		s, err := New(Config{Law: media.PCMA, Log: log, Hold: media.NewPrompt("hold", linear(450))}, Deps{Engine: engine})
		if err != nil {
			t.Fatal(err)
		}
		if s.api, err = s.newAPI(); err != nil {
			t.Fatal(err)
		}
		d := &desk{box: &box{s, engine}, t: t} // the bubble's
		ctx, stop := context.WithCancel(t.Context())
		var g guard.Group
		g.Go("engine", func() { _ = engine.Run(ctx) })
		g.Go("server", func() { _ = s.Run(ctx) })
		g.Go("changes", func() {
			for {
				select {
				case user := <-s.Changes():
					d.changed = append(d.changed, user)
				case <-ctx.Done():
					return
				}
			}
		})
		test(d)
		stop()
		g.Wait()
	})
}

// sit lets a page of 1001 stand by a line.
func (d *desk) sit(session string) *line {
	d.t.Helper()
	w := d.answered(session)
	d.find("1001").up(w)
	synctest.Wait()
	return w
}

// answered is sit before the connection stands.
func (d *desk) answered(session string) *line {
	d.t.Helper()
	p, err := d.enter("1001")
	if err != nil {
		d.t.Fatal(err)
	}
	w := &line{}
	p.offered(w, session, time.Now())
	p.leave()
	return w
}

func (d *desk) wantOver(l *leg, over bool) {
	d.t.Helper()
	synctest.Wait()
	select {
	case <-l.Done():
		if !over || !errors.Is(l.Err(), cti.ErrLineLost) {
			d.t.Errorf("the leg is over: %v", l.Err())
		}
	default:
		if over {
			d.t.Error("the leg is not over")
		}
	}
}

const keep = 30 * time.Second

// A page that is lost in a call may come back until the last instant.
func TestPageIsLost(t *testing.T) {
	for name, lose := range map[string]func(d *desk, p *phone, w *line){
		"nothing comes": func(_ *desk, p *phone, w *line) { p.down(w, time.Now()) },
		"it ended":      func(_ *desk, p *phone, w *line) { p.gone(w, time.Now()) },
		"it closed":     func(d *desk, _ *phone, _ *line) { d.Close("1001", "a") },
		"all of it": func(d *desk, p *phone, w *line) {
			p.down(w, time.Now())
			d.Gone("1001", "a")
		},
	} {
		for _, back := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				atDesk(t, func(d *desk) {
					w := d.sit("a")
					caller := newParty(d.t, d.engine, callerHz)
					l := d.call(d.t, "1001")
					d.join(l, caller)
					time.Sleep(time.Second)
					lose(d, d.find("1001"), w)
					time.Sleep(keep - media.Frame)
					d.wantOver(l, false)
					if hold := caller.hears(450); hold < 0.8 {
						t.Errorf("the caller hears %.2f of the hold tone", hold)
					}
					if back {
						d.sit("b")
					}
					time.Sleep(2 * media.Frame)
					d.wantOver(l, !back)
					if back {
						time.Sleep(time.Minute)
						d.wantOver(l, false)
						if hold := caller.hears(450); hold > 0.1 {
							t.Errorf("the hold tone goes on: %.2f", hold)
						}
						l.Hangup(cti.CauseNormal)
					}
				})
			})
		}
	}
}

// A talk goes on as long as it is heard, without the page's socket; without a
// talk there is no phone then.
func TestSocketGoneInATalk(t *testing.T) {
	atDesk(t, func(d *desk) {
		d.sit("a")
		l := d.call(d.t, "1001")
		d.Gone("1001", "a")
		time.Sleep(10 * time.Minute)
		d.wantOver(l, false)
		l.Hangup(cti.CauseNormal)
		time.Sleep(2 * media.Frame)
		synctest.Wait()
		if d.Reachable("1001") {
			t.Error("still a phone")
		}
	})
}

// A page that is lost while it rings may come back for a moment; then the call
// goes elsewhere.
func TestPageIsLostWhileItRings(t *testing.T) {
	for name, lose := range map[string]func(d *desk, p *phone, w *line){
		"nothing comes": func(_ *desk, p *phone, w *line) { p.down(w, time.Now()) },
		"it closed":     func(d *desk, _ *phone, _ *line) { d.Close("1001", "a") },
		"its socket":    func(d *desk, _ *phone, _ *line) { d.Gone("1001", "a") },
	} {
		for _, back := range []bool{true, false} {
			t.Run(name, func(t *testing.T) {
				atDesk(t, func(d *desk) {
					w := d.sit("a")
					l, err := d.Dial(d.t.Context(), "browser:1001", cti.Number{}, "call")
					if err != nil {
						t.Fatal(err)
					}
					lose(d, d.find("1001"), w)
					time.Sleep(5*time.Second - media.Frame)
					if back {
						d.sit("b")
					}
					ctx, stop := context.WithTimeout(d.t.Context(), time.Minute)
					defer stop()
					began := time.Now()
					err = l.Answer(ctx)
					if took := time.Since(began); errors.Is(err, cti.ErrUnreachable) == back || !back && took > 2*media.Frame {
						t.Errorf("%v after %v", err, took)
					}
					l.Hangup(cti.CauseNormal)
				})
			})
		}
	}
}

// Those who talk on without the page do not hear the hold tone.
func TestHoldToneOnlyForWhoIsAlone(t *testing.T) {
	atDesk(t, func(d *desk) {
		w := d.sit("a")
		caller := newParty(d.t, d.engine, callerHz)
		l := d.call(d.t, "1001")
		d.join(l, caller)
		l.Quiet(true)
		d.find("1001").down(w, time.Now())
		time.Sleep(5 * time.Second)
		if hold := caller.hears(450); hold > 0.1 {
			t.Errorf("%.2f of what is heard is the hold tone", hold)
		}
		l.Quiet(false)
		time.Sleep(time.Second)
		if hold := caller.hears(450); hold < 0.8 {
			t.Errorf("%.2f of what is heard is the hold tone", hold)
		}
	})
}

// A connection that was quiet for a moment is as it was.
func TestConnectionComesBack(t *testing.T) {
	atDesk(t, func(d *desk) {
		w := d.sit("a")
		p := d.find("1001")
		p.down(w, time.Now())
		if d.Reachable("1001") {
			t.Error("to be rung without a connection")
		}
		time.Sleep(8 * time.Second)
		p.up(w)
		synctest.Wait()
		if !d.Reachable("1001") || w.isClosed() || len(d.changed) != 3 {
			t.Errorf("reachable %v, closed %v, told %v", d.Reachable("1001"), w.isClosed(), d.changed)
		}
	})
}

// Without a call a page whose socket is gone is none after 10 s, and forgotten.
func TestSocketGoneWithoutACall(t *testing.T) {
	atDesk(t, func(d *desk) {
		w := d.sit("a")
		d.Gone("1001", "a")
		time.Sleep(10*time.Second - media.Frame)
		if !d.Reachable("1001") {
			t.Error("gone at once")
		}
		time.Sleep(2 * media.Frame)
		synctest.Wait()
		if d.Reachable("1001") || !w.isClosed() || d.find("1001") != nil {
			t.Errorf("reachable %v, closed %v, kept %v", d.Reachable("1001"), w.isClosed(), d.find("1001"))
		}
	})
}

// Time runs on over connections; numbers do, too, but begin where SRTP is sure of
// them.
func TestNumbersOfANewConnection(t *testing.T) {
	atDesk(t, func(d *desk) {
		first := d.sit("a")
		p := d.find("1001")
		p.mu.Lock()
		p.packet.SequenceNumber = 65000
		p.mu.Unlock()
		time.Sleep(time.Second)
		second := d.sit("b")
		time.Sleep(time.Second)
		sent := first.all()
		before, after := sent[len(sent)-1], second.all()[0]
		if after.Timestamp != before.Timestamp+media.FrameSamples || after.SequenceNumber != (before.SequenceNumber+1)&0x7fff || before.SequenceNumber < 65000 {
			t.Errorf("%d/%d follows %d/%d", after.SequenceNumber, after.Timestamp, before.SequenceNumber, before.Timestamp)
		}
	})
}

func TestPageDoesNotCome(t *testing.T) {
	atDesk(t, func(d *desk) {
		w := d.answered("a")
		time.Sleep(20*time.Second - media.Frame)
		if w.isClosed() {
			t.Error("closed before its time")
		}
		time.Sleep(2 * media.Frame)
		synctest.Wait()
		if !w.isClosed() || d.find("1001") != nil {
			t.Error("it is waited for")
		}
	})
}

// A new offer that comes to nothing takes nothing away; the next one replaces it.
func TestOffersOneAfterTheOther(t *testing.T) {
	atDesk(t, func(d *desk) {
		first := d.sit("a")
		second, third := d.answered("a"), d.answered("a")
		if !second.isClosed() || first.isClosed() || !d.Reachable("1001") {
			t.Errorf("second closed %v, first closed %v", second.isClosed(), first.isClosed())
		}
		d.find("1001").up(third)
		if !first.isClosed() || third.isClosed() {
			t.Errorf("first closed %v, third closed %v", first.isClosed(), third.isClosed())
		}
		d.find("1001").up(second) // late news of what is over
		d.find("1001").gone(first, time.Now())
		if !d.Reachable("1001") {
			t.Error("old connections matter")
		}
	})
}

func TestTooManyOffers(t *testing.T) {
	atDesk(t, func(d *desk) {
		for range mostOffers {
			d.answered("a")
		}
		if _, err := d.enter("1001"); !errors.Is(err, cti.ErrTooMany) {
			t.Errorf("one more: %v", err)
		}
		time.Sleep(offerSpan)
		if _, err := d.enter("1001"); err != nil {
			t.Errorf("later: %v", err)
		}
	})
}

// Fifty packets a second, in a call and without one, never two at a time.
func TestPace(t *testing.T) {
	atDesk(t, func(d *desk) {
		w := d.sit("a")
		count := func(want int) {
			t.Helper()
			n := w.packets()
			time.Sleep(10 * time.Second)
			if n = w.packets() - n; n < want-2 || n > want+2 {
				t.Errorf("%d packets in 10 s, want %d", n, want)
			}
		}
		count(500)
		l := d.call(d.t, "1001")
		time.Sleep(time.Second)
		count(500)
		d.join(l, newParty(d.t, d.engine, callerHz))
		time.Sleep(time.Second)
		count(500)
		l.Hangup(cti.CauseNormal)
		count(500)
	})
}

// What is lost or late on its way to the box is so for the page, too, which knows
// best what to make of it; nothing goes back behind where the call was taken up.
func TestPlacesAreKept(t *testing.T) {
	atDesk(t, func(d *desk) {
		w := d.sit("a")
		p, l := d.find("1001"), d.call(d.t, "1001")
		time.Sleep(time.Second)
		synctest.Wait() // the beat of this instant is over
		p.mu.Lock()
		p.packet.SequenceNumber, p.packet.Timestamp, p.follows = 1000, 50_000, follows{}
		p.mu.Unlock()
		n := w.packets()
		for _, i := range []int64{100, 101, 104, 99, 103, 105} {
			p.hear(l, media.Placed{Seq: uint16(i), At: i * 160, Payload: make([]byte, 160)})
		}
		p.hear(l, media.Placed{Seq: 106, At: 999 * 160, Payload: make([]byte, 160)}) // a new time
		var got [][2]uint32
		for _, packet := range w.all()[n:] {
			got = append(got, [2]uint32{uint32(packet.SequenceNumber), packet.Timestamp})
		}
		want := [][2]uint32{{1000, 50_000}, {1001, 50_160}, {1004, 50_640}, {1003, 50_480}, {1005, 50_800}, {1006, 50_960}}
		if !slices.Equal(got, want) {
			t.Errorf("sent %v, want %v", got, want)
		}
	})
}
