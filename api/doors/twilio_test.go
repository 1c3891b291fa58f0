package doors

import (
	"encoding/json"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"callbox/internal/stamp"
	"callbox/sms"
)

const messagesURL = "/2010-04-01/Accounts/" + sid + "/Messages.json"

// twilioPost is a request as twilio-go and twilio-node send one.
func twilioPost(form url.Values) ask {
	return ask{"POST", messagesURL, form.Encode(), []string{formType, "Accept: application/json"}, sid + " " + secret}
}

// shown is a message as Twilio shows one.
func shown(status, service, from, body string) string {
	return `{"sid":"` + firstSM + `","account_sid":"` + sid + `","messaging_service_sid":` + service + `,
		"to":"` + phone + `","from":"` + from + `","body":"` + body + `","status":"` + status + `","direction":"outbound-api",
		"num_segments":"1","num_media":"0","price":null,"price_unit":"USD","error_code":null,"error_message":null,
		"api_version":"2010-04-01","date_created":"Sat, 01 Aug 2026 01:30:05 +0000","date_updated":"Sat, 01 Aug 2026 01:30:05 +0000",
		"date_sent":null,"uri":"/2010-04-01/Accounts/` + sid + `/Messages/` + firstSM + `.json",
		"subresource_uris":{"media":"/2010-04-01/Accounts/` + sid + `/Messages/` + firstSM + `/Media.json"}}`
}

func TestTwilioSend(t *testing.T) {
	sendAt := time.Date(2026, 9, 1, 8, 0, 0, 0, time.UTC)
	until := sendAt.Add(time.Hour)
	soon := time.Now().Add(time.Minute)
	for name, tt := range map[string]struct {
		form url.Values
		body string
		want sms.Request
	}{
		"from an access number": {
			url.Values{"To": {phone}, "From": {"10690001"}, "Body": {"你好"}},
			shown("queued", "null", "10690001", "你好"),
			sms.Request{To: []string{phone}, Text: "你好", Account: "cucc"},
		},
		"with a plus before it": {
			url.Values{"To": {"13800138000"}, "From": {"+10690000"}, "Body": {"x"}},
			shown("queued", "null", "10690000", "x"),
			sms.Request{To: []string{"13800138000"}, Text: "x", Account: "cmcc"},
		},
		"from a service, called back, for a minute": {
			url.Values{
				"To": {phone}, "MessagingServiceSid": {service}, "Body": {"x"}, "ValidityPeriod": {"60"},
				"StatusCallback": {"https://erp.example/cb?a=1"}, "SmartEncoded": {"true"}, "Attempt": {"1"},
			},
			shown("queued", `"`+service+`"`, "10690000", "x"),
			sms.Request{
				To: []string{phone}, Text: "x", ValidUntil: &soon,
				CallbackURL: "https://erp.example/cb?a=1", Format: "twilio " + sid,
			},
		},
		"later": {
			url.Values{
				"To": {phone}, "MessagingServiceSid": {service}, "Body": {"x"},
				"ScheduleType": {"fixed"}, "SendAt": {"2026-09-01T08:00:00Z"}, "ValidityPeriod": {"3600"},
			},
			shown("queued", `"`+service+`"`, "10690000", "x"),
			sms.Request{To: []string{phone}, Text: "x", SendAt: &sendAt, ValidUntil: &until},
		},
	} {
		t.Run(name, func(t *testing.T) { check(t, &house{}, twilioPost(tt.form), 201, tt.body, tt.want) })
	}
}

func TestTwilioRefuses(t *testing.T) {
	good := func(change ...string) url.Values {
		f := url.Values{"To": {phone}, "From": {"10690000"}, "Body": {"x"}}
		for i := 0; i < len(change); i += 2 {
			f.Set(change[i], change[i+1])
		}
		return f
	}
	for name, tt := range map[string]struct {
		form    url.Values
		code    int
		message string
	}{
		"no To":           {good("To", ""), 21604, "To: a 'To' phone number is required"},
		"no Body":         {good("Body", " "), 21602, "Body: message body is required"},
		"long Body":       {good("Body", strings.Repeat("长", 1601)), 21617, "Body: the message body exceeds the 1600 character limit"},
		"no From":         {good("From", ""), 21603, "From: a 'From' phone number or a MessagingServiceSid is required"},
		"From elsewhere":  {good("From", "+15005550006"), 21606, `From: "+15005550006" is no access number of this box's accounts`},
		"bad service":     {good("MessagingServiceSid", "MG1"), 21606, "MessagingServiceSid: is not MG and 32 hex digits"},
		"picture":         {good("MediaUrl", "http://x/y.png"), 20001, "MediaUrl: only texts are sent: no MediaUrl, no ContentSid"},
		"validity":        {good("ValidityPeriod", "36001"), 90007, "ValidityPeriod: is not from 1 to 36000 seconds"},
		"schedule":        {good("ScheduleType", "later"), 35114, "ScheduleType: is not 'fixed'"},
		"without service": {good("ScheduleType", "fixed", "SendAt", agreedAt), 35118, "MessagingServiceSid: is required to schedule a message"},
		"no time": {
			good("ScheduleType", "fixed", "SendAt", "tomorrow", "MessagingServiceSid", service), 35114,
			"SendAt: is no time of ISO 8601, as in 2026-05-15T14:30:00Z",
		},
	} {
		t.Run(name, func(t *testing.T) { check(t, &house{}, twilioPost(tt.form), 400, fault21(tt.code, 400, tt.message)) })
	}
}

// fault21 is an error as Twilio shows one.
func fault21(code, status int, message string) string {
	b, err := json.Marshal(twilioFault{code, message, "https://www.twilio.com/docs/errors/" + strconv.Itoa(code), status})
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// TestTwilioGatewayRefuses are faults that the gateway finds.
func TestTwilioGatewayRefuses(t *testing.T) {
	form := url.Values{"To": {"+861"}, "From": {"10690000"}, "Body": {"x"}, "StatusCallback": {"http://127.0.0.1/"}}
	res := twilioPost(form).do(t, &house{})
	var f twilioFault
	if err := json.NewDecoder(res.Body).Decode(&f); err != nil || f.Code != 21211 || f.Status != 400 || f.Message != `To: "+861" is no number` || res.StatusCode != 400 {
		t.Errorf("a bad To = %d %+v %v, want 21211", res.StatusCode, f, err)
	}
	for field, code := range map[string]int{"callback_url": 21609, "account": 21606, "text": 21602, "send_at": 35114, "priority": 20001} {
		h := &house{err: sms.Invalid{{Field: field, Err: sms.ErrNotServed}}}
		form.Set("To", phone)
		res := twilioPost(form).do(t, h)
		if err := json.NewDecoder(res.Body).Decode(&f); err != nil || f.Code != code || f.Message != field+": not yet supported" {
			t.Errorf("%s = %+v %v, want %d", field, f, err, code)
		}
	}
}

func TestTwilioLogIn(t *testing.T) {
	const auth = `{"code":20003,"message":"Authenticate","more_info":"https://www.twilio.com/docs/errors/20003","status":401}`
	for name, a := range map[string]ask{
		"none":           {"POST", messagesURL, "", []string{formType}, ""},
		"another sid":    {"POST", messagesURL, "", []string{formType}, "AC00000000000000000000000000000000 " + secret},
		"no sid":         {"POST", "/2010-04-01/Accounts/me/Messages.json", "", []string{formType}, "me " + secret},
		"a wrong key":    {"POST", messagesURL, "", []string{formType}, sid + " wrong"},
		"get":            {"GET", "/2010-04-01/Accounts/" + sid + "/Messages/" + firstSM + ".json", "", nil, ""},
		"list":           {"GET", messagesURL, "", nil, sid + " wrong"},
		"cancel":         {"POST", "/2010-04-01/Accounts/" + sid + "/Messages/" + firstSM + ".json", "Status=canceled", []string{formType}, ""},
		"without .json":  {"POST", "/2010-04-01/Accounts/" + sid + "/Messages", "", []string{formType}, ""},
		"bearer instead": {"POST", messagesURL, "", []string{formType, "Authorization: Bearer " + secret}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			res := check(t, &house{}, a, 401, auth)
			if got := res.Header.Get("WWW-Authenticate"); got != `Basic realm="callbox"` {
				t.Errorf("WWW-Authenticate: %s", got)
			}
		})
	}
}

// stored is a message that the key sent.
func stored(status sms.Status, e *sms.Error) *house {
	times := map[sms.Status]stamp.Time{sms.Queued: stamp.At(agreed)}
	if status != sms.Queued {
		times[sms.Submitted] = stamp.At(agreed.Add(time.Second))
		times[status] = stamp.At(agreed.Add(2 * time.Second))
	}
	return &house{
		signers: map[string]string{firstID: "id-erp"},
		messages: []sms.Message{{
			ID: firstID, Job: "j1", To: phone, Text: "x", Status: status, Parts: 2, Account: "cmcc", Times: times, Error: e,
		}},
	}
}

func TestTwilioGet(t *testing.T) {
	const path = "/2010-04-01/Accounts/" + sid + "/Messages/" + firstSM + ".json"
	get := ask{method: "GET", path: path, basic: sid + " " + secret}
	sent := strings.NewReplacer(
		`"num_segments":"1"`, `"num_segments":"2"`, `"date_sent":null`, `"date_sent":"Sat, 01 Aug 2026 01:30:06 +0000"`,
		`"date_updated":"Sat, 01 Aug 2026 01:30:05 +0000"`, `"date_updated":"Sat, 01 Aug 2026 01:30:07 +0000"`,
	)
	check(t, stored(sms.Delivered, nil), get, 200, sent.Replace(shown("delivered", "null", "10690000", "x")))
	bad := strings.NewReplacer(`"error_code":null`, `"error_code":30005`, `"error_message":null`, `"error_message":"UNDELIV no such number"`)
	check(t, stored(sms.Failed, &sms.Error{Stat: "UNDELIV", Text: "no such number"}), get, 200,
		bad.Replace(sent.Replace(shown("undelivered", "null", "10690000", "x"))))

	missing := fault21(20404, 404, "the requested resource "+path+" was not found")
	check(t, &house{}, get, 404, missing)
	other := stored(sms.Delivered, nil)
	other.signers[firstID] = "id-of-another"
	check(t, other, get, 404, missing)
	get.path = "/2010-04-01/Accounts/" + sid + "/Messages/SM1.json"
	check(t, &house{}, get, 404, fault21(20404, 404, "the requested resource "+get.path+" was not found"))
	get.path = "/2010-04-01/Accounts/" + sid + ".json"
	check(t, &house{}, get, 404, fault21(20404, 404, "the requested resource "+get.path+" was not found"))
	xml := fault21(20406, 406, "XML is not served here: put .json behind the path")
	get.path = strings.TrimSuffix(path, ".json")
	check(t, &house{}, get, 406, xml)
	check(t, &house{}, ask{"POST", strings.TrimSuffix(messagesURL, ".json"), "To=1", []string{formType}, sid + " " + secret}, 406, xml)
}

func TestTwilioCancel(t *testing.T) {
	cancel := ask{"POST", "/2010-04-01/Accounts/" + sid + "/Messages/" + firstSM + ".json", "Status=canceled", []string{formType}, sid + " " + secret}
	h := stored(sms.Queued, nil)
	check(t, h, cancel, 200, strings.Replace(shown("canceled", "null", "10690000", "x"), `"num_segments":"1"`, `"num_segments":"2"`, 1))
	if !cmp.Equal(h.canceled, []string{"j1"}) {
		t.Errorf("canceled %v", h.canceled)
	}
	check(t, stored(sms.Delivered, nil), cancel, 409, fault21(20001, 409, "Status: the message is delivered already"))
	cancel.body = "Body="
	check(t, stored(sms.Queued, nil), cancel, 400, fault21(20001, 400, "Status: only Status=canceled is served"))
}

func TestTwilioList(t *testing.T) {
	list := func(query string) ask {
		return ask{method: "GET", path: messagesURL + query, basic: sid + " " + secret}
	}
	h := stored(sms.Queued, nil)
	h.messages[0].Parts = 1
	h.next = firstID
	page := func(messages, first, next, uri string, number, size, start, end int) string {
		b, err := json.Marshal(map[string]any{
			"messages": json.RawMessage(messages), "first_page_uri": messagesURL + first, "next_page_uri": json.RawMessage(next),
			"previous_page_uri": nil, "uri": messagesURL + uri, "page": number, "page_size": size, "start": start, "end": end,
		})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	check(t, h, list("?To=13800138000&From=10690000&PageSize=1&DateSent=2026-08-01"), 200, page(
		"["+shown("queued", "null", "10690000", "x")+"]", "?DateSent=2026-08-01&From=10690000&Page=0&PageSize=1&To=13800138000",
		`"`+messagesURL+`?DateSent=2026-08-01&From=10690000&Page=1&PageSize=1&PageToken=`+firstID+`&To=13800138000"`,
		"?DateSent=2026-08-01&From=10690000&Page=0&PageSize=1&To=13800138000", 0, 1, 0, 0))
	day := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	want := Filter{Signer: "id-erp", To: "13800138000", Accounts: []string{"cmcc"}, Since: day, Until: day.Add(24 * time.Hour), Limit: 1}
	if diff := cmp.Diff(want, h.filter); diff != "" {
		t.Error(diff)
	}
	h = &house{}
	check(t, h, list("?Page=1&PageToken="+firstID+"&DateSent%3E=2026-08-01T01:30:05Z&DateSent%3C=2026-08-02"), 200,
		page("[]", "?DateSent%3C=2026-08-02&DateSent%3E=2026-08-01T01%3A30%3A05Z&Page=0", "null",
			"?DateSent%3C=2026-08-02&DateSent%3E=2026-08-01T01%3A30%3A05Z&Page=1&PageToken="+firstID, 1, 50, 50, 50))
	want = Filter{Signer: "id-erp", Since: agreed, Until: day.Add(48 * time.Hour), Limit: 50, Cursor: firstID}
	if diff := cmp.Diff(want, h.filter); diff != "" {
		t.Error(diff)
	}
	check(t, stored(sms.Queued, nil), list("?From=%2B15005550006"), 200,
		page("[]", "?From=%2B15005550006&Page=0", "null", "?From=%2B15005550006&Page=0", 0, 50, 0, 0))
	check(t, &house{}, list("?PageSize=0"), 400, fault21(20001, 400, "PageSize: is not from 1 to 1000"))
	check(t, &house{}, list("?DateSent=x"), 400, fault21(20001, 400, "DateSent: is neither YYYY-MM-DD nor a time of ISO 8601"))
	check(t, &house{}, list("?PageToken=garbage"), 400, fault21(20001, 400, "page: no such cursor"))
}
