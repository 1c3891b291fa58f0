package control_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"callbox/cmd/internal/control"
)

type admin struct{ applied string }

func (a *admin) Apply(_ context.Context, s control.Site) error {
	if len(s.Text) == 0 {
		return errors.New("site.yaml:1:1: empty")
	}
	a.applied = string(s.Text)
	return nil
}
func (a *admin) Export(context.Context) ([]byte, error)      { return []byte(a.applied), nil }
func (a *admin) AddUser(context.Context, control.User) error { return nil }
func (a *admin) AddKey(_ context.Context, k control.Key) (control.Key, error) {
	k.Secret = "secret-of-" + k.Name
	return k, nil
}

func TestOrdersOverTheSocket(t *testing.T) {
	dir := t.TempDir()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- control.Serve(ctx, dir, &admin{}, slog.New(slog.DiscardHandler)) }()
	path := filepath.Join(dir, control.SocketName)
	for end := time.Now().Add(5 * time.Second); ; time.Sleep(time.Millisecond) {
		if _, err := os.Stat(path); err == nil || time.Now().After(end) {
			break
		}
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Fatalf("socket: %v %v, want mode 0600", info, err)
	}
	client := control.Dial(dir)
	if err := client.Apply(ctx, control.Site{Text: []byte("agents: []")}); err != nil {
		t.Errorf("Apply = %v", err)
	}
	if err := client.Apply(ctx, control.Site{}); err == nil || err.Error() != "site.yaml:1:1: empty" {
		t.Errorf("Apply of nothing = %v, want the daemon's words", err)
	}
	if got, err := client.Export(ctx); err != nil || string(got) != "agents: []" {
		t.Errorf("Export = %q, %v", got, err)
	}
	if key, err := client.AddKey(ctx, control.Key{Name: "erp"}); err != nil || key.Secret != "secret-of-erp" {
		t.Errorf("AddKey = %+v, %v", key, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Errorf("Serve = %v", err)
	}
}
