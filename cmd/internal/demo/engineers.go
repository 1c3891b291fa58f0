package demo

import (
	"context"
	"log/slog"
	"net"
	"strings"
	"time"

	"callbox/cmpp/cmpptest"
	"callbox/internal/guard"
)

// engineersCentre is the carrier's SMS centre with the engineers behind it: a
// work order is answered 1, then 2, then 3, as the work goes on.
type engineersCentre struct {
	*cmpptest.Centre
	log    *slog.Logger
	orders chan string // engineers' numbers, one for each order
}

// steps are the answers and when they come after the one before.
var steps = []struct {
	answer string
	after  time.Duration
}{{"1", 4 * time.Second}, {"2", 12 * time.Second}, {"3", 20 * time.Second}}

func newCentre(log *slog.Logger) *engineersCentre {
	c := &engineersCentre{log: log, orders: make(chan string, 64)}
	c.Centre = cmpptest.New(cmpptest.Config{
		SPID: spID, Secret: smsSecret, ReportDelay: 1500 * time.Millisecond, Log: log, OnText: c.take,
	})
	return c
}

// take notices work orders; other texts get no answer.
func (c *engineersCentre) take(to, text string) (reply string, after time.Duration) {
	if strings.Contains(text, "回复1接单") {
		select {
		case c.orders <- to:
		default: // more orders than engineers can read
		}
	}
	return "", 0
}

// Serve runs the centre and its engineers until ctx ends.
func (c *engineersCentre) Serve(ctx context.Context, listener net.Listener) error {
	engineers := guard.Group{Log: c.log}
	engineers.Go("engineers", func() {
		for {
			select {
			case <-ctx.Done():
				return
			case phone := <-c.orders:
				engineers.Go("engineer "+phone, func() { c.work(ctx, phone) })
			}
		}
	})
	defer engineers.Wait()
	return c.Centre.Serve(ctx, listener)
}

func (c *engineersCentre) work(ctx context.Context, phone string) {
	for _, step := range steps {
		if !pause(ctx, step.after) {
			return
		}
		if err := c.Inject(phone, accessCode, step.answer); err != nil {
			c.log.Warn("engineer's answer not sent", "err", err)
		}
	}
}
