package storage_test

import (
	"slices"
	"testing"

	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

const testDoor = "erp"

// addText stores a job of one message.
func addText(t *testing.T, d *storage.DB, key, id string, status sms.Status) {
	t.Helper()
	at := stamp.Now()
	err := d.SMS().Update(t.Context(), "add", func(tx sms.Tx) error {
		return tx.AddJob(sms.NewJob{ID: "job-" + id, Key: key, Created: at, Records: []sms.Record{{
			Message: sms.Message{ID: id, Job: "job-" + id, To: "+8613800138000", Status: status, Times: map[sms.Status]stamp.Time{status: at}},
			Signer:  "door:erp",
		}}})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestDoorTellsWhatChanged(t *testing.T) {
	d := storagetest.Open(t)
	doors := d.Doors()
	addText(t, d, "door:erp:1", "m1", sms.Submitting)
	addText(t, d, "door:erp:2", "m2", sms.Delivered)
	addText(t, d, "door:erp:3", "m3", sms.Queued)
	rows := []storage.DoorRow{
		{Row: "1", Take: 1, Digest: "x", Message: "m1"},
		{Row: "2", Take: 2, Digest: "y", Message: "m2", Written: sms.Submitted},
		{Row: "3", Take: 1, Message: "m3", Written: sms.Queued},
		{Row: "4", Take: 1, Message: "gone"},
	}
	if err := doors.Keep(t.Context(), testDoor, rows); err != nil {
		t.Fatal(err)
	}
	known, err := doors.Known(t.Context(), testDoor, []string{"2", "9"})
	if err != nil || !slices.Equal(known, rows[1:2]) {
		t.Errorf("Known = %+v, %v", known, err)
	}
	changed := func(after string) (ids []string) {
		t.Helper()
		list, err := doors.Changed(t.Context(), testDoor, after, 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range list {
			ids = append(ids, c.Row+" "+string(c.Now.Status))
		}
		return ids
	}
	if got := changed(""); !slices.Equal(got, []string{"1 submitting", "2 delivered"}) {
		t.Errorf("changed: %q", got)
	}
	if got := changed("1"); !slices.Equal(got, []string{"2 delivered"}) {
		t.Errorf("changed behind 1: %q", got)
	}
	rows[0].Written = sms.Queued
	rows[1].Written, rows[1].Done = sms.Delivered, true
	if err := doors.Written(t.Context(), testDoor, rows[:2]); err != nil {
		t.Fatal(err)
	}
	if got := changed(""); len(got) != 0 {
		t.Errorf("changed still: %q", got)
	}
	message, signer, err := doors.MessageByKey(t.Context(), "door:erp:2")
	if err != nil || message != "m2" || signer != "door:erp" {
		t.Errorf("MessageByKey = %q %q %v", message, signer, err)
	}
}

func TestDoorsGetIncomingTexts(t *testing.T) {
	d := storagetest.Open(t)
	doors := d.Doors()
	incoming := func(id string) {
		t.Helper()
		err := d.SMS().Update(t.Context(), "add", func(tx sms.Tx) error {
			return tx.AddIncoming(sms.Incoming{ID: id, Time: stamp.Now(), From: "+8613800138000", Text: "1"})
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	waiting := func(door string) (ids []string) {
		t.Helper()
		list, err := doors.Waiting(t.Context(), door, "", 10)
		if err != nil {
			t.Fatal(err)
		}
		for _, in := range list {
			ids = append(ids, in.ID)
		}
		return ids
	}
	incoming("0")
	doors.Replies([]string{testDoor, "crm"})
	incoming("1")
	incoming("2")
	if got := waiting(testDoor); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("waiting: %q", got)
	}
	if err := doors.Replied(t.Context(), testDoor, []string{"1"}); err != nil {
		t.Fatal(err)
	}
	if got := waiting(testDoor); !slices.Equal(got, []string{"2"}) {
		t.Errorf("waiting: %q", got)
	}
	doors.Replies([]string{"crm"})
	incoming("3")
	if got := waiting(testDoor); len(got) != 0 {
		t.Errorf("a door that is gone has %q", got)
	}
	if got := waiting("crm"); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("waiting for the other: %q", got)
	}
}
