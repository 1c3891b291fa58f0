//go:build e2e

package e2e

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"testing"
	"time"
)

// toneWAV is a PCM16 file of 8 kHz, mono.
func toneWAV(hz float64, length time.Duration) []byte {
	samples := int(length.Seconds() * 8000)
	var b bytes.Buffer
	b.WriteString("RIFF")
	put32 := func(v uint32) { _ = binary.Write(&b, binary.LittleEndian, v) }
	put16 := func(v uint16) { _ = binary.Write(&b, binary.LittleEndian, v) }
	put32(uint32(36 + 2*samples))
	b.WriteString("WAVEfmt ")
	put32(16)
	put16(1)
	put16(1)
	put32(8000)
	put32(16000)
	put16(2)
	put16(16)
	b.WriteString("data")
	put32(uint32(2 * samples))
	for i := range samples {
		put16(uint16(int16(12000 * math.Sin(2*math.Pi*hz*float64(i)/8000))))
	}
	return b.Bytes()
}

// toneALaw is raw A-law as SIPp streams it.
func toneALaw(hz float64, length time.Duration) []byte {
	out := make([]byte, int(length.Seconds()*8000))
	for i := range out {
		out[i] = encodeALaw(12000 * math.Sin(2*math.Pi*hz*float64(i)/8000))
	}
	return out
}

// tonePCAP is a capture of RTP in A-law, as SIPp plays it: Ethernet, IPv4 and
// UDP headers that SIPp replaces, 20 ms a packet.
func tonePCAP(hz float64, length time.Duration) []byte {
	var b bytes.Buffer
	le := func(v ...any) {
		for _, x := range v {
			_ = binary.Write(&b, binary.LittleEndian, x)
		}
	}
	be := func(v ...any) {
		for _, x := range v {
			_ = binary.Write(&b, binary.BigEndian, x)
		}
	}
	le(uint32(0xa1b2c3d4), uint16(2), uint16(4), uint32(0), uint32(0), uint32(65535), uint32(1))
	sound := toneALaw(hz, length)
	for i := 0; i*160+160 <= len(sound); i++ {
		at := time.Duration(i) * 20 * time.Millisecond
		le(uint32(at/time.Second), uint32(at%time.Second/time.Microsecond), uint32(14+20+8+12+160), uint32(14+20+8+12+160))
		b.Write(make([]byte, 12))
		be(uint16(0x0800), uint8(0x45), uint8(0), uint16(20+8+12+160), uint32(0), uint8(64), uint8(17), uint16(0),
			uint32(0x7f000001), uint32(0x7f000001), uint16(6000), uint16(6000), uint16(8+12+160), uint16(0))
		be(uint8(0x80), uint8(8), uint16(i), uint32(i*160), uint32(0x5eed))
		b.Write(sound[i*160 : i*160+160])
	}
	return b.Bytes()
}

// encodeALaw takes the nearest of the 256 levels: slow and independent of the
// tables under test.
func encodeALaw(v float64) byte {
	best, at := math.Inf(1), 0
	for i, level := range aLaw {
		if d := math.Abs(level - v); d < best {
			best, at = d, i
		}
	}
	return byte(at)
}

var aLaw, muLaw = lawTables()

// lawTables are the decision values of ITU-T G.711 tables 1a and 2a.
func lawTables() (a, mu [256]float64) {
	for i := range 256 {
		c := byte(i) ^ 0x55
		seg, q := (c>>4)&7, float64(c&15)
		v := q*16 + 8
		if seg > 0 {
			v = (q*16 + 264) * math.Pow(2, float64(seg-1))
		}
		if c&0x80 == 0 {
			v = -v
		}
		a[i] = v
		m := ^byte(i)
		v = (float64(m&15)*8+132)*math.Pow(2, float64((m>>4)&7)) - 132
		if m&0x80 != 0 {
			v = -v
		}
		mu[i] = v
	}
	return a, mu
}

// recording is a parsed G.711 stereo WAV.
type recording struct {
	law         uint16
	left, right []float64
}

func readRecording(t *testing.T, raw []byte) recording {
	t.Helper()
	if len(raw) < 44 || string(raw[:4]) != "RIFF" || string(raw[8:12]) != "WAVE" {
		t.Fatalf("no WAV: % x", raw[:min(len(raw), 16)])
	}
	var r recording
	for at := 12; at+8 <= len(raw); {
		id, size := string(raw[at:at+4]), int(binary.LittleEndian.Uint32(raw[at+4:]))
		body := raw[at+8 : min(at+8+size, len(raw))]
		switch id {
		case "fmt ":
			r.law = binary.LittleEndian.Uint16(body)
			if channels := binary.LittleEndian.Uint16(body[2:]); channels != 2 {
				t.Fatalf("%d channels, want 2", channels)
			}
			if rate := binary.LittleEndian.Uint32(body[4:]); rate != 8000 {
				t.Fatalf("%d Hz, want 8000", rate)
			}
		case "data":
			if len(body) != size {
				t.Errorf("data chunk says %d bytes, the file has %d", size, len(body))
			}
			table := &aLaw
			if r.law == 7 {
				table = &muLaw
			}
			for i := 0; i+1 < len(body); i += 2 {
				r.left = append(r.left, table[body[i]])
				r.right = append(r.right, table[body[i+1]])
			}
		}
		at += 8 + size + size%2
	}
	return r
}

// power is the share of a piece's energy that lies at hz (Goertzel), 0 to 1,
// and the piece's RMS.
func power(samples []float64, hz, rate float64) (share, rms float64) {
	if len(samples) == 0 {
		return 0, 0
	}
	w := 2 * math.Pi * hz / rate
	var s1, s2, energy float64
	for _, x := range samples {
		s0 := x + 2*math.Cos(w)*s1 - s2
		s2, s1 = s1, s0
		energy += x * x
	}
	if energy == 0 {
		return 0, 0
	}
	p := s1*s1 + s2*s2 - 2*math.Cos(w)*s1*s2
	n := float64(len(samples))
	return 2 * p / (n * energy), math.Sqrt(energy / n)
}

// toneSeconds is for how long a tone is heard clearly, in pieces of 100 ms.
func toneSeconds(samples []float64, hz, rate float64) float64 {
	piece := int(rate / 10)
	heard := 0
	for at := 0; at+piece <= len(samples); at += piece {
		if share, rms := power(samples[at:at+piece], hz, rate); share > 0.8 && rms > 500 {
			heard++
		}
	}
	return float64(heard) / 10
}

// readPCM reads a mono PCM16 WAV, as baresip dumps what it heard.
func readPCM(t *testing.T, file string) (samples []float64, rate float64) {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	rate = float64(binary.LittleEndian.Uint32(raw[24:]))
	at := bytes.Index(raw, []byte("data"))
	for i := at + 8; i+1 < len(raw); i += 2 {
		samples = append(samples, float64(int16(binary.LittleEndian.Uint16(raw[i:]))))
	}
	return samples, rate
}
