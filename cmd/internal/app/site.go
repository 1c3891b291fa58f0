package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"sync"

	"callbox/acd"
	"callbox/api"
	"callbox/cmd/internal/config"
	"callbox/cmd/internal/control"
	"callbox/internal/outbound"
	"callbox/ivr"
	"callbox/ivr/speech"
	"callbox/storage"
	"callbox/web"
)

// site is what a supervisor edits, on its way from files, commands and the API
// into the database and from there to the parts that run by it.
type site struct {
	*app
	local
	hours calendars
	mu    sync.Mutex // one change at a time
}

var (
	_ control.Admin = (*site)(nil)
	_ api.Editor    = (*site)(nil)
)

// PromptFolders are where a flow's sounds are looked for, in order.
func PromptFolders(box *config.Box) []string {
	folders := []string{filepath.Join(box.Data, "prompts")}
	if box.Site != "" {
		folders = append([]string{filepath.Dir(box.Site)}, folders...)
	}
	return folders
}

// CheckPrompts says whether sounds can be played, for config's checks: dir is
// the folder of the site file that names them.
func CheckPrompts(data string) config.Prompts {
	return func(dir, name string) error {
		library, err := speech.New(speech.Config{Dirs: []string{dir, filepath.Join(data, "prompts")}, Outside: true})
		if err != nil {
			return err
		}
		_, err = library.Load(context.Background(), name)
		return err
	}
}

// applyFile loads the site file unless it is the one that was loaded last.
func (s *site) applyFile(ctx context.Context) error {
	if s.Box.Site == "" {
		return nil
	}
	text, err := os.ReadFile(s.Box.Site)
	if err != nil {
		return fmt.Errorf("site: %w", err)
	}
	last, err := s.db.SiteHash(ctx)
	if err != nil || last == hashOf(text) {
		return err
	}
	return s.local.Apply(ctx, control.Site{File: s.Box.Site, Text: text})
}

// Apply loads a site file into the running daemon.
func (s *site) Apply(ctx context.Context, file control.Site) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.local.Apply(ctx, file); err != nil {
		return err
	}
	return s.refresh(ctx)
}

// refresh lets the floor and the routes follow the database.
func (s *site) refresh(ctx context.Context) error {
	agents, queues, err := s.desks(ctx)
	if err != nil {
		return err
	}
	s.tellAllMail(ctx)
	return errors.Join(s.floor.Configure(agents, queues), s.route(ctx))
}

// links lets pops lead where the desk's settings say.
func (s *site) links(ctx context.Context) error {
	desk, err := s.db.DeskSettings(ctx)
	if err == nil {
		s.calls.SetPopLink(desk.Pop.URL)
	}
	return err
}

// frames are the origins that may show the desk in a frame, and the one that it
// shows itself.
func (a *app) frames() web.Frames {
	desk, err := a.db.DeskSettings(context.Background()) // for each page, not for what it loads
	if err != nil {
		a.Log.Warn("which frames the desk has is not known", "err", err)
	}
	f := web.Frames{Around: desk.EmbedOrigins}
	if u, err := url.Parse(desk.Pop.URL); err == nil && desk.Pop.Open == storage.OpenFrame && u.Host != "" {
		f.Within = []string{u.Scheme + "://" + u.Host}
	}
	return f
}

// desks are the floor's agents and queues.
func (s *site) desks(ctx context.Context) ([]acd.Agent, []acd.Queue, error) {
	stored, err := s.db.Staff(ctx)
	if err != nil {
		return nil, nil, err
	}
	agents := make([]acd.Agent, len(stored))
	for i, a := range stored {
		agents[i] = a.Floor()
	}
	rows, err := s.db.Queues(ctx)
	queues := make([]acd.Queue, len(rows))
	for i, q := range rows {
		queues[i] = q.Floor()
	}
	return agents, queues, err
}

// route builds the table of numbers anew, and tells calls where pops lead.
func (s *site) route(ctx context.Context) error {
	if err := s.hours.load(ctx, s.db, s.Box.Location()); err != nil {
		return err
	}
	table, err := newRoutes(ctx, s.db, s.Box.AreaCode, s.floor, ivr.Deps{
		Prompts: prompts{s.prompts}, Queues: s.floor, Fetcher: fetcher{outbound.Client(s.Box.Outbound.Allow, false)},
		Calendars: &s.hours,
	})
	if err != nil {
		return err
	}
	s.calls.SetRouter(table)
	return s.links(ctx)
}

// PutDocuments stores objects of a kind, all or none, and lets the parts follow.
func (s *site) PutDocuments(ctx context.Context, kind string, docs []json.RawMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	playable := func(name string) error {
		_, err := s.prompts.Load(ctx, name)
		return err
	}
	if err := config.CheckDocuments(kind, docs, playable); err != nil {
		return faultsOf(err)
	}
	if kind == "calendars" {
		docs = whole(docs)
	}
	if err := s.db.PutDocuments(ctx, kind, docs); err != nil {
		return err
	}
	return s.refresh(ctx)
}

// faultsOf shows the checker's faults as the API does.
func faultsOf(err error) error {
	var faults config.Faults
	if !errors.As(err, &faults) {
		return err
	}
	out := make(api.Faults, len(faults))
	for i, f := range faults {
		out[i] = api.Fault{Field: f.Key, Message: f.Text}
	}
	return out
}

// DeleteDocument removes one object and lets the parts follow.
func (s *site) DeleteDocument(ctx context.Context, kind, id string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.db.DeleteDocument(ctx, kind, id); err != nil {
		return err
	}
	return s.refresh(ctx)
}
