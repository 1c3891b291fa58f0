package sip

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/cti"
	"callbox/internal/guard"

	wire "github.com/emiago/sipgo/sip"
	"github.com/google/uuid"
)

var (
	errSilent  = errors.New("no answer in time")
	errNotSent = errors.New("not sent")
)

// attempt is one INVITE to one place (RFC 3261 §13.2). Its goroutine drains the
// transaction's responses all the time, as many 18x as there may be.
type attempt struct {
	leg     *outLeg
	target  target
	callID  wire.CallIDHeader
	from    wire.FromHeader
	who     presented // the caller, as the trunk is told
	cti     string    // the call's id
	stopped chan struct{}
	once    sync.Once

	seq   uint32
	auth  wire.Header // credentials, once we were asked
	req   *wire.Request
	tx    *wire.ClientTx
	heard bool // a provisional response came
	final int  // the last final response's code, 0 for none
	quiet quiet
	ended bool // CANCEL was sent
	plain bool // a sealed offer was refused, see [attempt.retreats]
	left  bool // the leg was told that nobody is there

	branches map[string]*branch // early dialogs by To tag
	early    []byte             // the last description before the answer
	least    time.Duration      // Min-SE that the peer asked for
	moved    redirection

	mu   sync.Mutex // guards what follows
	tag  string     // of the 2xx that was taken
	acks map[string]*wire.Request
}

func newAttempt(l *outLeg, t target, as cti.Number, callID string) *attempt {
	who := l.trunk.presents(as, hostText(l.s.advertised(t.ep, t.to.Addr())))
	return &attempt{
		leg: l, target: t, cti: callID, stopped: make(chan struct{}), who: who,
		callID: wire.CallIDHeader(uuid.NewString()),
		from:   who.from(),
		acks:   map[string]*wire.Request{},
	}
}

// cancel asks for the end of the attempt; it does not wait.
func (a *attempt) cancel() { a.once.Do(func() { close(a.stopped) }) }

// fail tells the leg that nothing comes of this attempt.
func (a *attempt) fail(err error) {
	a.leg.log.Info("not answered", "to", a.target.to, "err", err)
	a.leg.lost(err)
}

func (a *attempt) isStopped() bool {
	select {
	case <-a.stopped:
		return true
	default:
		return false
	}
}

// try sends an INVITE, and others if the trunk asks for credentials or a longer
// session, or names other places of its own.
func (a *attempt) try() error {
	for {
		if a.isStopped() {
			return cti.ErrCanceled
		}
		res, err := a.invite()
		if err != nil || res == nil {
			return err
		}
		a.heed(res)
		if res.StatusCode >= 600 {
			a.leg.cancelOthers(a) // nobody is to be rung any more (RFC 3261 §21.6)
		}
		if a.retreats(res) {
			continue
		}
		if err := a.mend(res); err != nil {
			return err
		}
	}
}

// mend prepares another INVITE after a final response, or says that there is
// none to be tried.
func (a *attempt) mend(res *wire.Response) error {
	switch code := res.StatusCode; {
	case challenges(res) && a.auth == nil:
		name, value, err := a.leg.s.credentials(a.req, res, a.leg.trunk)
		if err != nil {
			return fmt.Errorf("%w: %w", cti.ErrRejected, err)
		}
		a.auth = wire.NewHeader(name, value)
		return nil
	case code == 422 && readTimer(res).least > max(a.least, a.leg.s.interval):
		a.least = readTimer(res).least
		return nil
	default:
		return a.redirect(res)
	}
}

// invite runs one INVITE transaction. A nil response without error means that
// the call was answered and is somebody else's now.
func (a *attempt) invite() (*wire.Response, error) {
	a.build()
	s := a.leg.s
	if err := s.address(s.life, a.req, a.target.ep, a.target.to); err != nil {
		return nil, fmt.Errorf("%w: %w", cti.ErrUnreachable, err)
	}
	tx, err := s.txl.Request(s.life, a.req)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", cti.ErrUnreachable, err)
	}
	a.tx, a.heard, a.ended, a.branches = tx, false, false, map[string]*branch{}
	tx.OnRetransmission(func(res *wire.Response) {
		s.work.Enter()
		defer s.work.Leave()
		if err := guard.Call(func() { a.again(res) }); err != nil {
			s.log.Error("repeated answer not served", "err", err)
		}
	})
	return a.listen()
}

func (a *attempt) build() {
	a.seq++
	req := wire.NewRequest(wire.INVITE, a.target.uri)
	from, callID := a.from, a.callID
	to := wire.Uri{Scheme: "sip", User: a.target.uri.User, Host: a.target.uri.Host}
	req.AppendHeader(&from)
	req.AppendHeader(&wire.ToHeader{Address: to})
	req.AppendHeader(&callID)
	req.AppendHeader(&wire.CSeqHeader{SeqNo: a.seq, MethodName: wire.INVITE})
	req.AppendHeader(a.leg.s.contact(a.target.ep, a.target.to.Addr()))
	req.AppendHeader(allow())
	a.extend(req)
	if plain(a.cti) && a.cti != "" {
		req.AppendHeader(wire.NewHeader("X-Callbox-Call", a.cti))
	}
	a.who.dress(req)
	a.target.lead(req)
	if a.auth != nil {
		req.AppendHeader(a.auth)
	}
	setSDP(req, a.leg.ourOffer())
	a.req = req
}

// extend asks for the extensions that we want of the peer.
func (a *attempt) extend(req *wire.Request) {
	supported := "timer"
	if a.leg.trunk != nil && a.leg.trunk.prack() != prackOff {
		supported += ", 100rel"
	}
	req.AppendHeader(wire.NewHeader("Supported", supported))
	if a.leg.trunk.prack() == prackRequired {
		req.AppendHeader(wire.NewHeader("Require", "100rel"))
	}
	for _, h := range wishFor(a.leg.s.interval, a.least, "") {
		req.AppendHeader(h)
	}
}

// listen waits for the final response, and for the wish to cancel.
func (a *attempt) listen() (*wire.Response, error) {
	stopped := a.stopped
	silence := a.silence()
	var limit <-chan time.Time
	for {
		select {
		case res := <-a.tx.Responses():
			if final, err, done := a.response(res); done {
				return final, err
			}
		case <-a.tx.Done():
			return nil, fmt.Errorf("%w: %w", cti.ErrUnreachable, errSilent)
		case <-stopped:
			stopped, limit = nil, time.After(a.leg.s.timers.giveUp())
			a.sendCancel()
		case <-silence:
			var err error
			if silence, err = a.staysSilent(); err != nil {
				return nil, err
			}
		case <-a.leg.s.life.Done():
			a.tx.Terminate()
			return nil, cti.ErrCanceled
		case <-limit:
			a.tx.Terminate()
			return nil, fmt.Errorf("%w: nothing came after CANCEL", cti.ErrNoAnswer)
		}
	}
}

// leave lets the caller go another way. What the trunk may still say is served:
// the first response is followed by CANCEL, an answer by ACK and BYE.
func (a *attempt) leave() {
	a.left = true
	a.fail(fmt.Errorf("%w: %w", cti.ErrUnreachable, errSilent))
	a.cancel()
}

// response takes one response; done ends the listening.
func (a *attempt) response(res *wire.Response) (final *wire.Response, err error, done bool) {
	switch {
	case res.IsProvisional():
		a.provisional(res)
		return nil, nil, false
	case res.IsSuccess():
		return nil, a.success(res), true
	}
	return res, nil, true
}

func (a *attempt) provisional(res *wire.Response) {
	a.heard = true
	if a.isStopped() {
		defer a.sendCancel()
	}
	if res.StatusCode == 100 {
		return
	}
	b := a.branchOf(res)
	body := bodySDP(res)
	if rseq, ok := rseqOf(res); ok && b != nil {
		if !b.inOrder(rseq) {
			return
		}
		a.prack(b.d, rseq)
		if len(body) > 0 {
			b.d.set(settled)
		}
	}
	if b != nil {
		a.leg.ringsAt(b.d)
	}
	a.leg.alert()
	if len(body) > 0 {
		a.early = body
		if b != nil {
			b.d.described(body, false)
		}
		a.leg.hearEarly(body)
	}
}

// sendCancel sends CANCEL, not before a provisional response
// (RFC 3261 §9.1); the first one that comes triggers it then.
func (a *attempt) sendCancel() {
	if !a.heard || a.ended {
		return
	}
	a.ended = true
	req := wire.NewRequest(wire.CANCEL, a.req.Recipient)
	via, from, to, callID := *a.req.Via(), *a.req.From(), *a.req.To(), *a.req.CallID()
	hops := wire.MaxForwardsHeader(70)
	req.AppendHeader(&via)
	req.AppendHeader(&hops)
	req.AppendHeader(&from)
	req.AppendHeader(&to)
	req.AppendHeader(&callID)
	req.AppendHeader(&wire.CSeqHeader{SeqNo: a.seq, MethodName: wire.CANCEL})
	req.SetBody(nil)
	req.SetTransport(a.req.Transport())
	req.SetDestination(a.req.Destination())
	req.Laddr = a.req.Laddr
	s := a.leg.s
	s.work.Go("CANCEL", func() {
		ctx, cancel := context.WithTimeout(s.life, s.timers.giveUp())
		defer cancel()
		if _, err := s.transact(ctx, req); err != nil {
			a.leg.log.Info("CANCEL without an answer", "err", err)
		}
	})
}

// success takes a 2xx: ACK in any case, then talk, or BYE if nobody wants this
// answer any more (the 2xx that crossed our CANCEL, the slower phone).
func (a *attempt) success(res *wire.Response) error {
	a.mu.Lock()
	a.tag = tagOf(res.To())
	a.mu.Unlock()
	d := a.dialogOf(res)
	if d.leg == nil {
		a.leg.mayBecome(d)
	}
	talks, err := a.settle(d, res)
	if talks || errors.Is(err, errNotSent) {
		return err
	}
	d.finish(time.Now())
	a.leg.s.bye(d, a.leg.trunk)
	if err != nil {
		return fmt.Errorf("%w: %w", cti.ErrUnreachable, err)
	}
	return cti.ErrCanceled
}

// settle sends the ACK and says whether the leg talks in d from now on. What the
// peer sends in d right behind the ACK, its BYE even, waits until that is known.
func (a *attempt) settle(d *dialog, res *wire.Response) (talks bool, err error) {
	d.serial.Lock()
	defer d.serial.Unlock()
	if !a.acknowledge(d, res) {
		return false, fmt.Errorf("%w: ACK: %w", cti.ErrUnreachable, errNotSent)
	}
	body := a.description(res, d)
	d.set(settled)
	d.watch(readTimer(res).granted(), time.Now())
	sound, err := a.leg.sdp.answered(body, a.leg.laws)
	return err == nil && a.leg.won(a, d, sound, body), err
}

// description is what the peer says in its 2xx, or said there before it. An
// offer of its own that came in between is newer than an answer repeated here.
func (a *attempt) description(res *wire.Response, d *dialog) []byte {
	before, offered := d.heard()
	body := bodySDP(res)
	switch {
	case len(body) > 0 && !offered:
		return body
	case before != nil:
		return before
	}
	return a.early
}

func (a *attempt) newDialog(res *wire.Response) *dialog {
	d := asClient(a.req, res, a.target.ep, a.target.to)
	d.symmetric = a.target.phone || a.target.ep.isStream()
	return d
}

// dialogOf is the dialog that a 2xx makes, or makes of an early one.
func (a *attempt) dialogOf(res *wire.Response) *dialog {
	b := a.branches[tagOf(res.To())]
	if b == nil || b.d.isOver() {
		return a.newDialog(res)
	}
	b.d.confirm(res)
	return b.d
}

// acknowledge sends the ACK of a 2xx, which is no transaction, and keeps it
// for repetitions.
func (a *attempt) acknowledge(d *dialog, res *wire.Response) bool {
	s := a.leg.s
	ack := d.request(wire.ACK)
	if a.auth != nil {
		ack.AppendHeader(a.auth)
	}
	if err := s.address(s.life, ack, d.ep, s.way(s.life, d)); err != nil {
		a.leg.log.Error("ACK not sent", "err", err)
		return false
	}
	a.mu.Lock()
	a.acks[tagOf(res.To())] = ack
	a.mu.Unlock()
	a.write(ack)
	return true
}

func (a *attempt) write(ack *wire.Request) {
	if err := a.leg.s.sendACK(ack); err != nil {
		a.leg.log.Warn("ACK not sent", "err", err)
	}
}

// sendACK sends a copy: the library writes into what it sends, and answers that
// are repeated at once get the same ACK at once. Nothing is sent after the end.
func (s *Server) sendACK(ack *wire.Request) error {
	if s.life.Err() != nil {
		return nil
	}
	return s.ua.TransportLayer().WriteMsg(ack.Clone())
}

// again serves a 2xx after the first: a repetition gets its ACK again, another
// branch of a fork (another tag) gets ACK and BYE.
func (a *attempt) again(res *wire.Response) {
	tag := tagOf(res.To())
	a.mu.Lock()
	ack, known := a.acks[tag]
	foreign := a.tag != "" && tag != a.tag // else the first one is still on its way to us
	a.mu.Unlock()
	if known {
		a.write(ack)
		return
	}
	if !foreign {
		return
	}
	if d := a.dialogOf(res); a.acknowledge(d, res) {
		s := a.leg.s
		d.finish(time.Now())
		s.work.Go("BYE to a fork", func() { s.bye(d, a.leg.trunk) })
	}
}

// failures say what a final response means for the leg.
var failures = map[int]error{
	486: cti.ErrBusy, 600: cti.ErrBusy,
	603: cti.ErrRejected, 403: cti.ErrRejected, 401: cti.ErrRejected, 407: cti.ErrRejected, 488: cti.ErrRejected, 606: cti.ErrRejected,
	408: cti.ErrNoAnswer, 480: cti.ErrNoAnswer, 487: cti.ErrNoAnswer,
	404: cti.ErrNotFound, 410: cti.ErrNotFound, 484: cti.ErrNotFound, 604: cti.ErrNotFound, 485: cti.ErrNotFound,
}

func failure(code int) error {
	if err, ok := failures[code]; ok {
		return fmt.Errorf("%w (%d)", err, code)
	}
	if code == 503 {
		return fmt.Errorf("%w: %w (503)", cti.ErrUnreachable, errSilent)
	}
	return fmt.Errorf("%w (%d)", cti.ErrUnreachable, code)
}
