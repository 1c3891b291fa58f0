package cti_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/media"
)

// voice is a port whose party is heard until hush.
type voice struct {
	port
	mu   sync.Mutex
	last time.Time // zero: it speaks now
	far  time.Time // of its reports; zero: none
}

func (v *voice) Stats() media.Stats {
	v.mu.Lock()
	defer v.mu.Unlock()
	last := v.last
	if last.IsZero() {
		last = time.Now()
	}
	return media.Stats{Received: 1, LastReceived: last, Far: media.Far{Last: v.far}}
}

func (v *voice) hush(last, far time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.last, v.far = last, far
}

// voiceLeg is a leg with a voice, which may be on hold.
type voiceLeg struct {
	*leg
	voice voice
	held  bool
	fax   chan string
}

func (l *voiceLeg) Media() media.Port { return &l.voice }
func (l *voiceLeg) OnHold() bool      { return l.held }

func (l *voiceLeg) Fax() <-chan string { return l.fax }

// quietScene talks over two legs with voices until the call is over.
func quietScene(t *testing.T, rules cti.NoAudio) (outside, agent *voiceLeg, book *ledger, over chan error) {
	outside, agent = &voiceLeg{leg: newLeg("out", "13800138000"), fax: make(chan string, 1)}, &voiceLeg{leg: newLeg("phone", "")}
	agent.origin.Direction = cti.Out
	book, over = &ledger{}, make(chan error, 1)
	server := cti.NewServer(cti.Config{NoAudio: rules, Log: slog.New(slog.DiscardHandler)},
		cti.Deps{Engine: engine{}, Recorder: shelf{}, Ledger: book})
	server.SetRouter(handler(func(ctx context.Context, c *cti.Call) (cti.Outcome, error) {
		if err := c.Answer(ctx); err != nil {
			return cti.Outcome{}, err
		}
		return c.Bridge(ctx, cti.Ref{ID: "1001"}, agent)
	}))
	ctx, stop := context.WithCancel(t.Context())
	go func() { _ = server.Run(ctx) }()
	go func() { over <- server.Accept(ctx, outside); stop() }()
	synctest.Wait()
	return outside, agent, book, over
}

func (l *ledger) count(kind string) int {
	n := 0
	for _, e := range l.types() {
		if e == kind {
			n++
		}
	}
	return n
}

func TestNoAudioIsToldAndEndsTheCall(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outside, _, book, over := quietScene(t, cti.NoAudio{})
		time.Sleep(5 * time.Minute) // both speak
		if n := book.count(cti.EventNoAudio); n != 0 {
			t.Fatalf("%d events while both are heard", n)
		}
		outside.voice.hush(time.Now(), time.Time{})
		time.Sleep(9 * time.Second)
		if n := book.count(cti.EventNoAudio); n != 0 {
			t.Errorf("told after 9 s already")
		}
		time.Sleep(2 * time.Second)
		e, ok := book.event(cti.EventNoAudio)
		if !ok || e.ConnectionID != "out" || e.AgentID != "1001" {
			t.Errorf("after 11 s: %+v, %v", e, ok)
		}
		time.Sleep(47 * time.Second)
		if len(over) != 0 {
			t.Error("ended before 60 s")
		}
		time.Sleep(3 * time.Second)
		if len(over) != 1 {
			t.Fatal("not ended 61 s after the last sound")
		}
		<-over
		if r := book.final[0]; r.HangupSide != cti.BoxSide || r.Cause != cti.CauseTimeout || *r.Result != cti.ResultAnswered {
			t.Errorf("record %s %s %s", r.HangupSide, r.Cause, *r.Result)
		}
		if n := book.count(cti.EventNoAudio); n != 1 {
			t.Errorf("told %d times, want once", n)
		}
	})
}

func TestSilenceThatIsNone(t *testing.T) {
	for name, tt := range map[string]struct {
		rules cti.NoAudio
		quiet func(l *voiceLeg)
		after time.Duration
		told  int
		over  bool
	}{
		"on hold":            {cti.NoAudio{}, func(l *voiceLeg) { l.held = true; l.voice.hush(time.Now(), time.Time{}) }, 5 * time.Minute, 0, false},
		"reports still come": {cti.NoAudio{}, func(l *voiceLeg) { l.voice.hush(time.Now(), time.Now().Add(time.Hour)) }, 5 * time.Minute, 1, false},
		"switched off":       {cti.NoAudio{Notice: -1, Hangup: -1}, func(l *voiceLeg) { l.voice.hush(time.Now(), time.Time{}) }, 5 * time.Minute, 0, false},
		"never heard":        {cti.NoAudio{}, func(l *voiceLeg) { l.voice.hush(time.Unix(1, 0), time.Time{}) }, 62 * time.Second, 1, true},
		"told only":          {cti.NoAudio{Notice: 5 * time.Second, Hangup: -1}, func(l *voiceLeg) { l.voice.hush(time.Now(), time.Time{}) }, 5 * time.Minute, 1, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, agent, book, over := quietScene(t, tt.rules)
				tt.quiet(agent)
				time.Sleep(tt.after)
				if n := book.count(cti.EventNoAudio); n != tt.told {
					t.Errorf("told %d times, want %d", n, tt.told)
				}
				if got := len(over) == 1; got != tt.over {
					t.Errorf("over: %v, want %v", got, tt.over)
				}
				agent.leave()
				synctest.Wait()
			})
		})
	}
}

func TestSoundComesBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outside, _, book, _ := quietScene(t, cti.NoAudio{})
		for range 2 {
			outside.voice.hush(time.Now(), time.Time{})
			time.Sleep(30 * time.Second)
			outside.voice.hush(time.Time{}, time.Time{})
			time.Sleep(3 * time.Second)
		}
		if n := book.count(cti.EventNoAudio); n != 4 {
			t.Errorf("%d events, want gone, back, gone, back", n)
		}
		outside.leave()
		synctest.Wait()
	})
}

func TestFaxIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		outside, _, book, _ := quietScene(t, cti.NoAudio{})
		outside.fax <- "cng"
		time.Sleep(3 * time.Second)
		e, ok := book.event(cti.EventFaxDetected)
		if !ok || e.ConnectionID != "out" || e.UserData["tone"] != "cng" || book.count(cti.EventFaxDetected) != 1 {
			t.Errorf("event %+v, %v, %d times", e, ok, book.count(cti.EventFaxDetected))
		}
		outside.leave()
		synctest.Wait()
	})
}
