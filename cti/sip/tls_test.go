package sip_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/cti/sip"
)

// secure adds a tls:// listener with a certificate of its own.
func secure(c *sip.Config, _ *rig) {
	c.Listen = append(c.Listen, "tls://127.0.0.1:0")
	c.TLS.SelfSigned = true
}

var anybody = &tls.Config{InsecureSkipVerify: true}

// dialTLS is dialTCP by TLS.
func (r *rig) dialTLS(config *tls.Config) *wireTCP {
	r.t.Helper()
	conn, err := tls.Dial("tcp", r.addr("tls"), config)
	if err != nil {
		r.t.Fatal(err)
	}
	return r.wireBy("tls", conn)
}

// writePair puts a certificate and its key into files.
func writePair(t testing.TB, dir string, pair tls.Certificate) (cert, key string) {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		cert: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]}, key: {Type: "PRIVATE KEY", Bytes: der},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return cert, key
}

func selfSigned(t testing.TB, hosts ...string) tls.Certificate {
	t.Helper()
	pair, err := ctitest.SelfSigned(hosts...)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// plainCaller adds a trunk whose callers have no SRTP, at an address of its own.
func plainCaller(c *sip.Config, _ *rig) {
	c.Trunks = append(c.Trunks, sip.Trunk{Name: "plain", From: []string{"127.0.0.2/32"}})
}

// joins has every caller joined with device, and calls from the trunk of
// plainCaller.
func (r *rig) joins(device cti.Device) *ctitest.Talk {
	r.t.Helper()
	r.calls.do(func(ctx context.Context, in cti.Leg) error {
		out, err := r.Dial(ctx, device, in.Origin().From, "c")
		if err != nil {
			return err
		}
		defer out.Hangup(cti.CauseNormal)
		if err := errors.Join(out.Answer(ctx), in.Answer(ctx)); err != nil {
			return err
		}
		defer r.engine.Bridge(in.Media(), out.Media())()
		return wait(ctx, in)
	})
	caller := r.phone(ctitest.PhoneConfig{Listen: "127.0.0.2:0", User: "13800138000"})
	talk, err := caller.Call(patient(r.t), "4001234567", ctitest.CallOptions{})
	if err != nil {
		r.t.Fatal(err)
	}
	talk.Tone(900)
	if err := talk.WaitAnswered(patient(r.t)); err != nil {
		r.t.Fatal(err)
	}
	return talk
}

// toneFor is what a phone sends when it has answered.
func toneFor(hz float64) func(*ctitest.Talk) ctitest.Plan {
	return func(*ctitest.Talk) ctitest.Plan { return ctitest.Plan{Hz: hz} }
}

func hearsBoth(t testing.TB, caller, callee *ctitest.Talk) {
	t.Helper()
	if err := errors.Join(caller.WaitTone(patient(t), 600), callee.WaitTone(patient(t), 900)); err != nil {
		t.Error(err)
	}
}

// A phone registers by TLS and is called, its sound sealed by each suite.
func TestSealedCalls(t *testing.T) {
	for _, suite := range media.Suites() {
		t.Run(suite, func(t *testing.T) {
			r := start(t, nobody, plainCaller, secure, func(c *sip.Config, _ *rig) { c.SRTP = "on" })
			p := r.phone(ctitest.PhoneConfig{
				Transport: "tls", Server: r.addr("tls"), User: "1001", Password: "secret1001",
				SRTP: []string{suite}, OnCall: toneFor(600),
			})
			if err := p.Register(patient(t), time.Minute); err != nil {
				t.Fatal(err)
			}
			caller := r.joins("sip:1001")
			talk := p.Talks()[0]
			hearsBoth(t, caller, talk)
			if talk.Suite() != suite || talk.Unopened() != 0 {
				t.Errorf("suite %q, want %q; %d packets not opened", talk.Suite(), suite, talk.Unopened())
			}
			if c := talk.Invite().Get("Contact"); !strings.Contains(c, ";transport=tls") || !strings.HasPrefix(c, "<sip:") {
				t.Errorf("Contact %s", c)
			}
			if via := talk.Invite().Get("Via"); !strings.HasPrefix(via, "SIP/2.0/TLS "+r.addr("tls")) {
				t.Errorf("Via %s", via)
			}
			caller.Hangup()
			await(t, talk.Ended(), "BYE by the same connection")
		})
	}
}

// A trunk by TLS with SRTP is called, and calls.
func TestTrunkByTLS(t *testing.T) {
	pair := selfSigned(t, "127.0.0.1")
	ca, _ := writePair(t, t.TempDir(), pair)
	carrier := startPhone(t, ctitest.PhoneConfig{
		Transport: "tls", User: "138", SRTP: media.Suites(), OnCall: toneFor(600),
		TLS: &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true},
	})
	r := start(t, secure, plainCaller, func(c *sip.Config, _ *rig) {
		c.TLS.CAFile = ca
		c.Trunks[0].Address, c.Trunks[0].Transport, c.Trunks[0].SRTP = carrier.Addr().String(), "tls", "required"
	})
	caller := r.joins("trunk:carrier/13800138000")
	talk := carrier.Talks()[0]
	hearsBoth(t, caller, talk)
	if talk.Suite() != media.Suites()[0] {
		t.Errorf("suite %q", talk.Suite())
	}
	carrier.Break()
	eventually(t, "the loss is noticed", func() bool { return !r.Connected("TLS", carrier.Addr().String()) })
	caller.Hangup()
	await(t, talk.Ended(), "BYE by a connection made again")

	r.calls.do(answerAndWait)
	in, err := carrier.Call(patient(t), "4001234567", ctitest.CallOptions{Server: r.addr("tls")})
	if err != nil {
		t.Fatal(err)
	}
	if err := in.WaitAnswered(patient(t)); err != nil {
		t.Fatal(err)
	}
	if in.Suite() != media.Suites()[0] {
		t.Errorf("suite of the trunk's call %q", in.Suite())
	}
	in.Hangup()
}

// A trunk whose certificate is not what its address says gets no request.
func TestTrunkIsVerified(t *testing.T) {
	pair := selfSigned(t, "sip.carrier.example")
	other := selfSigned(t, "sip.carrier.example")
	dir := t.TempDir()
	ca, _ := writePair(t, dir, pair)
	foreign, _ := writePair(t, t.TempDir(), other)
	carrier := startPhone(t, ctitest.PhoneConfig{
		Transport: "tls", User: "138", TLS: &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true},
		OnCall: func(*ctitest.Talk) ctitest.Plan { return ctitest.Plan{Reject: 486} },
	})
	_, port, _ := net.SplitHostPort(carrier.Addr().String())
	for name, tt := range map[string]struct {
		address string
		config  sip.TLS
		want    error
	}{
		"by name":         {"sip.carrier.example:" + port, sip.TLS{CAFile: ca}, cti.ErrBusy},
		"other authority": {"sip.carrier.example:" + port, sip.TLS{CAFile: foreign}, cti.ErrUnreachable},
		"system's":        {"sip.carrier.example:" + port, sip.TLS{}, cti.ErrUnreachable},
		"other name":      {"127.0.0.1:" + port, sip.TLS{CAFile: ca}, cti.ErrUnreachable},
		"insecure":        {"127.0.0.1:" + port, sip.TLS{Insecure: true}, cti.ErrBusy},
	} {
		t.Run(name, func(t *testing.T) {
			r := start(t, func(c *sip.Config, _ *rig) {
				c.TLS = tt.config
				secure(c, nil)
				c.Trunks[0].Address, c.Trunks[0].Transport, c.Trunks[0].Health = tt.address, "tls", -1
			})
			r.SetAddresses("carrier", carrier.Addr().String())
			leg := r.dial("trunk:carrier/13800138000")
			if err := leg.Answer(patient(t)); !errors.Is(err, tt.want) {
				t.Errorf("%v, want %v", err, tt.want)
			}
		})
	}
}

func TestCertificate(t *testing.T) {
	r := start(t, secure, func(c *sip.Config, _ *rig) { c.ExternalIP = "203.0.113.9" })
	for _, tt := range []struct {
		config *tls.Config
		ok     bool
	}{
		{anybody, true},
		{&tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, false},
		{&tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}, true},
	} {
		conn, err := tls.Dial("tcp", r.addr("tls"), tt.config)
		if (err == nil) != tt.ok {
			t.Errorf("up to %x: %v", tt.config.MaxVersion, err)
		}
		if err != nil {
			continue
		}
		leaf := conn.ConnectionState().PeerCertificates[0]
		for _, host := range []string{"127.0.0.1", "203.0.113.9"} {
			if err := leaf.VerifyHostname(host); err != nil {
				t.Error(err)
			}
		}
		if name, _ := os.Hostname(); !slices.Contains(leaf.DNSNames, name) {
			t.Errorf("names %q without %q", leaf.DNSNames, name)
		}
		if life := time.Until(leaf.NotAfter); life < 364*24*time.Hour || life > 366*24*time.Hour {
			t.Errorf("good for %v", life)
		}
		_ = conn.Close()
	}
}

// New files are shown without a restart; a key that does not fit yet is not.
func TestCertificateIsReadAgain(t *testing.T) {
	dir := t.TempDir()
	pairs := []tls.Certificate{selfSigned(t, "first"), selfSigned(t, "second"), selfSigned(t, "third")}
	cert, key := writePair(t, dir, pairs[0])
	r := start(t, func(c *sip.Config, _ *rig) {
		c.Listen = append(c.Listen, "tls://127.0.0.1:0")
		c.TLS.CertFile, c.TLS.KeyFile = cert, key
	})
	shown := func() string {
		conn, err := tls.Dial("tcp", r.addr("tls"), anybody)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
		return conn.ConnectionState().PeerCertificates[0].DNSNames[0]
	}
	if got := shown(); got != "first" {
		t.Errorf("%s is shown", got)
	}
	writePair(t, dir, pairs[1])
	r.LookAgain()
	if got := shown(); got != "second" {
		t.Errorf("%s is shown after a change", got)
	}
	half := t.TempDir()
	from, _ := writePair(t, half, pairs[2])
	text, _ := os.ReadFile(from)
	if err := os.WriteFile(cert, text, 0o600); err != nil {
		t.Fatal(err)
	}
	r.LookAgain()
	if got := shown(); got != "second" {
		t.Errorf("%s is shown while its key is missing", got)
	}
	writePair(t, dir, pairs[2])
	r.LookAgain()
	if got := shown(); got != "third" {
		t.Errorf("%s is shown at last", got)
	}
}

// T10: handshakes that stall hold nobody up and end by themselves; nobody holds
// more than ten connections.
func TestStalledHandshakes(t *testing.T) {
	r := start(t, secure, nobody)
	for range 3 {
		conn, err := net.Dial("tcp", r.addr("tls"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	began := time.Now()
	conn, err := tls.Dial("tcp", r.addr("tls"), anybody)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close()
	if took := time.Since(began); took > time.Second {
		t.Errorf("a handshake beside three stalled ones took %v", took)
	}
	before := r.Stats().ConnsRefused
	for range 2 * sip.ConnsPerAddress {
		conn, err := net.Dial("tcp", r.addr("tls"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = conn.Close() }()
	}
	eventually(t, "the cap holds", func() bool { return int(r.Stats().ConnsRefused-before) >= sip.ConnsPerAddress })
}

func TestHandshakeLimit(t *testing.T) {
	for name, feed := range map[string]func(net.Conn){
		"silent": func(net.Conn) {},
		"plain":  func(c net.Conn) { _, _ = io.WriteString(c, "OPTIONS sip:a SIP/2.0\r\n"); _, _ = io.Copy(io.Discard, c) },
		"dripping": func(c net.Conn) {
			for _, b := range []byte{22, 3, 1, 1, 0, 1, 0, 0, 0xfc} {
				_, _ = c.Write([]byte{b})
				time.Sleep(3 * time.Second)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				here, there := net.Pipe()
				var wg sync.WaitGroup
				wg.Go(func() { feed(there) })
				began := time.Now()
				_, err := sip.NewTestStream(tls.Server(here, &tls.Config{}), true).Read(make([]byte, 100))
				took := time.Since(began)
				if err == nil || took > 10*time.Second || name != "plain" && took != 10*time.Second {
					t.Errorf("%v after %v", err, took)
				}
				_ = here.Close()
				_ = there.Close()
				wg.Wait()
			})
		})
	}
}

// A sips URI demands TLS (RFC 3261 §26.2.2).
func TestSIPS(t *testing.T) {
	r := start(t, secure)
	c := r.dialTLS(anybody)
	c.send(c.invite("sips", "INVITE sip:", "INVITE sips:"))
	ok := c.expect("INVITE", 200)
	if contact := ok.Get("Contact"); !strings.Contains(contact, r.addr("tls")+";transport=tls") {
		t.Errorf("Contact %s", contact)
	}
	c.send(c.within("ACK", 1, ok))
	r.leg().Hangup(cti.CauseNormal)
	bye := c.expect("BYE", 0)
	c.send(string(bye.Reply(200, "OK", "").Bytes()))
	w := r.raw("127.0.0.1")
	w.send(w.invite("sips2", "INVITE sip:", "INVITE sips:"))
	w.expect("INVITE", 416)
}

func TestTLSBindingEndsWithItsConnection(t *testing.T) {
	r := start(t, nobody, secure)
	p := r.phone(ctitest.PhoneConfig{Transport: "tls", Server: r.addr("tls"), User: "1001", Password: "secret1001"})
	if err := p.Register(patient(t), time.Minute); err != nil {
		t.Fatal(err)
	}
	if !r.Reachable("1001") {
		t.Fatal("not reachable")
	}
	p.Break()
	eventually(t, "unreachable", func() bool { return !r.Reachable("1001") })
	if err := p.Register(patient(t), time.Minute); err != nil {
		t.Fatal(err)
	}
	if !r.Reachable("1001") {
		t.Error("not reachable by the new connection")
	}
}

func TestTLSConfig(t *testing.T) {
	pair := selfSigned(t, "x")
	cert, key := writePair(t, t.TempDir(), pair)
	for name, tt := range map[string]struct {
		config sip.TLS
		listen string
		want   string
	}{
		"nothing to show":   {sip.TLS{}, "tls://127.0.0.1:0", "tls: a tls:// listener needs"},
		"not needed":        {sip.TLS{}, "tcp://127.0.0.1:0", ""},
		"files":             {sip.TLS{CertFile: cert, KeyFile: key}, "tls://127.0.0.1:0", ""},
		"no key":            {sip.TLS{CertFile: cert}, "tls://127.0.0.1:0", "tls.cert_file: "},
		"both":              {sip.TLS{CertFile: cert, KeyFile: key, SelfSigned: true}, "tls://127.0.0.1:0", "tls: either"},
		"no such authority": {sip.TLS{SelfSigned: true, CAFile: "nowhere.pem"}, "tls://127.0.0.1:0", "tls: ca_file: "},
		"no authority":      {sip.TLS{SelfSigned: true, CAFile: key}, "tls://127.0.0.1:0", "tls: ca_file: no certificate"},
	} {
		err := sip.Config{Listen: []string{tt.listen}, TLS: tt.config}.Validate()
		if (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}
