package wav

import (
	"errors"
	"fmt"
	"io"
	"math"
)

// Peaks is how loud a stereo file is along its time: of each stretch the loudest
// sample of a channel, 255 for the loudest that the format knows.
type Peaks struct {
	Seconds     float64
	Left, Right []byte
}

// peakRoom is how much of a file is looked at at a time.
const peakRoom = 256 << 10

// ReadPeaks finds the peaks of a [Writer]'s file of size bytes in n stretches;
// in fewer where it has fewer samples. Errors: [ErrFormat], [ErrEmpty].
func ReadPeaks(r io.ReaderAt, size int64, n int) (Peaks, error) {
	head := make([]byte, HeaderSize)
	if _, err := r.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return Peaks{}, fmt.Errorf("reading a recording: %w", err)
	}
	f, ok := own(head)
	if !ok {
		return Peaks{}, ErrFormat
	}
	frames := max(size-HeaderSize, 0) / Channels
	if frames == 0 || n < 1 {
		return Peaks{}, ErrEmpty
	}
	m := newMeter(f, frames, min(int64(n), frames))
	sound := io.NewSectionReader(r, HeaderSize, frames*Channels)
	room := make([]byte, peakRoom)
	for {
		got, err := io.ReadFull(sound, room)
		m.take(room[:got/Channels*Channels])
		switch {
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return m.peaks, nil
		case err != nil:
			return Peaks{}, fmt.Errorf("reading a recording: %w", err)
		}
	}
}

// meter takes the frames of a file one after the other.
type meter struct {
	loud   *[256]byte
	frames int64
	at     int64 // frames taken
	peaks  Peaks
}

func newMeter(f Format, frames, n int64) *meter {
	return &meter{loud: loudness(f), frames: frames, peaks: Peaks{
		Seconds: float64(frames) / lawRate, Left: make([]byte, n), Right: make([]byte, n),
	}}
}

// take looks at whole frames, a stretch at a time.
func (m *meter) take(sound []byte) {
	n := int64(len(m.peaks.Left))
	for len(sound) > 0 {
		i := m.at * n / m.frames
		end := ((i+1)*m.frames + n - 1) / n // the first frame of the next stretch
		part := sound[:min(int64(len(sound)), (end-m.at)*Channels)]
		left, right := m.loudest(part)
		m.peaks.Left[i], m.peaks.Right[i] = max(m.peaks.Left[i], left), max(m.peaks.Right[i], right)
		m.at += int64(len(part) / Channels)
		sound = sound[len(part):]
	}
}

func (m *meter) loudest(frames []byte) (left, right byte) {
	for i := 0; i+1 < len(frames); i += Channels {
		left, right = max(left, m.loud[frames[i]]), max(right, m.loud[frames[i+1]])
	}
	return left, right
}

// loudness is how loud each byte of a law is, 0 to 255 (G.711).
func loudness(f Format) *[256]byte {
	var table [256]byte
	for b := range 256 {
		v := aLaw(byte(b)) / 32256
		if f == MuLaw {
			v = muLaw(byte(b)) / 32124
		}
		table[b] = byte(math.Round(255 * v))
	}
	return &table
}

// aLaw is the magnitude of a byte of A-law on the scale of 16 bits.
func aLaw(b byte) float64 {
	b ^= 0x55
	steps := int(b&15)<<4 + 8
	if segment := b >> 4 & 7; segment > 0 {
		steps = (steps + 256) << (segment - 1)
	}
	return float64(steps)
}

// muLaw is the magnitude of a byte of µ-law on the scale of 16 bits.
func muLaw(b byte) float64 {
	b = ^b
	return float64((int(b&15)<<3+132)<<(b>>4&7) - 132)
}

// Resample gives the peaks in n stretches, no more than there are: the loudest
// of each. A stretch that lies across two counts in both.
func (p Peaks) Resample(n int) Peaks {
	return Peaks{Seconds: p.Seconds, Left: resample(p.Left, n), Right: resample(p.Right, n)}
}

func resample(from []byte, n int) []byte {
	n = min(n, len(from))
	out := make([]byte, n)
	for i := range out {
		for _, v := range from[i*len(from)/n : ((i+1)*len(from)+n-1)/n] {
			out[i] = max(out[i], v)
		}
	}
	return out
}
