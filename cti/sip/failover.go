package sip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"

	"callbox/cti"

	wire "github.com/emiago/sipgo/sip"
)

const (
	mostAddresses = 4                // of a trunk that one call tries
	silentRest    = 30 * time.Second // a silent address is tried after the others for so long
	longestRest   = time.Minute      // however long a 503 asks for
	knockLimit    = 300 * time.Millisecond
)

var errRefused = errors.New("nobody listens there")

// run tries the target and, where it does not serve us, the trunk's next
// addresses.
func (a *attempt) run() {
	err := a.try()
	for err != nil && a.goOn(err) {
		a.move()
		err = a.try()
	}
	if err != nil && !a.left {
		a.fail(err)
	}
}

// goOn says whether another address may help: after silence, a connection that
// cannot be made, and 503 (RFC 3263 §4.3). Any other answer is the callee's.
func (a *attempt) goOn(err error) bool {
	if a.isStopped() || len(a.target.next) == 0 || errors.Is(err, errUnsafe) || !errors.Is(err, cti.ErrUnreachable) {
		return false
	}
	if a.wasAnswered() || decided(a.final) {
		return false
	}
	if a.final != 503 {
		a.leg.trunk.places.rest(a.target.to, silentRest, false)
	}
	return true
}

// decided says whether a final response is the end of the matter, not a step on
// the way (a challenge, a longer session) nor a server that has no room.
func decided(code int) bool {
	switch code {
	case 0, 401, 407, 422, 503:
		return false
	}
	return true
}

func (a *attempt) wasAnswered() bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.tag != ""
}

// move turns to the next address. What was learnt from the last one, its nonce
// too, is forgotten.
func (a *attempt) move() {
	a.leg.log.Info("next address", "after", a.target.to, "to", a.target.next[0])
	a.target.to, a.target.next = a.target.next[0], a.target.next[1:]
	a.auth, a.final = nil, 0
}

// heed remembers what a final response says of the address.
func (a *attempt) heed(res *wire.Response) {
	a.final = res.StatusCode
	if a.leg.trunk == nil || res.StatusCode != 503 {
		return
	}
	if wait := retryAfter(res); wait > 0 {
		a.leg.trunk.places.rest(a.target.to, min(wait, longestRest), true)
	}
}

// retryAfter is what a response asks to wait (RFC 3261 §20.33), 0 for nothing.
func retryAfter(res *wire.Response) time.Duration {
	h := res.GetHeader("retry-after")
	if h == nil {
		return 0
	}
	digits, _, _ := strings.Cut(h.Value(), ";")
	digits, _, _ = strings.Cut(digits, "(")
	n, err := strconv.ParseUint(strings.TrimSpace(digits), 10, 31)
	if err != nil {
		return 0
	}
	return time.Duration(n) * time.Second
}

// quiet is how far a trunk's silence has gone.
type quiet struct {
	since   time.Time
	knocked chan error // what came of the knock
	steps   int
}

// silence is over when a trunk that said nothing at all is looked after. A
// phone may say nothing as long as it is rung.
func (a *attempt) silence() <-chan time.Time {
	if a.leg.trunk == nil {
		return nil
	}
	a.quiet = quiet{since: time.Now(), knocked: make(chan error, 1)}
	return time.After(min(a.leg.s.timers.t1, a.patience()/2))
}

// patience is how long the trunk may say nothing: a while longer where there is
// no other address.
func (a *attempt) patience() time.Duration {
	if len(a.target.next) > 0 {
		return a.leg.s.timers.failover
	}
	return a.leg.s.timers.silence
}

// staysSilent decides what to do when silence is over: at first it is asked
// whether anybody listens there at all, at last the address is given up. The
// error ends this try.
func (a *attempt) staysSilent() (<-chan time.Time, error) {
	if a.heard {
		return nil, nil
	}
	a.quiet.steps++
	switch a.quiet.steps {
	case 1:
		return a.knock(), nil
	case 2:
		if err := <-a.quiet.knocked; err != nil {
			a.tx.Terminate()
			return nil, fmt.Errorf("%w: %w: %w", cti.ErrUnreachable, errSilent, err)
		}
		return time.After(a.patience() - time.Since(a.quiet.since)), nil
	}
	switch {
	case len(a.target.next) > 0:
		a.linger()
		return nil, fmt.Errorf("%w: %w", cti.ErrUnreachable, errSilent)
	case !a.isStopped():
		a.leave()
	}
	return nil, nil
}

// knock finds out by ICMP whether the address's port is closed, which our
// listener, being open to everybody, is not told. The time comes when it is
// known, or knockLimit has passed.
func (a *attempt) knock() <-chan time.Time {
	over, result := make(chan time.Time, 1), a.quiet.knocked
	to, udp := a.target.to, a.target.ep.transport == "UDP"
	limit := min(knockLimit, a.patience()/4)
	a.leg.s.work.Go("knock", func() {
		var err error
		if udp {
			err = refuses(to, limit)
		}
		result <- err
		over <- time.Now()
	})
	return over
}

// refuses sends a keep-alive (RFC 5626 §3.5.1) from a socket of its own and
// gives errRefused when the far side says that its port is closed.
func refuses(to netip.AddrPort, limit time.Duration) error {
	conn, err := net.DialUDP("udp", nil, net.UDPAddrFromAddrPort(to))
	if err != nil {
		return nil // no news
	}
	defer func() { _ = conn.Close() }()
	_ = conn.SetDeadline(time.Now().Add(limit))
	if _, err = conn.Write([]byte("\r\n\r\n")); err == nil {
		_, err = conn.Read(make([]byte, 16))
	}
	if errors.Is(err, syscall.ECONNREFUSED) {
		return errRefused
	}
	return nil
}

// linger hears out an address that was given up, while the next one is tried.
func (a *attempt) linger() {
	late := &attempt{leg: a.leg, target: a.target, seq: a.seq, auth: a.auth, req: a.req, tx: a.tx, acks: map[string]*wire.Request{}}
	a.leg.s.work.Go("late answer", func() {
		defer late.tx.Terminate()
		for {
			select {
			case res := <-late.tx.Responses():
				if a.late(late, res) {
					return
				}
			case <-late.tx.Done():
				return
			case <-late.leg.s.life.Done():
				return
			}
		}
	})
}

// late serves one response that came after all: CANCEL follows it, or ACK and
// BYE. It says whether it was the last one.
func (a *attempt) late(was *attempt, res *wire.Response) (last bool) {
	if res.IsProvisional() {
		was.heard = true
		was.sendCancel()
		return false
	}
	if !res.IsSuccess() {
		return true
	}
	d := was.dialogOf(res)
	if !was.acknowledge(d, res) {
		return true
	}
	a.mu.Lock()
	a.acks[d.remoteTag] = was.acks[d.remoteTag] // for repetitions
	a.mu.Unlock()
	d.finish(time.Now())
	a.leg.s.bye(d, a.leg.trunk)
	return true
}
