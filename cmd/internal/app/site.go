package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"

	"callbox/acd"
	"callbox/api"
	"callbox/cmd/internal/config"
	"callbox/cmd/internal/control"
	"callbox/internal/outbound"
	"callbox/ivr"
	"callbox/ivr/speech"
	"callbox/storage"
)

// site is what a supervisor edits, on its way from files, commands and the API
// into the database and from there to the parts that run by it.
type site struct {
	*app
	mu sync.Mutex // one change at a time
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
	return applySite(ctx, s.db, s.Box, control.Site{File: s.Box.Site, Text: text})
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// applySite checks a site file and stores it, all or nothing.
func applySite(ctx context.Context, db *storage.DB, box *config.Box, file control.Site) error {
	read, err := config.LoadSite(file.File, file.Text, CheckPrompts(box.Data))
	if err != nil {
		return err
	}
	hash := ""
	if file.File == box.Site {
		hash = hashOf(file.Text)
	}
	if dir := filepath.Dir(file.File); !slices.Contains(PromptFolders(box), dir) {
		read.Anchor(dir)
	}
	stored, err := read.Stored(hash)
	if err != nil {
		return err
	}
	return db.ApplySite(ctx, stored)
}

// Apply loads a site file into the running daemon.
func (s *site) Apply(ctx context.Context, file control.Site) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := applySite(ctx, s.db, s.Box, file); err != nil {
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
	return errors.Join(s.floor.Configure(agents, queues), s.route(ctx))
}

// desks are the floor's agents (users with an extension) and queues.
func (s *site) desks(ctx context.Context) ([]acd.Agent, []acd.Queue, error) {
	stored, err := s.db.Agents(ctx)
	if err != nil {
		return nil, nil, err
	}
	var agents []acd.Agent
	for _, a := range stored {
		if a.Extension != "" {
			agents = append(agents, a.Floor())
		}
	}
	rows, err := s.db.Queues(ctx)
	queues := make([]acd.Queue, len(rows))
	for i, q := range rows {
		queues[i] = q.Floor()
	}
	return agents, queues, err
}

// route builds the table of numbers anew.
func (s *site) route(ctx context.Context) error {
	table, err := newRoutes(ctx, s.db, s.Box.AreaCode, ivr.Deps{
		Prompts: prompts{s.prompts}, Queues: s.floor, Fetcher: fetcher{outbound.Client(s.Box.Outbound.Allow, false)},
	})
	if err != nil {
		return err
	}
	s.calls.SetRouter(table)
	return nil
}

// Export dumps the site as YAML.
func (s *site) Export(ctx context.Context) ([]byte, error) { return export(ctx, s.db) }

func export(ctx context.Context, db *storage.DB) ([]byte, error) {
	stored, err := db.ExportSite(ctx)
	if err != nil {
		return nil, err
	}
	return config.Export(stored)
}

// AddUser adds a log-in.
func (s *site) AddUser(ctx context.Context, u control.User) error { return addUser(ctx, s.db, u) }

func addUser(ctx context.Context, db *storage.DB, u control.User) error {
	return db.AddUser(ctx, storage.Agent{ID: u.Name, Name: u.Name, Role: u.Role, Password: u.Password})
}

// AddKey makes an API key.
func (s *site) AddKey(ctx context.Context, k control.Key) (control.Key, error) {
	return addKey(ctx, s.db, k)
}

func addKey(ctx context.Context, db *storage.DB, k control.Key) (control.Key, error) {
	made, text, err := db.AddKey(ctx, k.Name, k.Scopes, 0)
	return control.Key{Name: made.Name, Scopes: made.Scopes, Secret: text, SID: made.AccountSID}, err
}

// local is the site without a running daemon.
type local struct {
	db  *storage.DB
	box *config.Box
}

// Local does commands' orders on the opened database.
func Local(db *storage.DB, box *config.Box) control.Admin { return local{db, box} }

func (l local) Apply(ctx context.Context, file control.Site) error {
	return applySite(ctx, l.db, l.box, file)
}
func (l local) Export(ctx context.Context) ([]byte, error)        { return export(ctx, l.db) }
func (l local) AddUser(ctx context.Context, u control.User) error { return addUser(ctx, l.db, u) }
func (l local) AddKey(ctx context.Context, k control.Key) (control.Key, error) {
	return addKey(ctx, l.db, k)
}

// PutDocuments stores objects of a kind, all or none, and lets the parts follow.
func (s *site) PutDocuments(ctx context.Context, kind string, docs []json.RawMessage) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := config.CheckDocuments(kind, docs); err != nil {
		return faultsOf(err)
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
