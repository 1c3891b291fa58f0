package dsp

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// tool finds another maker's program to compare with.
func tool(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no %s: scripts/tools test installs it", name)
		}
		t.Skipf("no %s: scripts/tools test installs it", name)
	}
	return path
}

// wav is sound in a WAV file's form.
func wav(sound []int16, rate int) []byte {
	var b bytes.Buffer
	b.WriteString("RIFF")
	for _, v := range []any{
		uint32(36 + 2*len(sound)), []byte("WAVEfmt "), uint32(16), uint16(1), uint16(1),
		uint32(rate), uint32(2 * rate), uint16(2), uint16(16), []byte("data"), uint32(2 * len(sound)), sound,
	} {
		_ = binary.Write(&b, binary.LittleEndian, v) // a Buffer never fails
	}
	return b.Bytes()
}

// TestMinimodemReads lets minimodem read what we send.
func TestMinimodemReads(t *testing.T) {
	minimodem := tool(t, "minimodem")
	for _, rate := range []int{8000, 48000} {
		for form, message := range map[string][]byte{"MDMF": someone.MDMF(), "SDMF": someone.SDMF()} {
			s := sender{rate: float64(rate), baud: baud, mark: 1200, space: 2200, peak: Amplitude(-13.5)}
			sound := s.message(make([]int16, rate/2), message, seizureBits, markBits)
			file := filepath.Join(t.TempDir(), "ours.wav")
			if err := os.WriteFile(file, wav(append(sound, make([]int16, rate/2)...), rate), 0o600); err != nil {
				t.Fatal(err)
			}
			got, err := exec.Command(minimodem, "--rx", "callerid", "-f", file).Output()
			if err != nil {
				t.Fatalf("minimodem: %v", err)
			}
			want := []string{"CALLER-ID", "Time:  03/17 16:56", "Phone: 13812345678"}
			if form == "MDMF" {
				want = append(want, "Name:  \xD5\xC5\xC8\xFD")
			}
			if read := strings.Split(strings.TrimSpace(string(got)), "\n"); !slices.Equal(read, want) {
				t.Errorf("%s at %d Hz: minimodem reads %q, want %q", form, rate, read, want)
			}
		}
	}
}

// TestMinimodemSends reads what minimodem sends. It has no caller ID to send, so it is given the bits.
func TestMinimodemSends(t *testing.T) {
	minimodem := tool(t, "minimodem")
	for name, tt := range map[string]struct {
		rate        int
		mark, space string
	}{
		"Bell 202":                 {48000, "1200", "2200"},
		"V.23":                     {48000, "1300", "2100"},
		"Bell 202, bits rounded":   {8000, "1200", "2200"},
		"V.23, bits rounded":       {8000, "1300", "2100"},
		"Bell 202, from 44.1 kHz":  {44100, "1200", "2200"},
		"V.23, bits of 16 kHz":     {16000, "1300", "2100"},
		"Bell 202, bits of 11 kHz": {11025, "1200", "2200"},
	} {
		file := filepath.Join(t.TempDir(), "theirs.wav")
		cmd := exec.Command(minimodem, "--tx", "1200", "-M", tt.mark, "-S", tt.space, "--startbits", "0", "--stopbits", "0",
			"-R", strconv.Itoa(tt.rate), "-f", file)
		cmd.Stdin = bytes.NewReader(packed(someone.MDMF()))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("minimodem: %v: %s", err, out)
		}
		sound := samplesOf(t, file)
		if tt.rate != Rate {
			sound = rerate(sound, tt.rate, Rate)
		}
		sound = append(sound, make([]int16, 800)...)
		if got := detectAll(NewCallers(), sound); !slices.Equal(got, []CallerID{someone}) {
			t.Errorf("%s: %+v, want %+v", name, got, someone)
		}
	}
}

// packed is all bits of a transmission, eight a byte, the lowest first.
func packed(message []byte) []byte {
	var bits []byte
	for i := range seizureBits {
		bits = append(bits, byte(i%2))
	}
	bits = append(bits, bytes.Repeat([]byte{1}, markBits)...)
	for _, b := range message {
		bits = append(bits, 0)
		for i := range 8 {
			bits = append(bits, b>>i&1)
		}
		bits = append(bits, 1)
	}
	bits = append(bits, bytes.Repeat([]byte{1}, trailBits+7)...)
	out := make([]byte, len(bits)/8)
	for i := range out {
		for k := range 8 {
			out[i] |= bits[8*i+k] << k
		}
	}
	return out
}

func samplesOf(t *testing.T, file string) []int16 {
	t.Helper()
	raw, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := bytes.Index(raw, []byte("data"))
	if at < 0 {
		t.Fatal("no sound in the file")
	}
	raw = raw[at+8:]
	sound := make([]int16, len(raw)/2)
	for i := range sound {
		sound[i] = int16(binary.LittleEndian.Uint16(raw[2*i:]))
	}
	return sound
}

// TestMultimonReads lets multimon-ng read what we send in both modulations.
func TestMultimonReads(t *testing.T) {
	needLong(t)
	multimon := tool(t, "multimon-ng")
	const rate = 22050
	for _, m := range []Modulation{Bell202, V23} {
		mark, space := m.tones()
		s := sender{rate: rate, baud: baud, mark: mark, space: space, peak: Amplitude(-10)}
		sound := s.message(make([]int16, rate/2), someone.MDMF(), seizureBits, markBits)
		cmd := exec.Command(multimon, "-q", "-t", "raw", "-a", "CLIPFSK", "-")
		cmd.Stdin = bytes.NewReader(wav(append(sound, make([]int16, rate/2)...), rate)[44:])
		got, err := cmd.Output()
		if err != nil {
			t.Fatalf("multimon-ng: %v", err)
		}
		if !bytes.Contains(got, []byte("CID=13812345678")) || !bytes.Contains(got, []byte("DATE=03171656")) {
			t.Errorf("modulation %d: multimon-ng reads %q", m, got)
		}
	}
}
