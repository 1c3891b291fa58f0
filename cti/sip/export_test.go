package sip

import (
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"callbox/cti/media"
)

// WithTimers shortens RFC 3261's timers for a test.
func (c Config) WithTimers(t1, t2, failover time.Duration) Config {
	c.timers.t1, c.timers.t2, c.timers.failover = t1, t2, failover
	return c
}

// WithSilence shortens the time that a trunk may say nothing at all.
func (c Config) WithSilence(limit time.Duration) Config {
	c.timers.silence = limit
	return c
}

// Hasty leaves peers that do not answer a BYE little time at the end.
func (c Config) Hasty() Config {
	c.timers.farewell = 50 * time.Millisecond
	return c
}

// BreakListeners closes the sockets under the listeners, as a lost interface
// would.
func (s *Server) BreakListeners() {
	for _, u := range s.udp {
		_ = u.current().Close()
	}
	for _, t := range s.tcp {
		_ = t.current().Close()
	}
}

// PoolSize is how many UDP sources the library remembers.
func (s *Server) PoolSize() int { return s.ua.TransportLayer().Pool("udp").Size() }

// Pending is how many INVITEs the gate remembers.
func (s *Server) Pending() int {
	s.invites.mu.Lock()
	defer s.invites.mu.Unlock()
	return len(s.invites.byKey)
}

// TrunkCalls is how many calls each trunk has now, by name.
func (s *Server) TrunkCalls() map[string]int {
	all := map[string]int{}
	for _, t := range s.trunks {
		all[t.Name] = int(t.active.Load())
	}
	return all
}

var _ net.PacketConn = (*udpSocket)(nil)

// Inspectors for table tests of pure functions.
var (
	Shown           = shown
	UserPart        = userPart
	FirstAddress    = firstAddress
	BodyLength      = bodyLength
	Frame           = frame
	StrayBreak      = strayBreak
	BareBadRequest  = bareBadRequest
	ReadSDP         = func(b []byte, l []media.Law) (described, error) { return read(b, l, srtpOff) }
	ErrNoCodec      = errNoCodec
	ErrSRTP         = errSRTP
	ErrBadSDP       = errBadSDP
	NewTestShield   = newShield
	NewTestNonces   = newNonces
	StrikeLimit     = strikeLimit
	StrangerRate    = strangerRate
	BanTime         = banTime
	NonceLife       = nonceLife
	ConnsPerAddress = connsPerAddress
)

// Hears and Wrong ask the shield now.
func Hears(s *shield, a netip.Addr) bool { return s.hears(a, time.Now()) }

// Wrong counts wrong credentials.
func Wrong(s *shield, a netip.Addr) bool { return s.wrong(a, time.Now()) }

// Issue makes a nonce.
func Issue(n *nonces, a netip.Addr) string { return n.issue(a, time.Now()) }

// GoodNonce checks one.
func GoodNonce(n *nonces, nonce string, a netip.Addr) bool { return n.good(nonce, a, time.Now()) }

// UseNonce counts a use.
func UseNonce(n *nonces, nonce string, count int) bool { return n.use(nonce, count, time.Now()) }

// NewTestStream reads messages from conn; none passes.
func NewTestStream(conn net.Conn, known bool) net.Conn {
	owner := &tcpListener{
		gate:  func(*packet) bool { return false },
		known: func(netip.AddrPort) bool { return known },
		gone:  func(netip.AddrPort) {},
		conns: map[netip.Prefix]int{}, refused: new(atomic.Uint64),
	}
	return &stream{Conn: conn, owner: owner}
}

// Limits of subscriptions.
const (
	SubscriptionsEach  = subscriptionsEach
	SubscriptionsInAll = subscriptionsInAll
	NotifyRate         = notifyRate
)

// TestSubscriptions are subscriptions to dialogs without phones.
type TestSubscriptions struct{ *subscriptions }

// NewTestSubscriptions makes an empty table.
func NewTestSubscriptions() TestSubscriptions { return TestSubscriptions{newSubscriptions()} }

// Add subscribes user's phone to extension; "" when that is refused.
func (t TestSubscriptions) Add(user, extension string) (id string) {
	sub := &subscription{
		dialog: &dialog{id: user + " " + extension, symmetric: true},
		news:   news{event: dialogPackage, extension: extension}, user: user, contact: user,
	}
	if !t.add(sub, time.Now().Add(time.Hour)) {
		return ""
	}
	return sub.id
}

// Changed is a change of extension now.
func (t TestSubscriptions) Changed(extension string) {
	t.changed(news{event: dialogPackage, extension: extension})
}

// Due are those who get a NOTIFY now.
func (t TestSubscriptions) Due() (ids []string) {
	tell, _ := t.due(time.Now())
	for _, sub := range tell {
		ids = append(ids, sub.id)
	}
	return ids
}

// Told is the answer to a NOTIFY.
func (t TestSubscriptions) Told(id string) {
	t.mu.Lock()
	sub := t.byID[id]
	t.mu.Unlock()
	t.told(sub, false)
}

// TestKeepalive asks phones of the test's.
type TestKeepalive struct {
	*keepalive
	expires *time.Time // of the phones' bindings
}

// NewTestKeepalive asks each phone once in every.
func NewTestKeepalive(every time.Duration) TestKeepalive {
	return TestKeepalive{newKeepalive(every), new(time.Time)}
}

// Register has the phones register again.
func (k TestKeepalive) Register() { *k.expires = time.Now().Add(time.Hour) }

// Tick is how often Due is called.
func (k TestKeepalive) Tick() time.Duration { return k.tick() }

// Due are those of users whose phones are asked now.
func (k TestKeepalive) Due(users []string) (ask []string) {
	var phones []binding
	for _, u := range users {
		phones = append(phones, binding{Binding: Binding{User: u, Expires: *k.expires}})
	}
	for _, b := range k.due(phones, time.Now()) {
		ask = append(ask, b.User)
	}
	return ask
}

// Answered is what came of asking.
func (k TestKeepalive) Answered(user string, ok bool) (silent bool) {
	return k.answered(binding{Binding: Binding{User: user}}, ok)
}

// Changed says that something happened to a call of extension.
func (s *Server) Changed(extension string) {
	s.subscriptions.changed(news{event: dialogPackage, extension: extension})
}
