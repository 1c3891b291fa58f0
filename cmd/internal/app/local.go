package app

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"path/filepath"
	"slices"

	"callbox/cmd/internal/config"
	"callbox/cmd/internal/control"
	"callbox/sms"
	"callbox/storage"
)

// local does commands' orders on an opened database.
type local struct {
	store *storage.DB
	box   *config.Box
}

var _ control.Admin = local{}

// Local does commands' orders without a running daemon.
func Local(db *storage.DB, box *config.Box) control.Admin { return local{db, box} }

// Apply checks a site file and stores it, all or nothing.
func (l local) Apply(ctx context.Context, file control.Site) error {
	read, err := config.LoadSite(file.File, file.Text, CheckPrompts(l.box.Data))
	if err != nil {
		return err
	}
	hash := ""
	if file.File == l.box.Site {
		hash = hashOf(file.Text)
	}
	if dir := filepath.Dir(file.File); !slices.Contains(PromptFolders(l.box), dir) {
		read.Anchor(dir)
	}
	stored, err := read.Stored(hash)
	if err != nil {
		return err
	}
	return l.store.ApplySite(ctx, stored)
}

func hashOf(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}

// Export dumps the site as YAML.
func (l local) Export(ctx context.Context) ([]byte, error) {
	stored, err := l.store.ExportSite(ctx)
	if err != nil {
		return nil, err
	}
	return config.Export(stored)
}

// AddUser adds a log-in.
func (l local) AddUser(ctx context.Context, u control.User) error {
	return l.store.AddUser(ctx, storage.Agent{ID: u.Name, Name: u.Name, Role: u.Role, Password: u.Password})
}

// AddKey makes an API key.
func (l local) AddKey(ctx context.Context, k control.Key) (control.Key, error) {
	made, text, err := l.store.AddKey(ctx, k.Name, k.Scopes, sms.Limits{ConfirmOver: k.ConfirmOver, PerSecond: k.PerSecond, PerDay: k.PerDay})
	return control.Key{Name: made.Name, Scopes: made.Scopes, Secret: text, SID: made.AccountSID}, err
}
