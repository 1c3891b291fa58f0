package v253_test

import (
	"errors"
	"math/rand/v2"
	"testing"
	"time"

	"callbox/firmware/exchange"
	"callbox/voicebox/boxtest"
	"callbox/voicebox/v253"
)

func random(n int) []byte {
	r := rand.New(rand.NewPCG(253, 2))
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	return b
}

// events are those that wait.
func events(m *v253.Modem) (all []v253.Event) {
	for {
		select {
		case e := <-m.Events():
			all = append(all, e)
		default:
			return all
		}
	}
}

// 1 MB of random bytes on an idle line: no ring, and the next is understood.
func TestNoiseOnAnIdleLine(t *testing.T) {
	onBench(t, boxtest.Options{}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		for noise := random(1 << 20); len(noise) > 0; noise = noise[1024:] {
			b.ToHost.Inject(noise[:1024])
		}
		time.Sleep(time.Second)
		for _, e := range events(m) {
			if e.Kind == v253.Ring || e.Kind == v253.CallerID {
				t.Errorf("heard %v out of noise", e.Kind)
			}
		}
		must(t, b.Exchange.StartRinging(t.Context(), call("13812345678", "", "fsk")))
		start := time.Now()
		next(t, m, v253.Ring, time.Second)
		t.Logf("the ring was told %v after it began", time.Since(start))
		if c := next(t, m, v253.CallerID, 4*time.Second).Caller; c.Number != "13812345678" {
			t.Errorf("caller %+v", c)
		}
		must(t, m.Check(t.Context()))
	})
}

// 1 MB of random bytes inside a call's sound: the stream goes on, and the
// sound behind it is whole after a frame.
func TestNoiseInACall(t *testing.T) {
	onBench(t, boxtest.Options{}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		s := talking(t, b, m)
		events(m)
		b.ToHost.Freeze()
		done := make(chan struct{})
		go func() {
			defer close(done)
			for noise := random(1 << 20); len(noise) > 0; noise = noise[1024:] {
				b.ToHost.Inject(noise[:1024])
			}
		}()
		b.ToHost.Thaw()
		<-done
		time.Sleep(100 * time.Millisecond)
		for len(s.Frames()) > 0 {
			<-s.Frames()
		}
		if err := s.Err(); err != nil {
			t.Fatalf("the stream ended: %v", err)
		}
		for _, e := range events(m) {
			if e.Kind == v253.Ring || e.Kind == v253.CallerID {
				t.Errorf("heard %v out of noise", e.Kind)
			}
		}
		bothWays(t, b, s)
		must(t, m.OnHook(t.Context()))
		must(t, b.Exchange.Reach(t.Context(), exchange.Idle))
	})
}

// One byte in 2000 from the box is lost (5 to 10 a second of 16-bit sound).
func TestBytesLostInACall(t *testing.T) {
	onBench(t, boxtest.Options{}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		s := talking(t, b, m)
		must(t, b.Exchange.Say(t.Context(), exchange.Caller, &tone{hz: 400, amplitude: 5000}))
		b.ToHost.DropEvery(2000)
		clean, n := 0, 0
		for frame := range s.Frames() {
			_ = s.Write(make([]int16, v253.Frame))
			if n++; n == 1000 {
				break
			}
			if has(frame, 400) > 0.9 {
				clean++
			}
		}
		_, _, slips := s.Counts()
		t.Logf("%d of %d frames are clean, %d bytes were mended", clean, n, slips)
		if clean < n*2/3 {
			t.Errorf("only %d of %d frames are clean", clean, n)
		}
		b.ToHost.DropEvery(0)
		for range 3 {
			<-s.Frames()
		}
		if frame := <-s.Frames(); has(frame, 400) < 0.98 {
			t.Error("the sound is not whole again after three frames")
		}
		must(t, m.OnHook(t.Context()))
		must(t, b.Exchange.Reach(t.Context(), exchange.Idle))
	})
}

// Every event comes twice: told once.
func TestDoubledEvents(t *testing.T) {
	onBench(t, boxtest.Options{Exchange: exchange.Config{Polarity: true}}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		b.ToHost.DoubleEvents(true)
		ctx := t.Context()
		must(t, b.Exchange.StartRinging(ctx, call("13812345678", "", "fsk")))
		time.Sleep(6 * time.Second)
		must(t, m.OffHook(ctx))
		must(t, b.Exchange.Answered(ctx))
		s, err := m.Talk(ctx)
		must(t, err)
		must(t, b.Exchange.Press(ctx, exchange.Caller, "11"))
		time.Sleep(time.Second)
		must(t, s.End(ctx))
		count := map[v253.Kind]int{}
		for _, e := range events(m) {
			count[e.Kind]++
		}
		want := map[v253.Kind]int{v253.Ring: 2, v253.CallerID: 1, v253.DigitBegan: 2, v253.DigitEnded: 2, v253.Reversed: 1}
		for kind, n := range want {
			if count[kind] != n {
				t.Errorf("%v came %d times, want %d", kind, count[kind], n)
			}
		}
	})
}

// The path is 150 ms slow: a call is still a call.
func TestSlowPath(t *testing.T) {
	onBench(t, boxtest.Options{}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		b.ToHost.Delay(150 * time.Millisecond)
		b.ToBox.Delay(50 * time.Millisecond)
		start := time.Now()
		must(t, m.Reset(t.Context()))
		t.Logf("reset in %v", time.Since(start))
		s := talking(t, b, m)
		for range 10 {
			<-s.Frames()
		}
		must(t, s.End(t.Context()))
		must(t, m.OnHook(t.Context()))
	})
}

// Nothing comes through for a second: the call goes on. For three: it ends,
// and the box is found again.
func TestFrozenPath(t *testing.T) {
	onBench(t, boxtest.Options{}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		s := talking(t, b, m)
		freeze(t, b, s, time.Second)
		for len(s.Frames()) > 0 {
			<-s.Frames()
		}
		bothWays(t, b, s)
		freeze(t, b, s, 3*time.Second)
		drain(s)
		if !errors.Is(s.Err(), v253.ErrSilent) {
			t.Errorf("stream: %v", s.Err())
		}
		must(t, m.Reset(t.Context()))
		must(t, b.Exchange.Reach(t.Context(), exchange.Idle))
		bothWays(t, b, talking(t, b, m))
	})
}

// freeze stops the path for d; writing does not stop the writer.
func freeze(t *testing.T, b *boxtest.Bench, s *v253.Stream, d time.Duration) {
	t.Helper()
	b.ToHost.Freeze()
	b.ToBox.Freeze()
	for start := time.Now(); time.Since(start) < d; time.Sleep(20 * time.Millisecond) {
		began := time.Now()
		_ = s.Write(make([]int16, v253.Frame))
		if took := time.Since(began); took > 100*time.Millisecond {
			t.Fatalf("Write took %v", took)
		}
	}
	b.ToHost.Thaw()
	b.ToBox.Thaw()
	time.Sleep(100 * time.Millisecond)
}
