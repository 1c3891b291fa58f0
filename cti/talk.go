package cti

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"callbox/internal/stamp"
)

// request is a command on its way to the call's goroutine.
type request struct {
	cmd   Command
	reply chan answer
}

// answer is what became of a command.
type answer struct {
	result any
	err    error
}

// CmdClearConnection ends an agent's part in a call (ECMA-269 clause 17.1.8).
const CmdClearConnection = "clearConnection"

// later are the commands that callbox names and does not serve yet.
var later = map[string]bool{
	"answerCall": true, "holdCall": true, "retrieveCall": true, "consultationCall": true,
	"transferCall": true, "conferenceCall": true, "alternateCall": true, "reconnectCall": true,
	"singleStepTransfer": true, "generateDigits": true, "pauseRecording": true,
	"resumeRecording": true, "supervise": true,
}

func (c *Call) do(ctx context.Context, cmd Command) (any, error) {
	if later[cmd.Name] {
		return nil, fmt.Errorf("%s: %w", cmd.Name, ErrNotServed)
	}
	if c.Origin().Attend != "" {
		return nil, fmt.Errorf("%s: the telephone is the agent's own, the box only listens: %w", cmd.Name, ErrWrongState)
	}
	if cmd.Name == CmdClearConnection && c.withdraw() {
		return nil, nil
	}
	if !c.isTalking() {
		return nil, fmt.Errorf("%s: nobody talks on this call: %w", cmd.Name, ErrWrongState)
	}
	req := request{cmd: cmd, reply: make(chan answer, 1)}
	select {
	case c.mail <- req:
	case <-c.ctx.Done():
		return nil, ErrNotFound
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	a := <-req.reply
	return a.result, a.err
}

// withdraw ends a call that an agent wants to make while that agent's own phone
// is still rung; false where no such call is, or the phone was picked up.
func (c *Call) withdraw() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.origin.Agent == "" || !c.record.Times.AgentAnswer.IsZero() || c.ctx.Err() != nil {
		return false
	}
	c.cancel(errAgentGone)
	return true
}

func (c *Call) isTalking() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.talking
}

// Bridge lets the outside party and an answered leg talk until one of them
// hangs up or a command ends it; established and connectionCleared are noted.
// The Outcome says who ended the talk. The leg is over when Bridge returns.
func (c *Call) Bridge(ctx context.Context, agent Ref, leg Leg) (Outcome, error) {
	c.join(agent, leg)
	return c.talk(ctx, agent, leg)
}

// talk bridges an agent's leg that joined the call.
func (c *Call) talk(ctx context.Context, agent Ref, leg Leg) (Outcome, error) {
	undo := c.server.deps.Engine.Bridge(c.leg.Media(), leg.Media())
	c.note(Event{Type: EventEstablished, AgentID: agent.ID, ConnectionID: leg.ID()})
	end := c.converse(ctx, leg)
	undo()
	end.Kind, end.Agent = Talked, agent.ID
	c.part(agent, leg, end)
	return end, context.Cause(ctx)
}

// join makes an answered leg the agent's part of the call.
func (c *Call) join(agent Ref, leg Leg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.talking = true
	if agent.ID != "" { // else the other party is outside too
		c.pending, c.record.Agent = &agent, &agent
	}
	now := stamp.Now()
	if c.record.Times.AgentAnswer.IsZero() {
		c.record.Times.AgentAnswer = now
	}
	c.hear(leg, agent.ID)
	c.record.Legs = append(c.record.Legs, LegRecord{
		ID: leg.ID(), Kind: agentLeg, Device: leg.Device(), Codec: codec(leg.Media()), Start: now,
	})
}

// part ends the agent's part of the call, as end says.
func (c *Call) part(agent Ref, leg Leg, end Outcome) {
	leg.Hangup(CauseNormal)
	c.mu.Lock()
	c.forget(leg)
	c.talking, c.where = false, WhereIVR
	c.record.closeLeg(leg)
	c.mu.Unlock()
	c.note(Event{
		Type: EventConnectionCleared, AgentID: agent.ID, ConnectionID: leg.ID(), Cause: end.Cause,
		UserData: map[string]any{"side": end.Side},
	})
}

// converse waits for the end of the talk and serves the mailbox meanwhile.
func (c *Call) converse(ctx context.Context, leg Leg) Outcome {
	for {
		select {
		case <-ctx.Done():
			if errors.Is(context.Cause(ctx), ErrLineLost) {
				return Outcome{Side: LineSide, Cause: CauseLineLost}
			}
			return Outcome{Side: CallerSide, Cause: CauseNormal}
		case <-leg.Done():
			return Outcome{Side: AgentSide, Cause: CauseNormal}
		case req := <-c.mail:
			over, err := command(req.cmd)
			req.reply <- answer{err: err}
			if over {
				return Outcome{Side: AgentSide, Cause: CauseNormal}
			}
		}
	}
}

// command serves one command; over says that it ended the talk.
func command(cmd Command) (over bool, err error) {
	if cmd.Name != CmdClearConnection {
		return false, fmt.Errorf("%s: %w", cmd.Name, ErrNotServed)
	}
	var args struct {
		CallID string `json:"call_id"`
	}
	if len(cmd.Args) > 0 {
		if err := json.Unmarshal(cmd.Args, &args); err != nil {
			return false, fmt.Errorf("%s: %w", cmd.Name, err)
		}
	}
	return true, nil
}

// closeLeg writes a leg's end and what was counted on it.
func (r *CDR) closeLeg(leg Leg) {
	for i := range r.Legs {
		if r.Legs[i].ID == leg.ID() && r.Legs[i].End.IsZero() {
			r.Legs[i].close(leg)
		}
	}
}

func (l *LegRecord) close(leg Leg) {
	l.End = stamp.Now()
	if w, ok := leg.(Witness); ok {
		l.AnswerConfidence, l.HangupDetect = w.Evidence()
	}
	port := leg.Media()
	if port == nil {
		return
	}
	s := port.Stats()
	if all := s.Received + s.Lost; all > 0 {
		l.Loss = 100 * float64(s.Lost) / float64(all)
	}
	l.JitterMS = float64(s.Jitter) / float64(time.Millisecond)
	l.MOS = mos(s)
}
