package client

import (
	"context"
	"errors"
	"net"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cmpp"
	"callbox/sms"
)

// What is claimed beyond the windows may be unknown after a crash and never
// have left.
func TestCapacityIsTheWindows(t *testing.T) {
	c, err := New(Config{Name: "a", Address: "h:1", SPID: "1", Window: 16, Connections: 3})
	if err != nil {
		t.Fatal(err)
	}
	if got := c.Capacity(); got != 48 {
		t.Errorf("Capacity = %d, want 48", got)
	}
}

// TestSlowAnswersHalveTheWindow at a quarter of the time they may take, once
// for those that were open together, and answers in time bring it back one by
// one.
func TestSlowAnswersHalveTheWindow(t *testing.T) {
	inBubble(t, func(c *Config) { still(c); c.Window = 8 }, func(t *testing.T, b *bubble) {
		e := b.accept()
		round := func(n int, wait time.Duration) {
			t.Helper()
			var open []frame
			for range n {
				b.submit("1")
			}
			for range n {
				f, _ := next[*cmpp.Submit](e)
				open = append(open, f)
			}
			time.Sleep(wait)
			for _, f := range open {
				e.answer(f, cmpp.ResultOK)
			}
			synctest.Wait()
		}
		want := func(limit int) {
			t.Helper()
			if s := b.client.State(); s.Window != limit || s.WindowUsed != 0 || b.client.Capacity() != limit {
				t.Errorf("%+v, capacity %d, want %d", s, b.client.Capacity(), limit)
			}
		}
		round(8, 15*time.Second-1)
		want(8)
		round(8, 15*time.Second)
		want(4)
		round(4, 20*time.Second)
		want(2)
		round(1, 15*time.Second)
		want(1)
		round(1, 15*time.Second)
		want(1)
		round(1, time.Second)
		want(2)
		round(2, time.Second)
		want(3)
		for range 3 + 4 + 5 + 6 + 7 - 1 {
			round(1, time.Millisecond)
		}
		want(7)
		round(1, time.Millisecond)
		want(8)
	})
}

// TestHalvedWindowIsHeld: messages beyond it wait.
func TestHalvedWindowIsHeld(t *testing.T) {
	inBubble(t, func(c *Config) { still(c); c.Window = 4 }, func(t *testing.T, b *bubble) {
		e := b.accept()
		b.submit("1")
		f, _ := next[*cmpp.Submit](e)
		time.Sleep(20 * time.Second)
		e.answer(f, cmpp.ResultOK)
		for range 4 {
			b.submit("1")
		}
		next[*cmpp.Submit](e)
		next[*cmpp.Submit](e)
		e.quiet()
	})
}

// TestStalledConnectionStopsNoOther: it keeps what it has and takes nothing
// more, the other one goes on, and when it is given up its room comes back.
func TestStalledConnectionStopsNoOther(t *testing.T) {
	inBubble(t, func(c *Config) { still(c); c.Window, c.Connections = 4, 2 }, func(t *testing.T, b *bubble) {
		stalled, other := b.accept(), b.accept()
		serve := func(f frame) { other.answer(f, cmpp.ResultOK) }
		var stuck []<-chan outcome
		for len(stalled.frames) < 2 { // both take what comes
			done := b.submit("1")
			synctest.Wait()
			if len(other.frames) > 0 {
				f, _ := next[*cmpp.Submit](other)
				serve(f)
				<-done
				continue
			}
			stuck = append(stuck, done)
		}
		time.Sleep(15 * time.Second)
		synctest.Wait()
		if s := b.client.State(); s.Window != 2+4 || s.WindowUsed != 2 || b.client.Capacity() != 2+4 {
			t.Errorf("%+v, capacity %d", s, b.client.Capacity())
		}
		for range 100 {
			done := b.submit("2")
			f, _ := next[*cmpp.Submit](other)
			serve(f)
			if o := <-done; o.err != nil {
				t.Fatal(o.err)
			}
		}
		for _, done := range stuck {
			if o := <-done; !errors.Is(o.err, sms.ErrUncertain) {
				t.Error(o.err)
			}
		}
		<-b.ends
		synctest.Wait()
		if s := b.client.State(); s.Window != 8 || s.WindowUsed != 0 || b.client.Capacity() != 8 {
			t.Errorf("after it was given up: %+v, capacity %d", s, b.client.Capacity())
		}
	})
}

// TestBlockedWriteStopsNoOther: a connection whose peer takes nothing off it
// waits in a write; the other one carries all.
func TestBlockedWriteStopsNoOther(t *testing.T) {
	var first stuckOnce
	inBubble(t, func(c *Config) {
		still(c)
		c.Connections = 2
		dial := c.Dial
		c.Dial = func(ctx context.Context) (net.Conn, error) {
			conn, err := dial(ctx)
			return first.wrap(conn), err
		}
	}, func(t *testing.T, b *bubble) {
		ends := []*end{b.accept(), b.accept()}
		first.stop.Store(true)
		back := 0
		for range 40 {
			done := b.submit("1")
			synctest.Wait()
			for _, e := range ends {
				if len(e.frames) > 0 {
					f, _ := next[*cmpp.Submit](e)
					e.answer(f, cmpp.ResultOK)
				}
			}
			if first.waits.Load() && back == 0 {
				back++ // this one is with the stuck connection
				continue
			}
			start := time.Now()
			if o := <-done; o.err != nil || time.Since(start) > 0 {
				t.Errorf("after %v: %v", time.Since(start), o.err)
			}
		}
		if back != 1 {
			t.Errorf("%d messages with the stuck connection", back)
		}
		first.stop.Store(false)
	})
}

// stuckOnce makes one connection whose writes wait for their deadline while
// stop is set.
type stuckOnce struct {
	made, stop, waits atomic.Bool
}

func (s *stuckOnce) wrap(conn net.Conn) net.Conn {
	if s.made.Swap(true) {
		return conn
	}
	return &stuckConn{Conn: conn, of: s}
}

type stuckConn struct {
	net.Conn
	of    *stuckOnce
	limit time.Time
}

func (c *stuckConn) SetWriteDeadline(t time.Time) error {
	c.limit = t
	return c.Conn.SetWriteDeadline(t)
}

func (c *stuckConn) Write(b []byte) (int, error) {
	if !c.of.stop.Load() {
		return c.Conn.Write(b)
	}
	c.of.waits.Store(true)
	time.Sleep(time.Until(c.limit))
	return 0, context.DeadlineExceeded
}

// TestLongMessageStaysOnItsConnection: wider than the window, it stays on one connection, in order.
func TestLongMessageStaysOnItsConnection(t *testing.T) {
	inBubble(t, func(c *Config) { still(c); c.Window, c.Connections = 2, 3 }, func(t *testing.T, b *bubble) {
		ends := []*end{b.accept(), b.accept(), b.accept()}
		done := b.submit("一", "二", "三", "四", "五", "六", "七")
		var on *end
		for i := range 7 {
			synctest.Wait()
			for _, e := range ends {
				if on == nil && len(e.frames) > 0 {
					on = e
				}
			}
			f, p := next[*cmpp.Submit](on)
			if int(p.PkNumber) != i+1 {
				t.Errorf("part %d, want %d", p.PkNumber, i+1)
			}
			on.answer(f, cmpp.ResultOK)
		}
		if o := <-done; o.err != nil || len(o.receipt.Parts) != 7 {
			t.Errorf("%+v", o)
		}
		for _, e := range ends {
			e.quiet()
		}
	})
}

// TestBothAnswersToAResentSubmit: the late first answer counts, the second is
// to nothing that is open.
func TestBothAnswersToAResentSubmit(t *testing.T) {
	for name, second := range map[string]cmpp.Result{"again": cmpp.ResultOK, "duplicate": cmpp.ResultDuplicate, "refused": cmpp.ResultService} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, still, func(t *testing.T, b *bubble) {
				e := b.accept()
				done := b.submit("1")
				first, _ := next[*cmpp.Submit](e)
				again, _ := next[*cmpp.Submit](e)
				if again.sequence != first.sequence {
					t.Error("another sequence")
				}
				e.send(first.sequence, &cmpp.SubmitResp{MsgID: 11})
				e.send(again.sequence, &cmpp.SubmitResp{MsgID: 12, Result: second})
				if o := <-done; o.err != nil || o.receipt.Parts[0] != "000000000000000b" {
					t.Errorf("%+v", o)
				}
				next2 := b.submit("2")
				f, _ := next[*cmpp.Submit](e)
				e.answer(f, cmpp.ResultOK)
				if o := <-next2; o.err != nil {
					t.Error(o.err)
				}
				if used := b.client.State().WindowUsed; used != 0 {
					t.Errorf("window used %d", used)
				}
			})
		})
	}
}

// TestDuplicateOfAFirstTry is a refusal: nothing was sent twice.
func TestDuplicateOfAFirstTry(t *testing.T) {
	inBubble(t, still, func(t *testing.T, b *bubble) {
		e := b.accept()
		done := b.submit("1")
		f, _ := next[*cmpp.Submit](e)
		e.answer(f, cmpp.ResultDuplicate)
		if o := <-done; !isRejected(o.err) {
			t.Errorf("%+v", o)
		}
	})
}
