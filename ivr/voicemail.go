package ivr

import (
	"context"
	"sync"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/ivr/flow"
	"callbox/ivr/speech"
)

const (
	messageKey = '#'             // ends a message
	messageGap = 8 * time.Second // so does nothing said for so long
)

// beep tells the caller to speak.
var beep = sync.OnceValue(func() media.Prompt {
	return speech.Tone("beep", 1000, -10, 400*time.Millisecond)
})

// voicemail greets, beeps and lets the caller speak: to the key, to silence, to
// the node's limit or to the hang-up. The message stands in the call's
// recording; where there is none, nobody is asked to speak.
func (w *walk) voicemail(ctx context.Context, n flow.Node) string {
	message, err := w.call.TakeMessage(n.Voicemail.Queue)
	if err != nil {
		w.call.Log().Error("caller cannot leave a message", "err", err)
		return n.Next
	}
	w.play(ctx, n.Prompt)
	w.keys.forget() // what stopped the greeting is no end of the message
	if ctx.Err() != nil || !w.beep(ctx) {
		return n.Next
	}
	message.Begin()
	w.speak(ctx, message, n.Voicemail.Max)
	if message.End() {
		w.call.Log().Info("caller left a message")
	}
	return n.Next
}

// beep is false where it was not heard to its end.
func (w *walk) beep(ctx context.Context) bool {
	err := w.call.Media().Play(ctx, beep())
	if err != nil && ctx.Err() == nil {
		w.brokeOff(ctx, beep(), err)
	}
	return err == nil
}

// speak waits for the message's end.
func (w *walk) speak(ctx context.Context, message *cti.Message, limit time.Duration) {
	end := time.Now().Add(limit)
	for ctx.Err() == nil {
		left := min(time.Until(end), messageGap-message.Quiet())
		if left <= 0 {
			return
		}
		if k, pressed := w.keys.next(ctx, left); pressed && k == messageKey {
			return
		}
	}
}
