package ivr

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"callbox/cti/media"
	"callbox/internal/guard"
)

var (
	errSlowPrompt = errors.New("the prompt took too long to come")
	errPressed    = errors.New("a key was pressed")
)

// keys are what the caller presses, ahead of time or not. A key that stops a
// prompt is kept for the node that asks for one.
type keys struct {
	port  media.Port
	log   *slog.Logger
	ahead []rune
}

// pending says whether a key waits to be taken.
func (k *keys) pending() bool {
	if len(k.ahead) > 0 {
		return true
	}
	select {
	case r := <-k.port.Digits():
		k.ahead = append(k.ahead, r)
		return true
	default:
		return false
	}
}

// forget drops what was pressed ahead of time.
func (k *keys) forget() {
	for k.pending() {
		k.ahead = nil
	}
}

// next takes the next key, or reports false after limit without one.
func (k *keys) next(ctx context.Context, limit time.Duration) (rune, bool) {
	if k.pending() {
		r := k.ahead[0]
		k.ahead = k.ahead[1:]
		return r, true
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case r := <-k.port.Digits():
		return r, true
	case <-timer.C:
	case <-ctx.Done():
	}
	return 0, false
}

// during plays until the sound ends or a key is pressed, which is kept. The
// player has returned when during does.
func (k *keys) during(ctx context.Context, play func(context.Context) error) error {
	playing, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	ended := make(chan error, 1)
	guard.Go("prompt", k.log, func() {
		err := errors.New("player fell")
		defer func() { ended <- err }()
		err = play(playing)
	})
	select {
	case r := <-k.port.Digits():
		k.ahead = append(k.ahead, r)
		stop(errPressed)
		<-ended
		return nil
	case err := <-ended:
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
}
