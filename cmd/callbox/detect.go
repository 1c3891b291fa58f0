package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"

	"callbox/cti/media/dsp"
)

// detectCmd says what is to be heard in a sound file.
type detectCmd struct {
	File    string `arg:"" help:"WAV of 8 kHz, PCM16 or G.711."`
	Channel int    `help:"Of a file with several: 1 is the left."`
}

// Help explains the lines, with an example.
func (detectCmd) Help() string {
	return `Prints one line of JSON for everything heard, with t, the seconds from the file's
begin: {"t":0.2,"kind":"dtmf","value":"1"}, kind callerid (value: number, name, time
MMDDHHMM, mode fsk or dtmf; private or absent where the number is withheld or not known),
tone (dial ringback busy congestion vacant) or fax (cng ced).

Example: callbox detect call.wav`
}

// heard is a line of detect's output.
type heard struct {
	T     float64 `json:"t"`
	Kind  string  `json:"kind"`
	Value any     `json:"value"`
}

type heardCaller struct {
	Number  string `json:"number"`
	Name    string `json:"name"`
	Time    string `json:"time"`
	Mode    string `json:"mode"`
	Private bool   `json:"private,omitempty"`
	Absent  bool   `json:"absent,omitempty"`
	Dialled string `json:"dialled,omitempty"`
}

// Run listens to the whole file.
func (c *detectCmd) Run(s *session) error {
	if c.Channel < 0 {
		return usageError("detect: channels are counted from 1")
	}
	sound, err := readSound(c.File, c.Channel)
	if err != nil {
		return fmt.Errorf("callbox detect: %w", err)
	}
	out := json.NewEncoder(s.out)
	out.SetEscapeHTML(false)
	for _, f := range listen(sound) {
		if err := out.Encode(line(f)); err != nil {
			return fmt.Errorf("callbox detect: %w", err)
		}
	}
	return nil
}

// listen gives what is to be heard, in the order in which it began.
func listen(sound []int16) []dsp.Finding {
	l := dsp.NewListener(dsp.China())
	found := l.Close(l.Listen(sound, nil))
	slices.SortStableFunc(found, func(a, b dsp.Finding) int { return cmp.Compare(a.At, b.At) })
	return found
}

func line(f dsp.Finding) heard {
	h := heard{T: math.Round(1000*float64(f.At)/dsp.Rate) / 1000, Kind: f.Kind, Value: f.Value}
	if c := f.Caller; f.Kind == "callerid" {
		h.Value = heardCaller{c.Number, c.Name, c.Time, c.Mode, c.Private, c.Absent, c.Dialled}
	}
	return h
}
