package main

import (
	"fmt"

	"callbox/firmware/board"
)

// simBoxCmd is the voice box's firmware as a process of this machine.
type simBoxCmd struct {
	Dir   string `required:"" placeholder:"DIR" help:"Where the ports appear."`
	Lines int    `default:"1" help:"How many lines it has."`
}

// mostLines is how many lines a simulated box may have.
const mostLines = 64

// Help gives an example.
func (simBoxCmd) Help() string {
	return `DIR/line1…N are serial ports (V.253; for callbox.yaml: voicebox: [{port: DIR/line1}]),
DIR/analog1…N their analogue sides, for callbox sim line. They appear when all of them
work and are removed at the end.

Example: callbox sim box --dir /tmp/box --lines 2
         callbox sim line --connect /tmp/box/analog1 --number 13800138000`
}

// Run is the box until SIGTERM.
func (c *simBoxCmd) Run(s *session) error {
	if c.Lines < 1 || c.Lines > mostLines {
		return usageError(fmt.Sprintf("sim box: %d lines are not from 1 to %d", c.Lines, mostLines))
	}
	if err := board.RunHost(s.ctx, c.Dir, c.Lines, s.log); err != nil {
		return fmt.Errorf("callbox sim box: %w", err)
	}
	return nil
}
