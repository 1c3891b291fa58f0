package storage_test

import (
	"encoding/json"
	"errors"
	"testing"
	"time"

	"github.com/google/uuid"

	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

func TestTheLastAdminStays(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	good(t, d.ApplySite(ctx, site()))
	set := func(id, role, password string) func() error {
		return func() error { return d.SetUser(ctx, storage.Agent{ID: id, Name: id, Role: role, Password: password}) }
	}
	good(t, set("root", storage.RoleAdmin, "secret-3")())
	good(t, d.PutDocuments(ctx, "agents", []json.RawMessage{json.RawMessage(`{"id":"boss","role":"admin"}`)}))
	good(t, set("root", storage.RoleAuditor, "")()) // boss is one, too
	for name, change := range map[string]func() error{
		"other role": set("boss", storage.RoleAgent, ""),
		"as an agent": func() error {
			return d.PutDocuments(ctx, "agents", []json.RawMessage{json.RawMessage(`{"id":"boss","role":"agent"}`)})
		},
		"removed":             func() error { return d.RemoveUser(ctx, "boss") },
		"removed as an agent": func() error { return d.DeleteDocument(ctx, "agents", "boss") },
	} {
		if err := change(); !errors.Is(err, storage.ErrLastAdmin) {
			t.Errorf("%s: %v", name, err)
		}
	}
	good(t, set("root", storage.RoleAdmin, "")())
	good(t, d.RemoveUser(ctx, "boss"))
	good(t, d.RemoveUser(ctx, "1001"))
	if err := d.RemoveUser(ctx, "1001"); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("removed twice: %v", err)
	}
	if root, err := d.User(ctx, "root"); err != nil || !storage.CheckPassword("secret-3", root.PasswordHash) {
		t.Errorf("root = %+v, %v", root, err)
	}
}

// What a user is beside his log-in stays when that changes.
func TestSetUserLeavesTheAgent(t *testing.T) {
	d := storagetest.Open(t)
	ctx := t.Context()
	good(t, d.ApplySite(ctx, site()))
	before, err := d.User(ctx, "1001")
	good(t, err)
	good(t, d.SetUser(ctx, storage.Agent{ID: "1001", Name: "王芳芳", Role: storage.RoleSupervisor, Password: "new-secret"}))
	after, err := d.User(ctx, "1001")
	good(t, err)
	if after.Name != "王芳芳" || after.Role != storage.RoleSupervisor || !storage.CheckPassword("new-secret", after.PasswordHash) {
		t.Errorf("after = %+v", after)
	}
	if after.Extension != before.Extension || *after.SIPHA1 != *before.SIPHA1 || len(after.Queues) != 1 || after.Skills["repair"] != 5 {
		t.Errorf("lost something: %+v", after)
	}
	left, err := d.ExportSite(ctx)
	good(t, err)
	if len(left.Agents) != 2 {
		t.Errorf("agents of the site = %+v", left.Agents)
	}
}

func TestRevokedKeyStopsAtOnce(t *testing.T) {
	d := storagetest.Open(t)
	k, text, err := d.AddKey(t.Context(), "old", nil, sms.Limits{})
	good(t, err)
	if _, err := d.KeyOf(t.Context(), text); err != nil { // which is remembered
		t.Fatal(err)
	}
	good(t, d.RevokeKey(t.Context(), k.ID))
	if _, err := d.KeyOf(t.Context(), text); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("KeyOf = %v", err)
	}
	if err := d.RevokeKey(t.Context(), k.ID); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("revoked twice: %v", err)
	}
}

func TestHooks(t *testing.T) {
	d := storagetest.Open(t)
	ctx, n := t.Context(), d.Notices()
	const other = "http://other.test/y"
	good(t, n.Replace([]storage.Endpoint{{URL: hookURL, Secret: "s", Events: []string{"call.*"}}, {URL: other, Events: []string{"call.*"}}}))
	for range 3 {
		told(t, d, storage.Notice{Event: storage.NoticeCallNew})
	}
	list := due(t, d, hookURL)
	good(t, n.Failed(ctx, list[0].ID, time.Now(), time.Now(), "answer 500"))
	good(t, n.Sent(ctx, list[0].ID))
	hooks, err := n.Hooks(ctx)
	good(t, err)
	h := hooks[0]
	if h.URL != hookURL || h.Pending != 2 || h.Dead != 0 || h.LastError != "answer 500" || h.LastFailed.IsZero() || h.LastOK.IsZero() {
		t.Errorf("after one was sent: %+v", h)
	}
	good(t, n.Dead(ctx, due(t, d, hookURL)[0].ID, "gone"))
	hooks, err = n.Hooks(ctx)
	good(t, err)
	if h := hooks[0]; h.Pending != 1 || h.Dead != 1 || h.LastError != "gone" {
		t.Errorf("after one was given up: %+v", h)
	}
	if o := hooks[1]; o.Pending != 3 || o.Dead != 0 || o.LastError != "" || !o.LastOK.IsZero() || o.ID() == h.ID() || len(o.ID()) != 12 {
		t.Errorf("the other: %+v", o)
	}
}

// After a restart the last error is that of what still lies there.
func TestHooksAfterARestart(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	d, stop := storagetest.Start(t, cfg)
	defer stop()
	hook(t, d)
	told(t, d, storage.Notice{Event: storage.NoticeCallNew})
	good(t, d.Notices().Failed(t.Context(), due(t, d, hookURL)[0].ID, time.Now(), time.Now(), "answer 500"))
	stop()
	d = storagetest.OpenAt(t, cfg)
	hook(t, d)
	hooks, err := d.Notices().Hooks(t.Context())
	good(t, err)
	if h := hooks[0]; h.Pending != 1 || h.LastError != "answer 500" || !h.LastFailed.IsZero() {
		t.Errorf("%+v", h)
	}
}

func TestAccountCounts(t *testing.T) {
	d := storagetest.Open(t)
	midnight := time.Now().Add(-time.Hour)
	add := func(status sms.Status, account string, at time.Time) {
		id, err := uuid.NewV7()
		good(t, err)
		when := stamp.At(at)
		good(t, d.SMS().Update(t.Context(), "add", func(tx sms.Tx) error {
			return tx.AddJob(sms.NewJob{ID: "job-" + id.String(), Created: when, Records: []sms.Record{{Message: sms.Message{
				ID: id.String(), Job: "job-" + id.String(), To: "+8613800138000", Status: status, Account: account,
				Times: map[sms.Status]stamp.Time{status: when},
			}}}})
		}))
	}
	add(sms.Queued, "a", time.Now())
	add(sms.Queued, "b", time.Now())
	add(sms.Submitted, "a", midnight)
	add(sms.Submitted, "a", midnight.Add(-time.Millisecond)) // yesterday's
	counts, err := d.SMS().Accounts(t.Context(), stamp.At(midnight))
	good(t, err)
	if counts["a"] != (storage.AccountCount{Queued: 1, Sent: 1}) || counts["b"] != (storage.AccountCount{Queued: 1}) || len(counts) != 2 {
		t.Errorf("%+v", counts)
	}
}
