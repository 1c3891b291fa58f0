package sip

import (
	"context"
	"errors"
	"fmt"

	wire "github.com/emiago/sipgo/sip"
)

var (
	errUnsafe   = errors.New("a header would hold a line break")
	errNoAnswer = errors.New("no answer from the network")
)

// transact sends a request other than INVITE and ACK and gives its final
// response.
func (s *Server) transact(ctx context.Context, req *wire.Request) (*wire.Response, error) {
	tx, err := s.txl.Request(ctx, req)
	if err != nil {
		return nil, fmt.Errorf("send %s: %w", req.Method, err)
	}
	defer tx.Terminate()
	for {
		select {
		case res := <-tx.Responses():
			if !res.IsProvisional() {
				return res, nil
			}
		case <-tx.Done():
			return nil, fmt.Errorf("%s: %w", req.Method, errNoAnswer)
		case <-ctx.Done():
			return nil, fmt.Errorf("%s: %w", req.Method, context.Cause(ctx))
		}
	}
}

// inDialog sends a request within d and answers one challenge of the trunk.
func (s *Server) inDialog(ctx context.Context, d *dialog, method wire.RequestMethod, tr *trunk) error {
	res, req, err := s.tryInDialog(ctx, d, method, "", "")
	if err != nil || !challenges(res) {
		return err
	}
	name, value, err := s.credentials(req, res, tr)
	if err != nil {
		return err
	}
	_, _, err = s.tryInDialog(ctx, d, method, name, value)
	return err
}

func (s *Server) tryInDialog(ctx context.Context, d *dialog, method wire.RequestMethod, name, value string) (*wire.Response, *wire.Request, error) {
	req := d.request(method)
	if name != "" {
		req.AppendHeader(wire.NewHeader(name, value))
	}
	if err := s.address(ctx, req, d.ep, d.hop()); err != nil {
		return nil, nil, err
	}
	res, err := s.transact(ctx, req)
	return res, req, err
}

// keep has d's row kept, unless d ended meanwhile.
func (s *Server) keep(d *dialog) {
	s.deps.Dialogs.Open(d.row())
	if d.isOver() {
		s.deps.Dialogs.Closed(d.id)
	}
}

// bye ends d at the peer and forgets its row. A row whose BYE was cut off by the
// end of the server stays, for the next run.
func (s *Server) bye(d *dialog, tr *trunk) {
	ctx, cancel := context.WithTimeout(s.life, s.timers.giveUp())
	defer cancel()
	if err := s.inDialog(ctx, d, wire.BYE, tr); err != nil {
		s.log.Info("BYE without an answer", "dialog", d.id, "err", err)
		if s.life.Err() != nil {
			return
		}
	}
	s.deps.Dialogs.Closed(d.id)
}

func challenges(res *wire.Response) bool { return res.StatusCode == 401 || res.StatusCode == 407 }
