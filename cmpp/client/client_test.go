package client

import (
	"context"
	"errors"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"callbox/cmpp"
	"callbox/internal/guard"
	"callbox/internal/segment"
	"callbox/sms"
)

func TestMain(m *testing.M) {
	if os.Getenv(centreProcess) != "" {
		os.Exit(serveCentre())
	}
	goleak.VerifyTestMain(m)
}

// gateway is the other end of net.Pipe connections: it logs clients in and
// hands what they send to the test.
type gateway struct {
	t      *testing.T
	status cmpp.ConnectStatus
	down   bool // dials fail
	mu     sync.Mutex
	dials  []time.Time
	asked  []cmpp.Version // by CONNECTs
	ends   chan *end
	group  guard.Group
}

// end is one accepted connection.
type end struct {
	t      *testing.T
	conn   net.Conn
	frames chan frame // closed at the connection's end
}

type frame struct {
	at       time.Time
	sequence uint32
	pdu      cmpp.PDU
}

func newGateway(t *testing.T) *gateway { return &gateway{t: t, ends: make(chan *end, 100)} }

func (g *gateway) dial(context.Context) (net.Conn, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.dials = append(g.dials, time.Now())
	if g.down {
		return nil, errors.New("refused")
	}
	ours, theirs := net.Pipe()
	e := &end{g.t, ours, make(chan frame, 10_000)}
	status := g.status
	g.group.Go("gateway", func() { e.read(g, status) })
	return theirs, nil
}

func (g *gateway) dialled() []time.Time {
	g.mu.Lock()
	defer g.mu.Unlock()
	return append([]time.Time(nil), g.dials...)
}

func (g *gateway) versions() []cmpp.Version {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.asked)
}

func (g *gateway) login(c *cmpp.Connect) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.asked = append(g.asked, c.Version)
}

func (e *end) read(g *gateway, status cmpp.ConnectStatus) {
	defer close(e.frames)
	defer func() { _ = e.conn.Close() }()
	r := cmpp.NewReader(e.conn)
	for {
		h, body, err := r.Next()
		if err != nil {
			return
		}
		p, err := cmpp.Decode(cmpp.V30, h.Command, body)
		if err != nil {
			e.t.Error(err)
			return
		}
		if c, ok := p.(*cmpp.Connect); ok {
			g.login(c)
			resp := &cmpp.ConnectResp{Status: status, Version: cmpp.V30}
			resp.Auth = cmpp.ISMGAuthenticator(status, c.Auth, "secret", cmpp.V30)
			e.send(h.Sequence, resp)
			if status == cmpp.ConnectOK {
				g.ends <- e
			}
			continue
		}
		e.frames <- frame{time.Now(), h.Sequence, p}
	}
}

func (e *end) send(sequence uint32, p cmpp.PDU) {
	out, err := cmpp.Append(nil, cmpp.V30, sequence, p)
	if err != nil {
		e.t.Error(err)
	}
	_, _ = e.conn.Write(out)
}

// next waits for the next message, which must be a M.
func next[M cmpp.PDU](e *end) (frame, M) {
	e.t.Helper()
	f, ok := <-e.frames
	if !ok {
		e.t.Fatal("connection ended")
	}
	m, ok := f.pdu.(M)
	if !ok {
		e.t.Fatalf("got %v", f.pdu.Command())
	}
	return f, m
}

// answer answers a SUBMIT.
func (e *end) answer(f frame, r cmpp.Result) {
	e.send(f.sequence, &cmpp.SubmitResp{MsgID: cmpp.MsgID(f.sequence), Result: r})
}

// quiet fails when a message is there once everything has come to rest.
func (e *end) quiet() {
	e.t.Helper()
	synctest.Wait()
	select {
	case f, ok := <-e.frames:
		if ok {
			e.t.Fatalf("got %v %d", f.pdu.Command(), f.sequence)
		}
	default:
	}
}

// shelf is a receiver in memory.
type shelf struct {
	mu      sync.Mutex
	reports []sms.Report
	texts   []sms.Text
	err     error
	delay   time.Duration
	changed chan struct{} // one for each that came
}

func newShelf() *shelf { return &shelf{changed: make(chan struct{}, 100_000)} }

func (s *shelf) Report(ctx context.Context, r sms.Report) error {
	select {
	case <-time.After(s.delay):
	case <-ctx.Done():
		return ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reports = append(s.reports, r)
	s.changed <- struct{}{}
	return s.err
}

func (s *shelf) Incoming(_ context.Context, t sms.Text) error {
	time.Sleep(s.delay)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.texts = append(s.texts, t)
	s.changed <- struct{}{}
	return s.err
}

func (s *shelf) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// bubble runs a client against a gateway on synctest's clock.
type bubble struct {
	*gateway
	client *Client
	shelf  *shelf
	stop   context.CancelFunc
	group  guard.Group
}

func inBubble(t *testing.T, change func(*Config), f func(t *testing.T, b *bubble)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		cfg := Config{Name: "cmcc", SPID: "901234", Secret: "secret", SrcID: "10690000", Dial: g.dial}
		if change != nil {
			change(&cfg)
		}
		c, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		b := &bubble{gateway: g, client: c, shelf: newShelf(), stop: stop}
		b.group.Go("client", func() { _ = c.Run(ctx, b.shelf) })
		defer g.group.Wait()
		defer b.group.Wait()
		defer stop()
		f(t, b)
	})
}

// accept waits for the next connection, logged in on both sides.
func (b *bubble) accept() *end {
	e := <-b.ends
	synctest.Wait()
	return e
}

// outcome is what a Submit ended with, and when.
type outcome struct {
	receipt sms.Receipt
	err     error
	at      time.Time
}

func (b *bubble) submit(parts ...string) <-chan outcome {
	return b.submitContext(context.Background(), parts...)
}

func (b *bubble) submitContext(ctx context.Context, parts ...string) <-chan outcome {
	done := make(chan outcome, 1)
	b.group.Go("submit", func() {
		r, err := b.client.Submit(ctx, sms.Submission{ID: "m", To: "13800138000", Parts: parts, Reference: 7})
		done <- outcome{r, err, time.Now()}
	})
	return done
}

func TestActiveTest(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		start := time.Now()
		time.Sleep(30*time.Second - 1)
		e.quiet()
		f, _ := next[*cmpp.ActiveTest](e)
		if idle := f.at.Sub(start); idle != 30*time.Second {
			t.Errorf("first after %v", idle)
		}
		e.send(f.sequence, &cmpp.ActiveTestResp{})
		second, _ := next[*cmpp.ActiveTest](e)
		if idle := second.at.Sub(f.at); idle != 30*time.Second {
			t.Errorf("second after %v", idle)
		}
		for i := range 2 {
			again, _ := next[*cmpp.ActiveTest](e)
			if wait := again.at.Sub(second.at); wait != time.Duration(i+1)*time.Minute || again.sequence != second.sequence {
				t.Errorf("try %d after %v under %d, first %d", i+2, wait, again.sequence, second.sequence)
			}
		}
		if _, ok := <-e.frames; ok || time.Since(second.at) != 3*time.Minute {
			t.Errorf("given up after %v", time.Since(second.at))
		}
		if s := b.client.State(); s.Up || !strings.Contains(s.Why, "ACTIVE_TEST") {
			t.Errorf("%+v", s)
		}
		<-b.ends
	})
}

func TestGatewaysActiveTestIsAnswered(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		e.send(99, &cmpp.ActiveTest{})
		if f, _ := next[*cmpp.ActiveTestResp](e); f.sequence != 99 {
			t.Error(f.sequence)
		}
	})
}

func TestSubmitIsSentAgain(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		done := b.submit("工单")
		first, _ := next[*cmpp.Submit](e)
		// An answer to another command under the same sequence is not ours.
		e.send(first.sequence, &cmpp.DeliverResp{})
		e.send(first.sequence+100, &cmpp.SubmitResp{MsgID: 1})
		var again frame
		for {
			f := <-e.frames
			if _, ok := f.pdu.(*cmpp.Submit); ok {
				again = f
				break
			}
			e.send(f.sequence, &cmpp.ActiveTestResp{})
		}
		if wait := again.at.Sub(first.at); wait != time.Minute || again.sequence != first.sequence {
			t.Errorf("again after %v under %d, first %d", wait, again.sequence, first.sequence)
		}
		e.send(again.sequence, &cmpp.SubmitResp{MsgID: 1 << 63})
		if o := <-done; o.err != nil || o.receipt.Parts[0] != "8000000000000000" {
			t.Errorf("%+v", o)
		}
	})
}

func TestDuplicateAfterResendIsAccepted(t *testing.T) {
	inBubble(t, func(c *Config) { c.ActiveTest = time.Hour }, func(t *testing.T, b *bubble) {
		e := b.accept()
		done := b.submit("1")
		next[*cmpp.Submit](e)
		f, _ := next[*cmpp.Submit](e)
		e.send(f.sequence, &cmpp.SubmitResp{Result: cmpp.ResultDuplicate})
		if o := <-done; o.err != nil || o.receipt.Parts[0] != "" {
			t.Errorf("%+v", o)
		}
	})
}

func TestUnansweredSubmitEndsUncertain(t *testing.T) {
	inBubble(t, func(c *Config) { c.ActiveTest = time.Hour }, func(t *testing.T, b *bubble) {
		e := b.accept()
		start := time.Now()
		done := b.submit("工单")
		o := <-done
		if !errors.Is(o.err, sms.ErrUncertain) || o.at.Sub(start) != 3*time.Minute {
			t.Errorf("after %v: %v", o.at.Sub(start), o.err)
		}
		for range 3 {
			next[*cmpp.Submit](e)
		}
		if _, ok := <-e.frames; ok {
			t.Error("the connection stays")
		}
	})
}

func TestWindowIsHeldExactly(t *testing.T) {
	inBubble(t, func(c *Config) { c.Window = 3 }, func(t *testing.T, b *bubble) {
		e := b.accept()
		for range 5 {
			b.submit("1")
		}
		var open []frame
		for range 3 {
			f, _ := next[*cmpp.Submit](e)
			open = append(open, f)
		}
		e.quiet()
		if used := b.client.State().WindowUsed; used != 3 {
			t.Errorf("window used %d", used)
		}
		e.send(open[1].sequence, &cmpp.SubmitResp{MsgID: 2})
		next[*cmpp.Submit](e)
		e.quiet()
	})
}

func TestLostConnection(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		done := b.submit("工单")
		next[*cmpp.Submit](e)
		_ = e.conn.Close()
		if o := <-done; !errors.Is(o.err, sms.ErrUncertain) || errors.Is(o.err, sms.ErrNotSent) {
			t.Error(o.err)
		}
		if _, err := b.client.Submit(t.Context(), sms.Submission{To: "1", Parts: []string{"1"}}); !errors.Is(err, sms.ErrNotSent) {
			t.Errorf("while down: %v", err)
		}
		select {
		case <-b.client.Ready():
			t.Error("ready while down")
		default:
		}
		<-b.ends
		<-b.client.Ready()
		if b.client.State().WindowUsed != 0 {
			t.Error("window still used")
		}
	})
}

// deaf fails writes at once, after a number of bytes.
type deaf struct {
	net.Conn
	limit *int // below 0: none
}

func (d deaf) Write(b []byte) (int, error) {
	if *d.limit < 0 || len(b) <= *d.limit {
		return d.Conn.Write(b)
	}
	n, _ := d.Conn.Write(b[:*d.limit])
	return n, errors.New("broken pipe")
}

func TestWriteErrorTellsWhatLeft(t *testing.T) {
	for limit, want := range map[int]error{0: sms.ErrNotSent, 1: sms.ErrUncertain} {
		cut := -1
		inBubble(t, func(c *Config) {
			dial := c.Dial
			c.Dial = func(ctx context.Context) (net.Conn, error) {
				conn, err := dial(ctx)
				return deaf{conn, &cut}, err
			}
		}, func(t *testing.T, b *bubble) {
			<-b.ends
			synctest.Wait()
			cut = limit
			o := <-b.submit("工单")
			if !errors.Is(o.err, want) {
				t.Errorf("%d bytes left: %v", limit, o.err)
			}
			cut = -1
		})
	}
}

func TestBackoffAndItsReset(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		b.mu.Lock()
		b.down = true
		b.mu.Unlock()
		_ = e.conn.Close()
		time.Sleep(5 * time.Minute)
		at := b.dialled()[1:]
		want := []time.Duration{2, 4, 8, 16, 32, 60, 60}
		for i, step := range want[:min(len(want), len(at)-1)] {
			gap, step := at[i+1].Sub(at[i]), step*time.Second
			if gap < step*8/10 || gap > step*12/10 {
				t.Errorf("gap %d is %v, want about %v", i+1, gap, step)
			}
		}
		if len(at) < 7 {
			t.Errorf("%d tries in 5 minutes", len(at))
		}
		b.mu.Lock()
		b.down = false
		b.mu.Unlock()
		e = b.accept()
		time.Sleep(time.Minute)
		synctest.Wait()
		lost := time.Now()
		_ = e.conn.Close()
		<-b.ends
		if gap := time.Since(lost); gap > 1200*time.Millisecond || gap < 800*time.Millisecond {
			t.Errorf("back after %v", gap)
		}
	})
}

func TestRefusedLoginIsSlow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := newGateway(t)
		g.status = cmpp.ConnectAuth
		c, err := New(Config{Name: "cmcc", SPID: "901234", Secret: "wrong", Dial: g.dial})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithTimeout(t.Context(), 10*time.Minute)
		defer stop()
		if err := c.Run(ctx, newShelf()); err != nil {
			t.Error(err)
		}
		at := g.dialled()
		if len(at) < 3 || len(at) > 4 || at[1].Sub(at[0]) < time.Minute {
			t.Errorf("log-ins at %v", at)
		}
		if s := c.State(); s.Up || !strings.Contains(s.Why, "3 (authentication failed)") {
			t.Errorf("%+v", s)
		}
		g.group.Wait()
	})
}

func TestRejectedPartEndsTheMessage(t *testing.T) {
	inBubble(t, func(c *Config) { c.Window = 1 }, func(t *testing.T, b *bubble) {
		e := b.accept()
		done := b.submit("一", "二")
		f, _ := next[*cmpp.Submit](e)
		e.send(f.sequence, &cmpp.SubmitResp{Result: cmpp.ResultSrcID})
		o := <-done
		no, ok := errors.AsType[*sms.Rejected](o.err)
		if !ok || no.Code != 10 || !strings.Contains(no.Text, "wrong Src_Id") {
			t.Errorf("%v", o.err)
		}
		e.quiet()
	})
}

func TestRate(t *testing.T) {
	inBubble(t, func(c *Config) { c.Rate, c.Window = 100, 1000 }, func(t *testing.T, b *bubble) {
		e := b.accept()
		start := time.Now()
		for range 500 {
			b.submit("1")
		}
		var at []time.Time
		for range 500 {
			f, _ := next[*cmpp.Submit](e)
			at = append(at, f.at)
		}
		if took := at[499].Sub(start); took != 4990*time.Millisecond {
			t.Errorf("500 at 100/s took %v", took)
		}
		for i := range at[100:] {
			if gap := at[i+100].Sub(at[i]); gap < time.Second {
				t.Fatalf("101 within %v", gap)
			}
		}
	})
}

func TestGatewayTerminates(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		one := b.submit("一")
		f, _ := next[*cmpp.Submit](e)
		start := time.Now()
		e.send(50, &cmpp.Terminate{})
		if r, _ := next[*cmpp.TerminateResp](e); r.sequence != 50 {
			t.Error(r.sequence)
		}
		if o := <-b.submit("二"); !errors.Is(o.err, sms.ErrNotSent) {
			t.Errorf("after TERMINATE: %v", o.err)
		}
		time.Sleep(3 * time.Second)
		e.send(f.sequence, &cmpp.SubmitResp{MsgID: 1})
		if o := <-one; o.err != nil {
			t.Error(o.err)
		}
		<-b.ends
		if away := time.Since(start); away < 8*time.Second || away > 10*time.Second {
			t.Errorf("back after %v", away)
		}
	})
}

func TestStopWaitsForAnswersAndTerminates(t *testing.T) {
	inBubble(t, func(c *Config) { c.Window = 1 }, func(t *testing.T, b *bubble) {
		e := b.accept()
		one := b.submit("一")
		f, _ := next[*cmpp.Submit](e)
		two := b.submit("二")
		synctest.Wait()
		b.stop()
		if o := <-two; !errors.Is(o.err, sms.ErrNotSent) {
			t.Error(o.err)
		}
		time.Sleep(4 * time.Second)
		e.quiet()
		e.send(f.sequence, &cmpp.SubmitResp{MsgID: 1})
		if o := <-one; o.err != nil {
			t.Error(o.err)
		}
		term, _ := next[*cmpp.Terminate](e)
		e.send(term.sequence, &cmpp.TerminateResp{})
		if _, ok := <-e.frames; ok {
			t.Error("more after TERMINATE")
		}
	})
}

func TestStopGivesUpOnASilentGateway(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		done := b.submit("一")
		next[*cmpp.Submit](e)
		start := time.Now()
		b.stop()
		o := <-done
		if !errors.Is(o.err, sms.ErrUncertain) || o.at.Sub(start) != drainLimit+leaveLimit {
			t.Errorf("after %v: %v", o.at.Sub(start), o.err)
		}
	})
}

func TestSubmitIsWithdrawn(t *testing.T) {
	inBubble(t, func(c *Config) { c.Window = 1 }, func(t *testing.T, b *bubble) {
		e := b.accept()
		sent := b.submit("一")
		f, _ := next[*cmpp.Submit](e)
		ctx, cancel := context.WithCancel(t.Context())
		waits := b.submitContext(ctx, "二")
		synctest.Wait()
		cancel()
		if o := <-waits; !errors.Is(o.err, sms.ErrNotSent) || !errors.Is(o.err, context.Canceled) {
			t.Error(o.err)
		}
		e.send(f.sequence, &cmpp.SubmitResp{})
		<-sent
		e.quiet()
	})
}

func TestDeliverIsAnsweredWhenStored(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		b.shelf.delay = 3 * time.Second
		start := time.Now()
		e.send(5, &cmpp.Deliver{MsgID: 77, SrcTerminalID: "13800138000", DestID: "10690000", MsgContent: []byte("1")})
		f, resp := next[*cmpp.DeliverResp](e)
		if f.sequence != 5 || resp.MsgID != 77 || f.at.Sub(start) != 3*time.Second {
			t.Errorf("%d %+v after %v", f.sequence, resp, f.at.Sub(start))
		}
		b.shelf.fail(errors.New("disk full"))
		e.send(6, &cmpp.Deliver{MsgID: 78, SrcTerminalID: "13800138000", MsgContent: []byte("2")})
		time.Sleep(10 * time.Second)
		e.quiet()
	})
}

func TestTextsOfOneSenderStayInOrder(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		b.shelf.delay = time.Millisecond
		for i := range 20 {
			e.send(uint32(i), &cmpp.Deliver{MsgID: cmpp.MsgID(i), SrcTerminalID: "13800138000", MsgContent: []byte{byte('a' + i)}})
		}
		for range 20 {
			next[*cmpp.DeliverResp](e)
		}
		got := ""
		for _, text := range b.shelf.texts {
			got += text.Text
		}
		if got != "abcdefghijklmnopqrst" {
			t.Error(got)
		}
	})
}

func TestIncoming(t *testing.T) {
	long := append(cmpp.Concat{Ref: 300, Total: 2, Number: 1}.Append16(nil), "\x63\xa5\x53\x55"...)
	cut, cutGBK := []byte("\x05\x00\x03\x07\x02\x01\x63\xa5\xd8\x3d"), []byte("\x05\x00\x03\x07\x02\x02\xd3\xb5\xa5")
	report, _ := (&cmpp.Report{MsgID: 1 << 63, Stat: "MA:0001", DoneTime: "2608010931", DestTerminalID: "13800138000"}).Append(nil, cmpp.V20)
	deliver := func(udhi uint8, f cmpp.Format, content []byte) *cmpp.Deliver {
		return &cmpp.Deliver{MsgID: 9, SrcTerminalID: "13800138000", DestID: "106900001", TPUDHI: udhi, MsgFmt: f, MsgContent: content}
	}
	text := func(s string, p sms.Part) sms.Text {
		return sms.Text{Account: "cmcc", ID: "0000000000000009", From: "13800138000", To: "106900001", Text: s, Part: p}
	}
	part := func(a segment.Alphabet, octets string, p sms.Part) sms.Text {
		t := text("", p)
		t.Alphabet, t.Octets = a, octets
		return t
	}
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		for i, tt := range []struct {
			p    *cmpp.Deliver
			want sms.Text
		}{
			{deliver(0, cmpp.ASCII, []byte("1")), text("1", sms.Part{})},
			{deliver(0, cmpp.GBK, []byte("\xbd\xd3\xb5\xa5")), text("接单", sms.Part{})},
			{deliver(0, 25, []byte("\x5b\x8c\x62\x10")), text("完成", sms.Part{})},
			{deliver(0x40, cmpp.UCS2, long), part(segment.UCS2, "\x63\xa5\x53\x55", sms.Part{Ref: 300, Total: 2, Index: 1})},
			{deliver(1, 24, cut), part(segment.UCS2, "\x63\xa5\xd8\x3d", sms.Part{Ref: 7, Total: 2, Index: 1})}, // half a character
			{deliver(1, cmpp.GBK, cutGBK), part(segment.GBK, "\xd3\xb5\xa5", sms.Part{Ref: 7, Total: 2, Index: 2})},
			{deliver(1, cmpp.GBK, append([]byte{5, 0, 3, 7, 1, 1}, "\xbd\xd3"...)), text("接", sms.Part{})},
			{deliver(0, cmpp.Binary, []byte{1, 0xff}), text("01ff", sms.Part{})},
			{deliver(1, cmpp.ASCII, []byte{200, 'x'}), text("Èx", sms.Part{})},
		} {
			e.send(uint32(i), tt.p)
			next[*cmpp.DeliverResp](e)
			if got := b.shelf.texts[i]; got != tt.want {
				t.Errorf("%+v, want %+v", got, tt.want)
			}
		}
		p := deliver(0, 0, report)
		p.RegisteredDelivery = 1
		e.send(100, p)
		next[*cmpp.DeliverResp](e)
		want := sms.Report{Account: "cmcc", ID: "8000000000000000", To: "13800138000", Stat: "MA:0001", Done: "2608010931"}
		if got := b.shelf.reports[0]; got != want {
			t.Errorf("%+v", got)
		}
		p.MsgContent = report[:20]
		e.send(101, p)
		if _, resp := next[*cmpp.DeliverResp](e); resp.Result != cmpp.ResultStructure {
			t.Errorf("%+v", resp)
		}
	})
}

func TestSubmitFields(t *testing.T) {
	inBubble(t, func(c *Config) { c.ServiceID = "HELP" }, func(t *testing.T, b *bubble) {
		e := b.accept()
		b.submit("一", "二")
		for i := range 2 {
			_, p := next[*cmpp.Submit](e)
			h, rest, _ := cmpp.ParseUDH(p.MsgContent)
			if p.PkTotal != 2 || int(p.PkNumber) != i+1 || h != (cmpp.Concat{Ref: 7, Total: 2, Number: p.PkNumber}) || p.TPUDHI != 1 {
				t.Errorf("part %d: %+v, %+v", i+1, p, h)
			}
			if got := decode(p.MsgFmt, rest); got != []string{"一", "二"}[i] {
				t.Error(got)
			}
			if p.RegisteredDelivery != 1 || p.ServiceID != "HELP" || p.MsgSrc != "901234" || p.SrcID != "10690000" || p.DestTerminalID[0] != "13800138000" {
				t.Errorf("%+v", p)
			}
		}
	})
}

func TestImpossibleSubmissions(t *testing.T) {
	c, err := New(Config{Name: "cmcc", Address: "x", SPID: "901234", SrcID: "10690000"})
	if err != nil {
		t.Fatal(err)
	}
	for name, s := range map[string]sms.Submission{
		"no parts":       {To: "1"},
		"no number":      {Parts: []string{"1"}},
		"71 units":       {To: "1", Parts: []string{strings.Repeat("中", 71)}},
		"part of 68":     {To: "1", Parts: []string{"1", strings.Repeat("中", 68)}},
		"long extension": {To: "1", Parts: []string{"1"}, Extension: strings.Repeat("1", 14)},
	} {
		if _, err := c.Submit(t.Context(), s); !isRejected(err) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func isRejected(err error) bool { _, ok := errors.AsType[*sms.Rejected](err); return ok }

func TestValidateNamesAllFaults(t *testing.T) {
	_, err := New(Config{SPID: "1234567", Window: -1, BindAddress: "here"})
	for _, key := range []string{"name", "address", "sp_id", "window", "bind_address"} {
		if err == nil || !strings.Contains(err.Error(), key+":") {
			t.Errorf("%s not named in %v", key, err)
		}
	}
}

func TestGarbageEndsTheConnectionOnly(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		for _, garbage := range [][]byte{
			[]byte("GET / HTTP/1.1\r\n\r\n"),
			{0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0},
		} {
			e := b.accept()
			_, _ = e.conn.Write(garbage)
			if _, ok := <-e.frames; ok {
				t.Error("still open")
			}
		}
		e := b.accept()
		// A DELIVER that is cut short is answered, or it would come for ever.
		_, _ = e.conn.Write([]byte{0, 0, 0, 21, 0, 0, 0, 5, 0, 0, 0, 3, 0, 0, 0, 0, 0, 0, 0, 7, 1})
		if f, resp := next[*cmpp.DeliverResp](e); f.sequence != 3 || resp.MsgID != 7 || resp.Result != cmpp.ResultStructure {
			t.Errorf("%d %+v", f.sequence, resp)
		}
		_, _ = e.conn.Write([]byte{0, 0, 0, 12, 0, 0, 0, 0x17, 0, 0, 0, 1}) // unknown command
		e.send(9, &cmpp.ActiveTest{})
		next[*cmpp.ActiveTestResp](e)
	})
}

func TestPhases(t *testing.T) {
	for p := open; p <= closed; p++ {
		for h := stopAsked; h <= leaveAgreed; h++ {
			if to := p.next(h); to < p {
				t.Errorf("%v goes back to %v", p, to)
			}
		}
	}
	for _, p := range []phase{draining, leaving, dismissed} {
		if p.next(overdue) == p {
			t.Errorf("%v has no end", p)
		}
	}
}

func TestHalfSentMessageAtTerminate(t *testing.T) {
	inBubble(t, func(c *Config) { c.Window = 1 }, func(t *testing.T, b *bubble) {
		e := b.accept()
		done := b.submit("一", "二")
		f, _ := next[*cmpp.Submit](e)
		e.send(50, &cmpp.Terminate{})
		next[*cmpp.TerminateResp](e)
		e.send(f.sequence, &cmpp.SubmitResp{MsgID: 1})
		if o := <-done; !errors.Is(o.err, sms.ErrUncertain) {
			t.Errorf("%+v", o)
		}
		e.quiet()
	})
}

func TestWriteHasADeadline(t *testing.T) {
	var first stuckOnce
	inBubble(t, func(c *Config) {
		dial := c.Dial
		c.Dial = func(ctx context.Context) (net.Conn, error) {
			conn, err := dial(ctx)
			return first.wrap(conn), err
		}
	}, func(t *testing.T, b *bubble) {
		b.accept()
		first.stop.Store(true)
		start := time.Now()
		if o := <-b.submit("一"); !errors.Is(o.err, sms.ErrNotSent) || o.at.Sub(start) != 10*time.Second {
			t.Errorf("after %v: %v", o.at.Sub(start), o.err)
		}
		first.stop.Store(false)
	})
}

func TestOneConnectionOfTwoIsEnough(t *testing.T) {
	inBubble(t, func(c *Config) { c.Connections = 2 }, func(t *testing.T, b *bubble) {
		one, two := b.accept(), b.accept()
		b.mu.Lock()
		b.down = true
		b.mu.Unlock()
		_ = one.conn.Close()
		synctest.Wait()
		<-b.client.Ready()
		if s := b.client.State(); !s.Up {
			t.Errorf("%+v", s)
		}
		done := b.submit("一")
		f, _ := next[*cmpp.Submit](two)
		two.send(f.sequence, &cmpp.SubmitResp{MsgID: 1})
		if o := <-done; o.err != nil {
			t.Error(o.err)
		}
		_ = two.conn.Close()
		synctest.Wait()
		if s := b.client.State(); s.Up || s.Why == "" {
			t.Errorf("%+v", s)
		}
	})
}
