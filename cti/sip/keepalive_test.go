package sip_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti/sip"
)

// Phones behind NAT are asked once an interval each, and not all at once.
func TestKeepaliveIsPaced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const every, phones = 25 * time.Second, 500
		k := sip.NewTestKeepalive(every)
		var all []string
		for i := range phones {
			all = append(all, fmt.Sprint(i))
		}
		asked := map[string]int{}
		most := 0
		for end := time.Now().Add(4*every + k.Tick()); time.Now().Before(end); time.Sleep(k.Tick()) {
			due := k.Due(all)
			most = max(most, len(due))
			for _, user := range due {
				asked[user]++
				k.Answered(user, true)
			}
		}
		for user, n := range asked {
			if n < 4 || n > 5 {
				t.Errorf("phone %s was asked %d times in 4 intervals", user, n)
			}
		}
		if len(asked) != phones || most > phones/5 {
			t.Errorf("%d asked, %d at once", len(asked), most)
		}
	})
}

func TestKeepaliveMisses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		k := sip.NewTestKeepalive(25 * time.Second)
		ask := func() {
			t.Helper()
			for len(k.Due([]string{"1001"})) == 0 {
				time.Sleep(k.Tick())
			}
		}
		for i, tt := range []struct{ answers, silent bool }{
			{true, false}, {false, false}, {true, false}, {false, false}, {false, true}, {false, true}, {true, false}, {false, false},
		} {
			ask()
			if due := k.Due([]string{"1001"}); len(due) > 0 {
				t.Error("asked twice at a time")
			}
			if silent := k.Answered("1001", tt.answers); silent != tt.silent {
				t.Errorf("%d: silent %v", i, silent)
			}
		}
		k.Register()
		if ask(); k.Answered("1001", false) {
			t.Error("silent after its first miss since it registered")
		}
	})
}

// A phone behind NAT that does not answer is not rung, until it answers or
// registers again; one that is where it says it is is not asked.
func TestSilentPhoneIsNotRung(t *testing.T) {
	r := start(t, nobody, func(c *sip.Config, _ *rig) { c.Keepalive = 100 * time.Millisecond })
	near, far := r.desk("127.0.0.1", "1002"), r.raw("127.0.0.1")
	behind := []string{"<sip:caller@{me}>", "<sip:1001@192.168.1.2:5060>"}
	if res := far.register(2, far.answer(far.register(1, ""), "1001", "secret1001", 1, "MD5"), behind...); res.Code() != 200 {
		t.Fatal(res.Start)
	}
	told := func(want bool) {
		t.Helper()
		for {
			select {
			case who := <-r.Changes():
				if who != "1001" {
					continue
				}
			case <-time.After(patience):
				t.Fatal("no change was told")
			}
			if r.Reachable("1001") != want {
				t.Fatalf("Reachable is not %v", want)
			}
			return
		}
	}
	told(true)
	ask := far.expect("OPTIONS", 0)
	if ask.URI() != "sip:1001@192.168.1.2:5060" {
		t.Errorf("asks %s", ask.URI())
	}
	told(false)
	far.expect("OPTIONS", 0)
	for answered := false; !answered; {
		m := far.expect("OPTIONS", 0)
		far.send(string(m.Reply(200, "OK", "x").Bytes()))
		answered = r.Reachable("1001")
	}
	told(true)
	told(false)
	if res := far.register(4, far.answer(far.register(3, ""), "1001", "secret1001", 1, "MD5"), behind...); res.Code() != 200 {
		t.Fatal(res.Start)
	}
	told(true)
	if m := near.next(50 * time.Millisecond); m != nil {
		t.Errorf("the near phone got %s", m.Start)
	}
}

func TestKeepaliveOff(t *testing.T) {
	r := start(t, nobody, func(c *sip.Config, _ *rig) { c.Keepalive = -1 })
	w := r.raw("127.0.0.1")
	w.register(2, w.answer(w.register(1, ""), "1001", "secret1001", 1, "MD5"), "<sip:caller@{me}>", "<sip:1001@192.168.1.2:5060>")
	if m := w.next(300 * time.Millisecond); m != nil {
		t.Errorf("got %s", m.Start)
	}
}
