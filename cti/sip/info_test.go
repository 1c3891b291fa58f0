package sip_test

import (
	"context"
	"net"
	"net/netip"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/cti/sip"
)

// Keys go by INFO, in their order and one at a time.
func TestKeysByInfo(t *testing.T) {
	w := carrierSocket(t)
	r := start(t, w.toward(), func(c *sip.Config, _ *rig) { c.Trunks[1].DTMF = "info" })
	leg := r.dial("trunk:out/139")
	w.reply(w.request("INVITE"), 200, "uas")
	if err := leg.Answer(patient(t)); err != nil {
		t.Fatal(err)
	}
	w.request("ACK")
	leg.Media().Send("1")
	leg.Media().Send("#")
	for _, want := range []string{"1", "#"} {
		info := w.request("INFO")
		if info.Get("Content-Type") != "application/dtmf-relay" || info.Body != "Signal="+want+"\r\nDuration=160\r\n" {
			t.Errorf("%+v\n%s", info.Headers, info.Body)
		}
		if m := w.next(30 * time.Millisecond); m != nil {
			t.Errorf("%s came before the answer to the one before", m.Start)
		}
		w.reply(info, 200, "")
	}
	leg.Hangup(cti.CauseNormal)
	w.reply(w.request("BYE"), 200, "")
}

// How digits go and what is listened for, by the trunk's setting and what the
// peer offered.
func TestKeying(t *testing.T) {
	for _, tt := range []struct {
		setting string
		events  uint8
		keying  media.Keying
		detect  media.Detect
	}{
		{"", 101, media.Events, 0},
		{"auto", 101, media.Events, 0},
		{"auto", 0, media.Events, media.DetectKeys},
		{"rfc4733", 0, media.Events, 0},
		{"info", 101, media.Messages, 0},
		{"inband", 101, media.Tones, media.DetectKeys},
	} {
		keying, detect := sip.Keying(tt.setting, tt.events)
		if keying != tt.keying || detect != tt.detect {
			t.Errorf("%q with %d: %v, %v", tt.setting, tt.events, keying, detect)
		}
	}
}

func TestFaxIsListenedForBehindTrunks(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	w.call("cng")
	if r.leg().(cti.Faxing).Fax() == nil {
		t.Error("nobody listens for a fax of a trunk's caller")
	}
	desk := r.desk("127.0.0.1", "1001")
	desk.talk("nofax", "1001")
	if r.leg().(cti.Faxing).Fax() != nil {
		t.Error("a fax is listened for at a desk")
	}
}

// names is a name server that knows one host.
type names struct{ host string }

func (n names) LookupSRV(context.Context, string, string, string) (string, []*net.SRV, error) {
	return "", nil, &net.DNSError{IsNotFound: true}
}

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	if host != n.host {
		return nil, &net.DNSError{IsNotFound: true}
	}
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// Routes by name, loose and strict, in both roles.
func TestRoutes(t *testing.T) {
	port := func(w *raw) string { return w.addr()[strings.LastIndexByte(w.addr(), ':'):] }
	known := func(c *sip.Config, _ *rig) { *c = c.WithResolver(names{"proxy.example"}) }
	check := func(t *testing.T, bye *ctitest.Message, uri string, routes ...string) {
		t.Helper()
		if got := bye.All("Route"); bye.URI() != uri || strings.Join(got, " ") != strings.Join(routes, " ") {
			t.Errorf("BYE %s, Route %q; want %s, %q", bye.URI(), got, uri, routes)
		}
	}
	t.Run("callee, loose", func(t *testing.T) {
		r := start(t, known)
		w, proxy := r.raw("127.0.0.1"), r.raw("127.0.0.1")
		one, two := "<sip:proxy.example"+port(proxy)+";lr>", "<sip:192.0.2.1;lr>"
		w.call("loose", "Content-Type", "Record-Route: "+one+", "+two+"\r\nContent-Type")
		r.leg().Hangup(cti.CauseNormal)
		check(t, proxy.request("BYE"), "sip:caller@"+w.addr(), one, two)
	})
	t.Run("callee, strict", func(t *testing.T) {
		r := start(t, known)
		w, proxy := r.raw("127.0.0.1"), r.raw("127.0.0.1")
		one, two := "sip:proxy.example"+port(proxy), "<sip:192.0.2.1>"
		w.call("strict", "Content-Type", "Record-Route: <"+one+">\r\nRecord-Route: "+two+"\r\nContent-Type")
		r.leg().Hangup(cti.CauseNormal)
		check(t, proxy.request("BYE"), one, two, "<sip:caller@"+w.addr()+">")
	})
	t.Run("caller", func(t *testing.T) {
		w, proxy := carrierSocket(t), carrierSocket(t)
		r := start(t, w.toward(), known)
		leg := r.dial("trunk:out/139")
		one, two := "<sip:proxy.example"+port(proxy)+";lr>", "<sip:192.0.2.1;lr>"
		w.reply(w.request("INVITE"), 200, "uas", "Record-Route", two, "Record-Route", one)
		if err := leg.Answer(patient(t)); err != nil {
			t.Fatal(err)
		}
		check(t, proxy.request("ACK"), "sip:carrier@"+w.addr(), one, two)
		leg.Hangup(cti.CauseNormal)
		check(t, proxy.request("BYE"), "sip:carrier@"+w.addr(), one, two)
	})
	t.Run("a host that is not found", func(t *testing.T) {
		r := start(t, known)
		w := r.raw("127.0.0.1")
		w.call("nowhere", "Content-Type", "Record-Route: <sip:none.example;lr>\r\nContent-Type")
		r.leg().Hangup(cti.CauseNormal)
		check(t, w.request("BYE"), "sip:caller@"+w.addr(), "<sip:none.example;lr>")
	})
	t.Run("a contact with a name", func(t *testing.T) {
		r := start(t, known)
		w, other := r.raw("127.0.0.1"), r.raw("127.0.0.1")
		w.call("named", "<sip:caller@{me}>", "<sip:caller@proxy.example"+port(other)+">")
		r.leg().Hangup(cti.CauseNormal)
		check(t, other.request("BYE"), "sip:caller@proxy.example"+port(other))
	})
}
