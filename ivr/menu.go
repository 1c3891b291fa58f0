package ivr

import (
	"context"
	"strings"
	"time"

	"callbox/cti/media"
	"callbox/ivr/flow"
)

// menu plays and asks until a key leads on or the tries are used up. It returns
// "" when ctx ends.
func (w *walk) menu(ctx context.Context, n flow.Node) string {
	tries := n.Menu.Tries()
	for {
		w.play(ctx, n.Prompt)
		k, ok := w.keys.next(ctx, n.Menu.Timeout)
		if ctx.Err() != nil {
			return ""
		}
		if next, v := w.judge(tries, k, ok); v != flow.Again {
			return next
		}
	}
}

func (w *walk) judge(tries *flow.Tries, k rune, pressed bool) (string, flow.Verdict) {
	if !pressed {
		return tries.Silence()
	}
	w.call.Digits(string(k))
	return tries.Key(k)
}

// collect plays and takes digits into the node's variable.
func (w *walk) collect(ctx context.Context, n flow.Node) string {
	e := n.Collect.Entry()
	for v := flow.Again; v != flow.Entered; {
		if v == flow.Again {
			w.play(ctx, n.Prompt)
		}
		k, ok := w.keys.next(ctx, n.Collect.Timeout)
		if ctx.Err() != nil {
			return ""
		}
		if ok {
			v = e.Key(k)
		} else {
			v = e.Silence()
		}
		if v == flow.GiveUp {
			return n.Failed
		}
	}
	digits := e.Digits()
	w.call.Digits(digits)
	w.set(n.Collect.Var, digits)
	return n.Next
}

// play lets the caller hear a prompt, part by part, until a key is pressed. What
// cannot be had or played is logged and left out.
func (w *walk) play(ctx context.Context, p flow.Prompt) {
	for _, part := range p {
		if w.keys.pending() || ctx.Err() != nil {
			return
		}
		sound, ok := w.sound(ctx, part)
		if !ok {
			continue
		}
		if err := w.keys.during(ctx, func(ctx context.Context) error { return w.call.Media().Play(ctx, sound) }); err != nil {
			w.brokeOff(ctx, sound, err)
		}
	}
}

// goneLimit is how long a prompt that broke off waits to see whether the caller
// is gone: a hang-up takes the sound away first.
const goneLimit = 200 * time.Millisecond

func (w *walk) brokeOff(ctx context.Context, sound media.Prompt, err error) {
	select {
	case <-ctx.Done():
	case <-time.After(goneLimit):
		w.call.Log().Warn("prompt broke off", "prompt", sound.Name, "err", err)
	}
}

func (w *walk) sound(ctx context.Context, part flow.Part) (media.Prompt, bool) {
	if part.Play == "" {
		w.call.Log().Error("nothing can speak this text; it is left out", "text", part.Say)
		return media.Prompt{}, false
	}
	limited, cancel := context.WithTimeoutCause(ctx, promptLimit, errSlowPrompt)
	defer cancel()
	sound, err := w.flow.deps.Prompts.Prompt(limited, strings.TrimSpace(part.Play))
	switch {
	case err != nil && ctx.Err() != nil: // a key was pressed, or the caller is gone
		return media.Prompt{}, false
	case err != nil:
		w.call.Log().Error("prompt is left out", "prompt", part.Play, "err", err)
		return media.Prompt{}, false
	}
	sound.Loop = false
	return sound, true
}
