package dsp

import (
	"encoding/binary"
	"testing"
	"time"
)

// detectors are all of this package's that hear a line, each as a function of
// the next samples.
func detectors() map[string]func([]int16) {
	digits, keys := make([]Digit, 0, 1000), NewDTMF()
	heard, tones := make([]Heard, 0, 1000), NewTones(China())
	fax, voice, meter := NewFax(), NewVoice(), &Meter{}
	return map[string]func([]int16){
		"dtmf":  func(in []int16) { digits = keys.Detect(in, digits[:0]) },
		"tones": func(in []int16) { heard = tones.Detect(in, heard[:0]) },
		"fax":   func(in []int16) { fax.Detect(in) },
		"voice": func(in []int16) { voice.Detect(in) },
		"meter": func(in []int16) { meter.Add(in) },
	}
}

// busyLine is ten seconds with something of everything.
func busyLine() []int16 {
	sound := exchange{level: -12}.send(mustFind("busy"), 2*time.Second)
	sound = AppendDTMF(sound, "1234567890", DefaultKeying)
	sound = append(sound, calling(0, -15, 0)[:2*Rate]...)
	sound = AppendTone(sound, 2100, -15, time.Second)
	sound = append(sound, melody(10)...)
	sound = AppendSilence(sound, 10*time.Second)[:10*Rate]
	NewNoise(1, -40).Add(sound)
	return sound
}

func TestDetectorsAllocateNothing(t *testing.T) {
	line := busyLine()
	for name, detect := range detectors() {
		at := 0
		if n := testing.AllocsPerRun(400, func() {
			detect(line[at : at+160])
			at = (at + 160) % (len(line) - 160)
		}); n > 0 {
			t.Errorf("%s: %v allocations a call", name, n)
		}
	}
	source, to, laws := NewSource(mustFind("busy"), -10), make([]int16, 160), make([]byte, 160)
	noise := NewNoise(1, -30)
	if n := testing.AllocsPerRun(100, func() {
		source.Fill(to)
		noise.Add(to)
		EncodeALaw(laws, to)
		DecodeMuLaw(to, laws)
		Level(to)
	}); n > 0 {
		t.Errorf("sources and laws: %v allocations a call", n)
	}
}

// fuzzed gives a fuzzed line to a detector in pieces of fuzzed length.
func fuzzed(f *testing.F, name string) {
	f.Add([]byte{0x80, 0, 0x80, 0x7F, 0xFF}, uint8(1))
	loud := make([]byte, 2000)
	for i := range loud {
		loud[i] = byte(i * i)
	}
	f.Add(loud, uint8(159))
	raw, _ := binary.Append(nil, binary.LittleEndian, AppendDTMF(nil, "159D", Keying{-5, 0, 40 * ms, 40 * ms}))
	f.Add(raw, uint8(40))
	f.Fuzz(func(t *testing.T, raw []byte, piece uint8) {
		detect := detectors()[name]
		in := make([]int16, len(raw)/2)
		for i := range in {
			in[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
		}
		for len(in) > 0 {
			n := min(len(in), int(piece)+1)
			detect(in[:n])
			in = in[n:]
		}
	})
}

func FuzzDTMF(f *testing.F)  { fuzzed(f, "dtmf") }
func FuzzTones(f *testing.F) { fuzzed(f, "tones") }
func FuzzFax(f *testing.F)   { fuzzed(f, "fax") }
func FuzzVoice(f *testing.F) { fuzzed(f, "voice") }

// TestPiecesDoNotMatter: a line in pieces of any length gives the same.
func TestPiecesDoNotMatter(t *testing.T) {
	line := busyLine()
	for _, piece := range []int{1, 39, 80, 1000, len(line)} {
		keys, tones := NewDTMF(), NewTones(China())
		var digits []Digit
		var heard []Heard
		for i := 0; i < len(line); i += piece {
			part := line[i:min(i+piece, len(line))]
			digits, heard = keys.Detect(part, digits), tones.Detect(part, heard)
		}
		if got := story(heard); got != "busy:2 busy:3 -busy" {
			t.Errorf("in pieces of %d: %q", piece, got)
		}
		if len(digits) != 10 || digits[9].Key != '0' {
			t.Errorf("in pieces of %d: %v", piece, digits)
		}
	}
}

// BenchmarkDetectors tells what a second of a line costs each.
func BenchmarkDetectors(b *testing.B) {
	line := busyLine()
	for _, name := range []string{"dtmf", "tones", "fax", "voice", "meter"} {
		b.Run(name, func(b *testing.B) {
			detect := detectors()[name]
			b.ReportAllocs()
			for i := range b.N {
				at := i % 10 * Rate
				for k := 0; k < Rate; k += 160 {
					detect(line[at+k : at+k+160])
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/1e9*100, "%CPU/line")
		})
	}
}
