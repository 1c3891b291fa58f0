package main

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"callbox/cti/ctitest"
	"callbox/internal/guard"
)

// The tones of the two sides.
const (
	callerTone = 1100
	agentTone  = 620
)

// staff is a box with agents at their desks and the carrier that calls them.
type staff struct {
	*box
	idle    int      // kB before any log-in
	suites  []string // of SRTP
	desks   []*desk
	carrier *ctitest.Phone
	runs    guard.Group
	stop    context.CancelFunc

	mu    sync.Mutex // guards what follows
	plan  ctitest.Plan
	pitch float64 // of their voices; 0: they send plan's tone
	taken []*answer
}

// desk is one agent: a browser and a telephone.
type desk struct {
	id     string
	client *client
	screen *screen
	phone  *ctitest.Phone
}

// answer is a call that an agent took.
type answer struct {
	desk *desk
	talk *ctitest.Talk
}

// newStaff starts a box with agents who are ready. They log in before a
// restart, so that what checking passwords costs is in no figure.
func newStaff(ctx context.Context, program, dir string, f files) (*staff, error) {
	b, err := newBox(ctx, program, dir, f)
	if err != nil {
		return nil, err
	}
	s := &staff{box: b, suites: f.suites(), stop: func() {}}
	for i := range f.agents {
		c, err := b.login(ctx, agentID(i))
		if err != nil {
			return nil, errors.Join(err, b.stop())
		}
		s.desks = append(s.desks, &desk{id: agentID(i), client: c})
	}
	old := b.http
	if err := b.stop(); err != nil {
		return nil, err
	}
	if err := b.restart(ctx, old); err != nil {
		return nil, err
	}
	if err := s.sitDown(ctx); err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

// restart starts the box again at the address that the cookies are for.
func (b *box) restart(ctx context.Context, address string) error {
	if err := (files{}).moveHTTP(b.dir, address); err != nil {
		return err
	}
	return b.start(ctx)
}

// sitDown brings carrier, phones and screens up.
func (s *staff) sitDown(ctx context.Context) error {
	if err := pause(ctx, 2*time.Second); err != nil {
		return err
	}
	var err error
	if s.idle, err = s.rss(); err != nil {
		return err
	}
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	if s.carrier, err = ctitest.NewPhone(ctitest.PhoneConfig{Server: s.sip, SRTP: s.suites}); err != nil {
		return err
	}
	s.runs.Go("carrier", func() { _ = s.carrier.Run(life) }) // calls that fail tell
	for _, d := range s.desks {
		if err := s.desk(ctx, life, d); err != nil {
			return err
		}
	}
	return nil
}

func (s *staff) desk(ctx, life context.Context, d *desk) error {
	var err error
	d.phone, err = ctitest.NewPhone(ctitest.PhoneConfig{
		Server: s.sip, SRTP: s.suites, User: d.id, Password: "sip-" + d.id, Expires: time.Hour,
		OnCall: func(t *ctitest.Talk) ctitest.Plan { return s.incoming(d, t) },
	})
	if err != nil {
		return err
	}
	s.runs.Go("phone", func() { _ = d.phone.Run(life) }) // as above
	select {
	case <-d.phone.Registered():
	case <-time.After(startLimit):
		return fmt.Errorf("phone %s is not registered", d.id)
	}
	if d.screen, err = d.client.open(ctx); err != nil {
		return fmt.Errorf("agent %s: %w", d.id, err)
	}
	if err := d.screen.do(ctx, "setAgentState", map[string]any{"state": "ready"}); err != nil {
		return fmt.Errorf("agent %s: %w", d.id, err)
	}
	return nil
}

func (s *staff) incoming(d *desk, t *ctitest.Talk) ctitest.Plan {
	t.Listen(callerTone)
	s.mu.Lock()
	defer s.mu.Unlock()
	plan := s.plan
	plan.Hz = agentTone
	pitch := s.pitch
	plan.Answered = func(*ctitest.Talk) {
		if pitch > 0 {
			t.Babble(pitch)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.taken = append(s.taken, &answer{d, t})
	}
	return plan
}

// behave sets what phones do with calls from now on, and forgets those taken.
func (s *staff) behave(plan ctitest.Plan) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.plan, s.taken = plan, nil
}

// babble lets phones speak with a voice of so many Hz from now on.
func (s *staff) babble(pitch float64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pitch = pitch
}

// answers are the calls taken since behave.
func (s *staff) answers() []*answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]*answer(nil), s.taken...)
}

// call dials the hotline with the caller's tone.
func (s *staff) call(ctx context.Context) (*ctitest.Talk, error) {
	t, err := s.carrier.Call(ctx, hotline, ctitest.CallOptions{From: "13800138000"})
	if err != nil {
		return nil, err
	}
	t.Tone(callerTone)
	return t, nil
}

// close ends phones, screens and the box.
func (s *staff) close() error {
	s.stop()
	s.runs.Wait()
	for _, d := range s.desks {
		if d.screen != nil {
			d.screen.close()
		}
	}
	return s.box.stop()
}
