package client

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cmpp"
	"callbox/cmpp/cmpptest"
	"callbox/internal/guard"
	"callbox/sms"
)

// TestRefusedForItsVersion: status 4 is asked again once with 2.0; when that is
// refused too, the account waits like any other refused one and then begins
// from its own version.
func TestRefusedForItsVersion(t *testing.T) {
	refused(t, cmpp.ConnectTooHigh, cmpp.V30, func(g *gateway) {
		want := []cmpp.Version{cmpp.V30, cmpp.V20, cmpp.V30, cmpp.V20}
		if got := g.versions(); !slices.Equal(got[:4], want) {
			t.Errorf("asked for %v, want %v", got, want)
		}
		at := g.dialled()
		if gap := at[1].Sub(at[0]); gap > 2*time.Second {
			t.Errorf("2.0 after %v", gap)
		}
		if gap := at[2].Sub(at[1]); gap < time.Minute {
			t.Errorf("refused twice, again after %v", gap)
		}
	})
}

// TestRefusedLogins wait a minute at the least, and are never asked again with
// another version.
func TestRefusedLogins(t *testing.T) {
	for _, status := range []cmpp.ConnectStatus{1, cmpp.ConnectSource, cmpp.ConnectAuth, 5, 105} {
		for _, v := range []cmpp.Version{cmpp.V20, cmpp.V30} {
			refused(t, status, v, func(g *gateway) {
				for _, asked := range g.versions() {
					if asked != v {
						t.Errorf("status %v: asked for %v", status, asked)
					}
				}
				at := g.dialled()
				for i := range at[1:] {
					if gap := at[i+1].Sub(at[i]); gap < time.Minute {
						t.Errorf("status %v: again after %v", status, gap)
					}
				}
			})
		}
	}
}

// TestTooHighForTwo: who asks for 2.0 has no lower version to fall back to.
func TestTooHighForTwo(t *testing.T) {
	refused(t, cmpp.ConnectTooHigh, cmpp.V20, func(g *gateway) {
		if at := g.dialled(); at[1].Sub(at[0]) < time.Minute {
			t.Errorf("log-ins at %v", at)
		}
	})
}

func TestJitterIsDrawnForEachWait(t *testing.T) {
	seen := map[time.Duration]bool{}
	for range 20 {
		d := jitter(time.Minute, false)
		if d < 48*time.Second || d > 72*time.Second {
			t.Errorf("%v is more than a fifth off", d)
		}
		seen[d] = true
		if least := jitter(time.Minute, true); least < time.Minute || least > 72*time.Second {
			t.Errorf("%v, at least a minute is wanted", least)
		}
	}
	if len(seen) < 10 {
		t.Error("the same waits again and again")
	}
}

func listen(t *testing.T) net.Listener {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = ln.Close() })
	return ln
}

func TestBindAddress(t *testing.T) {
	ln := listen(t)
	for bind, want := range map[string]string{"127.0.0.2": "127.0.0.2:", "127.0.0.3:0": "127.0.0.3:", "": "127.0.0.1:"} {
		cfg := Config{Address: ln.Addr().String(), BindAddress: bind}
		conn, err := cfg.dialTCP(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		peer, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		if got := peer.RemoteAddr().String(); !strings.HasPrefix(got, want) {
			t.Errorf("bound to %q, dialled from %s", bind, got)
		}
		_, _ = conn.Close(), peer.Close()
	}
	cfg := Config{Address: ln.Addr().String(), BindAddress: "192.0.2.1"}
	if _, err := cfg.dialTCP(t.Context()); err == nil {
		t.Error("dialled from an address that is not here")
	}
}

// TestGatewayGoesSilent: over a real socket, a peer that takes nothing off it
// any more is found by the ACTIVE_TESTs that go unanswered, and what was on its
// way ends uncertain.
func TestGatewayGoesSilent(t *testing.T) {
	t.Parallel()
	p := connect(t, Config{ActiveTest: 50 * time.Millisecond, ResponseTimeout: 50 * time.Millisecond}, cmpptest.Config{})
	p.centre.SetFaults(cmpptest.Faults{Stall: true})
	start := time.Now()
	if _, err := p.submit("1"); !errors.Is(err, sms.ErrUncertain) {
		t.Error(err)
	}
	if took := time.Since(start); took > 2*time.Second {
		t.Errorf("found after %v", took)
	}
	p.centre.SetFaults(cmpptest.Faults{})
	p.ready()
}

// refused has a client ask a gateway that refuses for an hour.
func refused(t *testing.T, status cmpp.ConnectStatus, v cmpp.Version, check func(g *gateway)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.status = status
		c, err := New(Config{Name: "cmcc", SPID: "901234", Secret: "secret", Version: v, Dial: g.dial})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), time.Hour)
		defer stop()
		var group guard.Group
		group.Go("client", func() { _ = c.Run(ctx, newShelf()) })
		group.Wait()
		if len(g.dialled()) < 4 {
			t.Fatalf("%d log-ins in an hour", len(g.dialled()))
		}
		if s := c.State(); s.Up || !strings.HasPrefix(s.Why, "log") {
			t.Errorf("%+v", s)
		}
		check(g)
		g.group.Wait()
	})
}

// TestGatewaysOwnAuthentication may digest its status as 2.0 or as 3.0 does,
// whatever is spoken; one that knows another secret is only noted.
func TestGatewaysOwnAuthentication(t *testing.T) {
	l := &link{c: &Client{cfg: Config{SPID: "901234", Secret: "secret", Zone: time.UTC}}}
	ask := l.connect(time.Unix(1_785_000_000, 0))
	for secret, want := range map[string]bool{"secret": true, "other": false} {
		for _, v := range []cmpp.Version{cmpp.V20, cmpp.V30} {
			resp := &cmpp.ConnectResp{Version: cmpp.V20, Auth: cmpp.ISMGAuthenticator(cmpp.ConnectOK, ask.Auth, secret, v)}
			if got := l.genuine(ask, resp); got != want {
				t.Errorf("secret %q, as %v: %v", secret, v, got)
			}
		}
	}
}
