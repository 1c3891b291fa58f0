package sip

import (
	"errors"
	"time"
)

// run tries the target and, where it stays silent, the trunk's next addresses.
func (a *attempt) run() {
	err := a.try()
	for err != nil && a.goOn(err) {
		next := a.target.next[0]
		a.target.to, a.target.next = next, a.target.next[1:]
		a.target.uri.Host, a.target.uri.Port = hostText(next.Addr()), int(next.Port())
		err = a.try()
	}
	if err != nil && !a.left {
		a.fail(err)
	}
}

// goOn says whether another address may help.
func (a *attempt) goOn(err error) bool {
	return !a.isStopped() && errors.Is(err, errSilent) && len(a.target.next) > 0
}

// silence is over when a trunk that said nothing at all is taken for dead. A
// phone may say nothing as long as it is rung.
func (a *attempt) silence() <-chan time.Time {
	switch {
	case len(a.target.next) > 0:
		return time.After(a.leg.s.timers.failover)
	case a.leg.trunk != nil:
		return time.After(a.leg.s.timers.silence)
	}
	return nil
}
