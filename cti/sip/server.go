package sip

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
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
	Engine    media.Engine
	Calls     Calls
	Accounts  Accounts
	Bindings  Bindings
	Dialogs   Dialogs
	Journal   Journal   // nil: nobody is told of trunks
	Mailboxes Mailboxes // nil: no message ever waits
	Log       *slog.Logger
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

	trunks        trunks
	bindings      *bindings
	registrar     *registrar
	changes       *changes
	ways          *ways
	shield        *shield
	peers         *peers
	invites       *invites
	dialogs       *dialogs
	legs          *legs
	subscriptions *subscriptions
	keepalive     *keepalive
	overload      *overload
	interval      time.Duration // of session timers, 0 for none
	names         resolver      // for hosts that peers name
	count         counters

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

func (nothing) Load(context.Context) ([]Binding, error) { return nil, nil }

func (nothing) Save(Binding) {}

func (nothing) Remove(string, string) {}

type noDialogs struct{}

func (noDialogs) Open(DialogRow) {}

func (noDialogs) Closed(string) {}

func (noDialogs) Left(context.Context) ([]DialogRow, error) { return nil, nil }

func (s *Server) configure(cfg Config) error {
	var err error
	if s.trunks, err = newTrunks(cfg.Trunks, cfg.names); err != nil {
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
	if s.ways, err = newWays(cfg, s.log); err != nil {
		return err
	}
	s.changes = newChanges()
	s.bindings = newBindings(s.deps.Bindings, cfg.MaxContacts, s.changes)
	s.registrar = &registrar{s: s, nonces: newNonces(s.secret)}
	s.shield, s.peers, s.invites, s.dialogs, s.legs = newShield(), newPeers(), newInvites(), newDialogs(), newLegs()
	s.subscriptions, s.keepalive, s.legs.changed = newSubscriptions(), newKeepalive(cfg.Keepalive), s.watchLegs
	s.overload, s.interval = newOverload(cfg.Limits), sessionOf(cfg.SessionTimer)
	if s.names = cfg.names; s.names == nil {
		s.names = net.DefaultResolver
	}
	return nil
}

// Run serves until ctx ends. It first says BYE to what a crash left open. When
// it returns, every leg is over and its goroutines have returned.
func (s *Server) Run(ctx context.Context) error {
	if len(s.endpoints) == 0 && len(s.listens) > 0 {
		if err := s.Listen(); err != nil {
			return err
		}
	}
	if err := s.bindings.load(ctx, time.Now()); err != nil {
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
	background.Go("trunks", func() { s.runTrunks(ctx) })
	background.Go("changes of phones", func() { s.changes.run(ctx) })
	background.Go("subscribers", func() { s.tellSubscribers(ctx) })
	background.Go("keepalive of phones", func() { s.keepAlive(ctx) })
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
			if err := t.serve(s.sipgo); err != nil && !errors.Is(err, net.ErrClosed) {
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
	case req.Method == wire.SUBSCRIBE:
		s.onSubscribe(req, tx)
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
			s.watchSessions(now)
			s.peers.sweep(now)
			s.registrar.nonces.sweep(now)
		}
	}
}
