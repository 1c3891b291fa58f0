package v253

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of a stream.
const (
	frameRoom  = 50                     // frames that wait for their reader: a second
	streamRoom = 10                     // frames that wait for the port: 200 ms
	mostAhead  = streamRoom * Frame     // samples sent beyond what was received
	writeLimit = 100 * time.Millisecond // the longest that Write waits
	endAnswer  = 700 * time.Millisecond
	frameBytes = 2 * 2 * Frame // a frame of 16 bits, each byte shielded
)

// HeadStart is how many frames to write before the first was read; then one a
// frame read. The box's line is the clock of both directions, and these 60 ms
// are its cushion.
const HeadStart = 3

// Stream is audio in both directions (Talk) or from the box only (Listen).
// One goroutine reads Frames and one writes.
type Stream struct {
	m      *Modem
	coding coding
	both   bool
	frames chan []int16
	moved  chan struct{} // a frame came: there may be room to send
	over   chan struct{}
	ahead  atomic.Int64 // samples sent beyond what was received
	missed atomic.Int64 // frames nobody read
	late   atomic.Int64 // frames that could not be sent in time
	slips  atomic.Int64 // bytes lost inside 16-bit audio, noticed and mended
	plain  []byte       // Write's own

	sending sync.Mutex // taken inside the Modem's mu, never the other way
	ending  bool       // nothing more may be sent

	// Under the Modem's mu.
	live    bool
	started bool
	err     error
	part    []byte // less than a frame, as received
	deep    bool   // its low bytes carry sound
	watch   *time.Timer
}

func newStream(m *Modem, both bool) *Stream {
	return &Stream{
		m: m, coding: m.coding, both: both,
		frames: make(chan []int16, frameRoom), moved: make(chan struct{}, 1), over: make(chan struct{}),
		plain: make([]byte, 2*Frame), part: make([]byte, 0, 2*Frame+1),
	}
}

// Frames gives 20 ms of 8 kHz audio each, in order, the receiver's to keep. It
// holds a second; then new frames are dropped with a count. It is closed when
// the box ended the stream, fell silent for 1.5 s, or was lost.
func (s *Stream) Frames() <-chan []int16 { return s.frames }

// Done is closed with Frames.
func (s *Stream) Done() <-chan struct{} { return s.over }

// Counts is what went wrong quietly: frames that nobody read, frames that could
// not be sent in time, bytes lost on the port and mended.
func (s *Stream) Counts() (unread, unsent, slips int64) {
	return s.missed.Load(), s.late.Load(), s.slips.Load()
}

// begin and take are called by the reader, begun by who asked; mu is held.
func (s *Stream) begin() {
	s.live, s.started = true, true
	s.watch = time.AfterFunc(starved, s.starve)
}

func (s *Stream) begun() bool {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.started
}

func (s *Stream) starve() {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	if s.m.stream == s {
		s.m.finish(ErrSilent)
		s.m.parser.toText()
		s.m.owed.Store(true)
	}
}

// take cuts unshielded audio into frames.
func (s *Stream) take(data []byte) {
	s.watch.Reset(starved)
	size := Frame * s.coding.width()
	for len(data) > 0 {
		n := min(size-len(s.part), len(data))
		s.part = append(s.part, data[:n]...)
		data = data[n:]
		if len(s.part) < size {
			return
		}
		if s.coding == signed16 && s.slipped() {
			s.slips.Add(1)
			s.part = append(s.part[:0], s.part[1:]...)
			continue
		}
		s.deliver()
	}
}

// slipped says that a byte was lost inside 16-bit audio. Sound of fewer bits
// in 16-bit samples looks like that too; there is nothing to mend then.
func (s *Stream) slipped() bool {
	s.deep = s.deep || sixteenBits(s.part)
	return s.deep && misaligned(s.part)
}

func (s *Stream) deliver() {
	frame := make([]int16, Frame)
	s.coding.decode(frame, s.part)
	s.part = s.part[:0]
	select {
	case s.frames <- frame:
	default:
		s.missed.Add(1)
	}
	if s.ahead.Add(-Frame) < 0 { // nobody wrote: that is not saved up
		s.ahead.Store(0)
	}
	select {
	case s.moved <- struct{}{}:
	default:
	}
}

// finish ends the stream of now, if there is one; mu is held.
func (m *Modem) finish(cause error) {
	s := m.stream
	if s == nil {
		return
	}
	m.stream = nil
	s.live, s.err = false, cause
	s.stop()
	m.dropVoice()
	if s.watch != nil {
		s.watch.Stop()
	}
	close(s.frames)
	close(s.over)
}

// stop lets nothing more be sent.
func (s *Stream) stop() {
	s.sending.Lock()
	defer s.sending.Unlock()
	s.ending = true
}

// Err says why the stream ended: ErrEnded by the box or by End, ErrSilent when
// the box fell silent; nil while it runs.
func (s *Stream) Err() error {
	s.m.mu.Lock()
	defer s.m.mu.Unlock()
	return s.err
}

// live is the stream that runs now, or nil.
func (m *Modem) live() *Stream {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.stream != nil && m.stream.live {
		return m.stream
	}
	return nil
}

// Write sends samples to the line, usually one frame. It never waits longer
// than 100 ms: what finds no room by then, because the port is stuck or more
// than 200 ms would lie ahead of what was received, is dropped with a count.
// After the end it gives ErrEnded.
func (s *Stream) Write(frame []int16) error {
	if !s.both {
		return fmt.Errorf("writing to the line: %w: the box only listens", ErrRefused)
	}
	for len(frame) > 0 {
		n := min(len(frame), Frame)
		if err := s.writeFrame(frame[:n]); err != nil {
			return err
		}
		frame = frame[n:]
	}
	return nil
}

func (s *Stream) writeFrame(frame []int16) error {
	select {
	case <-s.over:
		return ErrEnded
	default:
	}
	buf, err := s.room(int64(len(frame)))
	if buf == nil {
		return err
	}
	plain := s.plain[:len(frame)*s.coding.width()]
	s.coding.encode(plain, frame)
	return s.put(AppendShielded(buf[:0], plain), len(frame))
}

// put queues a shielded frame; the queue has room for every buffer there is.
func (s *Stream) put(buf []byte, samples int) error {
	s.sending.Lock()
	defer s.sending.Unlock()
	if s.ending {
		s.m.giveBack(buf)
		return ErrEnded
	}
	s.ahead.Add(int64(samples))
	s.m.voice <- buf
	return nil
}

// room waits for a buffer and for the box to have played enough. No buffer and
// no error is a frame to be dropped.
func (s *Stream) room(samples int64) ([]byte, error) {
	if buf := s.spare(samples); buf != nil {
		return buf, nil
	}
	limit := time.NewTimer(writeLimit)
	defer limit.Stop()
	for {
		select {
		case <-s.moved:
		case <-s.over:
			return nil, ErrEnded
		case <-limit.C:
			s.late.Add(1)
			// What was lost on the way to us never makes room: count anew.
			s.ahead.Store(min(s.ahead.Load(), HeadStart*Frame))
			return nil, nil
		}
		if buf := s.spare(samples); buf != nil {
			return buf, nil
		}
	}
}

func (s *Stream) spare(samples int64) []byte {
	if s.ahead.Load()+samples > mostAhead {
		return nil
	}
	select {
	case buf := <-s.m.free:
		return buf
	default:
		return nil
	}
}

// Clear throws away what was written and not yet played (barge-in): what the
// port has not had yet, and on boxes that can, what they hold, in whose place
// a head start of silence goes.
func (s *Stream) Clear() {
	s.m.dropVoice()
	s.ahead.Store(min(s.ahead.Load(), HeadStart*Frame))
	if !s.both || !s.m.profile.clears {
		return
	}
	select {
	case s.m.urgent <- s.fresh():
	default: // the port is stuck: nothing would be cleared in time
	}
}

// fresh is DLE CAN and a head start of silence.
func (s *Stream) fresh() []byte {
	var still [HeadStart * Frame]int16
	plain := make([]byte, len(still)*s.coding.width())
	s.coding.encode(plain, still[:])
	return AppendShielded([]byte{dle, can}, plain)
}

// End leaves the data state; the box stays off hook. It returns when the box
// takes commands again.
func (s *Stream) End(ctx context.Context) error {
	if err := s.m.hold(ctx); err != nil {
		return fmt.Errorf("ending the stream: %w", err)
	}
	defer s.m.release()
	if s.m.live() != s {
		return nil
	}
	return s.m.leave(ctx, s)
}

// leave ends a live stream; the turn is held. Each of the profile's codes is
// given time; a box that heeds none is searched like one after a crash.
func (m *Modem) leave(ctx context.Context, s *Stream) error {
	s.stop()
	m.dropVoice()
	ends := m.profile.ends.talk
	if !s.both {
		ends = m.profile.ends.listen
	}
	left, err := m.leaveBy(ctx, ends)
	if err == nil && !left {
		err = m.resync(ctx)
	}
	if err != nil {
		return fmt.Errorf("ending the stream: %w", err)
	}
	m.disarm(ErrEnded)
	if s.both {
		return nil
	}
	_, err = m.ask(ctx, m.profile.hooks.on, answerLimit) // no more listening
	return err
}

// leaveBy tries codes in turn and says whether one was heeded. Any result code
// means that the box takes commands.
func (m *Modem) leaveBy(ctx context.Context, codes []string) (bool, error) {
	for i, code := range codes {
		err := m.tryEnd(ctx, code)
		switch {
		case errors.Is(err, ErrSilent):
			continue
		case err != nil && !refused(err):
			return false, err
		case i > 0: // both this and the one before may be answered
			err = m.drain(ctx, afterOK, drainLimit)
		default:
			err = nil
		}
		m.owed.Store(false)
		return true, err
	}
	return false, nil
}

func (m *Modem) tryEnd(ctx context.Context, code string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, endAnswer, ErrSilent)
	defer cancel()
	q := &question{final: make(chan string, 1)}
	m.put(q)
	if err := m.send(ctx, code); err != nil {
		return err
	}
	return m.await(ctx, q)
}

// dropVoice takes back what the port has not had yet.
func (m *Modem) dropVoice() {
	for {
		select {
		case buf := <-m.voice:
			m.giveBack(buf)
		default:
			return
		}
	}
}

// giveBack makes a frame's buffer free again; other bytes are left alone.
func (m *Modem) giveBack(buf []byte) {
	if cap(buf) != frameBytes {
		return
	}
	select {
	case m.free <- buf[:0]:
	default:
	}
}
