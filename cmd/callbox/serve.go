package main

import (
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"

	"callbox/cmd/internal/app"
	"callbox/cmd/internal/config"
	"callbox/cmd/internal/control"
)

// configFile is the flag of every command that needs the configuration.
type configFile struct {
	Config string `short:"c" default:"callbox.yaml" help:"The box's configuration."`
}

// serveCmd is the daemon.
type serveCmd struct {
	configFile
	SlowSync time.Duration `hidden:"" help:"Added to every commit: a slow disk, for measurements."`
}

// Help says how to stop it, with an example.
func (serveCmd) Help() string {
	return `Prints one line "ready http=… sip=…" to stderr when every part listens.
SIGTERM drains: no new calls, calls in progress get "drain" to end. SIGHUP reloads.

Example: callbox serve -c /etc/callbox/callbox.yaml`
}

// Run is the daemon until a signal ends it.
func (c *serveCmd) Run(s *session) error {
	if err := config.Check(c.Config, nil); err != nil {
		return err
	}
	box, err := config.Load(c.Config)
	if err != nil {
		return err
	}
	if err := config.Check(c.Config, app.CheckPrompts(box.Data)); err != nil {
		return err
	}
	hup := make(chan os.Signal, 1)
	signal.Notify(hup, syscall.SIGHUP)
	defer signal.Stop(hup)
	return app.Run(s.ctx, app.Options{
		File: c.Config, Box: box, Version: version, Reload: hup, Log: s.log, SlowSync: c.SlowSync,
		Ready: func(r app.Ready) {
			fmt.Fprintln(s.err, r)
			notifySystemd("READY=1")
		},
	})
}

// checkCmd finds every fault before the daemon does.
type checkCmd struct{ configFile }

// Help gives an example.
func (checkCmd) Help() string {
	return `Prints "file:line:column: key: what is wrong" for every fault; exit code 1 if there is one.

Example: callbox check -c callbox.yaml`
}

// Run checks both files, flows and prompts.
func (c *checkCmd) Run(s *session) error {
	data := config.Default().Data
	if box, err := config.Load(c.Config); err == nil {
		data = box.Data
	}
	if err := config.Check(c.Config, app.CheckPrompts(data)); err != nil {
		return err
	}
	if control.Running(data) {
		fmt.Fprintln(s.out, c.Config+": good; a daemon runs, so the voice boxes' ports were not tried")
		return nil
	}
	troubles, missing := app.PortTroubles(c.Config)
	if len(missing) > 0 {
		fmt.Fprintln(s.err, missing)
	}
	if len(troubles) > 0 {
		return troubles
	}
	fmt.Fprintln(s.out, c.Config+": good")
	return nil
}
