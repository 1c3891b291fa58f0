package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	wire "github.com/emiago/sipgo/sip"
	"github.com/google/uuid"
	"github.com/icholy/digest"
)

const (
	usualExpires    = 5 * time.Minute
	longestExpires  = 24 * time.Hour
	firstRetry      = time.Second
	longestRetry    = 5 * time.Minute
	turnedAwayRetry = 10 * time.Minute
	registerRounds  = 4 // requests of one registration: challenge, stale nonce, longer time
	lostCheck       = time.Second
	unregisterLimit = 2 * time.Second
)

var (
	errTurnedAway     = errors.New("registration refused")
	errConnectionLost = errors.New("the connection was lost")
)

// registration keeps one contact of ours at a trunk (RFC 3261 §10.2). One
// goroutine, [registration.keep], owns it, but for at.
type registration struct {
	trunk  *trunk
	callID string
	tag    string
	seq    uint32
	asks   time.Duration

	chal   *digest.Challenge // the last one, answered in advance as long as it holds
	header string            // of its answer
	uses   int

	way target // of the last registration
	at  atomic.Pointer[netip.Addr]
}

func newRegistration(t *trunk) *registration {
	asks := t.Expires
	if asks == 0 {
		asks = usualExpires
	}
	return &registration{trunk: t, callID: uuid.NewString(), tag: wire.GenerateTagN(20), asks: asks}
}

// isAt says whether a is where the trunk has us registered.
func (r *registration) isAt(a netip.Addr) bool {
	at := r.at.Load()
	return at != nil && *at == a
}

// keep registers again and again until ctx ends, then takes the contact back.
func (r *registration) keep(ctx context.Context, s *Server) {
	upkeep{
		ask:  func(ctx context.Context) (time.Duration, error) { return r.register(ctx, s) },
		lost: func() bool { return r.isLost(s) },
		told: func(granted time.Duration, err error) { r.told(s, granted, err) },
	}.run(ctx)
	if r.at.Load() == nil {
		return
	}
	end, cancel := context.WithTimeout(s.life, unregisterLimit)
	defer cancel()
	if _, err := r.rounds(end, s, r.way, 0); err != nil {
		s.log.Info("registration not taken back", "trunk", r.trunk.Name, "err", err)
	}
}

// told passes on what a registration came to.
func (r *registration) told(s *Server, granted time.Duration, err error) {
	switch {
	case err == nil:
		at := r.way.to.Addr()
		r.at.Store(&at)
		s.log.Debug("registered", "trunk", r.trunk.Name, "at", r.way.to, "for", granted)
	default:
		s.log.Warn("not registered", "trunk", r.trunk.Name, "err", err)
	}
	r.trunk.health.enrolled(time.Now().Add(granted), err)
	if r.trunk.Health < 0 && !errors.Is(err, errTurnedAway) {
		r.trunk.health.probed(err) // nothing else asks
	}
}

// isLost says that the connection which the registrar would call us by is gone.
func (r *registration) isLost(s *Server) bool {
	return r.trunk.Transport != "udp" && r.way.ep != nil && !s.connected(r.way.ep, r.way.to)
}

// upkeep is the loop of a registration, apart from what it sends.
type upkeep struct {
	ask  func(context.Context) (granted time.Duration, err error)
	lost func() bool
	told func(granted time.Duration, err error)
}

func (u upkeep) run(ctx context.Context) {
	var p pace
	for {
		granted, err := u.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		u.told(granted, err)
		wait := p.after(granted, err, rand.Float64())
		if err := u.sleep(ctx, wait, err == nil); err != nil {
			u.told(0, err)
			if !sleep(ctx, p.after(0, err, rand.Float64())) {
				return
			}
		}
		if ctx.Err() != nil {
			return
		}
	}
}

// sleep waits, and looks after the connection meanwhile if it is there.
func (u upkeep) sleep(ctx context.Context, d time.Duration, registered bool) error {
	for end := time.Now().Add(d); time.Now().Before(end); {
		if !sleep(ctx, min(lostCheck, time.Until(end))) {
			return nil
		}
		if registered && u.lost() {
			return errConnectionLost
		}
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}

// pace says when to register next. A success makes the retries fast again only
// when it was followed by a second one, so that a registrar that comes and goes
// is not asked more and more often.
type pace struct {
	failures int
	settled  bool
}

// after is the wait after one attempt; chance, from 0 to 1, spreads it.
func (p *pace) after(granted time.Duration, err error, chance float64) time.Duration {
	spread := func(d time.Duration, least float64) time.Duration {
		return time.Duration(float64(d) * (least + (1-least)*chance))
	}
	if err == nil {
		if p.settled {
			p.failures = 0
		}
		p.settled = true
		return refresh(spread(granted*8/10, 0.7), granted)
	}
	p.settled = false
	if errors.Is(err, errTurnedAway) {
		return spread(turnedAwayRetry, 0.9)
	}
	wait := min(firstRetry<<min(p.failures, 10), longestRetry)
	p.failures++
	return spread(wait, 0.75)
}

// refresh leaves time for a second try before the registration runs out.
func refresh(wait, granted time.Duration) time.Duration {
	const spare = 40 * time.Second
	if granted > 2*spare {
		wait = min(wait, granted-spare)
	}
	return max(wait, time.Second)
}

// register asks the trunk's addresses one after the other; the one that answers
// decides, unless it is out of order.
func (r *registration) register(ctx context.Context, s *Server) (time.Duration, error) {
	select {
	case <-s.ready:
	case <-ctx.Done():
		return 0, context.Cause(ctx)
	}
	way, err := s.wayTo(ctx, r.trunk)
	if err != nil {
		return 0, err
	}
	for {
		granted, err := r.rounds(ctx, s, way, r.asks)
		if err == nil {
			r.trunk.places.resting.awake(way.to)
			r.way = way
			return granted, nil
		}
		if errors.Is(err, errTurnedAway) || len(way.next) == 0 || ctx.Err() != nil {
			return 0, fmt.Errorf("%s: %w", way.to, err)
		}
		r.trunk.places.rest(way.to, silentRest, false)
		way.to, way.next = way.next[0], way.next[1:]
		r.chal = nil
	}
}

// rounds registers at one address, answering what it asks in between.
func (r *registration) rounds(ctx context.Context, s *Server, way target, asks time.Duration) (time.Duration, error) {
	fresh := false // the challenge that was answered is of this registration
	for range registerRounds {
		req, res, err := r.round(ctx, s, way, asks)
		if err != nil {
			return 0, err
		}
		switch {
		case res.IsSuccess():
			return r.granted(req, res, asks)
		case challenges(res):
			if err := r.challenged(s, res, fresh); err != nil {
				return 0, err
			}
			fresh = true
		case res.StatusCode == 423 && asks > 0:
			if asks, err = r.longer(res, asks); err != nil {
				return 0, err
			}
		default:
			return 0, r.turnedDown(res, way)
		}
	}
	return 0, fmt.Errorf("%w: it asks again and again", errTurnedAway)
}

// round is one REGISTER and its answer.
func (r *registration) round(ctx context.Context, s *Server, way target, asks time.Duration) (*wire.Request, *wire.Response, error) {
	limit := s.timers.silence
	if len(way.next) > 0 {
		limit = s.timers.failover
	}
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errSilent)
	defer cancel()
	req, err := r.request(s, way, asks)
	if err != nil {
		return nil, nil, err
	}
	if err := s.address(ctx, req, way.ep, way.to); err != nil {
		return nil, nil, err
	}
	res, err := s.transact(ctx, req)
	return req, res, err
}

func (r *registration) request(s *Server, way target, asks time.Duration) (*wire.Request, error) {
	r.seq++
	req := s.outside(wire.REGISTER, r.trunk, way, r.trunk.uri(""))
	req.From().Params = wire.HeaderParams{{K: "tag", V: r.tag}}
	callID := wire.CallIDHeader(r.callID)
	req.AppendHeader(&callID)
	req.AppendHeader(&wire.CSeqHeader{SeqNo: r.seq, MethodName: wire.REGISTER})
	contact := s.contact(way.ep, way.to.Addr())
	contact.Address.User = userPart(r.trunk.Username)
	req.AppendHeader(contact)
	seconds := strconv.Itoa(int(asks / time.Second))
	req.AppendHeader(wire.NewHeader("Expires", seconds))
	req.AppendHeader(allow())
	if r.chal == nil {
		return req, nil
	}
	r.uses++
	value, err := r.trunk.answer(r.chal, req, r.uses)
	if err != nil {
		return nil, err
	}
	req.AppendHeader(wire.NewHeader(r.header, value))
	return req, nil
}

// challenged takes over a new challenge. One that follows a fresh answer means
// that the password is wrong, unless the nonce is only too old.
func (r *registration) challenged(s *Server, res *wire.Response, fresh bool) error {
	chal, err := s.challengeOf(res, r.trunk)
	if err != nil {
		return fmt.Errorf("%w: %w", errTurnedAway, err)
	}
	if fresh && !chal.Stale {
		r.chal = nil
		return fmt.Errorf("%w: the password is not accepted (%d)", errTurnedAway, res.StatusCode)
	}
	r.chal, r.header, r.uses = chal, answerHeader(res), 0
	return nil
}

// longer is the time that a registrar wants to be asked for at least.
func (r *registration) longer(res *wire.Response, asked time.Duration) (time.Duration, error) {
	least := secondsOf(res.GetHeader("min-expires"))
	if least <= asked || least > longestExpires {
		return 0, fmt.Errorf("%w: %v is too brief, and it does not say what is not (423)", errTurnedAway, asked)
	}
	r.asks = least
	return least, nil
}

// turnedDown tells refusals, which last, from a registrar that is out of order.
func (r *registration) turnedDown(res *wire.Response, way target) error {
	err := fmt.Errorf("it answers %d %s", res.StatusCode, shown(res.Reason))
	switch {
	case res.StatusCode == 503:
		if wait := retryAfter(res); wait > 0 {
			r.trunk.places.rest(way.to, min(wait, longestRest), true)
		}
		return err
	case res.StatusCode >= 500 && res.StatusCode < 600, res.StatusCode == 408, res.StatusCode == 480:
		return err
	}
	return fmt.Errorf("%w: %w", errTurnedAway, err)
}

// granted is how long the registration holds: what our contact says, else
// Expires, else what we asked for (RFC 3261 §10.2.4).
func (r *registration) granted(req *wire.Request, res *wire.Response, asked time.Duration) (time.Duration, error) {
	if asked == 0 {
		r.at.Store(nil)
		return 0, nil
	}
	granted := asked
	if h := res.GetHeader("expires"); h != nil {
		granted = secondsOf(h)
	}
	if c := ourContact(req, res); c != nil {
		if text, ok := c.Params.Get("expires"); ok {
			granted = seconds(text)
		}
	}
	if granted <= 0 {
		return 0, errors.New("it keeps no contact of ours")
	}
	return min(granted, longestExpires), nil
}

// ourContact finds the contact of req among those of res, nil for none: one
// alone is ours, whatever a gateway between wrote into it.
func ourContact(req *wire.Request, res *wire.Response) *wire.ContactHeader {
	all := res.GetHeaders("contact")
	for _, h := range all {
		c, ok := h.(*wire.ContactHeader)
		if !ok {
			continue
		}
		ours := req.Contact().Address
		if len(all) == 1 || c.Address.User == ours.User && strings.EqualFold(c.Address.Host, ours.Host) && c.Address.Port == ours.Port {
			return c
		}
	}
	return nil
}

func secondsOf(h wire.Header) time.Duration {
	if h == nil {
		return 0
	}
	return seconds(h.Value())
}

func seconds(text string) time.Duration {
	n, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(text), `"`), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}
