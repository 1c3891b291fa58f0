// Package acd decides which agent takes which waiting call.
//
// [Floor.Enqueue] blocks until caller and agent have finished talking or the
// caller gave up: a waiting call goes in, a [cti.Outcome] comes out. One
// goroutine, [Floor.Run], owns every desk and queue. Devices are rung through
// the call; outside its own folder acd imports cti, nothing else.
package acd

import (
	"time"

	"callbox/cti"
)

// State is an agent's state (ECMA-269 clause 22). Being on a call is another
// axis.
type State string

// The states of an agent.
const (
	LoggedOff        State = "loggedOff"
	NotReady         State = "notReady"
	Ready            State = "ready"
	WorkingAfterCall State = "workingAfterCall"
)

// Agent is who sits at a desk, as configured.
type Agent struct {
	ID        string         `json:"id"`
	Name      string         `json:"name"`
	Extension string         `json:"extension"`
	Queues    []string       `json:"queues"`
	Skills    map[string]int `json:"skills"`
}

// Queue is a queue as configured. Durations are Go durations in YAML and
// seconds in JSON.
type Queue struct {
	ID           string
	Name         string
	Strategy     string // strategy.Names; longest_idle when empty
	RingTimeout  time.Duration
	WrapUp       time.Duration
	MaxWait      time.Duration
	MaxLength    int
	ServiceLevel time.Duration
}

// Desk is an agent's place on the floor as screens see it. Call is the one that
// is talked on there, or wrapped up. Until is when wrap-up ends by itself, null
// where the agent ends it; BusySince is null for a desk where nobody talks.
type Desk struct {
	ID        string   `json:"id"`
	Name      string   `json:"name"`
	State     State    `json:"state"`
	Reason    string   `json:"reason"`
	Since     cti.Time `json:"since"`
	Until     cti.Time `json:"until"`
	BusySince cti.Time `json:"busy_since"`
	Pending   State    `json:"pending"`
	Phone     bool     `json:"phone"`
	Device    string   `json:"device"` // that rings: browser, sip, or ""
	Away      bool     `json:"away"`
	Call      string   `json:"call,omitempty"`
	Queues    []string `json:"queues"`
}

// QueueStatus is a queue as screens see it. LongestWait is in seconds, and so is
// ServiceSeconds, within which a call should be answered.
type QueueStatus struct {
	ID             string  `json:"id"`
	Name           string  `json:"name"`
	Waiting        int     `json:"waiting"`
	LongestWait    float64 `json:"longest_wait"`
	Ready          int     `json:"ready"`
	ServiceSeconds float64 `json:"service_seconds"`
}

// DeskRow is what of a desk survives a restart.
type DeskRow struct {
	Agent  string
	State  State
	Reason string
	Since  time.Time
	Until  time.Time // zero: as since and the queues have it
	Call   string    // the call whose wrap-up it is, or the live one
}
