package sip

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"callbox/internal/guard"

	wire "github.com/emiago/sipgo/sip"
)

// errPending is why no offer can be made now: another one is open.
var errPending = errors.New("an offer is open")

// reinvite offers body within d and gives the final response (RFC 3261 §14.1).
// A 2xx gets its ACK, and the answer in it is taken. fill adds headers.
func (s *Server) reinvite(ctx context.Context, d *dialog, body []byte, fill func(*wire.Request)) (*wire.Response, error) {
	if !d.propose() {
		return nil, fmt.Errorf("re-INVITE: %w", errPending)
	}
	defer d.set(settled)
	compose := func(req *wire.Request) {
		req.AppendHeader(s.contact(d.ep, d.hop().Addr()))
		req.AppendHeader(allow())
		fill(req)
		setSDP(req, body)
	}
	res, err := s.authenticated(d.leg.trunk, func(auth wire.Header) (*wire.Response, *wire.Request, error) {
		return s.offerOnce(ctx, d, auth, compose)
	})
	if err != nil || !res.IsSuccess() {
		return res, err
	}
	if err := d.leg.takeAnswer(res); err != nil {
		d.leg.log.Warn("the answer to our offer is of no use", "err", err)
	}
	return res, nil
}

// offerOnce is one INVITE transaction within d.
func (s *Server) offerOnce(ctx context.Context, d *dialog, auth wire.Header, compose func(*wire.Request)) (*wire.Response, *wire.Request, error) {
	req := d.request(wire.INVITE)
	compose(req)
	if auth != nil {
		req.AppendHeader(auth)
	}
	if err := s.address(ctx, req, d.ep, s.way(ctx, d)); err != nil {
		return nil, nil, fmt.Errorf("re-INVITE: %w", err)
	}
	tx, err := s.txl.Request(s.life, req)
	if err != nil {
		return nil, nil, fmt.Errorf("re-INVITE: %w", err)
	}
	ack := &ackOnce{s: s, d: d, auth: auth}
	tx.OnRetransmission(ack.serve)
	res, err := finalOf(ctx, tx)
	if err != nil {
		tx.Terminate()
		return nil, nil, fmt.Errorf("re-INVITE: %w", err)
	}
	if res.IsSuccess() {
		d.retarget(res)
		ack.send(ctx)
	}
	return res, req, nil
}

// finalOf drains a transaction's responses up to the final one.
func finalOf(ctx context.Context, tx *wire.ClientTx) (*wire.Response, error) {
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, errNoAnswer
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// ackOnce is the ACK of a re-INVITE's 2xx, sent again whenever that comes again.
type ackOnce struct {
	s    *Server
	d    *dialog
	auth wire.Header

	mu  sync.Mutex // guards what follows
	ack *wire.Request
}

func (a *ackOnce) send(ctx context.Context) {
	ack := a.d.request(wire.ACK)
	if a.auth != nil {
		ack.AppendHeader(a.auth)
	}
	if err := a.s.address(ctx, ack, a.d.ep, a.s.way(ctx, a.d)); err != nil {
		a.d.leg.log.Error("ACK not sent", "err", err)
		return
	}
	a.mu.Lock()
	a.ack = ack
	a.mu.Unlock()
	a.again()
}

func (a *ackOnce) again() {
	a.mu.Lock()
	ack := a.ack
	a.mu.Unlock()
	if ack == nil {
		return
	}
	if err := a.s.sendACK(ack); err != nil {
		a.d.leg.log.Warn("ACK not sent", "err", err)
	}
}

// serve is called by the library for each repeated response.
func (a *ackOnce) serve(res *wire.Response) {
	a.s.work.Enter()
	defer a.s.work.Leave()
	if err := guard.Call(a.again); err != nil {
		a.s.log.Error("repeated answer not served", "code", res.StatusCode, "err", err)
	}
}
