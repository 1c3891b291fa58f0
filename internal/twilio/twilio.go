// Package twilio is the vocabulary of Twilio's messaging API: ids, words for
// statuses, error codes, dates and signatures, for the door that takes requests
// in that shape and for the webhooks that go out in it. It runs no goroutine and
// imports nothing of callbox: statuses are the words that the API shows.
package twilio

import (
	"crypto/hmac"
	"crypto/sha1" // Twilio's choice
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Version of the API, as it stands in paths and callbacks.
const Version = "2010-04-01"

// SignatureHeader carries [Signature].
const SignatureHeader = "X-Twilio-Signature"

// Codes that a request is refused with, from Twilio's dictionary of errors.
const (
	CodeParameter   = 20001 // unknown or unusable
	CodeAuth        = 20003
	CodeMethod      = 20004
	CodeForbidden   = 20403
	CodeNotFound    = 20404
	CodeFormat      = 20406
	CodeTooMany     = 20429
	CodeInternal    = 20500
	CodeUnavailable = 20503
	CodeBadTo       = 21211
	CodeNoBody      = 21602
	CodeNoFrom      = 21603
	CodeNoTo        = 21604
	CodeBadFrom     = 21606
	CodeBadCallback = 21609
	CodeLongBody    = 21617
	CodeSchedule    = 35114
	CodeNoService   = 35118
	CodeValidity    = 90007
)

// Codes that tell why a message did not arrive.
const (
	Unreachable    = 30003
	UnknownHandset = 30005
	Filtered       = 30007
	OtherCause     = 30008
	ValidityOver   = 30036
)

// MessageSID is a message's id as Twilio writes one: SM and the 32 hex digits of
// its UUID.
func MessageSID(id string) string { return "SM" + strings.ReplaceAll(id, "-", "") }

// MessageID is the inverse of [MessageSID]; false where sid is none.
func MessageID(sid string) (id string, ok bool) {
	hexed, found := strings.CutPrefix(sid, "SM")
	if !found || !hex32(hexed) {
		return "", false
	}
	h := strings.ToLower(hexed)
	return strings.Join([]string{h[:8], h[8:12], h[12:16], h[16:20], h[20:]}, "-"), true
}

// AccountSID says whether sid is one: AC and 32 hex digits.
func AccountSID(sid string) bool {
	hexed, found := strings.CutPrefix(sid, "AC")
	return found && hex32(hexed)
}

// ServiceSID says whether sid is a messaging service's: MG and 32 hex digits.
func ServiceSID(sid string) bool {
	hexed, found := strings.CutPrefix(sid, "MG")
	return found && hex32(hexed)
}

func hex32(s string) bool {
	b, err := hex.DecodeString(s)
	return err == nil && len(b) == 16
}

// Outcome is what callbox knows of a message: its status and the times' names
// it has reached, and what went wrong: the result of SUBMIT_RESP or the report's
// Stat.
type Outcome struct {
	Status    string
	Submitted bool // it was, once
	Code      int
	Stat      string
}

var words = map[string]string{
	"scheduled": "scheduled", "queued": "queued", "submitting": "sending", "submitted": "sent",
	"delivered": "delivered", "canceled": "canceled",
}

// Word is the outcome as Twilio's MessageStatus: undelivered where the network
// said so in a report, failed where the text never got that far.
func (o Outcome) Word() string {
	switch {
	case words[o.Status] != "":
		return words[o.Status]
	case o.bad() && o.Stat != "":
		return "undelivered"
	case o.bad():
		return "failed"
	case o.Submitted: // unknown: it was taken, and no report came
		return "sent"
	}
	return "sending" // unknown: perhaps it was taken
}

func (o Outcome) bad() bool { return o.Status == "failed" || o.Status == "expired" }

var statCodes = map[string]int{"EXPIRED": Unreachable, "UNDELIV": UnknownHandset, "REJECTD": Filtered}

// ErrorCode says why a message did not arrive; 0: it did, or may yet.
func (o Outcome) ErrorCode() int {
	switch {
	case !o.bad():
		return 0
	case statCodes[o.Stat] != 0:
		return statCodes[o.Stat]
	case o.Status == "expired":
		return ValidityOver
	}
	return OtherCause
}

// Date is t as the API shows it, RFC 2822 in UTC.
func Date(t time.Time) string { return t.UTC().Format(time.RFC1123Z) }

// Signature is the value of [SignatureHeader] for a form posted to address:
// Base64 of HMAC-SHA1(token, address and each parameter's name and value, by
// name).
func Signature(token, address string, form url.Values) string {
	mac := hmac.New(sha1.New, []byte(token))
	mac.Write([]byte(address))
	names := make([]string, 0, len(form))
	for name := range form {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		for _, value := range form[name] {
			mac.Write([]byte(name + value))
		}
	}
	return base64.StdEncoding.EncodeToString(mac.Sum(nil))
}
