package v253

import "bytes"

// Bytes behind DLE that do not name an event (V.253 tables 7 and 8).
const (
	dle byte = 0x10
	etx byte = 0x03 // data ends
	sub byte = 0x1A // two data bytes DLE
	dc1 byte = 'Q'  // a data byte XON, with flow control by characters
	dc3 byte = 'S'  // a data byte XOFF
	esc byte = 0x1B // reception ends
	can byte = 0x18 // throw the transmit buffer away
)

// AppendShielded appends audio to to so that it may cross the port: each byte
// DLE is doubled. DLE SUB for a pair is not made, since every chip knows
// DLE DLE. It allocates only when to has less room than twice the audio.
func AppendShielded(to, audio []byte) []byte {
	for {
		at := bytes.IndexByte(audio, dle)
		if at < 0 {
			return append(to, audio...)
		}
		to = append(to, audio[:at+1]...)
		to = append(to, dle)
		audio = audio[at+1:]
	}
}

// Unshielder takes audio and codes out of what a box sends in a data state.
// The zero value begins a data state; a lone DLE at the end of one read is kept
// for the next.
type Unshielder struct{ waiting bool }

// Next reads from in until it is used up or a code was met. Audio goes to
// audio, which must have room for len(in)+1 bytes; n of them were written,
// used of in were read. Code is the byte behind DLE, or 0 when in was used up.
// Codes that nobody knows are codes too: two bytes of no audio.
func (u *Unshielder) Next(audio, in []byte) (n, used int, code byte) {
	for used < len(in) {
		if !u.waiting {
			run := bytes.IndexByte(in[used:], dle)
			if run < 0 {
				return n + copy(audio[n:], in[used:]), len(in), 0
			}
			n += copy(audio[n:], in[used:used+run])
			used += run + 1
			u.waiting = true
			continue
		}
		x := in[used]
		used++
		u.waiting = false
		switch x {
		case dle, sub:
			audio[n] = dle
			n++
			if x == sub {
				audio[n] = dle
				n++
			}
		case dc1, dc3:
			audio[n] = x - '@'
			n++
		case 0: // nothing, says the standard
		default:
			return n, used, x
		}
	}
	return n, used, 0
}
