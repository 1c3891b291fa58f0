package cti

import (
	"context"
	"fmt"
)

// hold lets the outside party wait with music; the agent hears nothing. In a
// conference the others go on.
func (v *conversation) hold(_ context.Context, m *member, _ args) (any, error) {
	if err := v.step(m, CmdHoldCall); err != nil {
		return nil, err
	}
	v.held(m)
	return nil, nil
}

// retrieve takes the outside party back. Behind the hold key of a telephone it
// would hear nothing.
func (v *conversation) retrieve(_ context.Context, m *member, _ args) (any, error) {
	if h, ok := m.leg.(Holder); ok && h.OnHold() && m.standing == holding {
		return nil, fmt.Errorf("the telephone of %s holds the call: press its key: %w", m.agent.ID, ErrWrongState)
	}
	if err := v.step(m, CmdRetrieveCall); err != nil {
		return nil, err
	}
	v.retrieved(m)
	return nil, nil
}

func (v *conversation) held(m *member) {
	v.tell(Event{Type: EventHeld, ConnectionID: v.outside.leg.ID()}, m.agent)
}

func (v *conversation) retrieved(m *member) {
	v.tell(Event{Type: EventRetrieved, ConnectionID: v.outside.leg.ID()}, m.agent)
}
