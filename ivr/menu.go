package ivr

import (
	"context"
	"strings"
	"time"

	"callbox/cti/media"
	"callbox/ivr/flow"
)

// verdict is what a key, or none, means to a menu.
type verdict uint8

const (
	chosen  verdict = iota // the key leads on
	again                  // wrong or silent, and there is another try
	giveUp                 // the tries are used up
	digit                  // taken, and more may follow (collect only)
	entered                // the digits are complete (collect only)
)

// menuTries counts the tries of one visit to a menu. It is pure: a retry is a
// play after the first, and a wrong key and silence each use one.
type menuTries struct {
	spec flow.MenuSpec
	used int
}

// key says where k leads.
func (m *menuTries) key(k rune) (string, verdict) {
	if next, ok := m.spec.Keys[k]; ok {
		return next, chosen
	}
	return m.silence()
}

// silence says what no key means.
func (m *menuTries) silence() (string, verdict) {
	if m.used == m.spec.Retries {
		return m.spec.Otherwise, giveUp
	}
	m.used++
	return "", again
}

// menu plays and asks until a key leads on or the tries are used up. It returns
// "" when ctx ends.
func (w *walk) menu(ctx context.Context, n flow.Node) string {
	tries := menuTries{spec: n.Menu}
	for {
		w.play(ctx, n.Prompt)
		k, ok := w.keys.next(ctx, n.Menu.Timeout)
		if ctx.Err() != nil {
			return ""
		}
		if next, v := w.judge(&tries, k, ok); v != again {
			return next
		}
	}
}

func (w *walk) judge(tries *menuTries, k rune, pressed bool) (string, verdict) {
	if !pressed {
		return tries.silence()
	}
	w.call.Digits(string(k))
	return tries.key(k)
}

// entry gathers the digits of one visit to a collect node. It is pure.
type entry struct {
	spec   flow.CollectSpec
	digits []rune
	used   int
}

// key takes k.
func (e *entry) key(k rune) verdict {
	if string(k) == e.spec.Terminator {
		return e.done()
	}
	e.digits = append(e.digits, k)
	if len(e.digits) == e.spec.Max {
		return entered
	}
	return digit
}

// done is the terminator, or silence: with digits the entry is complete,
// without any a try is used up.
func (e *entry) done() verdict {
	if len(e.digits) > 0 {
		return entered
	}
	if e.used == e.spec.Retries {
		return giveUp
	}
	e.used++
	return again
}

// collect plays and takes digits into the node's variable.
func (w *walk) collect(ctx context.Context, n flow.Node) string {
	e := entry{spec: n.Collect}
	for v := again; v != entered; {
		if v == again {
			w.play(ctx, n.Prompt)
		}
		k, ok := w.keys.next(ctx, n.Collect.Timeout)
		if ctx.Err() != nil {
			return ""
		}
		if ok {
			v = e.key(k)
		} else {
			v = e.done()
		}
		if v == giveUp {
			return n.Failed
		}
	}
	digits := string(e.digits)
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
