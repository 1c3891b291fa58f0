package demo

import (
	"context"
	"log/slog"
	"math/rand/v2"
	"strings"
	"time"

	"callbox/cti/ctitest"
	"callbox/internal/guard"
)

// pause waits, or returns false when ctx ends before.
func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// between is a random time from low to high.
func between(low, high time.Duration) time.Duration {
	return low + rand.N(high-low)
}

// callers dial in one after the other until ctx ends.
func (d *demo) callers(ctx context.Context, sip string) {
	crowd := guard.Group{Log: d.Log}
	defer crowd.Wait()
	for wait := 3 * time.Second; pause(ctx, wait); wait = between(11*time.Second, 19*time.Second) {
		who := d.tickets.people[rand.IntN(len(d.tickets.people))]
		from := strings.TrimPrefix(who.Number, "+86")
		if rand.IntN(8) == 0 {
			from = "02155667788" // nobody we know
		}
		crowd.Go("caller", func() { d.ring(ctx, sip, from) })
	}
}

// ring is one caller's call: some give up early or leave a message, most press 1
// and talk.
func (d *demo) ring(ctx context.Context, sip, from string) {
	talk, err := d.carrier.Call(ctx, hotline, ctitest.CallOptions{Server: sip, From: from})
	if err != nil {
		d.report("caller", err)
		return
	}
	defer talk.Hangup()
	if err := talk.WaitAnswered(ctx); err != nil {
		d.report("caller", err)
		return
	}
	if rand.IntN(10) == 0 {
		d.stay(ctx, talk, time.Second) // gives up in the greeting
		return
	}
	if !d.stay(ctx, talk, between(2*time.Second, 5*time.Second)) {
		return
	}
	key := "1"
	switch rand.IntN(12) {
	case 0, 1:
		key = "2"
	case 2:
		key = "3"
	}
	talk.Press(key)
	talk.Babble(float64(90 + rand.IntN(150)))
	d.stay(ctx, talk, between(10*time.Second, 22*time.Second))
}

// stay keeps a call up for so long; false when it ended before.
func (d *demo) stay(ctx context.Context, talk *ctitest.Talk, span time.Duration) bool {
	timer := time.NewTimer(span)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-talk.Ended():
	case <-ctx.Done():
	}
	return false
}

// desk is an agent's telephone: it rings four seconds, answers and talks.
func desk(ctx context.Context, extension, sip string, pitch float64, log *slog.Logger) error {
	phone, err := ctitest.NewPhone(ctitest.PhoneConfig{
		Server: sip, User: extension, Password: "phone-" + extension, Expires: 2 * time.Minute, Log: log,
		OnCall: func(*ctitest.Talk) ctitest.Plan {
			return ctitest.Plan{Ring: 4 * time.Second, Answered: func(t *ctitest.Talk) { t.Babble(pitch) }}
		},
	})
	if err != nil {
		return err
	}
	return phone.Run(ctx)
}

// udpAddress is the UDP listener's HOST:PORT.
func udpAddress(listeners []string) string {
	for _, l := range listeners {
		if address, ok := strings.CutPrefix(l, "udp://"); ok {
			return address
		}
	}
	return ""
}
