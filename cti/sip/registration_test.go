package sip_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"hash"
	"net"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/sip"
	"callbox/internal/guard"
)

// attempts are when a registration was tried within limit, by seconds from the
// beginning; ask answers the nth one.
func attempts(t *testing.T, limit time.Duration, lost func(time.Duration) bool, ask func(n int, at time.Duration) (time.Duration, error)) (at []time.Duration) {
	began := time.Now()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	sip.Upkeep(ctx, func(context.Context) (time.Duration, error) {
		at = append(at, time.Since(began))
		return ask(len(at), time.Since(began))
	}, func() bool { return lost != nil && lost(time.Since(began)) }, func(time.Duration, error) {})
	return at
}

func TestRegistrationIsRefreshed(t *testing.T) {
	for _, granted := range []time.Duration{10 * time.Second, time.Minute, 5 * time.Minute, time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			at := attempts(t, 10*granted, nil, func(int, time.Duration) (time.Duration, error) { return granted, nil })
			for i := 1; i < len(at); i++ {
				if gap := at[i] - at[i-1]; gap < granted/2 || gap > granted*9/10 || granted > 80*time.Second && granted-gap < 40*time.Second {
					t.Errorf("%v granted, again after %v", granted, gap)
				}
			}
			if len(at) < 10 {
				t.Errorf("%d registrations of %v in ten times that", len(at), granted)
			}
		})
	}
}

func TestRegistrationBacksOff(t *testing.T) {
	for name, tt := range map[string]struct {
		err         error
		first, last [2]time.Duration // bounds of the first and the last wait
		most        int              // attempts in an hour
	}{
		"out of order": {errors.New("503"), [2]time.Duration{750 * time.Millisecond, time.Second}, [2]time.Duration{225 * time.Second, 300 * time.Second}, 25},
		"refused":      {sip.ErrTurnedAway, [2]time.Duration{9 * time.Minute, 10 * time.Minute}, [2]time.Duration{9 * time.Minute, 10 * time.Minute}, 7},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				at := attempts(t, time.Hour, nil, func(int, time.Duration) (time.Duration, error) { return 0, tt.err })
				first, last := at[1]-at[0], at[len(at)-1]-at[len(at)-2]
				if first < tt.first[0] || first > tt.first[1] || last < tt.last[0] || last > tt.last[1] || len(at) > tt.most {
					t.Errorf("%d attempts, first again after %v, at last after %v", len(at), first, last)
				}
			})
		})
	}
}

// F10: a registrar that comes and goes each 5 s is not asked more than once in
// 30 s, after the first few tries.
func TestRegistrationAtAFlappingTrunk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		down := func(at time.Duration) bool { return at/(5*time.Second)%2 == 1 }
		at := attempts(t, 10*time.Minute, down, func(_ int, at time.Duration) (time.Duration, error) {
			if down(at) {
				return 0, errDead
			}
			return time.Minute, nil
		})
		var late []time.Duration
		for _, a := range at {
			if a > time.Minute {
				late = append(late, a)
			}
		}
		if len(at) > 25 || len(late) > 18 {
			t.Errorf("%d attempts, %d of them after the first minute: %v", len(at), len(late), at)
		}
	})
}

// One that was lost once after a long time is back at once.
func TestRegistrationAfterALostConnection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const breaks = time.Hour
		at := attempts(t, 2*time.Hour, func(at time.Duration) bool { return at > breaks && at < breaks+3*time.Second },
			func(int, time.Duration) (time.Duration, error) { return 5 * time.Minute, nil })
		for _, a := range at {
			if a > breaks && a < breaks+5*time.Second {
				return
			}
		}
		t.Errorf("not again within 5 s: %v", at)
	})
}

// registrar is a carrier's, on a raw socket: it knows the user box with the
// password word in the realm carrier.example.
type registrar struct {
	*raw
	algorithms []string
	nonce      string
	granted    string // Expires of its 200
}

func carrierRegistrar(t *testing.T) *registrar {
	return &registrar{raw: carrierSocket(t), algorithms: []string{"MD5"}, nonce: "n1", granted: "Expires: 3600"}
}

// at gives the rig a trunk "reg" that registers here.
func (c *registrar) at(change ...func(*sip.Trunk)) option {
	return func(cfg *sip.Config, _ *rig) {
		tr := sip.Trunk{Name: "reg", Address: c.addr(), Register: true, Username: "box", Password: "word", Health: -1}
		for _, f := range change {
			f(&tr)
		}
		cfg.Trunks = append(cfg.Trunks, tr)
	}
}

func (c *registrar) challenge(req *ctitest.Message, extra string) {
	var headers []string
	for _, a := range c.algorithms {
		headers = append(headers, "WWW-Authenticate", `Digest realm="carrier.example", nonce="`+c.nonce+`", algorithm=`+a+`, qop="auth, auth-int"`+extra)
	}
	c.reply(req, 401, "reg", headers...)
}

func (c *registrar) accept(req *ctitest.Message) {
	name, value, _ := strings.Cut(c.granted, ": ")
	c.reply(req, 200, "reg", name, value)
}

// register takes one whole registration: a challenge and the right answer to it.
func (c *registrar) register() *ctitest.Message {
	c.t.Helper()
	first := c.request("REGISTER")
	if first.Get("Authorization") != "" {
		c.check(first)
		c.accept(first)
		return first
	}
	c.challenge(first, "")
	second := c.request("REGISTER")
	c.check(second)
	if second.Get("Call-ID") != first.Get("Call-ID") || second.Seq() != first.Seq()+1 || second.Branch() == first.Branch() {
		c.t.Errorf("%v\n%v", first.Headers, second.Headers)
	}
	c.accept(second)
	return second
}

var digestPart = regexp.MustCompile(`([a-z]+)=(?:"([^"]*)"|([^",\s]+))`)

// check recomputes the digest (RFC 7616 §3.4.1).
func (c *registrar) check(req *ctitest.Message) {
	c.t.Helper()
	part := map[string]string{}
	for _, m := range digestPart.FindAllStringSubmatch(req.Get("Authorization"), -1) {
		part[m[1]] = m[2] + m[3]
	}
	sum := func(text string) string {
		var h hash.Hash = md5.New()
		if part["algorithm"] == "SHA-256" {
			h = sha256.New()
		}
		h.Write([]byte(text))
		return hex.EncodeToString(h.Sum(nil))
	}
	want := sum(strings.Join([]string{
		sum("box:carrier.example:word"), c.nonce, part["nc"], part["cnonce"], "auth", sum("REGISTER:" + req.URI()),
	}, ":"))
	if part["response"] != want || part["username"] != "box" || part["qop"] != "auth" || part["uri"] != req.URI() {
		c.t.Errorf("not the right answer: %s", req.Get("Authorization"))
	}
}

func (r *rig) trunk(name string) sip.TrunkState {
	for _, s := range r.Trunks() {
		if s.Name == name {
			return s
		}
	}
	r.t.Fatalf("no trunk %s", name)
	return sip.TrunkState{}
}

func TestRegisters(t *testing.T) {
	for name, tt := range map[string]struct{ algorithms []string }{
		"MD5": {[]string{"MD5"}}, "SHA-256": {[]string{"SHA-256"}},
		"the stronger of two": {[]string{"MD5", "SHA-256"}}, "unknown ones beside": {[]string{"MD4", "SHA-256", "TOKEN"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := carrierRegistrar(t)
			c.algorithms = tt.algorithms
			r := start(t, c.at())
			req := c.register()
			if strings.Contains(strings.Join(tt.algorithms, " "), "SHA-256") != strings.Contains(req.Get("Authorization"), "algorithm=SHA-256") {
				t.Error(req.Get("Authorization"))
			}
			if want := "<sip:box@" + r.addr("udp") + ">"; req.Get("Contact") != want || req.Get("Expires") != "300" || req.URI() != "sip:"+c.addr() {
				t.Errorf("REGISTER %s with Contact %s (want %s), Expires %s", req.URI(), req.Get("Contact"), want, req.Get("Expires"))
			}
			eventually(t, "registered", func() bool { s := r.trunk("reg"); return s.Registered && s.Up && s.Why == "" })
			var g guard.Group
			g.Go("stop", r.stop)
			last := c.request("REGISTER")
			if last.Get("Expires") != "0" || !strings.Contains(last.Get("Authorization"), "nc=00000002") {
				t.Errorf("at the end: Expires %s, %s", last.Get("Expires"), last.Get("Authorization"))
			}
			c.check(last)
			c.accept(last)
			g.Wait()
		})
	}
}

// An end without an answer of the registrar is not held up for long.
func TestUnregisterIsBounded(t *testing.T) {
	c := carrierRegistrar(t)
	r := start(t, c.at())
	c.register()
	eventually(t, "registered", func() bool { return r.trunk("reg").Registered })
	began := time.Now()
	r.stop()
	if took := time.Since(began); took > time.Second {
		t.Errorf("stopped after %v", took)
	}
}

func TestRegistrationAnswers(t *testing.T) {
	answer := func(code int, headers ...string) func(*registrar) {
		return func(c *registrar) { c.reply(c.request("REGISTER"), code, "reg", headers...) }
	}
	for name, tt := range map[string]struct {
		script     func(*registrar)
		up, in     bool
		why        string
		hasNothing bool // comes soon afterwards
	}{
		"forbidden":    {answer(403), false, false, "403", true},
		"not found":    {answer(404), false, false, "404", true},
		"out of order": {answer(500), true, false, "500", false},
		"wrong password": {func(c *registrar) {
			c.challenge(c.request("REGISTER"), "")
			c.challenge(c.request("REGISTER"), "")
		}, false, false, "password", true},
		"stale nonce": {func(c *registrar) {
			c.challenge(c.request("REGISTER"), "")
			req := c.request("REGISTER")
			c.nonce = "n2"
			c.challenge(req, `, stale=true`)
			req = c.request("REGISTER")
			c.check(req)
			c.accept(req)
		}, true, true, "", true},
		"stale for ever": {func(c *registrar) {
			for range 4 {
				c.challenge(c.request("REGISTER"), `, stale=true`)
			}
		}, false, false, "again and again", true},
		"too brief": {func(c *registrar) {
			c.reply(c.request("REGISTER"), 423, "reg", "Min-Expires", "1800")
			req := c.request("REGISTER")
			if req.Get("Expires") != "1800" {
				c.t.Errorf("Expires %s", req.Get("Expires"))
			}
			c.accept(req)
		}, true, true, "", true},
		"too brief, not saying": {answer(423), false, false, "423", true},
		"another's realm": {func(c *registrar) {
			c.reply(c.request("REGISTER"), 401, "reg", "WWW-Authenticate", `Digest realm="elsewhere", nonce="n", algorithm=MD5`)
		}, false, false, "realm", true},
		"contact says less": {func(c *registrar) {
			req := c.request("REGISTER")
			c.reply(req, 200, "reg", "Contact", "<sip:other@192.0.2.1>;expires=3600, "+req.Get("Contact")+";expires=2", "Expires", "3600")
		}, true, true, "", false},
		"no contact kept": {answer(200, "Contact", "<sip:box@192.0.2.1>;expires=0"), true, false, "no contact", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := carrierRegistrar(t)
			r := start(t, c.at(func(tr *sip.Trunk) { tr.Realm = "carrier.example" }))
			tt.script(c)
			eventually(t, "state", func() bool {
				s := r.trunk("reg")
				return s.Up == tt.up && s.Registered == tt.in && strings.Contains(s.Why, tt.why) && (tt.why == "") == (s.Why == "")
			})
			wait := 100 * time.Millisecond
			if !tt.hasNothing {
				wait = 3 * time.Second
			}
			if again := c.next(wait); (again == nil) != tt.hasNothing {
				t.Errorf("again: %v", again)
			}
		})
	}
}

// The next address is asked when one stays silent or has no room, and it is the
// one that may call afterwards, though no from names it.
func TestRegistrationFailsOver(t *testing.T) {
	silent, busy, alive := carrierSocket(t), carrierSocket(t), carrierRegistrar(t)
	r := start(t, short, alive.at(), func(c *sip.Config, r *rig) {
		c.Trunks = c.Trunks[1:]
		r.prepare = func() { r.SetAddresses("reg", silent.addr(), busy.addr(), alive.addr()) }
	})
	var g guard.Group
	g.Go("busy", func() { busy.reply(busy.request("REGISTER"), 503, "reg", "Retry-After", "60") })
	alive.register()
	g.Wait()
	eventually(t, "registered", func() bool { return r.trunk("reg").Registered })
}

// An INVITE of the registrar belongs to its trunk without any from, whose DID
// is not what we registered as; an INVITE from elsewhere is a stranger's.
func TestCallFromTheRegistrar(t *testing.T) {
	c := carrierRegistrar(t)
	r := start(t, c.at(func(tr *sip.Trunk) { tr.From = nil }), func(cfg *sip.Config, _ *rig) { cfg.Trunks = cfg.Trunks[1:] })
	contact := c.register().Get("Contact")
	eventually(t, "registered", func() bool { return r.trunk("reg").Registered })
	r.calls.do(func(_ context.Context, leg cti.Leg) error { leg.Hangup(cti.CauseBusy); return nil })
	w := *c.raw
	to, err := net.ResolveUDPAddr("udp", r.addr("udp"))
	if err != nil {
		t.Fatal(err)
	}
	w.to = to.AddrPort()
	w.send(w.invite("from-registrar", "INVITE sip:4001234567@{to}", "INVITE "+strings.Trim(contact, "<>")))
	w.expect("INVITE", 486)
	if o := r.leg().Origin(); o.Line != "reg" || o.DID != "4001234567" {
		t.Errorf("line %s, DID %s", o.Line, o.DID)
	}
	stranger := r.raw("127.0.0.9")
	stranger.send(stranger.invite("stranger"))
	stranger.expect("INVITE", 403)
}

// Two accounts at one registrar are told apart by whom it calls.
func TestTwoRegistrationsAtOneCarrier(t *testing.T) {
	c := carrierRegistrar(t)
	r := start(t, c.at(), c.at(func(tr *sip.Trunk) { tr.Name, tr.Username = "other", "box2" }), func(cfg *sip.Config, _ *rig) { cfg.Trunks = cfg.Trunks[1:] })
	for range 2 {
		c.accept(c.request("REGISTER"))
	}
	eventually(t, "registered", func() bool { return r.trunk("reg").Registered && r.trunk("other").Registered })
	r.calls.do(func(_ context.Context, leg cti.Leg) error { leg.Hangup(cti.CauseBusy); return nil })
	w := *c.raw
	to, err := net.ResolveUDPAddr("udp", r.addr("udp"))
	if err != nil {
		t.Fatal(err)
	}
	w.to = to.AddrPort()
	for user, want := range map[string]string{"box": "reg", "box2": "other"} {
		w.send(w.invite("to-"+user, "INVITE sip:4001234567@", "INVITE sip:"+user+"@"))
		w.expect("INVITE", 486)
		if o := r.leg().Origin(); o.Line != want {
			t.Errorf("%s: line %s, want %s", user, o.Line, want)
		}
	}
}

// Through an outbound proxy everything goes there first, for the domain behind.
func TestOutboundProxy(t *testing.T) {
	c := carrierRegistrar(t)
	r := start(t, c.at(func(tr *sip.Trunk) { tr.Address, tr.Proxy = "carrier.example", c.addr() }))
	req := c.register()
	if req.URI() != "sip:carrier.example" || req.Get("Route") != "<sip:"+c.addr()+";lr>" || !strings.HasPrefix(req.Get("From"), "<sip:box@carrier.example>") {
		t.Errorf("REGISTER %s, Route %s, From %s", req.URI(), req.Get("Route"), req.Get("From"))
	}
	leg := r.dial("trunk:reg/139")
	defer leg.Hangup(cti.CauseCanceled)
	invite := c.request("INVITE")
	if invite.URI() != "sip:139@carrier.example" || invite.Get("Route") != "<sip:"+c.addr()+";lr>" || !strings.Contains(invite.Get("To"), "sip:139@carrier.example") {
		t.Errorf("INVITE %s, Route %s, To %s", invite.URI(), invite.Get("Route"), invite.Get("To"))
	}
}

// The registration follows its TCP connection: a lost one is made again.
func TestRegistrationByTCP(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	r := start(t, func(c *sip.Config, _ *rig) {
		c.Trunks = append(c.Trunks, sip.Trunk{Name: "reg", Address: l.Addr().String(), Transport: "tcp", Register: true, Username: "box", Password: "word", Health: -1})
	})
	for i := range 2 {
		_ = l.(*net.TCPListener).SetDeadline(time.Now().Add(2 * patience))
		conn, err := l.Accept()
		if err != nil {
			t.Fatal(i, err)
		}
		buf := make([]byte, 4096)
		n, err := conn.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		req, err := ctitest.ParseMessage(buf[:n])
		if err != nil {
			t.Fatal(err)
		}
		if req.Method() != "REGISTER" || !strings.Contains(req.Get("Contact"), ";transport=tcp") || !strings.HasSuffix(req.URI(), ";transport=tcp") {
			t.Errorf("%s, Contact %s", req.Start, req.Get("Contact"))
		}
		if _, err := conn.Write(req.Reply(200, "OK", "reg").Bytes()); err != nil {
			t.Fatal(err)
		}
		eventually(t, "registered", func() bool { return r.trunk("reg").Registered })
		_ = conn.Close()
		if i == 0 {
			eventually(t, "noticed", func() bool { return !r.trunk("reg").Registered })
		}
	}
}

// SIPp as registrar, with its own check of the digest.
func TestSIPpAsRegistrar(t *testing.T) {
	w := carrierSocket(t)
	_ = w.conn.Close() // its address is SIPp's now
	port := w.addr()[strings.LastIndexByte(w.addr(), ':')+1:]
	r := start(t, func(c *sip.Config, _ *rig) {
		c.Trunks = append(c.Trunks, sip.Trunk{Name: "reg", Address: w.addr(), Register: true, Username: "box", Password: "word", Health: -1})
	})
	r.sipp(scenario(`<recv request="REGISTER"/>`,
		sippStatus("401 Unauthorized", `WWW-Authenticate: Digest realm="carrier.example", nonce="47ebe028cda119c35d4877b383027d28", algorithm=MD5, qop="auth"`),
		`<recv request="REGISTER"><action><verifyauth assign_to="good" username="box" password="word"/></action></recv>
<nop hide="true" test="good" next="yes"/>`, sippStatus("403 Forbidden", ""), `<nop next="end"/><label id="yes"/>`,
		sippStatus("200 OK", "Expires: 600"), `<label id="end"/>`), "-m", "1", "-p", port)
	eventually(t, "registered", func() bool { return r.trunk("reg").Registered })
}

func sippStatus(status, header string) string {
	if header != "" {
		header += "\n"
	}
	return `<send><![CDATA[
SIP/2.0 ` + status + `
[last_Via:]
[last_From:]
[last_To:];tag=[pid]c[call_number]
[last_Call-ID:]
[last_CSeq:]
[last_Contact:]
` + header + `Content-Length: 0

]]></send>`
}
