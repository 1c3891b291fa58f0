package ivr_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/internal/guard"
	"callbox/ivr"
	"callbox/ivr/flow"
)

// phone is a caller in memory who notes what was heard, and how long where a
// prompt was cut short.
type phone struct {
	*ctitest.Leg
	*ear
	ended chan struct{} // closed when the call is over

	out    cti.Outcome
	failed error
}

type ear struct {
	*ctitest.Port
	mu    sync.Mutex
	heard []string
}

func (e *ear) Play(ctx context.Context, prompt media.Prompt) error {
	start := time.Now()
	err := e.Port.Play(ctx, prompt)
	heard := prompt.Name
	if err != nil {
		heard += "/" + time.Since(start).String()
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.heard = append(e.heard, heard)
	return err
}

func (e *ear) sounds() string {
	e.mu.Lock()
	defer e.mu.Unlock()
	return strings.Join(e.heard, " ")
}

func (p *phone) wait() (cti.Outcome, error) {
	<-p.ended
	return p.out, p.failed
}

func (p *phone) answered() bool {
	select {
	case <-p.Leg.Answered():
		return true
	default:
		return false
	}
}

// prompts are 3 s each; lost.wav is none, slow.wav does not come.
type prompts struct{}

var errLost = errors.New("no such file")

func (prompts) Prompt(ctx context.Context, name string) (media.Prompt, error) {
	switch name {
	case "lost.wav":
		return media.Prompt{}, errLost
	case "slow.wav":
		<-ctx.Done()
		return media.Prompt{}, context.Cause(ctx)
	}
	return media.Prompt{Name: strings.TrimSuffix(name, ".wav"), PCMA: make([]byte, 3*media.SampleRate)}, nil
}

// queues gives each queue's outcome after a second.
type queues map[string]cti.Outcome

func (q queues) Enqueue(ctx context.Context, _ *cti.Call, w cti.Wanted) (cti.Outcome, error) {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
		return cti.Outcome{Kind: cti.Gone}, nil
	}
	out, ok := q[w.Queue]
	if !ok {
		return out, cti.ErrNotFound
	}
	return out, nil
}

type tickets struct{ asked *string }

func (t tickets) Get(_ context.Context, url string) (json.RawMessage, error) {
	*t.asked = url
	if strings.HasSuffix(url, "/404") {
		return nil, nil
	}
	return json.RawMessage(`{"status":"done"}`), nil
}

// store is the ledger; it keeps the record.
type store struct {
	mu     sync.Mutex
	record cti.CDR
	digits string

	refuses bool // to record: where the nodes say "unrecorded"
}

func (s *store) Open(context.Context, cti.CDR) error                { return nil }
func (s *store) Amend(context.Context, string, cti.Amendment) error { return nil }
func (s *store) Close(_ context.Context, r cti.CDR) error           { s.record = r; return nil }
func (s *store) Note(_ context.Context, e cti.Event) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e.Type == cti.EventDigitsReceived {
		s.digits += e.UserData["digits"].(string) + " "
	}
	return nil
}

func (s *store) Record(_ context.Context, _ string, outside media.Port) (func(context.Context) cti.Recording, error) {
	if s.refuses {
		return nil, errors.ErrUnsupported
	}
	outside.Tap(deaf{})
	return func(context.Context) cti.Recording { return cti.Recording{} }, nil
}

type deaf struct{}

func (deaf) Sound(media.Side, int64, []byte) {}

type route struct {
	handler cti.Handler
	phone   *phone
}

func (r route) Route(cti.Origin, cti.Target) (cti.Handler, error) { return r, nil }

func (r route) Handle(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
	r.phone.out, r.phone.failed = r.handler.Handle(ctx, call)
	return r.phone.out, r.phone.failed
}

// call lets somebody call a flow, given by its nodes; it begins at node a.
func call(t *testing.T, nodes string, deps ivr.Deps) (*phone, *store) {
	t.Helper()
	flows, faults := flow.Parse([]byte("id: test\nstart: a\nnodes:\n"+nodes), "test.yaml")
	if len(faults) > 0 {
		t.Fatal(faults)
	}
	deps.Prompts = prompts{}
	if deps.Queues == nil {
		deps.Queues = queues{}
	}
	handler, err := ivr.New(flows[0], "", deps)
	if err != nil {
		t.Fatal(err)
	}
	heard := &ear{Port: ctitest.NewPort(media.PCMA)}
	p := &phone{
		Leg: ctitest.NewLeg(cti.Origin{Direction: cti.In, DID: "4001234567"}, heard),
		ear: heard, ended: make(chan struct{}),
	}
	s := &store{refuses: strings.Contains(nodes, "unrecorded")}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	server := cti.NewServer(cti.Config{Log: log}, cti.Deps{Recorder: s, Ledger: s})
	server.SetRouter(route{handler, p})
	guard.Go("call", log, func() {
		defer close(p.ended)
		if err := server.Accept(context.Background(), p.Leg); err != nil {
			t.Error(err)
		}
	})
	return p, s
}

func (*store) Pause(string, bool) error { return nil }
