package media

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/pion/rtcp"
	"github.com/pion/rtp"
	"github.com/pion/srtp/v3"
)

// suite is how packets are sealed (RFC 4568 §6.2, RFC 7714 §14.2).
type suite struct {
	name      string
	profile   srtp.ProtectionProfile
	key, salt int // octets
}

var suites = []suite{
	{"AEAD_AES_256_GCM", srtp.ProtectionProfileAeadAes256Gcm, 32, 12},
	{"AEAD_AES_128_GCM", srtp.ProtectionProfileAeadAes128Gcm, 16, 12},
	{"AES_CM_128_HMAC_SHA1_80", srtp.ProtectionProfileAes128CmHmacSha1_80, 16, 14},
	{"AES_CM_128_HMAC_SHA1_32", srtp.ProtectionProfileAes128CmHmacSha1_32, 16, 14},
}

// Suites are the crypto suites that can be agreed on (RFC 4568 §6.2, RFC 7714
// §14.2), the best first.
func Suites() []string {
	names := make([]string, len(suites))
	for i, s := range suites {
		names[i] = s.name
	}
	return names
}

// KeyLength is how many octets of master key and salt a suite takes, 0 for one
// that is not among [Suites].
func KeyLength(name string) int {
	s, _ := suiteOf(name)
	return s.key + s.salt
}

func suiteOf(name string) (suite, bool) {
	i := slices.IndexFunc(suites, func(s suite) bool { return s.name == name })
	if i < 0 {
		return suite{}, false
	}
	return suites[i], true
}

const (
	replayWindow  = 128            // packets (RFC 3711 §3.3.2 asks for 64 at least)
	sealRoom      = 16             // octets of the longest tag
	mostSources   = 64             // that one key is believed for: each takes memory
	formerKeySpan = 3 * SampleRate // for which packets under the key before are still opened
)

// secret is one direction's key.
type secret struct {
	suite string
	key   []byte
}

// secrets are the keys of both directions, of their own memory.
func (c *Crypto) secrets() (local, remote secret) {
	return secret{c.Suite, bytes.Clone(c.Local)}, secret{c.Suite, bytes.Clone(c.Remote)}
}

func (s secret) equal(o secret) bool { return s.suite == o.suite && bytes.Equal(s.key, o.key) }

// context makes what seals or opens under the key, never both.
func (s secret) context(options ...srtp.ContextOption) (*srtp.Context, error) {
	how, ok := suiteOf(s.suite)
	if !ok {
		return nil, fmt.Errorf("media: crypto suite %q is not known", s.suite)
	}
	if len(s.key) != how.key+how.salt {
		return nil, fmt.Errorf("media: a key of %d octets for %s, which takes %d", len(s.key), s.suite, how.key+how.salt)
	}
	return srtp.CreateContext(s.key[:how.key], s.key[how.key:], how.profile, options...)
}

// sealer protects what goes out (RFC 3711 §3.3). It seals each sequence number
// once at most, since two packets under one number give both away.
type sealer struct {
	secret
	context *srtp.Context
	header  rtp.Header
	control rtcp.Header
	begun   bool
	top     uint16
	seen    uint64 // bit n: top-n was sealed
}

func newSealer(s secret) (*sealer, error) {
	context, err := s.context()
	if err != nil {
		return nil, err
	}
	return &sealer{secret: s, context: context}, nil
}

// seal protects an RTP packet, where it lies if its room goes on for sealRoom
// octets. ok is false when it must not go out.
func (s *sealer) seal(packet []byte) (sealed []byte, ok bool) {
	if !s.fresh(binary.BigEndian.Uint16(packet[2:])) {
		return nil, false
	}
	sealed, err := s.context.EncryptRTP(packet, packet, &s.header)
	return sealed, err == nil
}

func (s *sealer) sealControl(compound []byte) (sealed []byte, ok bool) {
	sealed, err := s.context.EncryptRTCP(nil, compound, &s.control)
	return sealed, err == nil
}

// fresh says whether a number was not sealed before, as far as that is known.
func (s *sealer) fresh(seq uint16) bool {
	d := int(int16(seq - s.top))
	switch {
	case !s.begun:
		s.begun, s.top, s.seen = true, seq, 1
	case d > 0:
		s.top, s.seen = seq, s.seen<<d|1
	case d <= -64 || s.seen&(1<<-d) != 0:
		return false
	default:
		s.seen |= 1 << -d
	}
	return true
}

// opener checks and opens what comes in (RFC 3711 §3.3). After a change of keys
// it still opens what was under way.
type opener struct {
	secret
	context *srtp.Context
	header  rtp.Header
	control rtcp.Header
	sources int // that the context keeps a state for
	former  *former
}

// former is the key before. Its room keeps a packet whole that the new key did
// not open.
type former struct {
	context *srtp.Context
	until   int64
	room    [packetLimit]byte
}

func newOpener(s secret) (*opener, error) {
	context, err := s.context(srtp.SRTPReplayProtection(replayWindow), srtp.SRTCPReplayProtection(replayWindow))
	if err != nil {
		return nil, err
	}
	return &opener{secret: s, context: context}, nil
}

// follows keeps the key before for what was sealed under it and comes late.
func (o *opener) follows(before *opener, now int64) {
	if before != nil {
		o.former = &former{context: before.context, until: now + formerKeySpan}
	}
}

// open gives an RTP packet in the clear, where it lies; ok is false when its
// sender does not have the key or it came before.
func (o *opener) open(packet []byte, now int64) (clear []byte, ok bool) {
	if len(packet) < rtpHeader {
		return nil, false
	}
	whole := o.keep(packet, now)
	_, known := o.context.ROC(binary.BigEndian.Uint32(packet[8:]))
	if o.believes(known) {
		clear, err := o.context.DecryptRTP(packet, packet, &o.header)
		if err == nil {
			return clear, o.opened(known)
		}
	}
	if whole == nil {
		return nil, false
	}
	clear, err := o.former.context.DecryptRTP(whole, whole, &o.header)
	return clear, err == nil
}

// openControl is open for RTCP.
func (o *opener) openControl(compound []byte, now int64) (clear []byte, ok bool) {
	if len(compound) < rtcpLeast {
		return nil, false
	}
	whole := o.keep(compound, now)
	_, known := o.context.Index(binary.BigEndian.Uint32(compound[4:]))
	if o.believes(known) {
		clear, err := o.context.DecryptRTCP(compound, compound, &o.control)
		if err == nil {
			return clear, o.opened(known)
		}
	}
	if whole == nil {
		return nil, false
	}
	clear, err := o.former.context.DecryptRTCP(whole, whole, &o.control)
	return clear, err == nil
}

// keep copies a packet for the key before, nil when there is none any more:
// opening under the wrong key destroys it.
func (o *opener) keep(packet []byte, now int64) []byte {
	if o.former != nil && now >= o.former.until {
		o.former = nil
	}
	if o.former == nil {
		return nil
	}
	return o.former.room[:copy(o.former.room[:], packet)]
}

func (o *opener) believes(known bool) bool { return known || o.sources < mostSources }

func (o *opener) opened(known bool) bool {
	if !known {
		o.sources++
	}
	return true
}
