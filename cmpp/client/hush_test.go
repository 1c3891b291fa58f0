package client

import (
	"encoding/binary"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cmpp"
)

func (l *logbook) keep(c *Config) { c.Log = slog.New(slog.NewTextHandler(l, nil)) }

// TestOddGatewayDoesNotFloodTheLog by answers nobody waits for, nor by commands
// nobody knows.
func TestOddGatewayDoesNotFloodTheLog(t *testing.T) {
	var log logbook
	inBubble(t, log.keep, func(t *testing.T, b *bubble) {
		e := b.accept()
		unknown := binary.BigEndian.AppendUint32(nil, cmpp.HeaderLen)
		unknown = append(unknown, 0, 0, 0x42, 0x42, 0, 0, 0, 1)
		for range 100 {
			e.send(999, &cmpp.SubmitResp{})
			_, _ = e.conn.Write(unknown)
		}
		synctest.Wait()
		for _, words := range []string{"answer to no open request", "not understood"} {
			if n := log.count(words); n != hushAfter {
				t.Errorf("%d lines of %q", n, words)
			}
		}
		done := b.submit("1")
		f, _ := next[*cmpp.Submit](e)
		e.answer(f, cmpp.ResultOK)
		if o := <-done; o.err != nil {
			t.Error(o.err)
		}
	})
}

// TestLostConnectionIsNoFaultOfTheStore: what it brought and could not be taken
// any more comes again.
func TestLostConnectionIsNoFaultOfTheStore(t *testing.T) {
	var log logbook
	inBubble(t, log.keep, func(t *testing.T, b *bubble) {
		e := b.accept()
		b.shelf.delay = time.Second
		body, err := (&cmpp.Report{MsgID: 1, Stat: "DELIVRD"}).Append(nil, cmpp.V30)
		if err != nil {
			t.Fatal(err)
		}
		e.send(5, &cmpp.Deliver{MsgID: 77, RegisteredDelivery: 1, MsgContent: body})
		synctest.Wait()
		_ = e.conn.Close()
		time.Sleep(500 * time.Millisecond)
		if log.count("connection down") != 1 || log.count("not taken") != 0 {
			t.Errorf("logged %q", log.b.String())
		}
	})
}

func TestSameWarningsAreHushed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var out strings.Builder
		s := newSaid()
		one := s.hushed(slog.New(slog.NewTextHandler(&out, nil))).With("connection", 1)
		two := s.hushed(slog.New(slog.NewTextHandler(&out, nil))).With("connection", 2)
		lines := func() []string {
			defer out.Reset()
			return strings.Split(strings.TrimSpace(out.String()), "\n")
		}
		for range 4 {
			one.Warn("odd")
			two.Warn("odd")
		}
		two.Warn("strange")
		one.Error("odd")
		if got := lines(); len(got) != hushAfter+2 || !strings.Contains(got[hushAfter], "strange") {
			t.Errorf("%d lines: %q", len(got), got)
		}
		time.Sleep(hushSpan - 1)
		one.Warn("odd")
		if got := lines(); got[0] != "" {
			t.Errorf("logged before the time: %q", got)
		}
		time.Sleep(time.Nanosecond)
		one.Warn("odd")
		one.Warn("odd")
		if got := lines(); len(got) != 2 || !strings.Contains(got[0], "left_out=4") || strings.Contains(got[1], "left_out") {
			t.Errorf("%q", got)
		}
	})
}
