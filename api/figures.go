package api

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"

	"callbox/acd"
	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/storage"
)

// figuresEvery is how often figures are computed at most, however many ask.
const figuresEvery = time.Second

// Figure is a queue's day so far and how it stands, or that of several. Times
// are seconds, shares 0 to 1; null where there is nothing to divide by.
type Figure struct {
	Waiting        int      `json:"waiting"`
	LongestWait    float64  `json:"longest_wait"`
	Ready          int      `json:"ready"`
	Busy           int      `json:"busy"`
	Working        int      `json:"working"`
	NotReady       int      `json:"not_ready"`
	Offered        int      `json:"offered"`
	Answered       int      `json:"answered"`
	Abandoned      int      `json:"abandoned"`
	ShortAbandoned int      `json:"short_abandoned"`
	Other          int      `json:"other" doc:"left the queue otherwise, or still wait"`
	ServiceLevel   *float64 `json:"service_level"`
	ServiceSeconds *float64 `json:"service_seconds" doc:"null where queues differ"`
	ASA            *float64 `json:"asa"`
	AHT            *float64 `json:"aht"`
	Occupancy      *float64 `json:"occupancy"`
}

type queueFigure struct {
	ID   string `json:"id"`
	Name string `json:"name"`
	Figure
}

// deskCounts is how many agents are in which state; on a call is apart.
type deskCounts struct {
	Ready            int `json:"ready"`
	Busy             int `json:"busy"`
	WorkingAfterCall int `json:"workingAfterCall"`
	NotReady         int `json:"notReady"`
	LoggedOff        int `json:"loggedOff"`
}

// Figures are what wallboards show. They are exported for huma, as Figure is.
type Figures struct {
	Time    cti.Time          `json:"time"`
	Day     string            `json:"day"`
	Since   cti.Time          `json:"since"`
	Queues  []queueFigure     `json:"queues"`
	Total   Figure            `json:"total"`
	Agents  deskCounts        `json:"agents"`
	Formula map[string]string `json:"formula"`
}

// formula says how each figure is counted; docs/figures.md says it at length.
var formula = map[string]string{
	"offered":         "calls that entered the queue since midnight; each counts once, in its last queue",
	"answered":        "of these, taken by an agent",
	"abandoned":       "of these, the caller hung up in the queue or while a phone rang; short ones included",
	"short_abandoned": "of the abandoned, after less than 5 s in the queue",
	"other":           "offered - answered - abandoned: still waiting, or left for a voicemail, another number, a time-out",
	"service_level":   "answered within service_seconds / (answered + abandoned - short_abandoned)",
	"asa":             "average of the answered calls' time from the queue to the agent, ringing included",
	"aht":             "average of the handled calls' (talk + hold + work after the call)",
	"occupancy":       "of the queue's agents: (on calls + work after them) / (on calls + work after them + ready)",
}

// today keeps the day's figures for a second, for everybody.
type today struct {
	mu     sync.Mutex // held while they are computed: who asks meanwhile gets the same
	last   *standing
	asked  time.Time
	staff  attendance
	counts int // computations, for tests
}

// standing is the floor at a moment and the day up to it.
type standing struct {
	now, since time.Time
	queues     []acd.QueueStatus
	desks      []acd.Desk
	tallies    map[string]storage.Tally
	worked     map[string][2]time.Duration // by agent: on calls and after them, ready
}

// standing computes the figures, or gives those of less than a second ago.
func (a *API) standing(ctx context.Context) (*standing, error) {
	t := &a.today
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.last != nil && time.Since(t.asked) < figuresEvery {
		return t.last, nil
	}
	now := time.Now()
	s, err := a.compute(ctx, now)
	if err != nil {
		return nil, fmt.Errorf("figures: %w", err)
	}
	t.last, t.asked = s, now
	t.counts++
	return s, nil
}

// compute adds the day up. The floor is asked first: a call that ends meanwhile
// is found where it went.
func (a *API) compute(ctx context.Context, now time.Time) (*standing, error) {
	s := &standing{now: now, since: midnight(now, a.cfg.Zone), queues: a.deps.Floor.Queues(), desks: a.deps.Floor.Desks()}
	within := map[string]time.Duration{}
	for _, q := range s.queues {
		within[q.ID] = time.Duration(q.ServiceSeconds * float64(time.Second))
	}
	var err error
	if s.tallies, err = a.deps.History.Tallies(ctx, s.since, within, a.deps.Calls.Calls()); err != nil {
		return nil, err
	}
	staff := &a.today.staff
	staff.begin(s.since)
	since, seq := staff.asks()
	changes, err := a.deps.History.AgentChanges(ctx, since, seq)
	if err != nil {
		return nil, err
	}
	staff.take(changes)
	s.worked = map[string][2]time.Duration{}
	for _, d := range s.desks {
		worked, waited := staff.occupied(d.ID, now)
		s.worked[d.ID] = [2]time.Duration{worked, waited}
	}
	return s, nil
}

// midnight is when the day of now began.
func midnight(now time.Time, zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	y, m, d := now.In(zone).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, zone)
}

// figures are those of the queues that are wanted, and of their agents.
func (s *standing) figures(wanted func(queue string) bool) Figures {
	out := Figures{
		Time: stamp.At(s.now), Day: s.since.Format(time.DateOnly), Since: stamp.At(s.since),
		Queues: []queueFigure{}, Formula: formula,
	}
	var sum storage.Tally
	var all []acd.QueueStatus
	for _, q := range s.queues {
		if !wanted(q.ID) {
			continue
		}
		all, sum = append(all, q), sum.Plus(s.tallies[q.ID])
		only := func(queue string) bool { return queue == q.ID }
		out.Queues = append(out.Queues, queueFigure{q.ID, q.Name, s.figure([]acd.QueueStatus{q}, s.tallies[q.ID], s.staff(only))})
	}
	staff := s.staff(wanted)
	out.Total = s.figure(all, sum, staff)
	for _, d := range staff {
		out.Agents.count(d)
	}
	return out
}

// staff are the desks that serve any of the queues that are wanted.
func (s *standing) staff(wanted func(queue string) bool) []acd.Desk {
	var out []acd.Desk
	for _, d := range s.desks {
		if slices.ContainsFunc(d.Queues, wanted) {
			out = append(out, d)
		}
	}
	return out
}

func (s *standing) figure(queues []acd.QueueStatus, t storage.Tally, staff []acd.Desk) Figure {
	f := Figure{
		Offered: t.Offered, Answered: t.Answered, Abandoned: t.Abandoned, ShortAbandoned: t.ShortAbandoned,
		Other:        t.Offered - t.Answered - t.Abandoned,
		ServiceLevel: share(float64(t.InTime), float64(t.Answered+t.Abandoned-t.ShortAbandoned)),
		ASA:          share(t.Wait.Seconds(), float64(t.Answered)),
		AHT:          share((t.Talk + t.Work).Seconds(), float64(t.Handled)),
	}
	for i, q := range queues {
		f.Waiting += q.Waiting
		f.LongestWait = max(f.LongestWait, q.LongestWait)
		if i == 0 {
			f.ServiceSeconds = &q.ServiceSeconds
		} else if f.ServiceSeconds != nil && *f.ServiceSeconds != q.ServiceSeconds {
			f.ServiceSeconds = nil
		}
	}
	var counts deskCounts
	var worked, waited time.Duration
	for _, d := range staff {
		counts.count(d)
		worked, waited = worked+s.worked[d.ID][0], waited+s.worked[d.ID][1]
	}
	f.Ready, f.Busy, f.Working, f.NotReady = counts.Ready, counts.Busy, counts.WorkingAfterCall, counts.NotReady
	f.Occupancy = share(worked.Seconds(), (worked + waited).Seconds())
	return f
}

func (c *deskCounts) count(d acd.Desk) {
	switch {
	case !d.BusySince.IsZero():
		c.Busy++
	case d.State == acd.Ready:
		c.Ready++
	case d.State == acd.WorkingAfterCall:
		c.WorkingAfterCall++
	case d.State == acd.NotReady:
		c.NotReady++
	default:
		c.LoggedOff++
	}
}

// share divides, to four places; nil by zero.
func share(of, by float64) *float64 {
	if by == 0 {
		return nil
	}
	v := math.Round(of/by*1e4) / 1e4
	return &v
}

// getFigures gives the figures: an agent's are those of the queues he serves.
func (a *API) getFigures(ctx context.Context, _ *struct{}) (*one[Figures], error) {
	s, err := a.standing(ctx)
	if err != nil {
		return nil, err
	}
	return &one[Figures]{Body: s.figures(a.sees(callerOf(ctx), s))}, nil
}

// sees says which queues who asks is shown.
func (a *API) sees(who *caller, s *standing) func(queue string) bool {
	if !who.own() {
		return func(string) bool { return true }
	}
	var own []string
	for _, d := range s.desks {
		if d.ID == who.ID {
			own = d.Queues
		}
	}
	return func(queue string) bool { return slices.Contains(own, queue) }
}

// wallAgent is an agent on the wallboard.
type wallAgent struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	State     acd.State `json:"state"`
	Reason    string    `json:"reason"`
	Since     cti.Time  `json:"since"`
	Until     cti.Time  `json:"until"`
	BusySince cti.Time  `json:"busy_since"`
	Pending   acd.State `json:"pending"`
	Phone     bool      `json:"phone"`
	Away      bool      `json:"away"`
	Queues    []string  `json:"queues"`
}

// wallboard is what hangs on the wall: no numbers, no calls. Who is logged off is
// counted only.
type wallboard struct {
	Figures
	Desks []wallAgent `json:"desks"`
}

func (a *API) getWallboard(ctx context.Context, _ *struct{}) (*one[wallboard], error) {
	s, err := a.standing(ctx)
	if err != nil {
		return nil, err
	}
	out := &one[wallboard]{Body: wallboard{Figures: s.figures(a.sees(callerOf(ctx), s)), Desks: []wallAgent{}}}
	for _, d := range s.desks {
		if d.State == acd.LoggedOff {
			continue
		}
		out.Body.Desks = append(out.Body.Desks, wallAgent{
			ID: d.ID, Name: d.Name, State: d.State, Reason: d.Reason, Since: d.Since, Until: d.Until, BusySince: d.BusySince,
			Pending: d.Pending, Phone: d.Phone, Away: d.Away, Queues: d.Queues,
		})
	}
	return out, nil
}

var (
	figureRead = access{roles: everyone, scopes: []string{ScopeReports, ScopeCalls, ScopeWallboard}}
	wallRead   = access{roles: readers, scopes: []string{ScopeWallboard}}
	floorRead  = access{roles: readers, scopes: []string{ScopeCalls}}
)
