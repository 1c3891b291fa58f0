package exchange

import (
	"strings"
	"testing"
)

// Whatever happened, a line that is hung up is at rest or about to be, and
// every state can be reached.
func TestMoves(t *testing.T) {
	reached := map[State]bool{Idle: true}
	for from, on := range moves {
		for e, to := range on {
			reached[to] = true
			if e == hungUp && to != Idle {
				t.Errorf("%v hung up becomes %v", from, to)
			}
		}
		if to, ok := from.next(hungUp); from != Idle && from != Alerting && (!ok || to != Idle) {
			t.Errorf("%v cannot be hung up", from)
		}
	}
	for s := Idle; s <= Parked; s++ {
		if !reached[s] || moves[s] == nil || strings.Contains(s.String(), "unknown") {
			t.Errorf("%v: reached %v, moves %v", s, reached[s], moves[s])
		}
	}
	if to, ok := Idle.next(answered); ok {
		t.Errorf("an answer on an idle line makes it %v", to)
	}
}
