package voicebox

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"callbox/cti"
	"callbox/cti/media"
	"callbox/cti/media/dsp"
	"callbox/voicebox/v253"
)

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "40"); err != nil { // unless the command line says more
		panic(err)
	}
	goleak.VerifyTestMain(m)
}

const frameTime = 20 * time.Millisecond

// fakeBox is a box in memory; the test plays the telephone network behind it.
type fakeBox struct {
	events chan v253.Event
	gone   chan struct{}
	once   sync.Once

	mu      sync.Mutex // guards what follows
	err     error
	silent  bool // it answers nothing any more and no sound comes
	resets  int
	offHook bool
	did     []string // commands, but for the signs of life
	checks  int
	stream  *fakeStream
	sound   []int16 // what the line says next
	tone    *dsp.Source
	echo    float64       // of what we send, in the sound
	fall    bool          // the next command panics
	stall   time.Duration // of the next write
	drop    int           // frames of the line that are lost
	dry     int           // frames that had nothing to play
}

func newFakeBox() *fakeBox {
	return &fakeBox{events: make(chan v253.Event, 256), gone: make(chan struct{})}
}

func (b *fakeBox) Identity() v253.Identity {
	return v253.Identity{Profile: "callbox", Model: "fake", Serial: "42"}
}
func (b *fakeBox) Events() <-chan v253.Event { return b.events }
func (b *fakeBox) Done() <-chan struct{}     { return b.gone }

func (b *fakeBox) Err() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.err
}

func (b *fakeBox) command(ctx context.Context, name string, change func()) error {
	b.mu.Lock()
	silent, fall := b.silent, b.fall
	if !silent && !fall {
		if name != "check" {
			b.did = append(b.did, name)
		}
		if change != nil {
			change()
		}
	}
	b.fall = false
	b.mu.Unlock()
	if fall {
		panic("a box that nobody expected")
	}
	if silent {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-b.gone:
			return b.Err()
		}
	}
	return nil
}

func (b *fakeBox) OffHook(ctx context.Context) error {
	return b.command(ctx, "off hook", func() { b.offHook = true })
}

func (b *fakeBox) OnHook(ctx context.Context) error {
	return b.command(ctx, "on hook", func() { b.offHook = false })
}

func (b *fakeBox) Flash(ctx context.Context, _ time.Duration) error {
	return b.command(ctx, "flash", nil)
}

func (b *fakeBox) Dial(ctx context.Context, digits string) error {
	return b.command(ctx, "dial "+digits, nil)
}

func (b *fakeBox) Check(ctx context.Context) error {
	return b.command(ctx, "check", func() { b.checks++ })
}

func (b *fakeBox) Reset(ctx context.Context) error {
	return b.command(ctx, "reset", func() { b.resets++ })
}

func (b *fakeBox) Close() error {
	b.lose(nil)
	return nil
}

func (b *fakeBox) Talk(ctx context.Context) (sound, error)   { return b.open(ctx, "talk") }
func (b *fakeBox) Listen(ctx context.Context) (sound, error) { return b.open(ctx, "listen") }

func (b *fakeBox) open(ctx context.Context, name string) (sound, error) {
	s := &fakeStream{box: b, frames: make(chan []int16, 50), ended: make(chan struct{})}
	if err := b.command(ctx, name, func() { b.stream = s }); err != nil {
		return nil, err
	}
	go s.run()
	return s, nil
}

// lose unplugs the box.
func (b *fakeBox) lose(err error) {
	b.once.Do(func() {
		b.mu.Lock()
		b.err = err
		b.mu.Unlock()
		close(b.gone)
	})
}

func (b *fakeBox) set(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
}

func (b *fakeBox) commands() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.did)
}

func (b *fakeBox) isOffHook() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.offHook
}

func (b *fakeBox) written() []int16 {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.stream == nil {
		return nil
	}
	return slices.Clone(b.stream.sent)
}

// tells lets the box report events.
func (b *fakeBox) tells(kinds ...v253.Kind) {
	for _, k := range kinds {
		b.events <- v253.Event{Kind: k, At: time.Now()}
	}
}

func (b *fakeBox) identifies(number string) {
	b.events <- v253.Event{Kind: v253.CallerID, Caller: dsp.CallerID{Number: number}}
}

// says queues sound on the line, in front of its tone.
func (b *fakeBox) says(samples []int16) { b.set(func() { b.sound = append(b.sound, samples...) }) }

// hums sounds a tone of the plan from now on; "" for silence.
func (b *fakeBox) hums(name string) {
	c, ok := dsp.China().Find(name)
	b.set(func() {
		b.tone = nil
		if ok {
			b.tone = dsp.NewSource(c, -15)
		}
	})
}

// fakeStream is a box's sound at the beat of the line.
type fakeStream struct {
	box    *fakeBox
	frames chan []int16
	ended  chan struct{}
	once   sync.Once
	sent   []int16 // under the box's mu
	played int
	wasDry bool
}

func (s *fakeStream) run() {
	defer close(s.frames)
	beat := time.NewTicker(frameTime)
	defer beat.Stop()
	for {
		select {
		case <-beat.C:
		case <-s.ended:
			return
		case <-s.box.gone:
			return
		}
		frame := s.next()
		if frame != nil && !s.lost() {
			select {
			case s.frames <- frame:
			default:
			}
		}
	}
}

// lost says that a frame does not reach the host.
func (s *fakeStream) lost() bool {
	s.box.mu.Lock()
	defer s.box.mu.Unlock()
	s.box.drop--
	return s.box.drop >= 0
}

// next is 20 ms of the line: what was queued, else the tone, and our echo.
func (s *fakeStream) next() []int16 {
	b := s.box
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.silent {
		return nil
	}
	frame := make([]int16, media.FrameSamples)
	if b.tone != nil {
		b.tone.Fill(frame)
	}
	n := copy(frame, b.sound)
	b.sound = b.sound[n:]
	if s.played == len(s.sent) && s.played > 0 {
		if b.dry++; b.dry == 1 || !s.wasDry {
			b.tells(v253.Underrun)
		}
	}
	s.wasDry = s.played == len(s.sent)
	for i := range frame {
		if s.played < len(s.sent) {
			frame[i] += int16(b.echo * float64(s.sent[s.played]))
			s.played++
		}
	}
	return frame
}

func (s *fakeStream) Frames() <-chan []int16 { return s.frames }

func (s *fakeStream) Write(frame []int16) error {
	s.box.mu.Lock()
	stall := s.box.stall
	s.box.stall = 0
	s.box.mu.Unlock()
	time.Sleep(stall)
	s.box.set(func() { s.sent = append(s.sent, frame...) })
	return nil
}

func (s *fakeStream) End(ctx context.Context) error {
	s.stop()
	return s.box.command(ctx, "end", nil)
}

func (s *fakeStream) stop() { s.once.Do(func() { close(s.ended) }) }

// taker is the calls: it keeps each leg until it is over.
type taker struct{ legs chan cti.Leg }

func (k *taker) Accept(_ context.Context, leg cti.Leg) error {
	k.legs <- leg
	<-leg.Done()
	return nil
}

// notes is the journal.
type notes struct {
	mu   sync.Mutex
	all  []cti.Event
	when []time.Time
}

func (n *notes) Note(_ context.Context, e cti.Event) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.all, n.when = append(n.all, e), append(n.when, time.Now())
	return nil
}

// states are the noted states of a line, with why.
func (n *notes) states() []string {
	n.mu.Lock()
	defer n.mu.Unlock()
	var all []string
	for _, e := range n.all {
		all = append(all, fmt.Sprintf("%v %v", e.UserData["state"], e.UserData["why"]))
	}
	return all
}

// rig is lines with fake boxes in a synctest bubble.
type rig struct {
	t       *testing.T
	lines   *Lines
	calls   *taker
	journal *notes

	mu     sync.Mutex
	boxes  map[string]*fakeBox
	absent bool
}

// inBubble runs test on the fake clock with lines that are in service.
func inBubble(t *testing.T, lines []Line, test func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		engine, err := media.New(media.Config{Log: quietLog()})
		if err != nil {
			t.Fatal(err)
		}
		r := &rig{t: t, calls: &taker{make(chan cti.Leg, 64)}, journal: &notes{}, boxes: map[string]*fakeBox{}}
		r.lines, err = New(Config{Lines: lines, AreaCode: "0571", Log: quietLog()}, Deps{Engine: engine, Calls: r.calls, Journal: r.journal})
		if err != nil {
			t.Fatal(err)
		}
		r.lines.connect = r.connect
		ctx, cancel := context.WithCancel(t.Context())
		sounding, silence := context.WithCancel(context.Background())
		var wg sync.WaitGroup
		wg.Go(func() { _ = engine.Run(sounding) })
		wg.Go(func() { _ = r.lines.Run(ctx) })
		synctest.Wait()
		test(t, r)
		cancel()
		synctest.Wait()
		silence()
		wg.Wait()
	})
}

func quietLog() *slog.Logger {
	return slog.New(slog.DiscardHandler)
}

func (r *rig) connect(_ context.Context, _ string, l Line) (box, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.absent {
		return nil, errAbsent
	}
	b := newFakeBox()
	r.boxes[l.Label] = b
	return b, nil
}

func (r *rig) box(label string) *fakeBox {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.boxes[label]
}

// plug plugs the boxes in or keeps them out.
func (r *rig) plug(in bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.absent = !in
}

// leg is the next call that came in.
func (r *rig) leg() cti.Leg {
	r.t.Helper()
	synctest.Wait()
	select {
	case leg := <-r.calls.legs:
		return leg
	default:
		r.t.Fatal("no call came")
		return nil
	}
}

func (r *rig) noLeg() {
	r.t.Helper()
	synctest.Wait()
	select {
	case <-r.calls.legs:
		r.t.Fatal("a call came, want none")
	default:
	}
}

// answer answers a leg beside the test.
func answer(leg cti.Leg) <-chan error {
	done := make(chan error, 1)
	go func() { done <- leg.Answer(context.Background()) }()
	return done
}

// within waits for what at most so long and says how long it took.
func within[T any](t *testing.T, limit time.Duration, what <-chan T) (v T, took time.Duration) {
	t.Helper()
	start := time.Now()
	select {
	case v = <-what:
	case <-time.After(limit):
		t.Fatalf("did not happen within %v", limit)
	}
	return v, time.Since(start)
}

func isOver(leg cti.Leg) bool {
	synctest.Wait()
	select {
	case <-leg.Done():
		return true
	default:
		return false
	}
}

// talks lets a call come in and be answered.
func (r *rig) talks(label string) (*fakeBox, cti.Leg) {
	r.t.Helper()
	b := r.box(label)
	b.tells(v253.Ring)
	leg := r.leg()
	b.identifies("13812345678")
	if err, _ := within(r.t, time.Second, answer(leg)); err != nil {
		r.t.Fatal(err)
	}
	return b, leg
}

func oneLine() []Line {
	return []Line{{Port: "/dev/ttyACM0", Label: "line 1", Number: "057188880001", Mode: ModeAnswer}}
}

func oneSet() []Line {
	l := oneLine()
	l[0].Mode, l[0].Desk = ModeAttend, "1001"
	return l
}

// wantErr checks a leg's end.
func wantErr(t *testing.T, got, want error) {
	t.Helper()
	if !errors.Is(got, want) || want == nil && got != nil {
		t.Errorf("Err = %v, want %v", got, want)
	}
}

// speech is d of something that is taken for a voice: three formants of a
// buzz, in syllables.
func speech(d time.Duration) []int16 {
	n := int(d.Seconds() * dsp.Rate)
	out := make([]int16, n)
	seed := uint32(1)
	var low, band float64
	for i := range out {
		seed = seed*1664525 + 1013904223
		noise := float64(int32(seed)) / (1 << 31)
		pulse := 0.0
		if i%67 == 0 {
			pulse = 8
		}
		low += 0.3 * (pulse + 0.3*noise - low)
		band = 0.5*band + low
		if i/800%4 != 3 {
			out[i] = int16(2500 * band)
		}
	}
	return out
}
