package media_test

import (
	"context"
	"errors"
	"net/netip"
	"testing"

	"go.uber.org/goleak"

	"callbox/cti/media"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestPlain(t *testing.T) {
	conformance(t, func(t *testing.T) media.Engine {
		return run(t, media.Config{PortMin: 30000, PortMax: 39999})
	})
}

func run(t testing.TB, cfg media.Config) *media.Plain {
	t.Helper()
	e, err := media.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- e.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	return e
}

func TestPortsRunOut(t *testing.T) {
	e := run(t, media.Config{PortMin: 40001, PortMax: 40007})
	local := netip.MustParseAddr("127.0.0.1")
	var open []media.RTP
	for {
		p, err := e.Open(local)
		if err != nil {
			if !errors.Is(err, media.ErrNoPorts) {
				t.Fatal(err)
			}
			break
		}
		open = append(open, p)
	}
	if len(open) != 3 {
		t.Errorf("%d pairs in 40001-40007, want 3", len(open))
	}
	_ = open[0].Close()
	if _, err := e.Open(local); !errors.Is(err, media.ErrNoPorts) {
		t.Errorf("a port was used again at once: %v", err)
	}
}

func TestConfigValidate(t *testing.T) {
	for _, c := range []media.Config{{PortMin: 5000, PortMax: 4000}, {PortMin: 80, PortMax: 90}, {PortMin: 4000, PortMax: 4001}} {
		if _, err := media.New(c); err == nil {
			t.Errorf("New(%+v) took a bad range", c)
		}
	}
}

func TestOpenAfterRun(t *testing.T) {
	e, err := media.New(media.Config{})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := e.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Open(netip.MustParseAddr("127.0.0.1")); !errors.Is(err, media.ErrClosed) {
		t.Errorf("Open = %v, want ErrClosed", err)
	}
	if _, err := e.Open(netip.MustParseAddr("192.0.2.1")); err == nil {
		t.Error("a foreign address was bound")
	}
}
