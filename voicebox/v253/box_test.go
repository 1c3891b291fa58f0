package v253_test

import (
	"io"
	"log/slog"
	"math"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti/media/dsp"
	"callbox/firmware/exchange"
	"callbox/voicebox/boxtest"
	"callbox/voicebox/v253"
)

// The firmware's own box, on a line with an exchange: what every profile is
// modelled on. The line runs in real time of a synctest bubble.

func logger(t *testing.T) *slog.Logger {
	if os.Getenv("V253_LOG") == "" {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}

// onBench runs a test with an open box in a bubble.
func onBench(t *testing.T, o boxtest.Options, test func(t *testing.T, b *boxtest.Bench, m *v253.Modem)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		o.Log = logger(t)
		b := boxtest.Start(t, o)
		test(t, b, open(t, b.Port(), "auto"))
	})
}

func open(t *testing.T, port io.ReadWriteCloser, profile string) *v253.Modem {
	t.Helper()
	start := time.Now()
	m, err := v253.Open(t.Context(), port, v253.Config{Profile: profile, Log: logger(t)})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Logf("opened in %v", time.Since(start))
	t.Cleanup(func() { _ = m.Close() })
	return m
}

// next waits for an event of a kind; others before it are passed over.
func next(t *testing.T, m *v253.Modem, want v253.Kind, within time.Duration) v253.Event {
	t.Helper()
	limit := time.After(within)
	for {
		select {
		case e := <-m.Events():
			if e.Kind == want {
				return e
			}
			t.Logf("passed over: %v", e.Kind)
		case <-limit:
			t.Fatalf("no %v within %v", want, within)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tone is a sine without end.
type tone struct {
	hz, amplitude float64
	n             int
}

func (s *tone) Fill(to []int16) int {
	for i := range to {
		to[i] = int16(s.amplitude * math.Sin(2*math.Pi*s.hz*float64(s.n)/8000))
		s.n++
	}
	return len(to)
}

// has says how much of samples is a tone, 0 to 1.
func has(samples []int16, hz float64) float64 {
	var re, im, all float64
	for i, s := range samples {
		x, w := float64(s), 2*math.Pi*hz*float64(i)/8000
		re, im, all = re+x*math.Cos(w), im+x*math.Sin(w), all+x*x
	}
	if all == 0 {
		return 0
	}
	return 2 * (re*re + im*im) / (all * float64(len(samples)))
}

func TestBoxOpens(t *testing.T) {
	onBench(t, boxtest.Options{Serial: "A6008"}, func(t *testing.T, _ *boxtest.Bench, m *v253.Modem) {
		want := v253.Identity{Profile: "callbox", Maker: "callbox", Model: "callbox voice box 1.0", Version: "1.0", Serial: "A6008"}
		if got := m.Identity(); got != want {
			t.Errorf("Identity = %+v, want %+v", got, want)
		}
		must(t, m.Check(t.Context()))
		must(t, m.Reset(t.Context()))
	})
}

// A whole incoming call: ring, number, answer, tones both ways, digits, hang-up.
func TestBoxIncoming(t *testing.T) {
	onBench(t, boxtest.Options{Exchange: exchange.Config{Polarity: true}}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		ctx := t.Context()
		must(t, b.Exchange.StartRinging(ctx, call("13812345678", "张三", "fsk")))
		next(t, m, v253.Ring, 2*time.Second)
		next(t, m, v253.RingEnded, 2*time.Second)
		if c := next(t, m, v253.CallerID, 4*time.Second).Caller; c.Number != "13812345678" || c.Name != "张三" {
			t.Errorf("caller %+v", c)
		}
		must(t, m.OffHook(ctx))
		must(t, b.Exchange.Answered(ctx))
		next(t, m, v253.Reversed, time.Second)
		s, err := m.Talk(ctx)
		must(t, err)
		bothWays(t, b, s)
		must(t, b.Exchange.Press(ctx, exchange.Caller, "1*#"))
		for _, digit := range []byte("1*#") {
			if e := next(t, m, v253.DigitBegan, time.Second); e.Digit != digit {
				t.Errorf("digit %c, want %c", e.Digit, digit)
			}
			next(t, m, v253.DigitEnded, time.Second)
		}
		must(t, b.Exchange.HangUp(ctx))
		next(t, m, v253.Reversed, time.Second)
		next(t, m, v253.Busy, 3*time.Second)
		must(t, m.OnHook(ctx))
		must(t, b.Exchange.Reach(ctx, exchange.Idle))
		if _, open := <-s.Frames(); open {
			drain(s)
		}
	})
}

// talking rings and answers.
func talking(t *testing.T, b *boxtest.Bench, m *v253.Modem) *v253.Stream {
	t.Helper()
	must(t, b.Exchange.StartRinging(t.Context(), call("", "", "")))
	next(t, m, v253.Ring, 4*time.Second)
	must(t, m.OffHook(t.Context()))
	must(t, b.Exchange.Answered(t.Context()))
	s, err := m.Talk(t.Context())
	must(t, err)
	return s
}

func drain(s *v253.Stream) {
	for range s.Frames() {
	}
}

// bothWays sends 700 Hz from here and 400 Hz from the caller, for a second.
func bothWays(t *testing.T, b *boxtest.Bench, s *v253.Stream) {
	t.Helper()
	bothWaysAt(t, b, s, 0.98)
}

// bothWaysAt is bothWays where at least so much must be the tones.
func bothWaysAt(t *testing.T, b *boxtest.Bench, s *v253.Stream, least float64) {
	t.Helper()
	ctx := t.Context()
	must(t, b.Exchange.Say(ctx, exchange.Caller, &tone{hz: 400, amplitude: 5000}))
	tape := &exchange.Tape{}
	stop, err := b.Exchange.Listen(ctx, tape)
	must(t, err)
	ours := &tone{hz: 700, amplitude: 8000}
	var heard []int16
	frame := make([]int16, v253.Frame)
	for range v253.HeadStart {
		ours.Fill(frame)
		must(t, s.Write(frame))
	}
	for range 50 {
		heard = append(heard, <-s.Frames()...)
		ours.Fill(frame)
		must(t, s.Write(frame))
	}
	stop()
	must(t, b.Exchange.Say(ctx, exchange.Caller, nil))
	if p := has(heard[1600:], 400); p < least {
		t.Errorf("we hear 400 Hz at %.2f of the sound", p)
	}
	if p := has(tape.Sound[2400:len(tape.Sound)-800], 700); p < least {
		t.Errorf("the caller hears 700 Hz at %.2f of the sound", p)
	}
}

func TestBoxCallerIDInDTMF(t *testing.T) {
	onBench(t, boxtest.Options{}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		must(t, b.Exchange.StartRinging(t.Context(), call("05718880001", "", "dtmf")))
		if c := next(t, m, v253.CallerID, 5*time.Second).Caller; c.Number != "05718880001" {
			t.Errorf("caller %+v", c)
		}
		next(t, m, v253.Ring, 5*time.Second)
	})
}

func TestBoxDials(t *testing.T) {
	onBench(t, boxtest.Options{}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		ctx := t.Context()
		must(t, m.OffHook(ctx))
		next(t, m, v253.DialTone, 3*time.Second)
		must(t, m.Dial(ctx, "13900001111"))
		next(t, m, v253.Ringback, 8*time.Second)
		must(t, b.Exchange.Answered(ctx))
		if s, err := b.Exchange.Status(ctx); err != nil || s.Dialled != "13900001111" {
			t.Errorf("dialled %q (%v)", s.Dialled, err)
		}
		must(t, m.Flash(ctx, 300*time.Millisecond))
		must(t, b.Exchange.ExpectFlash(ctx, time.Second))
		must(t, m.OnHook(ctx))
	})
}

// attend: the set beside the box is lifted, both people are heard, the box
// never goes off hook.
func TestBoxListens(t *testing.T) {
	onBench(t, boxtest.Options{}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		ctx := t.Context()
		must(t, b.Exchange.StartRinging(ctx, call("13812345678", "", "fsk")))
		next(t, m, v253.Ring, 2*time.Second)
		must(t, b.Exchange.Lift(ctx))
		next(t, m, v253.SetLifted, time.Second)
		s, err := m.Listen(ctx)
		must(t, err)
		must(t, b.Exchange.Say(ctx, exchange.Caller, &tone{hz: 400, amplitude: 5000}))
		must(t, b.Exchange.Say(ctx, exchange.Set, &tone{hz: 900, amplitude: 5000}))
		var heard []int16
		for range 50 {
			heard = append(heard, <-s.Frames()...)
		}
		if a, c := has(heard[1600:], 400), has(heard[1600:], 900); a < 0.4 || c < 0.4 {
			t.Errorf("400 Hz at %.2f, 900 Hz at %.2f of the sound", a, c)
		}
		if st, err := b.Exchange.Status(ctx); err != nil || st.BoxOff {
			t.Errorf("the box is off hook (%v)", err)
		}
		if err := s.Write(make([]int16, v253.Frame)); err == nil {
			t.Error("a listener may write")
		}
		must(t, b.Exchange.Replace(ctx))
		next(t, m, v253.SetReplaced, time.Second)
		must(t, s.End(ctx))
		must(t, m.Check(ctx))
	})
}

// The daemon died in a call: the next one finds the box in full duplex.
func TestBoxStuckInDuplex(t *testing.T) {
	for name, command := range map[string]string{"duplex": "AT+VTR\r", "sending": "AT+VTX\r", "receiving": "AT+VRX\r"} {
		t.Run(name, func(t *testing.T) {
			onBench(t, boxtest.Options{}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
				must(t, m.OffHook(t.Context()))
				port := b.Port()
				_, err := port.Write([]byte(command))
				must(t, err)
				time.Sleep(300 * time.Millisecond)
				_, err = port.Write([]byte("audio\x10")) // torn off behind a DLE
				must(t, err)
				start := time.Now()
				must(t, m.Reset(t.Context()))
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("found after %v", took)
				}
				t.Logf("found after %v", time.Since(start))
				must(t, m.OffHook(t.Context()))
			})
		})
	}
}

// The box loses power in a call: the stream ends, Reset waits for the box.
func TestBoxReboots(t *testing.T) {
	onBench(t, boxtest.Options{}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		ctx := t.Context()
		s := talking(t, b, m)
		<-s.Frames()
		b.Crash()
		start := time.Now()
		drain(s)
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("noticed after %v", took)
		}
		if err := m.Reset(ctx); err == nil {
			t.Fatal("a dead box was reset")
		}
		b.Boot()
		must(t, m.Reset(ctx))
		again := talking(t, b, m)
		bothWays(t, b, again)
		must(t, again.End(ctx))
	})
}

// Barge-in: what the box holds is not played any more.
func TestBoxClears(t *testing.T) {
	onBench(t, boxtest.Options{}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		s := talking(t, b, m)
		<-s.Frames()
		ours, frame := &tone{hz: 700, amplitude: 8000}, make([]int16, v253.Frame)
		for range 9 {
			ours.Fill(frame)
			must(t, s.Write(frame))
		}
		time.Sleep(25 * time.Millisecond)
		s.Clear()
		time.Sleep(20 * time.Millisecond)
		heard, err := b.Exchange.Hear(t.Context(), 200*time.Millisecond)
		must(t, err)
		if at := lastSound(heard); at > v253.Frame {
			t.Errorf("the tone is heard for %d samples more", at)
		}
		for len(s.Frames()) > 0 {
			<-s.Frames()
		}
		bothWays(t, b, s)
	})
}

// lastSound is the last sample that is not nearly silent.
func lastSound(samples []int16) int {
	for i := len(samples) - 1; i >= 0; i-- {
		if samples[i] > 100 || samples[i] < -100 {
			return i
		}
	}
	return 0
}

// A port with the ways of tarm/serial, and its Close while nothing comes.
func TestBoxBehindALazyPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := boxtest.Start(t, boxtest.Options{Log: logger(t)})
		m := open(t, boxtest.Lazy(b.Port().(net.Conn)), "callbox")
		bothWays(t, b, talking(t, b, m))
		must(t, m.OnHook(t.Context()))
		time.Sleep(3 * time.Second)
		start := time.Now()
		must(t, m.Close())
		if took := time.Since(start); took > 200*time.Millisecond {
			t.Errorf("Close took %v", took)
		}
	})
}

func TestBoxUnplugged(t *testing.T) {
	onBench(t, boxtest.Options{}, func(t *testing.T, b *boxtest.Bench, m *v253.Modem) {
		s := talking(t, b, m)
		<-s.Frames()
		start := time.Now()
		b.Unplug()
		<-m.Done()
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("noticed after %v", took)
		}
		drain(s)
		if err := m.Err(); err == nil || !strings.Contains(err.Error(), v253.ErrLost.Error()) {
			t.Errorf("Err = %v", err)
		}
	})
}

func call(number, name, mode string) exchange.Call {
	return exchange.Call{Caller: dsp.CallerID{Number: number, Name: name, Time: "03171656", Mode: mode}}
}
