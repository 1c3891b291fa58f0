package acd

import (
	"time"

	"callbox/acd/strategy"
	"callbox/cti"
	"callbox/internal/stamp"
)

// desk is an agent's place; only the floor's goroutine touches it.
type desk struct {
	agent         Agent
	state         State
	reason        string
	since         time.Time
	pending       State // wished for during a call, "" for none
	pendingReason string

	phone   cti.Device // by which it is rung, "" for none
	sockets int
	away    bool
	removed bool // no longer configured; goes when its call ends

	ticket   *ticket // the call that rings or talks here
	talking  bool
	answered time.Time
	wrapFor  string        // the call whose wrap-up it is
	until    time.Time     // when wrap-up ends by itself; zero: the agent ends it
	share    time.Duration // what its queue allows for wrap-up: by that much it is extended
	overdue  bool          // wrap-up came to its end while another call rang or ran
	by       string        // who forces the agent's state, while that is done

	idleSince time.Time
	calls     int
	talk      time.Duration
	misses    int  // in a row
	counted   bool // in board.free

	// Numbers of the latest timers of each kind; an alarm with an older number is stale.
	lease, wrap, socket, logon int

	seats []seat
}

// seat is a desk's place in a queue's snapshot.
type seat struct {
	line  *line
	index int
}

func (d *desk) ref() cti.Ref { return cti.Ref{ID: d.agent.ID, Name: d.agent.Name} }

// free says whether a call could be offered here now.
func (d *desk) free() bool {
	return d.state == Ready && d.ticket == nil && d.phone != "" && !d.away && !d.removed
}

func (d *desk) loggedOn() bool { return d.state != LoggedOff && !d.removed }

// call is the call that is talked on here, or wrapped up.
func (d *desk) call() string {
	if d.talking {
		return d.ticket.id
	}
	return d.wrapFor
}

func (d *desk) view() strategy.Desk {
	state := string(d.state)
	if d.removed {
		state = string(LoggedOff)
	}
	return strategy.Desk{
		ID: d.agent.ID, State: state, Busy: d.talking, Ringing: d.ticket != nil && !d.talking,
		Phone: d.phone != "", Away: d.away, Skills: d.agent.Skills,
		IdleSince: d.idleSince.UnixNano(), Calls: d.calls, Talk: d.talk,
	}
}

// screen is the desk as screens see it.
func (d *desk) screen() Desk {
	return Desk{
		ID: d.agent.ID, Name: d.agent.Name, State: d.state, Reason: d.reason,
		Since: stamp.At(d.since), Pending: d.pending, Phone: d.phone != "", Device: d.phone.Scheme(), Away: d.away,
		Until: stamp.At(d.until), BusySince: d.busySince(),
		Call: d.call(), Queues: append([]string{}, d.agent.Queues...),
	}
}

func (d *desk) row() DeskRow {
	return DeskRow{Agent: d.agent.ID, State: d.state, Reason: d.reason, Since: d.since, Until: d.until, Call: d.call()}
}

// busySince is when the talk at this desk began.
func (d *desk) busySince() cti.Time {
	if !d.talking {
		return cti.Time{}
	}
	return stamp.At(d.answered)
}

// event tells screens of the desk, in the word for its state or the one given.
func (d *desk) event(word string) cti.Event {
	if word == "" {
		word = words[d.state]
		if d.talking {
			word = cti.EventAgentBusy
		}
	}
	data := map[string]any{
		"name": d.agent.Name, "state": string(d.state), "reason": d.reason, "since": stamp.At(d.since),
		"pending": string(d.pending), "phone": d.phone != "", "device": d.phone.Scheme(), "away": d.away,
		"until": stamp.At(d.until), "busy_since": d.busySince(),
	}
	if d.by != "" {
		data["by"] = d.by
	}
	return cti.Event{Type: word, AgentID: d.agent.ID, CallID: d.call(), UserData: data}
}
