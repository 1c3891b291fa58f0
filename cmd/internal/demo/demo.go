// Package demo runs callbox with everything around it simulated: a carrier's
// trunk and an analogue line on a voice box, whose callers dial in, press keys,
// talk and hang up, agents' phones, an SMS centre whose engineers answer, and a
// very small work-order program that speaks only the public API.
//
// [Run] owns all goroutines and leaves nothing behind. It reaches into the
// daemon nowhere: files, SIP, CMPP, HTTP and WebSocket are its only ways in.
package demo

import (
	"bytes"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"callbox/cmd/internal/app"
	"callbox/cmd/internal/config"
	"callbox/cmd/internal/control"
	"callbox/cti/ctitest"
	"callbox/internal/guard"
	"callbox/storage"
)

// Options is what a demo gets.
type Options struct {
	Listen  string // where the page is served
	Data    string // kept when given; else a folder that is removed at the end
	Version string
	Out     io.Writer
	Log     *slog.Logger
}

const (
	hotline    = "4001234567"
	shop       = "057188880001" // the analogue line's number
	accessCode = "10690000"
	hookSecret = "demo-hook"
	smsSecret  = "demo-sms"
	spID       = "901234"
	password   = "demo"
	supervisor = "boss"
)

// agents have simulated phones; the second one also a simulated person.
var agents = []string{"1001", "1002"}

// demo is a running one.
type demo struct {
	Options
	tickets *tickets
	centre  *engineersCentre
	carrier *ctitest.Phone
	key     string
}

// Run builds the world, starts the daemon in it and lets life go on until ctx
// ends.
func Run(ctx context.Context, o Options) error {
	d := &demo{Options: o}
	if o.Data == "" {
		dir, err := os.MkdirTemp("", "callbox-demo-")
		if err != nil {
			return fmt.Errorf("demo: %w", err)
		}
		defer os.RemoveAll(dir)
		d.Data = dir
	}
	if err := os.MkdirAll(d.Data, 0o700); err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	// The world outlives the daemon, which drains in it.
	work, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	world := guard.Group{Log: o.Log}
	defer world.Wait()
	defer cancel()
	box, err := d.build(work, &world)
	if err != nil {
		return fmt.Errorf("demo: %w", err)
	}
	return app.Run(ctx, app.Options{
		Box: box, Version: o.Version, Log: o.Log,
		Ready: func(r app.Ready) { world.Go("life of the demo", func() { d.live(ctx, work, r) }) },
	})
}

// build starts what the daemon needs to find, and writes its files.
func (d *demo) build(ctx context.Context, world *guard.Group) (*config.Box, error) {
	page, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d.tickets = &tickets{log: d.Log, secret: hookSecret, page: "http://" + page.Addr().String(), people: people()}
	world.Go("work-order program", func() {
		server := &http.Server{Handler: d.tickets.handler(), ReadHeaderTimeout: 5 * time.Second}
		d.report("work-order program", guard.Serve(ctx, server, page, time.Second, d.Log))
	})
	sms, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	d.centre = newCentre(d.Log)
	world.Go("sms centre", func() { d.report("sms centre", d.centre.Serve(ctx, sms)) })
	if d.carrier, err = ctitest.NewPhone(ctitest.PhoneConfig{User: hotline, Log: d.Log}); err != nil {
		return nil, err
	}
	world.Go("carrier", func() { d.report("carrier", d.carrier.Run(ctx)) })
	if err := d.plugIn(ctx, world); err != nil {
		return nil, err
	}
	if err := d.write(map[string]string{
		"Data": d.Data, "Listen": d.Listen, "Trunk": d.carrier.Addr().String(), "SMS": sms.Addr().String(),
		"Tickets": d.tickets.page, "Secret": hookSecret, "SMSSecret": smsSecret, "SPID": spID, "Access": accessCode,
		"Password": password, "Supervisor": supervisor, "Hotline": hotline, "Shop": shop, "Line": lineFolder + "/line1",
	}); err != nil {
		return nil, err
	}
	if err := record(ctx, filepath.Join(d.Data, "prompts"), d.Log); err != nil {
		return nil, err
	}
	box, err := config.Load(filepath.Join(d.Data, "callbox.yaml"))
	if err != nil {
		return nil, err
	}
	return box, d.makeKey(ctx, box)
}

// report logs how a part of the world ended, unless it was told to.
func (d *demo) report(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) {
		d.Log.Warn("a part of the demo ended", "part", what, "err", err)
	}
}

//go:embed callbox.yaml.tmpl
var boxFile string

//go:embed site.yaml.tmpl
var siteFile string

// write makes callbox.yaml and site.yaml in the data folder, for all to read.
func (d *demo) write(values map[string]string) error {
	for name, text := range map[string]string{"callbox.yaml": boxFile, "site.yaml": siteFile} {
		t, err := template.New(name).Parse(text)
		if err != nil {
			return err
		}
		var filled bytes.Buffer
		if err := t.Execute(&filled, values); err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(d.Data, name), filled.Bytes(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// makeKey gives the work-order program its key, as `callbox key add` does.
func (d *demo) makeKey(ctx context.Context, box *config.Box) error {
	cfg, err := app.StorageConfig(box, d.Log)
	if err != nil {
		return err
	}
	return storage.With(ctx, cfg, func(db *storage.DB) error {
		name := "tickets " + time.Now().Format("20060102-150405")
		key, err := app.Local(db, box).AddKey(ctx, control.Key{Name: name, Scopes: []string{"sms", "calls"}})
		d.key = key.Secret
		return err
	})
}

// live is what happens once the daemon is ready: callers come until ctx ends,
// phones and agents stay as long as the world.
func (d *demo) live(ctx, world context.Context, r app.Ready) {
	d.tickets.connect(r.HTTP, d.key)
	d.greet(r)
	sip := udpAddress(r.SIP)
	life := guard.Group{Log: d.Log}
	for i, extension := range agents {
		life.Go("phone "+extension, func() { d.report("phone "+extension, desk(world, extension, sip, float64(150+60*i), d.Log)) })
	}
	life.Go("agent 1002", func() { d.report("agent 1002", sit(world, r.HTTP, agents[1])) })
	life.Go("callers", func() { d.callers(ctx, sip) })
	life.Go("callers on the telephone line", func() { d.analogue(ctx, world) })
	life.Wait()
}

func (d *demo) greet(r app.Ready) {
	fmt.Fprintf(d.Out, `
callbox demo

  the agents' page     %s        log in as 1001, password %s, and press 示闲 (Ready)
  the supervisor       the same page     log in as %s, password %s
  the administrator    the same page     log in as admin, password %s
  the ticket system    %s        work orders go round by text

  A caller dials in every few seconds, over the trunk or the analogue line. Agent 1002 is simulated and always there;
  1001 is yours: its phone answers by itself after four seconds.
  Files and recordings: %s          Ctrl-C ends it.

`, r.HTTP, password, supervisor, password, password, d.tickets.page, d.Data)
}
