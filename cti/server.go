package cti

import (
	"context"
	"encoding/json"
)

// Server owns the live calls.
type Server struct{}

// Accept makes leg a call and returns when it is over and recorded.
func (s *Server) Accept(ctx context.Context, leg Leg) error { return nil }

// Command is a screen's wish for a live call, by its CSTA name: clearConnection,
// holdCall … By is the agent who asks; Args the command's JSON.
type Command struct {
	Name string
	By   string
	Args json.RawMessage
}

// Do puts a command into a call's mailbox and waits for its answer. Errors:
// ErrNotFound, ErrWrongState, ErrNotServed.
func (s *Server) Do(ctx context.Context, call string, cmd Command) error { return nil }

// Calls are the records of the live calls as they stand, newest first.
func (s *Server) Calls() []CDR { return nil }

// Call is a live call's record as it stands.
func (s *Server) Call(id string) (CDR, bool) { return CDR{}, false }
