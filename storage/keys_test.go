package storage_test

import (
	"errors"
	"log/slog"
	"strings"
	"testing"

	"callbox/internal/seal"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

func TestKeyNeedsItsSecretKey(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	d, stop := storagetest.Start(t, cfg)
	defer stop()
	made, _, err := d.AddKey(t.Context(), "twilio", nil, sms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	other := make([]byte, seal.KeySize)
	other[0] = 1
	if cfg.Secret, err = seal.New(other); err != nil {
		t.Fatal(err)
	}
	var log strings.Builder
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	d = storagetest.OpenAt(t, cfg)
	if _, err := d.KeySecret(t.Context(), made.ID); !errors.Is(err, seal.ErrBroken) {
		t.Errorf("under another secret key: %v", err)
	}
	if !strings.Contains(log.String(), "unsigned") {
		t.Errorf("nobody is told: %s", log.String())
	}
	told(t, d, storage.Notice{Event: storage.NoticeSMSStatus, OrderKey: "j", CallbackURL: "http://a.test/x", Signer: made.ID})
	if list := due(t, d, "http://a.test"); len(list) != 1 || list[0].Secret != nil {
		t.Errorf("due %+v, want the notice, unsigned", list)
	}
}

func TestRevokedKeyIsUnknown(t *testing.T) {
	d := storagetest.Open(t)
	_, text, err := d.AddKey(t.Context(), "old", nil, sms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	if err := d.RemoveKey(t.Context(), "old"); err != nil {
		t.Fatal(err)
	}
	if _, err := d.KeyOf(t.Context(), text); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("KeyOf = %v", err)
	}
	if err := d.RemoveKey(t.Context(), "old"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
}
