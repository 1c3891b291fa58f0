package sip

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"

	"callbox/cti/media"

	wire "github.com/emiago/sipgo/sip"
	"github.com/pion/sdp/v3"
)

// What srtp may be in the configuration.
const (
	srtpOff      = "off"
	srtpOn       = "on"
	srtpRequired = "required"
)

// leastLifetime is how many packets a key must be good for: six hours of 20 ms.
const leastLifetime = 1 << 20

var errKeys = errors.New("no usable crypto line")

// sealKey is one a=crypto line that we can use (RFC 4568 §9.1).
type sealKey struct {
	tag   string
	suite string
	key   []byte // master key and salt
}

// String hides the key from logs.
func (k sealKey) String() string { return k.tag + " " + k.suite }

// GoString hides the key from logs.
func (k sealKey) GoString() string { return k.String() }

// sealKeys are the usable crypto lines of a stream, in its order.
func sealKeys(m *sdp.MediaDescription) []sealKey {
	var all []sealKey
	for _, a := range m.Attributes {
		if a.Key != "crypto" {
			continue
		}
		if k, err := parseSealKey(a.Value); err == nil {
			all = append(all, k)
		}
	}
	return all
}

// parseSealKey reads TAG SUITE inline:KEY|LIFETIME and session parameters. A
// line that asks for what we do not do (MKI, several keys, anything unsealed)
// is of no use.
func parseSealKey(value string) (sealKey, error) {
	fields := strings.Fields(value)
	if len(fields) < 3 {
		return sealKey{}, errKeys
	}
	if _, err := strconv.ParseUint(fields[0], 10, 30); err != nil || len(fields[0]) > 9 {
		return sealKey{}, errKeys
	}
	for _, p := range fields[3:] {
		if !strings.HasPrefix(p, "WSH=") { // a hint (§6.3.7)
			return sealKey{}, fmt.Errorf("%w: parameter not understood", errKeys)
		}
	}
	k := sealKey{tag: fields[0], suite: fields[1]}
	var err error
	k.key, err = parseInline(fields[2], media.KeyLength(k.suite))
	return k, err
}

// parseInline reads one key of size octets (§6.1).
func parseInline(text string, size int) ([]byte, error) {
	text, ok := strings.CutPrefix(text, "inline:")
	parts := strings.Split(text, "|")
	if !ok || size == 0 || len(parts) > 2 {
		return nil, errKeys
	}
	if len(parts) == 2 && lifetime(parts[1]) < leastLifetime {
		return nil, errKeys
	}
	key, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(parts[0], "="))
	if err != nil || len(key) != size {
		return nil, errKeys
	}
	return key, nil
}

// lifetime is the number of packets in 2^N or N, 0 for what is neither (an MKI).
func lifetime(text string) uint64 {
	if power, ok := strings.CutPrefix(text, "2^"); ok {
		n, err := strconv.ParseUint(power, 10, 6)
		if err != nil {
			return 0
		}
		return 1 << min(n, 63)
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// best is the key whose suite comes first in the engine's order.
func best(keys []sealKey) (sealKey, bool) {
	for _, suite := range media.Suites() {
		if i := slices.IndexFunc(keys, func(k sealKey) bool { return k.suite == suite }); i >= 0 {
			return keys[i], true
		}
	}
	return sealKey{}, false
}

// seal is our side of one session's SRTP: whether we want it, and our keys.
type seal struct {
	mu      sync.Mutex // guards what follows
	mode    string     // srtpOff (or empty), srtpOn, srtpRequired
	offers  bool       // our offers are RTP/SAVP
	keys    map[string][]byte
	offered []string // suites of our last offer; the first has tag 1
	theirs  []byte   // the peer's key in use
	suite   string   // in use
}

// want sets what the configuration says; offers are sealed from now on if they
// are to be.
func (s *seal) want(mode string, offers bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mode = mode
	s.offers = mode == srtpRequired || mode == srtpOn && offers
}

func (s *seal) wanted() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.mode
}

// retreat turns to plain RTP after a peer refused a sealed offer; false where
// only SRTP will do.
func (s *seal) retreat() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.mode == srtpRequired {
		return false
	}
	s.offers = false
	return true
}

// retreats says whether the INVITE is to be sent again, with plain RTP: once,
// when the peer does not take the sealed one.
func (a *attempt) retreats(res *wire.Response) bool {
	refused := res.StatusCode == 488 || res.StatusCode == 415
	if !refused || a.plain || !bytes.Contains(a.req.Body(), []byte("a=crypto:")) || !a.leg.sdp.seal.retreat() {
		return false
	}
	a.plain = true
	return true
}

// srtpOf is what the configuration says of SRTP with a trunk, or with phones
// when t is nil.
func (s *Server) srtpOf(t *trunk) string {
	if t != nil {
		return t.SRTP
	}
	return s.ways.srtp
}

// lines are the a=crypto lines of an offer, none for a plain one. Once there
// is a suite in use it stays.
func (s *seal) lines() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.offers {
		return nil
	}
	s.offered = media.Suites()
	if s.suite != "" {
		s.offered = []string{s.suite}
	}
	var all []string
	for i, suite := range s.offered {
		all = append(all, cryptoLine(strconv.Itoa(i+1), suite, s.own(suite)))
	}
	return all
}

// reply is the a=crypto line that answers k (§5.1.2), none for a plain stream.
func (s *seal) reply(k *sealKey) []string {
	if k == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return []string{cryptoLine(k.tag, k.suite, s.own(k.suite))}
}

func cryptoLine(tag, suite string, key []byte) string {
	return "a=crypto:" + tag + " " + suite + " inline:" + base64.StdEncoding.EncodeToString(key) + "\r\n"
}

// own is our key for suite, made when it is first asked for. The caller holds mu.
func (s *seal) own(suite string) []byte {
	if key := s.keys[suite]; key != nil {
		return key
	}
	key := make([]byte, media.KeyLength(suite))
	_, _ = rand.Read(key) // never fails (crypto/rand)
	if s.keys == nil {
		s.keys = map[string][]byte{}
	}
	s.keys[suite] = key
	return key
}

// renew makes a new key of ours for a peer whose offer changes its own; for any
// other the old one stays.
func (s *seal) renew(k *sealKey) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k != nil && s.theirs != nil && !bytes.Equal(s.theirs, k.key) {
		delete(s.keys, k.suite)
	}
}

// agreed is what the peer's key means for the engine, nil for plain RTP. Later
// offers of ours are like that too.
func (s *seal) agreed(k *sealKey) *media.Crypto {
	s.mu.Lock()
	defer s.mu.Unlock()
	if k == nil {
		s.suite, s.theirs, s.offers = "", nil, s.mode == srtpRequired
		return nil
	}
	s.suite, s.theirs, s.offers = k.suite, k.key, true
	return &media.Crypto{Suite: k.suite, Local: s.own(k.suite), Remote: k.key}
}

// answers checks that k answers one of the lines that we offered (§5.1.3).
func (s *seal) answers(k sealKey) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	n, err := strconv.Atoi(k.tag)
	return err == nil && n >= 1 && n <= len(s.offered) && s.offered[n-1] == k.suite
}

func checkSRTP(mode string) error {
	switch mode {
	case "", srtpOff:
		return nil
	case srtpOn, srtpRequired:
		if len(media.Suites()) == 0 {
			return fmt.Errorf("%s is %w", mode, errNotYet)
		}
		return nil
	}
	return fmt.Errorf("%q is none of off, on, required", mode)
}
