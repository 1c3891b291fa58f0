package speech

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"time"

	"github.com/hajimehoshi/go-mp3"

	"callbox/cti/media"
	"callbox/internal/guard"
	"callbox/recorder/wav"
)

// Decode reads a whole WAV or MP3 file, told apart by content, and makes a
// prompt of it: one channel, 8 kHz, both laws. It never panics, whatever r
// holds, and ends soon after ctx does. Sound longer than limit is [ErrTooLong].
func Decode(ctx context.Context, r io.Reader, limit time.Duration) (media.Prompt, error) {
	file, err := io.ReadAll(r)
	if err != nil {
		return media.Prompt{}, fmt.Errorf("reading: %w", err)
	}
	in := intake{ctx: ctx, most: int(limit.Seconds() * media.SampleRate)}
	thrown := guard.Call(func() { err = in.decode(file) })
	switch {
	case ctx.Err() != nil:
		return media.Prompt{}, context.Cause(ctx)
	case thrown != nil:
		return media.Prompt{}, fmt.Errorf("%w: %w", ErrCorrupt, thrown)
	case err != nil:
		return media.Prompt{}, err
	case len(in.sound) == 0:
		return media.Prompt{}, ErrEmpty
	}
	return media.NewPrompt("", in.sound), nil
}

// intake takes samples in and keeps them at the prompt's rate.
type intake struct {
	ctx   context.Context
	most  int
	rate  *resampler
	sound []int16
}

const piece = 4096 // samples taken in at a time

func (in *intake) decode(file []byte) error {
	switch {
	case len(file) == 0:
		return ErrEmpty
	case bytes.HasPrefix(file, []byte("RIFF")):
		return in.wav(file)
	case bytes.HasPrefix(file, []byte("ID3")) || len(file) > 1 && file[0] == 0xFF && file[1]&0xE0 == 0xE0:
		return in.mp3(file)
	}
	return fmt.Errorf("%w: neither WAV nor MP3", ErrCorrupt)
}

// take resamples one piece.
func (in *intake) take(samples []float32) error {
	if err := in.ctx.Err(); err != nil {
		return err
	}
	in.sound = in.rate.push(in.sound, samples)
	if len(in.sound) > in.most {
		return fmt.Errorf("%w: more than %v", ErrTooLong, time.Duration(in.most)*time.Second/media.SampleRate)
	}
	return nil
}

func (in *intake) finish() { in.sound = in.rate.flush(in.sound) }

func (in *intake) wav(file []byte) error {
	s, err := wav.Parse(file)
	switch {
	case errors.Is(err, wav.ErrEmpty):
		return ErrEmpty
	case err != nil:
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	in.rate = newResampler(s.Rate)
	frame, one := s.Channels*s.Bits/8, s.Bits/8
	mono := make([]float32, 0, piece)
	for rest := s.Data; len(rest) > 0; {
		mono = mono[:0]
		for len(mono) < piece && len(rest) > 0 {
			var sum float32
			for c := range s.Channels {
				sum += sample(s.Format, rest[c*one:(c+1)*one])
			}
			mono = append(mono, sum/float32(s.Channels))
			rest = rest[frame:]
		}
		if err := in.take(mono); err != nil {
			return err
		}
	}
	in.finish()
	return nil
}

// sample is one sample's value, -1 to 1.
func sample(f wav.Format, b []byte) float32 {
	switch {
	case f == wav.ALaw || f == wav.MuLaw:
		return lawSample(f, b)
	case f == wav.Float:
		v := math.Float32frombits(binary.LittleEndian.Uint32(b))
		if v != v { // not a number
			return 0
		}
		return min(max(v, -1), 1)
	case len(b) == 1:
		return (float32(b[0]) - 128) / 128
	case len(b) == 2:
		return float32(int16(binary.LittleEndian.Uint16(b))) / (1 << 15)
	case len(b) == 3:
		return float32(int32(b[0])<<8|int32(b[1])<<16|int32(b[2])<<24) / (1 << 31)
	default:
		return float32(int32(binary.LittleEndian.Uint32(b))) / (1 << 31)
	}
}

func lawSample(f wav.Format, b []byte) float32 {
	law := media.PCMA
	if f == wav.MuLaw {
		law = media.PCMU
	}
	var v [1]int16
	media.Decode(law, v[:], b)
	return float32(v[0]) / (1 << 15)
}

// mp3 takes in what can be decoded: a file that goes bad later is heard up to
// there.
func (in *intake) mp3(file []byte) error {
	// Without Seek the decoder does not read the file twice to learn its length.
	d, err := mp3.NewDecoder(struct{ io.Reader }{bytes.NewReader(reframe(file))})
	if err != nil {
		return fmt.Errorf("%w: %w", ErrCorrupt, err)
	}
	in.rate = newResampler(d.SampleRate())
	const stereo = 4 // bytes a frame: two channels of 16 bits, always
	buf, mono := make([]byte, piece*stereo), make([]float32, 0, piece)
	for {
		n, err := io.ReadFull(d, buf)
		mono = mono[:0]
		for b := buf[:n/stereo*stereo]; len(b) > 0; b = b[stereo:] {
			mono = append(mono, (sample(wav.PCM, b[:2])+sample(wav.PCM, b[2:4]))/2)
		}
		if err := in.take(mono); err != nil {
			return err
		}
		if err == nil {
			continue
		}
		in.finish()
		if len(in.sound) == 0 && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%w: %w", ErrCorrupt, err)
		}
		return nil
	}
}
