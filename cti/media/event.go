package media

import (
	"encoding/binary"
	"slices"
	"strings"

	"callbox/cti/media/dsp"
)

// keys are the telephone events 0 to 15 by their code (RFC 4733 §3.2).
const keys = "0123456789*#ABCD"

// The rhythm of a sent digit in frames: the tone, repeats of its last packet
// (three in all, RFC 4733 §2.5.1.4), and the pause before the next.
const (
	toneFrames = 5
	endFrames  = 2
	gapFrames  = 3
	keyVolume  = 10 // dBm0 below zero
	eventSize  = 4
	mostQueued = 64 // digits that wait to be sent; more are left out
)

const endOfEvent = 0x80

// eventLog remembers the last telephone events received, so that each is
// reported once: an event's packets share their timestamp, however often, late
// or incomplete they come. A key held for more than 8 s comes as several events
// without a gap, of which all but the last are not ended (RFC 4733 §2.5.1.3).
type eventLog struct {
	stamps [8]uint32
	n      int
	code   byte   // of the newest event
	end    uint32 // behind it
	ended  bool
}

// take gives the key of an event packet; fresh says that it was not reported
// before. ok is false for what is no key or no event.
func (l *eventLog) take(ts uint32, payload []byte) (key rune, fresh, ok bool) {
	if len(payload) < eventSize || int(payload[0]) >= len(keys) {
		return 0, false, false
	}
	newer := !slices.Contains(l.stamps[:min(l.n, len(l.stamps))], ts)
	fresh = newer && !(l.n > 0 && !l.ended && payload[0] == l.code && ts == l.end)
	if newer {
		l.stamps[l.n%len(l.stamps)] = ts
		l.n++
		l.ended = false
	}
	if ts == l.stamps[(l.n-1)%len(l.stamps)] {
		l.code, l.end = payload[0], ts+uint32(eventDuration(payload))
		l.ended = l.ended || payload[1]&endOfEvent != 0
	}
	return rune(keys[payload[0]]), fresh, true
}

func (l *eventLog) clear() { *l = eventLog{} }

// eventDuration is the duration that an event packet tells, in samples.
func eventDuration(payload []byte) int64 {
	return int64(binary.BigEndian.Uint16(payload[2:]))
}

// keying is the digits that a sender has yet to send. The first of queue is the
// one on its way, frame says how far it is, start where it began.
type keying struct {
	queue []byte
	frame int
	start int64
}

// add queues digits; what is no key is left out, and what is too much.
func (k *keying) add(digits string) {
	for _, r := range strings.ToUpper(digits) {
		code := strings.IndexRune(keys, r)
		if code >= 0 && len(k.queue) < mostQueued {
			k.queue = append(k.queue, byte(code))
		}
	}
}

// busy says that a tone is on its way, so that no other sound is.
func (k *keying) busy() bool { return k.frame > 0 && k.frame <= toneFrames+endFrames }

// next fills to with the next event packet and says where its event began. It
// is false in the pause and when there is nothing to send.
func (k *keying) next(now int64, to *[eventSize]byte) (at int64, first, ok bool) {
	if len(k.queue) == 0 {
		return 0, false, false
	}
	if k.frame == 0 {
		k.start = now
	}
	code := k.queue[0]
	k.frame++
	if k.frame > toneFrames+endFrames {
		if k.frame >= toneFrames+endFrames+gapFrames {
			k.frame, k.queue = 0, slices.Delete(k.queue, 0, 1)
		}
		return 0, false, false
	}
	frames := min(k.frame, toneFrames)
	to[0], to[1] = code, keyVolume
	if k.frame >= toneFrames {
		to[1] |= endOfEvent
	}
	binary.BigEndian.PutUint16(to[2:], uint16(frames*FrameSamples))
	return k.start, k.frame == 1, true
}

// tones empties the queue into sound: for parties that know no events. Each
// tone has 10 dBm0 below zero, as [keyVolume] says of an event.
func (k *keying) tones() Prompt {
	as := dsp.Keying{Level: -keyVolume, On: toneFrames * Frame, Off: toneFrames * Frame}
	digits := make([]byte, len(k.queue))
	for i, code := range k.queue {
		digits[i] = keys[code]
	}
	k.queue, k.frame = k.queue[:0], 0
	return NewPrompt("digits", dsp.AppendDTMF(nil, string(digits), as))
}
