// Package webrtc is the browser as an agent's phone.
//
// A page offers its sound once a session ([Server.Offer]: it sends an SDP offer,
// the box answers) and is then a phone that can be rung: calls use the
// connection that is there already, so that nothing has to be set up when the
// agent clicks. [Server.Dial] gives a call's leg, which the page's clicks answer
// or refuse; a new offer of the same user takes over the live call. Sound is
// G.711 of one law, never transcoded; the box is ICE-lite on one UDP and one TCP
// port.
//
// [Server.Run] owns the goroutine that keeps the beat of all pages and waits for
// those that read them. Of calls the package knows legs only, of log-ins
// nothing: who may offer for whom is decided before.
package webrtc

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/internal/guard"

	pion "github.com/pion/webrtc/v4"
)

// Config is how a [Server] is set.
type Config struct {
	Port       int          // UDP, and TCP of the same number; 0: any that is free
	TCP        bool         // for networks that block UDP (RFC 6544)
	ExternalIP string       // an address beside the own ones, in front of a NAT
	Loopback   bool         // pages on this machine only
	Law        media.Law    // of all pages
	Hold       media.Prompt // what the other side hears while a page is away; a soft tone when empty
	Log        *slog.Logger

	limits limits
}

// limits are how long the box is patient; tests make them short.
type limits struct {
	keep    time.Duration // a talk whose page is away
	ring    time.Duration // a call that rings there
	away    time.Duration // a phone without a call whose page's socket is gone
	connect time.Duration // a page that was answered and does not come
}

func (l limits) orUsual() limits {
	usual := limits{keep: 30 * time.Second, ring: 5 * time.Second, away: 10 * time.Second, connect: 20 * time.Second}
	return limits{cmp.Or(l.keep, usual.keep), cmp.Or(l.ring, usual.ring), cmp.Or(l.away, usual.away), cmp.Or(l.connect, usual.connect)}
}

// Validate names every fault, each beginning with its key.
func (c Config) Validate() error {
	var faults []error
	if c.Port < 0 || c.Port > 65535 {
		faults = append(faults, fmt.Errorf("port: %d is not from 0 to 65535", c.Port))
	}
	if ip, err := netip.ParseAddr(c.ExternalIP); c.ExternalIP != "" && (err != nil || ip.IsUnspecified() || ip.Zone() != "") {
		faults = append(faults, fmt.Errorf("external_ip: %q is no address", c.ExternalIP))
	}
	return errors.Join(faults...)
}

// Deps are the parts a [Server] works with.
type Deps struct {
	Engine media.Engine
}

// Server owns the pages that are phones. Its methods may be called from any
// goroutine.
type Server struct {
	cfg     Config
	deps    Deps
	log     *slog.Logger
	sockets *sockets
	cert    pion.Certificate
	api     *pion.API // from Listen on
	work    guard.Crew
	changes *changes
	opened  chan struct{} // holds one when a phone was added

	mu     sync.Mutex // guards what follows; before any phone's
	phones map[string]*phone
	closed bool
}

var _ cti.Dialer = (*Server)(nil)

// New makes a server; nothing is bound before Listen.
func New(cfg Config, deps Deps) (*Server, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("webrtc: %w", err)
	}
	if deps.Engine == nil || !cfg.Law.Valid() {
		return nil, errors.New("webrtc: Engine and a law are needed")
	}
	cert, err := newCertificate()
	if err != nil {
		return nil, fmt.Errorf("webrtc: %w", err)
	}
	cfg.Log = cmp.Or(cfg.Log, slog.Default())
	cfg.limits = cfg.limits.orUsual()
	if cfg.Hold.Duration() == 0 {
		cfg.Hold = holdTone()
	}
	return &Server{
		cfg: cfg, deps: deps, log: cfg.Log, cert: cert, sockets: newSockets(cfg), work: guard.Crew{Log: cfg.Log},
		changes: newChanges(), opened: make(chan struct{}, 1), phones: map[string]*phone{},
	}, nil
}

// Listen binds the ports. Where the one that is wished for is taken, the log
// says which is used instead.
func (s *Server) Listen() error {
	if err := s.sockets.open(); err != nil {
		return fmt.Errorf("webrtc: listen: %w", err)
	}
	api, err := s.newAPI()
	if err != nil {
		s.sockets.close()
		return fmt.Errorf("webrtc: %w", err)
	}
	s.api = api
	return nil
}

// Addr is where pages reach the box, by UDP and, if it is on, by TCP.
func (s *Server) Addr() netip.AddrPort { return s.sockets.addr() }

// Run keeps the pages' beat until ctx ends; then every page is let go and every
// goroutine of the package has returned. A stop is no error.
func (s *Server) Run(ctx context.Context) error {
	s.work.Go("pages that come and go", func() { s.changes.run(ctx) })
	s.keepBeat(ctx)
	s.mu.Lock()
	s.closed = true
	all := s.all(nil)
	s.mu.Unlock()
	for _, p := range all {
		p.shut()
	}
	<-s.work.Quiet()
	s.sockets.close()
	return nil
}

// Changes names the users whose page became a phone or is none any more, for one
// reader; [Server.Reachable] says which it was.
func (s *Server) Changes() <-chan string { return s.changes.out }

// Reachable says whether a user's page can be rung.
func (s *Server) Reachable(user string) bool {
	p := s.find(user)
	return p != nil && p.reachable()
}

// Pages is how many pages can be rung, were they free.
func (s *Server) Pages() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.phones {
		if p.reachable() {
			n++
		}
	}
	return n
}

// Offer makes a page the user's phone: sdp is its offer, the answer is for it
// alone. session names the page, see Close. What was the user's phone before is
// so until the new connection stands, and a live call then goes on with that.
// Errors: [cti.ErrBadArgs], [cti.ErrTooMany], [cti.ErrShutdown].
func (s *Server) Offer(ctx context.Context, user, session, sdp string) (answer string, err error) {
	offer, err := readOffer(sdp, s.cfg.Law)
	if err != nil {
		return "", fmt.Errorf("%w: sdp: %w", cti.ErrBadArgs, err)
	}
	p, err := s.enter(user)
	if err != nil {
		return "", err
	}
	defer p.leave()
	c, answer, err := s.connect(ctx, p, offer)
	if err != nil {
		return "", err
	}
	p.offered(c, session, time.Now())
	if s.isClosed() { // in the meantime
		p.shut()
		return "", cti.ErrShutdown
	}
	return answer, nil
}

func (s *Server) isClosed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}

// Close lets a page be no phone any more, at once; the other side of a live call
// hears the hold tone until another page of the user offers. It is nothing from
// a session that another one has replaced.
func (s *Server) Close(user, session string) {
	if p := s.find(user); p != nil {
		p.closedBy(session, time.Now())
	}
}

// Gone says that a page's socket is gone: its phone stays for a moment without a
// talk, and in one as long as it is heard. The page that comes back offers again.
func (s *Server) Gone(user, session string) {
	if p := s.find(user); p != nil {
		p.goneBy(session, time.Now())
	}
}

// Dial rings browser:USER. Errors: [cti.ErrUnreachable] (no page),
// [cti.ErrBusy] (it has a call). The page shows as by other means.
func (s *Server) Dial(_ context.Context, d cti.Device, as cti.Number, callID string) (cti.Leg, error) {
	p := s.find(d.Address())
	if p == nil {
		return nil, fmt.Errorf("dial %s: %w: no page", d, cti.ErrUnreachable)
	}
	l, err := newLeg(s, p, d, as, callID)
	if err != nil {
		return nil, fmt.Errorf("dial %s: %w", d, err)
	}
	if err := p.ring(l); err != nil {
		l.over(err)
		return nil, fmt.Errorf("dial %s: %w", d, err)
	}
	return l, nil
}

func (s *Server) find(user string) *phone {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.phones[user]
}

// enter gives a user's phone, a new one where there is none, which stays until
// leave.
func (s *Server) enter(user string) (*phone, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || s.api == nil {
		return nil, cti.ErrShutdown
	}
	p := s.phones[user]
	if p == nil {
		p = newPhone(s, user)
		s.phones[user] = p
		select {
		case s.opened <- struct{}{}:
		default:
		}
	}
	return p, p.enter(time.Now())
}

// all are the phones. Callers hold mu.
func (s *Server) all(to []*phone) []*phone {
	for _, p := range s.phones {
		to = append(to, p)
	}
	return to
}

// keepBeat beats while there are pages: a box without any sleeps.
func (s *Server) keepBeat(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.opened:
			s.beat(ctx)
		}
	}
}

// beat passes over all phones every 20 ms until there is none.
func (s *Server) beat(ctx context.Context) {
	ticks := time.NewTicker(media.Frame)
	defer ticks.Stop()
	var phones []*phone
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		if phones = s.present(phones[:0]); len(phones) == 0 {
			return
		}
		s.pass(phones)
	}
}

// pass gives every phone its beat; one that panics is let go, the others go on.
func (s *Server) pass(phones []*phone) {
	for _, p := range phones {
		if err := guard.Call(func() { p.beat(time.Now()) }); err != nil {
			s.log.Error("a page's beat failed; the page is let go", "agent", p.user, "err", err)
			p.shut()
		}
	}
}

// present are the phones that are in use; the others are forgotten.
func (s *Server) present(to []*phone) []*phone {
	s.mu.Lock()
	defer s.mu.Unlock()
	for user, p := range s.phones {
		if p.idle() {
			delete(s.phones, user)
			continue
		}
		to = append(to, p)
	}
	return to
}
