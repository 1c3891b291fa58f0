package cti

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"callbox/cti/media"
)

const (
	// leastMessage is what a caller has to say for a message.
	leastMessage = time.Second
	// speechLevel is from where sound counts as said, in dBm0: a hushed voice is
	// above it, the noise of a line below.
	speechLevel = -45
	// speechHang is how long something said lasts beyond its sound.
	speechHang = 400 * time.Millisecond
)

// VoiceMessage is the part of a call's recording in which the caller leaves a
// message: Seconds from From on, 0 while that goes on.
type VoiceMessage struct {
	From    float64 `json:"from"`
	Seconds float64 `json:"seconds"`
	Queue   string  `json:"queue,omitempty"` // whose agents are to hear it, where not those of the call's queue
}

// Message is one that a caller leaves, see [Call.TakeMessage].
type Message struct {
	call   *Call
	ear    *earshot
	before *VoiceMessage // an earlier one of the same call
	own    VoiceMessage
	since  time.Time
}

// TakeMessage prepares for a message to the agents of queue ("": of the queue
// that the call was in last); the caller may speak from Begin to End, in the
// goroutine of the call. ErrWrongState where the call is not recorded.
func (c *Call) TakeMessage(queue string) (*Message, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.stop == nil {
		return nil, fmt.Errorf("no message, since nothing is recorded: %w", ErrWrongState)
	}
	return &Message{call: c, ear: c.ear, before: c.record.Recording.Voicemail, own: VoiceMessage{Queue: queue}}, nil
}

// Begin is the moment from which the caller speaks (event voicemailStarted).
func (m *Message) Begin() {
	m.since = time.Now()
	m.own.From = seconds(m.since.Sub(m.ear.begin(m.since)))
	m.keep(&m.own)
	m.call.note(Event{Type: EventVoicemailStarted, ConnectionID: m.call.leg.ID(), UserData: map[string]any{"from": m.own.From}})
}

// Quiet is for how long nothing was said.
func (m *Message) Quiet() time.Duration {
	_, last := m.ear.heard()
	return time.Since(latest(m.since, last))
}

// End ends the message, without the silence at its end (event voicemailEnded).
// False where too little was said to be one.
func (m *Message) End() bool {
	m.ear.on.Store(false)
	spoken, last := m.ear.heard()
	if spoken < leastMessage {
		m.keep(m.before)
		return false
	}
	end := last.Add(speechHang)
	if now := time.Now(); end.After(now) {
		end = now
	}
	done := m.own
	length := end.Sub(m.since)
	if m.before != nil { // from the first one on
		done.From = m.before.From
		length += time.Duration((m.own.From - done.From) * float64(time.Second))
	}
	done.Seconds = seconds(length)
	m.keep(&done)
	m.call.note(Event{
		Type: EventVoicemailEnded, ConnectionID: m.call.leg.ID(),
		UserData: map[string]any{"from": done.From, "seconds": done.Seconds},
	})
	return true
}

func (m *Message) keep(v *VoiceMessage) {
	m.call.update(func(r *CDR) { r.Recording.Voicemail = v })
}

func seconds(d time.Duration) float64 { return d.Round(time.Millisecond).Seconds() }

// Left says whether the call's recording holds a message.
func (r Recording) Left() bool { return r.Voicemail != nil && r.Voicemail.Seconds > 0 }

// outside is the outside party's sound as the recorder takes it; Mixed is for
// the recorder. What is said goes by within earshot, which listens when asked to.
type outside struct {
	media.Port
	mixed bool
	ear   *earshot
}

// Mixed says that both people are heard on one channel.
func (o outside) Mixed() bool { return o.mixed }

// Tap implements [media.Port].
func (o outside) Tap(to media.Sink) {
	if to == nil {
		o.Port.Tap(nil)
		return
	}
	o.ear.set(o.Law(), to)
	o.Port.Tap(o.ear)
}

// earshot hears whether the party speaks.
type earshot struct {
	to  media.Sink
	law media.Law
	on  atomic.Bool

	mu     sync.Mutex
	zero   time.Time // when the tap was set
	spoken time.Duration
	last   time.Time // when something was said
}

func (e *earshot) set(law media.Law, to media.Sink) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.law, e.to, e.zero = law, to, time.Now()
}

// begin listens from now on, and gives when the recording began.
func (e *earshot) begin(now time.Time) (zero time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.spoken, e.last = 0, time.Time{}
	e.on.Store(true)
	if e.zero.IsZero() { // a recorder that taps nothing
		return now
	}
	return e.zero
}

// heard is how long was spoken, and when last.
func (e *earshot) heard() (spoken time.Duration, last time.Time) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.spoken, e.last
}

// Sound implements [media.Sink].
func (e *earshot) Sound(side media.Side, at int64, payload []byte) {
	e.to.Sound(side, at, payload)
	if side == media.Received && e.on.Load() && media.Level(e.law, payload) > speechLevel {
		e.said(time.Now(), time.Duration(len(payload))*time.Second/media.SampleRate)
	}
}

// said takes so much sound; what comes soon after the last is one with it.
func (e *earshot) said(now time.Time, length time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if pause := now.Sub(e.last); pause < speechHang {
		length = max(length, pause)
	}
	e.spoken += length
	e.last = now
}
