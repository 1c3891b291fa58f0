package main

import (
	"strings"
	"testing"
	"time"
)

func TestSpread(t *testing.T) {
	var list []time.Duration
	for i := range 200 {
		list = append(list, time.Duration(200-i)*time.Millisecond)
	}
	if got := spread(list, 0.5, 0.99); got != "p50 101.0 ms, p99 199.0 ms, worst 200.0 ms (200)" {
		t.Error(got)
	}
	if got := spread(nil, 0.5, 0.99); got != "nothing measured" {
		t.Error(got)
	}
}

func TestTable(t *testing.T) {
	var out strings.Builder
	printTable(&out, []row{{"CPU", "4.0 µs", "<= 5 µs"}})
	want := "| what | measured | to reach |\n| ---- | -------- | -------- |\n| CPU  | 4.0 µs   | <= 5 µs  |\n"
	if out.String() != want {
		t.Errorf("%s", out.String())
	}
}

func TestCommandLine(t *testing.T) {
	var out, errs strings.Builder
	if code := run(t.Context(), []string{"-calls", "many"}, &out, &errs); code != 2 {
		t.Errorf("exit code %d for a wrong flag", code)
	}
	if code := run(t.Context(), []string{"-h"}, &out, &errs); code != 0 {
		t.Errorf("exit code %d for help", code)
	}
	if code := run(t.Context(), []string{"-callbox", "/nowhere/callbox", "-only", "submit"}, &out, &errs); code != 1 || !strings.Contains(errs.String(), "/nowhere/callbox") {
		t.Errorf("exit code %d without a program: %s", code, errs.String())
	}
}
