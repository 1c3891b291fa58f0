package flow

import (
	"net/url"
	"testing"
)

func TestFill(t *testing.T) {
	vars := map[string]any{
		"ticket": "12/3 号",
		"reply":  map[string]any{"status": "done", "n": 7},
	}
	for text, want := range map[string]string{
		"":                           "",
		"https://t.example/":         "https://t.example/",
		"https://t.example/{ticket}": "https://t.example/12%2F3%20%E5%8F%B7",
		"{reply.status}-{reply.n}":   "done-7",
		"{no}{reply.no.no}{}":        "",
		"open {ticket":               "open {ticket",
		"} {reply.status}":           "} done",
	} {
		if got := Fill(text, vars, url.PathEscape); got != want {
			t.Errorf("Fill(%q) = %q, want %q", text, got, want)
		}
	}
}
