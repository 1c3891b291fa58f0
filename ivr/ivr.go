// Package ivr walks a caller through a flow: prompts, menus, queues, messages.
//
// A [Flow] is a [cti.Handler]; it runs in the call's goroutine, and a prompt
// plays in a guarded goroutine that ends before the next step. ivr knows neither
// SIP nor files nor agents: sound, queues and HTTP come in through ports.go.
package ivr

import (
	"context"
	"errors"
	"fmt"
	"time"

	"callbox/cti"
	"callbox/ivr/flow"
)

// promptLimit is how long a caller waits at most for sound that cannot be had.
const promptLimit = 500 * time.Millisecond

// ErrCircles means that a flow did not come to an end.
var ErrCircles = errors.New("the flow runs in circles")

// Deps are the parts a flow works with. Fetcher may be nil: http nodes then
// take their way for a failure. Calendars may be nil: nothing is ever closed.
type Deps struct {
	Prompts   Prompts
	Queues    Queues
	Fetcher   Fetcher
	Calendars Calendars
}

// Flow handles calls by one flow. It holds nothing of a call, so one Flow
// serves any number at a time.
type Flow struct {
	graph flow.Flow
	start string
	deps  Deps
}

// New makes a handler of a checked flow; calls begin at node start, or at the
// flow's own start if that is empty. Errors: [cti.ErrNotFound].
func New(graph flow.Flow, start string, deps Deps) (*Flow, error) {
	if start == "" {
		start = graph.Start
	}
	if _, ok := graph.Nodes[start]; !ok {
		return nil, fmt.Errorf("flow %s: node %q: %w", graph.ID, start, cti.ErrNotFound)
	}
	if deps.Prompts == nil || deps.Queues == nil {
		return nil, fmt.Errorf("flow %s: Prompts and Queues are needed", graph.ID)
	}
	return &Flow{graph: graph, start: start, deps: deps}, nil
}

// Handle takes a call from node to node until the flow ends, the caller does,
// or a queue hands the call on. It returns soon after ctx ends.
func (f *Flow) Handle(ctx context.Context, call *cti.Call) (cti.Outcome, error) {
	w := &walk{flow: f, call: call, keys: keys{port: call.Media(), log: call.Log()}, vars: map[string]any{}}
	next := f.start
	for range flow.MaxVisits {
		if ctx.Err() != nil {
			return gone(context.Cause(ctx)), nil
		}
		if next == "" {
			return w.completed(), nil
		}
		call.Visit(next)
		step, err := w.visit(ctx, f.graph.Nodes[next])
		if err != nil || step.end != nil {
			return w.end(ctx, step, err)
		}
		next = step.next
	}
	return cti.Outcome{Kind: cti.Failed, Side: cti.BoxSide, Cause: cti.CauseError},
		fmt.Errorf("flow %s: %w: %d nodes", f.graph.ID, ErrCircles, flow.MaxVisits)
}

// walk is one call's way through a flow.
type walk struct {
	flow *Flow
	call *cti.Call
	keys keys
	vars map[string]any
	// talked is the last talk, which stays the call's outcome whatever the
	// flow does after it.
	talked *cti.Outcome
}

// step is where a node leads: to the next one (none: the flow is over) or to an
// outcome that ends the flow at once.
type step struct {
	next string
	end  *cti.Outcome
}

// silent are the kinds of nodes that need no answered call.
var silent = map[string]bool{flow.Hangup: true, flow.HTTP: true, flow.Calendar: true}

func (w *walk) visit(ctx context.Context, n flow.Node) (step, error) {
	if !silent[n.Kind] {
		if err := w.call.Answer(ctx); err != nil {
			return step{}, err
		}
	}
	switch n.Kind {
	case flow.Play, flow.Say:
		w.play(ctx, n.Prompt)
		return step{next: n.Next}, nil
	case flow.Menu:
		return step{next: w.menu(ctx, n)}, nil
	case flow.Collect:
		return step{next: w.collect(ctx, n)}, nil
	case flow.HTTP:
		return step{next: w.fetch(ctx, n)}, nil
	case flow.Queue:
		return w.queue(ctx, n)
	case flow.Calendar:
		return step{next: w.calendar(n.Calendar)}, nil
	case flow.Voicemail:
		return step{next: w.voicemail(ctx, n)}, nil
	case flow.Hangup:
		return step{}, nil
	}
	return step{}, fmt.Errorf("node of kind %q: %w", n.Kind, cti.ErrNotServed)
}

// calendar is where a calendar leads at this moment. One that is not there
// counts as open: a caller is rather heard than turned away.
func (w *walk) calendar(spec flow.CalendarSpec) string {
	if w.flow.deps.Calendars == nil {
		return spec.Open
	}
	open, known := w.flow.deps.Calendars.Open(spec.ID, time.Now())
	switch {
	case !known:
		w.call.Log().Error("no such calendar; it counts as open", "calendar", spec.ID)
		return spec.Open
	case open:
		return spec.Open
	}
	return spec.Closed
}

func (w *walk) end(ctx context.Context, s step, err error) (cti.Outcome, error) {
	switch {
	case ctx.Err() != nil && s.end == nil:
		return gone(context.Cause(ctx)), nil
	case hungUp(err):
		return gone(err), nil
	case err != nil:
		return cti.Outcome{Kind: cti.Failed, Side: cti.BoxSide, Cause: cti.CauseError},
			fmt.Errorf("flow %s: %w", w.flow.graph.ID, err)
	}
	return *s.end, nil
}

// completed is a flow that came to its end: the box hangs up.
func (w *walk) completed() cti.Outcome {
	out := cti.Outcome{Kind: cti.Completed}
	if w.talked != nil {
		out = *w.talked
	}
	out.Side, out.Cause = cti.BoxSide, cti.CauseNormal
	return out
}

// hungUp says that the caller's leg is over, which may show in an error before
// it shows in the call's context.
func hungUp(err error) bool {
	return errors.Is(err, cti.ErrRemoteHangup) || errors.Is(err, cti.ErrLineLost) || errors.Is(err, cti.ErrCanceled)
}

// gone is the outcome for a call that is over, for this reason.
func gone(why error) cti.Outcome {
	out := cti.Outcome{Kind: cti.Gone, Side: cti.CallerSide, Cause: cti.CauseNormal}
	switch {
	case errors.Is(why, cti.ErrLineLost):
		out.Side, out.Cause = cti.LineSide, cti.CauseLineLost
	case !hungUp(why):
		out.Side = cti.BoxSide
	}
	return out
}

// queue lets the caller wait for an agent and reads where the outcome leads.
func (w *walk) queue(ctx context.Context, n flow.Node) (step, error) {
	out, err := w.flow.deps.Queues.Enqueue(ctx, w.call, cti.Wanted{Queue: n.Queue.ID})
	if ctx.Err() != nil {
		return step{end: &out}, nil
	}
	if err != nil {
		if n.Queue.NoAgent == "" {
			return step{}, err
		}
		w.call.Log().Error("queue failed, caller goes on as without agents", "queue", n.Queue.ID, "err", err)
		return step{next: n.Queue.NoAgent}, nil
	}
	return w.after(n, out), nil
}

func (w *walk) after(n flow.Node, out cti.Outcome) step {
	next := map[string]string{
		cti.NoAgents: n.Queue.NoAgent,
		cti.TimedOut: n.Queue.Timeout,
		cti.Full:     n.Queue.Full,
		cti.Talked:   n.Next,
	}[out.Kind]
	if out.Kind == cti.Full && next == "" {
		next = n.Queue.Timeout
	}
	if out.Kind == cti.Talked {
		w.talked = &out
	}
	if next == "" || out.Next != (cti.Target{}) || out.Kind == cti.Talked && out.Side == cti.CallerSide {
		return step{end: &out}
	}
	return step{next: next}
}
