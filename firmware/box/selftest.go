package box

import (
	"errors"
	"fmt"
	"time"

	"callbox/cti/media/dsp"
)

// selfTest is ATI9: memory, codecs and detectors against what the box itself
// makes, each a line.
func selfTest() (lines []string, err error) {
	for _, part := range []struct {
		name string
		test func() error
	}{
		{"memory", testMemory},
		{"codecs", testCodecs},
		{"digits", testDigits},
		{"tones", testTones},
		{"caller id", testCallerID},
		{"fax", testFax},
	} {
		failure := part.test()
		line := part.name + ": ok"
		if failure != nil {
			line = part.name + ": " + failure.Error()
		}
		lines, err = append(lines, line), errors.Join(err, failure)
	}
	return lines, err
}

func testMemory() error {
	cells := make([]uint32, 1<<18)
	for _, pattern := range []uint32{0x55555555, 0xAAAAAAAA} {
		for i := range cells {
			cells[i] = pattern ^ uint32(i)
		}
		for i, c := range cells {
			if c != pattern^uint32(i) {
				return fmt.Errorf("cell %d fails", i)
			}
		}
	}
	return nil
}

// testCodecs sends a tone through each codec and back: what is lost must be
// what its 8 or 16 bits lose.
func testCodecs() error {
	tone := make([]int16, dsp.Rate/10)
	dsp.NewSource(dsp.Cadence{Hz: []float64{1020}}, -10).Fill(tone)
	back := make([]int16, len(tone))
	for _, c := range codecs {
		bytes := make([]byte, len(tone)*c.bytes())
		c.encode(bytes, tone)
		c.decode(back, bytes)
		for i := range back {
			back[i] -= tone[i]
		}
		if lost := dsp.Level(back); lost > -38 {
			return fmt.Errorf("%s is %.0f dBm0 off", c.name, lost)
		}
	}
	return nil
}

func testDigits() error {
	sound := dsp.AppendDTMF(nil, keys, dsp.DefaultKeying)
	found := ""
	for _, k := range dsp.NewDTMF().Detect(sound, nil) {
		found += string(k.Key)
	}
	if found != keys {
		return fmt.Errorf("%s heard as %s", keys, found)
	}
	return nil
}

func testTones() error {
	c, _ := dsp.China().Find("busy")
	sound := make([]int16, 4*dsp.Rate)
	dsp.NewSource(c, -20).Fill(sound)
	for _, h := range dsp.NewTones(dsp.China()).Detect(sound, nil) {
		if h.Name == "busy" {
			return nil
		}
	}
	return errors.New("busy tone not heard")
}

func testCallerID() error {
	const number = "13812345678"
	call := dsp.CallerID{Number: number, Time: "03171656"}
	sound := make([]int16, dsp.Rate/5)
	sound = dsp.AppendFSK(sound, call.MDMF(), dsp.Bell202, -20)
	sound = append(sound, make([]int16, dsp.Rate/5)...)
	for _, c := range dsp.NewCallers().Detect(sound, nil) {
		if c.Number == number {
			return nil
		}
	}
	return errors.New("own call not read")
}

func testFax() error {
	sound := dsp.AppendTone(nil, 1100, -20, 500*time.Millisecond)
	sound = append(sound, make([]int16, 3*dsp.Rate)...)
	sound = dsp.AppendTone(sound, 1100, -20, 500*time.Millisecond)
	fax := dsp.NewFax()
	for len(sound) >= dsp.Rate/50 {
		if fax.Detect(sound[:dsp.Rate/50]) == "cng" {
			return nil
		}
		sound = sound[dsp.Rate/50:]
	}
	return errors.New("1100 Hz not heard")
}
