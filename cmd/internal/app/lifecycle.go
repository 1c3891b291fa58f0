package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"callbox/internal/guard"
)

// stopLimit is how long one part may take to return once it is told to stop.
const stopLimit = 10 * time.Second

// lifecycle keeps the running parts in the order they came up. Each has a
// context of its own, so that they stop one by one, backwards, and a part can
// still lean on those started before it.
type lifecycle struct {
	log    *slog.Logger
	fail   context.CancelCauseFunc // told when a part ends by itself
	stages []stage
}

type stage struct {
	name string
	stop func() error
}

// onStop registers what undoes a step.
func (l *lifecycle) onStop(name string, stop func() error) {
	l.stages = append(l.stages, stage{name, stop})
}

// start runs a part in a goroutine of its own until it is stopped. A part that
// returns before brings the daemon down, with its error as the cause.
func (l *lifecycle) start(name string, run func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	guard.Go(name, l.log, func() {
		err := errors.New("ended by a panic")
		defer func() {
			ended <- err
			if ctx.Err() == nil {
				l.fail(fmt.Errorf("%s: %w", name, cause(err)))
			}
		}()
		err = run(ctx)
	})
	l.onStop(name, func() error {
		cancel()
		select {
		case err := <-ended:
			if errors.Is(err, context.Canceled) {
				return nil
			}
			return err
		case <-time.After(stopLimit):
			return fmt.Errorf("did not stop within %v", stopLimit)
		}
	})
}

func cause(err error) error {
	if err == nil {
		return errors.New("ended by itself")
	}
	return err
}

// stop undoes all steps, the last first, and says what went wrong.
func (l *lifecycle) stop() error {
	var all error
	for i := len(l.stages) - 1; i >= 0; i-- {
		if err := l.stages[i].stop(); err != nil {
			all = errors.Join(all, fmt.Errorf("stop %s: %w", l.stages[i].name, err))
		}
	}
	l.stages = nil
	return all
}
