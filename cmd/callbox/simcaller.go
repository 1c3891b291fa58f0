package main

import (
	"context"
	"fmt"
	"time"

	"callbox/cti/ctitest"
	"callbox/internal/guard"
)

// callerCmd are callers for trying out a box without a carrier.
type callerCmd struct {
	To     string        `required:"" help:"The box's SIP address, HOST:PORT (UDP)."`
	Number string        `required:"" help:"The number they dial."`
	From   string        `default:"13800138000" help:"The number they call from."`
	Listen string        `default:"127.0.0.1:0" help:"Their own SIP address; it must be in a trunk's from."`
	Digits string        `help:"Keys they press, two seconds after the answer."`
	Tone   float64       `help:"A tone in Hz they send instead of something like speech."`
	Talk   time.Duration `default:"20s" help:"How long they stay after the answer."`
	Calls  int           `default:"1" help:"How many call; 0: until SIGTERM."`
	Every  time.Duration `default:"5s" help:"Time between two callers."`
}

// Help gives an example.
func (callerCmd) Help() string {
	return `Prints one line a call: when it was answered, and how it ended.

Example: callbox sim caller --to 127.0.0.1:5060 --number 4001234567 --digits 1 --talk 30s`
}

// Run lets them call and waits for the last.
func (c *callerCmd) Run(s *session) error {
	phone, err := ctitest.NewPhone(ctitest.PhoneConfig{Listen: c.Listen, User: c.From, Log: s.log})
	if err != nil {
		return fmt.Errorf("callbox sim caller: %w", err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(s.ctx))
	world := guard.Group{Log: s.log}
	world.Go("callers' telephone", func() {
		if err := phone.Run(ctx); err != nil {
			s.log.Error("the callers' telephone ended", "err", err)
		}
	})
	calls := guard.Group{Log: s.log}
	for n := 1; c.Calls == 0 || n <= c.Calls; n++ {
		calls.Go("caller", func() { c.call(s, phone, n) })
		if n == c.Calls || !wait(s.ctx, c.Every) {
			break
		}
	}
	calls.Wait()
	cancel()
	world.Wait()
	return nil
}

// wait is false when ctx ended before.
func wait(ctx context.Context, span time.Duration) bool {
	select {
	case <-time.After(span):
		return true
	case <-ctx.Done():
		return false
	}
}

func (c *callerCmd) call(s *session, phone *ctitest.Phone, n int) {
	begin := time.Now()
	talk, err := phone.Call(s.ctx, c.Number, ctitest.CallOptions{Server: c.To, From: c.From})
	if err == nil {
		defer talk.Hangup()
		err = talk.WaitAnswered(s.ctx)
	}
	if err != nil {
		fmt.Fprintf(s.out, "call %d: %v\n", n, err)
		return
	}
	fmt.Fprintf(s.out, "call %d: answered after %v\n", n, time.Since(begin).Round(time.Millisecond))
	c.speak(s.ctx, talk)
	ctx, cancel := context.WithTimeout(s.ctx, c.Talk)
	defer cancel()
	select {
	case <-talk.Ended():
		fmt.Fprintf(s.out, "call %d: the box hung up after %v\n", n, time.Since(begin).Round(time.Millisecond))
	case <-ctx.Done():
		fmt.Fprintf(s.out, "call %d: hung up after %v\n", n, time.Since(begin).Round(time.Millisecond))
	}
}

func (c *callerCmd) speak(ctx context.Context, talk *ctitest.Talk) {
	if c.Digits != "" && wait(ctx, 2*time.Second) {
		talk.Press(c.Digits)
	}
	if c.Tone > 0 {
		talk.Tone(c.Tone)
	} else {
		talk.Babble(140)
	}
}
