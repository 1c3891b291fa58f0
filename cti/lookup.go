package cti

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"sync"
	"time"

	"callbox/internal/guard"
)

// LookupConfig says where callers that the box does not know are looked up.
type LookupConfig struct {
	URL     string        // GET {url}?phone=E164&raw=&line=&did=; "": nowhere
	Timeout time.Duration // 800 ms when 0
}

const lookupTimeout = 800 * time.Millisecond

// lookup is one caller's look-up, running beside the flow.
type lookup struct {
	call *Call
	done chan struct{}
	late <-chan struct{} // closed when its time is over

	mu       sync.Mutex
	customer *Customer
	told     string // agent who got a pop without the customer
}

// startLookup begins to ask who is calling; the call's goroutine goes on.
func (s *Server) startLookup(c *Call) *lookup {
	limit := s.cfg.Lookup.Timeout
	if limit <= 0 {
		limit = lookupTimeout
	}
	ctx, cancel := context.WithTimeoutCause(c.ctx, limit, fmt.Errorf("lookup.timeout of %v passed", limit))
	l := &lookup{call: c, done: make(chan struct{}), late: ctx.Done()}
	guard.Go("look-up of the caller", c.log, func() {
		defer cancel()
		defer close(l.done)
		l.run(c.ctx)
	})
	return l
}

// run asks the box's own customers, then the ticket system. An answer that
// comes after the offer waited long enough still goes to the agent's screen.
func (l *lookup) run(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*lookupTimeout)
	defer cancel()
	customer, found, err := l.call.server.find(ctx, l.call)
	if err != nil {
		if l.call.ctx.Err() == nil { // else nobody wants to know any more
			l.call.log.Warn("caller not looked up", "err", err)
		}
		return
	}
	if found {
		l.learn(customer)
	}
}

// learn keeps the customer and shows it to an agent whose pop went without.
func (l *lookup) learn(customer Customer) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.customer = &customer
	l.call.update(func(r *CDR) { r.Customer = &Ref{ID: customer.ID, Name: customer.Name} })
	if l.told != "" {
		l.call.note(Event{
			Type: EventCallInformation, AgentID: l.told,
			UserData: map[string]any{"customer": customer, "pop_url": popURL(customer)},
		})
	}
}

// tell pops for agent with what is known (nil: not yet), so that no later
// finding can fall between the pop and its completion.
func (l *lookup) tell(agent string, pop func(*Customer)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.customer == nil {
		l.told = agent
	}
	pop(l.customer)
}

func (l *lookup) wait(ctx context.Context) (Customer, bool) {
	select {
	case <-l.done:
	case <-l.late:
	case <-ctx.Done():
	}
	return l.known()
}

func (l *lookup) known() (Customer, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.customer == nil {
		return Customer{}, false
	}
	return *l.customer, true
}

func (s *Server) find(ctx context.Context, c *Call) (Customer, bool, error) {
	if s.deps.Directory != nil {
		customer, ok, err := s.deps.Directory.Find(ctx, c.origin.From)
		if err != nil {
			return Customer{}, false, fmt.Errorf("own customers: %w", err)
		}
		if ok {
			return customer, true, nil
		}
	}
	if s.deps.Fetcher == nil || s.cfg.Lookup.URL == "" {
		return Customer{}, false, nil
	}
	return s.ask(ctx, c)
}

// ask reads the ticket system's answer: {customer, blocked?}.
func (s *Server) ask(ctx context.Context, c *Call) (Customer, bool, error) {
	target, err := lookupURL(s.cfg.Lookup.URL, c.origin)
	if err != nil {
		return Customer{}, false, err
	}
	body, err := s.deps.Fetcher.Get(ctx, target)
	if err != nil || body == nil {
		return Customer{}, false, err
	}
	var reply struct {
		Customer *Customer `json:"customer"`
		Blocked  bool      `json:"blocked"`
	}
	if err := json.Unmarshal(body, &reply); err != nil {
		return Customer{}, false, fmt.Errorf("look-up reply: %w", err)
	}
	if reply.Blocked {
		c.cancel(ErrBlocked)
	}
	if reply.Customer == nil {
		return Customer{}, false, nil
	}
	return *reply.Customer, true, nil
}

func lookupURL(base string, o Origin) (string, error) {
	u, err := url.Parse(base)
	if err != nil {
		return "", fmt.Errorf("lookup.url: %w", err)
	}
	q := u.Query()
	q.Set("phone", o.From.E164)
	q.Set("raw", o.From.Raw)
	q.Set("line", o.Line)
	q.Set("did", o.DID)
	u.RawQuery = q.Encode()
	return u.String(), nil
}
