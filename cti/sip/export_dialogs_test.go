package sip

import (
	"time"

	"callbox/cti/media"
)

// Timer is a timer as a message asks for it, in seconds.
type Timer struct {
	Known           bool
	Interval, Least int
	Refresher       string
}

// JudgeTimer gives Session-Expires of the answer, or Min-SE of a refusal.
func JudgeTimer(t Timer, usual time.Duration) (expires, least string) {
	asked := timer{
		known: t.Known, interval: time.Duration(t.Interval) * time.Second,
		least: time.Duration(t.Least) * time.Second, refresher: t.Refresher,
	}
	granted, f := asked.judge(usual)
	if f != nil {
		return "", f.headers[0].Value()
	}
	for _, h := range granted.promise() {
		if h.Name() == "Session-Expires" {
			expires = h.Value()
		}
	}
	return expires, ""
}

// TimerDue is what a session timer wants after so long without a refresh.
func TimerDue(interval, idle time.Duration, ours bool) string {
	now := time.Now()
	w := watch{session: session{interval: interval, ours: ours}, since: now.Add(-idle)}
	return map[task]string{refreshDue: "refresh", expired: "expired"}[w.due(now)]
}

// Tick lets the session timers see another time.
func (s *Server) Tick(now time.Time) { s.watchSessions(now) }

// TimerOf is the session's interval of a leg.
func (s *Server) TimerOf(leg string) time.Duration {
	for _, d := range s.dialogs.each() {
		if d.leg.id == leg {
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.session.interval
		}
	}
	return 0
}

// Repeated is repetition on the clock.
var Repeated = repeated

// Overload is the guard against too many calls.
type Overload struct{ *overload }

// NewOverload makes one.
func NewOverload(l Limits) Overload { return Overload{newOverload(l)} }

// Takes counts a new call.
func (o Overload) Takes(legs int, now time.Time) bool { return o.takes(legs, now) }

// Keying is how a leg behind a trunk with that setting sends and finds keys.
func Keying(setting string, event uint8) (media.Keying, media.Detect) {
	l := &leg{trunk: &trunk{Trunk: Trunk{DTMF: setting}}}
	return l.keying(event)
}
