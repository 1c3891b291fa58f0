package cmpp

import (
	"bufio"
	"errors"
	"fmt"
	"io"
)

// Reader cuts a stream into frames. It never holds more than MaxFrame bytes
// of one and never reserves memory by a length that a peer sent.
type Reader struct {
	r    *bufio.Reader
	last int // bytes of the frame that the caller still reads
}

// NewReader gives a Reader over r.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 2*MaxFrame)}
}

// Next waits for a whole frame. The body is good until the next call. At the
// stream's end between two frames the error is io.EOF, inside a frame
// io.ErrUnexpectedEOF; ErrFrameLength means that the connection is to be
// closed, since nothing behind that header can be trusted.
func (r *Reader) Next() (Header, []byte, error) {
	if _, err := r.r.Discard(r.last); err != nil {
		return Header{}, nil, fmt.Errorf("skip frame: %w", err)
	}
	r.last = 0
	head, err := r.r.Peek(HeaderLen)
	if err != nil {
		return Header{}, nil, cutShort(err, len(head) > 0)
	}
	h, err := ParseHeader(head)
	if err != nil {
		return h, nil, err
	}
	frame, err := r.r.Peek(int(h.Length))
	if err != nil {
		return h, nil, cutShort(err, true)
	}
	r.last = len(frame)
	return h, frame[HeaderLen:], nil
}

// Buffered is how many bytes behind the last frame have arrived already: 0 is a
// good time to write what was gathered.
func (r *Reader) Buffered() int { return r.r.Buffered() - r.last }

func cutShort(err error, inside bool) error {
	if inside && errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
