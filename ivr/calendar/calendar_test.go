package calendar

import (
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// shop has a lunch break, a bar's Friday, a holiday, and two work days for it.
var shop = Calendar{
	ID: "shop",
	Hours: map[string][]string{
		"mon": {"09:00-12:00", "13:30-18:00"}, "tue": {"09:00-12:00", "13:30-18:00"}, "wed": {"09:00-12:00", "13:30-18:00"},
		"thu": {"09:00-12:00", "13:30-18:00"}, "fri": {"09:00-12:00", "22:00-02:00"},
	},
	Holidays: []Day{{Date: "2026-10-01", Name: "国庆"}, {Date: "2026-10-02", Name: "国庆"}},
	Workdays: []Day{{Date: "2026-09-27", Name: "调休"}, {Date: "2026-10-10", Name: "调休", Hours: []string{"10:00-11:00"}}},
}

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func clock(t testing.TB, c Calendar, z *time.Location) *Clock {
	t.Helper()
	k, err := c.Clock(z)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func at(t testing.TB, z *time.Location, text string) time.Time {
	t.Helper()
	v, err := time.ParseInLocation("2006-01-02 15:04", text, z)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

const form = "2006-01-02 15:04 MST"

func TestNow(t *testing.T) {
	z := zone(t, "Asia/Shanghai")
	k := clock(t, shop, z)
	for now, want := range map[string]struct {
		open  bool
		until string
		why   string
		name  string
	}{
		"2026-09-21 08:59": {false, "2026-09-21 09:00", ByHours, ""},
		"2026-09-21 09:00": {true, "2026-09-21 12:00", ByHours, ""},
		"2026-09-21 11:59": {true, "2026-09-21 12:00", ByHours, ""},
		"2026-09-21 12:00": {false, "2026-09-21 13:30", ByHours, ""},
		"2026-09-21 18:00": {false, "2026-09-22 09:00", ByHours, ""},
		"2026-09-25 23:30": {true, "2026-09-26 02:00", ByHours, ""}, // a Friday's night
		"2026-09-26 01:59": {true, "2026-09-26 02:00", ByHours, ""}, // is not over at midnight
		"2026-09-26 02:00": {false, "2026-09-27 09:00", ByHours, ""},
		"2026-09-27 09:00": {true, "2026-09-27 12:00", ByWorkday, "调休"}, // a Sunday as a Monday
		"2026-09-27 12:30": {false, "2026-09-27 13:30", ByWorkday, "调休"},
		"2026-10-01 10:00": {false, "2026-10-05 09:00", ByHoliday, "国庆"},
		"2026-10-02 23:00": {false, "2026-10-05 09:00", ByHoliday, "国庆"}, // a Friday without its night
		"2026-10-10 10:30": {true, "2026-10-10 11:00", ByWorkday, "调休"},
		"2026-10-10 09:30": {false, "2026-10-10 10:00", ByWorkday, "调休"},
	} {
		s := k.Now(at(t, z, now))
		if until := s.Until.In(z).Format("2006-01-02 15:04"); s.Open != want.open || until != want.until || s.Why != want.why || s.Name != want.name {
			t.Errorf("%s: %v until %s by %s %s; want %+v", now, s.Open, until, s.Why, s.Name, want)
		}
	}
}

func TestOverride(t *testing.T) {
	z := zone(t, "Asia/Shanghai")
	until := at(t, z, "2026-09-21 15:00")
	for name, tt := range map[string]struct {
		open       bool
		now, until string
		why        string
		is         bool
	}{
		"closed for a meeting":        {false, "2026-09-21 14:00", "2026-09-21 15:00", ByOverride, false},
		"its last instant is over":    {false, "2026-09-21 15:00", "2026-09-21 18:00", ByHours, true},
		"open over lunch":             {true, "2026-09-21 12:30", "2026-09-21 18:00", ByOverride, true},
		"closed on a closed evening":  {false, "2026-09-20 20:00", "2026-09-21 15:00", ByOverride, false},
		"open before the doors open":  {true, "2026-09-21 07:00", "2026-09-21 18:00", ByOverride, true},
		"over, and nothing is forced": {true, "2026-09-21 19:00", "2026-09-22 09:00", ByHours, false},
	} {
		c := shop
		c.Override = &Override{Open: tt.open, Until: until}
		s := clock(t, c, z).Now(at(t, z, tt.now))
		if got := s.Until.In(z).Format("2006-01-02 15:04"); s.Open != tt.is || got != tt.until || s.Why != tt.why {
			t.Errorf("%s: %v until %s by %s; want %+v", name, s.Open, got, s.Why, tt)
		}
	}
}

func TestNeverAndAlways(t *testing.T) {
	z := zone(t, "Asia/Shanghai")
	if s := clock(t, Calendar{}, z).Now(time.Now()); s.Open || !s.Until.IsZero() {
		t.Errorf("without hours: %+v", s)
	}
	always := Calendar{Hours: map[string][]string{}}
	for _, day := range weekdays {
		always.Hours[day] = []string{"00:00-24:00"}
	}
	if s := clock(t, always, z).Now(time.Now()); !s.Open || !s.Until.IsZero() {
		t.Errorf("round the clock: %+v", s)
	}
}

// Hours stay where they are on the wall when summer time begins (at 02:00 it is
// 03:00) and ends (at 02:00 it is 01:00), and a night is longer or shorter.
func TestSummerTime(t *testing.T) {
	z := zone(t, "America/New_York")
	for name, tt := range map[string]struct {
		hours      string // of Saturday, before the change
		day        string
		start, end string
		lasts      time.Duration
	}{
		"a short night":          {"22:00-06:00", "2026-03-07", "2026-03-07 22:00 EST", "2026-03-08 06:00 EDT", 7 * time.Hour},
		"a long night":           {"22:00-06:00", "2026-10-31", "2026-10-31 22:00 EDT", "2026-11-01 06:00 EST", 9 * time.Hour},
		"an end that is missing": {"22:00-02:30", "2026-03-07", "2026-03-07 22:00 EST", "2026-03-08 03:00 EDT", 4 * time.Hour},
		"an end that is twice":   {"22:00-01:30", "2026-10-31", "2026-10-31 22:00 EDT", "2026-11-01 01:30 EDT", 3*time.Hour + 30*time.Minute},
		"an end after the twice": {"22:00-02:00", "2026-10-31", "2026-10-31 22:00 EDT", "2026-11-01 02:00 EST", 5 * time.Hour},
	} {
		k := clock(t, Calendar{Hours: map[string][]string{"sat": {tt.hours}}}, z)
		opens := k.Now(at(t, z, tt.day+" 12:00")).Until.Time
		closes := k.Now(opens).Until.Time
		if got := opens.In(z).Format(form); got != tt.start {
			t.Errorf("%s: opens %s, want %s", name, got, tt.start)
		}
		if got := closes.In(z).Format(form); got != tt.end || closes.Sub(opens) != tt.lasts {
			t.Errorf("%s: closes %s after %v, want %s after %v", name, got, closes.Sub(opens), tt.end, tt.lasts)
		}
		if k.Open(opens.Add(-1)) || !k.Open(opens) || !k.Open(closes.Add(-1)) || k.Open(closes) {
			t.Errorf("%s: not open exactly from %v to %v", name, opens, closes)
		}
	}
}

func TestCheck(t *testing.T) {
	c := Calendar{
		Hours: map[string][]string{
			"mon": {"9-12", "09:00-09:00", "25:00-26:00", "24:00-02:00", "09:60-10:00", "+9:00-10:00"},
			"tue": {"09:00-12:00", "11:00-13:00"}, "montag": {"09:00-12:00"}, "wed": {"9:00 - 24:00"},
		},
		Holidays: []Day{{Date: "2026-10-01"}, {Date: "1.10.2026"}, {Date: "2026-10-01"}, {Date: "2026-10-05", Hours: []string{"09:00-10:00"}}},
		Workdays: []Day{{Date: "2026-10-01"}, {Date: "2026-02-30"}, {Date: "2026-10-10", Hours: []string{"x"}}},
		Override: &Override{Open: true},
	}
	var got []string
	for _, f := range c.Check() {
		got = append(got, f.Key)
	}
	want := "hours.mon[0] hours.mon[1] hours.mon[2] hours.mon[3] hours.mon[4] hours.mon[5] hours.montag hours.tue[1] " +
		"holidays[1].date holidays[2].date holidays[3].hours workdays[0].date workdays[1].date workdays[2].hours[0] override.until"
	if strings.Join(got, " ") != want {
		t.Errorf("faults at %v\nwant %s", got, want)
	}
	if _, err := c.Clock(time.UTC); err == nil {
		t.Error("a faulty calendar can be asked")
	}
	if faults := shop.Check(); len(faults) > 0 {
		t.Errorf("a good one: %v", faults)
	}
}

// Until is the first moment at which the answer differs, in any zone, at any
// moment.
func TestUntilIsTheNextChange(t *testing.T) {
	zones := []*time.Location{zone(t, "Asia/Shanghai"), zone(t, "America/New_York"), zone(t, "Australia/Lord_Howe")}
	rapid.Check(t, func(t *rapid.T) {
		z := rapid.SampledFrom(zones).Draw(t, "zone")
		c := shop
		now := time.Unix(rapid.Int64Range(1767225600, 1798761600).Draw(t, "now"), 0)
		if rapid.Bool().Draw(t, "override") {
			c.Override = &Override{Open: rapid.Bool().Draw(t, "open"), Until: now.Add(time.Duration(rapid.IntRange(-100, 3000).Draw(t, "for")) * time.Minute)}
		}
		k, err := c.Clock(z)
		if err != nil {
			t.Fatal(err)
		}
		s := k.Now(now)
		if s.Open != k.Open(now) || s.Until.IsZero() || k.Open(s.Until.Time) == s.Open {
			t.Fatalf("now %+v", s)
		}
		for at := now; at.Before(s.Until.Time); at = at.Add(7 * time.Minute) {
			if k.Open(at) != s.Open {
				t.Fatalf("changes at %v, not at %v", at, s.Until)
			}
		}
	})
}

func BenchmarkOpen(b *testing.B) {
	k := clock(b, shop, zone(b, "Asia/Shanghai"))
	now := time.Date(2026, 9, 21, 3, 0, 0, 0, time.UTC)
	for b.Loop() {
		k.Open(now)
	}
}
