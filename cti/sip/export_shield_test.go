package sip

import (
	"net/netip"
	"reflect"
	"sync"
	"time"
	"unsafe"

	wire "github.com/emiago/sipgo/sip"
)

// Sizes of the shield's memory.
const (
	ShieldSize   = shieldSize
	BansKept     = bansKept
	LooseBans    = looseBans
	RefuseLimit  = refuseLimit
	StrikeWindow = strikeWindow
)

// IsScanner looks for a scanner's name.
var IsScanner = isScanner

// Refused counts a stranger's request that is refused.
func Refused(s *shield, a netip.Addr) bool { return s.strike(a, unwelcome, time.Now()) }

// Scanned counts a message with a scanner's name.
func Scanned(s *shield, a netip.Addr) bool { return s.strike(a, scanning, time.Now()) }

// IsBanned says whether a message from a is turned away.
func IsBanned(s *shield, a netip.Addr) bool { return s.isBanned(a, time.Now()) }

// Bans are those that hold.
func Bans(s *shield) []Ban { return s.list(time.Now()) }

// Sources is how many strangers are remembered.
func Sources(s *shield) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.sources)
}

// ShieldOf is the server's own.
func ShieldOf(s *Server) *shield { return s.shield }

// Transactions are how many the library holds, of servers and of clients.
func (s *Server) Transactions() (server, client int) {
	return s.held("serverTransactions"), s.held("clientTransactions")
}

// held looks into the library, which does not tell.
func (s *Server) held(name string) int {
	store := reflect.ValueOf(s.txl).Elem().FieldByName(name).Elem()
	mu := (*sync.RWMutex)(unsafe.Pointer(store.FieldByName("mu").UnsafeAddr()))
	mu.RLock()
	defer mu.RUnlock()
	return store.FieldByName("items").Len()
}

// Doubt has the answers that are kept for repeated INVITEs forgotten at now.
func (s *Server) Doubt(now time.Time) {
	s.invites.sweep(now)
	s.dialogs.sweep(now)
}

// HurryLibrary shortens the timers of the library until the test ends.
func HurryLibrary(t interface{ Cleanup(func()) }, t1 time.Duration) {
	wire.SetTimers(t1, 8*t1, 8*t1)
	wire.Timer_D = 64 * t1
	t.Cleanup(func() { wire.SetTimers(500*time.Millisecond, 4*time.Second, 5*time.Second) })
}

// SafeReason says whether a response with this reason would be sent.
func SafeReason(reason string) bool { return safe(wire.NewResponse(486, reason)) }

// Tidied is a message as the library can read it.
func Tidied(data []byte) []byte { return tidied(data) }

// Admit has the gate judge a datagram, without an answer.
func (s *Server) Admit(data []byte, from netip.AddrPort) bool {
	return s.admit(&packet{data: data, from: from, local: from, transport: "UDP", reply: func([]byte, netip.AddrPort) {}})
}
