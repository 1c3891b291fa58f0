package v253_test

import (
	"errors"
	"testing"
	"time"

	"github.com/tarm/serial"
	"go.uber.org/goleak"

	"callbox/firmware/exchange"
	"callbox/voicebox/boxtest"
	"callbox/voicebox/v253"
)

// openTerminal is the port as the daemon opens it.
func openTerminal(t *testing.T, b *boxtest.Bench) *v253.Modem {
	t.Helper()
	port, err := serial.OpenPort(&serial.Config{Name: b.Path, Baud: 115200, ReadTimeout: 100 * time.Millisecond})
	must(t, err)
	return open(t, port, "auto")
}

// A call over a pseudo-terminal and tarm/serial, in real time; then the cable
// is torn out.
func TestTerminal(t *testing.T) {
	if testing.Short() {
		t.Skip("three seconds of real time")
	}
	before := goleak.IgnoreCurrent()
	b := boxtest.Start(t, boxtest.Options{Pty: true, Log: logger(t)})
	m := openTerminal(t, b)
	start := time.Now()
	must(t, m.Reset(t.Context()))
	t.Logf("reset in %v", time.Since(start))
	s := talking(t, b, m)
	bothWaysAt(t, b, s, 0.7) // a busy machine leaves gaps
	must(t, b.Exchange.Press(t.Context(), exchange.Caller, "5"))
	if e := next(t, m, v253.DigitBegan, 5*time.Second); e.Digit != '5' {
		t.Errorf("digit %c", e.Digit)
	}
	start = time.Now()
	must(t, s.End(t.Context()))
	t.Logf("stream ended in %v", time.Since(start))
	must(t, m.OnHook(t.Context()))

	start = time.Now()
	b.Unplug()
	select {
	case <-m.Done():
		t.Logf("lost cable noticed after %v", time.Since(start))
	case <-time.After(2 * time.Second):
		t.Error("the lost cable was not noticed within 2 s")
	}
	if !errors.Is(m.Err(), v253.ErrLost) {
		t.Errorf("Err = %v", m.Err())
	}
	_ = m.Close()
	b.End()
	goleak.VerifyNone(t, before)
}

// Close while nothing comes: the reader, which Close does not wake, is gone.
func TestTerminalCloses(t *testing.T) {
	b := boxtest.Start(t, boxtest.Options{Pty: true, Log: logger(t)})
	must(t, openTerminal(t, b).Close()) // by now all of the bench is up
	before := goleak.IgnoreCurrent()
	m := openTerminal(t, b) // and the port is free
	start := time.Now()
	must(t, m.Close())
	if took := time.Since(start); took > time.Second {
		t.Errorf("Close took %v", took)
	}
	goleak.VerifyNone(t, before)
}
