// Package cti is what a call is.
//
// [Server.Accept] turns a ringing [Leg] into a [Call] and lives as long as the
// call does: that goroutine is the call. It asks the [Router] for a [Handler]
// (the IVR for a call from outside, the floor for a desk), runs it, follows
// where its [Outcome] leads, and closes the one record. Everything that
// happened goes to the [Ledger] as events in the words of ECMA-269 (CSTA).
// cti knows neither SIP nor files nor screens: legs, recorder, ledger and
// directory come in through ports.go.
package cti

import (
	"context"
	"errors"
	"strings"

	"callbox/cti/media"
)

// Why a call or a leg ended. ErrRemoteHangup is the cause of a call's context
// when the outside party is gone.
var (
	ErrRemoteHangup = errors.New("the other side hung up")
	ErrBusy         = errors.New("busy")
	ErrNoAnswer     = errors.New("no answer")
	ErrRejected     = errors.New("rejected")
	ErrCanceled     = errors.New("canceled")
	ErrNotFound     = errors.New("not found")
	ErrUnreachable  = errors.New("not reachable")
	ErrLineLost     = errors.New("line lost")
	ErrNoAudio      = errors.New("no audio")
	ErrNotServed    = errors.New("not yet supported")
	ErrWrongState   = errors.New("not possible in this state")
	ErrCleared      = errors.New("cleared by command")
	ErrShutdown     = errors.New("the box is shutting down")
	ErrBlocked      = errors.New("the caller is blocked")
	ErrBadNumber    = errors.New("no number that can be dialled")
	ErrBarred       = errors.New("this destination may not be dialled")
	ErrTooMany      = errors.New("the limit of calls is reached")
)

// Device is an address that can be rung: sip:1001 (an extension's phones),
// trunk:carrier/+8613800138000, browser:1001, line:LABEL.
type Device string

// Scheme is the part before the colon, by which a [Dialer] is found.
func (d Device) Scheme() string {
	scheme, _, _ := strings.Cut(string(d), ":")
	return scheme
}

// Address is the part after the colon.
func (d Device) Address() string {
	_, address, _ := strings.Cut(string(d), ":")
	return address
}

// Number is a telephone number as it is shown: E.164 where there is one, else
// "", with the text as received beside it.
type Number struct {
	E164  string `json:"e164"`
	Raw   string `json:"raw"`
	Name  string `json:"name"`
	Place string `json:"place"`
}

// Ref names an object with what people call it.
type Ref struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

// Directions of a call, seen from the box.
const (
	In  = "in"
	Out = "out"
)

// Origin is where a leg comes from, known when it is seized.
type Origin struct {
	Direction string // In or Out
	Device    Device
	From      Number
	To        Number
	DID       string         // the number that was dialled: the Request-URI's user
	Line      string         // trunk name or line label
	Diverted  []Number       // who forwarded the call here, the last one first (Diversion, History-Info)
	Data      map[string]any // what else is known at the start: user_data of the call
	Attend    string         // agent whose own telephone hangs on the line: the box only listens
	Agent     string         // agent who asked for this outgoing call, whose phone it comes from
}

// Target is where a call goes next. The zero target ends it.
type Target struct {
	Flow, Node, Queue, Agent, Number string
}

// Kinds of [Outcome].
const (
	Talked    = "talked"    // agent and caller spoke, the talk is over
	Gone      = "gone"      // the caller hung up
	NoAgents  = "no_agents" // nobody is logged on for the queue
	TimedOut  = "timeout"   // max_wait passed
	Full      = "full"      // max_length reached
	Completed = "completed" // the flow ended the call
	Voicemail = "voicemail"
	Refused   = "refused" // blocked caller or no such target
	MovedOn   = "moved"   // see Next
	Failed    = "failed"
)

// Sides that can end a call. The outside party is the caller, whoever called.
const (
	CallerSide = "caller"
	AgentSide  = "agent"
	BoxSide    = "box"
	LineSide   = "line"
)

// Outcome is what a [Handler] made of a call.
type Outcome struct {
	Kind  string
	Agent string // agent's id
	Side  string // who ended the talk
	Cause string // a cause of the record: normal busy noAnswer …
	Next  Target
}

// Wanted is what a queue node asks the floor for.
type Wanted struct {
	Queue    string
	Priority int
	Skill    string
	MinLevel int
	Agent    string // this one only
}

// Leg is one party of a call: a SIP dialog, a browser, a line, or a test's.
// It is incoming (the party called us) or outgoing (we ring it, see [Dialer]).
type Leg interface {
	ID() string
	Device() Device
	Origin() Origin
	// Alerting is closed when the party's device rings (first 18x, or the 2xx
	// if there was none). For an incoming leg it is closed from the start.
	Alerting() <-chan struct{}
	// Answer answers an incoming leg; of an outgoing one it waits until the
	// party picks up. Errors: ErrBusy, ErrRejected, ErrNoAnswer, ErrNotFound,
	// ErrUnreachable, ErrRemoteHangup, or ctx's cause (the leg still rings
	// then: Hangup it). Answering twice is no error.
	Answer(ctx context.Context) error
	// Hangup ends the leg in the way its state asks for (final response,
	// CANCEL, BYE). cause is a cause of the record: normal busy noAnswer
	// canceled congestion notFound error. It is idempotent and does not wait
	// for the network.
	Hangup(cause string)
	Media() media.Port
	// Done is closed when the leg is over, whoever ended it.
	Done() <-chan struct{}
	// Err says why, after Done: ErrRemoteHangup, ErrLineLost …; nil if we did.
	Err() error
}
