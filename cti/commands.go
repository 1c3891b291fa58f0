package cti

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
)

// Commands of a call, by their names in ECMA-269 clause 17.1 where it has one.
const (
	CmdAnswerCall         = "answerCall"
	CmdClearConnection    = "clearConnection"
	CmdHoldCall           = "holdCall"
	CmdRetrieveCall       = "retrieveCall"
	CmdConsultationCall   = "consultationCall"
	CmdTransferCall       = "transferCall"
	CmdConferenceCall     = "conferenceCall"
	CmdAlternateCall      = "alternateCall"
	CmdReconnectCall      = "reconnectCall"
	CmdSingleStepTransfer = "singleStepTransfer"
	CmdGenerateDigits     = "generateDigits"
	CmdPauseRecording     = "pauseRecording"
	CmdResumeRecording    = "resumeRecording"
	CmdSupervise          = "supervise"
)

// ErrBadArgs means that a command's arguments say nothing that can be done.
var ErrBadArgs = errors.New("bad arguments")

// args are those of all commands.
type args struct {
	ConnectionID string `json:"connection_id"`
	To           string `json:"to"`
	Digits       string `json:"digits"`
	Reason       string `json:"reason"`
	Mode         string `json:"mode"`
}

// connection is what a command that has somebody rung gives.
type connection struct {
	ConnectionID string `json:"connection_id"`
}

// commands are what a party of a conversation may ask for.
var commands = map[string]func(*conversation, context.Context, *member, args) (any, error){
	CmdClearConnection:    (*conversation).clear,
	CmdHoldCall:           (*conversation).hold,
	CmdRetrieveCall:       (*conversation).retrieve,
	CmdConsultationCall:   (*conversation).consult,
	CmdTransferCall:       (*conversation).transferTo,
	CmdConferenceCall:     (*conversation).conference,
	CmdAlternateCall:      (*conversation).alternate,
	CmdReconnectCall:      (*conversation).reconnect,
	CmdSingleStepTransfer: (*conversation).sendOn,
	CmdGenerateDigits:     (*conversation).digits,
	CmdPauseRecording:     (*conversation).pauseRecording,
	CmdResumeRecording:    (*conversation).resumeRecording,
}

// obey carries out a command.
func (v *conversation) obey(ctx context.Context, cmd Command) answer {
	done, err := v.carryOut(ctx, cmd)
	if err != nil {
		return answer{err: fmt.Errorf("%s: %w", cmd.Name, err)}
	}
	return answer{result: done}
}

func (v *conversation) carryOut(ctx context.Context, cmd Command) (any, error) {
	var a args
	if len(cmd.Args) > 0 {
		if err := json.Unmarshal(cmd.Args, &a); err != nil {
			return nil, fmt.Errorf("%w: %w", ErrBadArgs, err)
		}
	}
	if cmd.Name == CmdSupervise {
		return v.supervise(ctx, cmd.By, a)
	}
	do, ok := commands[cmd.Name]
	if !ok {
		return nil, ErrNotServed
	}
	if cmd.Name == CmdClearConnection && v.outside.agent.ID != "" && cmd.By == v.outside.agent.ID {
		v.hangUpOutside()
		return nil, nil
	}
	m, err := v.part(cmd.By)
	if err != nil {
		return nil, err
	}
	return do(v, ctx, m, a)
}

// part is the part that by commands: the own one. A supervisor or program has
// none and acts for the only agent there is, or, in a call without agents, for
// the second party.
func (v *conversation) part(by string) (*member, error) {
	if v.call.isForNobody() && len(v.members) > 0 {
		return v.members[0], nil
	}
	var theirs []*member
	for _, m := range v.members {
		if m.agent.ID == "" || m.kind == supervisorLeg {
			continue
		}
		if m.agent.ID == by {
			return m, nil
		}
		theirs = append(theirs, m)
	}
	switch {
	case len(theirs) == 0, v.call.knows(by):
		return nil, fmt.Errorf("%q has no part in the call now: %w", by, ErrWrongState)
	case len(theirs) > 1:
		return nil, fmt.Errorf("several agents take part, and none is %q: %w", by, ErrWrongState)
	}
	return theirs[0], nil
}

// knows says that the call was offered to by before, who is then no stranger
// that acts for others.
func (c *Call) knows(by string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, l := range c.record.Legs {
		if by != "" && l.Agent == by {
			return true
		}
	}
	for _, o := range c.record.Offers {
		if by != "" && o.Agent == by {
			return true
		}
	}
	return false
}

// step takes m's part along by a command, or says why it cannot.
func (v *conversation) step(m *member, by string) error {
	if m.errand != "" {
		return fmt.Errorf("the telephone of %s rings: lift the phone: %w", m.agent.ID, ErrWrongState)
	}
	to, err := m.standing.next(by)
	if err != nil {
		return err
	}
	v.stand(m, to)
	return nil
}
