package voicebox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/cti/media/dsp"
	"callbox/firmware/exchange"
	"callbox/voicebox/boxtest"
)

// town is lines on boxes with their firmware, each on a telephone exchange.
type town struct {
	lines   *Lines
	calls   *taker
	journal *notes
	benches map[string]*boxtest.Bench // by port
}

// inTown runs test on the fake clock: the driver, the firmware and the network
// are real, the serial path is a pipe with the ways of tarm/serial.
func inTown(t *testing.T, lines []Line, network exchange.Config, test func(t *testing.T, c *town)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		engine, err := media.New(media.Config{Log: quietLog()})
		if err != nil {
			t.Fatal(err)
		}
		c := &town{calls: &taker{make(chan cti.Leg, 64)}, journal: &notes{}, benches: map[string]*boxtest.Bench{}}
		for _, l := range lines {
			c.benches[l.Port] = boxtest.Start(t, boxtest.Options{Exchange: network, Serial: l.Label})
		}
		open := func(port string) (io.ReadWriteCloser, error) {
			return boxtest.Lazy(c.benches[port].Port().(net.Conn)), nil
		}
		c.lines, err = New(Config{Lines: lines, AreaCode: "0571", Log: quietLog()},
			Deps{Engine: engine, Calls: c.calls, Journal: c.journal, Open: open})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.Background())
		sounding, silence := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _ = engine.Run(sounding) })
		var running sync.WaitGroup
		running.Go(func() { _ = c.lines.Run(ctx) })
		defer wg.Wait()
		defer silence()
		defer running.Wait()
		defer cancel()
		c.inService(t, len(lines), 10*time.Second)
		test(t, c)
	})
}

// inService waits until so many lines are free or attended and idle.
func (c *town) inService(t *testing.T, n int, limit time.Duration) {
	t.Helper()
	for begin := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		ready := 0
		for _, s := range c.lines.States() {
			if s.State == InService && !s.Busy {
				ready++
			}
		}
		if ready == n {
			return
		}
		if time.Since(begin) > limit {
			t.Fatalf("not in service within %v: %+v", limit, c.lines.States())
		}
	}
}

func (c *town) leg(t *testing.T) cti.Leg {
	t.Helper()
	leg, _ := within(t, 5*time.Second, c.calls.legs)
	return leg
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestCallThroughTheFirmware(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		mode string
		late bool // the number comes behind the first ring
	}{"fsk": {"fsk", true}, "dtmf": {"dtmf", false}} {
		t.Run(name, func(t *testing.T) {
			inTown(t, oneLine(), exchange.Config{Hybrid: 12, Noise: -60}, func(t *testing.T, c *town) {
				line := c.benches["/dev/ttyACM0"].Exchange
				ok(t, line.StartRinging(t.Context(), exchange.Call{Caller: dsp.CallerID{Number: "13812345678", Mode: tt.mode}}))
				leg := c.leg(t)
				err, took := within(t, 6*time.Second, answer(leg))
				if err != nil {
					t.Fatalf("Answer = %v after %v", err, took)
				}
				number := leg.Origin().From
				if tt.late {
					number = (<-leg.(cti.Informer).Information()).Calling
				}
				if want := "+8613812345678"; number.E164 != want {
					t.Errorf("the caller is %+v, want %s (%s)", number, want, name)
				}
				c.talk(t, line, leg)
				ok(t, line.HangUp(t.Context()))
				_, took = within(t, 5*time.Second, leg.Done())
				wantErr(t, leg.Err(), cti.ErrRemoteHangup)
				if _, by := leg.(cti.Witness).Evidence(); by != ByBusyTone {
					t.Errorf("noticed by %q after %v", by, took)
				}
				ok(t, line.ExpectHangUp(t.Context(), 2*time.Second))
				c.inService(t, 1, restTime+time.Second)
			})
		})
	}
}

// talk checks sound both ways and digits.
func (c *town) talk(t *testing.T, line *exchange.Exchange, leg cti.Leg) {
	t.Helper()
	k := &tape{}
	leg.Media().Tap(k)
	ok(t, line.Answered(t.Context()))
	ok(t, line.Play(t.Context(), exchange.Caller, exchange.Sound(sine(1000, -15, time.Second))))
	if got := k.level(4000); math.Abs(got+15) > 2 {
		t.Errorf("the caller is heard at %.1f dBm0, want -15", got)
	}
	go func() {
		_ = leg.Media().Play(context.Background(), media.NewPrompt("welcome", sine(600, -10, 2*time.Second)))
	}()
	time.Sleep(time.Second)
	heard, err := line.Hear(t.Context(), 500*time.Millisecond)
	ok(t, err)
	if got := dsp.Level(heard); math.Abs(got+10) > 2 {
		t.Errorf("the prompt is heard at %.1f dBm0, want -10", got)
	}
	time.Sleep(time.Second)
	ok(t, line.Press(t.Context(), exchange.Caller, "159#"))
	time.Sleep(time.Second)
	if got := pressed(leg); got != "159#" {
		t.Errorf("digits %q, want 159#", got)
	}
}

func TestDialThroughTheFirmware(t *testing.T) {
	t.Parallel()
	network := exchange.Config{Hybrid: 12, Routes: map[string]exchange.Route{
		"10001": {Tone: "busy"}, "10002": {Tone: "vacant"}, "10003": {Tone: "congestion"}, "10004": {Never: true},
	}, Voice: func() exchange.Source { return exchange.Sound(speech(10 * time.Second)) }}
	polar := oneLine()
	polar[0].Polarity = true
	withPolarity := network
	withPolarity.Polarity = true
	for name, tt := range map[string]struct {
		lines      []Line
		network    exchange.Config
		number     string
		err        error
		confidence string
	}{
		"answered":   {oneLine(), network, "13800138000", nil, Likely},
		"polarity":   {polar, withPolarity, "13800138000", nil, Sure},
		"busy":       {oneLine(), network, "10001", cti.ErrBusy, ""},
		"vacant":     {oneLine(), network, "10002", cti.ErrNotFound, ""},
		"congestion": {oneLine(), network, "10003", cti.ErrUnreachable, ""},
	} {
		t.Run(name, func(t *testing.T) {
			inTown(t, tt.lines, tt.network, func(t *testing.T, c *town) {
				line := c.benches["/dev/ttyACM0"].Exchange
				leg, err := c.lines.Dial(t.Context(), cti.Device("line:line 1/"+tt.number), cti.Number{}, "")
				ok(t, err)
				err, took := within(t, 30*time.Second, answer(leg))
				if !errors.Is(err, tt.err) {
					t.Errorf("Answer = %v after %v, want %v", err, took, tt.err)
				}
				if digits, err := line.Digits(t.Context()); err != nil || digits != tt.number {
					t.Errorf("the exchange got %q, %v", digits, err)
				}
				confidence, _ := leg.(cti.Witness).Evidence()
				if confidence != tt.confidence {
					t.Errorf("confidence %q, want %q", confidence, tt.confidence)
				}
				if err == nil {
					ok(t, line.HangUp(t.Context()))
					within(t, 6*time.Second, leg.Done())
				}
				ok(t, line.ExpectHangUp(t.Context(), 3*time.Second))
				c.inService(t, 1, restTime+2*time.Second)
			})
		})
	}
}

func TestAttendThroughTheFirmware(t *testing.T) {
	inTown(t, oneSet(), exchange.Config{}, func(t *testing.T, c *town) {
		line := c.benches["/dev/ttyACM0"].Exchange
		ok(t, line.StartRinging(t.Context(), exchange.Call{Caller: dsp.CallerID{Number: "13812345678", Mode: "fsk"}}))
		leg := c.leg(t)
		answered := answer(leg)
		if i, _ := within(t, 5*time.Second, leg.(cti.Informer).Information()); i.Calling.E164 != "+8613812345678" {
			t.Errorf("told %+v", i)
		}
		ok(t, line.Lift(t.Context()))
		if err, took := within(t, 3*time.Second, answered); err != nil {
			t.Errorf("Answer = %v after %v", err, took)
		}
		k := &tape{}
		leg.Media().Tap(k)
		for _, who := range []exchange.Party{exchange.Caller, exchange.Set} {
			ok(t, line.Play(t.Context(), who, exchange.Sound(sine(1000, -15, time.Second))))
			if got := k.level(4000); math.Abs(got+15) > 3 {
				t.Errorf("party %v is heard at %.1f dBm0, want -15", who, got)
			}
		}
		ok(t, line.Replace(t.Context()))
		within(t, 2*time.Second, leg.Done())
		wantErr(t, leg.Err(), nil)
		c.inService(t, 1, restTime+2*time.Second)
	})
}

func TestAgentDialsThroughTheFirmware(t *testing.T) {
	inTown(t, oneSet(), exchange.Config{}, func(t *testing.T, c *town) {
		line := c.benches["/dev/ttyACM0"].Exchange
		ok(t, line.Lift(t.Context()))
		leg := c.leg(t)
		time.Sleep(2 * time.Second)
		ok(t, line.Press(t.Context(), exchange.Set, "013800138000"))
		if i, _ := within(t, 8*time.Second, leg.(cti.Informer).Information()); i.Called.E164 != "+8613800138000" {
			t.Errorf("told %+v", i)
		}
		ok(t, line.Replace(t.Context()))
		within(t, 2*time.Second, leg.Done())
	})
}

// TestManyLinesThroughTheFirmware: all ring at once, half of them with FSK;
// each is answered within 1 s of its number, and the number is its own.
func TestManyLinesThroughTheFirmware(t *testing.T) {
	var lines []Line
	n := MaxLines
	if os.Getenv("CALLBOX_LONG") == "" {
		n = 4
		t.Log("4 lines; CALLBOX_LONG=1 for 16")
	}
	for i := range n {
		lines = append(lines, Line{Port: fmt.Sprint("/dev/ttyACM", i), Label: fmt.Sprint("line ", i), Mode: ModeAnswer})
	}
	inTown(t, lines, exchange.Config{}, func(t *testing.T, c *town) {
		begin := time.Now()
		for i, l := range lines {
			call := exchange.Call{Caller: dsp.CallerID{Number: fmt.Sprintf("138000000%02d", i), Mode: []string{"fsk", "dtmf"}[i%2]}}
			ok(t, c.benches[l.Port].Exchange.StartRinging(t.Context(), call))
		}
		answered := make(chan error, len(lines))
		for range lines {
			leg := c.leg(t)
			go func() { answered <- c.checkNumber(leg) }()
		}
		for range lines {
			err, _ := within(t, 10*time.Second, answered)
			ok(t, err)
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

// checkNumber answers a leg and checks that it has its line's number, and was
// answered within 1 s of it.
func (c *town) checkNumber(leg cti.Leg) error {
	answered := answer(leg)
	number := leg.Origin().From.Raw
	if number == "" {
		number = (<-leg.(cti.Informer).Information()).Calling.Raw
	}
	known := time.Now()
	if err := <-answered; err != nil {
		return err
	}
	if took := time.Since(known); took > time.Second {
		return fmt.Errorf("%s: answered %v after its number", leg.Origin().Line, took)
	}
	var i int
	if _, err := fmt.Sscanf(leg.Origin().Line, "line %d", &i); err != nil {
		return err
	}
	if want := fmt.Sprintf("138000000%02d", i); number != want {
		return fmt.Errorf("line %d has the number %q", i, number)
	}
	return nil
}

// TestDoubledEvents: a serial path that says everything twice makes one call
// of a call.
func TestDoubledEvents(t *testing.T) {
	inTown(t, oneLine(), exchange.Config{}, func(t *testing.T, c *town) {
		bench := c.benches["/dev/ttyACM0"]
		bench.ToHost.DoubleEvents(true)
		ok(t, bench.Exchange.StartRinging(t.Context(), exchange.Call{Caller: dsp.CallerID{Number: "13812345678", Mode: "fsk"}}))
		leg := c.leg(t)
		if err, _ := within(t, 6*time.Second, answer(leg)); err != nil {
			t.Fatal(err)
		}
		if i := <-leg.(cti.Informer).Information(); i.Calling.Raw != "13812345678" {
			t.Errorf("told %+v", i)
		}
		ok(t, bench.Exchange.Answered(t.Context()))
		ok(t, bench.Exchange.Press(t.Context(), exchange.Caller, "112"))
		time.Sleep(time.Second)
		if got := pressed(leg); got != "112" {
			t.Errorf("digits %q, want 112", got)
		}
		ok(t, bench.Exchange.HangUp(t.Context()))
		within(t, 6*time.Second, leg.Done())
		if len(c.calls.legs) > 0 {
			t.Error("there is a second call")
		}
	})
}

// TestUnpluggedThroughTheFirmware: the call and the line are lost at once.
func TestUnpluggedThroughTheFirmware(t *testing.T) {
	inTown(t, oneLine(), exchange.Config{}, func(t *testing.T, c *town) {
		bench := c.benches["/dev/ttyACM0"]
		ok(t, bench.Exchange.StartRinging(t.Context(), exchange.Call{}))
		leg := c.leg(t)
		if err, _ := within(t, 6*time.Second, answer(leg)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second)
		bench.Unplug()
		within(t, 2*time.Second, leg.Done())
		wantErr(t, leg.Err(), cti.ErrLineLost)
		synctest.Wait()
		if s := c.lines.States()[0]; s.State != OutOfService {
			t.Errorf("state %+v", s)
		}
	})
}

// TestFaultsThroughTheFirmware: the call ends within 2 s with line lost, and
// the line is in service within 10 s.
func TestFaultsThroughTheFirmware(t *testing.T) {
	for name, fault := range map[string]func(b *boxtest.Bench){
		"reboot": func(b *boxtest.Bench) { b.Reboot(3 * time.Second) },
		"the path freezes": func(b *boxtest.Bench) {
			b.ToHost.Freeze()
			time.Sleep(3 * time.Second)
			b.ToHost.Thaw()
		},
	} {
		t.Run(name, func(t *testing.T) {
			inTown(t, oneLine(), exchange.Config{}, func(t *testing.T, c *town) {
				bench := c.benches["/dev/ttyACM0"]
				ok(t, bench.Exchange.StartRinging(t.Context(), exchange.Call{}))
				leg := c.leg(t)
				if err, _ := within(t, 6*time.Second, answer(leg)); err != nil {
					t.Fatal(err)
				}
				time.Sleep(time.Second)
				begin := time.Now()
				over := make(chan time.Duration, 1)
				go func() {
					<-leg.Done()
					over <- time.Since(begin)
				}()
				fault(bench)
				took, _ := within(t, 2*time.Second, over)
				wantErr(t, leg.Err(), cti.ErrLineLost)
				if took > 2*time.Second {
					t.Errorf("over after %v", took)
				}
				ok(t, bench.Exchange.HangUpSilently(t.Context()))
				c.inService(t, 1, 10*time.Second)
			})
		})
	}
}
