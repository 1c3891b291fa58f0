package cti

import (
	"fmt"

	"callbox/internal/stamp"
)

// standing is where a party's part in a call stands. How many others talk there
// is no matter of the part: a conference is a talk of three and more.
type standing string

const (
	talking    standing = "talking"    // with the outside party
	holding    standing = "holding"    // has the outside party wait, and hears nothing
	asking     standing = "asking"     // waits for whom the party wants to consult
	consulting standing = "consulting" // talks to who was asked, aside
	alternated standing = "alternated" // talks with the outside party again, who was asked waits
	asked      standing = "asked"      // is rung, or consulted by another
	listening  standing = "listening"  // supervises
	departed   standing = "departed"
)

// What happens to a part beside the commands.
const (
	stepAnswered = "answer" // who was asked picked up
	stepLost     = "loss"   // who was asked is gone
)

// steps lead from one standing to the next, by command or by what happens.
var steps = map[standing]map[string]standing{
	talking: {CmdHoldCall: holding, CmdConsultationCall: asking, CmdSingleStepTransfer: departed},
	holding: {CmdRetrieveCall: talking, CmdConsultationCall: asking, CmdSingleStepTransfer: departed},
	asking:  {stepAnswered: consulting, stepLost: holding, CmdReconnectCall: talking, CmdTransferCall: departed},
	consulting: {
		CmdAlternateCall: alternated, stepLost: holding, CmdReconnectCall: talking,
		CmdConferenceCall: talking, CmdTransferCall: departed,
	},
	alternated: {
		CmdAlternateCall: consulting, stepLost: talking, CmdReconnectCall: talking,
		CmdConferenceCall: talking, CmdTransferCall: departed,
	},
}

// next is pure. The conversation stores what it returns (see stand) and only then
// acts on it.
func (s standing) next(step string) (standing, error) {
	to, ok := steps[s][step]
	if !ok {
		return s, fmt.Errorf("while %s: %w", s, ErrWrongState)
	}
	return to, nil
}

// aside says that the party is not with the outside party.
func (s standing) aside() bool { return s == asking || s == consulting }

// consults says that the party has somebody asked.
func (s standing) consults() bool { return s.aside() || s == alternated }

// stand is where a part's standing changes: in the record, too, and before
// anybody is told. Who reads the journal's last number and then the record misses
// no change so. One who departs stands there until the leg's end.
func (v *conversation) stand(m *member, to standing) {
	m.standing = to
	v.call.update(func(r *CDR) { r.stand(m.leg.ID(), string(to)) })
}

// stand writes where the part of an open leg stands from now on.
func (r *CDR) stand(leg, standing string) {
	for i := range r.Legs {
		if l := &r.Legs[i]; l.ID == leg && l.End.IsZero() && l.Standing != standing {
			l.Standing, l.StandingSince = standing, stamp.Now()
		}
	}
}
