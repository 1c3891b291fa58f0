package cmpp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"strings"
)

// cursor takes fixed fields off a body. From the first field that is missing
// on, everything reads as zero and short stays set.
type cursor struct {
	b     []byte
	short bool
}

func (c *cursor) take(n int) []byte {
	if c.short || len(c.b) < n {
		c.short = true
		return nil
	}
	field := c.b[:n]
	c.b = c.b[n:]
	return field
}

func (c *cursor) u8() uint8 {
	if f := c.take(1); f != nil {
		return f[0]
	}
	return 0
}

func (c *cursor) u32() uint32 {
	if f := c.take(4); f != nil {
		return binary.BigEndian.Uint32(f)
	}
	return 0
}

func (c *cursor) id() MsgID {
	if f := c.take(8); f != nil {
		return MsgID(binary.BigEndian.Uint64(f))
	}
	return 0
}

// str reads an octet string of n bytes up to its first NUL; blanks behind it,
// which some gateways pad with, do not count.
func (c *cursor) str(n int) string { return text(c.take(n)) }

// rest reads what is left, at most n bytes: an octet string that a peer may
// have cut short.
func (c *cursor) rest(n int) string { return text(c.take(min(n, len(c.b)))) }

// result reads a result of 4 bytes in 3.0 and 1 byte in 2.x.
func (c *cursor) result(wide bool) uint32 {
	if wide {
		return c.u32()
	}
	return uint32(c.u8())
}

// content reads Msg_Length bytes into a slice of its own.
func (c *cursor) content(n uint8) []byte { return bytes.Clone(c.take(int(n))) }

func (c *cursor) err() error {
	if c.short {
		return ErrShort
	}
	return nil
}

func text(f []byte) string {
	if i := bytes.IndexByte(f, 0); i >= 0 {
		f = f[:i]
	}
	return string(bytes.TrimRight(f, " "))
}

// builder puts fixed fields behind b and keeps the first fault.
type builder struct {
	b     []byte
	start int
	err   error
}

func build(b []byte) *builder { return &builder{b: b, start: len(b)} }

func (w *builder) u8(v ...uint8) { w.b = append(w.b, v...) }

func (w *builder) u32(v uint32) { w.b = binary.BigEndian.AppendUint32(w.b, v) }

func (w *builder) id(v MsgID) { w.b = binary.BigEndian.AppendUint64(w.b, uint64(v)) }

var zeros [32]byte

// str puts s into n bytes, padded with NULs.
func (w *builder) str(name, s string, n int) {
	if len(s) > n || strings.IndexByte(s, 0) >= 0 {
		w.fail("%s %q in %d bytes", name, s, n)
		return
	}
	w.b = append(w.b, s...)
	w.b = append(w.b, zeros[:n-len(s)]...)
}

func (w *builder) result(name string, v uint32, wide bool) {
	if wide {
		w.u32(v)
		return
	}
	if v > 0xff {
		w.fail("%s %d in 1 byte", name, v)
		return
	}
	w.u8(uint8(v))
}

// content puts Msg_Length and Msg_Content.
func (w *builder) content(c []byte, limit int) {
	if len(c) > limit {
		w.fail("Msg_Content of %d bytes, at most %d", len(c), limit)
		return
	}
	w.u8(uint8(len(c)))
	w.b = append(w.b, c...)
}

func (w *builder) fail(format string, args ...any) {
	if w.err == nil {
		w.err = fmt.Errorf("%w: "+format, append([]any{ErrField}, args...)...)
	}
}

func (w *builder) done() ([]byte, error) {
	if w.err != nil {
		return w.b[:w.start], w.err
	}
	return w.b, nil
}
