package v253

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti/media/dsp"
)

// bubble runs a test with an open fake in a synctest bubble.
func bubble(t *testing.T, answers map[string]string, test func(t *testing.T, f *fake, m *Modem)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		f := chip(answers)
		test(t, f, opened(t, f, "auto"))
	})
}

func TestResults(t *testing.T) {
	for answer, want := range map[string]error{
		"OK": nil, "VCON": nil, "ERROR": ErrRefused, "BUSY": ErrBusy, "NO CARRIER": ErrNoCarrier, "NO ANSWER": ErrNoAnswer,
		"NO DIALTONE": ErrNoDialTone, "NO DIAL TONE": ErrNoDialTone, "8\nOK": nil,
	} {
		answers := map[string]string{"AT+VLS=1": answer}
		for k, v := range usr5637 {
			answers[k] = v
		}
		bubble(t, answers, func(t *testing.T, _ *fake, m *Modem) {
			err := m.OffHook(t.Context())
			if want == nil && err != nil || want != nil && !errors.Is(err, want) {
				t.Errorf("%s: %v, want %v", answer, err, want)
			}
		})
	}
}

// A box that does not answer costs the limit, exactly; the next command finds
// out where the box is.
func TestCommandTimesOut(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		f.answers = map[string]string{"AT+VLS=1": "-", "ATI0": "5601\nOK"}
		start := time.Now()
		if err := m.OffHook(t.Context()); !errors.Is(err, ErrSilent) {
			t.Errorf("OffHook: %v", err)
		}
		if took := time.Since(start); took != answerLimit {
			t.Errorf("took %v, want exactly %v", took, answerLimit)
		}
		if err := m.Check(t.Context()); err != nil {
			t.Errorf("Check: %v", err)
		}
		if got := strings.Join(f.commands(), " "); got != "AT+VLS=1 ATE0Q0V1 ATI0 AT" {
			t.Errorf("commands %s", got)
		}
	})
}

// The answer that comes after all is not the next command's.
func TestCancelledCommandsAnswerIsLate(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		f.late = map[string]time.Duration{"AT+VLS=1": 700 * time.Millisecond}
		f.answers = map[string]string{"AT+VLS=1": "ERROR", "ATI0": "5601\nOK"}
		gaveUp := errors.New("the caller is gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(100*time.Millisecond, func() { cancel(gaveUp) })
		if err := m.OffHook(ctx); !errors.Is(err, gaveUp) {
			t.Errorf("OffHook: %v", err)
		}
		for range 3 {
			if err := m.OnHook(t.Context()); err != nil {
				t.Errorf("OnHook: %v", err)
			}
		}
	})
}

func TestOneCommandAtATime(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		f.late = map[string]time.Duration{"AT+VLS=1": 50 * time.Millisecond, "AT": 50 * time.Millisecond}
		var wg sync.WaitGroup
		for range 5 {
			wg.Go(func() {
				if err := errors.Join(m.OffHook(t.Context()), m.Check(t.Context())); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		got := f.commands()
		slices.Sort(got)
		if want := "AT AT AT AT AT AT+VLS=1 AT+VLS=1 AT+VLS=1 AT+VLS=1 AT+VLS=1"; strings.Join(got, " ") != want {
			t.Errorf("commands %s", got)
		}
	})
}

// Rings, codes and a caller's number fall into an answer.
func TestEventsInsideAnAnswer(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		f.answers = map[string]string{"AT+VLS=1": "RING\n\x10H\nNMBR=138\nOK"}
		if err := m.OffHook(t.Context()); err != nil {
			t.Fatal(err)
		}
		for _, want := range []Kind{Ring, SetLifted, CallerID} {
			if e := <-m.Events(); e.Kind != want {
				t.Errorf("%v, want %v", e.Kind, want)
			}
		}
	})
}

func TestPlainCallerIDEnds(t *testing.T) {
	const lines = "\r\nDATE = 0317\r\n\r\nTIME = 1656\r\n\r\nNMBR = 13812345678\r\n"
	want := dsp.CallerID{Number: "13812345678", Time: "03171656"}
	for name, tt := range map[string]struct {
		then  string
		after time.Duration
	}{
		"at the next ring":          {"\r\nRING\r\n", 0},
		"half a second after":       {"", reportPause},
		"at the next shielded ring": {"\x10R", 0},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
				f.say("\r\nRING\r\n")
				if e := <-m.Events(); e.Kind != Ring {
					t.Fatalf("%v", e.Kind)
				}
				time.Sleep(time.Second)
				f.say(lines)
				start := time.Now()
				f.say(tt.then)
				e := <-m.Events()
				if e.Kind != CallerID || e.Caller != want {
					t.Errorf("%v %+v", e.Kind, e.Caller)
				}
				if took := time.Since(start); took != tt.after {
					t.Errorf("told after %v, want exactly %v", took, tt.after)
				}
			})
		})
	}
}

// The number before the first ring (DTMF), the same report twice, another one.
func TestReportsInVoiceMode(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		f.say("\x10XNMBR=138\r\n\x10.")
		f.say("\x10XNMBR=138\r\n\x10.")
		f.say("\x10R\x10XDRON=10\r\n\x10.")
		time.Sleep(2 * time.Second)
		f.say("\x10XNMBR=138\r\nNAME=WANG\r\n\x10.")
		f.say("\x10XNMBR=139\r\n") // its end is lost
		var got []string
		for range 5 {
			e := <-m.Events()
			got = append(got, e.Kind.String()+" "+e.Caller.Number)
		}
		if want := "caller id 138,ring ,ring ended ,caller id 138,caller id 139"; strings.Join(got, ",") != want {
			t.Errorf("got %q", got)
		}
	})
}

func TestEventsDropTheOldest(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		for range eventRoom {
			f.say("\x10b\x10d")
		}
		synctest.Wait()
		if missed, _ := m.Counts(); missed != eventRoom {
			t.Errorf("%d events dropped, want %d", missed, eventRoom)
		}
		if n := len(m.Events()); n != eventRoom {
			t.Errorf("%d events wait", n)
		}
	})
}

// silent is a port behind which nobody answers, or one that talks nonsense.
func silent(t *testing.T, sound func() []byte) *fake {
	f := chip(nil)
	f.deaf, f.stuck, f.sound = true, true, sound
	if sound == nil {
		f.sound = func() []byte { return nil }
	}
	return f
}

func TestNobodyAnswers(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	gibberish := func() []byte {
		b := make([]byte, 640)
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return b
	}
	for name, sound := range map[string]func() []byte{"silence": nil, "gibberish": gibberish} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				_, err := Open(t.Context(), silent(t, sound).plug(t), Config{Log: quietLog()})
				if !errors.Is(err, ErrSilent) {
					t.Errorf("Open: %v", err)
				}
				if took := time.Since(start); took > 4*time.Second {
					t.Errorf("given up after %v", took)
				}
				t.Logf("given up after %v", time.Since(start))
			})
		})
	}
}

// Whatever state a box was left in, it is found in time and its answers belong
// to their commands.
func TestResync(t *testing.T) {
	for name, change := range map[string]func(f *fake){
		"idle":              func(*fake) {},
		"numeric answers":   func(f *fake) { f.numeric = true },
		"in a data state":   func(f *fake) { f.stuck = true },
		"wants three DLEs":  func(f *fake) { f.stuck, f.dles = true, 3 },
		"slow with its OK":  func(f *fake) { f.stuck, f.late = true, map[string]time.Duration{"ATE0Q0V1": 150 * time.Millisecond} },
		"the first OK lost": func(f *fake) { f.late = map[string]time.Duration{"ATE0Q0V1": 450 * time.Millisecond} },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := chip(cx93001)
				change(f)
				start := time.Now()
				m, err := Open(t.Context(), f.plug(t), Config{Log: quietLog()})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				if took := time.Since(start); took > 2*time.Second {
					t.Errorf("open after %v", took)
				}
				t.Logf("open after %v", time.Since(start))
				if got := m.Identity().Version; got != "CX93001-EIS_V0.2013-V92" {
					t.Errorf("version %q", got)
				}
			})
		})
	}
}

func TestOpenIsCancelled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		why := errors.New("shutting down")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(why) })
		if _, err := Open(ctx, silent(t, nil).plug(t), Config{Log: quietLog()}); !errors.Is(err, why) {
			t.Errorf("Open: %v", err)
		}
	})
}

func TestDialling(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		start := time.Now()
		if err := m.Dial(t.Context(), "0,138-*#x"); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(f.commands(), " "); got != "AT+VTS=0 AT+VTS=1,3,8,*,#" {
			t.Errorf("commands %s", got)
		}
		if took := time.Since(start); took != 2*time.Second {
			t.Errorf("took %v", took)
		}
		f.forget()
		if err := m.Flash(t.Context(), 600*time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(f.commands(), " "); got != "AT+VLS=0 AT+VLS=1" {
			t.Errorf("flash: %s", got)
		}
		if took := time.Since(start); took != 2600*time.Millisecond {
			t.Errorf("flash took %v", took-2*time.Second)
		}
	})
}

// hasty is a port whose Read never waits. Torn out, only a write tells.
type hasty struct {
	reads, writes atomic.Int64
	torn          atomic.Bool
}

func (h *hasty) Read([]byte) (int, error) { h.reads.Add(1); return 0, nil }
func (h *hasty) Write(p []byte) (int, error) {
	h.writes.Add(1)
	if h.torn.Load() {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}
func (h *hasty) Close() error { return nil }

func TestPortThatNeverWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &hasty{}
		m := newModem(h, quietLog())
		m.work.Go("reader", m.read)
		m.work.Go("writer", m.write)
		time.Sleep(time.Second)
		if n := h.reads.Load(); n > 110 {
			t.Errorf("%d reads in a second", n)
		}
		h.torn.Store(true)
		start := time.Now()
		<-m.Done()
		if took := time.Since(start); took > 200*time.Millisecond || !errors.Is(m.Err(), ErrLost) {
			t.Errorf("%v after %v", m.Err(), took)
		}
		if err := m.Close(); err != nil {
			t.Error(err)
		}
	})
}

func TestClosedModem(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, _ *fake, m *Modem) {
		s, err := m.Talk(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
		<-m.Done()
		if m.Err() != nil {
			t.Errorf("Err = %v", m.Err())
		}
		for range s.Frames() {
		}
		for what, err := range map[string]error{
			"OnHook": m.OnHook(t.Context()), "Write": s.Write(make([]int16, Frame)), "Reset": m.Reset(t.Context()),
		} {
			if err == nil {
				t.Errorf("%s after Close did not fail", what)
			}
		}
		if err := m.Close(); err != nil {
			t.Errorf("second Close: %v", err)
		}
	})
}
