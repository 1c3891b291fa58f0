package main

import (
	"encoding/binary"
	"fmt"
	"os"

	"callbox/cti/media/dsp"
	"callbox/recorder/wav"
)

// readSound reads a WAV file of 8 kHz, PCM16 or G.711. channel is from 1; 0 is
// the only one there is.
func readSound(path string, channel int) ([]int16, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := wav.Parse(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case s.Rate != dsp.Rate:
		return nil, fmt.Errorf("%s: %d samples a second; it must be %d", path, s.Rate, dsp.Rate)
	case channel == 0 && s.Channels > 1:
		return nil, fmt.Errorf("%s: %d channels; it must be one (detect --channel 1 takes the left of two, 2 the right)", path, s.Channels)
	case channel > s.Channels:
		return nil, fmt.Errorf("%s: there is no channel %d of %d", path, channel, s.Channels)
	}
	samples, err := linear(s)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return pick(samples, s.Channels, max(channel, 1)), nil
}

func linear(s wav.Sound) ([]int16, error) {
	switch {
	case s.Format == wav.ALaw:
		to := make([]int16, len(s.Data))
		dsp.DecodeALaw(to, s.Data)
		return to, nil
	case s.Format == wav.MuLaw:
		to := make([]int16, len(s.Data))
		dsp.DecodeMuLaw(to, s.Data)
		return to, nil
	case s.Format == wav.PCM && s.Bits == 16:
		to := make([]int16, len(s.Data)/2)
		for i := range to {
			to[i] = int16(binary.LittleEndian.Uint16(s.Data[2*i:]))
		}
		return to, nil
	}
	return nil, fmt.Errorf("%d bits of format %d; it must be PCM of 16 bits or G.711", s.Bits, s.Format)
}

// pick is one channel, from 1, of interleaved samples.
func pick(samples []int16, channels, channel int) []int16 {
	if channels == 1 {
		return samples
	}
	one := make([]int16, 0, len(samples)/channels)
	for i := channel - 1; i < len(samples); i += channels {
		one = append(one, samples[i])
	}
	return one
}

// writeSound writes a WAV file, PCM16 of 8 kHz, one channel.
func writeSound(path string, sound []int16) error {
	b := wav.Header(wav.PCM, 1, dsp.Rate, int64(2*len(sound)))
	for _, v := range sound {
		b = binary.LittleEndian.AppendUint16(b, uint16(v))
	}
	return os.WriteFile(path, b, 0o644)
}
