package exchange_test

import (
	"context"
	"errors"
	"io"
	"math"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
	"callbox/firmware/exchange"
)

// box is the smallest box there is: a hook, a mouth and a log of what it saw.
type box struct {
	mu      sync.Mutex
	off     bool
	say     []int16
	lines   []analog.Line
	liftAt  int // ring bursts to hear before it lifts; 0: never
	holdFor int // frames; 0: it never hangs up by itself
	held    int
	bursts  int
	ringing bool
}

func (b *box) set(f func(*box)) {
	b.mu.Lock()
	defer b.mu.Unlock()
	f(b)
}

func (b *box) hook(off bool) { b.set(func(b *box) { b.off = off }) }

func (b *box) dial(digits string) {
	b.set(func(b *box) { b.say = append(b.say, dsp.AppendDTMF(nil, digits, dsp.DefaultKeying)...) })
}

// serve answers frames until the stream ends.
func (b *box) serve(stream io.ReadWriter) {
	conn := analog.NewConn(stream)
	var in analog.Line
	for conn.ReadLine(&in) == nil {
		out := b.answer(in)
		if conn.WriteBox(&out) != nil {
			return
		}
	}
}

func (b *box) answer(in analog.Line) analog.Box {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.lines = append(b.lines, in)
	if b.ringing && !in.Ringing {
		if b.bursts++; b.bursts == b.liftAt {
			b.off = true
		}
	}
	b.ringing = in.Ringing
	if b.off && b.holdFor > 0 {
		b.held++
		b.off = b.held <= b.holdFor
	}
	out := analog.Box{OffHook: b.off}
	if b.off {
		n := copy(out.Sound[:], b.say)
		b.say = b.say[n:]
	}
	return out
}

// heard is what the box received, from frame on.
func (b *box) heard(from int) []int16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	var all []int16
	for _, l := range b.lines[from:] {
		all = append(all, l.Sound[:]...)
	}
	return all
}

func (b *box) at() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.lines)
}

// frames counts those for which f holds, from frame on.
func (b *box) frames(from int, f func(analog.Line) bool) int {
	b.mu.Lock()
	defer b.mu.Unlock()
	n := 0
	for _, l := range b.lines[from:] {
		if f(l) {
			n++
		}
	}
	return n
}

// line begins an exchange with a box on a pipe; it stands still while nobody waits.
func line(t *testing.T, cfg exchange.Config) (context.Context, *exchange.Exchange, *box) {
	t.Helper()
	if cfg.Pace == 0 {
		cfg.Pace = exchange.Stepped
	}
	e, err := exchange.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	here, there := net.Pipe()
	b := &box{}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	var wg sync.WaitGroup
	wg.Go(func() { b.serve(there) })
	wg.Go(func() {
		if err := e.Run(ctx, here); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Cleanup(func() {
		cancel()
		_ = there.Close()
		wg.Wait()
	})
	return ctx, e, b
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func status(t *testing.T, ctx context.Context, e *exchange.Exchange) exchange.Status {
	t.Helper()
	s, err := e.Status(ctx)
	ok(t, err)
	return s
}

func TestRingCadenceAndGivingUp(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{})
	if err := e.Ring(ctx, exchange.Call{Bursts: 3}); !errors.Is(err, exchange.ErrNoAnswer) {
		t.Fatalf("Ring = %v, want ErrNoAnswer", err)
	}
	if n := b.frames(0, func(l analog.Line) bool { return l.Ringing }); n != 3*50 {
		t.Errorf("%d frames of ringing, want 3 bursts of 50", n)
	}
	if s := status(t, ctx, e); s.State != exchange.Idle || s.At != 15*time.Second+20*time.Millisecond {
		t.Errorf("%v at %v, want idle after three cadences", s.State, s.At)
	}
	if b.bursts != 3 {
		t.Errorf("%d bursts", b.bursts)
	}
}

func TestCallerIDReachesTheBox(t *testing.T) {
	who := dsp.CallerID{Number: "13812345678", Name: "王芳", Time: "11220130"}
	for _, mode := range []string{"fsk", "dtmf"} {
		for _, prelude := range []exchange.Prelude{exchange.NoPrelude, exchange.ReversalPrelude, exchange.RingPrelude} {
			ctx, e, b := line(t, exchange.Config{Level: -20, Noise: -45, Prelude: prelude})
			who.Mode = mode
			b.liftAt = 2
			if prelude == exchange.RingPrelude && mode == "dtmf" {
				b.liftAt = 3
			}
			ok(t, e.Ring(ctx, exchange.Call{Caller: who}))
			found := dsp.NewCallers().Detect(b.heard(0), nil)
			if len(found) != 1 || found[0].Number != who.Number || found[0].Mode != mode {
				t.Fatalf("%s: the box heard %+v", mode, found)
			}
			if mode == "fsk" && found[0].Name != who.Name {
				t.Errorf("name %q", found[0].Name)
			}
			turned := b.frames(0, func(l analog.Line) bool { return l.Reversed })
			if want := mode == "dtmf" && prelude == exchange.ReversalPrelude; want != (turned > 0) {
				t.Errorf("%s, prelude %d: reversed for %d frames", mode, prelude, turned)
			}
		}
	}
}

func TestTalkAndRelease(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{Polarity: true})
	b.liftAt = 1
	ok(t, e.Ring(ctx, exchange.Call{}))
	from := b.at()
	ok(t, e.Press(ctx, exchange.Caller, "159#"))
	digits := dsp.NewDTMF().Detect(b.heard(from), nil)
	got := ""
	for _, d := range digits {
		got += string(d.Key)
	}
	if got != "159#" {
		t.Errorf("the box heard %q", got)
	}
	if n := b.frames(from, func(l analog.Line) bool { return !l.Reversed }); n > 1 {
		t.Errorf("%d frames of the talk with plain polarity", n)
	}
	b.dial("42*")
	ok(t, e.Expect(ctx, "42*", 5*time.Second))

	from = b.at()
	ok(t, e.HangUp(ctx))
	ok(t, e.Wait(ctx, 5*time.Second))
	if !hears(b.heard(from), "busy") {
		t.Error("no busy tone after release")
	}
	if n := b.frames(from+1, func(l analog.Line) bool { return l.Reversed }); n > 0 {
		t.Errorf("%d frames reversed after release", n)
	}
	ok(t, e.Wait(ctx, 60*time.Second))
	if s := status(t, ctx, e); s.State != exchange.Parked {
		t.Errorf("%v a minute after release, want the howler", s.State)
	}
	b.hook(false)
	ok(t, e.ExpectHangUp(ctx, time.Second))
	if s := status(t, ctx, e); s.State != exchange.Idle {
		t.Errorf("%v after hanging up", s.State)
	}
}

func hears(sound []int16, tone string) bool {
	for _, h := range dsp.NewTones(dsp.China()).Detect(sound, nil) {
		if h.Name == tone && !h.Gone {
			return true
		}
	}
	return false
}

func TestWhatTheBoxDials(t *testing.T) {
	routes := map[string]exchange.Route{
		"88880001": {Tone: "busy"}, "88880002": {Tone: "congestion"}, "88880003": {Tone: "vacant"},
		"88880004": {Never: true}, "88880005": {After: 9 * time.Second},
	}
	for number, want := range map[string]struct {
		tone  string
		state exchange.State
	}{
		"88880001": {"busy", exchange.Refused}, "88880002": {"congestion", exchange.Refused},
		"88880003": {"vacant", exchange.Refused}, "88880004": {"ringback", exchange.Refused},
		"88880005": {"ringback", exchange.Talking}, "13900000000": {"ringback", exchange.Talking},
		"12345": {"ringback", exchange.Talking},
	} {
		t.Run(number, func(t *testing.T) {
			ctx, e, b := line(t, exchange.Config{Routes: routes})
			b.hook(true)
			ok(t, e.Wait(ctx, 3*time.Second))
			if !hears(b.heard(0), "dial") {
				t.Error("no dial tone")
			}
			b.dial(number)
			ok(t, e.Reach(ctx, exchange.Proceeding))
			if s := status(t, ctx, e); s.Dialled != number {
				t.Errorf("dialled %q", s.Dialled)
			}
			from := b.at()
			ok(t, e.Reach(ctx, exchange.Refused, exchange.Talking))
			if s := status(t, ctx, e); s.State != want.state {
				t.Errorf("%v, want %v", s.State, want.state)
			}
			ok(t, e.Wait(ctx, 5*time.Second))
			if !hears(b.heard(from), want.tone) {
				t.Errorf("no %s tone", want.tone)
			}
		})
	}
}

func TestNoDigitsEndInBusyTone(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{})
	b.hook(true)
	ok(t, e.Reach(ctx, exchange.Refused))
	if s := status(t, ctx, e); s.At < 15*time.Second || s.At > 16*time.Second {
		t.Errorf("busy tone after %v", s.At)
	}
}

func TestFlashIsNoHangUp(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{})
	b.liftAt = 1
	ok(t, e.Ring(ctx, exchange.Call{}))
	for _, tt := range []struct {
		open  time.Duration
		flash int
		state exchange.State
	}{
		{60 * time.Millisecond, 0, exchange.Talking},
		{80 * time.Millisecond, 1, exchange.Talking},
		{800 * time.Millisecond, 2, exchange.Talking},
		{820 * time.Millisecond, 0, exchange.DialTone},
	} {
		b.hook(false)
		ok(t, e.Wait(ctx, tt.open))
		b.hook(true)
		ok(t, e.Wait(ctx, 100*time.Millisecond))
		if s := status(t, ctx, e); s.Flashes != tt.flash || s.State != tt.state {
			t.Errorf("open for %v: %d flashes, %v, want %d, %v", tt.open, s.Flashes, s.State, tt.flash, tt.state)
		}
	}
}

func TestOrdinaryTelephone(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{})
	ok(t, e.StartRinging(ctx, exchange.Call{}))
	ok(t, e.Wait(ctx, 2*time.Second))
	ok(t, e.Lift(ctx))
	ok(t, e.Answered(ctx))
	from := b.at()
	tape := &exchange.Tape{}
	stop, err := e.Listen(ctx, tape)
	ok(t, err)
	ok(t, e.Press(ctx, exchange.Set, "7"))
	stop()
	if n := b.frames(from, func(l analog.Line) bool { return l.SetOff && !l.Ringing }); n != b.at()-from {
		t.Errorf("%d of %d frames with the set lifted", n, b.at()-from)
	}
	for who, sound := range map[string][]int16{"box": b.heard(from), "caller": tape.Sound} {
		if d := dsp.NewDTMF().Detect(sound, nil); len(d) != 1 || d[0].Key != '7' {
			t.Errorf("%s heard %v of the telephone", who, d)
		}
	}
	ok(t, e.Flash(ctx, 300*time.Millisecond))
	ok(t, e.Wait(ctx, time.Second))
	if s := status(t, ctx, e); s.Flashes != 1 || !s.SetOff || s.State != exchange.Talking {
		t.Errorf("after the telephone's flash: %+v", s)
	}
	ok(t, e.Replace(ctx))
	ok(t, e.Reach(ctx, exchange.Idle))
	ok(t, e.Lift(ctx))
	ok(t, e.Reach(ctx, exchange.DialTone))
	ok(t, e.Press(ctx, exchange.Set, "114#"))
	if got, err := e.Await(ctx, "", time.Second); got != "114" || err != nil {
		t.Errorf("dialled %q, %v", got, err)
	}
}

func TestHybridAndNoise(t *testing.T) {
	for _, loss := range []float64{6, 10, 20} {
		ctx, e, b := line(t, exchange.Config{Hybrid: loss, Pace: exchange.Stepped})
		b.liftAt = 1
		ok(t, e.Ring(ctx, exchange.Call{}))
		ok(t, e.Wait(ctx, time.Second))
		from := b.at()
		voice := make([]int16, 4*dsp.Rate)
		seed := uint32(1)
		for i := range voice {
			seed = seed*1664525 + 1013904223
			voice[i] = int16(seed>>16) / 8
		}
		b.set(func(b *box) { b.say = voice })
		ok(t, e.Wait(ctx, 4*time.Second))
		back := dsp.Level(b.heard(from)[1600:]) - dsp.Level(voice)
		if math.Abs(back+loss) > 0.5 {
			t.Errorf("echo of %.1f dB, want -%.0f", back, loss)
		}
	}
	ctx, e, b := line(t, exchange.Config{Noise: -40})
	ok(t, e.Wait(ctx, 2*time.Second))
	if got := dsp.Level(b.heard(0)); math.Abs(got+40) > 0.3 {
		t.Errorf("noise of %.2f dBm0, want -40", got)
	}
}

func TestReleaseByDropAndInSilence(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{Drop: 400 * time.Millisecond, Silent: true})
	b.liftAt = 1
	ok(t, e.Ring(ctx, exchange.Call{}))
	ok(t, e.Wait(ctx, time.Second))
	from := b.at()
	ok(t, e.HangUp(ctx))
	ok(t, e.Wait(ctx, 5*time.Second))
	if n := b.frames(from, func(l analog.Line) bool { return !l.Feed }); n != 20 {
		t.Errorf("feed gone for %d frames, want 20", n)
	}
	if l := dsp.Level(b.heard(from)); l > -80 {
		t.Errorf("a silent release of %.0f dBm0", l)
	}
}

func TestMethodsEnd(t *testing.T) {
	ctx, e, _ := line(t, exchange.Config{Pace: exchange.Fast})
	short, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	if err := e.Ring(short, exchange.Call{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("Ring = %v, want the deadline", err)
	}
	ok(t, e.Reach(ctx, exchange.Idle))
	ok(t, e.StartRinging(ctx, exchange.Call{}))
	if err := e.Ring(ctx, exchange.Call{}); !errors.Is(err, exchange.ErrInUse) {
		t.Errorf("second call: %v, want ErrInUse", err)
	}
	if err := e.Press(ctx, exchange.Caller, "1"); !errors.Is(err, exchange.ErrNotNow) {
		t.Errorf("Press = %v, want ErrNotNow", err)
	}
	if err := e.Treat(ctx, "busy"); !errors.Is(err, exchange.ErrNotNow) {
		t.Errorf("Treat = %v, want ErrNotNow", err)
	}
}

func TestTheBoxGoes(t *testing.T) {
	e, err := exchange.New(exchange.Config{Pace: exchange.Fast})
	ok(t, err)
	here, there := net.Pipe()
	var run error
	var wg sync.WaitGroup
	wg.Go(func() { run = e.Run(t.Context(), here) })
	wg.Go(func() {
		_, _ = io.ReadFull(there, make([]byte, 100))
		_ = there.Close()
	})
	if err := e.Ring(t.Context(), exchange.Call{}); !errors.Is(err, exchange.ErrEnded) {
		t.Errorf("Ring = %v, want ErrEnded", err)
	}
	wg.Wait()
	if run == nil || !strings.Contains(run.Error(), "the box is gone") {
		t.Errorf("Run = %v", run)
	}
}

func TestConfigNamesAllFaults(t *testing.T) {
	_, err := exchange.New(exchange.Config{
		RingOff: time.Millisecond, Level: 9, Hybrid: -3, Tones: dsp.Plan{},
		Routes: map[string]exchange.Route{"1": {Tone: "dial"}},
	})
	for _, want := range []string{"pause", "caller ID", "echo", "vacant", "route of 1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v lacks %q", err, want)
		}
	}
}
