package twilio

import (
	"net/url"
	"testing"
	"time"
)

// TestSignature is the example of Twilio's own documentation and libraries.
func TestSignature(t *testing.T) {
	form := url.Values{
		"Digits": {"1234"}, "CallSid": {"CA1234567890ABCDE"}, "To": {"+18005551212"},
		"Caller": {"+14158675309"}, "From": {"+14158675309"},
	}
	const want = "RSOYDt4T1cUTdK1PDd93/VVr8B8="
	if got := Signature("12345", "https://mycompany.com/myapp.php?foo=1&bar=2", form); got != want {
		t.Errorf("Signature = %s, want %s", got, want)
	}
}

func TestSIDs(t *testing.T) {
	const id, sid = "01890a5d-ac96-774b-bcce-b302099a8057", "SM01890a5dac96774bbcceb302099a8057"
	if got := MessageSID(id); got != sid {
		t.Errorf("MessageSID = %s, want %s", got, sid)
	}
	if got, ok := MessageID(sid); !ok || got != id {
		t.Errorf("MessageID = %s %t, want %s", got, ok, id)
	}
	for _, bad := range []string{"", "SM", sid + "0", sid[:33], "MM" + sid[2:], "SM01890a5dac96774bbcceb302099a805x"} {
		if got, ok := MessageID(bad); ok {
			t.Errorf("MessageID(%q) = %s, want none", bad, got)
		}
	}
	for sid, want := range map[string]bool{
		"AC00000000000000000000000000000001": true, "AC0123456789ABCDEF0123456789abcdef": true,
		"": false, "AC": false, "MG00000000000000000000000000000001": false, "AC0000000000000000000000000000001": false,
		"AC0000000000000000000000000000000g": false,
	} {
		if got := AccountSID(sid); got != want {
			t.Errorf("AccountSID(%q) = %t, want %t", sid, got, want)
		}
	}
}

func TestOutcome(t *testing.T) {
	for _, tt := range []struct {
		is   Outcome
		word string
		code int
	}{
		{Outcome{Status: "scheduled"}, "scheduled", 0},
		{Outcome{Status: "queued"}, "queued", 0},
		{Outcome{Status: "submitting"}, "sending", 0},
		{Outcome{Status: "submitted", Submitted: true}, "sent", 0},
		{Outcome{Status: "delivered", Submitted: true}, "delivered", 0},
		{Outcome{Status: "canceled"}, "canceled", 0},
		{Outcome{Status: "unknown", Submitted: true}, "sent", 0},
		{Outcome{Status: "unknown"}, "sending", 0},
		{Outcome{Status: "failed", Code: 13}, "failed", OtherCause},
		{Outcome{Status: "failed", Stat: "UNDELIV", Submitted: true}, "undelivered", UnknownHandset},
		{Outcome{Status: "failed", Stat: "MA:0001", Submitted: true}, "undelivered", OtherCause},
		{Outcome{Status: "failed", Stat: "REJECTD", Submitted: true}, "undelivered", Filtered},
		{Outcome{Status: "expired", Stat: "EXPIRED", Submitted: true}, "undelivered", Unreachable},
		{Outcome{Status: "expired"}, "failed", ValidityOver},
	} {
		if word, code := tt.is.Word(), tt.is.ErrorCode(); word != tt.word || code != tt.code {
			t.Errorf("%+v = %s %d, want %s %d", tt.is, word, code, tt.word, tt.code)
		}
	}
}

func TestDate(t *testing.T) {
	at := time.Date(2023, 8, 24, 13, 1, 45, 0, time.FixedZone("", 8*3600))
	if got, want := Date(at), "Thu, 24 Aug 2023 05:01:45 +0000"; got != want {
		t.Errorf("Date = %s, want %s", got, want)
	}
}
