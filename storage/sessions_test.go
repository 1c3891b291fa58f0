package storage_test

import (
	"testing"
	"time"

	"callbox/storage/storagetest"
)

func TestSessionSurvivesReopen(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	d, stop := storagetest.Start(t, cfg)
	if err := d.Sessions().CommitCtx(t.Context(), "token", []byte("data"), time.Now().Add(time.Hour)); err != nil {
		t.Fatal(err)
	}
	if n := count(t, d, "SELECT count(*) FROM sessions WHERE instr(token, ?)", []byte("token")); n != 0 {
		t.Error("the token lies in clear")
	}
	stop()
	s := storagetest.OpenAt(t, cfg).Sessions()
	if data, found, err := s.FindCtx(t.Context(), "token"); err != nil || !found || string(data) != "data" {
		t.Errorf("after reopening: %q, %v, %v", data, found, err)
	}
	if _, found, err := s.FindCtx(t.Context(), "other"); found || err != nil {
		t.Errorf("unknown token: %v, %v", found, err)
	}
	if err := s.DeleteCtx(t.Context(), "token"); err != nil {
		t.Fatal(err)
	}
	if _, found, err := s.FindCtx(t.Context(), "token"); found || err != nil {
		t.Errorf("deleted: %v, %v", found, err)
	}
}
