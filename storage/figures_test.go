package storage_test

import (
	"database/sql"
	"fmt"
	"testing"
	"time"

	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// waited is a call that entered a queue and was answered after so long; never
// for 0.
func waited(n int, queue string, wait time.Duration) cti.CDR {
	c := call(n)
	c.Queue = &cti.Ref{ID: queue, Name: queue}
	c.Times.QueueIn = stamp.At(c.Times.Seize.Add(2 * time.Second))
	if wait > 0 {
		c.Agent = &cti.Ref{ID: "1001", Name: "王芳"}
		c.Times.AgentAnswer = stamp.At(c.Times.QueueIn.Add(wait))
	}
	return c
}

// over ends a call so long after it entered the queue.
func over(c cti.CDR, after time.Duration, result, where string) cti.CDR {
	c = ended(c, result)
	c.Where, c.Times.Hangup = where, stamp.At(c.Times.QueueIn.Add(after))
	return c
}

const level = 20 * time.Second

func tally(t *testing.T, d *storage.DB, live ...cti.CDR) storage.Tally {
	t.Helper()
	sums, err := d.Tallies(t.Context(), morning.Time, map[string]time.Duration{"repair": level}, live)
	good(t, err)
	return sums["repair"]
}

func TestTally(t *testing.T) {
	for name, tt := range map[string]struct {
		call cti.CDR
		want storage.Tally
	}{
		"answered in time": {
			over(waited(1, "repair", level), time.Minute, cti.ResultAnswered, ""),
			storage.Tally{Offered: 1, Answered: 1, InTime: 1, Handled: 1, Wait: level, Talk: 40 * time.Second},
		},
		"answered too late": {
			over(waited(1, "repair", level+time.Millisecond), time.Minute, cti.ResultAnswered, ""),
			storage.Tally{Offered: 1, Answered: 1, Handled: 1, Wait: level + time.Millisecond, Talk: 40*time.Second - time.Millisecond},
		},
		"answered, then a crash": {
			over(waited(1, "repair", time.Second), time.Minute, cti.ResultFailed, ""),
			storage.Tally{Offered: 1, Answered: 1, InTime: 1, Handled: 1, Wait: time.Second, Talk: 59 * time.Second},
		},
		"gave up": {
			over(waited(1, "repair", 0), 5*time.Second, cti.ResultAbandoned, cti.WhereQueue),
			storage.Tally{Offered: 1, Abandoned: 1},
		},
		"gave up while it rang": {
			over(waited(1, "repair", 0), time.Minute, cti.ResultAbandoned, cti.WhereRinging),
			storage.Tally{Offered: 1, Abandoned: 1},
		},
		"gave up at once": {
			over(waited(1, "repair", 0), 5*time.Second-time.Millisecond, cti.ResultAbandoned, cti.WhereQueue),
			storage.Tally{Offered: 1, Abandoned: 1, ShortAbandoned: 1},
		},
		"left for a voicemail":         {over(waited(1, "repair", 0), time.Minute, cti.ResultVoicemail, ""), storage.Tally{Offered: 1}},
		"gave up in the flow behind":   {over(waited(1, "repair", 0), time.Minute, cti.ResultAbandoned, cti.WhereIVR), storage.Tally{Offered: 1}},
		"another queue's":              {over(waited(1, "sales", 0), time.Minute, cti.ResultVoicemail, ""), storage.Tally{}},
		"entered before the day began": {over(waited(-3, "repair", 0), time.Minute, cti.ResultVoicemail, ""), storage.Tally{}},
		"never in a queue":             {ended(call(1), cti.ResultCompleted), storage.Tally{}},
	} {
		t.Run(name, func(t *testing.T) {
			d := storagetest.Open(t)
			running := tt.call
			running.Result = nil
			good(t, d.Journal().Open(t.Context(), running))
			good(t, d.Journal().Close(t.Context(), tt.call))
			if got := tally(t, d); got != tt.want {
				t.Errorf("adds up to %+v, want %+v", got, tt.want)
			}
			if got := tally(t, d, tt.call); got != tt.want {
				t.Errorf("with the box's own copy to %+v, want %+v", got, tt.want)
			}
			if got := tally(t, storagetest.Open(t), tt.call); got != tt.want {
				t.Errorf("before it is on disk to %+v, want %+v", got, tt.want)
			}
		})
	}
}

// What runs counts as far as it is known: entered, answered; not yet handled.
func TestTallyOfLiveCalls(t *testing.T) {
	d := storagetest.Open(t)
	got := tally(t, d, waited(1, "repair", time.Second), waited(2, "repair", 0), waited(3, "sales", 0), call(4))
	if want := (storage.Tally{Offered: 2, Answered: 1, InTime: 1, Wait: time.Second}); got != want {
		t.Errorf("live calls add up to %+v, want %+v", got, want)
	}
}

// Work after the call is added when it ends.
func TestTallyOfWork(t *testing.T) {
	d := storagetest.Open(t)
	c := over(waited(1, "repair", time.Second), time.Minute, cti.ResultAnswered, "")
	good(t, d.Journal().Close(t.Context(), c))
	good(t, d.Journal().Amend(t.Context(), c.ID, cti.Amendment{ACWEnd: stamp.At(c.Times.Hangup.Add(15 * time.Second))}))
	if got := tally(t, d); got.Work != 15*time.Second || got.Offered != 1 {
		t.Errorf("adds up to %+v", got)
	}
}

func TestAgentChanges(t *testing.T) {
	d := storagetest.Open(t)
	j := d.Journal()
	for i, e := range []cti.Event{
		{Type: cti.EventAgentReady, AgentID: "1001"},
		{Type: cti.EventQueueChanged},
		{Type: cti.EventAgentBusy, AgentID: "1001"},
		{Type: cti.EventAgentLoggedOn, AgentID: "1002"},
		{Type: cti.EventAgentNotReady, AgentID: "1002"},
	} {
		e.Time = stamp.At(morning.Add(time.Duration(i) * time.Second))
		good(t, j.Note(t.Context(), e))
	}
	good(t, d.Write(t.Context(), "settle", statement("SELECT 1"))) // those before are on disk
	changes, err := d.AgentChanges(t.Context(), morning.Add(time.Second), 0)
	good(t, err)
	if len(changes) != 2 || changes[0].Type != cti.EventAgentBusy || changes[1].Agent != "1002" || !changes[1].Time.Equal(morning.Add(4*time.Second)) {
		t.Fatalf("changes %+v", changes)
	}
	if later, err := d.AgentChanges(t.Context(), morning.Time, changes[0].Seq); err != nil || len(later) != 1 {
		t.Errorf("behind the first %+v, %v", later, err)
	}
	plan := planned(t, d, storage.AgentQuery, 0, 0)
	if want := "USING COVERING INDEX journal_agents (time>?)"; !contains(plan, want) || contains(plan, "TEMP B-TREE") {
		t.Errorf("the journal is read by %s", plan)
	}
}

// A day of many calls, as it was before the figures had a table of their own.
func TestTalliesOfOlderCalls(t *testing.T) {
	d := storagetest.Open(t)
	answered := over(waited(1, "repair", 3*time.Second), time.Minute, cti.ResultAnswered, "")
	good(t, d.Journal().Close(t.Context(), answered))
	good(t, d.Journal().Amend(t.Context(), answered.ID, cti.Amendment{ACWEnd: stamp.At(answered.Times.Hangup.Add(7 * time.Second))}))
	good(t, d.Journal().Close(t.Context(), over(waited(2, "repair", 0), 4*time.Second, cti.ResultAbandoned, cti.WhereQueue)))
	good(t, d.Journal().Close(t.Context(), over(waited(3, "repair", 0), time.Minute, cti.ResultVoicemail, "")))
	good(t, d.Journal().Close(t.Context(), ended(call(4), cti.ResultCompleted)))
	want := tally(t, d)
	good(t, d.Write(t.Context(), "forget", statement("DELETE FROM tallies")))
	good(t, d.Write(t.Context(), "fill", statement(storage.Backfill(t))))
	if got := tally(t, d); got != want || got.Offered != 3 {
		t.Errorf("filled from the records the figures are %+v, were %+v", got, want)
	}
}

// busyDay fills a database with calls of one day, in ten queues.
func busyDay(tb testing.TB, d *storage.DB, calls int) {
	tb.Helper()
	err := d.Write(tb.Context(), "fill", func(tx *sql.Tx) error {
		_, err := tx.Exec(`WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ?2 - 1)
			INSERT INTO tallies SELECT 'q' || (i % 10), ?1 + i * 700, printf('0199-call-%09d', i), 1 + (i % 9 = 0), i % 60000, 180000, 15000 FROM n`,
			morning.Millis(), calls)
		return err
	})
	if err != nil {
		tb.Fatal(err)
	}
}

// BenchmarkTallies is what the figures of a day of 100,000 calls cost.
func BenchmarkTallies(b *testing.B) {
	d := storagetest.Open(b)
	busyDay(b, d, 100_000)
	within := map[string]time.Duration{}
	for i := range 10 {
		within[fmt.Sprintf("q%d", i)] = level
	}
	var live []cti.CDR
	for i := range 100 {
		live = append(live, waited(i, "q1", time.Second))
	}
	for b.Loop() {
		sums, err := d.Tallies(b.Context(), morning.Time, within, live)
		if err != nil || sums["q0"].Offered != 10_000 || sums["q1"].Offered != 10_100 {
			b.Fatal(sums, err)
		}
	}
}
