package demo

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"callbox/cti/ctitest"
	"callbox/cti/media/dsp"
	"callbox/firmware/board"
	"callbox/firmware/exchange"
	"callbox/internal/guard"
)

// lineFolder is where the voice box's serial port and analogue side are, below
// the data folder.
const lineFolder = "voicebox"

// plugIn lets a voice box run in this process, with one analogue line.
func (d *demo) plugIn(ctx context.Context, world *guard.Group) error {
	dir := filepath.Join(d.Data, lineFolder)
	b, err := board.Host(dir, 1, d.Log)
	if err != nil {
		return err
	}
	world.Go("voice box", func() {
		d.report("voice box", board.Run(ctx, b, d.Log))
		d.report("voice box", b.Close())
	})
	return nil
}

// analogue lets callers dial the analogue line until ctx ends.
func (d *demo) analogue(ctx, world context.Context) {
	line, err := exchange.New(exchange.Config{Hybrid: 14, Noise: -60})
	if err != nil {
		d.report("telephone line", err)
		return
	}
	stream, err := exchange.Connect(ctx, filepath.Join(d.Data, lineFolder, "analog1"))
	if err != nil {
		d.report("telephone line", err)
		return
	}
	crowd := guard.Group{Log: d.Log}
	defer crowd.Wait()
	clock, stop := context.WithCancel(world)
	defer stop()
	crowd.Go("telephone line", func() { d.report("telephone line", line.Run(clock, stream)) })
	for wait := 8 * time.Second; pause(ctx, wait); wait = between(25*time.Second, 45*time.Second) {
		who := d.tickets.people[rand.IntN(len(d.tickets.people))]
		if err := talkOn(ctx, line, strings.TrimPrefix(who.Number, "+86"), d.Log); err != nil && ctx.Err() == nil {
			d.report("caller on the telephone line", err)
		}
	}
}

// talkOn is one call from a number: ring, press 1, talk, hang up.
func talkOn(ctx context.Context, line *exchange.Exchange, number string, log *slog.Logger) error {
	id := dsp.CallerID{Number: number, Time: time.Now().Format("01021504"), Mode: []string{"fsk", "dtmf"}[rand.IntN(2)]}
	if err := line.Ring(ctx, exchange.Call{Caller: id, Bursts: 8}); err != nil {
		return fmt.Errorf("ring: %w", err)
	}
	defer func() {
		end, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
		defer cancel()
		if err := line.Leave(end, 5*time.Second); err != nil {
			log.Warn("the telephone line is not free", "err", err)
		}
	}()
	if !pause(ctx, between(2*time.Second, 4*time.Second)) {
		return nil
	}
	if err := line.Press(ctx, exchange.Caller, "1"); err != nil {
		return fmt.Errorf("press: %w", err)
	}
	voice := exchange.Loop(ctitest.Speech(float64(90+rand.IntN(150)), 9*dsp.Rate))
	if err := line.Say(ctx, exchange.Caller, voice); err != nil {
		return fmt.Errorf("speak: %w", err)
	}
	end, cancel := context.WithTimeout(ctx, between(12*time.Second, 22*time.Second))
	defer cancel()
	if err := line.Reach(end, exchange.Idle, exchange.Released); err != nil && end.Err() == nil {
		return fmt.Errorf("talk: %w", err)
	}
	return nil
}
