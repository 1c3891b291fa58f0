package doors

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strings"
	"testing"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"

	"callbox/sms"
)

// ids of the messages that house.Accept makes, as SMSEagle's numbers.
var (
	id1 = fmt.Sprint(eagleID(sms.Message{ID: "0198a5d0-0000-7001-8000-000000000000"}))
	id2 = fmt.Sprint(eagleID(sms.Message{ID: "0198a5d0-0000-7002-8000-000000000000"}))
)

func TestEagleHTTP(t *testing.T) {
	at := time.Date(2026, 8, 1, 9, 30, 0, 0, beijing)
	until := at.Add(12 * time.Hour)
	const base = "/http_api/send_sms?"
	for name, tt := range map[string]struct {
		a      ask
		status int
		body   string
		want   []sms.Request
	}{
		"one": {
			ask{method: "GET", path: base + "access_token=" + secret + "&to=13800138000&message=%E4%BD%A0%E5%A5%BD&unicode=1&flash=0"},
			200, "OK; ID=" + id1,
			[]sms.Request{{To: []string{"13800138000"}, Text: "你好"}},
		},
		"two, by log-in, urgent": {
			ask{method: "GET", path: base + "login=erp&pass=" + secret + "&to=13800138000,13900139000&message=a&highpriority=1"},
			200, "OK; ID=" + id1 + "\nOK; ID=" + id2,
			[]sms.Request{{To: []string{"13800138000", "13900139000"}, Text: "a", Priority: "high"}},
		},
		"posted, later, for a while": {
			ask{"POST", "/http_api/send_sms", "access_token=" + secret + "&to=13800138000&message=a&date=202608010930&validity=12h", []string{formType}, ""},
			200, "OK; ID=" + id1,
			[]sms.Request{{To: []string{"13800138000"}, Text: "a", SendAt: &at, ValidUntil: &until}},
		},
		"xml": {
			ask{method: "GET", path: base + "access_token=" + secret + "&to=13800138000&message=a&responsetype=xml&validity=max"},
			200, "<xml><message_id>" + id1 + "</message_id><status>ok</status></xml>",
			[]sms.Request{{To: []string{"13800138000"}, Text: "a"}},
		},
		"xml of two": {
			ask{method: "GET", path: base + "access_token=" + secret + "&to=13800138000,13900139000&message=a&responsetype=xml"},
			200, "<xml><item><message_id>" + id1 + "</message_id><status>ok</status></item><item><message_id>" + id2 + "</message_id><status>ok</status></item></xml>",
			[]sms.Request{{To: []string{"13800138000", "13900139000"}, Text: "a"}},
		},
		"wrong token": {ask{method: "GET", path: base + "access_token=x&to=1&message=a"}, 401, "Invalid access token", nil},
		"wrong log-in in xml": {
			ask{method: "GET", path: base + "login=erp&pass=x&responsetype=xml"},
			401,
			"<xml><error_text>Invalid login or password</error_text><status>error</status></xml>", nil,
		},
		"no number": {ask{method: "GET", path: base + "access_token=" + secret + "&message=a"}, 400, "Wrong parameters: to: is empty", nil},
		"no text":   {ask{method: "GET", path: base + "access_token=" + secret + "&to=1"}, 400, "Wrong parameters: message: is empty", nil},
		"bad date": {
			ask{method: "GET", path: base + "access_token=" + secret + "&to=1&message=a&date=now"},
			400,
			"Wrong parameters: date: is not YYYYmmDDHHMM", nil,
		},
		"bad validity": {
			ask{method: "GET", path: base + "access_token=" + secret + "&to=1&message=a&validity=m"},
			400,
			"Wrong parameters: validity: is neither max nor such as 5m, 12h, 2d, 4w", nil,
		},
		"test": {
			ask{method: "GET", path: base + "access_token=" + secret + "&to=1&message=a&test=1"},
			400,
			"Wrong parameters: test: not yet supported", nil,
		},
		"bad number": {
			ask{method: "GET", path: base + "access_token=" + secret + "&to=13800138000,abc&message=a"},
			400,
			`Wrong parameters: to[1]: "abc" is no number`,
			[]sms.Request{{To: []string{"13800138000", "abc"}, Text: "a"}},
		},
	} {
		t.Run(name, func(t *testing.T) { check(t, &house{}, tt.a, tt.status, tt.body, tt.want...) })
	}
}

func TestEagleRPC(t *testing.T) {
	call := func(params string) ask {
		return ask{"POST", "/jsonrpc/sms", `{"method":"sms.send_sms","params":{` + params + `}}`, []string{"Content-Type: application/json"}, ""}
	}
	const token = `"access_token":"` + secret + `",`
	one, two := []sms.Request{{To: []string{"13800138000"}, Text: "a"}}, []sms.Request{{To: []string{"13800138000", "13900139000"}, Text: "a", Priority: "high"}}
	for name, tt := range map[string]struct {
		a      ask
		status int
		body   string
		want   []sms.Request
	}{
		"simple":   {call(token + `"to":"13800138000","message":"a"`), 200, `{"result":"OK; ID=` + id1 + `"}`, one},
		"extended": {call(token + `"to":13800138000,"message":"a","responsetype":"extended"`), 200, `{"result":{"message_id":"` + id1 + `","status":"ok"}}`, one},
		"extended, two": {
			call(token + `"to":["13800138000",13900139000],"message":"a","responsetype":"extended","highpriority":"1","x":{}`), 200,
			`{"result":[{"message_id":"` + id1 + `","status":"ok"},{"message_id":"` + id2 + `","status":"ok"}]}`, two,
		},
		"simple, two": {
			call(`"login":"erp","pass":"` + secret + `","to":"13800138000,13900139000","message":"a","highpriority":1`), 200,
			`{"result":["OK; ID=` + id1 + `","OK; ID=` + id2 + `"]}`, two,
		},
		"wrong token, extended": {
			call(`"access_token":"x","responsetype":"extended"`), 401, `{"result":{"error_text":"Invalid access token","status":"error"}}`, nil,
		},
		"wrong log-in":   {call(`"login":"erp","pass":"x"`), 401, `{"result":"Invalid login or password"}`, nil},
		"wrong":          {call(token + `"to":"1"`), 400, `{"result":"Wrong parameters: message: is empty"}`, nil},
		"another method": {ask{"POST", "/jsonrpc/sms", `{"method":"sms.send_tocontact"}`, nil, ""}, 400, `{"result":"Wrong parameters: method: only sms.send_sms is served"}`, nil},
		"not JSON":       {ask{"POST", "/jsonrpc/sms", `]`, nil, ""}, 400, `{"result":"Wrong parameters: body: cannot be read: invalid character ']' looking for beginning of value"}`, nil},
		"an object": {
			call(token + `"to":{},"message":"a"`), 400,
			`{"result":"Wrong parameters: body: cannot be read: neither a string nor a number nor a list of them"}`, nil,
		},
		"GBK": {call(token + `"to":"1","message":"` + "\xc4\xe3" + `"`), 400, `{"result":"Wrong parameters: body: cannot be read: it is not UTF-8"}`, nil},
	} {
		t.Run(name, func(t *testing.T) { check(t, &house{}, tt.a, tt.status, tt.body, tt.want...) })
	}
}

func TestEagleV2(t *testing.T) {
	send := func(body string) ask {
		return ask{"POST", "/api/v2/messages/sms", body, []string{"Content-Type: application/json", "access-token: " + secret}, ""}
	}
	check(t, &house{}, send(`{"to":["13800138000","+8613900139000"],"text":"你好","encoding":"unicode","priority":0,"test":false}`), 200,
		`[{"status":"queued","message":"你好","number":"13800138000","id":`+id1+`},{"status":"queued","message":"你好","number":"+8613900139000","id":`+id2+`}]`,
		sms.Request{To: []string{"13800138000", "+8613900139000"}, Text: "你好"})
	check(t, &house{}, send(`{"to":["13800138000"],"text":"a","priority":9}`), 200,
		`[{"status":"queued","message":"a","number":"13800138000","id":`+id1+`}]`,
		sms.Request{To: []string{"13800138000"}, Text: "a", Priority: "9"})
	check(t, &house{}, send(`{"to":[],"text":"a"}`), 400, `{"error_text":"Wrong parameters: to: is empty","status":"error"}`)
	check(t, &house{}, ask{method: "POST", path: "/api/v2/messages/sms", body: "{}"}, 401, `{"error_text":"Invalid access token","status":"error"}`)
}

// bytesOf is a text in another alphabet, as it stands in a query.
func bytesOf(text, charset string) string {
	code := simplifiedchinese.GBK.NewEncoder()
	if charset != "GBK" {
		code = unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM).NewEncoder()
	}
	raw, err := code.String(text)
	if err != nil {
		return err.Error()
	}
	return url.QueryEscape(raw)
}

func TestKannel(t *testing.T) {
	const login = "/cgi-bin/sendsms?username=erp&password=" + secret
	soon, until := time.Now().Add(10*time.Minute), time.Now().Add(70*time.Minute)
	to := []string{"13800138000"}
	for name, tt := range map[string]struct {
		a      ask
		status int
		body   string
		want   []sms.Request
	}{
		"one": {
			ask{method: "GET", path: login + "&from=10690001&to=13800138000&text=hi+there"},
			202, "0: Accepted for delivery",
			[]sms.Request{{To: to, Text: "hi there", Account: "cucc"}},
		},
		"short names, two numbers, posted": {
			ask{"POST", "/cgi-bin/sendsms", "user=erp&pass=" + secret + "&from=anything&to=%2B8613800138000+13900139000&text=a", []string{formType}, ""},
			202, "0: Accepted for delivery",
			[]sms.Request{{To: []string{"+8613800138000", "13900139000"}, Text: "a"}},
		},
		"a plus that is a blank": {
			ask{method: "GET", path: login + "&to=+8613800138000&text=a&smsc=cucc"},
			202, "0: Accepted for delivery",
			[]sms.Request{{To: []string{"8613800138000"}, Text: "a", Account: "cucc"}},
		},
		"GBK": {
			ask{method: "GET", path: login + "&to=13800138000&charset=gbk&text=" + bytesOf("你好", "GBK")},
			202, "0: Accepted for delivery",
			[]sms.Request{{To: to, Text: "你好"}},
		},
		"coding 2": {
			ask{method: "GET", path: login + "&to=13800138000&coding=2&text=" + bytesOf("你好😀", "UTF-16BE")},
			202, "0: Accepted for delivery",
			[]sms.Request{{To: to, Text: "你好😀"}},
		},
		"coding 2 in UTF-8": {
			ask{method: "GET", path: login + "&to=13800138000&coding=2&charset=UTF-8&text=" + url.QueryEscape("你好")},
			202, "0: Accepted for delivery",
			[]sms.Request{{To: to, Text: "你好"}},
		},
		"later, for an hour, first": {
			ask{method: "GET", path: login + "&to=13800138000&text=a&deferred=10&validity=60&priority=3"},
			202, "3: Queued for later delivery",
			[]sms.Request{{To: to, Text: "a", SendAt: &soon, ValidUntil: &until, Priority: "9"}},
		},
		"reports": {
			ask{method: "GET", path: login + "&to=13800138000&text=a&dlr-mask=31&dlr-url=" + url.QueryEscape("http://h/dlr?type=%d&id=%I")},
			202,
			"0: Accepted for delivery",
			[]sms.Request{{To: to, Text: "a", CallbackURL: "http://h/dlr?type=%d&id=%I", Format: "kannel 31"}},
		},
		"reports in a path": {
			ask{method: "GET", path: login + "&to=13800138000&text=a&dlr-mask=1&dlr-url=" + url.QueryEscape("http://h/%p/x?t=%d")},
			202,
			"0: Accepted for delivery",
			[]sms.Request{{To: to, Text: "a", CallbackURL: "http://h/%25p/x?t=%d", Format: "kannel 1"}},
		},
		"no mask, no reports": {
			ask{method: "GET", path: login + "&to=13800138000&text=a&dlr-url=http://h/"}, 202, "0: Accepted for delivery", []sms.Request{{To: to, Text: "a"}},
		},
		"wrong password": {ask{method: "GET", path: "/cgi-bin/sendsms?username=erp&password=x&to=1&text=a"}, 403, "Authorization failed for sendsms", nil},
		"no number":      {ask{method: "GET", path: login + "&text=a"}, 400, "Missing receiver number, rejected", nil},
		"no text":        {ask{method: "GET", path: login + "&to=1"}, 400, "Empty text not supported, rejected", nil},
		"not GBK":        {ask{method: "GET", path: login + "&to=1&charset=GBK&text=%ff%ff"}, 400, "Charset or body misformed, rejected: text: is not GBK", nil},
		"not UTF-8":      {ask{method: "GET", path: login + "&to=1&text=%c4%e3"}, 400, "Charset or body misformed, rejected: text: is not UTF-8", nil},
		"half a unit":    {ask{method: "GET", path: login + "&to=1&coding=2&text=%4f"}, 400, "Charset or body misformed, rejected: text: is not UTF-16BE", nil},
		"Klingon":        {ask{method: "GET", path: login + "&to=1&charset=x&text=a"}, 400, "Charset or body misformed, rejected: charset: is not served", nil},
		"binary":         {ask{method: "GET", path: login + "&to=1&coding=1&text=a"}, 400, "coding: only texts are sent: no udh, no 8-bit data, rejected", nil},
		"priority":       {ask{method: "GET", path: login + "&to=1&text=a&priority=4"}, 400, "priority: is not 0 to 3, rejected", nil},
		"validity":       {ask{method: "GET", path: login + "&to=1&text=a&validity=-1"}, 400, "validity: is no number of minutes, rejected", nil},
		"mask":           {ask{method: "GET", path: login + "&to=1&text=a&dlr-url=http://h/&dlr-mask=32"}, 400, "dlr-mask: is not 0 to 31, rejected", nil},
	} {
		t.Run(name, func(t *testing.T) { check(t, &house{}, tt.a, tt.status, tt.body, tt.want...) })
	}
}

func TestZammad(t *testing.T) {
	const base = "/massenversand/send?authToken=" + secret
	check(t, &house{}, ask{method: "GET", path: base + "&getID=1&msg=%E4%BD%A0%E5%A5%BD&msgtype=c&receiver=%2B8613800138000&sender=10690001"}, 200,
		"OK "+id1, sms.Request{To: []string{phone}, Text: "你好", Account: "cucc"})
	check(t, &house{}, ask{method: "GET", path: base + "&msg=a&receiver=13800138000&sender=Zammad"}, 200,
		"OK", sms.Request{To: []string{"13800138000"}, Text: "a"})
	check(t, &house{}, ask{method: "GET", path: base + "&msg=a&receiver="}, 400, "ERROR: receiver is missing")
	check(t, &house{}, ask{method: "GET", path: base + "&msg=a&receiver=x"}, 400, "ERROR: receiver is no number that a text can be sent to",
		sms.Request{To: []string{"x"}, Text: "a"})
	check(t, &house{}, ask{method: "GET", path: "/massenversand/send?authToken=x&msg=a&receiver=1"}, 401, "ERROR: authToken is nobody's key")
}

// alertBody is what Alertmanager sends, with some of it changed.
func alertBody(change map[string]any) string {
	body := map[string]any{
		"version": "4", "groupKey": `{}:{alertname="DiskFull"}`, "truncatedAlerts": 0, "status": "firing", "receiver": "sms",
		"groupLabels": map[string]string{"alertname": "DiskFull"}, "commonLabels": map[string]string{"alertname": "DiskFull"},
		"commonAnnotations": map[string]string{"summary": "db1 磁盘 95%"}, "externalURL": "http://am", "unknown": []int{1},
		"alerts": []any{map[string]any{
			"status": "firing", "labels": map[string]string{"alertname": "DiskFull", "instance": "db1"}, "annotations": map[string]string{},
			"startsAt": agreedAt, "endsAt": "0001-01-01T00:00:00Z", "generatorURL": "http://prom", "fingerprint": "f1",
		}},
	}
	for k, v := range change {
		body[k] = v
	}
	b, err := json.Marshal(body)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

func TestAlertTexts(t *testing.T) {
	none := map[string]string{}
	some := func(n int) (alerts []any) {
		for i := range n {
			alerts = append(alerts, map[string]any{
				"labels": map[string]string{"alertname": "Down", "instance": fmt.Sprintf("h%d", i)}, "fingerprint": fmt.Sprint(i),
			})
		}
		return alerts
	}
	for name, tt := range map[string]struct {
		change map[string]any
		want   string
	}{
		"a summary":          {nil, "db1 磁盘 95%"},
		"it is over":         {map[string]any{"status": "resolved"}, "[恢复] db1 磁盘 95%"},
		"over, in English":   {map[string]any{"status": "resolved", "commonAnnotations": map[string]string{"summary": "disk full"}}, "[resolved] disk full"},
		"Grafana's title":    {map[string]any{"commonAnnotations": none, "title": "[FIRING:1] DiskFull", "message": "long"}, "[FIRING:1] DiskFull"},
		"one by its labels":  {map[string]any{"commonAnnotations": none}, "DiskFull db1"},
		"many by theirs":     {map[string]any{"commonAnnotations": none, "alerts": some(5), "truncatedAlerts": 2}, "Down h0; Down h1; Down h2; +4"},
		"a description":      {map[string]any{"commonAnnotations": map[string]string{"description": "d"}, "alerts": nil}, "d"},
		"a name":             {map[string]any{"commonAnnotations": none, "alerts": nil}, "DiskFull"},
		"control characters": {map[string]any{"commonAnnotations": map[string]string{"summary": "a\tb\x00c\r\n"}}, "a b c"},
		"too long":           {map[string]any{"commonAnnotations": map[string]string{"summary": strings.Repeat("长", 400)}}, strings.Repeat("长", 299) + "…"},
	} {
		h := &house{}
		a := ask{"POST", "/api/v1/sms/alerts?to=13800138000,13900139000&class=notice&priority=urgent", alertBody(tt.change), []string{"Authorization: Bearer " + secret}, ""}
		if res := a.do(t, h); res.StatusCode != 202 || len(h.got) != 1 {
			t.Errorf("%s = %d, %d jobs", name, res.StatusCode, len(h.got))
			continue
		}
		r := h.got[0]
		if r.Text != tt.want || r.Class != "notice" || r.Priority != "urgent" || len(r.To) != 2 || r.Dedup == nil || r.Dedup.Window != 300 {
			t.Errorf("%s: %+v, want %q", name, r, tt.want)
		}
	}
}

func TestAlertsOnce(t *testing.T) {
	dedup := func(path string, change map[string]any) string {
		h := &house{}
		res := ask{method: "POST", path: "/api/v1/sms/alerts?to=" + path, body: alertBody(change), basic: "erp " + secret}.do(t, h)
		if res.StatusCode != 202 {
			t.Fatalf("%d", res.StatusCode)
		}
		return h.got[0].Dedup.Key
	}
	two := func(a, b string) map[string]any {
		return map[string]any{"alerts": []any{map[string]any{"fingerprint": a}, map[string]any{"fingerprint": b}}}
	}
	bare := func(summary string) map[string]any {
		return map[string]any{"groupKey": "", "alerts": nil, "commonAnnotations": map[string]string{"summary": summary}}
	}
	if dedup("13800138000", bare("a")) == dedup("13800138000", bare("b")) {
		t.Error("alerts that nothing but their text tells apart are one job")
	}
	first := dedup("13800138000", nil)
	if again := dedup("13800138000", map[string]any{"externalURL": "http://am2"}); again != first {
		t.Error("the same alerts again are another job")
	}
	if dedup("13800138000", two("f1", "f2")) != dedup("13800138000", two("f2", "f1")) {
		t.Error("the order of alerts makes another job")
	}
	for name, other := range map[string]string{
		"resolved": dedup("13800138000", map[string]any{"status": "resolved"}), "another alert": dedup("13800138000", two("f1", "f2")),
		"another group": dedup("13800138000", map[string]any{"groupKey": "x"}), "another phone": dedup("13900139000", nil),
	} {
		if other == first {
			t.Errorf("%s is the same job", name)
		}
	}
}

func TestAlertsRefuse(t *testing.T) {
	const path = "/api/v1/sms/alerts"
	key := []string{"Authorization: Bearer " + secret}
	for name, tt := range map[string]struct {
		a      ask
		status int
		body   string
	}{
		"nobody": {
			ask{"POST", path, alertBody(nil), key, ""},
			422,
			`{"title":"Unprocessable Entity","status":422,"detail":"validation failed","errors":[{"message":"names nobody to send to","location":"query.to"}]}`,
		},
		"unknown": {
			ask{"POST", path + "?to=1&text=x", alertBody(nil), key, ""},
			422,
			`{"title":"Unprocessable Entity","status":422,"detail":"validation failed","errors":[{"message":"is none of to, class, account, priority","location":"query.text"}]}`,
		},
		"not JSON": {
			ask{"POST", path + "?to=1", "x", key, ""},
			400,
			`{"title":"Bad Request","status":400,"detail":"validation failed","errors":[{"message":"is no alert: invalid character 'x' looking for beginning of value","location":"body"}]}`,
		},
		"nothing": {
			ask{"POST", path + "?to=1", "{}", key, ""},
			422,
			`{"title":"Unprocessable Entity","status":422,"detail":"validation failed","errors":[{"message":"has neither commonAnnotations.summary nor title, message, labels or alerts","location":"body"}]}`,
		},
		"no key": {ask{"POST", path + "?to=1", "{}", nil, ""}, 401, `{"title":"Unauthorized","status":401,"detail":"nobody has this name and key"}`},
	} {
		t.Run(name, func(t *testing.T) { check(t, &house{}, tt.a, tt.status, tt.body) })
	}
	h := &house{}
	res := ask{"POST", path + "?to=abc", alertBody(nil), key, ""}.do(t, h)
	var p problem
	if err := json.NewDecoder(res.Body).Decode(&p); err != nil || res.StatusCode != 422 || len(p.Errors) != 1 || p.Errors[0].Location != "query.to[0]" {
		t.Errorf("a bad number = %d %+v", res.StatusCode, p)
	}
}
