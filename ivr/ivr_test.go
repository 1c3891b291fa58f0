package ivr_test

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/ivr"
)

// bubble runs f on synctest's clock.
func bubble(t *testing.T, f func(t *testing.T)) { synctest.Test(t, f) }

const menu = `
  a: {play: welcome.wav, next: m}
  m: {menu: {prompt: [{play: ask.wav}, {play: more.wav}], keys: {"1": one, "2": n}, timeout: 5s, retries: 2, otherwise: other}}
  n: {menu: {prompt: {play: deep.wav}, keys: {"*": one}}}
  one: {play: one.wav, next: bye}
  other: {play: other.wav}
  bye: {hangup: {}}
`

func TestMenu(t *testing.T) {
	for name, tt := range map[string]struct {
		keys  map[time.Duration]string // pressed at
		heard string
		path  string
		took  time.Duration
	}{
		"key after the prompt": {
			map[time.Duration]string{10 * time.Second: "1"},
			"welcome ask more one", "a m one bye", 13 * time.Second,
		},
		"key stops the prompt": {
			map[time.Duration]string{4 * time.Second: "1"},
			"welcome ask/1s one", "a m one bye", 7 * time.Second,
		},
		"type-ahead": {
			map[time.Duration]string{time.Second: "1"},
			"welcome/1s one", "a m one bye", 4 * time.Second,
		},
		"type-ahead through two menus": {
			map[time.Duration]string{time.Second: "2*"},
			"welcome/1s one", "a m n one bye", 4 * time.Second,
		},
		"silence": {
			nil,
			"welcome ask more ask more ask more other", "a m other", 3*time.Second + 3*(11*time.Second) + 3*time.Second,
		},
		"last instant": {
			map[time.Duration]string{14*time.Second - 1: "1"},
			"welcome ask more one", "a m one bye", 17*time.Second - 1,
		},
		"one too late": {
			map[time.Duration]string{14*time.Second + 1: "1"},
			"welcome ask more ask/1ns one", "a m one bye", 17*time.Second + 1,
		},
		"wrong keys": {
			map[time.Duration]string{10 * time.Second: "9", 20 * time.Second: "#", 30 * time.Second: "0"},
			"welcome ask more ask more ask more other", "a m other", 33 * time.Second,
		},
		"wrong, silent, right": {
			map[time.Duration]string{3 * time.Second: "9", 20 * time.Second: "1"},
			"", "a m one bye", 23 * time.Second,
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p, s := call(t, menu, ivr.Deps{})
				start := time.Now()
				for at, keys := range tt.keys {
					time.AfterFunc(at, func() { p.Press(keys) })
				}
				out, err := p.wait()
				if out.Kind != cti.Completed || err != nil {
					t.Errorf("outcome %+v, %v", out, err)
				}
				if took := time.Since(start); took != tt.took {
					t.Errorf("took %v, want %v", took, tt.took)
				}
				if tt.heard != "" && p.sounds() != tt.heard {
					t.Errorf("heard %q, want %q", p.sounds(), tt.heard)
				}
				if path := strings.Join(s.record.IVRPath, " "); path != tt.path {
					t.Errorf("went %q, want %q", path, tt.path)
				}
			})
		})
	}
}

func TestDigitsAreReported(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, s := call(t, menu, ivr.Deps{})
		p.Press("91")
		if p.wait(); s.digits != "9 1 " {
			t.Errorf("digits %q", s.digits)
		}
	})
}

func TestAnswersAtTheFirstSound(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, _ := call(t, "  a: {hangup: {}}\n", ivr.Deps{})
		if p.wait(); p.answered() {
			t.Error("answered for nothing")
		}
		p, _ = call(t, menu, ivr.Deps{})
		synctest.Wait()
		if !p.answered() {
			t.Error("not answered at the first prompt")
		}
		p.RemoteHangup()
		p.wait()
	})
}

func TestCallerHangsUp(t *testing.T) {
	nodes := strings.Replace(menu, "one: {play: one.wav, next: bye}", "one: {queue: repair, no_agent: other}", 1)
	for name, at := range map[string]time.Duration{
		"in a prompt": time.Second, "in a menu": 10 * time.Second, "in a queue": 12500 * time.Millisecond,
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p, s := call(t, nodes, ivr.Deps{})
				start := time.Now()
				time.AfterFunc(12*time.Second, func() { p.Press("1") })
				time.AfterFunc(at, p.RemoteHangup)
				out, err := p.wait()
				if took := time.Since(start); took != at {
					t.Errorf("ended %v after the hang-up", took-at)
				}
				if out.Kind != cti.Gone || err != nil {
					t.Errorf("outcome %+v, %v", out, err)
				}
				if r := s.record; *r.Result != cti.ResultAbandoned || r.HangupSide != cti.CallerSide {
					t.Errorf("record %+v", r)
				}
			})
		})
	}
}

func TestPromptsThatCannotBePlayed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, _ := call(t, `
  a: {play: lost.wav, next: b}
  b: {play: slow.wav, next: c}
  c: {say: hello, next: d}
  d: {play: good.wav}
`, ivr.Deps{})
		start := time.Now()
		out, err := p.wait()
		if out.Kind != cti.Completed || err != nil || p.sounds() != "good" {
			t.Errorf("outcome %+v, %v, heard %q", out, err, p.sounds())
		}
		if took := time.Since(start); took != 3500*time.Millisecond {
			t.Errorf("took %v", took)
		}
	})
}

func TestQueue(t *testing.T) {
	const nodes = `
  a: {queue: %, no_agent: none, timeout: late, next: after}
  none: {play: none.wav}
  late: {play: late.wav}
  after: {play: after.wav}
`
	outcomes := queues{
		"talked": {Kind: cti.Talked, Agent: "1", Side: cti.AgentSide},
		"left":   {Kind: cti.Talked, Agent: "1", Side: cti.CallerSide},
		"none":   {Kind: cti.NoAgents},
		"late":   {Kind: cti.TimedOut},
		"full":   {Kind: cti.Full},
		"moved":  {Kind: cti.MovedOn, Next: cti.Target{Queue: "other"}},
	}
	for queue, want := range map[string]struct{ kind, side, heard string }{
		"talked":  {cti.Talked, cti.BoxSide, "after"},
		"left":    {cti.Talked, cti.CallerSide, ""},
		"none":    {cti.Completed, cti.BoxSide, "none"},
		"late":    {cti.Completed, cti.BoxSide, "late"},
		"full":    {cti.Completed, cti.BoxSide, "late"},
		"unknown": {cti.Completed, cti.BoxSide, "none"},
	} {
		t.Run(queue, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				p, _ := call(t, strings.Replace(nodes, "%", queue, 1), ivr.Deps{Queues: outcomes})
				out, err := p.wait()
				if out.Kind != want.kind || out.Side != want.side || err != nil || p.sounds() != want.heard {
					t.Errorf("outcome %+v, %v, heard %q", out, err, p.sounds())
				}
			})
		})
	}
	for queue, want := range map[string]string{"talked": cti.AgentSide, "none": ""} {
		bubble(t, func(t *testing.T) {
			p, _ := call(t, "  a: {queue: "+queue+"}\n", ivr.Deps{Queues: outcomes})
			if out, err := p.wait(); out.Kind != outcomes[queue].Kind || out.Side != want || err != nil {
				t.Errorf("%s without a way on: %+v, %v", queue, out, err)
			}
		})
	}
}

const collect = `
  a: {collect: {prompt: {play: ask.wav}, var: ticket, max: 4, terminator: "#", timeout: 5s, retries: 1}, next: get, failed: fail}
  get: {http: {url: "https://tickets.example/{ticket}", var: reply}, next: tell, failed: fail}
  tell: {play: tell.wav}
  fail: {play: fail.wav}
`

func TestCollect(t *testing.T) {
	for name, tt := range map[string]struct{ keys, asked, heard string }{
		"terminator":     {"12#", "https://tickets.example/12", "ask/1s tell"},
		"full":           {"1234", "https://tickets.example/1234", "ask/1s tell"},
		"then silence":   {"12", "https://tickets.example/12", "ask/1s tell"},
		"nothing there":  {"404#", "https://tickets.example/404", "ask/1s fail"},
		"silence":        {"", "", "ask ask fail"},
		"empty, and one": {"#7#", "https://tickets.example/7", "ask/1s tell"},
		"escaped":        {"1**#", "https://tickets.example/1%2A%2A", ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				var asked string
				p, s := call(t, collect, ivr.Deps{Fetcher: tickets{&asked}})
				time.AfterFunc(time.Second, func() { p.Press(tt.keys) })
				p.wait()
				if asked != tt.asked {
					t.Errorf("asked %q, want %q", asked, tt.asked)
				}
				if tt.heard != "" && p.sounds() != tt.heard {
					t.Errorf("heard %q, want %q", p.sounds(), tt.heard)
				}
				if tt.asked != "" && s.record.UserData["ticket"] == nil {
					t.Errorf("user data %v", s.record.UserData)
				}
			})
		})
	}
}

func TestCircles(t *testing.T) {
	bubble(t, func(t *testing.T) {
		p, s := call(t, "  a: {play: lost.wav, next: a}\n", ivr.Deps{})
		if out, err := p.wait(); out.Kind != cti.Failed || !errors.Is(err, ivr.ErrCircles) {
			t.Errorf("outcome %+v, %v", out, err)
		}
		if s.record.Result == nil || *s.record.Result != cti.ResultFailed {
			t.Errorf("record %+v", s.record)
		}
	})
}
