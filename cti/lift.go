package cti

import (
	"context"
	"fmt"
	"time"
)

// Lifter is a ringing leg whose telephone can be asked to answer by itself, as
// if it had been lifted.
type Lifter interface {
	// Lift returns when the telephone said whether it will. ErrWrongState: it
	// cannot, or does not ring.
	Lift(ctx context.Context) error
}

// liftLimit is how long a telephone may take to say whether it answers.
const liftLimit = 3 * time.Second

// rings remembers which telephone of an agent rings for this call.
func (c *Call) rings(agent string, leg Leg) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ringing == nil {
		c.ringing = map[string]Leg{}
	}
	c.ringing[agent] = leg
}

// lift has an agent's ringing telephone answer.
func (c *Call) lift(ctx context.Context, agent string) error {
	c.mu.Lock()
	leg := c.ringing[agent]
	c.mu.Unlock()
	if leg == nil {
		return fmt.Errorf("%s: no telephone of %s rings: %w", CmdAnswerCall, agent, ErrWrongState)
	}
	l, ok := as[Lifter](leg)
	if !ok {
		return fmt.Errorf("%s: lift the phone: %w", CmdAnswerCall, ErrWrongState)
	}
	ctx, cancel := context.WithTimeout(ctx, liftLimit)
	defer cancel()
	if err := l.Lift(ctx); err != nil {
		return fmt.Errorf("%s: lift the phone: %w", CmdAnswerCall, err)
	}
	return nil
}
