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

// lookup asks who the outside party is, beside the flow; anew when another
// number comes.
type lookup struct {
	call *Call

	mu       sync.Mutex
	inquiry  *inquiry // the latest; nil while there is no number to ask for
	customer *Customer
	popped   string // agent whose screen shows the call
}

// inquiry is one question, for one number.
type inquiry struct {
	origin Origin
	cancel context.CancelFunc
	done   chan struct{}
	late   <-chan struct{} // closed when its time is over
}

// startLookup begins to ask who is calling, when the line is seized; for a
// number that may still come it waits.
func (c *Call) startLookup() {
	c.lookup = &lookup{call: c}
	o := c.Origin()
	if _, late := c.leg.(Informer); !late || o.party().known() {
		c.lookup.start(o)
	}
}

// start asks for a number; what was asked before is forgotten. The call's
// goroutine goes on.
func (l *lookup) start(o Origin) {
	c := l.call
	limit := c.server.cfg.Lookup.Timeout
	if limit <= 0 {
		limit = lookupTimeout
	}
	late, over := context.WithTimeoutCause(c.ctx, limit, fmt.Errorf("lookup.timeout of %v passed", limit))
	ctx, cancel := context.WithTimeout(c.ctx, 10*lookupTimeout)
	q := &inquiry{origin: o, cancel: cancel, done: make(chan struct{}), late: late.Done()}
	l.mu.Lock()
	if l.inquiry != nil {
		l.inquiry.cancel()
		c.update(func(r *CDR) { r.Customer = nil })
	}
	l.inquiry, l.customer = q, nil
	l.mu.Unlock()
	guard.Go("look-up of the caller", c.log, func() {
		defer over()
		defer cancel()
		defer close(q.done)
		l.run(ctx, q)
	})
}

// run asks the box's own customers, then the ticket system. An answer that
// comes after the offer waited long enough still goes to the agent's screen.
func (l *lookup) run(ctx context.Context, q *inquiry) {
	customer, found, err := l.call.server.find(ctx, l.call, q.origin)
	if err != nil {
		if l.call.ctx.Err() == nil && l.current() == q { // else nobody wants to know any more
			l.call.log.Warn("caller not looked up", "err", err)
		}
		return
	}
	if found {
		l.learn(customer, q)
	}
}

func (l *lookup) current() *inquiry {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.inquiry
}

// learn keeps the customer and shows it to an agent whose pop went without.
func (l *lookup) learn(customer Customer, q *inquiry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.inquiry != q {
		return
	}
	l.customer = &customer
	l.call.update(func(r *CDR) { r.Customer = &Ref{ID: customer.ID, Name: customer.Name} })
	if l.popped != "" {
		data := map[string]any{"pop_url": l.call.popURL(l.popped, &customer)}
		customer.show(data)
		l.call.note(Event{Type: EventCallInformation, AgentID: l.popped, UserData: data})
	}
}

// tell pops for agent with what is known (nil: not yet), so that no later
// finding can fall between the pop and its completion.
func (l *lookup) tell(agent string, pop func(*Customer)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.popped = agent
	pop(l.customer)
}

// complete changes what a pop shows; agent, who got one, is "" where nobody did.
func (l *lookup) complete(change func(agent string)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(l.popped)
}

// wait waits for the answer, at most the rest of the time that its question
// has; where nothing was asked yet it does not wait.
func (l *lookup) wait(ctx context.Context) (Customer, bool) {
	var asked *inquiry
	for q := l.current(); q != asked; q = l.current() {
		asked = q
		select {
		case <-q.done:
		case <-q.late:
		case <-ctx.Done():
			return l.known()
		}
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

func (s *Server) find(ctx context.Context, c *Call, o Origin) (Customer, bool, error) {
	if s.deps.Directory != nil {
		customer, ok, err := s.deps.Directory.Find(ctx, o.party())
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
	return s.ask(ctx, c, o)
}

// ask reads the ticket system's answer: {customer, blocked?}. Only a call that
// came in, and that the box serves itself, can be cut.
func (s *Server) ask(ctx context.Context, c *Call, o Origin) (Customer, bool, error) {
	target, err := lookupURL(s.cfg.Lookup.URL, o)
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
	if reply.Blocked && ctx.Err() == nil && o.Direction != Out && o.Attend == "" {
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
	q.Set("phone", o.party().E164)
	q.Set("raw", o.party().Raw)
	q.Set("line", o.Line)
	q.Set("did", o.DID)
	u.RawQuery = q.Encode()
	return u.String(), nil
}
