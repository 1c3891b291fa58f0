package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"callbox/api/doors"
	"callbox/internal/stamp"
	"callbox/internal/twilio"
	"callbox/sms"
	"callbox/storage"
)

// TestDoorsOnDisk sends through the doors and finds it again as Twilio's list
// shows it, each key its own.
func TestDoorsOnDisk(t *testing.T) {
	w, db := onDisk(t)
	_, key, err := db.AddKey(t.Context(), "erp", []string{ScopeSMS}, sms.Limits{PerDay: 3})
	if err != nil {
		t.Fatal(err)
	}
	_, other, err := db.AddKey(t.Context(), "other", []string{ScopeSMS}, sms.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	const sid = "AC0123456789abcdef0123456789abcdef"
	const messages = "/2010-04-01/Accounts/" + sid + "/Messages"
	basic := func(key string) []string {
		return []string{"Authorization", "Basic " + base64.StdEncoding.EncodeToString([]byte(sid+":"+key))}
	}
	b := w.browser()
	form := append(basic(key), "Content-Type", "application/x-www-form-urlencoded")
	body := url.Values{"To": {"13800138000"}, "MessagingServiceSid": {"MG" + sid[2:]}, "Body": {"您好"}}.Encode()
	status, answer := b.do("POST", messages+".json", body, form...)
	var sent struct{ SID, Status string }
	if err := json.Unmarshal([]byte(answer), &sent); err != nil || status != 201 || sent.Status != "queued" {
		t.Fatalf("sent = %d %s", status, answer)
	}
	alert := `{"groupKey":"g","status":"firing","commonAnnotations":{"summary":"x"},"alerts":[{"fingerprint":"f"}]}`
	var first, again sms.Job
	for _, job := range []*sms.Job{&first, &again} {
		status, answer := b.do("POST", "/api/v1/sms/alerts?to=13900139000", alert, "Authorization", "Bearer "+key)
		if err := json.Unmarshal([]byte(answer), job); err != nil || status != 202 {
			t.Fatalf("alert = %d %s", status, answer)
		}
	}
	if first.ID != again.ID {
		t.Errorf("the same alert is jobs %s and %s", first.ID, again.ID)
	}
	submitted(t, db, sent.SID)
	today := time.Now().UTC().Format(time.DateOnly)
	for path, want := range map[string]int{
		messages + ".json": 2, messages + ".json?To=13800138000": 1, messages + ".json?To=13700137000": 0,
		messages + ".json?DateSent=" + today: 1, messages + ".json?DateSent=2020-01-01": 0, messages + ".json?DateSent%3C=2020-01-01": 0,
	} {
		for key, want := range map[string]int{key: want, other: 0} {
			var list struct{ Messages []struct{ SID string } }
			status, answer := b.do("GET", path, nil, basic(key)...)
			if err := json.Unmarshal([]byte(answer), &list); err != nil || status != 200 || len(list.Messages) != want {
				t.Errorf("%s = %d %s, want %d", path, status, answer, want)
			}
		}
	}
	one := messages + "/" + sent.SID + ".json"
	for key, want := range map[string]int{key: 200, other: 404} {
		if status, answer := b.do("GET", one, nil, basic(key)...); status != want {
			t.Errorf("%s = %d %s, want %d", one, status, answer, want)
		}
	}
	if status, answer := b.do("GET", messages+".json?PageToken=x", nil, basic(key)...); status != 400 {
		t.Errorf("a page of nothing = %d %s", status, answer)
	}
	for i, want := range []int{200, 429} { // the third message of the day, and one more
		path := fmt.Sprintf("/http_api/send_sms?access_token=%s&to=13800138000&message=%d", key, i)
		if status, answer := b.do("GET", path, nil); status != want {
			t.Errorf("message %d = %d %s, want %d", i+3, status, answer, want)
		}
	}
	if status, answer := b.do("DELETE", messages+".json", nil, basic(key)...); status != 404 || !strings.Contains(answer, "20404") {
		t.Errorf("what is not served = %d %s", status, answer)
	}
}

// submitted makes a message submitted now.
func submitted(t *testing.T, db *storage.DB, sid string) {
	t.Helper()
	id, _ := twilio.MessageID(sid)
	err := db.SMS().Update(t.Context(), "submit", func(tx sms.Tx) error {
		records, err := tx.Records(sms.Query{Statuses: []sms.Status{sms.Queued}})
		for _, r := range records {
			if r.ID == id {
				r.Status, r.Times[sms.Submitted] = sms.Submitted, stamp.Now()
				return tx.Save(r, sms.Queued)
			}
		}
		return fmt.Errorf("message %s: %w %w", id, sms.ErrNotFound, err)
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestForDoor: what the doors decide on, and nothing of storage's.
func TestForDoor(t *testing.T) {
	for in, want := range map[error]error{
		storage.ErrUnavailable: doors.ErrUnavailable, storage.ErrClosed: doors.ErrUnavailable,
		storage.ErrCursor: doors.ErrCursor, storage.ErrNotFound: sms.ErrNotFound, sms.ErrMoved: sms.ErrMoved,
	} {
		if got := forDoor(fmt.Errorf("x: %w", in)); !strings.Contains(fmt.Sprint(got), want.Error()) {
			t.Errorf("forDoor(%v) = %v, want %v", in, got, want)
		}
	}
	if forDoor(nil) != nil {
		t.Error("forDoor(nil) is a fault")
	}
}
