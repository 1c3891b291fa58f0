package webhook

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"

	"callbox/internal/number"
	"callbox/internal/twilio"
)

// dlrTime is how Twilio writes RawDlrDoneDate, which is CMPP's Done_time as it
// came; where none did, when the report came will do.
const dlrTime = "0601021504"

// twilio posts a status callback, or to a webhook of the configuration an
// incoming text. args is the account's sid that the callback was asked for with.
func (s *Sender) twilio(d Delivery, n letterhead, args string) (outgoing, error) {
	sid := args
	if sid == "" {
		sid = accountSID(d.URL)
	}
	f := url.Values{"AccountSid": {sid}, "ApiVersion": {twilio.Version}}
	var err error
	switch {
	case n.Event == smsStatus:
		err = s.twilioStatus(n, f)
	case n.Event == smsReceived && d.Trusted:
		err = twilioIncoming(n, f)
	default:
		err = errNothing
	}
	if err != nil {
		return outgoing{}, err
	}
	o := outgoing{method: http.MethodPost, url: d.URL, kind: formKind, body: []byte(f.Encode()), header: http.Header{}}
	if len(d.Secret) > 0 {
		o.header.Set(twilio.SignatureHeader, twilio.Signature(string(d.Secret), d.URL, f))
	}
	return o, nil
}

// accountSID is the account of a webhook of the configuration: made of its URL,
// so that it is the same for ever.
func accountSID(address string) string {
	sum := sha256.Sum256([]byte("callbox webhook " + address))
	return "AC" + hex.EncodeToString(sum[:16])
}

func (s *Sender) twilioStatus(n letterhead, f url.Values) error {
	var m message
	if err := json.Unmarshal(n.Data, &m); err != nil {
		return fmt.Errorf("read the message: %w", err)
	}
	_, submitted := m.Times["submitted"]
	o := twilio.Outcome{Status: m.Status, Submitted: submitted}
	if m.Error != nil {
		o.Code, o.Stat = m.Error.Code, m.Error.Stat
	}
	sid, word := twilio.MessageSID(m.ID), o.Word()
	maps.Copy(f, url.Values{
		"MessageSid": {sid}, "SmsSid": {sid}, "MessageStatus": {word}, "SmsStatus": {word},
		"To": {m.To}, "From": {s.cfg.Senders[m.Account]},
	})
	if code := o.ErrorCode(); code != 0 {
		f.Set("ErrorCode", strconv.Itoa(code))
	}
	if m.Status == "delivered" || o.Stat != "" {
		f.Set("RawDlrDoneDate", cmp.Or(m.Done, n.Time.In(s.cfg.zone()).Format(dlrTime)))
	}
	return nil
}

func twilioIncoming(n letterhead, f url.Values) error {
	var in incoming
	if err := json.Unmarshal(n.Data, &in); err != nil {
		return fmt.Errorf("read the incoming text: %w", err)
	}
	sid := twilio.MessageSID(in.ID)
	maps.Copy(f, url.Values{
		"MessageSid": {sid}, "SmsSid": {sid}, "SmsMessageSid": {sid}, "SmsStatus": {"received"},
		"From": {in.sender()}, "To": {in.To}, "Body": {in.Text},
		"NumMedia": {"0"}, "NumSegments": {strconv.Itoa(segments(in.Text))},
	})
	return nil
}

// sender is whom an answer goes to.
func (in incoming) sender() string {
	if in.From != "" {
		return in.From
	}
	return in.Raw
}

// segments is how many messages a text of UCS2 was: 70 UTF-16 units, or 67 each.
func segments(text string) int {
	n := len(utf16.Encode([]rune(text)))
	if n <= 70 {
		return 1
	}
	return (n + 66) / 67
}

// twiml is an answer to an incoming text: what is to be sent back.
type twiml struct {
	XMLName  xml.Name `xml:"Response"`
	Messages []struct {
		Attrs []xml.Attr `xml:",any,attr"`
		Text  string     `xml:",chardata"`
		Body  string     `xml:"Body"`
		Rest  []struct{} `xml:",any"`
	} `xml:"Message"`
	Rest []struct {
		XMLName xml.Name
	} `xml:",any"`
}

// text is the one message that a simple answer holds, "" where it holds none.
// Error: it asks for something that is not served.
func (t twiml) text() (string, error) {
	switch {
	case len(t.Rest) > 0:
		return "", fmt.Errorf("<%s> is not served", t.Rest[0].XMLName.Local)
	case len(t.Messages) > 1:
		return "", fmt.Errorf("%d <Message>, only one is served", len(t.Messages))
	case len(t.Messages) == 0:
		return "", nil
	}
	m := t.Messages[0]
	if len(m.Attrs)+len(m.Rest) > 0 {
		return "", fmt.Errorf("<Message> with attributes or media is not served")
	}
	if body := strings.TrimSpace(m.Body); body != "" {
		return body, nil
	}
	return strings.TrimSpace(m.Text), nil
}

// heard sends the reply that an answer to an incoming text asks for. What
// cannot be sent is logged: the notice itself has arrived.
func (s *Sender) heard(ctx context.Context, d Delivery, answer []byte) {
	if !d.Trusted || d.Format != FormatTwilio || s.cfg.Replies == nil {
		return
	}
	var n letterhead
	var in incoming
	if json.Unmarshal(d.Body, &n) != nil || n.Event != smsReceived || json.Unmarshal(n.Data, &in) != nil {
		return
	}
	var t twiml
	if err := xml.Unmarshal(answer, &t); err != nil {
		return // no TwiML, which is no fault
	}
	text, err := t.text()
	if err == nil && (text == "" || !s.mayAnswer(d, in.sender())) {
		return
	}
	if err == nil {
		err = s.cfg.Replies.Reply(ctx, Reply{Incoming: in.ID, Text: text})
	}
	if err != nil {
		s.log.Warn("the reply a webhook asked for is not sent", "endpoint", d.Endpoint, "incoming", in.ID, "err", err)
	}
}

// mayAnswer says whether a number may get one more answer now.
func (s *Sender) mayAnswer(d Delivery, to string) bool {
	ok, tell := s.brake.take(to, time.Now())
	if tell {
		s.log.Warn("a webhook answers a number too often, further answers to it are dropped",
			"endpoint", d.Endpoint, "number", number.Masked(to), "most", answersMost, "in", answersIn)
	}
	return ok
}
