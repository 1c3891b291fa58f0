package speech

import "bytes"

// The decoder takes the padded frames of MPEG-2 layer III at 22.05 kHz for one
// byte shorter than they are where half their length is not a whole number, and
// then hears noise. That is the usual rate of speech engines, so such files are
// packed anew before they are decoded: every frame gets the highest bit rate,
// which needs no padding, and holds all of its own data (ISO/IEC 13818-3
// §2.4.2.7, ISO/IEC 11172-3 §2.4.3.4).

const (
	lowRate     = 22050
	packedSize  = 72 * 160_000 / lowRate // bytes of a frame at 160 kbit/s
	packedIndex = 14 << 4
	reservoir   = 255 // bytes that a frame may reach back
	mp3Header   = 4
)

// lowBitRates are kbit/s by index; 0 is none of use.
var lowBitRates = [16]int{0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160, 0}

// reframe packs a file anew if it is of that kind, else it is given back.
func reframe(file []byte) []byte {
	rest := file[min(tagSize(file), len(file)):]
	if _, ok := lowFrame(rest); !ok {
		return file
	}
	var out, store []byte
	for len(rest) >= mp3Header {
		size, ok := lowFrame(rest)
		if !ok || size > len(rest) {
			rest = rest[1:]
			continue
		}
		out, store = repack(out, store, rest[:size])
		rest = rest[size:]
	}
	return out
}

// tagSize is the length of an ID3v2 tag at the beginning.
func tagSize(b []byte) int {
	if len(b) < 10 || !bytes.HasPrefix(b, []byte("ID3")) {
		return 0
	}
	return 10 + (int(b[6]&0x7F)<<21 | int(b[7]&0x7F)<<14 | int(b[8]&0x7F)<<7 | int(b[9]&0x7F))
}

// lowFrame gives the length of the MPEG-2 layer III frame at 22.05 kHz that b
// begins with.
func lowFrame(b []byte) (size int, ok bool) {
	if len(b) < mp3Header || b[0] != 0xFF || b[1]&0xFE != 0xF2 || b[2]&0x0C != 0 {
		return 0, false
	}
	size = 72*lowBitRates[b[2]>>4]*1000/lowRate + int(b[2]>>1&1)
	return size, size > 1
}

// repack appends a frame to out. store is the main data so far, as far back as
// a frame may need it.
func repack(out, store, frame []byte) (newOut, newStore []byte) {
	head, side, lengths := mp3Header, 17, []int{10, 73}
	if frame[3]>>6 == 3 { // one channel
		side, lengths = 9, []int{9}
	}
	if frame[1]&1 == 0 { // a checksum follows the header
		head += 2
	}
	if len(frame) < head+side {
		return out, store
	}
	info, main := bytes.Clone(frame[head:head+side]), frame[head+side:]
	from := len(store) - int(info[0])
	store = append(store, main...)
	need := 0
	for _, at := range lengths {
		need += bitsAt(info, at, 12)
	}
	need = (need + 7) / 8
	var data []byte
	if from >= 0 && from+need <= len(store) && need <= packedSize-mp3Header-side {
		data = store[from : from+need]
	} else {
		clear(info) // the frame is silent
	}
	info[0] = 0
	out = append(out, 0xFF, frame[1]|1, packedIndex, frame[3])
	out = append(append(out, info...), data...)
	out = append(out, make([]byte, packedSize-mp3Header-side-len(data))...)
	return out, store[max(len(store)-reservoir, 0):]
}

// bitsAt reads n bits from a place on, the highest first.
func bitsAt(b []byte, at, n int) int {
	v := 0
	for i := at; i < at+n; i++ {
		v = v<<1 | int(b[i/8]>>(7-i%8)&1)
	}
	return v
}
