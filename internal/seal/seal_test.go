package seal_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"callbox/internal/seal"
)

func TestSealOpens(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "secret.key")
	first, err := seal.LoadOrMake(path)
	if err != nil {
		t.Fatal(err)
	}
	again, err := seal.LoadOrMake(path)
	if err != nil {
		t.Fatal(err)
	}
	sealed := first.Seal([]byte("geheim"), "api_keys/1")
	if bytes.Contains(sealed, []byte("geheim")) {
		t.Error("the sealed text shows the plain one")
	}
	plain, err := again.Open(sealed, "api_keys/1")
	if err != nil || string(plain) != "geheim" {
		t.Errorf("Open = %q, %v", plain, err)
	}
	for name, broken := range map[string][]byte{
		"empty": nil, "short": sealed[:5], "cut": sealed[:len(sealed)-1],
		"changed": append(bytes.Clone(sealed[:len(sealed)-1]), sealed[len(sealed)-1]^1),
	} {
		if _, err := again.Open(broken, "api_keys/1"); !errors.Is(err, seal.ErrBroken) {
			t.Errorf("%s: Open = %v, want ErrBroken", name, err)
		}
	}
	if _, err := again.Open(sealed, "api_keys/2"); !errors.Is(err, seal.ErrBroken) {
		t.Errorf("other context: Open = %v, want ErrBroken", err)
	}
}

func TestLoadRefuses(t *testing.T) {
	dir := t.TempDir()
	open := filepath.Join(dir, "open")
	short := filepath.Join(dir, "short")
	for path, mode := range map[string]os.FileMode{open: 0o644, short: 0o600} {
		if err := os.WriteFile(path, make([]byte, 31), mode); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{open, short, filepath.Join(dir, "none")} {
		if _, err := seal.Load(path); err == nil {
			t.Errorf("Load(%s) took it", path)
		}
	}
}
