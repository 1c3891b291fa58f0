package storage_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/internal/guard"
	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

const hookURL = "http://hook.test/x"

func told(t *testing.T, d *storage.DB, n storage.Notice) {
	t.Helper()
	good(t, d.Write(t.Context(), "tell", func(tx *sql.Tx) error { return d.Notices().Add(tx, n) }))
}

// due are the bodies' data that may go to endpoint now.
func due(t *testing.T, d *storage.DB, endpoint string) []storage.Delivery {
	t.Helper()
	list, _, err := d.Notices().Due(t.Context(), endpoint, time.Now().Add(time.Millisecond), 100)
	good(t, err)
	return list
}

func data(x storage.Delivery) string {
	var body struct{ Data string }
	_ = json.Unmarshal(x.Body, &body) // then it is empty
	return body.Data
}

func TestOutboxKeepsOrderOfAKey(t *testing.T) {
	d := storagetest.Open(t)
	ctx, n := t.Context(), d.Notices()
	hook(t, d)
	for _, what := range []string{"a1", "a2", "b1"} {
		told(t, d, storage.Notice{Event: storage.NoticeCallNew, OrderKey: what[:1], Data: what})
	}
	told(t, d, storage.Notice{Event: storage.NoticeSMSStatus, OrderKey: "s", Data: "unwanted"})
	select {
	case <-n.Wake():
	default:
		t.Error("nobody was woken")
	}
	first := due(t, d, hookURL)
	if len(first) != 2 || data(first[0]) != "a1" || data(first[1]) != "b1" || string(first[0].Secret) != "s" || !first[0].Trusted {
		t.Fatalf("due %+v", first)
	}
	later := time.Now().Add(time.Hour)
	good(t, n.Failed(ctx, first[0].ID, time.Now(), later, "answer 500"))
	good(t, n.Sent(ctx, first[1].ID))
	list, next, err := n.Due(ctx, hookURL, time.Now(), 100)
	if err != nil || len(list) != 0 || next.Sub(later).Abs() > time.Millisecond {
		t.Errorf("due %+v, next %v, %v", list, next, err)
	}
	good(t, n.Dead(ctx, first[0].ID, "gave up"))
	if list := due(t, d, hookURL); len(list) != 1 || data(list[0]) != "a2" {
		t.Errorf("behind the dead letter: %+v", list)
	}
	if waiting, err := n.Waiting(ctx); waiting != 1 || err != nil {
		t.Errorf("Waiting = %d, %v", waiting, err)
	}
	if err := n.Sent(ctx, first[1].ID); !errors.Is(err, storage.ErrNotFound) {
		t.Errorf("Sent twice = %v", err)
	}
}

func TestDeadLettersAreReplayed(t *testing.T) {
	d := storagetest.Open(t)
	ctx, n := t.Context(), d.Notices()
	hook(t, d)
	for _, what := range []string{"a1", "a2"} {
		told(t, d, storage.Notice{Event: storage.NoticeCallNew, OrderKey: "a", Data: what})
		good(t, n.Dead(ctx, due(t, d, hookURL)[0].ID, "gave up"))
	}
	page, next, err := n.DeadLetters(ctx, storage.Page{Limit: 1})
	if err != nil || len(page) != 1 || !strings.Contains(string(page[0].Body), "a2") || page[0].Attempts != 1 || next == "" {
		t.Fatalf("DeadLetters = %+v, %q, %v", page, next, err)
	}
	older, next, err := n.DeadLetters(ctx, storage.Page{Limit: 1, Cursor: next})
	if err != nil || len(older) != 1 || older[0].Event != storage.NoticeCallNew || older[0].URL != hookURL || next != "" {
		t.Fatalf("DeadLetters = %+v, %q, %v", older, next, err)
	}
	good(t, n.Replay(ctx, older[0].ID))
	if list := due(t, d, hookURL); len(list) != 1 || data(list[0]) != "a1" || list[0].Attempt != 0 {
		t.Errorf("replayed: %+v", list)
	}
	for _, id := range []string{older[0].ID, "0", "x", ""} {
		if err := n.Replay(ctx, id); !errors.Is(err, storage.ErrNotFound) {
			t.Errorf("Replay(%q) = %v", id, err)
		}
	}
}

func TestCallbacksAreSignedByTheirKey(t *testing.T) {
	d := storagetest.Open(t)
	key, text, err := d.AddKey(t.Context(), "erp", nil, sms.Limits{})
	good(t, err)
	for _, signer := range []string{key.ID, "", "revoked"} {
		told(t, d, storage.Notice{Event: storage.NoticeSMSStatus, OrderKey: "job" + signer, CallbackURL: "https://erp.test/jobs/7", Signer: signer})
	}
	list := due(t, d, "https://erp.test")
	if len(list) != 3 || string(list[0].Secret) != text || len(list[1].Secret)+len(list[2].Secret) != 0 || list[0].Trusted ||
		list[0].URL != "https://erp.test/jobs/7" {
		t.Errorf("due %+v", list)
	}
	endpoints, err := d.Notices().Endpoints(t.Context())
	if err != nil || len(endpoints) != 1 || endpoints[0] != "https://erp.test" {
		t.Errorf("Endpoints = %v, %v", endpoints, err)
	}
}

// TestManyReceiversShareTheReaders: more endpoints at once than there are
// connections to read with, each of whose deliveries a key signs.
func TestManyReceiversShareTheReaders(t *testing.T) {
	d := storagetest.Open(t)
	key, _, err := d.AddKey(t.Context(), "erp", nil, sms.Limits{})
	good(t, err)
	const endpoints, rounds = 40, 20
	at := func(i int) string { return fmt.Sprintf("https://erp%d.test", i) }
	for i := range endpoints {
		told(t, d, storage.Notice{Event: storage.NoticeSMSStatus, OrderKey: at(i), CallbackURL: at(i) + "/x", Signer: key.ID})
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var group guard.Group
	for i := range endpoints {
		group.Go("receiver", func() {
			for range rounds {
				list, _, err := d.Notices().Due(ctx, at(i), time.Now().Add(time.Second), 10)
				if err != nil || len(list) != 1 || len(list[0].Secret) == 0 {
					t.Errorf("due at %s: %v, %v", at(i), list, err)
					return
				}
			}
		})
	}
	group.Wait()
}

func TestDeliveriesHaveTheirFormat(t *testing.T) {
	d := storagetest.Open(t)
	good(t, d.Notices().Replace([]storage.Endpoint{{URL: hookURL, Events: []string{"sms.*"}, Format: "twilio"}}))
	at := stamp.Now()
	r := sms.Record{
		Message: sms.Message{
			ID: "m", Job: "j", To: "+8613800138000", Status: sms.Delivered, Done: "2608010931",
			Times: map[sms.Status]stamp.Time{sms.Delivered: at},
		},
		Callback: "https://erp.test/dlr?t=%d", Format: "kannel 31",
	}
	good(t, d.SMS().Update(t.Context(), "announce", func(tx sms.Tx) error { return tx.Announce(r) }))
	for endpoint, want := range map[string]string{hookURL: "twilio", "https://erp.test": "kannel 31"} {
		list := due(t, d, endpoint)
		if len(list) != 1 || list[0].Format != want || !strings.Contains(string(list[0].Body), `"done":"2608010931"`) {
			t.Errorf("%s: %+v, want format %s", endpoint, list, want)
		}
	}
}

func TestEndpointsAreReplaced(t *testing.T) {
	d := storagetest.Open(t)
	hook(t, d)
	told(t, d, storage.Notice{Event: storage.NoticeCallNew, OrderKey: "a"})
	for name, bad := range map[string]storage.Endpoint{
		"format": {URL: hookURL, Format: "fax"}, "URL": {URL: "mailto:x"}, "glob": {URL: hookURL, Events: []string{"["}},
	} {
		if err := d.Notices().Replace([]storage.Endpoint{bad}); err == nil {
			t.Errorf("a bad %s was taken", name)
		}
	}
	good(t, d.Notices().Replace(nil))
	settled(t, d)
	if list := due(t, d, hookURL); len(list) != 0 {
		t.Errorf("due %+v for an endpoint that is gone", list)
	}
	dead, _, err := d.Notices().DeadLetters(t.Context(), storage.Page{})
	if err != nil || len(dead) != 1 {
		t.Errorf("DeadLetters = %+v, %v", dead, err)
	}
}

// TestNoticeFallsWithItsTransaction: what was undone is not told.
func TestNoticeFallsWithItsTransaction(t *testing.T) {
	d := storagetest.Open(t)
	hook(t, d)
	undone := errors.New("undone")
	err := d.Write(t.Context(), "tell", func(tx *sql.Tx) error {
		return errors.Join(d.Notices().Add(tx, storage.Notice{Event: storage.NoticeCallNew}), undone)
	})
	if !errors.Is(err, undone) || len(due(t, d, hookURL)) != 0 {
		t.Errorf("Write = %v, due %+v", err, due(t, d, hookURL))
	}
}

func TestLineStateIsTold(t *testing.T) {
	d := storagetest.Open(t)
	good(t, d.Notices().Replace([]storage.Endpoint{{URL: hookURL, Secret: "s", Events: []string{"line.*"}}}))
	since := stamp.Now()
	type identity struct{ Profile, Serial string } // as a driver may tell it
	good(t, d.Journal().Note(t.Context(), cti.Event{
		Type: cti.EventLineState, Line: "line 1", Time: since, UserData: map[string]any{
			"state": cti.OutOfService, "why": "unplugged", "number": "057188880001", "box": identity{"callbox", "7"},
		},
	}))
	good(t, d.Write(t.Context(), "settle", func(*sql.Tx) error { return nil }))
	list := due(t, d, hookURL)
	if len(list) != 1 {
		t.Fatalf("told %d times", len(list))
	}
	var got struct {
		Event string
		Data  cti.Line
	}
	good(t, json.Unmarshal(list[0].Body, &got))
	want := cti.Line{
		Label: "line 1", Number: "057188880001", State: cti.OutOfService, Since: since, Why: "unplugged",
		Box: cti.Box{Profile: "callbox", Serial: "7"},
	}
	if got.Event != storage.NoticeLineState || got.Data != want {
		t.Errorf("told %+v, want %+v", got, want)
	}
}
