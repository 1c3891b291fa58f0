package storage

import (
	"io/fs"
	"strings"
	"testing"

	"callbox/storage/migrations"
)

// For tests from outside: queries whose plans they look at.
const (
	AgentQuery      = agentQuery
	CallEventsQuery = callEventsQuery
)

// ShelfQuery is the query of a search.
func (d *DB) ShelfQuery(t *testing.T, f ShelfFilter) (string, []any) {
	t.Helper()
	query, args, err := d.shelfQuery(f)
	if err != nil {
		t.Fatal(err)
	}
	return query, args
}

// Backfill is the migration's statement that makes tallies of older calls.
func Backfill(t *testing.T) string {
	t.Helper()
	raw, err := fs.ReadFile(migrations.Files, "0008_recordings.sql")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, ok := strings.Cut(string(raw), "INSERT INTO tallies")
	body, _, end := strings.Cut(rest, ";")
	if !ok || !end {
		t.Fatal("the migration fills no tallies")
	}
	return "INSERT INTO tallies" + body
}
