package acd

import (
	"errors"
	"fmt"
	"time"

	"callbox/cti"
)

// Event is what can happen to an agent's state.
type Event string

// The events of an agent.
const (
	LogOn        Event = "log on"
	LogOff       Event = "log off"
	SetReady     Event = "set ready"
	SetNotReady  Event = "set notReady"
	SetAfterCall Event = "set workingAfterCall"
	MissedOften  Event = "missed often"
	TalkEnded    Event = "talk ended"
	WrapUpOver   Event = "wrap-up over"
)

// Reasons that the floor itself gives for notReady.
const (
	ReasonLogin    = "login"    // just logged on
	ReasonNoAnswer = "noAnswer" // did not pick up [missLimit] times in a row
)

// Limits of the floor that nobody configures.
const (
	AwayAfter    = 10 * time.Second // without a live socket: not offered
	LogOffAfter  = 12 * time.Hour   // since log-on
	missLimit    = 3                // misses in a row that make an agent notReady
	leaseMargin  = 5 * time.Second  // what an offer may outlive its ring_timeout
	triedFor     = time.Hour        // how long is kept whom a call asked in vain
	ringByItself = 20 * time.Second // ring_timeout where a queue has none

	serviceByItself = 20 * time.Second // service_level likewise
)

// Why the floor refuses. ErrRefused is also a [cti.ErrWrongState].
var (
	ErrRefused  = fmt.Errorf("the agent's state does not allow it: %w", cti.ErrWrongState)
	ErrBadState = errors.New("no such agent state")
)

// moves is an agent's state machine; being on a call is another axis.
var moves = map[State]map[Event]State{
	LoggedOff: {LogOn: NotReady, LogOff: LoggedOff},
	NotReady: {
		SetReady: Ready, SetNotReady: NotReady, SetAfterCall: WorkingAfterCall,
		LogOn: NotReady, LogOff: LoggedOff, TalkEnded: WorkingAfterCall,
	},
	Ready: {
		SetReady: Ready, SetNotReady: NotReady, SetAfterCall: WorkingAfterCall,
		LogOn: Ready, LogOff: LoggedOff, MissedOften: NotReady, TalkEnded: WorkingAfterCall,
	},
	WorkingAfterCall: {
		SetReady: Ready, SetNotReady: NotReady, SetAfterCall: WorkingAfterCall,
		LogOn: WorkingAfterCall, LogOff: LoggedOff, TalkEnded: WorkingAfterCall, WrapUpOver: Ready,
	},
}

// Next is pure. The floor stores what it returns and only then acts on it.
func (s State) Next(e Event) (State, error) {
	to, ok := moves[s][e]
	if !ok {
		return s, fmt.Errorf("%w: %s while %s", ErrRefused, e, s)
	}
	return to, nil
}

// wishes are the states an agent may ask for, and by which event.
var wishes = map[State]Event{
	Ready: SetReady, NotReady: SetNotReady, WorkingAfterCall: SetAfterCall, LoggedOff: LogOff,
}

// words are the events by which screens learn of a state (ECMA-269 clause 22.2).
var words = map[State]string{
	Ready: cti.EventAgentReady, NotReady: cti.EventAgentNotReady,
	WorkingAfterCall: cti.EventAgentWorkingAfterCall, LoggedOff: cti.EventAgentLoggedOff,
}
