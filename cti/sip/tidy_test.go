package sip_test

import (
	"net/netip"
	"strings"
	"testing"

	"callbox/cti/sip"
)

// Space that RFC 3261 allows and the library does not is taken out; nothing else
// changes.
func TestTidied(t *testing.T) {
	const start = "INVITE sip:a@b SIP/2.0\r\n"
	const via = "Via: SIP/2.0/UDP a;branch=z9hG4bKx\r\n"
	for in, want := range map[string]string{
		"Via  : SIP  /   2.0\r\n /UDP\r\n    192.0.2.2;branch = z9hG4bKx": "Via: SIP/2.0/UDP 192.0.2.2;branch=z9hG4bKx",
		"v: SIP/2.0/UDP a : 5060 ; branch=z9hG4bKx , SIP/2.0/TCP b":       "v: SIP/2.0/UDP a:5060;branch=z9hG4bKx,SIP/2.0/TCP b",
		via[:len(via)-2] + "\r\nTo :\r\n <sip:a@b> ;\r\n  tag    = 1":     via + "To: <sip:a@b>;tag=1",
		via + "From: \"a ; b\\\" = c\" <sip:a;x = 1@b> ; tag = 2":         via + "From: \"a ; b\\\" = c\" <sip:a;x = 1@b>;tag=2",
		via + "CSeq: 0009\r\n  INVITE":                                    via + "CSeq: 0009 INVITE",
		via + "Subject: a ; b  =  c":                                      via + "Subject: a ; b  =  c",
		via + "Subject: a\r\n\tb":                                         via + "Subject: a b",
		via + "Contact: A B <sip:a@b>":                                    via + "Contact: A B <sip:a@b>",
		via + "no colon at all":                                           via + "no colon at all",
	} {
		got := string(sip.Tidied([]byte(start + in + "\r\n\r\nbody ; =\r\n x")))
		if got != start+want+"\r\n\r\nbody ; =\r\n x" {
			t.Errorf("%q became\n%q, want\n%q", in, got, want)
		}
	}
	for _, whole := range []string{"", "\r\n\r\n", "no end", start} {
		if got := string(sip.Tidied([]byte(whole))); got != whole {
			t.Errorf("%q became %q", whole, got)
		}
	}
}

// A request of RFC 2543, its copies, its ACK and its CANCEL get one branch; that
// of another one, and one that is there, are others.
func TestOldClientsAreToldApart(t *testing.T) {
	branch := func(method, id, via string) string {
		text := method + " sip:a@b SIP/2.0\r\nVia: " + via + "\r\nFrom: <sip:a@b>\r\nCall-ID: " + id + "\r\nCSeq: 1 " + method + "\r\n\r\n"
		head := string(sip.Tidied([]byte(text)))
		_, rest, _ := strings.Cut(head, "branch=")
		b, _, _ := strings.Cut(rest, "\r\n")
		return b
	}
	one := branch("INVITE", "x", "SIP/2.0/UDP a")
	if !strings.HasPrefix(one, "z9hG4bK") || one != branch("ACK", "x", "SIP/2.0/UDP a") || one != branch("CANCEL", "x", "SIP/2.0/UDP a") {
		t.Errorf("branch %q", one)
	}
	if one == branch("INVITE", "y", "SIP/2.0/UDP a") || one == branch("INVITE", "x", "SIP/2.0/UDP b") {
		t.Error("another request has the same branch")
	}
	if got := branch("INVITE", "x", "SIP/2.0/UDP a;branch=mine"); got != "mine" {
		t.Errorf("branch %q", got)
	}
}

func FuzzTidied(f *testing.F) {
	for _, m := range tortures {
		f.Add([]byte(m.text))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		once := string(sip.Tidied(append([]byte(nil), data...)))
		if twice := string(sip.Tidied([]byte(once))); twice != once {
			t.Errorf("not settled:\n%q\n%q", once, twice)
		}
	})
}

// A stranger's message costs the gate next to nothing.
func BenchmarkGate(b *testing.B) {
	r := start(b, nobody)
	w := r.raw("127.0.0.1")
	from := netip.MustParseAddrPort("198.51.100.7:5060")
	for name, text := range map[string]string{
		"stranger OPTIONS": w.invite("opt", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"),
		"stranger INVITE":  w.invite("inv"),
		"scanner":          w.invite("scan", "Content-Type", "User-Agent: friendly-scanner\r\nContent-Type"),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				r.Admit([]byte(text), from)
			}
		})
	}
	text := []byte(w.invite("tidy"))
	b.Run("tidied", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			sip.Tidied(text)
		}
	})
}

// A length that a folded line only seems to tell is none: what stands behind it
// is no second message, and the connection goes on.
func TestFoldedLengthIsNone(t *testing.T) {
	r := start(t)
	c := r.dialTCP()
	hidden := c.invite("hidden", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS")
	c.send(c.invite("folded", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS", "Content-Length: ", "Subject: a\r\n Content-Length: ", "{sdp}", hidden))
	c.send(c.invite("next", "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS"))
	for _, id := range []string{"folded", "next"} {
		m, err := c.read()
		if err != nil || m.Get("Call-ID") != id || (m.Code() == 200) != (id == "next") {
			t.Fatalf("%s: %v, %+v", id, err, m)
		}
	}
}
