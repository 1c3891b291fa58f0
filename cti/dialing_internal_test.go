package cti

import (
	"errors"
	"testing"
	"time"
)

func TestWhatMayBeDialled(t *testing.T) {
	s := NewServer(Config{AreaCode: "0571"}, Deps{})
	for _, c := range []struct {
		rules Dialing
		to    string
		want  bool
	}{
		{Dialing{}, "13800138000", true},
		{Dialing{}, "88880001", true},
		{Dialing{}, "4001234567", true},
		{Dialing{}, "10086", true},
		{Dialing{}, "95588", true},
		{Dialing{}, "16888888", false},
		{Dialing{}, "0085221234567", false},
		{Dialing{}, "+12125550123", false},
		{Dialing{Allow: []string{"international"}}, "+12125550123", true},
		{Dialing{Allow: []string{"domestic", "+852"}}, "0085221234567", true},
		{Dialing{Allow: []string{"domestic", "+852"}}, "+12125550123", false},
		{Dialing{Allow: []string{"+852"}}, "13800138000", false},
		{Dialing{Allow: []string{"international"}, Deny: []string{"+1900"}}, "+19005550123", false},
		{Dialing{Deny: []string{"+861"}}, "13800138000", false},
		{Dialing{Allow: []string{"domestic", "168"}}, "16888888", true},
		{Dialing{Allow: []string{"international"}}, "16888888", false},
		{Dialing{Allow: []string{"international"}}, "13800138000", true},
		{Dialing{}, "110", true},
		{Dialing{}, "12345", true},
		{Dialing{}, "1010", true},
		{Dialing{}, "10105678", true},
		{Dialing{}, "9611888", true},
		{Dialing{}, "0571 88880001", true},
		{Dialing{}, "010-65551234", true},
		{Dialing{}, "900442071234567", false}, // behind a digit for an outside line
		{Dialing{}, "90085221234567", false},
		{Dialing{}, "1790900852212345678", false}, // behind an IP prefix
		{Dialing{}, "12593008522123456", false},
		{Dialing{}, "179080044207123456", false},
		{Dialing{}, "+8616812345", false},
		{Dialing{}, "8616812345", false},
		{Dialing{}, "057116812345", false},
		{Dialing{}, "01016812345", false},
		{Dialing{}, "1259316812345", false},
		{Dialing{}, "1790916812345", false},
		{Dialing{}, "0016812345678", false},
	} {
		n, ok := s.dialled(c.to)
		if !ok && c.want {
			t.Errorf("%s is no number", c.to)
		}
		if got := ok && c.rules.lets(n); got != c.want {
			t.Errorf("%+v lets %s (%s): %v, want %v", c.rules, c.to, n.E164, got, c.want)
		}
	}
}

func TestDialingFaults(t *testing.T) {
	bad := Dialing{Allow: []string{"domestic", "abroad", "+", "+852"}, Deny: []string{"", "168", "x"}}
	faults := bad.Validate()
	if len(faults) != 4 {
		t.Errorf("faults %v, want 4: allow[1], allow[2], deny[0], deny[2]", faults)
	}
}

func TestLimitsOfDialling(t *testing.T) {
	now := time.Date(2026, 11, 22, 23, 50, 0, 0, time.UTC)
	stile := newTurnstile(Dialing{Agent: Quota{CallsPerMinute: 2, MinutesPerDay: 30}, Box: Quota{CallsPerMinute: 3, MinutesPerDay: -1}}, time.UTC)
	far := Number{E164: "+8613800138000", Raw: "13800138000"}
	step := func(by string, at time.Duration, want error) {
		t.Helper()
		if err := stile.pass(by, far, now.Add(at)); !errors.Is(err, want) {
			t.Errorf("%s at %v: %v, want %v", by, at, err, want)
		}
	}
	step("agent:1001", 0, nil)
	step("agent:1001", time.Second, nil)
	step("agent:1001", 2*time.Second, ErrTooMany)
	step("agent:1002", 3*time.Second, nil)
	step("agent:1002", 4*time.Second, ErrTooMany) // the box's three
	step("agent:1001", 59999*time.Millisecond, ErrTooMany)
	step("agent:1001", time.Minute, nil)
	stile.talked("agent:1001", 30*time.Minute, now.Add(2*time.Minute))
	step("agent:1001", 3*time.Minute, ErrTooMany)
	step("agent:1002", 3*time.Minute, nil)
	step("agent:1001", 11*time.Minute, nil) // another day
	if err := stile.pass("agent:1001", Number{Raw: "110"}, now); err != nil {
		t.Errorf("110 is not let through: %v", err)
	}
	if !stile.alarms("agent:1001", now) || stile.alarms("agent:1001", now.Add(59*time.Second)) || !stile.alarms("agent:1001", now.Add(time.Minute)) {
		t.Error("want one alarm a minute")
	}
}
