package sip

import (
	"context"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"time"

	"callbox/cti"

	wire "github.com/emiago/sipgo/sip"
)

// Values of a trunk's prack.
const (
	prackOn       = "on"
	prackOff      = "off"
	prackRequired = "required"
)

// prack says whether provisional responses are acknowledged on the trunk
// (RFC 3262): on where both sides can, for phones too.
func (t *trunk) prack() string {
	if t == nil || t.PRACK == "" {
		return prackOn
	}
	return strings.ToLower(t.PRACK)
}

// reliability is how the caller of an INVITE wants provisional responses.
type reliability int

const (
	unreliable reliability = iota
	canPRACK               // Supported
	mustPRACK              // Require
)

// agreeReliability is pure: what an INVITE asks for meets the trunk's setting.
func agreeReliability(req *wire.Request, setting string) (reliability, *fault) {
	asks := unreliable
	switch {
	case lists(req, "100rel", "require"):
		asks = mustPRACK
	case lists(req, "100rel", "supported", "k"):
		asks = canPRACK
	}
	switch {
	case setting == prackOff && asks == mustPRACK:
		list := wire.NewHeader("Unsupported", "100rel")
		return unreliable, &fault{code: 420, reason: "Bad Extension", headers: []wire.Header{list}}
	case setting == prackOff:
		return unreliable, nil
	case setting == prackRequired && asks == unreliable:
		return unreliable, &fault{code: 421, reason: "Extension Required", headers: []wire.Header{wire.NewHeader("Require", "100rel")}}
	}
	return asks, nil
}

// reliable are the reliable provisional responses to one INVITE of the peer's:
// one is open at a time (RFC 3262 §3).
type reliable struct {
	mu   sync.Mutex // guards what follows
	next uint32     // RSeq
	seq  uint32     // CSeq of the INVITE
	open *unacknowledged
}

// unacknowledged is a provisional response whose PRACK did not come yet.
type unacknowledged struct {
	rseq  uint32
	sdp   bool // it has our description
	asked bool // which is an offer: the PRACK has the answer
	done  chan struct{}
}

func newReliable(seq uint32) *reliable {
	return &reliable{next: 1 + rand.Uint32N(1<<30), seq: seq}
}

// begin opens the next one; the one before must be done.
func (r *reliable) begin(sdp, asked bool) *unacknowledged {
	r.mu.Lock()
	defer r.mu.Unlock()
	u := &unacknowledged{rseq: r.next, sdp: sdp, asked: asked, done: make(chan struct{})}
	r.next++
	r.open = u
	return u
}

// waiting is the open one, nil for none.
func (r *reliable) waiting() *unacknowledged {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.open
}

// acknowledged ends the open one if rack names it.
func (r *reliable) acknowledged(rack string) *unacknowledged {
	fields := strings.Fields(rack)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.open == nil || len(fields) != 3 || !strings.EqualFold(fields[2], string(wire.INVITE)) {
		return nil
	}
	rseq, err1 := strconv.ParseUint(fields[0], 10, 32)
	cseq, err2 := strconv.ParseUint(fields[1], 10, 32)
	if err1 != nil || err2 != nil || uint32(rseq) != r.open.rseq || uint32(cseq) != r.seq {
		return nil
	}
	u := r.open
	r.open = nil
	return u
}

// provisional sends a response before the answer: reliably where the caller
// asks for it, or can do it and sdp is in it. It waits for the PRACK of the one
// before.
func (l *inLeg) provisional(ctx context.Context, code int, reason string, sdp []byte, offer bool) error {
	res := response(l.req, code, reason, l.in.tag, l.s.contact(l.ep, l.in.from.Addr()), allow())
	if sdp != nil {
		setSDP(res, sdp)
	}
	if l.wants == unreliable || l.wants == canPRACK && sdp == nil {
		l.s.respond(l.tx, res)
		return nil
	}
	if err := l.awaitPRACK(ctx, false); err != nil {
		return err
	}
	u := l.dialog0.reliable.begin(sdp != nil, offer)
	res.AppendHeader(wire.NewHeader("Require", "100rel"))
	res.AppendHeader(wire.NewHeader("RSeq", strconv.FormatUint(uint64(u.rseq), 10)))
	l.s.respond(l.tx, res)
	l.s.work.Go("18x until PRACK", func() { l.untilPRACK(u, res) })
	return nil
}

// awaitPRACK waits until no reliable response is open; with sdpOnly those
// without a description do not matter.
func (l *inLeg) awaitPRACK(ctx context.Context, sdpOnly bool) error {
	u := l.dialog0.reliable.waiting()
	if u == nil || sdpOnly && !u.sdp {
		return nil
	}
	select {
	case <-u.done:
		return nil
	case <-l.done:
		return l.refusal()
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// untilPRACK sends a reliable response again, at intervals doubling from T1.
// Without PRACK after 64 T1 the call is refused (RFC 3262 §3).
func (l *inLeg) untilPRACK(u *unacknowledged, res *wire.Response) {
	again := func() {
		if l.stillRings() {
			l.s.respond(l.tx, res)
		}
	}
	if repeated(u.done, l.done, l.s.timers.t1, 0, l.s.timers.giveUp(), again) {
		return
	}
	if _, first := l.endFrom(cti.ErrLineLost, ringing); first {
		l.s.respond(l.tx, response(l.req, 504, "Server Time-out", l.in.tag))
	}
}

// repeated calls again at intervals doubling from first, up to most where that
// is not 0, until done or over is closed; false when limit passed before.
func repeated(done, over <-chan struct{}, first, most, limit time.Duration, again func()) bool {
	end := time.NewTimer(limit)
	defer end.Stop()
	for wait := first; ; {
		select {
		case <-done:
			return true
		case <-over:
			return true
		case <-end.C:
			return false
		case <-time.After(wait):
			again()
			if wait *= 2; most > 0 {
				wait = min(wait, most)
			}
		}
	}
}

// onPrack takes the PRACK of a provisional response of ours, with the answer to
// the offer in that, or an offer of its own.
func (s *Server) onPrack(d *dialog, req *wire.Request, tx *wire.ServerTx) {
	var u *unacknowledged
	if rack := req.GetHeader("rack"); rack != nil && d.reliable != nil {
		u = d.reliable.acknowledged(rack.Value())
	}
	if u == nil {
		s.respond(tx, response(req, 481, "Call/Transaction Does Not Exist", ""))
		return
	}
	defer close(u.done)
	s.respond(tx, s.pracked(d, u, req))
}

// pracked is the answer to a PRACK that was expected.
func (s *Server) pracked(d *dialog, u *unacknowledged, req *wire.Request) *wire.Response {
	if u.sdp {
		d.set(settled)
	}
	res := response(req, 200, "OK", "")
	switch body := bodySDP(req); {
	case u.asked:
		if err := d.leg.takeAnswer(req); err != nil {
			return response(req, 488, "Not Acceptable Here", "")
		}
	case len(body) > 0:
		answer, f := s.offered(d, req)
		if f != nil {
			return response(req, f.code, f.reason, "", f.headers...)
		}
		setSDP(res, answer)
	}
	return res
}

// rseqOf is the RSeq of a reliable provisional response, false for another.
func rseqOf(res *wire.Response) (uint32, bool) {
	h := res.GetHeader("rseq")
	if h == nil || !lists(res, "100rel", "require") {
		return 0, false
	}
	n, err := strconv.ParseUint(strings.TrimSpace(h.Value()), 10, 32)
	return uint32(n), err == nil && n > 0
}

// prack sends the PRACK of a provisional response of the peer's.
func (a *attempt) prack(d *dialog, rseq uint32) {
	s, seq := a.leg.s, a.seq
	s.work.Go("PRACK", func() {
		ctx, cancel := a.leg.patience()
		defer cancel()
		res, err := s.inDialog(ctx, d, a.leg.trunk, wire.PRACK, func(req *wire.Request) {
			req.AppendHeader(wire.NewHeader("RAck", strconv.FormatUint(uint64(rseq), 10)+" "+strconv.FormatUint(uint64(seq), 10)+" INVITE"))
		})
		if err == nil && !res.IsSuccess() {
			err = failure(res.StatusCode)
		}
		if err != nil && a.leg.life.Err() == nil {
			a.leg.log.Info("PRACK without an answer", "err", err)
		}
	})
}

// earlyLimit is how many branches of a fork are followed.
const earlyLimit = 16

// branch is one place where a forked INVITE rings.
type branch struct {
	d    *dialog
	rseq uint32 // of the last reliable response, 0 for none
}

// branchOf is the branch that a provisional response comes from, nil where it
// makes no early dialog.
func (a *attempt) branchOf(res *wire.Response) *branch {
	tag := tagOf(res.To())
	if b := a.branches[tag]; b != nil {
		return b
	}
	if tag == "" || res.Contact() == nil || len(a.branches) >= earlyLimit {
		return nil
	}
	b := &branch{d: a.newDialog(res)}
	if !a.leg.mayBecome(b.d) {
		return nil
	}
	a.branches[tag] = b
	return b
}

// inOrder takes the next reliable response of a branch and says whether it is
// not one that came before or too early.
func (b *branch) inOrder(rseq uint32) bool {
	if b.rseq != 0 && rseq != b.rseq+1 {
		return false
	}
	b.rseq = rseq
	return true
}
