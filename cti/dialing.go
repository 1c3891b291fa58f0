package cti

import (
	"cmp"
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"callbox/internal/number"
)

// Words of [Dialing.Allow].
const (
	AllowDomestic      = "domestic"      // +86, short and service numbers
	AllowInternational = "international" // any
)

// Dialing says which numbers calls from here may go to, and how many: against
// those who would make calls at the owner's cost. Whoever dials counts, by
// phone, screen, program or flow; emergency numbers are always let through.
// 160 and 168 (声讯), with or without an area code, are denied unless a prefix
// of Allow names them. What is neither E.164 nor a short or a service number is
// denied: an operator may read it otherwise than we do.
type Dialing struct {
	Allow []string // words, or prefixes in E.164; domestic when empty
	Deny  []string // prefixes in E.164 or as dialled, looked at first
	Agent Quota    // of each who dials; 20 calls a minute, 600 minutes a day
	Box   Quota    // of all together; 120 calls a minute, 6,000 minutes a day
}

// Quota limits calls. Zero is the default, a negative value no limit.
type Quota struct {
	CallsPerMinute int
	MinutesPerDay  int
}

var (
	agentQuota = Quota{CallsPerMinute: 20, MinutesPerDay: 600}
	boxQuota   = Quota{CallsPerMinute: 120, MinutesPerDay: 6000}
	premium    = []string{"160", "168"}
	emergency  = []string{"110", "112", "119", "120", "122", "12395"}
)

func (q Quota) or(usual Quota) Quota {
	return Quota{cmp.Or(q.CallsPerMinute, usual.CallsPerMinute), cmp.Or(q.MinutesPerDay, usual.MinutesPerDay)}
}

// Validate gives the faults, each beginning with its key.
func (d Dialing) Validate() []error {
	var faults []error
	for i, a := range d.Allow {
		if a != AllowDomestic && a != AllowInternational && !isPrefix(a) {
			faults = append(faults, fmt.Errorf("allow[%d]: %q is none of domestic, international and a prefix such as +852", i, a))
		}
	}
	for i, p := range d.Deny {
		if !isPrefix(p) {
			faults = append(faults, fmt.Errorf("deny[%d]: %q is no prefix such as +852 or 168", i, p))
		}
	}
	return faults
}

func isPrefix(s string) bool {
	digits := strings.TrimPrefix(s, "+")
	return digits != "" && len(digits) <= 15 && strings.Trim(digits, "0123456789") == ""
}

// lets says whether to may be dialled at all.
func (d Dialing) lets(to Number) bool {
	begins := func(p string) bool {
		return strings.HasPrefix(to.E164, p) || strings.HasPrefix(to.Raw, p)
	}
	named := func(p string) bool { return isPrefix(p) && begins(p) }
	if slices.ContainsFunc(d.Deny, begins) {
		return false
	}
	if slices.ContainsFunc(d.Allow, named) {
		return true
	}
	if isPremium(to) {
		return false
	}
	domestic := strings.HasPrefix(to.E164, domesticCode) || to.E164 == "" && service.MatchString(to.Raw)
	switch {
	case slices.Contains(d.Allow, AllowInternational):
		return domestic || to.E164 != ""
	case len(d.Allow) > 0 && !slices.Contains(d.Allow, AllowDomestic):
		return false
	}
	return domestic
}

const domesticCode = "+86"

// service are the numbers without E.164 that lead nowhere else: short ones, and
// operators' and companies' service numbers.
var service = regexp.MustCompile(`^([0-9*#]{2,6}|9[56][0-9]{3,7}|10[0-9]{3,6}|12[0-9]{3,6})$`)

// isPremium says that a number is a 声讯 one, which costs more: 160… and 168…,
// also behind an area code.
func isPremium(to Number) bool {
	rest, domestic := strings.CutPrefix(to.E164, domesticCode)
	if !domestic {
		rest = to.Raw
	}
	begins := func(s string) bool {
		return slices.ContainsFunc(premium, func(p string) bool { return strings.HasPrefix(s, p) })
	}
	return begins(rest) || begins(strings.TrimPrefix(to.Raw, "0")) || domestic && begins(rest[min(areaLength(rest), len(rest)):])
}

// areaLength is how long the area code of a national number is, 0 for a mobile.
func areaLength(national string) int {
	switch {
	case strings.HasPrefix(national, "10"), strings.HasPrefix(national, "2"):
		return 2
	case strings.HasPrefix(national, "1"):
		return 0
	}
	return 3
}

// turnstile counts what was dialled.
type turnstile struct {
	rules Dialing
	zone  *time.Location

	mu     sync.Mutex // guards what follows
	all    tally
	byWhom map[string]*tally
	told   map[string]time.Time // when an alarm was raised for whom
}

// tally is one dialler's calls of the last minute and minutes of the day.
type tally struct {
	calls  []time.Time
	day    int // yyyyddd
	talked time.Duration
}

const (
	alarmEach    = time.Minute
	diallersKept = 10_000
)

func newTurnstile(rules Dialing, zone *time.Location) *turnstile {
	rules.Agent, rules.Box = rules.Agent.or(agentQuota), rules.Box.or(boxQuota)
	return &turnstile{rules: rules, zone: cmp.Or(zone, time.Local), byWhom: map[string]*tally{}, told: map[string]time.Time{}}
}

// pass counts a call that by wants to make. Errors: ErrBarred, ErrTooMany.
func (t *turnstile) pass(by string, to Number, now time.Time) error {
	if slices.Contains(emergency, to.Raw) {
		return nil
	}
	if !t.rules.lets(to) {
		return ErrBarred
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	own := t.of(by)
	for _, limit := range []struct {
		of    *tally
		quota Quota
		whose string
	}{{own, t.rules.Agent, "of one who dials"}, {&t.all, t.rules.Box, "of the box"}} {
		if err := limit.of.check(limit.quota, t.today(now), now); err != nil {
			return fmt.Errorf("%w %s", err, limit.whose)
		}
	}
	own.calls, t.all.calls = append(own.calls, now), append(t.all.calls, now)
	return nil
}

// of is by's tally. Callers hold mu.
func (t *turnstile) of(by string) *tally {
	own, ok := t.byWhom[by]
	if !ok {
		if len(t.byWhom) >= diallersKept {
			clear(t.byWhom)
		}
		own = &tally{}
		t.byWhom[by] = own
	}
	return own
}

func (t *turnstile) today(now time.Time) int {
	local := now.In(t.zone)
	return local.Year()*1000 + local.YearDay()
}

// check says whether one more call is within q, and forgets what is old.
func (c *tally) check(q Quota, day int, now time.Time) error {
	c.calls = slices.DeleteFunc(c.calls, func(at time.Time) bool { return now.Sub(at) >= time.Minute })
	if c.day != day {
		c.day, c.talked = day, 0
	}
	if q.CallsPerMinute >= 0 && len(c.calls) >= q.CallsPerMinute {
		return fmt.Errorf("%w: %d calls a minute", ErrTooMany, q.CallsPerMinute)
	}
	if q.MinutesPerDay >= 0 && c.talked >= time.Duration(q.MinutesPerDay)*time.Minute {
		return fmt.Errorf("%w: %d minutes a day", ErrTooMany, q.MinutesPerDay)
	}
	return nil
}

// talked adds the time of a call that by made.
func (t *turnstile) talked(by string, d time.Duration, now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range []*tally{t.of(by), &t.all} {
		if day := t.today(now); c.day != day {
			c.day, c.talked = day, 0
		}
		c.talked += d
	}
}

// alarms says whether somebody is to be told now that by was refused.
func (t *turnstile) alarms(by string, now time.Time) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if last, ok := t.told[by]; ok && now.Sub(last) < alarmEach {
		return false
	}
	if len(t.told) >= diallersKept {
		clear(t.told)
	}
	t.told[by] = now
	return true
}

// mayDial asks whether by may call to now, and counts the call. A refusal is
// logged and told as an alarm. Errors: ErrBarred, ErrTooMany.
func (s *Server) mayDial(ctx context.Context, by string, to Number) error {
	now := time.Now()
	err := s.dialing.pass(by, to, now)
	if err == nil || !s.dialing.alarms(by, now) {
		return err
	}
	s.cfg.Log.Warn("a call was not let out", "by", by, "to", number.Masked(to.Raw), "err", err)
	e := Event{Type: EventAlarm, Called: &to, UserData: map[string]any{"kind": "dialing", "by": by, "why": err.Error()}}
	if failed := s.deps.Ledger.Note(ctx, e); failed != nil {
		s.cfg.Log.Error("alarm not noted", "err", failed)
	}
	return err
}
