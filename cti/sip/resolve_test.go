package sip_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti/sip"
	"callbox/internal/guard"

	"github.com/google/go-cmp/cmp"
)

// zone is a name server's knowledge; a nil *zone fails.
type zone struct {
	srv   map[string][]*net.SRV   // by _service._proto.name
	hosts map[string][]netip.Addr // by name
	fails error
	asked int
}

func (z *zone) LookupSRV(_ context.Context, service, proto, name string) (string, []*net.SRV, error) {
	z.asked++
	if z.fails != nil {
		return "", nil, z.fails
	}
	records := z.srv["_"+service+"._"+proto+"."+name]
	if records == nil {
		return "", nil, &net.DNSError{Err: "no such host", Name: name, IsNotFound: true}
	}
	return "", records, nil
}

func (z *zone) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	z.asked++
	if z.fails != nil {
		return nil, z.fails
	}
	if found := z.hosts[host]; found != nil {
		return found, nil
	}
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

func addrs(list ...string) []netip.Addr {
	all := make([]netip.Addr, len(list))
	for i, a := range list {
		all[i] = netip.MustParseAddr(a)
	}
	return all
}

func carrierZone() *zone {
	return &zone{
		srv: map[string][]*net.SRV{
			"_sip._udp.carrier.example":  {{Target: "b.carrier.example.", Port: 5070, Priority: 20}, {Target: "a.carrier.example.", Port: 5080, Priority: 10}},
			"_sip._tcp.carrier.example":  {{Target: "b.carrier.example.", Port: 5071}},
			"_sips._tcp.carrier.example": {{Target: "b.carrier.example.", Port: 5072}, {Target: "gone.carrier.example.", Port: 5072}},
			"_sip._udp.closed.example":   {{Target: "."}},
		},
		hosts: map[string][]netip.Addr{
			"a.carrier.example": addrs("192.0.2.1", "2001:db8::1"), "b.carrier.example": addrs("192.0.2.2"),
			"carrier.example": addrs("192.0.2.9"), "closed.example": addrs("192.0.2.8"), "plain.example": addrs("192.0.2.3", "::ffff:192.0.2.4"),
		},
	}
}

func TestResolve(t *testing.T) {
	for _, tt := range []struct{ address, transport, want string }{
		{"192.0.2.7", "udp", "192.0.2.7:5060"},
		{"192.0.2.7", "tls", "192.0.2.7:5061"},
		{"[2001:db8::7]:5090", "tcp", "[2001:db8::7]:5090"},
		{"carrier.example", "udp", "192.0.2.1:5080 [2001:db8::1]:5080 192.0.2.2:5070"},
		{"carrier.example", "tcp", "192.0.2.2:5071"},
		{"carrier.example", "tls", "192.0.2.2:5072"},
		{"carrier.example:5066", "udp", "192.0.2.9:5066"},
		{"plain.example", "udp", "192.0.2.3:5060 192.0.2.4:5060"},
		{"closed.example", "udp", "error: closed.example says that it has no SIP by udp"},
		{"nowhere.example", "udp", "error: resolve nowhere.example"},
	} {
		l, err := sip.NewLookups(carrierZone(), tt.address, tt.transport)
		if err != nil {
			t.Fatal(err)
		}
		if got := looked(l); !strings.HasPrefix(got, tt.want) {
			t.Errorf("%s by %s: %s, want %s", tt.address, tt.transport, got, tt.want)
		}
	}
}

// looked is what the lookup gives as one text.
func looked(l sip.Lookups) string {
	list, err := l.Addresses(context.Background())
	if err != nil {
		return "error: " + err.Error()
	}
	texts := make([]string, len(list))
	for i, a := range list {
		texts[i] = a.String()
	}
	return strings.Join(texts, " ")
}

// RFC 2782: priorities in order, weights by chance, weight 0 seldom.
func TestRank(t *testing.T) {
	records := map[string][2]uint16{"192.0.2.1:1": {10, 60}, "192.0.2.2:1": {10, 20}, "192.0.2.3:1": {10, 0}, "192.0.2.4:1": {5, 0}}
	for _, tt := range []struct {
		draws []int
		want  []string
	}{
		{[]int{0, 0, 0}, []string{"192.0.2.4:1", "192.0.2.3:1", "192.0.2.1:1", "192.0.2.2:1"}},
		{[]int{60, 20}, []string{"192.0.2.4:1", "192.0.2.1:1", "192.0.2.2:1", "192.0.2.3:1"}},
		{[]int{61, 1}, []string{"192.0.2.4:1", "192.0.2.2:1", "192.0.2.1:1", "192.0.2.3:1"}},
	} {
		draws := slices.Clone(tt.draws)
		got := sip.Ranked(records, func(n int) int {
			next := draws[0]
			draws = draws[1:]
			if next >= n {
				t.Fatalf("draw below %d, wants %d", n, next)
			}
			return next
		})
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%v: %s", tt.draws, diff)
		}
	}
}

// What a name server said is kept for a while, and longer while it fails.
func TestResolveKeeps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := carrierZone()
		l, err := sip.NewLookups(z, "plain.example:5060", "udp")
		if err != nil {
			t.Fatal(err)
		}
		const first = "192.0.2.3:5060 192.0.2.4:5060"
		step := func(wait time.Duration, want string, asked int) {
			t.Helper()
			time.Sleep(wait)
			if got := looked(l); !strings.HasPrefix(got, want) || z.asked != asked {
				t.Errorf("%s after %d questions, want %s after %d", got, z.asked, want, asked)
			}
		}
		step(0, first, 1)
		z.hosts["plain.example"] = addrs("192.0.2.5")
		step(30*time.Second-1, first, 1)
		z.fails = errors.New("server failure")
		step(1, first, 2)
		step(5*time.Second-1, first, 2)
		step(1, first, 3)
		z.fails = nil
		step(5*time.Second, "192.0.2.5:5060", 4)
	})
}

func TestResolveFailsAtFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &zone{fails: errors.New("server failure")}
		l, err := sip.NewLookups(z, "plain.example:5060", "udp")
		if err != nil {
			t.Fatal(err)
		}
		for range 10 {
			if got := looked(l); got != "error: resolve plain.example: server failure" {
				t.Error(got)
			}
		}
		if z.asked != 1 {
			t.Errorf("a name server that fails was asked %d times at once", z.asked)
		}
		z.fails, z.hosts = nil, map[string][]netip.Addr{"plain.example": addrs("192.0.2.5")}
		time.Sleep(5 * time.Second)
		if got := looked(l); got != "192.0.2.5:5060" {
			t.Error(got)
		}
	})
}

func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l, err := sip.NewLookups(carrierZone(), "plain.example", "udp")
		if err != nil {
			t.Fatal(err)
		}
		one, two := netip.MustParseAddrPort("192.0.2.3:5060"), netip.MustParseAddrPort("192.0.2.4:5060")
		want := func(want string) {
			t.Helper()
			if got := looked(l); got != want {
				t.Errorf("%s, want %s", got, want)
			}
		}
		l.Rest(one, 10*time.Second, false)
		want("192.0.2.4:5060 192.0.2.3:5060")
		l.Awake(one)
		want("192.0.2.3:5060 192.0.2.4:5060")
		l.Rest(one, 10*time.Second, true)
		l.Awake(one) // it asked for the pause itself
		want("192.0.2.4:5060")
		l.Rest(two, time.Minute, true)
		want("error: the trunk asked for a pause (Retry-After)")
		time.Sleep(10*time.Second - 1)
		want("error: the trunk asked for a pause (Retry-After)")
		time.Sleep(time.Nanosecond)
		want("192.0.2.3:5060")
	})
}

// A real name server, as far as the standard library's resolver can tell.
func TestResolveByDNS(t *testing.T) {
	server := nameServer(t, carrierZone())
	r := &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "udp", server)
	}}
	l, err := sip.NewLookups(r, "carrier.example", "udp")
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Fields(looked(l))
	slices.Sort(got[:min(2, len(got))]) // the two of one record in any order
	if want := []string{"192.0.2.1:5080", "[2001:db8::1]:5080", "192.0.2.2:5070"}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// nameServer answers from z on loopback and gives its address.
func nameServer(t *testing.T, z *zone) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var g guard.Group
	g.Go("name server", func() {
		buf := make([]byte, 1500)
		for {
			n, from, err := conn.ReadFrom(buf)
			if err != nil {
				return
			}
			if answer := z.answer(buf[:n]); answer != nil {
				_, _ = conn.WriteTo(answer, from)
			}
		}
	})
	t.Cleanup(func() { _ = conn.Close(); g.Wait() })
	return conn.LocalAddr().String()
}

// Types of records (RFC 1035 §3.2.2, RFC 3596, RFC 2782).
const (
	typeA, typeAAAA, typeSRV = 1, 28, 33
	headLength               = 12
)

// answer is the response to one question (RFC 1035 §4.1), nil to anything else.
func (z *zone) answer(query []byte) []byte {
	name, end := nameIn(query)
	if end == 0 || len(query) < end+4 {
		return nil
	}
	kind := binary.BigEndian.Uint16(query[end:])
	records := z.records(name, int(kind))
	code := byte(0)
	if len(z.srv[name])+len(z.hosts[name]) == 0 {
		code = 3 // no such name
	}
	out := slices.Concat(query[:2], []byte{0x81, 0x80 | code, 0, 1, 0, byte(len(records)), 0, 0, 0, 0}, query[headLength:end+4])
	for _, r := range records {
		out = append(out, 0xC0, headLength, byte(kind>>8), byte(kind), 0, 1, 0, 0, 0, 30)
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(r))), r...)
	}
	return out
}

func (z *zone) records(name string, kind int) [][]byte {
	var all [][]byte
	for _, r := range z.srv[name] {
		if kind == typeSRV {
			body := binary.BigEndian.AppendUint16(nil, r.Priority)
			body = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(body, r.Weight), r.Port)
			all = append(all, append(body, packed(r.Target)...))
		}
	}
	for _, a := range z.hosts[name] {
		if kind == typeA && a.Is4() || kind == typeAAAA && a.Is6() {
			all = append(all, a.AsSlice())
		}
	}
	return all
}

// nameIn is the name that a query asks for and the offset behind it.
func nameIn(query []byte) (name string, end int) {
	var labels []string
	for i := headLength; i < len(query); {
		n := int(query[i])
		if n == 0 {
			return strings.Join(labels, "."), i + 1
		}
		if i+1+n > len(query) {
			break
		}
		labels = append(labels, string(query[i+1:i+1+n]))
		i += 1 + n
	}
	return "", 0
}

func packed(name string) []byte {
	var out []byte
	for label := range strings.SplitSeq(strings.TrimSuffix(name, "."), ".") {
		out = append(append(out, byte(len(label))), label...)
	}
	return append(out, 0)
}
