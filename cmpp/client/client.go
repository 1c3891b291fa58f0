// Package client keeps an account's connections to a CMPP gateway and is a
// sms.Carrier: it logs in, holds window and rate, submits, asks whether the
// other side is still there, and comes back after a loss.
//
// [Client.Run] owns all goroutines. Each connection has a loop that alone
// touches its state, a reader, and workers that hand DELIVERs to the
// receiver. It knows messages and their parts only: what a job is, whether
// an unknown outcome is sent again and what a report means belong to sms.
package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"callbox/cmpp"
	"callbox/internal/guard"
	"callbox/internal/segment"
	"callbox/sms"
)

// Config is an account at a gateway.
type Config struct {
	Name        string // of the account
	Address     string // host:port
	SPID        string // Source_Addr, at most 6 bytes
	Secret      string
	Unpadded    bool          // a shorter SPID enters the digest as it is
	Version     cmpp.Version  // default 3.0; a gateway that answers with a lower one gets that
	ServiceID   string        // Service_Id, at most 10 bytes
	SrcID       string        // access number
	MsgSrc      string        // Msg_src, default SPID
	FeeUserType uint8         // Fee_UserType, default 2: the service provider
	FeeType     string        // FeeType, default 01: free
	FeeCode     string        // FeeCode in fen, default 000000
	Style       segment.Style // alphabet and joining of long texts

	BindAddress string        // local IP or IP:port
	Connections int           // default 1
	Window      int           // SUBMITs without an answer on each connection, default 16
	Rate        int           // SUBMITs a second over all connections; 0: no limit
	ActiveTest  time.Duration // silence before an ACTIVE_TEST, default 30 s
	// ResponseTimeout is how long an answer may take before its request is
	// sent again; after three times the connection is given up. Default 60 s.
	ResponseTimeout time.Duration

	// Zone is that of the gateway, for the time in the log-in. Default Beijing.
	Zone *time.Location
	// Dial makes a connection to Address; default TCP from BindAddress.
	Dial func(ctx context.Context) (net.Conn, error)
	Log  *slog.Logger // default: none
}

func (c Config) withDefaults() Config {
	set(&c.Version, cmpp.V30)
	set(&c.MsgSrc, c.SPID)
	set(&c.FeeUserType, 2)
	set(&c.FeeType, "01")
	set(&c.FeeCode, "000000")
	set(&c.Connections, 1)
	set(&c.Window, 16)
	set(&c.ActiveTest, 30*time.Second)
	set(&c.ResponseTimeout, time.Minute)
	if c.Zone == nil {
		c.Zone = time.FixedZone("Beijing", 8*60*60)
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if c.Dial == nil {
		c.Dial = c.dialTCP
	}
	return c
}

func set[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}

// The most that an account may ask for.
const (
	mostConnections = 64
	mostWindow      = 1024
	mostRate        = 100_000
)

// Validate names all faults at once, by the keys of the configuration file.
func (c Config) Validate() error {
	var faults []error
	check := func(ok bool, key string, value any, wanted string) {
		if !ok {
			faults = append(faults, fmt.Errorf("%s: %v: %s", key, value, wanted))
		}
	}
	check(c.Name != "", "name", c.Name, "must not be empty")
	check(c.Address != "" || c.Dial != nil, "address", c.Address, "must not be empty")
	check(c.SPID != "" && len(c.SPID) <= 6, "sp_id", c.SPID, "1 to 6 bytes")
	check(len(c.ServiceID) <= 10, "service_id", c.ServiceID, "at most 10 bytes")
	check(len(c.SrcID) <= 21, "src_id", c.SrcID, "at most 21 bytes")
	check(len(c.MsgSrc) <= 6, "msg_src", c.MsgSrc, "at most 6 bytes")
	check(len(c.FeeType) <= 2, "fee_type", c.FeeType, "at most 2 bytes")
	check(len(c.FeeCode) <= 6, "fee_code", c.FeeCode, "at most 6 bytes")
	check(c.Connections >= 0 && c.Connections <= mostConnections, "connections", c.Connections, fmt.Sprintf("1 to %d", mostConnections))
	check(c.Window >= 0 && c.Window <= mostWindow, "window", c.Window, fmt.Sprintf("1 to %d", mostWindow))
	check(c.Rate >= 0 && c.Rate <= mostRate, "rate", c.Rate, fmt.Sprintf("0 to %d", mostRate))
	check(c.ActiveTest >= 0, "active_test", c.ActiveTest, "must not be negative")
	check(c.ResponseTimeout >= 0, "response_timeout", c.ResponseTimeout, "must not be negative")
	_, err := localAddr(c.BindAddress)
	check(err == nil, "bind_address", c.BindAddress, "an IP address, a port behind it if wanted")
	return errors.Join(faults...)
}

// Client is one account's way to its gateway.
type Client struct {
	cfg   Config
	pacer *pacer
	gate  *gate
	jobs  chan *message // from Submit to whichever connection has room
	used  atomic.Int64  // SUBMITs without an answer
	limit atomic.Int64  // what the windows of connections that are up hold at present
	room  atomic.Int64  // messages that there is room for, see Capacity
	said  *said         // what the log has been told of peers' faults
}

var _ sms.Carrier = (*Client)(nil)

// New makes a client. Nothing is dialled before Run.
func New(cfg Config) (*Client, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	cfg.Log = cfg.Log.With("account", cfg.Name)
	c := &Client{cfg: cfg, pacer: newPacer(cfg.Rate), gate: newGate(), jobs: make(chan *message), said: newSaid()}
	c.room.Store(int64(cfg.Window) * int64(cfg.Connections))
	return c, nil
}

// Name is the account's.
func (c *Client) Name() string { return c.cfg.Name }

// Capacity is what the windows hold, less while answers are slow, and 1 while
// the account is barred: the message to try it with. It is never more than the
// contract lets go in less than a second, since an urgent message waits for
// those that were taken before it.
func (c *Client) Capacity() int {
	if !c.gate.good() {
		return 1
	}
	room := int(c.room.Load())
	if c.cfg.Rate > 0 {
		room = min(room, max(1, c.cfg.Rate*4/5))
	}
	return room
}

// Ready gives a channel that is closed while a connection is up, the gateway
// does not throttle and the account is not barred.
func (c *Client) Ready() <-chan struct{} { return c.gate.readiness() }

// State tells whether any connection is up, and how full the windows are.
func (c *Client) State() sms.CarrierState {
	up, since, why := c.gate.state()
	return sms.CarrierState{Up: up, Since: since, Why: why, WindowUsed: int(c.used.Load()), Window: int(c.limit.Load())}
}

// Submit sends a message, all parts in order over one connection, and waits
// for all answers. While no connection is up, or the account is barred, it
// returns sms.ErrNotSent at once. What the gateway throttles is sent again, at
// a slower pace; sms.ErrThrottled says that such a message was given back. The
// end of ctx takes the message back as long as none of its bytes has
// left; from then on Submit stays until the outcome is known or the connection
// is lost, which is sms.ErrUncertain. A part that the gateway had already
// accepted under a number that it did not tell has the id "".
func (c *Client) Submit(ctx context.Context, s sms.Submission) (sms.Receipt, error) {
	m, err := c.compose(s)
	if err != nil {
		return sms.Receipt{}, err
	}
	down, probe, err := c.gate.enter()
	if err != nil {
		return sms.Receipt{}, err
	}
	if probe {
		defer c.gate.leave()
	}
	select {
	case c.jobs <- m:
	case <-down:
		return sms.Receipt{}, fmt.Errorf("%w: %s", sms.ErrNotSent, c.gate.trouble())
	case <-ctx.Done():
		return sms.Receipt{}, fmt.Errorf("%w: %w", sms.ErrNotSent, context.Cause(ctx))
	}
	select {
	case <-m.done:
	case <-ctx.Done():
		if m.withdraw() {
			return sms.Receipt{}, fmt.Errorf("%w: %w", sms.ErrNotSent, context.Cause(ctx))
		}
		<-m.done
	}
	return m.receipt()
}

// Run keeps the connections up until ctx ends, which is no error, and hands
// what comes in to r. At the end open answers are waited for, up to 5 s, and
// the gateway is told. When it returns, its goroutines have returned.
func (c *Client) Run(ctx context.Context, r sms.Receiver) error {
	group := guard.Group{Log: c.cfg.Log}
	for i := range c.cfg.Connections {
		l := &link{c: c, receiver: r, version: c.cfg.Version, log: c.cfg.Log.With("connection", i+1)}
		group.Go("cmpp connection", func() { l.run(ctx) })
	}
	group.Wait()
	return nil
}
