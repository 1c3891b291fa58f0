package strategy

import (
	"strconv"
	"time"
)

// Decision is who rings next and why. Desk is -1 where nobody can; Why is "" then.
type Decision struct {
	Desk int
	Why  string
}

// Decide picks a desk for c and explains the choice.
func Decide(q Queue, desks []Desk, c Call, now time.Time) Decision {
	i := Pick(q, desks, c)
	if i < 0 {
		return Decision{Desk: -1}
	}
	return Decision{Desk: i, Why: Explain(q, desks, c, i, now)}
}

// WhyNot is why desk i was not picked for c when picked was.
func WhyNot(desks []Desk, c *Call, i, picked int) Reason {
	d := &desks[i]
	if !d.open() {
		return Bar(d, c)
	}
	if r := c.bar(d); r != None {
		return r
	}
	if picked >= 0 && len(c.Missed) > 0 && c.missed(&desks[i]) > c.missed(&desks[picked]) {
		return Tried
	}
	return Behind
}

// named is how many passed-over desks an explanation names; of the rest it
// gives the counts.
const named = 12

// Explain puts into words why picked was picked, and why the others were not:
// the first ones by name, the rest counted by reason.
func Explain(q Queue, desks []Desk, c Call, picked int, now time.Time) string {
	var counts [len(reasons)]int
	out := make([]byte, 0, 256)
	out = append(out, q.name()...)
	out = append(out, ": "...)
	out = merit(out, q.name(), &desks[picked], now)
	sep, next := "; not ", 0
	for shown := 0; next < len(desks) && shown < named; next++ {
		i := next
		if i == picked {
			continue
		}
		shown++
		r := WhyNot(desks, &c, i, picked)
		out = append(append(out, sep...), desks[i].ID...)
		out = append(reason(append(out, " ("...), q.name(), &desks[i], r, now), ')')
		sep = ", "
	}
	for i := next; i < len(desks); i++ {
		if i != picked {
			counts[WhyNot(desks, &c, i, picked)]++
		}
	}
	return string(tally(out, counts[:]))
}

func reason(out []byte, name string, d *Desk, r Reason, now time.Time) []byte {
	switch r {
	case NotReady:
		return append(out, d.State...)
	case Behind:
		return merit(out, name, d, now)
	}
	return append(out, r.String()...)
}

// merit is what the strategy saw in d.
func merit(out []byte, name string, d *Desk, now time.Time) []byte {
	switch name {
	case FewestCalls:
		return append(strconv.AppendInt(out, int64(d.Calls), 10), " calls"...)
	case LeastTalk:
		return append(strconv.AppendInt(out, int64(d.Talk/time.Second), 10), " s of talk"...)
	case LongestIdle:
		out = append(out, "idle "...)
		return append(strconv.AppendInt(out, (now.UnixNano()-d.IdleSince)/int64(time.Second), 10), " s"...)
	case Linear, RoundRobin:
		return append(out, "in turn"...)
	}
	return append(out, "drawn"...)
}

func tally(out []byte, counts []int) []byte {
	sep := "; more: "
	for r, n := range counts {
		if n == 0 {
			continue
		}
		out = strconv.AppendInt(append(out, sep...), int64(n), 10)
		out = append(append(out, ' '), Reason(r).String()...)
		sep = ", "
	}
	return out
}
