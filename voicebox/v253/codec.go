package v253

import (
	"encoding/binary"
	"strconv"
	"strings"

	"callbox/cti/media/dsp"
)

// Frame is the length of a frame of audio: 20 ms at 8 kHz, in samples.
const Frame = 160

// coding is how a sample crosses the port.
type coding uint8

const (
	noCoding coding = iota
	signed16        // little endian
	aLaw
	muLaw
	unsigned8
	signed8
)

// width is the bytes of a sample.
func (c coding) width() int {
	if c == signed16 {
		return 2
	}
	return 1
}

// decode writes the samples that data holds; data is a whole number of them.
func (c coding) decode(to []int16, data []byte) {
	switch c {
	case signed16:
		for i := range to {
			to[i] = int16(binary.LittleEndian.Uint16(data[2*i:]))
		}
	case aLaw:
		dsp.DecodeALaw(to, data)
	case muLaw:
		dsp.DecodeMuLaw(to, data)
	case unsigned8:
		for i := range to {
			to[i] = (int16(data[i]) - 0x80) << 8
		}
	case signed8:
		for i := range to {
			to[i] = int16(int8(data[i])) << 8
		}
	}
}

// encode writes the samples of from; to has room for width bytes each.
func (c coding) encode(to []byte, from []int16) {
	switch c {
	case signed16:
		for i, s := range from {
			binary.LittleEndian.PutUint16(to[2*i:], uint16(s))
		}
	case aLaw:
		dsp.EncodeALaw(to, from)
	case muLaw:
		dsp.EncodeMuLaw(to, from)
	case unsigned8:
		for i, s := range from {
			to[i] = eightBits(s) + 0x80
		}
	case signed8:
		for i, s := range from {
			to[i] = eightBits(s)
		}
	}
}

// eightBits rounds to the nearest of 256 steps.
func eightBits(s int16) byte { return byte(min((int32(s)+0x80)>>8, 127)) }

// method is one line of the answer to +VSM=?.
type method struct {
	number int
	name   string // letters and digits only, in capitals
	bits   int
	rates  string
	long   bool // scs and sel follow: the four-argument form
}

// readMethods reads the answer to +VSM=?: `cml,"name",bits,tm,(rates),(scs),(sel)`,
// with or without quotes, brackets and the prefix +VSM:, and on some USR5637
// without bits and tm.
func readMethods(lines []string) []method {
	var found []method
	for _, line := range lines {
		if m, ok := readMethod(line); ok {
			found = append(found, m)
		}
	}
	return found
}

func readMethod(line string) (method, bool) {
	if head, rest, cut := strings.Cut(line, ":"); cut && strings.Contains(strings.ToUpper(head), "VSM") {
		line = rest
	}
	f := fields(line)
	if len(f) < 3 {
		return method{}, false
	}
	number, err := strconv.Atoi(f[0])
	if err != nil {
		return method{}, false
	}
	if m := (method{number: number, name: plain(f[1]), rates: f[2], long: len(f) > 3}); m.at8000() {
		m.bits = m.named()
		return m, true
	}
	bits, err := strconv.Atoi(f[2])
	if err != nil || len(f) < 4 {
		return method{}, false
	}
	m := method{number: number, name: plain(f[1]), bits: bits, rates: f[len(f)-1]}
	if len(f) > 4 {
		m.rates, m.long = f[4], len(f) > 5
	}
	return m, true
}

// named is how many bits a method has whose line does not say so: what its
// name begins with, or the 8 of the two laws.
func (m method) named() int {
	digits := len(m.name) - len(strings.TrimLeft(m.name, "0123456789"))
	if bits, err := strconv.Atoi(m.name[:digits]); err == nil && strings.HasPrefix(m.name[digits:], "BIT") {
		return bits
	}
	if strings.HasSuffix(m.name, "LAW") {
		return 8
	}
	return 0
}

// fields splits at commas (ZyXEL: semicolons) outside quotes and brackets.
func fields(line string) []string {
	var found []string
	deep, quoted, from := 0, false, 0
	for i, r := range line {
		switch {
		case r == '"':
			quoted = !quoted
		case quoted:
		case r == '(':
			deep++
		case r == ')':
			deep--
		case (r == ',' || r == ';') && deep <= 0:
			found = append(found, strings.Trim(line[from:i], ` "()`))
			from = i + 1
		}
	}
	return append(found, strings.Trim(line[from:], ` "()`))
}

// plain keeps letters and digits of a method's name, in capitals.
func plain(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return -1
	}, name)
}

// coding says what a method is by its name and bits; the same number is A-law
// on one chip and ADPCM on the next.
func (m method) coding() coding {
	linear := strings.Contains(m.name, "PCM") || strings.Contains(m.name, "LINEAR")
	switch {
	case strings.Contains(m.name, "ADPCM") || !m.at8000():
		return noCoding
	case m.bits == 8 && (strings.Contains(m.name, "ULAW") || strings.Contains(m.name, "G711U")):
		return muLaw
	case m.bits == 8 && (strings.Contains(m.name, "ALAW") || strings.Contains(m.name, "G711A")):
		return aLaw
	case linear && strings.Contains(m.name, "UNSIGNED") && m.bits == 8:
		return unsigned8
	case linear && m.bits == 16 && !strings.Contains(m.name, "UNSIGNED"), linear && m.bits == 14:
		return signed16
	case strings.Contains(m.name, "SIGNED") && m.bits == 8:
		return signed8
	case strings.Contains(m.name, "LINEAR") && m.bits == 8: // USR5637
		return unsigned8
	}
	return noCoding
}

// at8000 says whether 8000 is among the rates: a list, ranges, or one number.
func (m method) at8000() bool {
	for _, r := range strings.Split(strings.Trim(m.rates, "()"), ",") {
		low, high, ranged := strings.Cut(strings.TrimSpace(r), "-")
		a, err := strconv.Atoi(low)
		if err != nil {
			continue
		}
		b := a
		if ranged {
			b, _ = strconv.Atoi(high)
		}
		if a <= dsp.Rate && dsp.Rate <= b {
			return true
		}
	}
	return false
}

// choose takes the best method for both directions at once: 16 bits where the
// box carries them, then A-law, which is what the exchange speaks.
func choose(methods []method, wide bool) (method, coding) {
	order := []coding{aLaw, muLaw, unsigned8, signed8, signed16}
	if wide {
		order = []coding{signed16, aLaw, muLaw, unsigned8, signed8}
	}
	for _, want := range order {
		for _, m := range methods {
			if m.coding() == want {
				return m, want
			}
		}
	}
	return method{}, noCoding
}

// misaligned says that one byte of a 16-bit stream was lost: the samples read
// one byte later are three times smoother. A clipped square wave is smooth
// both ways and is left alone. data holds at least 17 whole samples and a byte.
func misaligned(data []byte) bool {
	n := len(data)/2 - 1
	if n < 16 {
		return false
	}
	var here, there, rails int
	for i := range n {
		a, b := sample(data[2*i:]), sample(data[2*i+2:])
		here += abs(b - a)
		if a > 32000 || a < -32000 {
			rails++
		}
		if i > 0 {
			there += abs(sample(data[2*i+1:]) - sample(data[2*i-1:]))
		}
	}
	return here > 256*n && there < here/3 && rails < n/4
}

// sixteenBits says that the low bytes of samples carry sound. The lowest two
// bits of decoded A-law and u-law, of 14 and of 8 bits in 16 are always 0.
func sixteenBits(data []byte) bool {
	n := 0
	for i := 0; i < len(data); i += 2 {
		if data[i]&3 != 0 {
			n++
		}
	}
	return n > len(data)/8
}

func sample(b []byte) int { return int(int16(binary.LittleEndian.Uint16(b))) }

func abs(n int) int {
	if n < 0 {
		return -n
	}
	return n
}
