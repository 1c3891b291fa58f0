package cti_test

import (
	"context"
	"encoding/json"
	"net/url"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
)

// asked is a ticket system that remembers for whom it was asked.
type asked struct {
	slowSystem
	mu     sync.Mutex
	phones []string
}

func (a *asked) Get(ctx context.Context, target string) (json.RawMessage, error) {
	u, err := url.Parse(target)
	if err != nil {
		return nil, err
	}
	a.mu.Lock()
	a.phones = append(a.phones, u.Query().Get("phone"))
	a.mu.Unlock()
	return a.slowSystem.Get(ctx, target)
}

// late is a line whose caller is not known yet.
func late() *ctitest.Line {
	return ctitest.NewLine(cti.Origin{Direction: cti.In, Device: "line:1", DID: "057188880001", Line: "line 1"})
}

// ring lets a line in instead of the scene's own leg.
func (s *scene) ring(ctx context.Context, line *ctitest.Line) {
	go func() { s.over <- s.server.Accept(ctx, line) }()
}

func (l *ledger) all(kind string) (found []cti.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.events {
		if e.Type == kind {
			found = append(found, e)
		}
	}
	return found
}

const customer = `{"customer":{"id":"c1","name":"安顺"}}`

// A number that comes after the pop completes it: first the number, then who
// that is. The same number again is nothing new.
func TestLateNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := &asked{slowSystem: slowSystem{100 * time.Millisecond, customer}}
		s := newScene(system, desk)
		line := late()
		s.ring(t.Context(), line)
		time.Sleep(2 * time.Second)
		if pop := s.ledger.all(cti.EventDelivered); len(pop) != 1 || pop[0].Calling.Raw != "" || len(system.phones) != 0 {
			t.Errorf("pops %+v, asked %q", pop, system.phones)
		}
		line.Tell("13800138000", "")
		time.Sleep(50 * time.Millisecond)
		more := s.ledger.all(cti.EventCallInformation)
		if len(more) != 1 || more[0].AgentID != "1001" || more[0].Calling.E164 != "+8613800138000" || more[0].Calling.Place == "" {
			t.Errorf("after the number %+v", more)
		}
		line.Tell("13800138000", "") // two reports for one call do happen
		time.Sleep(time.Second)
		more = s.ledger.all(cti.EventCallInformation)
		if len(more) != 2 || more[1].UserData["customer"].(cti.Customer).Name != "安顺" || !slices.Equal(system.phones, []string{"+8613800138000"}) {
			t.Errorf("after the look-up %+v, asked %q", more, system.phones)
		}
		line.RemoteHangup()
		<-s.over
		r := s.ledger.final[0]
		if r.From.E164 != "+8613800138000" || r.Customer.ID != "c1" || r.Times.CallerID.Sub(r.Times.Seize.Time) != 2*time.Second {
			t.Errorf("record %+v", r)
		}
	})
}

// Nobody is asked for a number that never came, and nobody waits for it.
func TestNoNumber(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := &asked{slowSystem: slowSystem{0, customer}}
		s := newScene(system, desk)
		line := late()
		line.Told()
		s.ring(t.Context(), line)
		synctest.Wait()
		if pop := s.ledger.all(cti.EventDelivered); len(pop) != 1 {
			t.Errorf("%d pops at once, want 1", len(pop))
		}
		line.RemoteHangup()
		<-s.over
		if r := s.ledger.final[0]; !r.Times.CallerID.IsZero() || r.Customer != nil || len(system.phones) != 0 {
			t.Errorf("caller id at %v, customer %v, asked %q", r.Times.CallerID, r.Customer, system.phones)
		}
	})
}

// What the line told before it was answered is known to whoever goes on then.
func TestNumberBeforeTheAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var from cti.Number
		s := newScene(slowSystem{0, `{}`}, func(ctx context.Context, c *cti.Call) (cti.Outcome, error) {
			err := c.Answer(ctx)
			from = c.Origin().From
			return cti.Outcome{Kind: cti.Completed}, err
		})
		line := late()
		for range 3 {
			line.Tell("13800138000", "")
		}
		line.Told()
		s.ring(t.Context(), line)
		<-s.over
		if from.E164 != "+8613800138000" {
			t.Errorf("behind the answer the caller is %+v", from)
		}
	})
}

// The first offer waits for the look-up from the look-up's beginning, not from
// the line's.
func TestOfferWaitsForALateLookup(t *testing.T) {
	for name, tt := range map[string]struct {
		takes time.Duration
		pop   time.Duration
		known bool
	}{
		"in time":  {700 * time.Millisecond, 700 * time.Millisecond, true},
		"too late": {900 * time.Millisecond, 800 * time.Millisecond, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(slowSystem{tt.takes, customer}, desk)
				line := late()
				go func() { // as a line does: the number, then off hook
					time.Sleep(3 * time.Second)
					line.Tell("13800138000", "")
					s.over <- s.server.Accept(t.Context(), line)
				}()
				start := time.Now()
				time.Sleep(5 * time.Second)
				pop := s.ledger.all(cti.EventDelivered)
				if len(pop) != 1 {
					t.Fatalf("%d pops", len(pop))
				}
				if _, known := pop[0].UserData["customer"].(cti.Customer); known != tt.known {
					t.Errorf("the pop shows %v", pop[0].UserData["customer"])
				}
				offered := s.server.Calls()[0].Times.QueueIn.Sub(start)
				if offered != 3*time.Second {
					t.Errorf("queued after %v", offered)
				}
				line.RemoteHangup()
				<-s.over
			})
		})
	}
}

// Another number is another question; what the first one would have said does
// not come any more.
func TestNumberChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		system := &asked{slowSystem: slowSystem{500 * time.Millisecond, customer}}
		s := newScene(system, desk)
		line := late()
		s.ring(t.Context(), line)
		line.Tell("13800138000", "")
		time.Sleep(300 * time.Millisecond)
		line.Tell("13900139000", "")
		time.Sleep(300 * time.Millisecond)
		if r := s.server.Calls()[0]; r.Customer != nil {
			t.Errorf("the first number's customer is shown: %v", r.Customer)
		}
		time.Sleep(time.Second)
		if r := s.server.Calls()[0]; r.Customer == nil || r.From.E164 != "+8613900139000" {
			t.Errorf("customer %v, from %v", r.Customer, r.From)
		}
		if want := []string{"+8613800138000", "+8613900139000"}; !slices.Equal(system.phones, want) {
			t.Errorf("asked %q, want %q", system.phones, want)
		}
		line.RemoteHangup()
		<-s.over
	})
}

// A blocked caller who is found late is cut; not so where the box only listens.
func TestLateBlocked(t *testing.T) {
	for name, attend := range map[string]string{"answered by the box": "", "at the agent's own telephone": "1001"} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := newScene(slowSystem{0, `{"blocked":true}`}, desk)
				line := ctitest.NewLine(cti.Origin{Direction: cti.In, Device: "line:1", Attend: attend})
				s.ring(t.Context(), line)
				time.Sleep(2 * time.Second)
				line.Tell("13800138000", "")
				synctest.Wait()
				if cut := len(s.ledger.final) == 1; cut != (attend == "") {
					t.Errorf("cut: %t", cut)
				}
				line.RemoteHangup()
				<-s.over
				if r := s.ledger.final[0]; attend == "" && (*r.Result != cti.ResultRejected || r.Cause != cti.CauseBusy) {
					t.Errorf("record %s %s", *r.Result, r.Cause)
				}
			})
		})
	}
}

func TestEvidence(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(nil, desk)
		line := late()
		s.ring(t.Context(), line)
		synctest.Wait()
		line.Knows("likely", "busy_tone")
		line.RemoteHangup()
		<-s.over
		if l := s.ledger.final[0].Legs[0]; l.AnswerConfidence != "likely" || l.HangupDetect != "busy_tone" {
			t.Errorf("leg %+v", l)
		}
	})
}

// What the leg knows at the start (who forwarded the call) is told with the pop
// and stands in the record.
func TestDataOfTheLeg(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newScene(nil, desk)
		line := ctitest.NewLine(cti.Origin{
			Direction: cti.In, Device: "line:1", DID: "057188880001", Line: "line 1",
			Data: map[string]any{"diverted_from": "057188889999", "diverted_reason": "user-busy"},
		})
		s.ring(t.Context(), line)
		time.Sleep(2 * time.Second)
		if pop := s.ledger.all(cti.EventDelivered); len(pop) != 1 || pop[0].UserData["diverted_from"] != "057188889999" {
			t.Errorf("pops %+v", pop)
		}
		line.Hangup(cti.CauseNormal)
		<-s.over
		if r := s.ledger.final; len(r) != 1 || r[0].UserData["diverted_reason"] != "user-busy" {
			t.Errorf("records %+v", r)
		}
	})
}
