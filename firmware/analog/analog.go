// Package analog is the analogue side of a voice box as frames on a stream:
// what the exchange's line card does and what the box does, 20 ms at a time.
//
// The exchange's end is the clock: it writes one [Line] frame, the box answers
// it with one [Box] frame. Whoever is late only delays the other, so a line may
// run faster or slower than real time with the same result. The package starts
// no goroutine and knows neither signals nor commands.
package analog

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
)

// Samples is the length of a frame: 20 ms at 8 kHz.
const Samples = 160

// Line is what reaches the box in one frame.
type Line struct {
	Feed     bool // there is loop current or voltage: the line is alive
	Reversed bool // the polarity is the other way round (反极性)
	Ringing  bool // ringing voltage lies on the line
	SetOff   bool // the ordinary telephone on the box is lifted
	Sound    [Samples]int16
}

// Box is what the box does in one frame.
type Box struct {
	OffHook bool // the box closes the loop
	Sound   [Samples]int16
}

// Bits of a frame's second byte.
const (
	bitFeed = 1 << iota
	bitReversed
	bitRinging
	bitSetOff
	bitOffHook
)

const (
	magic  = 0xA5
	header = 4 // magic, bits, two bytes of zero
	size   = header + 2*Samples
)

// ErrBroken says that the stream holds no frames.
var ErrBroken = errors.New("analogue side: not a frame")

// Conn reads and writes frames. Its methods allocate nothing; one goroutine
// reads and one writes.
type Conn struct {
	stream  io.ReadWriter
	in, out [size]byte
}

// NewConn speaks frames over a stream.
func NewConn(stream io.ReadWriter) *Conn { return &Conn{stream: stream} }

// ReadLine reads what reaches the box; the box's end.
func (c *Conn) ReadLine(l *Line) error {
	bits, err := c.read(&l.Sound)
	l.Feed, l.Reversed = bits&bitFeed != 0, bits&bitReversed != 0
	l.Ringing, l.SetOff = bits&bitRinging != 0, bits&bitSetOff != 0
	return err
}

// WriteBox answers with what the box does; the box's end.
func (c *Conn) WriteBox(b *Box) error { return c.write(bit(b.OffHook, bitOffHook), &b.Sound) }

// WriteLine sends what reaches the box; the exchange's end.
func (c *Conn) WriteLine(l *Line) error {
	bits := bit(l.Feed, bitFeed) | bit(l.Reversed, bitReversed) | bit(l.Ringing, bitRinging) | bit(l.SetOff, bitSetOff)
	return c.write(bits, &l.Sound)
}

// ReadBox reads what the box does; the exchange's end.
func (c *Conn) ReadBox(b *Box) error {
	bits, err := c.read(&b.Sound)
	b.OffHook = bits&bitOffHook != 0
	return err
}

func bit(set bool, b byte) byte {
	if set {
		return b
	}
	return 0
}

func (c *Conn) read(sound *[Samples]int16) (bits byte, err error) {
	if _, err := io.ReadFull(c.stream, c.in[:]); err != nil {
		return 0, fmt.Errorf("analogue side: %w", err)
	}
	if c.in[0] != magic {
		return 0, ErrBroken
	}
	for i := range sound {
		sound[i] = int16(binary.LittleEndian.Uint16(c.in[header+2*i:]))
	}
	return c.in[1], nil
}

func (c *Conn) write(bits byte, sound *[Samples]int16) error {
	c.out[0], c.out[1] = magic, bits
	for i, s := range sound {
		binary.LittleEndian.PutUint16(c.out[header+2*i:], uint16(s))
	}
	if _, err := c.stream.Write(c.out[:]); err != nil {
		return fmt.Errorf("analogue side: %w", err)
	}
	return nil
}
