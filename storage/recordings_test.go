package storage_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"callbox/cti"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// minute is a time as the database keeps it: to the millisecond.
var minute = time.Date(2026, 1, 2, 3, 4, 0, 567e6, time.UTC)

func recorded(id string, after time.Duration) storage.RecordingRow {
	return storage.RecordingRow{
		ID: id, Path: "2026/01/02/" + id + ".wav", Law: "alaw", Started: minute.Add(after), State: cti.RecordingRunning,
	}
}

func TestRecordingsGoByPagesNewestFirst(t *testing.T) {
	d := storagetest.Open(t)
	for i := range 5 {
		d.PutRecordingLater(recorded(fmt.Sprint("r", i), time.Duration(i/2)*time.Second)) // some at the same time
	}
	if err := d.PutRecording(t.Context(), recorded("r5", time.Hour)); err != nil {
		t.Fatal(err)
	}
	var got []string
	f := storage.RecordingFilter{Since: minute.Add(time.Second), Page: storage.Page{Limit: 1}}
	for {
		list, next, err := d.Recordings(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list {
			got = append(got, r.ID)
		}
		if f.Cursor = next; next == "" {
			break
		}
	}
	if diff := cmp.Diff([]string{"r5", "r4", "r3", "r2"}, got); diff != "" {
		t.Error(diff)
	}
	f.Cursor = "?"
	if _, _, err := d.Recordings(t.Context(), f); !errors.Is(err, storage.ErrCursor) {
		t.Errorf("a foreign cursor: %v", err)
	}
}
