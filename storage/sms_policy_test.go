package storage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

func inTx(t *testing.T, d *storage.DB, f func(sms.Tx) error) {
	t.Helper()
	if err := d.SMS().Update(t.Context(), "test", f); err != nil {
		t.Fatal(err)
	}
}

// aJob is a job with one message a status, due and over at these times.
func aJob(id string, due, over stamp.Time, statuses ...sms.Status) sms.NewJob {
	j := sms.NewJob{ID: id, Class: sms.ClassMarketing, Created: stamp.Now(), SendAt: due}
	for i, s := range statuses {
		j.Records = append(j.Records, sms.Record{
			Message: sms.Message{ID: fmt.Sprintf("%s-%d", id, i), Job: id, To: fmt.Sprint("+861380013800", i), Status: s, Account: "a"},
			Due:     due, Until: over, Class: j.Class,
		})
	}
	return j
}

func TestNextTimeOfTexts(t *testing.T) {
	d := storagetest.Open(t)
	at := func(minutes int) stamp.Time {
		return stamp.At(time.Now().Add(time.Duration(minutes) * time.Minute))
	}
	next := func(want stamp.Time) {
		t.Helper()
		inTx(t, d, func(tx sms.Tx) error {
			got, err := tx.Next()
			if got != want {
				t.Errorf("Next = %s, want %s", got, want)
			}
			return err
		})
	}
	add := func(j sms.NewJob) { t.Helper(); inTx(t, d, func(tx sms.Tx) error { return tx.AddJob(j) }) }
	next(stamp.Time{})
	add(aJob("done", at(1), at(1), sms.Delivered, sms.Submitting, sms.Canceled))
	next(stamp.Time{})
	over, due := at(20), at(10)
	add(aJob("queued", stamp.Time{}, over, sms.Queued))
	next(over)
	add(aJob("scheduled", due, stamp.Time{}, sms.Scheduled, sms.Scheduled))
	next(due)
	add(aJob("untimed", stamp.Time{}, stamp.Time{}, sms.Scheduled))
	next(due)

	soon := at(5)
	inTx(t, d, func(tx sms.Tx) error {
		n, err := tx.Start("scheduled", soon)
		if n != 2 {
			t.Errorf("started %d, want 2", n)
		}
		return err
	})
	next(soon)
	inTx(t, d, func(tx sms.Tx) error { return tx.Restart(sms.ClassMarketing, soon) })
	next(due) // not before its send_at
}

func TestQuotaOfADay(t *testing.T) {
	d := storagetest.Open(t)
	spend := func(signer, day string, n int, want bool) {
		t.Helper()
		inTx(t, d, func(tx sms.Tx) error {
			got, err := tx.Spend(signer, day, n, 10)
			if got != want {
				t.Errorf("Spend %d on %s = %v, want %v", n, day, got, want)
			}
			return err
		})
	}
	spend("a", "2026-01-01", 11, false)
	spend("a", "2026-01-01", 9, true)
	spend("a", "2026-01-01", 2, false)
	spend("a", "2026-01-01", 1, true)
	spend("b", "2026-01-01", 1, true)
	spend("a", "2026-01-02", 10, true)
	var rows int
	if err := d.Reader().QueryRow("SELECT count(*) FROM sms_quota").Scan(&rows); err != nil || rows != 2 {
		t.Errorf("%d rows (%v), want one a key", rows, err)
	}
}

// What is looked for often has its index.
func TestWaitingTextsAreFoundByIndex(t *testing.T) {
	d := storagetest.Open(t)
	for query, index := range map[string]string{
		"SELECT min(due) FROM sms_messages WHERE status = 'scheduled' AND due > 0":                                                 "sms_messages_due",
		"SELECT min(valid_until) FROM sms_messages WHERE valid_until > 0 AND status IN ('scheduled', 'queued')":                    "sms_messages_valid",
		"SELECT * FROM sms_messages WHERE status = 'scheduled' AND due > 0 AND due <= 7 ORDER BY +id":                              "sms_messages_due",
		"SELECT * FROM sms_messages WHERE status IN ('scheduled', 'queued') AND valid_until > 0 AND valid_until <= 7":              "sms_messages_valid",
		"SELECT * FROM sms_messages WHERE account = 'a' AND (status = 'queued') AND bound = 0 AND id > 'x' ORDER BY +id":           "sms_messages_queue",
		"SELECT id FROM sms_jobs WHERE dedup = 'x' AND dedup != '' AND dedup_until > 7 ORDER BY dedup_until DESC LIMIT 1":          "sms_jobs_dedup",
		"SELECT * FROM sms_messages WHERE number = '+861' AND (status = 'scheduled' OR status = 'queued') AND class = 'marketing'": "sms_messages_number",
	} {
		var plan []string
		rows, err := d.Reader().QueryContext(context.Background(), "EXPLAIN QUERY PLAN "+query)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var id, parent, unused int
			var step string
			if err := rows.Scan(&id, &parent, &unused, &step); err != nil {
				t.Fatal(err)
			}
			plan = append(plan, step)
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
		if all := strings.Join(plan, "; "); !strings.Contains(all, index) {
			t.Errorf("%s\n%s, want %s", query, all, index)
		}
	}
}
