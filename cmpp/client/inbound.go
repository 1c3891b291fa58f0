package client

import (
	"context"
	"fmt"
	"hash/maphash"
	"sync/atomic"

	"callbox/cmpp"
	"callbox/internal/guard"
	"callbox/internal/segment"
	"callbox/sms"
)

const (
	// maxDelivers is how many DELIVERs of a connection may be with the
	// receiver at a time. Gateways keep a window of 16; a connection that
	// brings more is not read until some are answered.
	maxDelivers = 64
	workers     = 16
)

// deliver is a DELIVER that waits for its answer.
type deliver struct {
	sequence uint32
	pdu      *cmpp.Deliver
}

// ack is the answer to a DELIVER; without send there is none, so that the
// gateway sends it again.
type ack struct {
	deliver deliver
	result  cmpp.Result
	send    bool
}

// inbox hands DELIVERs to workers. Texts of one sender stay in order; reports
// need none.
type inbox struct {
	places  chan struct{}
	shelves [workers]chan deliver
	open    atomic.Int64 // reserved places
	turn    int
	seed    maphash.Seed
}

func newInbox() *inbox {
	b := &inbox{places: make(chan struct{}, maxDelivers), seed: maphash.MakeSeed()}
	for i := range b.shelves {
		b.shelves[i] = make(chan deliver, maxDelivers)
	}
	return b
}

func (b *inbox) start(group *guard.Group, handle func(deliver)) {
	for _, shelf := range b.shelves {
		group.Go("cmpp worker", func() {
			for d := range shelf {
				handle(d)
			}
		})
	}
}

func (b *inbox) close() {
	for _, shelf := range b.shelves {
		close(shelf)
	}
}

// reserve waits for a place, false when done comes first.
func (b *inbox) reserve(done <-chan struct{}) bool {
	select {
	case b.places <- struct{}{}:
		b.open.Add(1)
		return true
	case <-done:
		return false
	}
}

// release gives a place back.
func (b *inbox) release() {
	b.open.Add(-1)
	<-b.places
}

func (b *inbox) empty() bool { return b.open.Load() == 0 }

// put never waits: there are no more DELIVERs than places, and each shelf has
// as many.
func (b *inbox) put(d deliver) {
	if d.pdu.IsReport() {
		b.turn = (b.turn + 1) % workers
		b.shelves[b.turn] <- d
		return
	}
	b.shelves[maphash.String(b.seed, d.pdu.SrcTerminalID)%workers] <- d
}

// handle is a worker's part: the receiver has the DELIVER on disk before it is
// answered.
func (s *session) handle(ctx context.Context, d deliver) {
	select {
	case <-s.done:
		return // it will come again
	default:
	}
	a := ack{deliver: d}
	var err error
	if panicked := guard.Call(func() { a.result, err = s.pass(ctx, d.pdu) }); panicked != nil {
		err = panicked
	}
	a.send = err == nil
	if err != nil && ctx.Err() == nil { // else the connection has ended, and it comes again
		s.log.Error("incoming message not taken", "msg_id", d.pdu.MsgID.String(), "report", d.pdu.IsReport(), "err", err)
	}
	select {
	case s.acks <- a:
	case <-s.done:
	}
}

// acknowledge answers a DELIVER that was taken.
func (s *session) acknowledge(a ack) {
	s.inbox.release()
	if a.send {
		s.answer(a.deliver.sequence, &cmpp.DeliverResp{MsgID: a.deliver.pdu.MsgID, Result: a.result})
	}
}

// pass hands a DELIVER to the receiver and gives the result to answer with. A
// report that cannot be read is answered as such, or it would come for ever.
func (s *session) pass(ctx context.Context, p *cmpp.Deliver) (cmpp.Result, error) {
	if !p.IsReport() {
		return cmpp.ResultOK, s.receiver.Incoming(ctx, s.text(p))
	}
	var r cmpp.Report
	if err := r.Decode(p.MsgContent); err != nil {
		s.log.Warn("report not understood", "bytes", len(p.MsgContent), "err", err)
		return cmpp.ResultStructure, nil
	}
	return cmpp.ResultOK, s.receiver.Report(ctx, sms.Report{
		Account: s.c.cfg.Name, ID: r.MsgID.String(), To: r.DestTerminalID, Stat: string(r.Stat), Done: r.DoneTime,
	})
}

func (s *session) text(p *cmpp.Deliver) sms.Text {
	t := sms.Text{Account: s.c.cfg.Name, ID: p.MsgID.String(), From: p.SrcTerminalID, To: p.DestID}
	content := p.MsgContent
	if p.HasUDH() {
		var h cmpp.Concat
		h, content, _ = cmpp.ParseUDH(content)
		if h.Total > 1 {
			t.Part = sms.Part{Ref: h.Ref, Total: h.Total, Index: h.Number}
		}
	}
	if a := cut[p.MsgFmt.Alphabet()]; a != "" && t.Part.Total > 1 {
		t.Alphabet, t.Octets = a, string(content)
		return t
	}
	t.Text = decode(p.MsgFmt, content)
	return t
}

// cut are the alphabets in which a part may begin or end within a character.
var cut = map[cmpp.Format]segment.Alphabet{cmpp.GBK: segment.GBK, cmpp.UCS2: segment.UCS2}

// decode gives a content without its header as text, GBK too. What is damaged
// becomes U+FFFD, what is no text hex digits.
func decode(f cmpp.Format, content []byte) string {
	if f.Alphabet() == cmpp.GBK {
		return segment.GBK.Decode(string(content))
	}
	text, err := cmpp.DecodeText(f, content)
	if err != nil {
		return fmt.Sprintf("%x", content)
	}
	return text
}
