// Package media carries the sound of calls: ports, bridges, RTP, G.711.
//
// A [Port] is one party's sound, an [Engine] joins two ports and makes ports
// for parties that do not come by RTP. The engine owns the goroutines that read
// sockets and keep the 20 ms beat; they end when a port is closed. It knows no
// signalling, no calls and no files: who taps a port decides what to keep.
package media

import (
	"context"
	"errors"
	"net/netip"
	"time"
)

// Frame is the beat of every port: 20 ms, which is 160 samples at 8 kHz.
const (
	Frame        = 20 * time.Millisecond
	FrameSamples = 160
	SampleRate   = 8000
)

// Law is a G.711 companding law by its RTP payload type (RFC 3551 table 4).
type Law uint8

// The two laws.
const (
	PCMU Law = 0
	PCMA Law = 8
)

// Side says whose sound a tap hears.
type Side uint8

// Received is what the port's party says, Sent what it is made to hear.
const (
	Received Side = iota
	Sent
)

// Sink takes the sound of a tapped port. Sound may be called from the engine's
// own goroutines: it never blocks and does not keep payload. at counts samples
// since the tap was set (RTP time; gaps are silence, overlaps are the newest),
// payload is G.711 in the port's law.
type Sink interface {
	Sound(side Side, at int64, payload []byte)
}

// Prompt is sound encoded once for both laws and played from memory.
type Prompt struct {
	Name string
	PCMA []byte
	PCMU []byte
	Loop bool // until the context ends
}

// Duration is how long the prompt lasts, played once.
func (p Prompt) Duration() time.Duration {
	return time.Duration(len(p.PCMA)) * time.Second / SampleRate
}

// ErrClosed is returned by a port whose party is gone.
var ErrClosed = errors.New("media: port is closed")

// Port is one party's sound.
type Port interface {
	// Play sends p until its end (nil), ctx's end (its cause), or the port's end
	// (ErrClosed). Of two prompts the later one is heard and the other waits; a
	// bridge set meanwhile is heard again afterwards. The port sends silence
	// when nothing else is to be sent.
	Play(ctx context.Context, p Prompt) error
	// Digits gives the keys the party pressed (RFC 4733 or detected), one rune
	// of 0-9*#A-D each; the channel holds at least 64 and is never closed.
	Digits() <-chan rune
	// Send lets the party hear digits as telephone events.
	Send(digits string)
	// Tap lets s hear the port from now on; nil ends it. Only one at a time.
	Tap(s Sink)
	// Law is the law of the port's sound, fixed when it was made or started.
	Law() Law
	// Stats is what was counted so far.
	Stats() Stats
}

// Stats counts one port's packets. Lost and Jitter are as RFC 3550 §6.4 and
// §A.8 count them; Dropped came from a foreign source or was malformed.
type Stats struct {
	Received, Sent, Lost, Dropped, KernelDropped uint64
	Concealed                                    uint64 // frames made up where sound was decoded and missing
	Late                                         uint64 // packets that came when their turn in decoded sound was over
	Jitter                                       time.Duration
	LastReceived                                 time.Time
	Secure                                       bool // the party's sound comes sealed (SRTP)
	Far                                          Far
}

// Far is what the party's own reports say (RFC 3550 §6.4.1). A zero Last means
// that it sends none.
type Far struct {
	Last      time.Time     // of its RTCP, whatever it said
	Lost      uint64        // of our packets
	Jitter    time.Duration // of our packets there
	RoundTrip time.Duration // 0: not known
}

// Engine joins ports.
type Engine interface {
	// Bridge lets a and b hear each other until undo is called. Undo is
	// idempotent and returns when no more sound passes.
	Bridge(a, b Port) (undo func())
	// Pipe makes a port of two channels of 20 ms frames in law: what the party
	// says comes from in, what it hears goes to out (dropped when out is full).
	// Closing in ends the port.
	Pipe(law Law, in <-chan []byte, out chan<- []byte) Port
	// Open makes a port on a UDP socket of its own at local, in the engine's
	// range of RTP ports. Nothing is accepted before Start.
	Open(local netip.Addr) (RTP, error)
	// Room makes a room for three parties and more.
	Room() Room
}

// Room lets parties hear each other as its owner says: a conference, a
// supervisor who listens or whispers. Sound in a room is decoded and mixed.
type Room interface {
	// Hear says whom listener hears from now on: the sum of sources, silence for
	// none. It takes listener and sources out of a bridge; what else listener
	// plays or is sent (prompts, digits) comes before the room, as before a
	// bridge. Keys that a source presses as telephone events go to who hears it.
	Hear(listener Port, sources ...Port)
	// Leave takes a port out: it hears nothing of the room, nobody there hears it.
	Leave(p Port)
	// Close lets everybody leave; it is idempotent.
	Close()
}

// Stream is what signalling agreed on for an RTP port.
type Stream struct {
	Remote netip.AddrPort // where the party says it listens
	Law    Law
	DTMF   uint8 // payload type of telephone-event, 0: none (RFC 4733)
	// Symmetric lets the first packets of one SSRC from another address move
	// Remote once, within 2 s and while Remote itself is silent; then the source
	// is locked. It is a risk that only parties behind a NAT are worth.
	Symmetric bool
	// Control is where the party takes RTCP; the port above Remote's when zero.
	Control netip.AddrPort
	// Crypto is what both sides' packets are sealed with; nil: RTP in the clear.
	Crypto *Crypto
	// Keying is how the party gets digits, Keys takes them with [Messages].
	Keying Keying
	Keys   chan<- string
	// Mute says that the party does not listen now (its side is sendonly or
	// inactive): no RTP is sent, RTCP is. Deaf says that it is not to be heard (recvonly,
	// inactive).
	Mute, Deaf bool
	// Detect asks for the party's sound to be listened to, which costs decoding.
	Detect Detect
}

// Crypto is one stream's keys as signalling exchanged them (RFC 4568 §6.1).
type Crypto struct {
	Suite         string // one of [Suites]
	Local, Remote []byte // master key and salt, joined, of what we send and of what the party sends
}

// Keying is how digits go to a party.
type Keying uint8

// The ways of a digit.
const (
	Events   Keying = iota // RFC 4733, or tones where the party takes none
	Tones                  // in the sound
	Messages               // by signalling: handed to Stream.Keys, which is never waited for
)

// Detect is what is listened for in a party's sound.
type Detect uint8

// What can be heard. Keys found go to Digits as if they were events.
const (
	DetectKeys Detect = 1 << iota
	DetectFax
)

// RTP is a port that comes by RTP.
type RTP interface {
	Port
	// LocalAddr is the socket's address for the SDP.
	LocalAddr() netip.AddrPort
	// Start sets or changes the stream; sound flows from here on.
	Start(Stream) error
	// Fax gives "cng" or "ced" when such a tone was heard (DetectFax); the channel
	// holds one and is never closed.
	Fax() <-chan string
	// Press takes keys that came by signalling, see [Presser].
	Press(digits string)
	// Close frees the socket and the port; it is idempotent.
	Close() error
}
