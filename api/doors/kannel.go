package doors

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"callbox/sms"
)

// FormatKannel begins the format of callbacks in Kannel's shape; the dlr-mask
// follows behind a blank.
const FormatKannel = "kannel"

// Kannel's words (gw/smsbox.c).
const (
	kannelAccepted = "0: Accepted for delivery"
	kannelQueued   = "3: Queued for later delivery"
	kannelBusy     = "Temporal failure, try again later."
)

// maxDelay is the most that deferred and validity may say.
const maxDelay = 366 * 24 * time.Hour

// Kannel is GET or POST /cgi-bin/sendsms.
func (d *Doors) Kannel(w http.ResponseWriter, r *http.Request) {
	answer, err := d.kannel(w, r)
	if err != nil {
		why := d.refused(r.Context(), err)
		why.retryAfter(w)
		status, words := kannelWords(why)
		writeText(w, status, words)
		return
	}
	writeText(w, http.StatusAccepted, answer)
}

func (d *Doors) kannel(w http.ResponseWriter, r *http.Request) (answer string, err error) {
	if err := form(w, r); err != nil {
		return "", err
	}
	f := r.Form
	k, err := d.named(r.Context(), either(f, "username", "user"), either(f, "password", "pass"))
	if err != nil {
		return "", err
	}
	req := sms.Request{To: list(f.Get("to"), ""), Account: f.Get("smsc")}
	if len(req.To) == 0 {
		return "", refuse(noTo, "to", "is empty")
	}
	if a, ok := d.accountOf(f.Get("from")); ok && req.Account == "" {
		req.Account = a.Name
	}
	if req.Text, err = kannelText(f); err != nil {
		return "", err
	}
	for _, fill := range []func(url.Values, *sms.Request) error{kannelTimes, kannelPriority, kannelReports} {
		if err := fill(f, &req); err != nil {
			return "", err
		}
	}
	if _, err := d.accept(r.Context(), k, req); err != nil {
		return "", err
	}
	if req.SendAt != nil {
		return kannelQueued, nil
	}
	return kannelAccepted, nil
}

func either(f url.Values, names ...string) string {
	for _, name := range names {
		if f.Get(name) != "" {
			return f.Get(name)
		}
	}
	return ""
}

// kannelWords is Kannel's answer to what is refused.
func kannelWords(why *refusal) (status int, words string) {
	switch why.kind {
	case badKey, noScope:
		return http.StatusForbidden, "Authorization failed for sendsms"
	case noTo:
		return http.StatusBadRequest, "Missing receiver number, rejected"
	case noText:
		return http.StatusBadRequest, "Empty text not supported, rejected"
	case badText:
		return http.StatusBadRequest, "Charset or body misformed, rejected: " + why.Error()
	case tooMany, busy, broken:
		return http.StatusServiceUnavailable, kannelBusy
	}
	return why.kind.status(), why.Error() + ", rejected"
}

var charsets = map[string]encoding.Encoding{
	"UTF-8": nil, "UTF8": nil, "ASCII": nil, "US-ASCII": nil,
	"GBK": simplifiedchinese.GBK, "CP936": simplifiedchinese.GBK, "GB2312": simplifiedchinese.GBK,
	"GB18030":  simplifiedchinese.GB18030,
	"UTF-16BE": unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), "UCS-2": unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM),
	"ISO-8859-1": charmap.ISO8859_1, "WINDOWS-1252": charmap.Windows1252,
}

// kannelText is the text, whose bytes are in charset: UTF-8 where none is named,
// UTF-16BE with coding 2.
func kannelText(f url.Values) (string, error) {
	raw := f.Get("text")
	charset := strings.ToUpper(f.Get("charset"))
	switch coding := f.Get("coding"); {
	case f.Get("udh") != "" || coding == "1":
		return "", refuse(badField, "coding", "only texts are sent: no udh, no 8-bit data")
	case coding == "2" && charset == "":
		charset = "UTF-16BE"
	case coding != "" && coding != "0" && coding != "2":
		return "", refuse(badField, "coding", "is neither 0 nor 2")
	case charset == "":
		charset = "UTF-8"
	}
	code, ok := charsets[charset]
	if !ok {
		return "", refuse(badText, "charset", "is not served")
	}
	text := raw
	if code != nil {
		decoded, err := code.NewDecoder().String(raw)
		if err != nil || strings.ContainsRune(decoded, utf8.RuneError) {
			return "", refuse(badText, "text", "is not "+charset)
		}
		text = decoded
	}
	switch {
	case !utf8.ValidString(text):
		return "", refuse(badText, "text", "is not "+charset)
	case strings.TrimSpace(text) == "":
		return "", refuse(noText, "text", "is empty")
	}
	return text, nil
}

// kannelTimes reads deferred and validity, both in minutes.
func kannelTimes(f url.Values, req *sms.Request) error {
	wait, err := minutes(f, "deferred")
	if err != nil {
		return err
	}
	if wait > 0 {
		req.SendAt = later(nil, wait)
	}
	life, err := minutes(f, "validity")
	if err != nil {
		return err
	}
	if life > 0 {
		req.ValidUntil = later(req.SendAt, life)
	}
	return nil
}

func minutes(f url.Values, name string) (time.Duration, error) {
	if f.Get(name) == "" {
		return 0, nil
	}
	n, err := strconv.Atoi(f.Get(name))
	if err != nil || n < 0 || n > int(maxDelay/time.Minute) {
		return 0, refuse(badField, name, "is no number of minutes")
	}
	return time.Duration(n) * time.Minute, nil
}

// kannelPriorities are Kannel's four in ours; 0 is what the class asks for.
var kannelPriorities = map[string]sms.Priority{"": "", "0": "", "1": "6", "2": "7", "3": "9"}

func kannelPriority(f url.Values, req *sms.Request) error {
	p, ok := kannelPriorities[f.Get("priority")]
	if !ok {
		return refuse(badField, "priority", "is not 0 to 3")
	}
	req.Priority = p
	return nil
}

// kannelReports reads dlr-url and dlr-mask; as with Kannel, nothing is called
// without both.
func kannelReports(f url.Values, req *sms.Request) error {
	address, mask := either(f, "dlr-url", "dlrurl"), either(f, "dlr-mask", "dlrmask")
	if address == "" || mask == "" {
		return nil
	}
	n, err := strconv.Atoi(mask)
	if err != nil || n < 0 || n > 31 {
		return refuse(badField, "dlr-mask", "is not 0 to 31")
	}
	if n == 0 {
		return nil
	}
	req.CallbackURL, req.Format = calledBack(address), fmt.Sprintf("%s %d", FormatKannel, n)
	return nil
}

// calledBack is a dlr-url as it is kept: %d and the like in its path would make
// it no URL at all, so its percent signs are written as such there.
func calledBack(address string) string {
	path, query, found := strings.Cut(address, "?")
	if _, err := url.Parse(path); err != nil {
		path = strings.ReplaceAll(path, "%", "%25")
	}
	if !found {
		return path
	}
	return path + "?" + query
}
