package sip

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"time"

	wire "github.com/emiago/sipgo/sip"
)

const (
	sessionUsual = 30 * time.Minute
	sessionLeast = 90 * time.Second // RFC 4028 §4
	refreshAgain = 10 * time.Second // after a refresh that met a passing fault
)

// sessionOf is the interval that a configuration asks for, 0 for none.
func sessionOf(configured time.Duration) time.Duration {
	switch {
	case configured < 0:
		return 0
	case configured == 0:
		return sessionUsual
	}
	return max(configured, sessionLeast)
}

// session is a session timer as both sides agreed on it (RFC 4028). The zero
// value is none.
type session struct {
	interval time.Duration
	ours     bool // we refresh
	timer    bool // the peer knows the extension
}

// timer is what a message says of session timers.
type timer struct {
	known     bool          // Supported or Require names the extension
	interval  time.Duration // Session-Expires, 0 for none
	least     time.Duration // Min-SE, 0 for none
	refresher string        // uac, uas or ""
}

func readTimer(m wire.Message) timer {
	t := timer{known: lists(m, "timer", "supported", "k", "require")}
	for _, name := range []string{"session-expires", "x"} {
		for _, h := range m.GetHeaders(name) {
			t.interval = delta(h.Value())
			t.refresher = strings.ToLower(parameter(h.Value(), "refresher"))
		}
	}
	for _, h := range m.GetHeaders("min-se") {
		t.least = delta(h.Value())
	}
	return t
}

// delta is the time a header begins with, 0 where it is none.
func delta(value string) time.Duration {
	digits, _, _ := strings.Cut(value, ";")
	return seconds(digits)
}

// parameter is one of a header's parameters, "" for none.
func parameter(value, name string) string {
	_, list, _ := strings.Cut(value, ";")
	for p := range strings.SplitSeq(list, ";") {
		key, v, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(key), name) {
			return strings.TrimSpace(v)
		}
	}
	return ""
}

// judge is what the one who is asked makes of it (RFC 4028 §9): never more than
// was asked for, never less than either side's least. usual is what we would
// have, 0 to have none. A peer that does not know the extension refreshes
// nothing: then some proxy asked, and we do it.
func (t timer) judge(usual time.Duration) (session, *fault) {
	switch {
	case t.interval == 0 || usual == 0:
		return session{}, nil
	case t.interval < sessionLeast && t.known:
		least := wire.NewHeader("Min-SE", text(sessionLeast))
		return session{}, &fault{code: 422, reason: "Session Interval Too Small", headers: []wire.Header{least}}
	case t.interval < sessionLeast:
		return session{}, nil
	}
	interval := min(t.interval, max(usual, t.least, sessionLeast))
	return session{interval: interval, ours: !t.known || t.refresher == "uas", timer: t.known}, nil
}

// granted is what the one who asked makes of the 2xx (§7.2). Less than the least
// is not granted: it would have us talk of nothing else.
func (t timer) granted() session {
	if t.interval > 0 {
		t.interval = max(t.interval, sessionLeast)
	}
	return session{interval: t.interval, ours: t.refresher != "uas", timer: t.known}
}

// promise are the headers of our 2xx.
func (t session) promise() []wire.Header {
	switch {
	case t.interval == 0:
		return nil
	case t.ours:
		return []wire.Header{wire.NewHeader("Session-Expires", text(t.interval)+";refresher=uas")}
	}
	return []wire.Header{
		wire.NewHeader("Session-Expires", text(t.interval)+";refresher=uac"), wire.NewHeader("Require", "timer"),
	}
}

// wishFor are the headers of our request: refresher is left to the other side
// where it is "".
func wishFor(interval, least time.Duration, refresher string) []wire.Header {
	if interval == 0 {
		return nil
	}
	interval, least = max(interval, least), max(least, sessionLeast)
	value := text(interval)
	if refresher != "" {
		value += ";refresher=" + refresher
	}
	return []wire.Header{wire.NewHeader("Session-Expires", value), wire.NewHeader("Min-SE", text(least))}
}

func text(d time.Duration) string { return strconv.Itoa(int(d / time.Second)) }

// watch is a session timer that runs.
type watch struct {
	session
	since time.Time // of the last refresh
	again time.Time // no refresh is tried before
	busy  bool      // one is under way
}

// task is what a session timer wants done.
type task int

const (
	nothingDue task = iota
	refreshDue
	expired
)

// due is pure (RFC 4028 §10): half the interval without a refresh asks for one
// if it is ours; the end comes min(32 s, interval/3) before the other side's.
func (w watch) due(now time.Time) task {
	idle := now.Sub(w.since)
	switch {
	case w.interval == 0:
		return nothingDue
	case idle >= w.interval-min(32*time.Second, w.interval/3):
		return expired
	case w.ours && !w.busy && idle >= w.interval/2 && !now.Before(w.again):
		return refreshDue
	}
	return nothingDue
}

// watch begins a session timer anew.
func (d *dialog) watch(t session, now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session = watch{session: t, since: now}
}

// due is what d's timer wants; a refresh is given to one caller only.
func (d *dialog) due(now time.Time) task {
	d.mu.Lock()
	defer d.mu.Unlock()
	t := d.session.due(now)
	d.session.busy = d.session.busy || t == refreshDue
	return t
}

// rested ends a refresh that met a passing fault.
func (d *dialog) rested(now time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.session.busy, d.session.again = false, now.Add(refreshAgain)
}

// watchSessions serves the session timers of all dialogs.
func (s *Server) watchSessions(now time.Time) {
	for _, d := range s.dialogs.each() {
		switch d.due(now) {
		case refreshDue:
			s.work.Go("session refresh", func() { s.refresh(d) })
		case expired:
			d.leg.log.Warn("the session expired", "dialog", d.id)
			d.watch(session{}, now)
			d.leg.lose()
		}
	}
}

var errGone = errors.New("the peer knows the dialog no more")

// refresh refreshes the session of d. A peer that does not answer, or does not
// know the call, ends the leg.
func (s *Server) refresh(d *dialog) {
	least := time.Duration(0)
	for {
		res, err := s.refreshOnce(d, least)
		switch {
		case d.leg.life.Err() != nil:
			return
		case errors.Is(err, errNoAnswer), errors.Is(err, context.DeadlineExceeded), err == nil && lost[res.StatusCode]:
			d.leg.log.Warn("the session could not be refreshed", "dialog", d.id, "err", errors.Join(err, errGone))
			d.leg.lose()
			return
		case err != nil:
			d.leg.log.Info("the session is refreshed later", "dialog", d.id, "err", err)
			d.rested(time.Now())
			return
		case res.IsSuccess():
			d.retarget(res)
			d.watch(readTimer(res).granted(), time.Now())
			s.keep(d)
			return
		case res.StatusCode == 422 && readTimer(res).least > least:
			least = readTimer(res).least
		case !s.another(d, res.StatusCode):
			d.rested(time.Now())
			return
		}
	}
}

// lost are the answers after which a dialog is no more (RFC 3261 §12.2.1.2).
var lost = map[int]bool{408: true, 481: true}

// another says whether a refresh may be tried once more after a response, and
// waits as long as it takes.
func (s *Server) another(d *dialog, code int) bool {
	switch code {
	case 405, 501: // of UPDATE
		d.mu.Lock()
		defer d.mu.Unlock()
		tried := d.updates
		d.updates = false
		return tried
	case 491:
		return d.leg.wait(glareWait(d.caller))
	}
	return false
}

// glareWait is how long who met 491 waits (RFC 3261 §14.1): the owner of the
// Call-ID longer, so that both do not meet again.
func glareWait(owner bool) time.Duration {
	if owner {
		return 2100*time.Millisecond + rand.N(1900*time.Millisecond)
	}
	return rand.N(2 * time.Second)
}

// wait is false when the leg ends before d has passed.
func (l *leg) wait(d time.Duration) bool {
	select {
	case <-time.After(d):
		return true
	case <-l.life.Done():
		return false
	}
}

// refreshOnce sends UPDATE where the peer takes it, else a re-INVITE with what
// we said last.
func (s *Server) refreshOnce(d *dialog, least time.Duration) (*wire.Response, error) {
	d.mu.Lock()
	updates, interval := d.updates, d.session.interval
	d.mu.Unlock()
	ctx, cancel := d.leg.patience()
	defer cancel()
	fill := func(req *wire.Request) {
		req.AppendHeader(wire.NewHeader("Supported", "timer"))
		for _, h := range wishFor(interval, least, "uac") {
			req.AppendHeader(h)
		}
	}
	if !updates {
		return s.reinvite(ctx, d, d.leg.lastSaid(), fill)
	}
	res, err := s.inDialog(ctx, d, d.leg.trunk, wire.UPDATE, func(req *wire.Request) {
		req.AppendHeader(s.contact(d.ep, d.hop().Addr()))
		req.AppendHeader(allow())
		fill(req)
	})
	if err != nil {
		return nil, fmt.Errorf("refresh: %w", err)
	}
	return res, nil
}
