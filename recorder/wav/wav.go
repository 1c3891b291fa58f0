// Package wav is the container of sound files: RIFF/WAVE with G.711 inside for
// recordings, and what else prompts come in.
//
// A [Writer]'s file is playable at every moment, and [Repair] makes it so again
// after a power loss. The package runs no goroutine; it moves bytes and knows
// neither calls nor how sound is decoded.
package wav

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
)

// Format is the format tag of a file (RFC 2361).
type Format uint16

// The formats that are read; [Writer] writes the two laws of G.711.
const (
	PCM        Format = 1
	Float      Format = 3
	ALaw       Format = 6
	MuLaw      Format = 7
	extensible Format = 0xFFFE
)

func (f Format) law() bool { return f == ALaw || f == MuLaw }

// silence is the byte that sounds of nothing in a law.
func (f Format) silence() byte {
	if f == MuLaw {
		return 0xFF
	}
	return 0xD5
}

// lawRate is the only sampling rate of G.711.
const lawRate = 8000

// HeaderSize is the length of a G.711 file's header, where its sound begins.
const HeaderSize = 58

const (
	pcmHeaderSize = 44
	riffPart      = 8 // "RIFF" and the size, which it does not count
	fmtAt         = 12
	factAt        = 38
	dataAt        = 50
)

var le = binary.LittleEndian

// Header is the header of a file with n bytes of sound: [HeaderSize] bytes for
// G.711 (with the fact chunk that non-PCM formats have to carry), 44 for PCM of
// 16 bits.
func Header(f Format, channels, rate int, n int64) []byte {
	n = min(n, math.MaxUint32-HeaderSize)
	if !f.law() {
		return pcmHeader(channels, rate, n)
	}
	b := begin(make([]byte, HeaderSize), n)
	format(b, 18, f, channels, rate, 8)
	copy(b[factAt:], "fact")
	le.PutUint32(b[factAt+4:], 4)
	le.PutUint32(b[factAt+8:], uint32(n)/uint32(channels))
	copy(b[dataAt:], "data")
	le.PutUint32(b[dataAt+4:], uint32(n))
	return b
}

func pcmHeader(channels, rate int, n int64) []byte {
	b := begin(make([]byte, pcmHeaderSize), n)
	format(b, 16, PCM, channels, rate, 16)
	copy(b[36:], "data")
	le.PutUint32(b[40:], uint32(n))
	return b
}

func begin(b []byte, n int64) []byte {
	copy(b, "RIFF")
	le.PutUint32(b[4:], uint32(len(b)-riffPart)+uint32(n))
	copy(b[8:], "WAVE")
	return b
}

func format(b []byte, size int, f Format, channels, rate, bits int) {
	copy(b[fmtAt:], "fmt ")
	align := channels * bits / 8
	le.PutUint32(b[fmtAt+4:], uint32(size))
	le.PutUint16(b[fmtAt+8:], uint16(f))
	le.PutUint16(b[fmtAt+10:], uint16(channels))
	le.PutUint32(b[fmtAt+12:], uint32(rate))
	le.PutUint32(b[fmtAt+16:], uint32(rate*align))
	le.PutUint16(b[fmtAt+20:], uint16(align))
	le.PutUint16(b[fmtAt+22:], uint16(bits))
}

// File is where a [Writer] writes.
type File interface {
	io.ReaderAt
	io.WriterAt
}

// Writer appends sound to a stereo file of G.711: a byte left, a byte right.
type Writer struct {
	file   File
	format Format
	size   int64 // bytes of sound
}

// Channels is how many a [Writer] writes.
const Channels = 2

// NewWriter writes the header of an empty file.
func NewWriter(file File, f Format) (*Writer, error) {
	if !f.law() {
		return nil, fmt.Errorf("wav: a recording is G.711, not format %d", f)
	}
	w := &Writer{file: file, format: f}
	return w, w.head(0)
}

func (w *Writer) head(size int64) error {
	if _, err := w.file.WriteAt(Header(w.format, Channels, lawRate, size), 0); err != nil {
		return fmt.Errorf("writing the header: %w", err)
	}
	return nil
}

// Frames is how many samples of each channel the file holds.
func (w *Writer) Frames() int64 { return w.size / Channels }

// Append adds whole frames and then tells the header. After an error the file
// holds what it held before, and Append may be tried again.
func (w *Writer) Append(p []byte) error {
	p = p[:len(p)/Channels*Channels]
	if _, err := w.file.WriteAt(p, HeaderSize+w.size); err != nil {
		return fmt.Errorf("writing sound: %w", err)
	}
	if err := w.head(w.size + int64(len(p))); err != nil {
		return err
	}
	w.size += int64(len(p))
	return nil
}

// Pad appends silence until the file holds frames samples of each channel.
func (w *Writer) Pad(frames int64) error {
	quiet := make([]byte, min(max(frames-w.Frames(), 0), lawRate)*Channels)
	for i := range quiet {
		quiet[i] = w.format.silence()
	}
	for w.Frames() < frames {
		n := min((frames-w.Frames())*Channels, int64(len(quiet)))
		if err := w.Append(quiet[:n]); err != nil {
			return err
		}
	}
	return nil
}

// ReadFrames reads what was appended, from a frame on, into p.
func (w *Writer) ReadFrames(p []byte, from int64) error {
	if _, err := w.file.ReadAt(p, HeaderSize+from*Channels); err != nil {
		return fmt.Errorf("reading sound back: %w", err)
	}
	return nil
}

// Replace writes p over what was appended, from a frame on.
func (w *Writer) Replace(p []byte, from int64) error {
	if from < 0 || (from*Channels)+int64(len(p)) > w.size {
		return errors.New("wav: replacing what is not there")
	}
	if _, err := w.file.WriteAt(p, HeaderSize+from*Channels); err != nil {
		return fmt.Errorf("writing late sound: %w", err)
	}
	return nil
}

// Repair makes the header of a [Writer]'s file right for its length, as it is
// after a crash, and returns how many samples of each channel it holds. f is
// used when the header is gone. The caller syncs.
func Repair(path string, f Format) (frames int64, err error) {
	file, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return 0, fmt.Errorf("repairing a recording: %w", err)
	}
	frames, err = repair(file, f)
	if err := errors.Join(err, file.Close()); err != nil {
		return 0, fmt.Errorf("repairing %s: %w", path, err)
	}
	return frames, nil
}

func repair(file *os.File, f Format) (int64, error) {
	stat, err := file.Stat()
	if err != nil {
		return 0, err
	}
	head := make([]byte, HeaderSize)
	if n, err := file.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return 0, err
	} else if ours, known := own(head[:n]); known {
		f = ours
	} else if n > 0 && !blank(head[:n]) {
		return 0, fmt.Errorf("%w: not a recording", ErrFormat)
	}
	w := Writer{file: file, format: f, size: max(stat.Size()-HeaderSize, 0) / Channels * Channels}
	if err := w.head(w.size); err != nil {
		return 0, err
	}
	return w.Frames(), file.Truncate(HeaderSize + w.size)
}

// own says whether a header is one that a [Writer] wrote, whatever its sizes.
func own(head []byte) (Format, bool) {
	if len(head) < HeaderSize {
		return 0, false
	}
	f := Format(le.Uint16(head[fmtAt+8:]))
	same := f.law() && string(head[:4]) == "RIFF" && string(head[8:16]) == "WAVEfmt " && string(head[dataAt:dataAt+4]) == "data"
	return f, same
}

// blank is what a header looks like that never reached the disk: zeros, or its
// beginning only.
func blank(head []byte) bool {
	if len(head) < HeaderSize {
		return true
	}
	for _, b := range head {
		if b != 0 {
			return false
		}
	}
	return true
}
