package ctitest_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/internal/guard"
)

const patience = 5 * time.Second

func patient(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func await(t *testing.T, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("%s: not within %v", what, patience)
	}
}

// start runs a phone until the test ends.
func start(t *testing.T, cfg ctitest.PhoneConfig) *ctitest.Phone {
	t.Helper()
	p, err := ctitest.NewPhone(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return p
}

func dial(t *testing.T, from, to *ctitest.Phone, o ctitest.CallOptions) *ctitest.Talk {
	t.Helper()
	o.Server = to.Addr().String()
	talk, err := from.Call(patient(t), "1001", o)
	if err != nil {
		t.Fatal(err)
	}
	return talk
}

func TestTwoPhones(t *testing.T) {
	for name, laws := range map[string][]media.Law{"A-law": {media.PCMA}, "µ-law": {media.PCMU}, "both": nil} {
		t.Run(name, func(t *testing.T) {
			a := start(t, ctitest.PhoneConfig{User: "13800138000", Name: `王 "W" 芳`})
			b := start(t, ctitest.PhoneConfig{User: "1001", Laws: laws})
			caller := dial(t, a, b, ctitest.CallOptions{})
			agent := <-b.Incoming()
			if agent.From() != "13800138000" || agent.To() != "1001" {
				t.Errorf("from %q to %q", agent.From(), agent.To())
			}
			agent.Ring()
			await(t, caller.Ringing(), "180")
			agent.Listen(1100, 700)
			if err := agent.Answer(); err != nil {
				t.Fatal(err)
			}
			if err := caller.WaitAnswered(patient(t)); err != nil {
				t.Fatal(err)
			}
			caller.Tone(1100)
			agent.Tone(620)
			if err := errors.Join(agent.WaitTone(patient(t), 1100), caller.WaitTone(patient(t), 620)); err != nil {
				t.Error(err)
			}
			if agent.FirstHeard(1100).Before(agent.Times().Answered) || !agent.FirstHeard(700).IsZero() || agent.HeardFor(1100) < 100*time.Millisecond {
				t.Errorf("first heard %v, %v of 1100 Hz", agent.FirstHeard(1100), agent.HeardFor(1100))
			}
			caller.Press("159#")
			if err := agent.WaitPressed(patient(t), "159#"); err != nil {
				t.Error(err)
			}
			agent.Hangup()
			await(t, caller.Ended(), "BYE")
			await(t, agent.Ended(), "its answer")
			if !caller.EndedByPeer() || agent.EndedByPeer() || a.Calls()+b.Calls() != 0 {
				t.Error("ended by the wrong side, or not forgotten")
			}
			if st := caller.Stats(); st.Lost != 0 || st.Sent < 10 || st.Received < 10 {
				t.Errorf("stats = %+v", st)
			}
		})
	}
}

func TestPlans(t *testing.T) {
	for name, tt := range map[string]struct {
		plan   ctitest.Plan
		status int
	}{
		"answer": {ctitest.Plan{Ring: 50 * time.Millisecond, Talk: 100 * time.Millisecond}, 200},
		"busy":   {ctitest.Plan{Reject: 486}, 486},
		"silent": {ctitest.Plan{Silent: true, Reject: 603}, 603},
		"never":  {ctitest.Plan{Never: true}, 487},
	} {
		t.Run(name, func(t *testing.T) {
			a := start(t, ctitest.PhoneConfig{User: "1"})
			b := start(t, ctitest.PhoneConfig{User: "1001", OnCall: func(*ctitest.Talk) ctitest.Plan { return tt.plan }})
			call := dial(t, a, b, ctitest.CallOptions{})
			if tt.plan.Never {
				await(t, call.Ringing(), "180")
				call.Hangup()
			}
			await(t, call.Ended(), "the call's end")
			if call.Status() != tt.status {
				t.Errorf("status %d, want %d", call.Status(), tt.status)
			}
		})
	}
}

// TestGivenUp ends a call's wait by its context.
func TestGivenUp(t *testing.T) {
	a := start(t, ctitest.PhoneConfig{User: "1"})
	b := start(t, ctitest.PhoneConfig{User: "1001", OnCall: func(*ctitest.Talk) ctitest.Plan { return ctitest.Plan{Never: true} }})
	ctx, cancel := context.WithCancel(context.Background())
	call, err := a.Call(ctx, "1001", ctitest.CallOptions{Server: b.Addr().String()})
	if err != nil {
		t.Fatal(err)
	}
	await(t, call.Ringing(), "180")
	cancel()
	await(t, call.Ended(), "CANCEL")
	if err := call.WaitAnswered(patient(t)); !errors.Is(err, ctitest.ErrRefused) || call.Status() != 487 {
		t.Errorf("%v, status %d", err, call.Status())
	}
}

func TestHold(t *testing.T) {
	a, b := start(t, ctitest.PhoneConfig{User: "1"}), start(t, ctitest.PhoneConfig{User: "1001"})
	caller := dial(t, a, b, ctitest.CallOptions{})
	agent := <-b.Incoming()
	if err := agent.Answer(); err != nil {
		t.Fatal(err)
	}
	caller.Tone(500)
	if err := agent.WaitTone(patient(t), 500); err != nil {
		t.Fatal(err)
	}
	if res, err := agent.Reinvite(patient(t), "inactive"); err != nil || res.Code() != 200 {
		t.Fatalf("hold: %v %v", res, err)
	}
	before := agent.Stats().Received
	time.Sleep(100 * time.Millisecond) // five frames that must not come
	if n := agent.Stats().Received - before; n > 1 {
		t.Errorf("%d packets while held", n)
	}
	if res, err := agent.Reinvite(patient(t), "sendrecv"); err != nil || res.Code() != 200 {
		t.Fatalf("retrieve: %v %v", res, err)
	}
	agent.Tone(900)
	if err := caller.WaitTone(patient(t), 900); err != nil {
		t.Error(err)
	}
}

func TestLateOffer(t *testing.T) {
	a, b := start(t, ctitest.PhoneConfig{User: "1"}), start(t, ctitest.PhoneConfig{User: "1001"})
	caller := dial(t, a, b, ctitest.CallOptions{NoSDP: true})
	agent := <-b.Incoming()
	if err := agent.Answer(); err != nil {
		t.Fatal(err)
	}
	await(t, agent.Acked(), "ACK")
	caller.Tone(500)
	if err := agent.WaitTone(patient(t), 500); err != nil {
		t.Error(err)
	}
}

func TestPlayEnds(t *testing.T) {
	a, b := start(t, ctitest.PhoneConfig{User: "1"}), start(t, ctitest.PhoneConfig{User: "1001"})
	caller := dial(t, a, b, ctitest.CallOptions{})
	agent := <-b.Incoming()
	agent.Listen(800)
	if err := agent.Answer(); err != nil {
		t.Fatal(err)
	}
	if err := caller.WaitAnswered(patient(t)); err != nil {
		t.Fatal(err)
	}
	caller.Play(patient(t), media.NewPrompt("800", ctitest.Sine(800, 1640))) // 205 ms
	caller.Babble(120)
	for end := time.Now().Add(patience); agent.HeardFor(800) < 180*time.Millisecond && time.Now().Before(end); {
		time.Sleep(5 * time.Millisecond)
	}
	if d := agent.HeardFor(800); d < 180*time.Millisecond || d > 220*time.Millisecond {
		t.Errorf("heard for %v", d)
	}
}

// TestClosing ends both phones' Run while they talk and ring.
func TestClosing(t *testing.T) {
	before := guard.Running()
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	var phones []*ctitest.Phone
	for _, on := range []func(*ctitest.Talk) ctitest.Plan{
		nil, func(*ctitest.Talk) ctitest.Plan { return ctitest.Plan{} }, func(*ctitest.Talk) ctitest.Plan { return ctitest.Plan{Never: true} },
	} {
		p, err := ctitest.NewPhone(ctitest.PhoneConfig{User: "x", OnCall: on})
		if err != nil {
			t.Fatal(err)
		}
		phones = append(phones, p)
		wg.Go(func() { _ = p.Run(ctx) })
	}
	talking := dial(t, phones[0], phones[1], ctitest.CallOptions{})
	ringing := dial(t, phones[0], phones[2], ctitest.CallOptions{})
	await(t, talking.Answered(), "answer")
	await(t, ringing.Ringing(), "180")
	cancel()
	done := make(chan struct{})
	guard.Go("wait for the phones", nil, func() { wg.Wait(); close(done) })
	await(t, done, "Run's end")
	if _, err := phones[0].Call(context.Background(), "1", ctitest.CallOptions{Server: "127.0.0.1:9"}); !errors.Is(err, ctitest.ErrClosed) {
		t.Errorf("Call on a closed phone = %v", err)
	}
	for end := time.Now().Add(patience); guard.Running() > before; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%d goroutines left", guard.Running()-before)
		}
	}
}

func TestSpeech(t *testing.T) {
	s := ctitest.Speech(120, 16000)
	var energy float64
	for _, v := range s {
		energy += float64(v) * float64(v)
	}
	if rms := energy / float64(len(s)); rms < 300*300 || rms > 8000*8000 {
		t.Errorf("mean square %.0f", rms)
	}
	for hz := 100.0; hz < 3400; hz += 10 {
		if share := ctitest.Share(s, hz); share > 0.6 {
			t.Errorf("%.0f Hz has %.2f of the speech", hz, share)
		}
	}
	if share := ctitest.Share(ctitest.Sine(440, 1600), 440); share < 0.99 {
		t.Errorf("share of a sine = %.2f", share)
	}
}
