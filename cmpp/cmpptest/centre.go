// Package cmpptest is an SMS centre in process: it takes log-ins and SUBMITs
// over CMPP 2.0 and 3.0, answers them, sends reports and incoming texts, and
// fails on demand. Tests and the simulator command run it.
//
// [Centre.Serve] owns all goroutines: a reader and a writer for each
// connection and one for everything that happens later. It knows the protocol
// only, nothing of its clients.
package cmpptest

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net"
	"sync"
	"time"

	"callbox/cmpp"
	"callbox/internal/guard"
)

// Config says what kind of centre it is. The zero value takes any log-in, has
// a window of 16 and reports DELIVRD at once.
type Config struct {
	SPID     string       // the only account; "": any
	Secret   string       // shared secret; "": log-ins are not checked
	Unpadded bool         // AuthenticatorSource over the SP_Id as it is
	Version  cmpp.Version // highest spoken; default 3.0
	// RefuseNewer answers a CONNECT with a layout above Version with status 4,
	// instead of a log-in in Version.
	RefuseNewer bool
	Window      int    // most SUBMITs a connection may leave open; default 16
	MaxConns    int    // connections at a time; 0: no limit
	Gateway     uint32 // gateway code in message ids; default 1
	ActiveTest  time.Duration
	// ResponseTimeout is how long a DELIVER waits for its answer before it is
	// sent again; default 60 s. After the third time the connection is closed
	// and the DELIVER waits for another one.
	ResponseTimeout time.Duration
	ReportDelay     time.Duration // from acceptance to the report
	Faults          Faults        // to begin with
	// OnText is called for each complete text with its receiver and may give
	// an answer, which then comes from that number after the given time; "" is
	// none. It runs on the connection's goroutine.
	OnText func(to, text string) (reply string, after time.Duration)
	// Keep is how many texts are remembered, at most twice as many at a time;
	// default 100,000. Below 0 they are counted only.
	Keep int
	Seed uint64           // of what happens at random; default 1
	Now  func() time.Time // for message ids and report times; default time.Now
	Log  *slog.Logger     // default: none
}

func (c Config) withDefaults() Config {
	if c.Version == 0 {
		c.Version = cmpp.V30
	}
	if c.Window == 0 {
		c.Window = 16
	}
	if c.Gateway == 0 {
		c.Gateway = 1
	}
	if c.ResponseTimeout == 0 {
		c.ResponseTimeout = time.Minute
	}
	if c.Keep == 0 {
		c.Keep = 100_000
	}
	if c.Seed == 0 {
		c.Seed = 1
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return c
}

// Stats counts what a centre saw.
type Stats struct {
	Connections    int `json:"connections"` // logged in now
	Logins         int `json:"logins"`
	LoginsRefused  int `json:"logins_refused"`
	Submits        int `json:"submits"` // SUBMITs, resent ones included
	Accepted       int `json:"accepted"`
	Throttled      int `json:"throttled"`     // result 8 by the fault throttle
	RateExceeded   int `json:"rate_exceeded"` // result 8 by the rate
	FlowControl    int `json:"flow_control"`  // result 8 for any reason
	Rejected       int `json:"rejected"`
	Resent         int `json:"resent"`          // SUBMITs whose sequence had been seen on that connection
	MaxOpen        int `json:"max_open"`        // most SUBMITs ever open on one connection: read and not answered, so 1 unless answers take time
	WindowExceeded int `json:"window_exceeded"` // SUBMITs beyond the window, answered with result 8
	Malformed      int `json:"malformed"`       // frames that ended their connection
	Canceled       int `json:"canceled"`
	ActiveTests    int `json:"active_tests"`

	Numbers    int `json:"numbers"`    // receivers of accepted SUBMITs
	Texts      int `json:"texts"`      // complete texts to one number each
	Repeats    int `json:"repeats"`    // those whose number and words came before, among the last million or so
	Distinct   int `json:"distinct"`   // the other ones
	Unfinished int `json:"unfinished"` // long texts that still lack parts

	Delivers     int            `json:"delivers"` // DELIVERs sent, repeated ones included
	Acknowledged int            `json:"acknowledged"`
	Waiting      int            `json:"waiting"`  // DELIVERs not yet acknowledged, planned ones included
	Incoming     int            `json:"incoming"` // texts from phones, or parts of them, that clients took
	Reports      map[string]int `json:"reports"`  // one a message, by Stat: no doubles, no orphans
	Orphans      int            `json:"orphans"`  // reports on messages that nobody sent
}

// Centre is an SMS centre. Its methods may be called from anywhere.
type Centre struct {
	cfg    Config
	agenda *agenda

	mu       sync.Mutex // guards all below, and the sessions' fields
	faults   Faults
	random   *rand.Rand
	moving   chan struct{} // closed while connections are read
	sessions []*session
	opened   int // connections ever
	ids      counter
	meters   map[string]*meter // by account
	ref      uint8
	waiting  []*delivery
	held     []*delivery              // reports, see Faults.HoldReports
	planned  map[cmpp.MsgID]*delivery // reports that have not left
	turn     int                      // whose turn the next DELIVER is
	pending  int                      // DELIVERs that are not acknowledged
	record   record
	stats    Stats
}

// New makes a centre. Nothing runs before Serve.
func New(cfg Config) *Centre {
	c := &Centre{
		cfg: cfg.withDefaults(), agenda: newAgenda(), moving: make(chan struct{}),
		meters: map[string]*meter{}, planned: map[cmpp.MsgID]*delivery{},
	}
	close(c.moving)
	c.random = rand.New(rand.NewPCG(c.cfg.Seed, 0))
	c.stats.Reports = map[string]int{}
	c.record.init(c.cfg.Keep)
	c.setFaults(c.cfg.Faults)
	return c
}

// Serve takes connections from ln until ctx ends, which is no error, and
// closes ln. When it returns, its goroutines have returned. What waits to be
// delivered stays for the next Serve.
func (c *Centre) Serve(ctx context.Context, ln net.Listener) error {
	work, stop := context.WithCancel(ctx)
	defer stop()
	group := guard.Group{Log: c.cfg.Log}
	group.Go("sms centre agenda", func() { c.agenda.run(work) })
	closing := context.AfterFunc(work, func() { _ = ln.Close() })
	defer closing()
	err := c.accept(work, ln, &group)
	stop()
	c.Disconnect()
	group.Wait()
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (c *Centre) accept(ctx context.Context, ln net.Listener, group *guard.Group) error {
	for {
		conn, err := ln.Accept()
		if err != nil {
			return fmt.Errorf("accept: %w", err)
		}
		s := c.open(conn)
		group.Go("sms centre reader", func() { s.read(ctx) })
		group.Go("sms centre writer", func() { s.write() })
		if ctx.Err() != nil {
			s.close()
			return ctx.Err()
		}
	}
}

func (c *Centre) open(conn net.Conn) *session {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened++
	s := &session{
		c: c, conn: conn, number: c.opened, since: time.Now(), version: cmpp.V30, kick: make(chan struct{}, 1),
		open: map[uint32]*delivery{}, seen: map[uint32]cmpp.SubmitResp{}, heard: time.Now(),
	}
	c.sessions = append(c.sessions, s)
	return s
}

// Disconnect closes all connections without a word.
func (c *Centre) Disconnect() {
	for _, s := range c.snapshot() {
		s.close()
	}
}

// Terminate asks all clients to end their connections.
func (c *Centre) Terminate() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, s := range c.sessions {
		if s.loggedIn {
			s.request(&cmpp.Terminate{})
		}
	}
}

func (c *Centre) snapshot() []*session {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]*session(nil), c.sessions...)
}

// Stats gives the counts up to now.
func (c *Centre) Stats() Stats {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := c.stats
	out.Waiting, out.Unfinished, out.Distinct = c.pending, len(c.record.halves), out.Texts-out.Repeats
	out.Reports = maps.Clone(out.Reports)
	for _, s := range c.sessions {
		if s.loggedIn {
			out.Connections++
		}
	}
	return out
}

// Reset forgets what was counted and remembered.
func (c *Centre) Reset() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.stats = Stats{Reports: map[string]int{}}
	c.record.init(c.cfg.Keep)
	for _, s := range c.sessions {
		s.most = s.submits
	}
}

// Connection is one client's connection as it is now.
type Connection struct {
	Number  int       `json:"number"` // counted from 1
	SPID    string    `json:"sp_id"`  // "" before the log-in
	Version string    `json:"version"`
	Since   time.Time `json:"since"`
	Submits int       `json:"submits"`
	Open    int       `json:"open"`     // SUBMITs without an answer
	MaxOpen int       `json:"max_open"` // most of them ever
	Waiting int       `json:"waiting"`  // DELIVERs without an answer
}

// Connections gives all connections, oldest first.
func (c *Centre) Connections() []Connection {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make([]Connection, 0, len(c.sessions))
	for _, s := range c.sessions {
		all = append(all, Connection{
			s.number, s.spID, s.version.String(), s.since, s.total, s.submits, s.most, len(s.open),
		})
	}
	return all
}

// nextID gives the id of n messages; the caller holds the lock.
func (c *Centre) nextID(n int) cmpp.MsgID { return c.ids.next(c.cfg.Now(), c.cfg.Gateway, n) }

// counter gives ids. When the 65,536 numbers of a second are used up, the next
// gateway code goes on.
type counter struct {
	second   int64
	sequence uint16
	used     int // within the second
	more     uint32
}

func (k *counter) next(now time.Time, gateway uint32, n int) cmpp.MsgID {
	if second := now.Unix(); second != k.second {
		k.second, k.used, k.more = second, 0, 0
	}
	if k.used += n; k.used > 1<<16 {
		k.used, k.more = n, k.more+1
	}
	id := cmpp.NewMsgID(now, gateway+k.more, k.sequence)
	k.sequence += uint16(n)
	return id
}
