package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"callbox/cti/ctitest"
)

// suite is what sealed phones offer and take.
const suite = "AES_CM_128_HMAC_SHA1_80"

// legs compares what calls cost that are alike but for their legs: bridged in
// the clear, bridged with SRTP on both, and as conferences of three.
func (b *bench) legs(ctx context.Context, dir string) (rows []row, err error) {
	n := max(1, b.calls/2)
	var plain float64
	for _, way := range []struct {
		name   string
		sealed bool
		joined bool
	}{{"bridged, RTP", false, false}, {"bridged, SRTP on both legs", true, false}, {"conferences of three, RTP", false, true}} {
		cost, err := b.talking(ctx, dir, n, way.sealed, way.joined)
		if err != nil {
			return rows, fmt.Errorf("%s: %w", way.name, err)
		}
		figure := fmt.Sprintf("%.4f s", cost)
		if plain == 0 {
			plain = cost
		} else {
			figure += fmt.Sprintf(" (%.2f times the first)", cost/plain)
		}
		rows = append(rows, row{fmt.Sprintf("%d calls recorded for %v, %s: CPU a call-minute", n, b.talk, way.name), figure, ""})
	}
	return rows, nil
}

// talking is what n calls of a kind cost a minute, in seconds of processor time.
func (b *bench) talking(ctx context.Context, dir string, n int, sealed, joined bool) (perMinute float64, err error) {
	agents, least := n, 0.8
	if joined {
		agents, least = 2*n, 0.3 // an agent hears the other one too
	}
	s, err := newStaff(ctx, b.program, dir, files{agents: agents, sealed: sealed})
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, s.close(), clean(dir)) }()
	if _, err := s.warm(ctx); err != nil {
		return 0, err
	}
	s.behave(ctitest.Plan{})
	calls, err := s.talkAll(ctx, n)
	if err != nil {
		return 0, err
	}
	if joined {
		if err := s.join(ctx, s.answers()); err != nil {
			return 0, err
		}
	}
	used, _, err := s.spent(ctx, b.talk)
	if err != nil {
		return 0, err
	}
	for _, c := range calls {
		if sealed && (c.Suite() == "" || c.Unopened() > 0) {
			return 0, fmt.Errorf("suite %q, %d packets that could not be opened", c.Suite(), c.Unopened())
		}
	}
	return used.Seconds() / (float64(n) * b.talk.Minutes()), s.heard(calls, least)
}

// join makes every call a conference with one agent more.
func (s *staff) join(ctx context.Context, taken []*answer) error {
	busy := map[*desk]bool{}
	for _, a := range taken {
		busy[a.desk] = true
	}
	free := s.desks
	for _, a := range taken {
		for busy[free[0]] {
			free = free[1:]
		}
		to := free[0]
		free = free[1:]
		if err := s.consult(ctx, a, to); err != nil {
			return err
		}
	}
	return until(ctx, startLimit, func() (bool, error) { return len(s.answers()) == 2*len(taken), nil })
}

func (s *staff) consult(ctx context.Context, a *answer, to *desk) error {
	path := "/api/v1/calls/" + a.talk.Invite().Get("X-Callbox-Call")
	before := len(s.answers())
	if err := a.desk.client.do(ctx, http.MethodPost, path+"/consultationCall", http.StatusOK, map[string]any{"to": to.id}, nil); err != nil {
		return err
	}
	err := until(ctx, startLimit, func() (bool, error) { return len(s.answers()) > before, nil })
	if err := errors.Join(err, pause(ctx, 100*time.Millisecond)); err != nil {
		return err
	}
	return a.desk.client.do(ctx, http.MethodPost, path+"/conferenceCall", http.StatusOK, map[string]any{}, nil)
}
