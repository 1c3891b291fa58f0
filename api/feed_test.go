package api

import (
	"fmt"
	"syscall"
	"testing"
	"time"

	"callbox/acd"
	"callbox/cti"
	"callbox/internal/stamp"
)

// deskEvent is what the floor tells of an agent.
func deskEvent(n int) cti.Event {
	return cti.Event{Type: cti.EventAgentReady, AgentID: fmt.Sprint(1000 + n), UserData: map[string]any{
		"name": "王芳", "state": "ready", "reason": "", "since": stamp.Now(), "pending": "", "phone": true, "device": "browser",
		"away": false, "until": stamp.Time{}, "busy_since": stamp.Time{},
	}}
}

// used is the processor's time of this process.
func used() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// floorOf is a world with many agents, and a supervisor's screen.
func floorOf(t *testing.T, agents int) (*world, *screen) {
	w := newWorld(t)
	for i := range agents {
		id := fmt.Sprint(1000 + i)
		w.desks[id] = acd.Desk{ID: id, Name: "王芳", State: acd.Ready, Since: stamp.Now(), Queues: []string{"repair"}}
	}
	s := w.login("supervisor").dial("")
	s.next()
	return w, s
}

// TestFeedOfAFullFloor: 500 agents who change once a second all reach a
// supervisor's screen, for a small part of a processor.
func TestFeedOfAFullFloor(t *testing.T) {
	const agents, rounds = 500, 4
	w, s := floorOf(t, agents)
	start, bytes := used(), 0
	for range rounds {
		for i := range agents {
			if err := w.Note(t.Context(), deskEvent(i)); err != nil {
				t.Fatal(err)
			}
			if i%100 == 99 { // as they come: not all in one instant
				for range 100 {
					_, body, err := s.conn.ReadMessage()
					if err != nil {
						t.Fatal(err)
					}
					bytes += len(body)
				}
			}
		}
	}
	spent := (used() - start) / rounds
	t.Logf("a second of %d changes: %v of a processor (with the reader), %d kB", agents, spent, bytes/rounds/1000)
	if spent > 300*time.Millisecond {
		t.Errorf("a second's changes cost %v", spent)
	}
}

// BenchmarkWallboard is an answer for 500 agents, computed already.
func BenchmarkWallboard(b *testing.B) {
	s := &standing{now: time.Now(), since: time.Now()}
	for i := range 10 {
		s.queues = append(s.queues, acd.QueueStatus{ID: fmt.Sprint("q", i), ServiceSeconds: 20})
	}
	for i := range 500 {
		s.desks = append(s.desks, acd.Desk{ID: fmt.Sprint(i), State: acd.Ready, Queues: []string{fmt.Sprint("q", i%10), "q0"}})
	}
	for b.Loop() {
		if f := s.figures(func(string) bool { return true }); f.Agents.Ready != 500 {
			b.Fatal(f.Agents)
		}
	}
}
