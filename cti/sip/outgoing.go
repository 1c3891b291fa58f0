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
	res, err := finalOf(ctx, tx)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", req.Method, err)
	}
	return res, nil
}

// inDialog sends a request within d, answers one challenge of the trunk and
// gives the final response. fill adds headers and body, nil adds none.
func (s *Server) inDialog(ctx context.Context, d *dialog, tr *trunk, method wire.RequestMethod, fill func(*wire.Request)) (*wire.Response, error) {
	return s.authenticated(tr, func(auth wire.Header) (*wire.Response, *wire.Request, error) {
		req := d.request(method)
		if fill != nil {
			fill(req)
		}
		if auth != nil {
			req.AppendHeader(auth)
		}
		if err := s.address(ctx, req, d.ep, s.way(ctx, d)); err != nil {
			return nil, nil, fmt.Errorf("%s: %w", method, err)
		}
		res, err := s.transact(ctx, req)
		return res, req, err
	})
}

// authenticated tries a request, and once more if the trunk asks for
// credentials that it may have.
func (s *Server) authenticated(tr *trunk, try func(auth wire.Header) (*wire.Response, *wire.Request, error)) (*wire.Response, error) {
	res, req, err := try(nil)
	if err != nil || !challenges(res) {
		return res, err
	}
	name, value, err := s.credentials(req, res, tr)
	if err != nil {
		return nil, err
	}
	res, _, err = try(wire.NewHeader(name, value))
	return res, err
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
	if _, err := s.inDialog(ctx, d, tr, wire.BYE, nil); err != nil {
		s.log.Info("BYE without an answer", "dialog", d.id, "err", err)
		if s.life.Err() != nil {
			return
		}
	}
	s.deps.Dialogs.Closed(d.id)
}

func challenges(res *wire.Response) bool { return res.StatusCode == 401 || res.StatusCode == 407 }
