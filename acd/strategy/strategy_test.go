package strategy

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// free makes desks a, b, c … that could all take a call, each idle for as many
// seconds.
func free(idle ...int) []Desk {
	var desks []Desk
	for i, s := range idle {
		desks = append(desks, Desk{
			ID: string(rune('a' + i)), State: Ready, Phone: true,
			IdleSince: noon.Add(-time.Duration(s) * time.Second).UnixNano(),
		})
	}
	return desks
}

func TestPick(t *testing.T) {
	with := func(desks []Desk, change func([]Desk)) []Desk { change(desks); return desks }
	for name, tt := range map[string]struct {
		queue Queue
		desks []Desk
		call  Call
		want  int
	}{
		"longest idle is the default": {Queue{}, free(5, 30, 10), Call{}, 1},
		"equal ones in order":         {Queue{}, free(5, 5, 5), Call{}, 0},
		"nobody":                      {Queue{}, nil, Call{}, -1},
		"not ready":                   {Queue{}, with(free(9, 1), func(d []Desk) { d[0].State = "notReady" }), Call{}, 1},
		"busy":                        {Queue{}, with(free(9, 1), func(d []Desk) { d[0].Busy = true }), Call{}, 1},
		"ringing":                     {Queue{}, with(free(9, 1), func(d []Desk) { d[0].Ringing = true }), Call{}, 1},
		"no phone":                    {Queue{}, with(free(9, 1), func(d []Desk) { d[0].Phone = false }), Call{}, 1},
		"away":                        {Queue{}, with(free(9), func(d []Desk) { d[0].Away = true }), Call{}, -1},
		"skill":                       {Queue{}, with(free(9, 1), func(d []Desk) { d[1].Skills = map[string]int{"pump": 3} }), Call{Skill: "pump"}, 1},
		"skill too low":               {Queue{}, with(free(9), func(d []Desk) { d[0].Skills = map[string]int{"pump": 3} }), Call{Skill: "pump", MinLevel: 4}, -1},
		"one agent only":              {Queue{}, free(9, 1), Call{Agent: "b"}, 1},
		"missed comes last":           {Queue{}, free(9, 1), Call{Missed: map[string]int{"a": 1}}, 1},
		"all missed: as before":       {Queue{}, free(9, 1), Call{Missed: map[string]int{"a": 1, "b": 1}}, 0},
		"missed alone is still rung":  {Queue{}, free(9), Call{Missed: map[string]int{"a": 2}}, 0},
		"linear":                      {Queue{Strategy: Linear}, free(1, 9), Call{}, 0},
		"round robin, first":          {Queue{Strategy: RoundRobin, Last: -1}, free(1, 9, 9), Call{}, 0},
		"round robin, next":           {Queue{Strategy: RoundRobin, Last: 0}, free(1, 9, 9), Call{}, 1},
		"round robin, around":         {Queue{Strategy: RoundRobin, Last: 2}, free(1, 9, 9), Call{}, 0},
		"fewest calls":                {Queue{Strategy: FewestCalls}, with(free(1, 1), func(d []Desk) { d[0].Calls = 2 }), Call{}, 1},
		"least talk":                  {Queue{Strategy: LeastTalk}, with(free(1, 1), func(d []Desk) { d[0].Talk = 2 }), Call{}, 1},
	} {
		t.Run(name, func(t *testing.T) {
			if got := Pick(tt.queue, tt.desks, tt.call); got != tt.want {
				t.Errorf("Pick = %d, want %d", got, tt.want)
			}
		})
	}
}

func TestRandomIsEvenAndRepeats(t *testing.T) {
	desks, hits := free(1, 1, 1, 1), make([]int, 4)
	for seed := range uint64(4000) {
		i := Pick(Queue{Strategy: Random, Seed: seed * 31}, desks, Call{})
		if again := Pick(Queue{Strategy: Random, Seed: seed * 31}, desks, Call{}); again != i {
			t.Fatalf("seed %d gave %d, then %d", seed, i, again)
		}
		hits[i]++
	}
	for i, n := range hits {
		if n < 850 || n > 1150 {
			t.Errorf("desk %d was drawn %d times of 4000", i, n)
		}
	}
}

func TestExplain(t *testing.T) {
	desks := free(30, 12, 99, 40)
	desks[2].State = "workingAfterCall"
	desks[3].Busy = true
	got := Decide(Queue{}, desks, Call{}, noon)
	want := "longest_idle: idle 30 s; not b (idle 12 s), c (workingAfterCall), d (busy)"
	if got.Desk != 0 || got.Why != want {
		t.Errorf("Decide = %+v, want %q", got, want)
	}
	if got := Decide(Queue{}, nil, Call{}, noon); got.Desk != -1 || got.Why != "" {
		t.Errorf("Decide of nothing = %+v", got)
	}
}

func TestExplainCountsTheRest(t *testing.T) {
	desks := free(make([]int, 200)...)
	for i := 1; i < 200; i++ {
		desks[i].Busy = i%2 == 0
		desks[i].Away = true
	}
	why := Decide(Queue{}, desks, Call{}, noon).Why
	if !strings.HasSuffix(why, "; more: 93 busy, 94 away") {
		t.Errorf("why = %q", why)
	}
}

func TestValidate(t *testing.T) {
	for name, want := range map[string]error{
		"": nil, LongestIdle: nil, Random: nil, RingAll: ErrNotSupported, "shortest": ErrUnknown,
	} {
		if err := Validate(name); !errors.Is(err, want) {
			t.Errorf("Validate(%q) = %v, want %v", name, err, want)
		}
	}
}

// Whatever the floor looks like: a pick can take the call, somebody is picked
// when anybody can, and nobody else missed this call less often.
func TestPickHolds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		desks := rapid.SliceOfN(rapid.Custom(anyDesk), 0, 12).Draw(t, "desks")
		for i := range desks {
			desks[i].ID = fmt.Sprint(i)
		}
		missed := rapid.MapOf(rapid.SampledFrom([]string{"0", "1", "2", "3"}), rapid.IntRange(0, 2)).Draw(t, "missed")
		c := Call{Missed: missed, Skill: rapid.SampledFrom([]string{"", "pump"}).Draw(t, "skill")}
		q := Queue{Strategy: rapid.SampledFrom(Names).Draw(t, "strategy"), Last: rapid.IntRange(-1, 12).Draw(t, "last")}
		got := Pick(q, desks, c)
		for i := range desks {
			if Bar(&desks[i], &c) != None {
				if got == i {
					t.Fatalf("picked %d, which is barred", i)
				}
				continue
			}
			if got < 0 || missed[desks[i].ID] < missed[desks[got].ID] {
				t.Fatalf("picked %d although %d is free and missed less", got, i)
			}
		}
	})
}

func anyDesk(t *rapid.T) Desk {
	flag := rapid.Bool()
	return Desk{
		State: rapid.SampledFrom([]string{Ready, "notReady"}).Draw(t, "state"),
		Busy:  flag.Draw(t, "busy"), Ringing: flag.Draw(t, "ringing"),
		Phone: flag.Draw(t, "phone"), Away: flag.Draw(t, "away"),
		Skills:    map[string]int{"pump": rapid.IntRange(0, 2).Draw(t, "level")},
		IdleSince: noon.UnixNano() - rapid.Int64Range(0, 9).Draw(t, "idle"),
	}
}

// A decision with 2,000 desks, one of them free: the goal is 20 µs.
func BenchmarkDecide(b *testing.B) {
	for _, n := range []int{20, 200, 2000} {
		for name, busy := range map[string]bool{"one free": true, "all free": false} {
			b.Run(fmt.Sprintf("%d desks/%s", n, name), func(b *testing.B) {
				desks := free(make([]int, n)...)
				for i := range desks {
					desks[i].ID, desks[i].Busy = fmt.Sprintf("%04d", i), busy && i != n/2
				}
				for b.Loop() {
					Decide(Queue{}, desks, Call{}, noon)
				}
			})
		}
	}
}
