package box

import (
	"math/rand/v2"
	"strings"
	"testing"

	"callbox/firmware/analog"
)

const resync = "\x10\x03\x10^\x10!\r"

// answersAT says whether a box comes back from whatever it was told: the
// sequence of a host that starts, then AT, asked again as a host does.
func answersAT(b *bench) bool {
	for range 3 {
		b.raw(resync)
		b.wait(700)
		if strings.HasSuffix(b.raw("AT\r")+b.wait(200), "\r\nOK\r\n") {
			return true
		}
		b.raw("ATE1Q0V1\r") // noise may have made it silent
	}
	return false
}

var states = []string{
	"AT+FCLASS=8;+VLS=1;+VTR\r", "AT+FCLASS=8;+VLS=1;+VTX\r", "AT+FCLASS=8;+VLS=20;+VRX\r", "AT+FCLASS=8;+VLS=1;D1234567\r",
	"AT+FCLASS=8;+VLS=1;+VTS={5,999}\r", "AT+FCLASS=8;+VLS=1;+VSM=0;+VIT=1;+VTR\r",
}

// A megabyte of noise, and of noise made of what commands are made of.
func TestRandomBytes(t *testing.T) {
	for name, alphabet := range map[string]string{
		"bytes":  "",
		"syntax": "AAATTT+VVLSXRTDEC=?;,0128\r\r\x10\x10^!\x03\x18pr{}[]\"&",
	} {
		t.Run(name, func(t *testing.T) {
			b, dice := inVoice(t), rand.New(rand.NewPCG(1, 2))
			chunk := make([]byte, 2000)
			for range 1 << 20 / len(chunk) {
				for i := range chunk {
					chunk[i] = byte(dice.Uint32())
					if alphabet != "" {
						chunk[i] = alphabet[dice.IntN(len(alphabet))]
					}
				}
				if dice.IntN(30) == 0 { // so that the noise meets every state
					b.raw(resync + states[dice.IntN(len(states))])
				}
				b.raw(string(chunk))
				b.in.Ringing = dice.IntN(20) == 0
				b.frames(2)
				b.held = b.held[min(len(b.held), 1000):] // bytes are lost too
			}
			b.in.Ringing = false
			if !answersAT(b) {
				t.Fatalf("no answer; phase %d, line %q", b.m.phase, b.m.typist.line)
			}
		})
	}
}

func FuzzHost(f *testing.F) {
	for _, seed := range []string{
		"AT\r", "AT+FCLASS=8;+VLS=1;+VTR\r12345\x10^", "AT+FCLASS=8;+VLS=1;+VTX\r\x10p\x10\x10\x10\x1a\x10\x03",
		"AT+FCLASS=8;+VLS=1;+VTS={1,2},[400,,3],!\r", "ATDT114W,!;\r", "ATI9S7?+VSM=?\rA/", "AT+VCID=\"x;y\"\r", "AT+FCLASS=8+VDR=1,,\r",
	} {
		f.Add([]byte(seed), uint8(3))
	}
	f.Fuzz(func(t *testing.T, in []byte, cut uint8) {
		b := newBench(t)
		for len(in) > 0 {
			n := min(len(in), int(cut)+1)
			b.raw(string(in[:n]))
			b.frames(1)
			in = in[n:]
		}
		if !answersAT(b) {
			t.Fatalf("no answer; phase %d, line %q", b.m.phase, b.m.typist.line)
		}
	})
}

// FuzzLine gives a box any sound and any wires.
func FuzzLine(f *testing.F) {
	f.Add([]byte{1, 2, 3, 0x80, 0xFF, 9}, uint8(2))
	f.Fuzz(func(t *testing.T, in []byte, state uint8) {
		b := inVoice(t)
		if state&1 != 0 {
			b.ok("AT+VLS=1")
		}
		if state&2 != 0 {
			b.say("AT+VTR")
		}
		for i, c := range in {
			b.in.Feed, b.in.Ringing, b.in.SetOff, b.in.Reversed = c&1 != 0, c&2 != 0, c&4 != 0, c&8 != 0
			sound := make([]int16, analog.Samples)
			for j := range sound {
				sound[j] = int16(in[(i+j*(1+int(c>>4)))%len(in)]) << 8
			}
			b.frame(sound)
			b.read()
		}
		if !answersAT(b) {
			t.Fatal("no answer")
		}
	})
}
