package sip_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti/sip"
)

func spoofed(i int) netip.Addr {
	return netip.AddrFrom4([4]byte{198, byte(i >> 16), byte(i >> 8), byte(i)})
}

// A ban goes on while its source does, and ends for who sends a message now and
// then.
func TestBanIsProlonged(t *testing.T) {
	for name, tt := range map[string]struct {
		each time.Duration
		more bool
	}{
		"flood":                        {time.Second, true},
		"phone with an old password":   {30 * time.Second, false},
		"its repetitions, each minute": {5500 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, a := sip.NewTestShield(), netip.MustParseAddr("192.0.2.1")
				if !sip.Scanned(s, a) || sip.Scanned(s, a) {
					t.Fatal("banned not once")
				}
				for began := time.Now(); time.Since(began)+tt.each <= sip.BanTime; {
					time.Sleep(tt.each)
					if !sip.IsBanned(s, a) {
						t.Fatal("heard while banned")
					}
				}
				time.Sleep(tt.each)
				if sip.IsBanned(s, a) != tt.more {
					t.Errorf("banned %v after its time, want %v", !tt.more, tt.more)
				}
			})
		})
	}
}

func TestBanHoldsForANetwork(t *testing.T) {
	s := sip.NewTestShield()
	for i := range sip.RefuseLimit {
		sip.Refused(s, netip.MustParseAddr(fmt.Sprintf("2001:db8:0:1::%x", i)))
	}
	for a, want := range map[string]bool{"2001:db8:0:1:ffff::9": true, "2001:db8:0:2::1": false, "192.0.2.9": false} {
		if got := sip.IsBanned(s, netip.MustParseAddr(a)); got != want {
			t.Errorf("%s banned: %v", a, got)
		}
	}
	sip.Scanned(s, netip.MustParseAddr("::ffff:192.0.2.9"))
	if !sip.IsBanned(s, netip.MustParseAddr("192.0.2.9")) {
		t.Error("a mapped address is another one")
	}
	if all := sip.Bans(s); len(all) != 2 || all[0].Address != "2001:db8:0:1::/64" || all[1].Address != "192.0.2.9" || all[0].Unheard != 1 {
		t.Errorf("%+v", all)
	}
}

// Sources that are not the attacker's own push out neither bans nor the strikes
// of who guesses passwords beside them.
func TestSpoofedSourcesClearNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sip.NewTestShield()
		banned, guesser := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		for range sip.StrikeLimit {
			sip.Wrong(s, banned)
		}
		for range sip.StrikeLimit - 1 {
			sip.Wrong(s, guesser)
		}
		n := 0
		for range int(sip.StrikeWindow / time.Second) {
			for range 17_000 {
				sip.Hears(s, spoofed(n))
				n++
			}
			time.Sleep(time.Second)
		}
		if !sip.IsBanned(s, banned) {
			t.Error("a million spoofed sources cleared a ban")
		}
		if !sip.Wrong(s, guesser) {
			t.Error("a million spoofed sources cleared the strikes of another one")
		}
		if got := sip.Sources(s); got > sip.ShieldSize {
			t.Errorf("%d sources remembered", got)
		}
	})
}

// The one not heard for longest goes first, and nobody else.
func TestShieldForgetsOneByOne(t *testing.T) {
	s := sip.NewTestShield()
	for i := range sip.ShieldSize {
		sip.Refused(s, spoofed(i))
	}
	if got := sip.Sources(s); got != sip.ShieldSize {
		t.Fatalf("%d sources remembered", got)
	}
	sip.Refused(s, netip.MustParseAddr("192.0.2.1"))
	if got := sip.Sources(s); got != sip.ShieldSize {
		t.Errorf("%d sources remembered after one more", got)
	}
	for _, i := range []int{1, sip.ShieldSize - 1} {
		for range sip.RefuseLimit - 2 {
			sip.Refused(s, spoofed(i))
		}
		if !sip.Refused(s, spoofed(i)) {
			t.Errorf("source %d was forgotten too", i)
		}
	}
}

// Bans for what anybody can send in another's name push nobody out, and are
// pushed out first.
func TestBansAreBounded(t *testing.T) {
	s := sip.NewTestShield()
	guesser := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}) }
	guess := func(i int) {
		for range sip.StrikeLimit {
			sip.Wrong(s, guesser(i))
		}
	}
	for i := range sip.BansKept - sip.LooseBans {
		guess(i)
	}
	for i := range sip.LooseBans {
		if !sip.Scanned(s, spoofed(i)) {
			t.Fatalf("source %d is not banned", i)
		}
	}
	if sip.Scanned(s, spoofed(sip.LooseBans)) {
		t.Error("one more banned for what anybody can send")
	}
	guess(sip.BansKept)
	if got := len(sip.Bans(s)); got != sip.BansKept {
		t.Errorf("%d bans", got)
	}
	if !sip.IsBanned(s, guesser(0)) || !sip.IsBanned(s, guesser(sip.BansKept)) || sip.IsBanned(s, spoofed(0)) {
		t.Error("a proven ban went before a loose one")
	}
}

func TestScannersNames(t *testing.T) {
	for head, want := range map[string]bool{
		"User-Agent: friendly-scanner":                               true,
		"user-agent:SIPVicious":                                      true,
		"User-Agent: sipcli/v1.8":                                    true,
		"User-Agent : sundayddr":                                     true,
		"User-Agent: pplsip":                                         true,
		"User-Agent: VaxSIPUserAgent/3.1":                            true,
		"From: \"sipvicious\"<sip:100@1.1.1.1>;tag=6434396633623535": true,
		"f: <sip:sipvicious@1.1.1.1>":                                true,
		"From: <sip:100@1.1.1.1>":                                    false,
		"User-Agent: Yealink SIP-T46S 66.85.0.5":                     false,
		"User-Agent: my sipcli friend":                               false,
		"Subject: friendly-scanner":                                  false,
		"X: 1\r\n\r\nUser-Agent: friendly-scanner":                   false,
		"User-Agent":                                                 false,
	} {
		text := "OPTIONS sip:100@1.1.1.1 SIP/2.0\r\n" + head + "\r\nVia: x\r\n\r\n"
		if got := sip.IsScanner([]byte(text)); got != want {
			t.Errorf("%q: %v, want %v", head, got, want)
		}
	}
}

// A scanner gets no answer at all, to nothing that it could be told by; who is
// beside it in the same network does, as long as it is registered.
func TestScannersAreBanned(t *testing.T) {
	var log lines
	r := start(t, func(_ *sip.Config, r *rig) { r.log = slog.New(slog.NewTextHandler(&log, nil)) })
	phone := r.desk("127.0.0.9", "1001")
	w := r.raw("127.0.0.9")
	for _, method := range []string{"INVITE", "REGISTER", "OPTIONS"} {
		w.send(w.invite("scan"+method, "INVITE sip", method+" sip", "1 INVITE", "1 "+method, "Content-Type", "User-Agent: friendly-scanner\r\nContent-Type"))
		w.send(w.invite("after"+method, "INVITE sip", method+" sip", "1 INVITE", "1 "+method))
	}
	if m := w.next(200 * time.Millisecond); m != nil {
		t.Errorf("answered: %s", m.Start)
	}
	phone.send(phone.invite("opt", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"))
	phone.expect("OPTIONS", 200)
	bans := r.Banned()
	if len(bans) != 1 || bans[0].Address != "127.0.0.9" || bans[0].Unheard != 5 || bans[0].Why == "" || !bans[0].Until.After(bans[0].Since) {
		t.Errorf("%+v", bans)
	}
	if s := r.Stats(); s.Bans != 1 || s.Banned != 1 || s.Dropped != 6 {
		t.Errorf("%+v", s)
	}
	if n := strings.Count(log.String(), "address banned"); n != 1 {
		t.Errorf("logged %d times:\n%s", n, log.String())
	}
	if !r.Unban(netip.MustParseAddr("127.0.0.9")) || r.Unban(netip.MustParseAddr("127.0.0.9")) {
		t.Error("Unban")
	}
	w.send(w.invite("again"))
	w.expect("INVITE", 403)
}

// lines is a log that is read while it is written.
type lines struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.Write(b)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.buf.String()
}

// A trunk is never banned, whatever it sends or calls itself.
func TestTrunksAreNeverBanned(t *testing.T) {
	r := start(t, func(c *sip.Config, _ *rig) {
		c.Trunks = append(c.Trunks, sip.Trunk{Name: "out", Address: "127.0.0.8:5999", Health: -1})
	})
	r.SetAddresses("out", "127.0.0.8:5999")
	for _, at := range []string{"127.0.0.1", "127.0.0.8"} {
		w := r.raw(at)
		for i := range 2 * sip.RefuseLimit {
			w.send("garbage " + fmt.Sprint(i))
			w.send(w.invite(fmt.Sprint("scan", i), "INVITE sip", "MESSAGE sip", "1 INVITE", "1 MESSAGE", "Content-Type", "User-Agent: sipcli\r\nContent-Type"))
		}
		w.send(w.invite("last", "INVITE sip", "REGISTER sip", "1 INVITE", "1 REGISTER"))
		w.expect("REGISTER", 401)
	}
	if bans := r.Banned(); len(bans) != 0 {
		t.Errorf("%+v", bans)
	}
}

// What a stranger may not send is not even parsed.
func TestStrangersAreNotParsed(t *testing.T) {
	r := start(t, nobody)
	before := r.PoolSize()
	for i, start := range []string{"OPTIONS", "MESSAGE", "SUBSCRIBE", "PUBLISH", "REFER", "NOTIFY", "CANCEL", "PRACK", "SIP/2.0", "invite", "\x16\x03\x01", ""} {
		w := r.raw(fmt.Sprintf("127.0.1.%d", i+1))
		w.send(start + " is no message of SIP")
		w.send(start + "\r\n")
		if m := w.next(5 * time.Millisecond); m != nil {
			t.Errorf("%q was answered: %s", start, m.Start)
		}
	}
	eventually(t, "all are counted", func() bool { s := r.Stats(); return s.Refused == 21 && s.Dropped == 2 })
	if s := r.Stats(); s.Malformed != 0 || r.PoolSize() != before {
		t.Errorf("%+v, pool %d", s, r.PoolSize()-before)
	}
	w := r.raw("127.0.2.1")
	w.send("INVITE is no message of SIP")
	eventually(t, "an INVITE is parsed", func() bool { return r.Stats().Malformed == 1 })
}

// T2: who asks with the same words gets the same answer for an extension that
// there is and one that there is not, after the same time.
func TestExtensionsCannotBeTold(t *testing.T) {
	r := start(t, nobody)
	answers, took := map[string][]string{}, map[string]time.Duration{}
	rounds := 100
	for i := range rounds {
		for _, user := range []string{"1001", "1999"} {
			w := r.raw(fmt.Sprintf("127.%d.%d.7", 1+i%200, rand.IntN(250)))
			began := time.Now()
			for _, method := range []string{"REGISTER", "INVITE"} {
				w.send(w.invite(fmt.Sprint("who", i), "INVITE sip:4001234567", method+" sip:"+user, "1 INVITE", "1 "+method, "To: <sip:4001234567", "To: <sip:"+user))
				m := w.next(patience)
				if m == nil {
					t.Fatal("no answer")
				}
				answers[user] = append(answers[user], blanked(m.Start+"\n"+fmt.Sprint(len(m.All("WWW-Authenticate")))+m.Get("Contact")+m.Get("Server")+m.Get("User-Agent")))
			}
			took[user] += time.Since(began)
			_ = w.conn.Close()
			time.Sleep(3 * time.Millisecond) // strangers are heard at a rate
		}
	}
	if a, b := strings.Join(answers["1001"], "|"), strings.Join(answers["1999"], "|"); a != b {
		t.Errorf("1001: %s\n1999: %s", a, b)
	}
	diff := (took["1001"] - took["1999"]) / time.Duration(rounds)
	t.Logf("mean difference over %d rounds: %v", rounds, diff)
	if diff.Abs() > 5*time.Millisecond {
		t.Errorf("one is answered %v later than the other", diff)
	}
}

func blanked(s string) string { return strings.NewReplacer("1001", "USER", "1999", "USER").Replace(s) }
