package storage_test

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/pressly/goose/v3"

	"callbox/cti"
	"callbox/internal/segment"
	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/migrations"
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

// TestPartsAreMigrated: a long text of which one part came before the program
// was renewed is whole.
func TestPartsAreMigrated(t *testing.T) {
	dir := t.TempDir()
	pool, err := sql.Open("sqlite3", filepath.Join(dir, storage.FileName)+"?_journal_mode=WAL")
	good(t, err)
	old, err := goose.NewProvider(goose.DialectSQLite3, pool, migrations.Files)
	good(t, err)
	_, err = old.UpTo(t.Context(), 2)
	good(t, err)
	_, err = pool.Exec(`INSERT INTO sms_fragments (account, sender, dest, ref, total, idx, id, text, time)
		VALUES ('cmcc', '138', '106', 7, 2, 1, 'x', '已', 1)`)
	good(t, errors.Join(err, pool.Close()))

	part := sms.Text{Account: "cmcc", From: "138", To: "106", Part: sms.Part{Ref: 7, Total: 2, Index: 2}, Alphabet: segment.GBK, Octets: "\xb5\xbd"}
	want := []sms.Text{
		{Account: "cmcc", ID: "x", From: "138", To: "106", Part: sms.Part{Ref: 7, Total: 2, Index: 1}, Text: "已"},
		part,
	}
	d := storagetest.OpenAt(t, storagetest.Config(t, dir))
	good(t, d.SMS().Update(t.Context(), "part", func(tx sms.Tx) error {
		got, err := tx.AddPart(part, stamp.At(time.Now()), stamp.Time{})
		if !slices.Equal(got, want) {
			t.Errorf("parts = %+v, want %+v", got, want)
		}
		return err
	}))
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
