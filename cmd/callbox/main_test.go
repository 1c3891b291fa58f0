package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbox/cmd/internal/app"
	"callbox/cmd/internal/config"
	"callbox/sms"
	"callbox/storage"
)

func call(in string, args ...string) (code int, out, errs string) {
	var stdout, stderr bytes.Buffer
	code = run(args, console{strings.NewReader(in), &stdout, &stderr})
	return code, stdout.String(), stderr.String()
}

func TestHelpEverywhereWithAnExample(t *testing.T) {
	for _, cmd := range []string{
		"", "serve", "demo", "check", "apply", "export", "user", "user add", "key", "key add", "version",
		"sim", "sim smsc", "sim caller", "sim box", "sim line", "import", "backup", "verify", "detect", "generate",
		"generate dtmf", "generate callerid", "generate tone",
	} {
		code, out, errs := call("", append(strings.Fields(cmd), "--help")...)
		if code != 0 || !strings.Contains(out, "Example: callbox ") && !strings.Contains(out, "| callbox ") {
			t.Errorf("callbox %s --help = %d\n%s%s", cmd, code, out, errs)
		}
	}
}

func TestExitCodes(t *testing.T) {
	for _, tt := range []struct {
		args  string
		code  int
		words string
	}{
		{"version", 0, ""},
		{"nonsense", exitUsage, "nonsense"},
		{"", exitUsage, "callbox"},
		{"key add n --scope nope", exitUsage, "nope"},
		{"key add n --scope sms --per-day=-1", exitUsage, "below 0"},
		{"user add a/b --role agent", exitUsage, "a/b"},
		{"check -c nothing.yaml", exitFailed, "nothing.yaml"},
		{"backup -c callbox.yaml x", exitFailed, "callbox backup: not yet supported"},
		{"sim line --connect x", exitFailed, "callbox sim line: analogue side"},
	} {
		code, _, errs := call("secret\n", strings.Fields(tt.args)...)
		if code != tt.code || !strings.Contains(errs, tt.words) {
			t.Errorf("callbox %s = %d %q, want %d with %q", tt.args, code, errs, tt.code, tt.words)
		}
	}
}

func TestKeyAddTakesLimits(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "callbox.yaml")
	if err := os.WriteFile(file, []byte("data: ./data\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, out, errs := call("", "key", "add", "erp", "-c", file, "--scope", "sms", "--confirm-over", "100", "--per-second", "5", "--per-day", "1000")
	if code != 0 {
		t.Fatalf("key add = %d %s", code, errs)
	}
	box, err := config.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	cfg, err := app.StorageConfig(box, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	err = storage.With(t.Context(), cfg, func(db *storage.DB) error {
		key, err := db.KeyOf(t.Context(), strings.Fields(out)[0])
		if want := (sms.Limits{ConfirmOver: 100, PerSecond: 5, PerDay: 1000}); key.Limits != want {
			t.Errorf("limits %+v, want %+v", key.Limits, want)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}
