package client

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/cmpp"
	"callbox/sms"
)

// logbook keeps what was logged.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) count(words string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.b.String(), words)
}

func isReady(c *Client) bool {
	select {
	case <-c.Ready():
		return true
	default:
		return false
	}
}

// TestAccountFault: five results in a row that blame the account bar it; what
// is open is given back, one message tries again after a minute, two, and so
// on, and the first that is accepted opens it.
func TestAccountFault(t *testing.T) {
	var log logbook
	inBubble(t, func(c *Config) {
		still(c)
		c.Window, c.Connections, c.Log = 4, 2, slog.New(slog.NewTextHandler(&log, nil))
	}, func(t *testing.T, b *bubble) {
		ends := []*end{b.accept(), b.accept()}
		var outcomes []<-chan outcome
		for range 8 {
			outcomes = append(outcomes, b.submit("1"))
		}
		for _, e := range ends {
			for range 4 {
				f, _ := next[*cmpp.Submit](e)
				e.answer(f, cmpp.ResultService)
			}
		}
		failed, back := 0, 0
		for _, done := range outcomes {
			o := <-done
			if no, ok := errors.AsType[*sms.Rejected](o.err); ok && no.Code == 7 {
				failed++
			} else if errors.Is(o.err, sms.ErrNotSent) {
				back++
			}
		}
		if failed != 4 || back != 4 {
			t.Errorf("%d failed, %d given back", failed, back)
		}
		if s := b.client.State(); s.Up || !strings.Contains(s.Why, "7 (wrong service code), 5 times in a row") {
			t.Errorf("%+v", s)
		}
		for _, minutes := range []time.Duration{1, 2, 4, 8, 10, 10} {
			if isReady(b.client) || b.client.Capacity() != 1 {
				t.Error("ready, or room for more than a probe")
			}
			if o := <-b.submit("2"); !errors.Is(o.err, sms.ErrNotSent) {
				t.Error(o.err)
			}
			start := time.Now()
			<-b.client.Ready()
			if wait := time.Since(start); wait != minutes*time.Minute {
				t.Errorf("tried again after %v", wait)
			}
			b.probe(t, ends, cmpp.ResultService, sms.ErrNotSent)
		}
		<-b.client.Ready()
		b.probe(t, ends, cmpp.ResultOK, nil)
		if s := b.client.State(); !s.Up || !isReady(b.client) || b.client.Capacity() != 8 {
			t.Errorf("%+v, capacity %d", s, b.client.Capacity())
		}
	})
	if n := log.count("level=ERROR"); n != 1 {
		t.Errorf("%d alarms", n)
	}
}

// probe submits two messages at once and finds that one of them leaves.
func (b *bubble) probe(t *testing.T, ends []*end, r cmpp.Result, want error) {
	t.Helper()
	one := b.submit("p")
	var f frame
	var on *end
	for on == nil {
		for _, e := range ends {
			select {
			case f = <-e.frames:
				on = e
			case <-time.After(time.Millisecond):
			}
		}
	}
	if isReady(b.client) {
		t.Error("ready while a probe is on its way")
	}
	if o := <-b.submit("q"); !errors.Is(o.err, sms.ErrNotSent) {
		t.Errorf("beside the probe: %v", o.err)
	}
	on.answer(f, r)
	if o := <-one; !errors.Is(o.err, want) {
		t.Errorf("probe: %v", o.err)
	}
}

func TestRunEndsWithAnAcceptedOne(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		for i := range 12 {
			done := b.submit("1")
			f, _ := next[*cmpp.Submit](e)
			if i%5 == 4 {
				e.answer(f, cmpp.ResultOK)
				<-done
				continue
			}
			e.answer(f, cmpp.ResultMsgSrc)
			if o := <-done; !isRejected(o.err) {
				t.Error(o.err)
			}
		}
		if !b.client.State().Up {
			t.Error("barred")
		}
	})
}

// TestLongMessageCountsOnce: its parts are refused together.
func TestLongMessageCountsOnce(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		done := b.submit("一", "二", "三", "四", "五", "六")
		var open []frame
		for range 6 {
			f, _ := next[*cmpp.Submit](e)
			open = append(open, f)
		}
		for _, f := range open {
			e.answer(f, cmpp.ResultService)
		}
		if o := <-done; !isRejected(o.err) || !b.client.State().Up {
			t.Errorf("%v, %+v", o.err, b.client.State())
		}
	})
}

// TestExtensionDigitsAreNoAccountFault: result 10 for a message with digits
// behind the access number goes to sms, which leaves them away from then on.
func TestExtensionDigitsAreNoAccountFault(t *testing.T) {
	inBubble(t, nil, func(t *testing.T, b *bubble) {
		e := b.accept()
		submit := func(extension string) error {
			done := make(chan error, 1)
			b.group.Go("submit", func() {
				_, err := b.client.Submit(t.Context(), sms.Submission{To: "13800138000", Parts: []string{"1"}, Extension: extension})
				done <- err
			})
			f, _ := next[*cmpp.Submit](e)
			e.answer(f, cmpp.ResultSrcID)
			return <-done
		}
		for range 20 {
			if err := submit("01"); !isRejected(err) {
				t.Fatal(err)
			}
		}
		for range runLength - 1 {
			if err := submit(""); !isRejected(err) {
				t.Fatal(err)
			}
		}
		if err := submit(""); !errors.Is(err, sms.ErrNotSent) {
			t.Error(err)
		}
	})
}

// TestProbeThatSaysNothing leaves the account to the next one.
func TestProbeThatSaysNothing(t *testing.T) {
	inBubble(t, still, func(t *testing.T, b *bubble) {
		e := b.accept()
		for range runLength {
			done := b.submit("1")
			f, _ := next[*cmpp.Submit](e)
			e.answer(f, cmpp.ResultService)
			<-done
		}
		if b.client.State().Up {
			t.Error("up while barred")
		}
		<-b.client.Ready()
		if s := b.client.State(); !s.Up {
			t.Errorf("down when it is to be tried: %+v", s)
		}
		done := b.submit("1")
		f, _ := next[*cmpp.Submit](e)
		e.answer(f, cmpp.ResultDestTerminalID)
		if o := <-done; !isRejected(o.err) {
			t.Error(o.err)
		}
		b.probe(t, []*end{e}, cmpp.ResultOK, nil)
	})
}

// TestBarredAccountKeepsWhatIsHalfSent: a long message part of which was
// accepted is brought to its end.
func TestBarredAccountKeepsWhatIsHalfSent(t *testing.T) {
	inBubble(t, func(c *Config) { still(c); c.Window = 1 + runLength; c.Connections = 1; c.Rate = 1000 }, func(t *testing.T, b *bubble) {
		e := b.accept()
		var faulty []frame
		for range runLength {
			b.submit("1")
			f, _ := next[*cmpp.Submit](e)
			faulty = append(faulty, f)
		}
		long := b.submit("一", "二")
		first, _ := next[*cmpp.Submit](e)
		for _, f := range faulty {
			e.answer(f, cmpp.ResultMsgSrc)
		}
		second, p := next[*cmpp.Submit](e)
		if p.PkNumber != 2 || b.client.State().Up {
			t.Errorf("part %d, %+v", p.PkNumber, b.client.State())
		}
		e.answer(first, cmpp.ResultOK)
		e.answer(second, cmpp.ResultOK)
		if o := <-long; o.err != nil {
			t.Error(o.err)
		}
		if !b.client.State().Up {
			t.Error("barred although a message was accepted")
		}
	})
}

func TestTrusts(t *testing.T) {
	for from := good; from <= proving; from++ {
		if from.next(served) != good {
			t.Errorf("%d does not end by an accepted message", from)
		}
		if from.next(blamed) != barred {
			t.Errorf("%d is not ended by a blaming result", from)
		}
	}
}
