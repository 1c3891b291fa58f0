package storagetest

import (
	"database/sql"
	_ "embed"
	"path/filepath"
	"testing"

	"callbox/storage"
)

// schema1 is a database as the first program left it: no tables for texts, one
// agent (1001), one call (old-call), one customer (c1).
//
//go:embed schema1.sql
var schema1 string

// Old puts the database of an older program into dir.
func Old(t testing.TB, dir string) {
	t.Helper()
	pool, err := sql.Open("sqlite3", filepath.Join(dir, storage.FileName)+"?_journal_mode=WAL")
	if err != nil {
		t.Fatal(err)
	}
	defer pool.Close()
	if _, err := pool.Exec(schema1); err != nil {
		t.Fatalf("old database: %v", err)
	}
}
