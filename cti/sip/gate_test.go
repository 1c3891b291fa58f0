package sip_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti/ctitest"
	"callbox/cti/sip"
)

// nobody has no trunks: everybody on loopback is a stranger.
func nobody(c *sip.Config, _ *rig) { c.Trunks = nil }

// What the library lets pass and RFC 3261 §8.2 wants refused.
func TestPrecheck(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	for name, tt := range map[string]struct {
		edit []string
		code int
	}{
		"version":           {[]string{" SIP/2.0\r\nVia", " SIP/7.0\r\nVia"}, 505},
		"CSeq of another":   {[]string{"1 INVITE", "1 OPTIONS"}, 400},
		"no From":           {[]string{"From:", "X-From:"}, 400},
		"no To":             {[]string{"To: <", "X-To: <"}, 400},
		"no Call-ID":        {[]string{"Call-ID:", "X-Call-ID:"}, 400},
		"no CSeq":           {[]string{"CSeq:", "X-CSeq:"}, 400},
		"no Contact":        {[]string{"Contact:", "X-Contact:"}, 400},
		"two From":          {[]string{"Call-ID:", "f: <sip:x@y>;tag=1\r\nCall-ID:"}, 400},
		"two Call-ID":       {[]string{"Call-ID:", "i: other\r\nCall-ID:"}, 400},
		"two lengths":       {[]string{"Content-Length", "l: 5\r\nContent-Length"}, 400},
		"extension":         {[]string{"Content-Type", "Require: replaces\r\nContent-Type"}, 420},
		"unknown extension": {[]string{"Content-Type", "Require: timer, nothingSupportsThis\r\nContent-Type"}, 420},
		"scheme":            {[]string{"INVITE sip:4001234567@{to}", "INVITE nobodyKnowsThisScheme:x"}, 416},
		"sips":              {[]string{"INVITE sip:", "INVITE sips:"}, 416},
		"content type":      {[]string{"application/sdp", "application/unknown"}, 415},
		"encoded":           {[]string{"Content-Type", "Content-Encoding: gzip\r\nContent-Type"}, 415},
		"many headers":      {[]string{"Content-Type", strings.Repeat("X-A: 1\r\n", 120) + "Content-Type"}, 513},
		"unserved method":   {[]string{"INVITE sip", "PUBLISH sip", "1 INVITE", "1 PUBLISH"}, 405},
		"unknown method":    {[]string{"INVITE sip", "NEWMETHOD sip", "1 INVITE", "1 NEWMETHOD"}, 501},
		"CSeq too large":    {[]string{"CSeq: 1 ", "CSeq: 4294967296 "}, 400},
		"dialog of nobody":  {[]string{"To: <sip:4001234567@{to}>", "To: <sip:4001234567@{to}>;tag=x"}, 481},
		"BYE without tag":   {[]string{"INVITE sip", "BYE sip", "1 INVITE", "1 BYE"}, 481},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			w.send(w.invite("pre"+strings.ReplaceAll(name, " ", ""), tt.edit...))
			for {
				m := w.next(patience)
				if m == nil {
					t.Fatal("no answer")
				}
				if m.Code() >= 200 {
					if m.Code() != tt.code || !strings.HasPrefix(m.Start, "SIP/2.0 ") {
						t.Errorf("answer %q, want %d", m.Start, tt.code)
					}
					return
				}
			}
		})
	}
	if n := r.Stats(); n.Calls != 0 || n.Malformed == 0 {
		t.Errorf("%+v", n)
	}
}

func TestAllowAndUnsupportedAreNamed(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	w.send(w.invite("allow", "INVITE sip", "MESSAGE sip", "1 INVITE", "1 MESSAGE"))
	if got := w.expect("MESSAGE", 405).Get("Allow"); !strings.Contains(got, "INVITE") {
		t.Errorf("Allow %q", got)
	}
	w.send(w.invite("unsup", "Content-Type", "Require: path\r\nContent-Type"))
	if got := w.expect("INVITE", 420).Get("Unsupported"); got != "path" {
		t.Errorf("Unsupported %q", got)
	}
	w.send(w.invite("opt", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"))
	ok := w.expect("OPTIONS", 200)
	if ok.Get("Accept") == "" || ok.Get("Allow") == "" || ok.Get("Server") != "" {
		t.Errorf("OPTIONS: %+v", ok.Headers)
	}
}

// A merged request came by two ways (RFC 3261 §8.2.2.2).
func TestMerged(t *testing.T) {
	r := start(t)
	r.calls.do(wait)
	w := r.raw("127.0.0.1")
	w.send(w.invite("merge"))
	w.expect("INVITE", 180)
	w.send(w.invite("merge", "z9hG4bK{id}", "z9hG4bKother{id}"))
	w.expect("INVITE", 482)
}

// T2: strangers get the same answer, whatever they ask for, and nothing is
// made for them: no call, no transaction, no address in the library's pool.
func TestStrangers(t *testing.T) {
	r := start(t, nobody)
	before := r.PoolSize()
	for i := range 40 {
		w := r.raw(fmt.Sprintf("127.0.%d.2", i))
		w.send(w.invite("stranger"))
		first := w.expect("INVITE", 403)
		w.send(w.invite("stranger"))
		if again := w.expect("INVITE", 403); again.Tag("To") != first.Tag("To") {
			t.Error("the repeated request got another tag")
		}
		w.send(ackOf(w.invite("stranger")))
		w.send(w.invite("opt", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"))
		if m := w.next(5 * time.Millisecond); m != nil {
			t.Errorf("OPTIONS of a stranger got %s", m.Start)
		}
	}
	if n := r.PoolSize(); n != before {
		t.Errorf("the library remembers %d addresses more", n-before)
	}
	if s := r.Stats(); s.Calls != 0 || s.Refused < 40 || r.Pending() != 0 {
		t.Errorf("%+v, %d pending", s, r.Pending())
	}
}

func TestFloodOfStrangers(t *testing.T) {
	r := start(t, func(c *sip.Config, _ *rig) { c.Trunks[0].From = []string{"127.0.0.1/32"} })
	bad, good := r.raw("127.9.9.9"), r.raw("127.0.0.1")
	began := time.Now()
	for i := range 20_000 {
		bad.send(bad.invite(fmt.Sprint("flood", i)))
		if i == 10_000 {
			good.send(good.invite("opt", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"))
		}
	}
	good.expect("OPTIONS", 200)
	t.Logf("20,000 INVITEs of a stranger in %v: %+v", time.Since(began).Round(time.Millisecond), r.Stats())
	if s := r.Stats(); s.Dropped < 10_000 || s.Calls != 0 {
		t.Errorf("%+v", s)
	}
}

func TestShield(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sip.NewTestShield()
		a, other := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
		heard := 0
		for range 3 * sip.StrangerRate {
			if sip.Hears(s, a) {
				heard++
			}
		}
		if heard != sip.StrangerRate {
			t.Errorf("%d messages of one second heard, want %d", heard, sip.StrangerRate)
		}
		for i := 1; i <= sip.StrikeLimit; i++ {
			if banned := sip.Wrong(s, a); banned != (i == sip.StrikeLimit) {
				t.Errorf("strike %d: banned %v", i, banned)
			}
		}
		time.Sleep(sip.BanTime)
		if sip.Hears(s, a) || !sip.Hears(s, other) {
			t.Error("at the last instant of the ban: the banned one is heard, or the other is not")
		}
		time.Sleep(time.Nanosecond)
		if !sip.Hears(s, a) {
			t.Error("not heard after the ban")
		}
	})
}

// The listener comes back by itself, on the same port, and calls go on.
func TestListenersComeBack(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	w.send(w.invite("before"))
	ok := w.expect("INVITE", 200)
	w.send(w.within("ACK", 1, ok))
	r.BreakListeners()
	eventually(t, "both are back", func() bool { return r.Stats().Relistened == 2 })
	w.send(w.within("BYE", 2, ok))
	w.expect("BYE", 200)
	c := r.dialTCP()
	c.send(c.invite("tcpagain"))
	c.expect("INVITE", 200)
}

func TestTextIsSafe(t *testing.T) {
	for in, want := range map[string]string{
		"13800138000": "13800138000", "+86 138": "+86%20138", "a\r\nX-Evil: 1": "a%0D%0AX-Evil%3A%201",
		"1*2#3": "1*2%233", "王": "%E7%8E%8B",
	} {
		if got := sip.UserPart(in); got != want {
			t.Errorf("userPart(%q) = %q, want %q", in, got, want)
		}
	}
	if got := sip.Shown("a\xff\u202e\n\u200b" + strings.Repeat("x", 100)); got != "a\ufffd\ufffd\ufffd\ufffd"+strings.Repeat("x", 59) {
		t.Errorf("shown = %q", got)
	}
	if m, err := ctitest.ParseMessage(sip.BareBadRequest([]byte("INVITE x\r\nVia: a\r\nFrom: b\r\nTo: c\r\nCall-ID: d\r\nCSeq: e\r\nFrom: f\r\n\r\n"))); err != nil || m.Code() != 400 || len(m.All("From")) != 1 {
		t.Errorf("%v %+v", err, m)
	}
}
