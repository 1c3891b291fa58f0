package webhook

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"callbox/internal/twilio"
)

const (
	messageID   = "01890a5d-ac96-774b-bcce-b302099a8057"
	messageSID  = "SM01890a5dac96774bbcceb302099a8057"
	accountAC   = "AC0123456789abcdef0123456789abcdef"
	callbackURL = "http://receiver.test/hook?a=1"
)

// about is the body of a notice.
func about(event, data string) []byte {
	return []byte(`{"event":"` + event + `","id":"n1","time":"2026-08-01T01:30:05.000Z","data":` + data + `}`)
}

func textOf(status, more string) string {
	return `{"id":"` + messageID + `","job":"j","to":"+8613800138000","status":"` + status + `","account":"cmcc",
		"times":{"queued":"2026-08-01T01:30:00.000Z","submitted":"2026-08-01T01:30:01.000Z"}` + more + `}`
}

func newShaper() *Sender {
	return New(Config{
		Senders: map[string]string{"cmcc": "10690000"}, Zone: time.FixedZone("", 8*3600),
	}, newMemory())
}

func TestTwilioStatusCallback(t *testing.T) {
	for name, tt := range map[string]struct {
		data string
		want url.Values
	}{
		"sent":      {textOf("submitted", ""), url.Values{"MessageStatus": {"sent"}}},
		"delivered": {textOf("delivered", ""), url.Values{"MessageStatus": {"delivered"}, "RawDlrDoneDate": {"2608010930"}}},
		"undelivered": {
			textOf("failed", `,"done":"2608010929","error":{"stat":"UNDELIV","text":"x"}`),
			url.Values{"MessageStatus": {"undelivered"}, "ErrorCode": {"30005"}, "RawDlrDoneDate": {"2608010929"}},
		},
		"refused": {textOf("failed", `,"error":{"code":13,"text":"x"}`), url.Values{"MessageStatus": {"failed"}, "ErrorCode": {"30008"}}},
	} {
		t.Run(name, func(t *testing.T) {
			d := Delivery{URL: callbackURL, Format: "twilio " + accountAC, Secret: []byte("key"), Body: about(smsStatus, tt.data)}
			o, err := newShaper().outgoing(d)
			if err != nil {
				t.Fatal(err)
			}
			got, err := url.ParseQuery(string(o.body))
			if err != nil {
				t.Fatal(err)
			}
			want := tt.want
			want["SmsStatus"] = want["MessageStatus"]
			for name, value := range map[string]string{
				"MessageSid": messageSID, "SmsSid": messageSID, "AccountSid": accountAC, "ApiVersion": "2010-04-01",
				"To": "+8613800138000", "From": "10690000",
			} {
				want.Set(name, value)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
			if o.method != "POST" || o.url != callbackURL || o.kind != "application/x-www-form-urlencoded" {
				t.Errorf("%s %s as %s", o.method, o.url, o.kind)
			}
			if got, want := o.header.Get("X-Twilio-Signature"), twilio.Signature("key", callbackURL, want); got != want {
				t.Errorf("signature %s, want %s", got, want)
			}
			if o.header.Get(SignatureHeader) != "" {
				t.Error("it is signed in our own way as well")
			}
		})
	}
}

const received = `{"id":"` + messageID + `","time":"2026-08-01T01:30:05.000Z","from":"+8613800138000","raw":"13800138000",
	"to":"10690000","text":"收到 1","account":"cmcc","ref":"WO-1","job":"j"}`

func TestTwilioIncoming(t *testing.T) {
	d := Delivery{URL: callbackURL, Trusted: true, Format: "twilio", Secret: []byte("s"), Body: about(smsReceived, received)}
	o, err := newShaper().outgoing(d)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := url.ParseQuery(string(o.body))
	want := url.Values{
		"MessageSid": {messageSID}, "SmsSid": {messageSID}, "SmsMessageSid": {messageSID},
		"AccountSid": {accountSID(callbackURL)}, "From": {"+8613800138000"}, "To": {"10690000"}, "Body": {"收到 1"},
		"NumMedia": {"0"}, "NumSegments": {"1"}, "SmsStatus": {"received"}, "ApiVersion": {"2010-04-01"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if !twilio.AccountSID(got.Get("AccountSid")) {
		t.Errorf("AccountSid %s", got.Get("AccountSid"))
	}
	if o.header.Get("X-Twilio-Signature") != twilio.Signature("s", callbackURL, want) {
		t.Error("the signature does not hold")
	}
}

// TestNothingToSend are events that a shape has no word for.
func TestNothingToSend(t *testing.T) {
	for name, d := range map[string]Delivery{
		"an incoming text to a status callback": {Format: "twilio " + accountAC, Body: about(smsReceived, received)},
		"a call in Twilio's shape":              {Format: "twilio", Trusted: true, Body: about("call.new", `{}`)},
		"a text in Zammad's shape":              {Format: "zammad", Trusted: true, Body: about(smsStatus, textOf("delivered", ""))},
		"a status outside of the mask":          {Format: "kannel 1", Body: about(smsStatus, textOf("submitted", ""))},
		"a reply to a dlr-url":                  {Format: "kannel 31", Body: about(smsReceived, received)},
		"an unknown outcome to a dlr-url":       {Format: "kannel 31", Body: about(smsStatus, textOf("unknown", ""))},
	} {
		if _, err := newShaper().outgoing(d); !errors.Is(err, errNothing) {
			t.Errorf("%s: %v, want %v", name, err, errNothing)
		}
	}
	for name, d := range map[string]Delivery{
		"no such format": {Format: "fax", Body: about(smsStatus, "{}")},
		"no notice":      {Format: "twilio", Body: []byte("[]")},
		"no mask":        {Format: "kannel x", Body: about(smsStatus, textOf("submitted", ""))},
	} {
		if _, err := newShaper().outgoing(d); err == nil || errors.Is(err, errNothing) {
			t.Errorf("%s: %v, want a fault", name, err)
		}
	}
}

func TestKannelCall(t *testing.T) {
	const all = "http://h/dlr?type=%d&words=%A&from=%p&to=%P&smsc=%i&id=%I&at=%t&unix=%T&x=%z&pc=100%%"
	for name, tt := range map[string]struct{ url, data, want string }{
		"delivered": {
			all, textOf("delivered", ""),
			"http://h/dlr?type=1&words=DELIVRD&from=10690000&to=%2B8613800138000&smsc=cmcc&id=" + messageID +
				"&at=2026-08-01+01:30:05&unix=1785547805&x=%z&pc=100%",
		},
		"submitted": {"http://h/?%d&%A", textOf("submitted", ""), "http://h/?8&ACK%2F"},
		"failed":    {"http://h/?%d&%A", textOf("failed", `,"error":{"stat":"MA:0001","text":"x"}`), "http://h/?2&MA%3A0001"},
		"expired":   {"http://h/?%d&%A", textOf("expired", ""), "http://h/?2&EXPIRED"},
		"refused":   {"http://h/?%d&%A", textOf("failed", `,"error":{"code":13,"text":"bad number"}`), "http://h/?16&NACK%2F13%2Fbad+number"},
		"in a path": {"http://h/%25d/%25I", textOf("delivered", ""), "http://h/1/" + messageID},
	} {
		o, err := newShaper().outgoing(Delivery{URL: tt.url, Format: "kannel 31", Body: about(smsStatus, tt.data)})
		if err != nil || o.method != "GET" || o.url != tt.want || len(o.body) > 0 {
			t.Errorf("%s: %s %s %v, want GET %s", name, o.method, o.url, err, tt.want)
		}
	}
}

func TestZammadCall(t *testing.T) {
	const who = `"from":{"e164":"+8613800138000","raw":"013800138000"},"to":{"e164":"","raw":"1001"}`
	for name, tt := range map[string]struct {
		event, data string
		want        url.Values
	}{
		"new": {
			"call.new", `{"id":"c1","direction":"in","result":null,` + who + `}`,
			url.Values{"event": {"newCall"}},
		},
		"answer": {
			"call.answer", `{"id":"c1","direction":"in","result":null,"agent":{"id":"1001","name":"王芳"},"queue":{"id":"r","name":"报修"},` + who + `}`,
			url.Values{"event": {"answer"}, "user[]": {"王芳"}, "answeringNumber": {"1001"}, "queue": {"报修"}},
		},
		"hangup": {
			"call.hangup", `{"id":"c1","direction":"in","result":"answered","cause":"normal",` + who + `}`,
			url.Values{"event": {"hangup"}, "cause": {"normalClearing"}},
		},
		"gave up": {
			"call.hangup", `{"id":"c1","direction":"in","result":"abandoned","cause":"normal",` + who + `}`,
			url.Values{"event": {"hangup"}, "cause": {"cancel"}},
		},
		"nobody there": {
			"call.hangup", `{"id":"c1","direction":"in","result":"failed","cause":"notFound",` + who + `}`,
			url.Values{"event": {"hangup"}, "cause": {"notFound"}},
		},
	} {
		o, err := newShaper().outgoing(Delivery{URL: callbackURL, Trusted: true, Format: "zammad", Secret: []byte("s"), Body: about(tt.event, tt.data)})
		if err != nil {
			t.Fatal(name, err)
		}
		got, _ := url.ParseQuery(string(o.body))
		for name, value := range map[string]string{"callId": "c1", "direction": "in", "from": "8613800138000", "to": "1001"} {
			tt.want.Set(name, value)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
		if o.header.Get(SignatureHeader) == "" {
			t.Errorf("%s: it is not signed", name)
		}
	}
}

// replies is a Replies in memory.
type replies struct {
	got []Reply
	err error
}

func (r *replies) Reply(_ context.Context, reply Reply) error {
	r.got = append(r.got, reply)
	return r.err
}

// TestAnswersInTwiML posts an incoming text over a real socket to receivers that
// answer.
func TestAnswersInTwiML(t *testing.T) {
	for name, tt := range map[string]struct{ answer, want string }{
		"a reply":       {`<?xml version="1.0" encoding="UTF-8"?><Response><Message>已受理 &amp; 谢谢</Message></Response>`, "已受理 & 谢谢"},
		"with a body":   {"<Response><Message>\n<Body> 好 </Body></Message></Response>", "好"},
		"none":          {"<Response/>", ""},
		"not TwiML":     {"thanks", ""},
		"two":           {"<Response><Message>a</Message><Message>b</Message></Response>", ""},
		"elsewhere":     {`<Response><Message to="+8613900139000">a</Message></Response>`, ""},
		"a redirection": {"<Response><Redirect>http://x/</Redirect></Response>", ""},
		"a picture":     {"<Response><Message><Body>a</Body><Media>http://x/</Media></Message></Response>", ""},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				_, _ = io.WriteString(w, tt.answer)
			}))
			defer server.Close()
			r := &replies{}
			s := New(Config{Replies: r}, newMemory())
			d := Delivery{URL: server.URL, Trusted: true, Format: "twilio", Body: about(smsReceived, received)}
			if err := s.post(t.Context(), d); err != nil {
				t.Fatal(err)
			}
			var want []Reply
			if tt.want != "" {
				want = []Reply{{Incoming: messageID, Text: tt.want}}
			}
			if diff := cmp.Diff(want, r.got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestKannelOverTheWire: what comes out is a GET, and a path that was no URL as
// it was given is one.
func TestKannelOverTheWire(t *testing.T) {
	arrived := make(chan string, 1)
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- r.Method + " " + r.RequestURI + " " + r.Header.Get("Content-Type")
	}))
	defer server.Close()
	d := Delivery{URL: server.URL + "/%25d?id=%I", Trusted: true, Format: "kannel 31", Body: about(smsStatus, textOf("delivered", ""))}
	if err := newShaper().post(t.Context(), d); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.TrimSpace(<-arrived), "GET /1?id="+messageID; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
