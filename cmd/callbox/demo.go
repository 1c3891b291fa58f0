package main

import (
	"callbox/cmd/internal/demo"
)

// demoCmd is callbox with everything around it simulated.
type demoCmd struct {
	Listen string `default:"127.0.0.1:8080" help:"Where the page is served."`
	Data   string `help:"Where data is kept; without it a folder that is removed at the end." type:"path"`
}

// Help says what is to be seen, with an example.
func (demoCmd) Help() string {
	return `No configuration, no hardware, no network: simulated callers dial in, an SMS centre
takes work orders and engineers answer them. Prints the addresses and log-ins.

Example: callbox demo --listen 127.0.0.1:8080`
}

// Run goes on until SIGTERM or Ctrl-C.
func (c *demoCmd) Run(s *session) error {
	return demo.Run(s.ctx, demo.Options{Listen: c.Listen, Data: c.Data, Version: version, Out: s.out, Log: s.log})
}
