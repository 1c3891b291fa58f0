package dsp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
	"time"
)

// someone is a message of usual length: number, name and time.
var someone = CallerID{Number: "13812345678", Name: "张三", Time: "03171656", Mode: "fsk"}

// wire is a sender with its faults and what the line does to it.
type wire struct {
	modulation         Modulation
	level, snr         float64 // dBm0; signal to noise of 0 to 4 kHz, dB (0: no noise)
	mark, space, clock float64 // off by so many per cent
	seizure, marks     int     // bits
	seed               uint64
}

// usual is as an exchange sends, at the other end of a long line.
func usual(m Modulation) wire {
	return wire{modulation: m, level: -35, seizure: seizureBits, marks: markBits}
}

func (w wire) sender() sender {
	mark, space := w.modulation.tones()
	return sender{
		rate: Rate, baud: baud * (1 + w.clock/100),
		mark: mark * (1 + w.mark/100), space: space * (1 + w.space/100), peak: Amplitude(w.level),
	}
}

// send puts message on the line, not always at the same place between samples.
func (w wire) send(message []byte) []int16 {
	s := w.sender()
	s.past = float64(w.seed%7) / 7
	line := s.message(make([]int16, 800+w.seed%97), message, w.seizure, w.marks)
	return w.noisy(append(line, make([]int16, 400)...))
}

func (w wire) noisy(line []int16) []int16 {
	if w.snr != 0 {
		NewNoise(w.seed+1, w.level-w.snr).Add(line)
	}
	return line
}

// receiveAll gives every message on the line, taken in blocks of n samples.
func receiveAll(line []int16, n int) (all [][]byte) {
	r := newReceiver()
	for block := range slices.Chunk(line, n) {
		if m := r.receive(block); m != nil {
			all = append(all, bytes.Clone(m))
		}
	}
	return all
}

func arrives(line []int16, message []byte) bool {
	got := receiveAll(line, 160)
	return len(got) == 1 && bytes.Equal(got[0], message)
}

// gridErrors are mark, space and clock off by so many per cent: a sender's crystal as a
// whole, the modem's tones against it, and a clock of its own.
var gridErrors = [][3]float64{
	{}, {1.5, 1.5, 1.5}, {-1.5, -1.5, -1.5}, {1, -1, 0}, {-1, 1, 1}, {1.5, 1.5, -1.5}, {-1.5, -1.5, 1.5}, {0, 0, 1.5}, {0, 0, -1.5},
}

// TestFSKGrid counts messages that arrive over level, noise and error of frequency and clock.
func TestFSKGrid(t *testing.T) {
	levels, snrs, tries := []float64{-35}, []float64{7}, 2
	if long() {
		levels, snrs, tries = []float64{-3, -35}, []float64{3, 5, 7, 10, 20}, 40
	}
	message := someone.MDMF()
	sent, lost := 0, 0
	for _, m := range []Modulation{Bell202, V23} {
		for _, e := range gridErrors {
			for _, level := range levels {
				var row string
				for _, snr := range snrs {
					arrived := 0
					for seed := range tries {
						w := wire{m, level, snr, e[0], e[1], e[2], seizureBits, markBits, uint64(seed)}
						if arrives(w.send(message), message) {
							arrived++
						}
					}
					row += fmt.Sprintf("  %g dB %d", snr, arrived)
					if snr >= 7 {
						sent, lost = sent+tries, lost+tries-arrived
					}
				}
				t.Logf("modulation %d, off by %v %%, %v dBm0, of %d:%s", m, e, level, tries, row)
			}
		}
	}
	t.Logf("from 7 dB on %d of %d arrived, %.2f %%", sent-lost, sent, 100-100*float64(lost)/float64(sent))
	if 200*lost > sent {
		t.Error("less than 99.5 %")
	}
}

// TestFSKPreamble leaves out of seizure and mark what senders leave out.
func TestFSKPreamble(t *testing.T) {
	message := someone.MDMF()
	seeds := 1
	if long() {
		seeds = 20
	}
	for _, m := range []Modulation{Bell202, V23} {
		for _, bits := range [][2]int{{300, 180}, {96, 55}, {0, 180}, {0, 80}, {0, 35}, {300, 35}, {37, 70}, {0, 1200}, {2000, 180}} {
			for seed := range uint64(seeds) {
				w := usual(m)
				w.seizure, w.marks, w.seed, w.snr = bits[0], bits[1], seed, 12
				if !arrives(w.send(message), message) {
					t.Errorf("modulation %d, %d bits of seizure, %d of mark, seed %d: did not arrive", m, bits[0], bits[1], seed)
				}
			}
		}
	}
}

// TestFSKLine sends over lines with something else on them.
func TestFSKLine(t *testing.T) {
	message := someone.MDMF()
	ring := AppendTone(nil, 25, 3, time.Second)
	for name, spoil := range map[string]func([]int16) []int16{
		"direct current":     func(l []int16) []int16 { return overlay(l, constant(6000, 3*time.Second)) },
		"hum of 50 Hz":       func(l []int16) []int16 { return overlay(l, AppendTone(nil, 50, -10, 3*time.Second)) },
		"hum and its third":  func(l []int16) []int16 { return overlay(l, AppendTone(nil, 150, -25, 3*time.Second)) },
		"A-law":              func(l []int16) []int16 { overALaw(l); return l },
		"after a ring":       func(l []int16) []int16 { return append(slices.Clone(ring), l...) },
		"end of a ring":      func(l []int16) []int16 { return overlay(l, ring[:820]) },
		"12 dB less at 2200": lowered,
		"as loud as can be":  func(l []int16) []int16 { amplify(l, 40); return l },
		"of -45 dBm0":        func(l []int16) []int16 { amplify(l, -10); return l },
	} {
		for _, m := range []Modulation{Bell202, V23} {
			if !arrives(spoil(usual(m).send(message)), message) {
				t.Errorf("%s, modulation %d: did not arrive", name, m)
			}
		}
	}
}

// lowered is a line that gives less the higher the frequency.
func lowered(line []int16) []int16 {
	last := 0.0
	for i, v := range line {
		last += 0.25 * (float64(v) - last)
		line[i] = fit(2 * last)
	}
	return line
}

// TestFSKStopBits sends bytes further apart than need be: ETSI EN 300 659-1 §6.2.2 allows
// ten marks between them, and modems with their own timer send parts of bits.
func TestFSKStopBits(t *testing.T) {
	message := someone.MDMF()
	for _, extra := range []float64{0, 0.25, 0.5, 1, 1.5, 2, 3.7, 10, 25} {
		for seed := range uint64(5) {
			w := usual(Bell202)
			w.seed, w.snr = seed, 10
			s := w.sender()
			line := s.marks(make([]int16, 801), markBits)
			for _, b := range message {
				line = s.byte(line, b)
				s.baud = baud / max(extra, 1e-6)
				line = s.bit(line, true)
				s.baud = baud
			}
			if line = w.noisy(s.marks(line, 60)); !arrives(line, message) {
				t.Errorf("%v bits between bytes, seed %d: did not arrive", extra, seed)
			}
		}
	}
}

// TestFSKRoundedBits takes bits of 7 samples, 5 % too long, and bits that begin at whole samples.
func TestFSKRoundedBits(t *testing.T) {
	message := someone.MDMF()
	for name, clock := range map[string]float64{"7 samples": 100 * (Rate/7.0/baud - 1), "2 % fast": 2, "3 % slow": -3} {
		for seed := range uint64(5) {
			w := usual(Bell202)
			w.clock, w.snr, w.seed = clock, 10, seed
			if !arrives(w.send(message), message) {
				t.Errorf("%s, seed %d: did not arrive", name, seed)
			}
		}
	}
}

// unsteady sends as cheap adapters do: the tone changes at whole samples only, and each bit
// begins with the phase off by up to jump radians more.
func (w wire) unsteady(message []byte, jump float64) []int16 {
	random := rand.New(rand.NewPCG(w.seed, 3))
	s := w.sender()
	line, phase, end := make([]int16, 800), 0.0, 800.0
	for _, one := range w.bits(message) {
		hz := s.space
		if one {
			hz = s.mark
		}
		phase += jump * (2*random.Float64() - 1)
		for end += Rate / s.baud; float64(len(line)) < end; phase += 2 * math.Pi * hz / Rate {
			line = append(line, int16(s.peak*math.Sin(phase)))
		}
	}
	return w.noisy(append(line, make([]int16, 400)...))
}

func (w wire) bits(message []byte) (bits []bool) {
	for i := range w.seizure {
		bits = append(bits, i%2 == 1)
	}
	bits = append(bits, slices.Repeat([]bool{true}, w.marks)...)
	for _, b := range message {
		bits = append(bits, false)
		for i := range 8 {
			bits = append(bits, b>>i&1 == 1)
		}
		bits = append(bits, true)
	}
	return append(bits, slices.Repeat([]bool{true}, trailBits)...)
}

// TestFSKUnsteady counts what arrives of senders whose tones change at whole samples, and
// of those whose phase jumps as well.
func TestFSKUnsteady(t *testing.T) {
	message := someone.MDMF()
	tries := 12
	if long() {
		tries = 400
	}
	for _, jump := range []float64{0, 0.2} {
		lost := 0
		for seed := range uint64(tries) {
			w := usual(Modulation(seed % 2))
			w.seed, w.snr, w.marks = seed, 12, 80
			w.mark, w.space, w.clock = float64(seed%3)-1, float64(seed/2%3)-1, 0.8*(float64(seed%3)-1)
			if !arrives(w.unsteady(message, jump), message) {
				lost++
			}
		}
		t.Logf("jumps of %v: %d of %d did not arrive", jump, lost, tries)
		if 10*lost > tries {
			t.Error("more than 10 %")
		}
	}
}

// TestFSKMessages sends the shortest and the longest, and one behind the other.
func TestFSKMessages(t *testing.T) {
	longest := sealed(typeMDMF, appendParam(nil, 0x50, string(bytes.Repeat([]byte{0x55, 0, 0xFF}, 84))))
	messages := [][]byte{sealed(typeMDMF, nil), longest, someone.SDMF(), sealed(typeMDMFWaiting, []byte{0x0B, 1, 0xFF}), someone.MDMF()}
	var line []int16
	for _, message := range messages {
		line = append(line, usual(V23).send(message)...)
	}
	if got := receiveAll(line, 160); !slices.EqualFunc(got, messages, bytes.Equal) {
		t.Errorf("received % X, want % X", got, messages)
	}
}

// TestFSKRefuses sends what must not be taken.
func TestFSKRefuses(t *testing.T) {
	wrong := someone.MDMF()
	wrong[len(wrong)-1]++
	cut := usual(Bell202).send(someone.MDMF())
	cut = append(cut[:len(cut)-800], make([]int16, 8000)...)
	for name, line := range map[string][]int16{
		"checksum wrong": usual(Bell202).send(wrong),
		"cut off":        cut,
		"another type":   usual(Bell202).send(sealed(0x99, []byte("13812345678"))),
		"too faint":      func() []int16 { w := usual(Bell202); w.level = -60; return w.send(someone.MDMF()) }(),
	} {
		if got := receiveAll(line, 160); got != nil {
			t.Errorf("%s: received % X", name, got)
		}
	}
	after := append(cut, usual(Bell202).send(someone.MDMF())...)
	if !arrives(after, someone.MDMF()) {
		t.Error("a message behind one that was cut off did not arrive")
	}
}

// TestFSKBlocks takes the same line in blocks of any size.
func TestFSKBlocks(t *testing.T) {
	message := someone.MDMF()
	w := usual(Bell202)
	w.snr = 8
	line := w.send(message)
	for _, n := range []int{1, 7, 40, 159, 160} {
		if got := receiveAll(line, n); len(got) != 1 || !bytes.Equal(got[0], message) {
			t.Errorf("blocks of %d: received % X", n, got)
		}
	}
}

// TestFSKPhase checks that the modulated signal never jumps: by no more than its highest frequency makes it.
func TestFSKPhase(t *testing.T) {
	line := AppendFSK(nil, someone.MDMF(), Bell202, -10)
	if want := (seizureBits + markBits + 10*len(someone.MDMF()) + trailBits) * Rate / baud; len(line) < want || len(line) > want+1 {
		t.Errorf("%d samples, want %d", len(line), want)
	}
	most := 0.0
	for i, v := range line[1:] {
		most = max(most, float64(v)-float64(line[i]))
	}
	if limit := Amplitude(-10) * 2 * 0.7605; most > limit { // 2 sin(π 2200/8000)
		t.Errorf("jumps by %v, more than %v", most, limit)
	}
	if level := Level(line); level < -10.1 || level > -9.9 {
		t.Errorf("level %v dBm0, want -10", level)
	}
}

// FuzzReceiver demodulates anything at all.
func FuzzReceiver(f *testing.F) {
	var raw []byte
	for _, v := range usual(Bell202).send(sealed(typeMDMF, []byte{1, 2}))[:5000] {
		raw = binary.LittleEndian.AppendUint16(raw, uint16(v))
	}
	f.Add(raw, uint8(160))
	f.Add(bytes.Repeat([]byte{0xFF, 0x7F, 0, 0x80}, 500), uint8(3))
	f.Fuzz(func(t *testing.T, raw []byte, block uint8) {
		line := make([]int16, len(raw)/2)
		for i := range line {
			line[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		for _, m := range receiveAll(line, max(1, int(block)%161)) {
			if len(m) != int(m[1])+3 || checksum(m) != 0 {
				t.Errorf("received % X", m)
			}
		}
	})
}

// FuzzFSK sends any bytes with any faults within bounds: what is not broken arrives.
func FuzzFSK(f *testing.F) {
	f.Add([]byte("0317165613812345678"), uint64(1))
	f.Add([]byte{0, 0xFF, 0x10, 0x55, 0xAA}, uint64(2))
	f.Fuzz(func(t *testing.T, body []byte, seed uint64) {
		random := rand.New(rand.NewPCG(seed, 3))
		off := func() float64 { return 3*random.Float64() - 1.5 }
		crystal, clock := off(), off()
		w := wire{Modulation(seed % 2), -35 * random.Float64(), 20, crystal, crystal, clock, random.IntN(300), 60 + random.IntN(140), seed}
		message := sealed(typeMDMF, body[:min(len(body), 255)])
		if !arrives(w.send(message), message) {
			t.Errorf("% X by %+v did not arrive", message, w)
		}
	})
}
