package wav

import (
	"errors"
	"fmt"
)

// ErrFormat is returned for what is no sound file, or none that is read.
var ErrFormat = errors.New("wav: not a sound file of a known kind")

// ErrEmpty is returned for a file without sound.
var ErrEmpty = errors.New("wav: no sound in it")

// Sound is a parsed file. Data are whole frames, interleaved, little endian, as
// they stand in the file.
type Sound struct {
	Format   Format
	Channels int
	Rate     int // samples a second
	Bits     int // a sample
	Data     []byte
}

const (
	maxChannels = 8
	minRate     = 4000
	maxRate     = 192000
	chunkHead   = 8
)

// Parse reads a whole file. Sizes in it are believed only as far as there are
// bytes, so a file whose writer died, or wrote to a pipe, is read to its end.
// The result shares b.
func Parse(b []byte) (Sound, error) {
	if len(b) < 12 || string(b[:4]) != "RIFF" || string(b[8:12]) != "WAVE" {
		return Sound{}, ErrFormat
	}
	var s Sound
	for rest := b[12:]; len(rest) >= chunkHead; {
		name, size := string(rest[:4]), uint64(le.Uint32(rest[4:]))
		body := rest[chunkHead:]
		if name == "data" && size == 0 && untold(b) {
			size = uint64(len(body))
		}
		body = body[:min(size, uint64(len(body)))]
		switch name {
		case "fmt ":
			if err := s.describe(body); err != nil {
				return Sound{}, err
			}
		case "data":
			return s.with(body)
		}
		next := chunkHead + size + size%2
		if next > uint64(len(rest)) {
			break
		}
		rest = rest[next:]
	}
	return Sound{}, ErrEmpty
}

// untold says that the file does not tell its length: its writer writes, or
// died, before it filled the header in.
func untold(b []byte) bool { return uint64(le.Uint32(b[4:]))+chunkHead < uint64(len(b)) }

// describe takes the format chunk.
func (s *Sound) describe(b []byte) error {
	if len(b) < 16 {
		return fmt.Errorf("%w: its format is cut off", ErrFormat)
	}
	*s = Sound{
		Format: Format(le.Uint16(b)), Channels: int(le.Uint16(b[2:])),
		Rate: int(le.Uint32(b[4:])), Bits: int(le.Uint16(b[14:])),
	}
	if s.Format == extensible && len(b) >= 26 {
		s.Format = Format(le.Uint16(b[24:]))
	}
	switch {
	case s.Channels < 1 || s.Channels > maxChannels:
		return fmt.Errorf("%w: %d channels", ErrFormat, s.Channels)
	case s.Rate < minRate || s.Rate > maxRate:
		return fmt.Errorf("%w: %d samples a second", ErrFormat, s.Rate)
	case !s.readable():
		return fmt.Errorf("%w: format %d with %d bits", ErrFormat, s.Format, s.Bits)
	}
	return nil
}

func (s *Sound) readable() bool {
	switch s.Format {
	case PCM:
		return s.Bits == 8 || s.Bits == 16 || s.Bits == 24 || s.Bits == 32
	case Float:
		return s.Bits == 32
	case ALaw, MuLaw:
		return s.Bits == 8
	}
	return false
}

func (s *Sound) with(data []byte) (Sound, error) {
	if s.Channels == 0 {
		return Sound{}, fmt.Errorf("%w: sound before its format", ErrFormat)
	}
	frame := s.Channels * s.Bits / 8
	s.Data = data[:len(data)/frame*frame]
	if len(s.Data) == 0 {
		return Sound{}, ErrEmpty
	}
	return *s, nil
}

// Frames is how many samples of each channel there are.
func (s Sound) Frames() int { return len(s.Data) / (s.Channels * s.Bits / 8) }

// Seconds is how long the sound lasts.
func (s Sound) Seconds() float64 { return float64(s.Frames()) / float64(s.Rate) }
