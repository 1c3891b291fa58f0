package storage_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/alexedwards/scs/v2"

	"callbox/acd"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

var (
	_ scs.CtxStore = (*storage.Sessions)(nil)
	_ scs.Store    = (*storage.Sessions)(nil)
)

func TestKeys(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	d, stop := storagetest.Start(t, cfg)
	ctx := t.Context()
	key, text, err := d.AddKey(ctx, "erp", []string{"sms", "calls"}, sms.Limits{ConfirmOver: 50, PerSecond: 5, PerDay: 1000})
	good(t, err)
	if !regexp.MustCompile(`^[0-9A-Za-z]{32,}$`).MatchString(text) || !regexp.MustCompile(`^AC[0-9a-f]{32}$`).MatchString(key.AccountSID) {
		t.Errorf("key %q, account %q", text, key.AccountSID)
	}
	if _, _, err := d.AddKey(ctx, "erp", nil, sms.Limits{}); !errors.Is(err, storage.ErrConflict) {
		t.Errorf("the same name again: %v", err)
	}
	found, err := d.KeyOf(ctx, text)
	if err != nil || found.Name != "erp" || found.Limits != (sms.Limits{ConfirmOver: 50, PerSecond: 5, PerDay: 1000}) || len(found.Scopes) != 2 {
		t.Errorf("KeyOf = %+v, %v", found, err)
	}
	if _, err := d.KeyOf(ctx, text+"x"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("KeyOf another = %v", err)
	}
	if secret, err := d.KeySecret(ctx, key.ID); err != nil || secret != text {
		t.Errorf("KeySecret = %q, %v", secret, err)
	}
	stop()
	raw, err := os.ReadFile(d.Path())
	good(t, err)
	if bytes.Contains(raw, []byte(text)) {
		t.Error("the key stands in the file in clear")
	}
}

func TestSessions(t *testing.T) {
	d := storagetest.Open(t)
	s := d.Sessions()
	good(t, s.Commit("token", []byte("data"), time.Now().Add(time.Minute)))
	good(t, s.Commit("old", []byte("data"), time.Now().Add(-time.Second)))
	if data, ok, err := s.Find("token"); string(data) != "data" || !ok || err != nil {
		t.Errorf("Find = %q, %v, %v", data, ok, err)
	}
	for _, token := range []string{"old", "none"} {
		if _, ok, err := s.Find(token); ok || err != nil {
			t.Errorf("Find(%s) = %v, %v", token, ok, err)
		}
	}
	good(t, d.SweepOnce(t.Context(), time.Now()))
	good(t, s.Delete("token"))
	if n := count(t, d, "SELECT count(*) FROM sessions"); n != 0 {
		t.Errorf("%d sessions left", n)
	}
}

func TestAuditChain(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	for _, what := range []string{"login", "recording.listen", "export"} {
		good(t, d.Audit(ctx, storage.AuditEntry{Who: "1001", What: what, Object: "x", Origin: "127.0.0.1"}))
	}
	good(t, d.VerifyAudit(ctx))
	list, next, err := d.AuditLog(ctx, storage.Page{Limit: 2})
	if err != nil || len(list) != 2 || list[0].What != "export" || next == "" {
		t.Errorf("AuditLog = %+v, %q, %v", list, next, err)
	}
	good(t, d.Write(ctx, "tamper", statement("UPDATE audit SET who = '1002' WHERE seq = 2")))
	if err := d.VerifyAudit(ctx); err == nil || !strings.Contains(err.Error(), "entry 2") {
		t.Errorf("VerifyAudit = %v, want entry 2 named", err)
	}
	good(t, d.Write(ctx, "tamper", statement("DELETE FROM audit WHERE seq = 2")))
	if err := d.VerifyAudit(ctx); err == nil || !strings.Contains(err.Error(), "entry 2") {
		t.Errorf("VerifyAudit = %v, want entry 2 named", err)
	}
}

func TestPhonesAndDesksSurvive(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	d, stop := storagetest.Start(t, cfg)
	soon := time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)
	b := storage.Binding{User: "1001", Contact: "sip:1001@127.0.0.1:5070", Source: "127.0.0.1:5070", Transport: "udp", Expires: soon, CallID: "x", CSeq: 7, UserAgent: "baresip"}
	d.SaveBinding(b)
	d.SaveBinding(storage.Binding{User: "1001", Contact: "old", Expires: time.Now().Add(-time.Minute)})
	d.SaveBinding(storage.Binding{User: "1002", Contact: "gone", Expires: soon})
	d.RemoveBinding("1002", "gone")
	d.SaveDialog("a", json.RawMessage(`{"id":"a"}`))
	d.SaveDialog("b", json.RawMessage(`{"id":"b"}`))
	d.RemoveDialog("b")
	row := acd.DeskRow{Agent: "1001", State: acd.NotReady, Reason: "lunch", Since: soon}
	d.SaveDesk(acd.DeskRow{Agent: "1001", State: acd.Ready})
	d.SaveDesk(row)
	stop()

	d = storagetest.OpenAt(t, cfg)
	bindings, err := d.Bindings(t.Context())
	if err != nil || len(bindings) != 1 || bindings[0] != b {
		t.Errorf("Bindings = %+v, %v", bindings, err)
	}
	dialogs, err := d.Dialogs(t.Context())
	if err != nil || len(dialogs) != 1 || string(dialogs[0]) != `{"id":"a"}` {
		t.Errorf("Dialogs = %s, %v", dialogs, err)
	}
	desks, err := d.LoadDesks(t.Context())
	if err != nil || len(desks) != 1 || desks[0] != row {
		t.Errorf("LoadDesks = %+v, %v", desks, err)
	}
}

func TestRecordings(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	for i, state := range []string{"recording", "complete", "partial"} {
		good(t, d.PutRecording(ctx, storage.RecordingRow{ID: string(rune('a' + i)), Started: morning.Add(time.Duration(i) * time.Second), State: state}))
	}
	open, err := d.OpenRecordings(ctx)
	if err != nil || len(open) != 1 || open[0].ID != "a" {
		t.Errorf("OpenRecordings = %+v, %v", open, err)
	}
	open[0].State, open[0].Seconds = "partial", 12.5
	d.PutRecordingLater(open[0])
	settled(t, d)
	page, next, err := d.Recordings(ctx, storage.RecordingFilter{State: "partial", Page: storage.Page{Limit: 1}})
	if err != nil || len(page) != 1 || page[0].ID != "c" || next == "" {
		t.Errorf("Recordings = %+v, %q, %v", page, next, err)
	}
	page, next, err = d.Recordings(ctx, storage.RecordingFilter{State: "partial", Page: storage.Page{Limit: 1, Cursor: next}})
	if err != nil || len(page) != 1 || page[0].Seconds != 12.5 || next != "" {
		t.Errorf("Recordings = %+v, %q, %v", page, next, err)
	}
}
