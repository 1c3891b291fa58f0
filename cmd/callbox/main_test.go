package main

import (
	"bytes"
	"strings"
	"testing"
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
