package client

import "fmt"

// phase is where a logged-in connection stands.
type phase int

const (
	open      phase = iota // takes messages
	draining               // to be left: waits for open answers
	leaving                // TERMINATE sent
	dismissed              // TERMINATE answered: waits for open answers
	closed
)

// happening is what moves a connection on.
type happening int

const (
	stopAsked   happening = iota // the client is to stop
	terminated                   // the gateway sent TERMINATE
	settled                      // nothing is open any more
	overdue                      // the phase's time is over
	leaveAgreed                  // TERMINATE_RESP came
)

var moves = map[phase]map[happening]phase{
	open:      {stopAsked: draining, terminated: dismissed},
	draining:  {settled: leaving, overdue: leaving, terminated: dismissed},
	leaving:   {leaveAgreed: closed, overdue: closed, terminated: closed},
	dismissed: {settled: closed, overdue: closed},
}

// next is pure; what does not concern a phase leaves it as it is.
func (p phase) next(h happening) phase {
	if to, ok := moves[p][h]; ok {
		return to
	}
	return p
}

// String names the phase for the log.
func (p phase) String() string {
	names := [...]string{"open", "draining", "leaving", "dismissed", "closed"}
	if p < 0 || int(p) >= len(names) {
		return fmt.Sprintf("phase %d", int(p))
	}
	return names[p]
}
