package sip

import (
	"crypto/hmac"
	"crypto/md5" //nolint:gosec // RFC 7616 still names it, and old phones know nothing else
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"hash"
	"net/netip"
	"strings"
	"sync"
	"time"

	"github.com/icholy/digest"
)

// Realm is the fixed realm of all phones.
const Realm = "callbox"

const (
	nonceLife  = 5 * time.Minute
	noncesKept = 50_000
)

// nonces are bound to the address that asked and to the time, so that checking
// one needs no memory; only the counts of used ones are kept.
type nonces struct {
	secret []byte

	mu   sync.Mutex
	used map[string]nonceUse
}

// nonceUse are the counts that a nonce was used with: the highest one and, as
// bits, the 63 below it. A phone's requests may be served in another order than
// it sent them.
type nonceUse struct {
	top   int
	seen  uint64 // bit i: top-i was there
	until time.Time
}

// next is u after a use with count; false for a replay.
func (u nonceUse) next(count int) (nonceUse, bool) {
	switch behind := u.top - count; {
	case behind < 0:
		u.seen, u.top = u.seen<<-behind|1, count
	case behind > 63 || u.seen&(1<<behind) != 0:
		return u, false
	default:
		u.seen |= 1 << behind
	}
	return u, true
}

func newNonces(secret []byte) *nonces { return &nonces{secret: secret, used: map[string]nonceUse{}} }

// issue makes a nonce for a.
func (n *nonces) issue(a netip.Addr, now time.Time) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(now.UnixMilli()))
	_, _ = rand.Read(raw[8:]) // never fails (crypto/rand)
	return hex.EncodeToString(raw[:]) + n.mac(raw[:], a)
}

func (n *nonces) mac(raw []byte, a netip.Addr) string {
	m := hmac.New(sha256.New, n.secret)
	_, _ = m.Write(raw)
	_, _ = m.Write(a.AsSlice())
	return hex.EncodeToString(m.Sum(nil)[:16])
}

// good says whether nonce was issued to a and is still young.
func (n *nonces) good(nonce string, a netip.Addr, now time.Time) bool {
	if len(nonce) != 64 {
		return false
	}
	raw, err := hex.DecodeString(nonce[:32])
	if err != nil || subtle.ConstantTimeCompare([]byte(nonce[32:]), []byte(n.mac(raw, a))) != 1 {
		return false
	}
	age := now.Sub(time.UnixMilli(int64(binary.BigEndian.Uint64(raw[:8]))))
	return age >= 0 && age < nonceLife
}

// use counts a use of nonce (RFC 7616 §3.4, nc); false for a replay. Without a
// count (RFC 2069) a nonce is good once.
func (n *nonces) use(nonce string, count int, now time.Time) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	last, again := n.used[nonce]
	if !again {
		last = nonceUse{top: count - 1, until: now.Add(nonceLife)}
	}
	u, ok := last.next(count)
	if !ok || !again && len(n.used) >= noncesKept { // only a flood of right answers gets there
		return false
	}
	n.used[nonce] = u
	return true
}

func (n *nonces) sweep(now time.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for nonce, u := range n.used {
		if now.After(u.until) {
			delete(n.used, nonce)
		}
	}
}

// algorithms we ask with, the first one first: old phones and test tools take
// the first they see.
var algorithms = []string{"MD5", "SHA-256"}

// challenge is the value of one WWW-Authenticate or Proxy-Authenticate.
func challenge(algorithm, nonce string, stale bool) string {
	c := digest.Challenge{Realm: Realm, Nonce: nonce, Algorithm: algorithm, Stale: stale, QOP: []string{"auth"}}
	return c.String()
}

// expected is the response that proves ha1 (RFC 7616 §3.4.1), "" for an
// algorithm we did not offer.
func expected(c *digest.Credentials, method, ha1MD5, ha1SHA256 string) string {
	var h hash.Hash
	var ha1 string
	switch strings.ToUpper(c.Algorithm) {
	case "", "MD5":
		h, ha1 = md5.New(), ha1MD5 //nolint:gosec // see the import
	case "SHA-256":
		h, ha1 = sha256.New(), ha1SHA256
	default:
		return ""
	}
	sum := func(parts ...string) string {
		h.Reset()
		_, _ = h.Write([]byte(strings.Join(parts, ":")))
		return hex.EncodeToString(h.Sum(nil))
	}
	ha2 := sum(method, c.URI)
	switch c.QOP {
	case "":
		return sum(ha1, c.Nonce, ha2)
	case "auth":
		return sum(ha1, c.Nonce, fmt.Sprintf("%08x", c.Nc), c.Cnonce, c.QOP, ha2)
	}
	return ""
}
