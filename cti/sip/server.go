package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/internal/guard"

	"github.com/emiago/sipgo"
	wire "github.com/emiago/sipgo/sip"
)

const (
	sweepEach  = time.Second
	stragglers = 10 * time.Millisecond
)

// Deps are the parts a [Server] works with. Accounts, Bindings and Dialogs may
// be nil: then no phone can register, and nothing survives a restart.
type Deps struct {
	Engine   media.Engine
	Calls    Calls
	Accounts Accounts
	Bindings Bindings
	Dialogs  Dialogs
	Log      *slog.Logger
}

// Server is the box's side of SIP.
type Server struct {
	deps     Deps
	log      *slog.Logger
	external netip.Addr
	listens  []listen
	timers   timers
	secret   []byte

	ua     *sipgo.UserAgent
	sipgo  *sipgo.Server
	txl    *wire.TransactionLayer
	parser *wire.Parser

	trunks    trunks
	bindings  *bindings
	registrar *registrar
	changes   *changes
	shield    *shield
	peers     *peers
	invites   *invites
	dialogs   *dialogs
	legs      *legs
	count     counters

	endpoints []*endpoint
	udp       []*udpSocket
	tcp       []*tcpListener

	running  context.Context // of Run, for the calls it serves
	draining atomic.Bool
	ready    chan struct{}   // closed when the library has our listeners
	life     context.Context // ends when no more is said, at the end of Run
	endLife  context.CancelCauseFunc
	work     guard.Crew // what is started on behalf of legs, and the library's goroutines in our code
}

// New checks cfg and builds a server that does not listen yet.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("sip: %w", err)
	}
	if deps.Engine == nil || deps.Calls == nil {
		return nil, errors.New("sip: an engine and a taker of calls are needed")
	}
	s := &Server{deps: deps.orNothing(), timers: cfg.timers.orDefault(), running: context.Background(), ready: make(chan struct{})}
	s.life, s.endLife = context.WithCancelCause(context.Background())
	s.log = s.deps.Log.With("part", "sip")
	s.work.Log = s.log
	s.secret = make([]byte, 32)
	if _, err := rand.Read(s.secret); err != nil {
		return nil, fmt.Errorf("sip: %w", err)
	}
	if err := s.configure(cfg); err != nil {
		return nil, fmt.Errorf("sip: %w", err)
	}
	return s, s.build()
}

func (d Deps) orNothing() Deps {
	if d.Accounts == nil {
		d.Accounts = nothing{}
	}
	if d.Bindings == nil {
		d.Bindings = nothing{}
	}
	if d.Dialogs == nil {
		d.Dialogs = noDialogs{}
	}
	if d.Log == nil {
		d.Log = slog.Default()
	}
	return d
}

// nothing keeps and knows nothing.
type nothing struct{}

func (nothing) HA1(context.Context, string) (md5, sha256 string, ok bool) { return "", "", false }
func (nothing) Load(context.Context) ([]Binding, error)                   { return nil, nil }
func (nothing) Save(Binding)                                              {}
func (nothing) Remove(string, string)                                     {}

type noDialogs struct{}

func (noDialogs) Open(DialogRow)                            {}
func (noDialogs) Closed(string)                             {}
func (noDialogs) Left(context.Context) ([]DialogRow, error) { return nil, nil }

func (s *Server) configure(cfg Config) error {
	var err error
	if s.trunks, err = newTrunks(cfg.Trunks); err != nil {
		return err
	}
	if cfg.ExternalIP != "" {
		if s.external, err = netip.ParseAddr(cfg.ExternalIP); err != nil {
			return fmt.Errorf("external_ip: %w", err)
		}
	}
	for _, text := range cfg.Listen {
		l, err := parseListen(text)
		if err != nil {
			return err
		}
		s.listens = append(s.listens, l)
	}
	if cfg.MaxContacts == 0 {
		cfg.MaxContacts = defaultContacts
	}
	s.changes = newChanges()
	s.bindings = newBindings(s.deps.Bindings, cfg.MaxContacts, s.changes)
	s.registrar = &registrar{s: s, nonces: newNonces(s.secret)}
	s.shield, s.peers, s.invites, s.dialogs, s.legs = newShield(), newPeers(), newInvites(), newDialogs(), newLegs()
	return nil
}

// once sets what the library keeps for the whole process. Its size limit of UDP
// messages would drop an INVITE with many headers without a word.
var once sync.Once

func (s *Server) build() error {
	once.Do(func() {
		wire.UDPMTUSize = messageLimit
		wire.SetDefaultLogger(slog.New(slog.DiscardHandler))
	})
	quiet := slog.New(demoted{s.log.Handler()})
	ua, err := sipgo.NewUA(
		sipgo.WithUserAgent("callbox"),
		sipgo.WithUserAgentTransportLayerOptions(wire.WithTransportLayerLogger(quiet)),
		sipgo.WithUserAgentTransactionLayerOptions(
			wire.WithTransactionLayerLogger(quiet),
			wire.WithTransactionLayerUnhandledResponseHandler(func(*wire.Response) {}),
		),
	)
	if err != nil {
		return fmt.Errorf("sip: %w", err)
	}
	srv, err := sipgo.NewServer(ua, sipgo.WithServerLogger(quiet))
	if err != nil {
		return fmt.Errorf("sip: %w", err)
	}
	srv.OnNoRoute(s.dispatch)
	s.ua, s.sipgo, s.txl, s.parser = ua, srv, ua.TransactionLayer(), wire.NewParser()
	return nil
}

// demoted turns what the library reports into debug lines: most of it is
// strangers' garbage.
type demoted struct{ slog.Handler }

func (d demoted) Enabled(ctx context.Context, _ slog.Level) bool {
	return d.Handler.Enabled(ctx, slog.LevelDebug)
}

func (d demoted) Handle(ctx context.Context, r slog.Record) error {
	r.Level = slog.LevelDebug
	return d.Handler.Handle(ctx, r)
}

func (d demoted) WithAttrs(attrs []slog.Attr) slog.Handler {
	return demoted{d.Handler.WithAttrs(attrs)}
}

func (d demoted) WithGroup(name string) slog.Handler { return demoted{d.Handler.WithGroup(name)} }

// Listen binds the sockets; nothing is read before Run. An unspecified address
// becomes one listener for each address of this machine, since what is sent
// must leave by a socket with a name.
func (s *Server) Listen() error {
	for _, l := range s.listens {
		addrs, err := concrete(l.addr)
		if err != nil {
			return err
		}
		for _, a := range addrs {
			if err := s.listen(l.transport, a); err != nil {
				s.closeSockets()
				return fmt.Errorf("sip: %w", err)
			}
		}
	}
	return nil
}

func (s *Server) listen(transport string, a netip.AddrPort) error {
	if transport == "udp" {
		u, err := listenUDP(a, s.log, &s.count.revived)
		if err != nil {
			return err
		}
		u.gate = s.admit
		s.udp = append(s.udp, u)
		s.endpoints = append(s.endpoints, &endpoint{transport: "UDP", addr: u.addr})
		return nil
	}
	t, err := listenTCP(a, s.log, &s.count.revived, &s.count.connsRefused)
	if err != nil {
		return err
	}
	t.gate, t.known, t.gone = s.admit, s.known, s.bindings.hungUp
	s.tcp = append(s.tcp, t)
	s.endpoints = append(s.endpoints, &endpoint{transport: "TCP", addr: t.addr, tcp: t})
	return nil
}

func concrete(a netip.AddrPort) ([]netip.AddrPort, error) {
	if !a.Addr().IsUnspecified() {
		return []netip.AddrPort{a}, nil
	}
	all, err := net.InterfaceAddrs()
	if err != nil {
		return nil, fmt.Errorf("sip: addresses of this machine: %w", err)
	}
	var found []netip.AddrPort
	for _, n := range all {
		p, err := netip.ParsePrefix(n.String())
		if err != nil || p.Addr().Is4() != a.Addr().Is4() || p.Addr().IsLinkLocalUnicast() {
			continue
		}
		found = append(found, netip.AddrPortFrom(p.Addr(), a.Port()))
	}
	return found, nil
}

// Addrs are the real addresses after Listen, as udp://127.0.0.1:5060.
func (s *Server) Addrs() []string {
	var all []string
	for _, ep := range s.endpoints {
		scheme := "udp://"
		if ep.transport == "TCP" {
			scheme = "tcp://"
		}
		all = append(all, scheme+ep.addr.String())
	}
	return all
}

// Run serves until ctx ends. It first says BYE to what a crash left open. When
// it returns, every leg is over and its goroutines have returned.
func (s *Server) Run(ctx context.Context) error {
	if len(s.endpoints) == 0 && len(s.listens) > 0 {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	if err := s.bindings.load(ctx, s.now()); err != nil {
		s.log.Error("phones must register again", "err", err)
	}
	s.running = ctx
	left, err := s.deps.Dialogs.Left(ctx) // before there are new ones
	if err != nil {
		s.log.Error("kept dialogs cannot be read", "err", err)
	}
	sockets := guard.Group{Log: s.log}
	s.serve(&sockets)
	s.awaitListeners(ctx)
	for _, row := range left {
		s.work.Go("BYE after a crash", func() { s.byeRow(row) })
	}
	background := guard.Group{Log: s.log}
	background.Go("sweep", func() { s.sweep(ctx) })
	background.Go("changes of phones", func() { s.changes.run(ctx) })
	<-ctx.Done()
	s.stop(&sockets)
	background.Wait()
	return nil
}

func (s *Server) serve(g *guard.Group) {
	for _, u := range s.udp {
		g.Go("udp listener", func() {
			if err := s.sipgo.ServeUDP(u); err != nil {
				s.log.Error("udp listener ended", "addr", u.addr, "err", err)
			}
		})
	}
	for _, t := range s.tcp {
		g.Go("tcp accept", t.run)
		g.Go("tcp listener", func() {
			if err := s.sipgo.ServeTCP(t); err != nil && !errors.Is(err, net.ErrClosed) {
				s.log.Error("tcp listener ended", "addr", t.addr, "err", err)
			}
		})
	}
}

// awaitListeners waits until requests of ours would leave by the listeners:
// before that the library would open another socket for them.
func (s *Server) awaitListeners(ctx context.Context) {
	for _, u := range s.udp {
		for ctx.Err() == nil && s.ua.TransportLayer().Pool("udp").Get(u.addr.String()) == nil {
			time.Sleep(time.Millisecond)
		}
	}
	close(s.ready)
}

// Ready is closed when calls come in and go out.
func (s *Server) Ready() <-chan struct{} { return s.ready }

// stop ends every leg, gives the BYEs a moment and closes the sockets.
func (s *Server) stop(sockets *guard.Group) {
	s.draining.Store(true)
	s.legs.hangUp()
	select {
	case <-s.work.Quiet():
	case <-time.After(s.timers.farewell):
	}
	s.endLife(cti.ErrShutdown)
	s.ua.TransactionLayer().Close()
	<-s.work.Quiet() // with the sockets gone, the library would open others
	s.closeSockets()
	sockets.Wait()
	s.closeLibrary()
}

// closeLibrary closes what the library still has. A message read just before
// the end may still be in one of its goroutines, which finds the listener gone
// and opens a socket for the answer; so it is closed once more a moment later.
func (s *Server) closeLibrary() {
	for range 2 {
		if err := s.ua.Close(); err != nil {
			s.log.Debug("library closed", "err", err)
		}
		time.Sleep(stragglers)
	}
}

func (s *Server) closeSockets() {
	for _, u := range s.udp {
		if err := u.Close(); err != nil {
			s.log.Warn("listener not closed", "err", err)
		}
	}
	for _, t := range s.tcp {
		if err := t.Close(); err != nil {
			s.log.Warn("listener not closed", "err", err)
		}
	}
}

// Drain refuses new calls from now on, with 503 and Retry-After; calls that are
// there go on.
func (s *Server) Drain() { s.draining.Store(true) }

// dispatch is where the library's goroutines enter our code. A panic ends that
// transaction with 500.
func (s *Server) dispatch(req *wire.Request, tx wire.ServerTransaction) {
	s.work.Enter()
	defer s.work.Leave()
	stx, ok := tx.(*wire.ServerTx)
	if !ok {
		return
	}
	if err := guard.Call(func() { s.route(req, stx) }); err != nil {
		s.count.panics.Add(1)
		s.log.Error("request ended by a panic", "method", string(req.Method), "err", err)
		_ = guard.Call(func() {
			s.respond(stx, response(req, 500, "Server Internal Error", s.stableTag(req)))
		})
	}
}

func (s *Server) route(req *wire.Request, tx *wire.ServerTx) {
	switch {
	case req.Method == wire.ACK: // of an answer that was no 2xx, or of nothing
	case req.Method == wire.REGISTER:
		s.onRegister(req, tx)
	case tagOf(req.To()) != "":
		s.onInDialog(req, tx)
	case req.Method == wire.INVITE:
		s.onInvite(req, tx)
	default:
		s.respond(tx, response(req, 481, "Call/Transaction Does Not Exist", s.stableTag(req)))
	}
}

// respond sends through the transaction. A response that cannot be sent is
// repeated by the transaction or asked for again by the peer.
func (s *Server) respond(tx *wire.ServerTx, res *wire.Response) {
	if !safe(res) {
		s.log.Error("response not sent", "code", res.StatusCode, "err", errUnsafe)
		return
	}
	if err := tx.Respond(res); err != nil {
		s.log.Debug("response not sent", "code", res.StatusCode, "err", err)
	}
}

func (s *Server) now() time.Time { return time.Now() }

// sweep forgets what is over and ends what has expired.
func (s *Server) sweep(ctx context.Context) {
	tick := time.NewTicker(sweepEach)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			s.bindings.sweep(now)
			s.invites.sweep(now)
			s.dialogs.sweep(now)
			s.peers.sweep(now)
			s.registrar.nonces.sweep(now)
		}
	}
}

// byeRow ends a dialog of a run that did not end by itself.
func (s *Server) byeRow(row DialogRow) {
	d, err := s.revive(row)
	if err != nil {
		s.log.Error("no BYE to a kept dialog", "dialog", row.ID, "err", err)
		s.deps.Dialogs.Closed(row.ID)
		return
	}
	s.bye(d, nil)
}

func (s *Server) revive(row DialogRow) (*dialog, error) {
	to, err := netip.ParseAddrPort(row.To)
	if err != nil {
		return nil, fmt.Errorf("kept address: %w", err)
	}
	for _, ep := range s.endpoints {
		if ep.transport == row.Transport && ep.addr.String() == row.From {
			return revived(row, ep)
		}
	}
	ep, err := s.endpointFor(row.Transport, to)
	if err != nil {
		return nil, err
	}
	return revived(row, ep)
}

// legs are all legs that are not over.
type legs struct {
	mu  sync.Mutex
	all map[*leg]func(cause string)
}

func newLegs() *legs { return &legs{all: map[*leg]func(string){}} }

func (ls *legs) add(l *leg, hangup func(string)) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	ls.all[l] = hangup
}

func (ls *legs) remove(l *leg) {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	delete(ls.all, l)
}

func (ls *legs) count() int {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	return len(ls.all)
}

// hangUp ends them all.
func (ls *legs) hangUp() {
	ls.mu.Lock()
	var all []func(string)
	for _, h := range ls.all {
		all = append(all, h)
	}
	ls.mu.Unlock()
	for _, h := range all {
		h("congestion")
	}
}

type counters struct {
	calls, refused, dropped, malformed, authFailed atomic.Uint64
	unacked, panics, revived, connsRefused         atomic.Uint64
}

// Stats is what was counted since the start, and what there is now.
type Stats struct {
	Calls        uint64 // legs begun, both directions
	Refused      uint64 // requests of strangers
	Dropped      uint64 // datagrams of strangers over the limits or banned, unread
	Malformed    uint64 // messages that could not be read or broke RFC 3261
	AuthFailed   uint64 // wrong credentials
	Bans         uint64
	Unacked      uint64 // answers whose ACK never came
	Panics       uint64 // requests ended by a panic
	Relistened   uint64 // listeners that were lost and came back
	ConnsRefused uint64 // TCP connections over the limits or without framing

	Legs, Dialogs, Extensions int // now
}

// Stats gives the counters.
func (s *Server) Stats() Stats {
	c := &s.count
	return Stats{
		Calls: c.calls.Load(), Refused: c.refused.Load(), Dropped: c.dropped.Load(),
		Malformed: c.malformed.Load(), AuthFailed: c.authFailed.Load(), Bans: s.shield.banCount(),
		Unacked: c.unacked.Load(), Panics: c.panics.Load(), Relistened: c.revived.Load(),
		ConnsRefused: c.connsRefused.Load(),
		Legs:         s.legs.count(), Dialogs: s.dialogs.open(), Extensions: s.bindings.count(),
	}
}
