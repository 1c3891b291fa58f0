package storage_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbox/cti"
	"callbox/storage"
	"callbox/storage/storagetest"
)

func TestOlderFileIsMigrated(t *testing.T) {
	dir := t.TempDir()
	storagetest.Old(t, dir)
	d := storagetest.OpenAt(t, storagetest.Config(t, dir))
	c, err := d.Call(t.Context(), "old-call")
	if err != nil || c.Agent.Name != "王芳" {
		t.Errorf("Call = %+v, %v", c, err)
	}
	if _, ok, err := d.Find(t.Context(), cti.Number{Raw: "13800138000"}); !ok || err != nil {
		t.Errorf("the customer is gone: %v", err)
	}
	if d.Journal().Last() != 42e9 {
		t.Errorf("the journal goes on at %d, want the 42nd range", d.Journal().Last())
	}
	if n := count(t, d, "SELECT count(*) FROM pragma_foreign_key_check"); n != 0 {
		t.Errorf("%d broken references", n)
	}
	left, err := filepath.Glob(filepath.Join(dir, "backups", "schema1-*.db"))
	if err != nil || len(left) != 1 {
		t.Fatalf("backups = %v, %v; want one of schema 1", left, err)
	}
	raw, err := os.ReadFile(left[0])
	good(t, err)
	again := t.TempDir()
	good(t, os.WriteFile(filepath.Join(again, storage.FileName), raw, 0o600))
	if _, err := storagetest.OpenAt(t, storagetest.Config(t, again)).Call(t.Context(), "old-call"); err != nil {
		t.Errorf("the backup: %v", err)
	}
}

// TestMigratedEqualsFresh compares the tables, whichever way they came about.
func TestMigratedEqualsFresh(t *testing.T) {
	dir := t.TempDir()
	storagetest.Old(t, dir)
	old, fresh := storagetest.OpenAt(t, storagetest.Config(t, dir)), storagetest.Open(t)
	if was, want := schema(t, old), schema(t, fresh); was != want {
		t.Errorf("migrated:\n%s\nfresh:\n%s", was, want)
	}
}

func schema(t *testing.T, d *storage.DB) string {
	t.Helper()
	var all string
	const q = `SELECT group_concat(sql, char(10)) FROM
		(SELECT sql FROM sqlite_schema WHERE sql IS NOT NULL AND tbl_name NOT LIKE 'goose%' ORDER BY name)`
	good(t, d.Reader().QueryRow(q).Scan(&all))
	return strings.Join(strings.Fields(all), " ")
}
