package ctitest

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/pion/srtp/v3"
)

var errSealed = errors.New("ctitest: no usable SRTP in the SDP")

// sealSizes are the suites of SRTP by their names in the SDP, with the octets
// of key and salt (RFC 4568 §6.2, RFC 7714 §14.2).
var sealSizes = map[string]struct {
	profile   srtp.ProtectionProfile
	key, salt int
}{
	"AEAD_AES_256_GCM":        {srtp.ProtectionProfileAeadAes256Gcm, 32, 12},
	"AEAD_AES_128_GCM":        {srtp.ProtectionProfileAeadAes128Gcm, 16, 12},
	"AES_CM_128_HMAC_SHA1_80": {srtp.ProtectionProfileAes128CmHmacSha1_80, 16, 14},
	"AES_CM_128_HMAC_SHA1_32": {srtp.ProtectionProfileAes128CmHmacSha1_32, 16, 14},
}

// cryptoLine is one a=crypto line of the peer that the phone can use.
type cryptoLine struct {
	tag, suite string
	key        []byte
}

// seal is a call's SRTP on the phone's side. The sound's mutex guards it.
type seal struct {
	suites []string
	keys   map[string][]byte // ours
	theirs cryptoLine        // in use
	out    *srtp.Context     // nil: RTP in the clear
	in     *srtp.Context
	broken int // packets that could not be opened
}

func (s *seal) own(suite string) []byte {
	if s.keys == nil {
		s.keys = map[string][]byte{}
	}
	if s.keys[suite] == nil {
		size := sealSizes[suite]
		s.keys[suite] = make([]byte, size.key+size.salt)
		_, _ = rand.Read(s.keys[suite]) // never fails (crypto/rand)
	}
	return s.keys[suite]
}

// lines are the a=crypto lines of an offer, or the one that answers theirs.
func (s *seal) lines(theirs *cryptoLine) string {
	if theirs != nil {
		return "a=crypto:" + theirs.tag + " " + s.line(theirs.suite)
	}
	var b strings.Builder
	for i, suite := range s.suites {
		b.WriteString("a=crypto:" + strconv.Itoa(i+1) + " " + s.line(suite))
	}
	return b.String()
}

func (s *seal) line(suite string) string {
	return suite + " inline:" + base64.StdEncoding.EncodeToString(s.own(suite)) + "\r\n"
}

// parseCrypto reads one a=crypto line, false for one of no use.
func (s *seal) parseCrypto(line string) (cryptoLine, bool) {
	fields := strings.Fields(strings.TrimPrefix(line, "a=crypto:"))
	if len(fields) < 3 || !slices.Contains(s.suites, fields[1]) {
		return cryptoLine{}, false
	}
	text, _, _ := strings.Cut(strings.TrimPrefix(fields[2], "inline:"), "|")
	key, err := base64.StdEncoding.DecodeString(text)
	size := sealSizes[fields[1]]
	if err != nil || len(key) != size.key+size.salt {
		return cryptoLine{}, false
	}
	return cryptoLine{tag: fields[0], suite: fields[1], key: key}, true
}

// use starts sealing with the peer's key; nil ends it. The same key again
// changes nothing.
func (s *seal) use(theirs *cryptoLine) error {
	if theirs == nil {
		s.in, s.out = nil, nil
		return nil
	}
	if s.in != nil && s.theirs.suite == theirs.suite && bytes.Equal(s.theirs.key, theirs.key) {
		return nil
	}
	size := sealSizes[theirs.suite]
	own := s.own(theirs.suite)
	in, err := srtp.CreateContext(theirs.key[:size.key], theirs.key[size.key:], size.profile)
	if err != nil {
		return fmt.Errorf("ctitest: %w", err)
	}
	out, err := srtp.CreateContext(own[:size.key], own[size.key:], size.profile)
	if err != nil {
		return fmt.Errorf("ctitest: %w", err)
	}
	s.theirs, s.in, s.out = *theirs, in, out
	return nil
}

// close seals a packet that goes out.
func (s *seal) close(packet []byte) ([]byte, error) {
	if s.out == nil {
		return packet, nil
	}
	return s.out.EncryptRTP(nil, packet, nil)
}

// open is the packet inside a sealed one, nil for what is none.
func (s *seal) open(packet []byte) []byte {
	if s.in == nil {
		return packet
	}
	inner, err := s.in.DecryptRTP(nil, packet, nil)
	if err != nil {
		s.broken++
		return nil
	}
	return inner
}

// Suite is the SRTP suite of the call, "" for RTP in the clear.
func (s *sound) Suite() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.seal.in == nil {
		return ""
	}
	return s.seal.theirs.suite
}

// Unopened is how many packets could not be opened with the agreed keys.
func (s *sound) Unopened() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.seal.broken
}
