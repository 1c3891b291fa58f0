package sip_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/cti/sip"
)

// atOnce says that a trunk's OPTIONS was answered soon enough, where the machine
// has nothing else to do.
func atOnce(t *testing.T, took time.Duration) {
	t.Helper()
	limit := patience
	if os.Getenv("CALLBOX_LONG") != "" {
		limit = 500 * time.Millisecond
	}
	if took > limit {
		t.Errorf("OPTIONS took %v", took)
	}
}

// T10: strangers hold connections open with a byte in each; who is known still
// gets one, calls go on, and they are all closed when their time is over.
func TestHalfOpenConnections(t *testing.T) {
	r := start(t)
	var last net.Conn
	for i := range 1000 {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 3, byte(i/200), byte(1+i%200))}}
		c, err := d.Dial("tcp", r.addr("tcp"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = c.Close() }()
		_, _ = c.Write([]byte("I"))
		last = c
	}
	began := time.Now()
	w := r.raw("127.0.0.1")
	w.send(w.invite("opt", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"))
	w.expect("OPTIONS", 200)
	atOnce(t, time.Since(began))
	c := r.dialFrom("127.0.0.1")
	c.send(c.invite("known"))
	c.expect("INVITE", 200)
	eventually(t, "those too many are refused", func() bool { return r.Stats().ConnsRefused >= 600 })
	if os.Getenv("CALLBOX_LONG") == "" {
		return
	}
	time.Sleep(35 * time.Second)
	_ = last.SetReadDeadline(time.Now().Add(time.Second))
	if _, err := last.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("still open after 35 s: %v", err)
	}
}

// Who is banned gets no connection.
func TestBannedMayNotConnect(t *testing.T) {
	r := start(t, nobody)
	w := r.raw("127.0.0.66")
	w.send(w.invite("scan", "Content-Type", "User-Agent: sipvicious\r\nContent-Type"))
	eventually(t, "banned", func() bool { return r.Stats().Banned == 1 })
	c := r.dialFrom("127.0.0.66")
	_ = c.conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := c.conn.Read(make([]byte, 1)); err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("Read = %v", err)
	}
	if n := r.Stats().ConnsRefused; n != 1 {
		t.Errorf("%d refused", n)
	}
}

// Above its limits the box says 503 to known peers and makes nothing for it.
func TestOverloadCostsNothing(t *testing.T) {
	r := start(t, func(c *sip.Config, _ *rig) { c.Limits = sip.Limits{CallsPerSecond: 1} })
	w := r.raw("127.0.0.1")
	w.send(w.invite("first"))
	w.expect("INVITE", 200)
	server, _ := r.Transactions()
	before, pending := runtime.NumGoroutine(), r.Pending()
	refused := 0
	for i := range 50 {
		text := w.invite(fmt.Sprint("over", i))
		w.send(text)
		m := w.expect("INVITE", 180, 200, 503)
		if m.Code() != 503 {
			continue // a second has gone by
		}
		refused++
		if m.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
		w.send(ackOf(text))
	}
	w.send(w.invite("opt", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"))
	w.expect("OPTIONS", 200)
	taken := 50 - refused
	now, _ := r.Transactions()
	if refused < 40 || now > server+taken || r.Pending() > pending+taken || runtime.NumGoroutine() > before+10*(taken+1) {
		t.Errorf("%d refused: transactions %d, before %d; pending %d, before %d; goroutines %d, before %d",
			refused, now, server, r.Pending(), pending, runtime.NumGoroutine(), before)
	}
}

// An ACK that belongs to nothing is not the library's, which would keep its
// source for ever.
func TestStrayACKIsDropped(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	pool := r.PoolSize()
	for i := range 20 {
		w.send(ackOf(w.invite(fmt.Sprint("stray", i))))
		w.send(ackOf(w.invite(fmt.Sprint("tagged", i), "To: <sip:4001234567@{to}>", "To: <sip:4001234567@{to}>;tag=x")))
	}
	w.send(w.invite("opt", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"))
	w.expect("OPTIONS", 200)
	if n := r.PoolSize(); n != pool {
		t.Errorf("the library remembers %d addresses more", n-pool)
	}
}

// siege is a flood of strangers, beside a call with sound.
type siege struct {
	sent    atomic.Uint64
	packets int           // a second
	lasts   time.Duration //
	sources int
	text    func(i int, w *raw) string
}

// run sends until its time is over. The senders are sockets at many addresses.
func (s *siege) run(r *rig) {
	var wg sync.WaitGroup
	const senders = 4
	for k := range senders {
		wg.Go(func() { s.send(r, k, senders) })
	}
	wg.Wait()
}

func (s *siege) send(r *rig, k, senders int) {
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(r.addr("udp")))
	all := make([]*raw, s.sources/senders)
	for i := range all {
		n := k*len(all) + i
		local := fmt.Sprintf("127.%d.%d.%d", 10+n/40_000, n/200%200, 1+n%200)
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.ParseIP(local)}, to)
		if err != nil {
			r.t.Errorf("sender: %v", err)
			return
		}
		defer func() { _ = conn.Close() }()
		all[i] = &raw{t: r.t, conn: conn, to: to.AddrPort(), me: conn.LocalAddr().String(), transport: "UDP"}
	}
	each := time.Second * time.Duration(senders) / time.Duration(s.packets)
	began := time.Now()
	for i := 0; time.Since(began) < s.lasts; i++ {
		if ahead := time.Duration(i)*each - time.Since(began); ahead > time.Millisecond {
			time.Sleep(ahead)
		}
		w := all[i%len(all)]
		_, _ = w.conn.Write([]byte(s.text(i*senders+k, w)))
		s.sent.Add(1)
	}
}

// strangersText is what strangers send: OPTIONS, INVITE and garbage in turn.
func strangersText(i int, w *raw) string {
	switch i % 4 {
	case 0:
		return w.invite(fmt.Sprint("f", i), "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS")
	case 1:
		return w.invite(fmt.Sprint("f", i))
	case 2:
		return w.invite(fmt.Sprint("f", i), "INVITE sip", "REGISTER sip", "1 INVITE", "1 REGISTER")
	}
	b := make([]byte, 200)
	for k := range b {
		b[k] = byte(rand.UintN(256))
	}
	return string(b)
}

// sounding is a party that speaks and counts what it hears, while it lasts.
type sounding struct {
	*ear
	port        media.Port
	said, heard atomic.Int64
	before      media.Stats
	done        chan struct{}
	wg          sync.WaitGroup
}

var mediaLine = regexp.MustCompile(`m=audio ([0-9]+) `)

// play begins once sound flows: what goes to the box's port in its answer, and
// what comes from there.
func (e *ear) play(answer string, port media.Port) *sounding {
	e.t.Helper()
	at, err := netip.ParseAddrPort("127.0.0.1:" + mediaLine.FindStringSubmatch(answer)[1])
	if err != nil {
		e.t.Fatal(err)
	}
	s := &sounding{ear: e, port: port, done: make(chan struct{})}
	packet := make([]byte, 12+160)
	packet[0], packet[1] = 0x80, 8 // RTP of PCMA
	seq := 0
	say := func() {
		seq++
		binary.BigEndian.PutUint16(packet[2:], uint16(seq))
		binary.BigEndian.PutUint32(packet[4:], uint32(160*seq))
		_, _ = e.conn.WriteToUDPAddrPort(packet, at)
	}
	for range 20 { // until the source is locked
		say()
		time.Sleep(20 * time.Millisecond)
	}
	e.drain()
	s.before = port.Stats()
	s.wg.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-s.done:
				return
			case <-tick.C:
				say()
				s.said.Add(1)
			}
		}
	})
	s.wg.Go(func() {
		buf := make([]byte, 2000)
		for {
			_ = e.conn.SetReadDeadline(time.Now().Add(200 * time.Millisecond))
			n, _ := e.conn.Read(buf)
			if n > 12 && buf[1]&0x7f == 8 {
				s.heard.Add(1)
			}
			select {
			case <-s.done:
				return
			default:
			}
		}
	})
	return s
}

// stop says how many percent were lost on the way in and on the way out.
func (s *sounding) stop() (in, out float64) {
	now := s.port.Stats()
	close(s.done)
	s.wg.Wait()
	got, sent := float64(now.Received-s.before.Received), float64(now.Sent-s.before.Sent)
	return 100 * max(0, 1-got/float64(s.said.Load()-2)), 100 * max(0, 1-float64(s.heard.Load()+2)/sent)
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func liveHeap() float64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return float64(m.HeapAlloc)
}

// F12: a flood of strangers from many addresses. The trunk is answered at once,
// the library learns of nobody, and nothing is left of it.
func TestSiege(t *testing.T) {
	s := &siege{packets: 5000, lasts: time.Second, sources: 400, text: strangersText}
	if os.Getenv("CALLBOX_LONG") != "" {
		s.packets, s.lasts, s.sources = 10_000, 10*time.Second, 2000
	}
	r := start(t)
	leg := make(chan cti.Leg, 1)
	r.calls.do(func(ctx context.Context, l cti.Leg) error { leg <- l; return answerAndWait(ctx, l) })
	w := r.raw("127.0.0.1")
	ear := soundSocket(t)
	ok := w.call("sound", "{sdp}", strings.Replace(plainSDP, "40000", fmt.Sprint(ear.port()), 1))
	sound := ear.play(ok.Body, (<-leg).Media())
	pool := r.PoolSize()
	heap, cpu, began := liveHeap(), cpuTime(), time.Now()
	stop := make(chan struct{})
	var slowest atomic.Int64
	var wg sync.WaitGroup
	wg.Go(func() { // the trunk's own OPTIONS
		probe := r.raw("127.0.0.1")
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(50 * time.Millisecond):
			}
			asked := time.Now()
			probe.send(probe.invite(fmt.Sprint("opt", i), "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"))
			if m := probe.next(patience); m == nil {
				t.Error("OPTIONS of the trunk without an answer")
				return
			}
			slowest.Store(max(slowest.Load(), int64(time.Since(asked))))
		}
	})
	s.run(r)
	close(stop)
	wg.Wait()
	took := time.Since(began)
	share := float64(cpuTime()-cpu) / float64(took)
	in, out := sound.stop()
	st := r.Stats()
	t.Logf("%d packets in %v (%.0f/s) from %d addresses: %.0f %% of a core with the senders, slowest OPTIONS %v, sound lost in %.2f %% out %.2f %%, %+v",
		s.sent.Load(), took.Round(time.Millisecond), float64(s.sent.Load())/took.Seconds(), s.sources, 100*share, time.Duration(slowest.Load()).Round(time.Microsecond), in, out, st)
	atOnce(t, time.Duration(slowest.Load()))
	if in > 1 || out > 1 {
		t.Errorf("sound lost: %.2f %% in, %.2f %% out", in, out)
	}
	if st.Calls != 1 || st.Dropped == 0 {
		t.Errorf("%+v", st)
	}
	if n := r.PoolSize(); n > pool+1 { // the prober
		t.Errorf("the library remembers %d addresses more", n-pool)
	}
	w.send(w.within("BYE", 2, ok))
	w.expect("BYE", 200)
	after := liveHeap()
	t.Logf("heap %.2f MB before, %.2f MB after", heap/1e6, after/1e6)
	if math.Abs(after-heap) > 0.1*heap+4e6 { // the shield's own memory
		t.Errorf("heap %.1f MB before, %.1f MB after", heap/1e6, after/1e6)
	}
}

// The library remembers each source of a datagram that it reads for ever: so it
// reads none of a stranger's, and the shield remembers so many and no more.
func TestManySources(t *testing.T) {
	n := 3000
	if os.Getenv("CALLBOX_LONG") != "" {
		n = 50_000
	}
	r := start(t, nobody)
	pool, heap, rss := r.PoolSize(), liveHeap(), residentKB()
	to := net.UDPAddrFromAddrPort(netip.MustParseAddrPort(r.addr("udp")))
	for i := range n {
		conn, err := net.DialUDP("udp", &net.UDPAddr{IP: net.IPv4(127, byte(20+i/40_000), byte(i/200%200), byte(1+i%200))}, to)
		if err != nil {
			t.Fatal(err)
		}
		w := &raw{t: t, conn: conn, to: to.AddrPort(), me: conn.LocalAddr().String(), transport: "UDP"}
		_, _ = conn.Write([]byte(strangersText(i, w)))
		_ = conn.Close()
	}
	eventually(t, "all are counted", func() bool { s := r.Stats(); return s.Dropped+s.Refused > uint64(n)/2 })
	t.Logf("%d sources: pool %d, before %d; %d remembered; heap %.1f MB, before %.1f; RSS %d kB, before %d: %+v",
		n, r.PoolSize(), pool, sip.Sources(sip.ShieldOf(r.Server)), liveHeap()/1e6, heap/1e6, residentKB(), rss, r.Stats())
	if got := r.PoolSize(); got != pool {
		t.Errorf("the library remembers %d addresses more", got-pool)
	}
	if server, client := r.Transactions(); server+client > 0 {
		t.Errorf("%d transactions", server+client)
	}
}

// residentKB is what the process holds of the machine's memory.
func residentKB() (kb int) {
	status, _ := os.ReadFile("/proc/self/status")
	_, rest, _ := strings.Cut(string(status), "VmRSS:")
	_, _ = fmt.Sscan(rest, &kb)
	return kb
}

// A storm of keep-alives is nothing.
func TestKeepAliveStorm(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	long := strings.Repeat("\r\n", 10_000)
	for i := range 20_000 {
		w.send([]string{"\r\n\r\n", "\x00", "\r\n", " "}[i%4])
		if i%1000 == 0 {
			w.send(long)
		}
	}
	began := time.Now()
	w.send(w.invite("opt", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"))
	w.expect("OPTIONS", 200)
	atOnce(t, time.Since(began))
	c := r.dialTCP()
	c.send(strings.Repeat("\r\n\r\n", 1000) + c.invite("tcp", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"))
	c.expect("OPTIONS", 200)
}
