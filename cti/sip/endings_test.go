package sip_test

import (
	"context"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/sip"
)

// endings are twelve ways in which a call ends. carrier calls in, out is
// called; each gives up nothing before the call is over.
var endings = map[string]func(c *ending){
	"caller hangs up": func(c *ending) { ok := c.call(); c.in.send(c.in.within("BYE", 2, ok)); c.in.expect("BYE", 200) },
	"box hangs up":    func(c *ending) { c.call(); c.r.leg().Hangup(cti.CauseNormal); c.bye(c.in) },
	"canceled":        (*ending).canceled,
	"refused": func(c *ending) {
		c.r.calls.do(func(_ context.Context, l cti.Leg) error { l.Hangup(cti.CauseBusy); return nil })
		c.in.send(c.in.invite(c.id))
		c.in.expect("INVITE", 486)
		c.ackRefusal()
	},
	"no such codec": func(c *ending) {
		c.in.send(c.in.invite(c.id, "{sdp}", sdpAt(40000, "18 4", "sendrecv", 1)))
		c.in.expect("INVITE", 488)
		c.ackRefusal()
	},
	"no ACK":          func(c *ending) { c.in.send(c.in.invite(c.id)); c.in.expect("INVITE", 200); c.bye(c.in) },
	"no PRACK":        (*ending).noPrack,
	"session expired": (*ending).expired,
	"callee busy": func(c *ending) {
		leg := c.dial()
		c.out.reply(c.out.request("INVITE"), 486, "uas")
		c.out.request("ACK")
		<-leg.Done()
	},
	"callee hangs up": func(c *ending) {
		leg, invite := c.talk()
		c.out.send(c.out.inside("BYE", 1, invite))
		c.out.expect("BYE", 200)
		<-leg.Done()
	},
	"we hang up":           func(c *ending) { leg, _ := c.talk(); leg.Hangup(cti.CauseNormal); c.bye(c.out) },
	"we hang up early":     (*ending).early,
	"transfer never asked": (*ending).transfer,
}

type ending struct {
	r       *rig
	in, out *raw
	desk    *raw
	id      string
}

func (c *ending) call() *ctitest.Message { return c.in.call(c.id) }

func (c *ending) dial() cti.Leg { return c.r.dial("trunk:out/139") }

func (c *ending) bye(w *raw) { w.reply(w.request("BYE"), 200, "") }

func (c *ending) ackRefusal() { c.in.send(ackOf(c.in.invite(c.id))) }

func (c *ending) talk() (cti.Leg, *ctitest.Message) {
	leg := c.dial()
	invite := c.out.request("INVITE")
	c.out.reply(invite, 183, "uas", "Require", "100rel", "RSeq", "1")
	c.out.reply(c.out.request("PRACK"), 200, "")
	c.out.reply(invite, 200, "uas", "Session-Expires", "1800;refresher=uac")
	if err := leg.Answer(patient(c.r.t)); err != nil {
		c.r.t.Fatal(err)
	}
	c.out.request("ACK")
	return leg, invite
}

func (c *ending) canceled() {
	c.r.calls.do(wait)
	invite := c.in.invite(c.id)
	c.in.send(invite)
	c.in.send(cancelOf(invite))
	c.in.expect("INVITE", 487)
	c.ackRefusal()
}

func (c *ending) noPrack() {
	c.r.calls.do(func(ctx context.Context, l cti.Leg) error {
		if err := l.(cti.Progresser).Progress(ctx); err != nil {
			return err
		}
		return wait(ctx, l)
	})
	c.in.send(c.in.invite(c.id, "Content-Type", can100))
	c.in.expect("INVITE", 504)
	c.ackRefusal()
}

func (c *ending) expired() {
	c.in.call(c.id, "Content-Type", "Supported: timer\r\nSession-Expires: 90\r\nContent-Type")
	leg := c.r.leg()
	c.r.Tick(time.Now().Add(time.Hour))
	c.bye(c.in)
	<-leg.Done()
}

func (c *ending) early() {
	leg := c.dial()
	invite := c.out.request("INVITE")
	c.out.reply(invite, 180, "uas")
	<-leg.Alerting()
	leg.Hangup(cti.CauseCanceled)
	c.out.reply(c.out.request("CANCEL"), 200, "uas")
	c.out.reply(invite, 487, "uas")
	c.out.request("ACK")
}

func (c *ending) transfer() {
	ok := c.desk.talk(c.id, "1001")
	leg := c.r.leg()
	c.desk.refer(3, ok, "<sip:1002@x>")
	c.desk.notice()
	c.desk.send(c.desk.within("BYE", 4, ok))
	c.desk.expect("BYE", 200)
	<-leg.Done()
}

// Whatever ends a call, nothing of it stays.
func TestNothingStaysOfACall(t *testing.T) {
	out := carrierSocket(t)
	r := start(t, out.toward(), func(c *sip.Config, _ *rig) {
		c.Trunks[1].DTMF = "info"
		*c = c.WithTimers(10*time.Millisecond, 80*time.Millisecond, 300*time.Millisecond)
	})
	c := &ending{r: r, out: out, desk: r.desk("127.0.0.1", "1001")}
	round := func(slow bool) {
		for name, end := range endings {
			if !slow && (name == "no ACK" || name == "no PRACK") { // they take 64 T1
				continue
			}
			for len(r.calls.legs) > 0 {
				<-r.calls.legs
			}
			c.in, c.id = r.raw("127.0.0.1"), fresh()
			r.calls.do(answerAndWait)
			end(c)
			eventually(t, name, func() bool {
				s := r.Stats()
				return s.Legs == 0 && s.Dialogs == 0 && r.dialogs.size() == 0 && r.TrunkCalls()["out"] == 0
			})
		}
	}
	round(true) // what is made once is there then
	before := goroutines()
	for n := range 10 {
		round(n == 0)
	}
	eventually(t, "the goroutines of before", func() bool { return goroutines() <= before })
	if n := r.Stats().Panics; n != 0 {
		t.Errorf("%d panics", n)
	}
}

// goroutines counts all but those in which the library holds the ACK of a
// refusal for 5 s.
func goroutines() int {
	buf := make([]byte, 4<<20)
	stacks := strings.Split(string(buf[:runtime.Stack(buf, true)]), "\n\n")
	return len(slices.DeleteFunc(stacks, func(s string) bool { return strings.Contains(s, "ackSendAsync") }))
}

var freshIDs atomic.Int64

// fresh is a Call-ID that was not used before.
func fresh() string { return fmt.Sprint("ending", freshIDs.Add(1)) }
