package api

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
)

// goodToken leads to job-k of the fakes.
const goodToken = "abcDEF123456"

func (w *world) Acknowledge(_ context.Context, job, how, by string) (sms.Job, error) {
	defer w.locked()()
	j, ok := w.jobs[job]
	if !ok {
		return j, sms.ErrNotFound
	}
	if j.Ack == nil {
		j.Ack = &sms.Ack{How: how, By: by, Time: stamp.Now()}
		w.jobs[job] = j
	}
	return j, nil
}

func (w *world) Press(_ context.Context, token string, p sms.Press) error {
	defer w.locked()()
	switch {
	case token != goodToken:
		return sms.ErrNotFound
	case p.Word == sms.WordLeft && strings.TrimSpace(p.Remark) == "":
		return sms.Invalid{{Field: "remark", Err: errors.New("is missing")}}
	case p.Word == "":
		return sms.Invalid{{Field: "word", Err: errors.New("is on no button")}}
	case p.Remark == "disk full":
		return storage.ErrUnavailable
	}
	w.done = append(w.done, p.Word+":"+p.Remark)
	return nil
}

func (w *world) Link(_ context.Context, token string) (sms.Link, error) {
	defer w.locked()()
	if token != goodToken {
		return sms.Link{}, storage.ErrNotFound
	}
	at := stamp.At(time.Date(2026, 11, 22, 4, 5, 0, 0, time.UTC))
	return sms.Link{
		Message: sms.Message{Job: "job-k", Ref: "WO-<7>", Text: "【安顺维保】<b>困人</b>\nhttps://box.example/a/" + goodToken},
		Ack:     &sms.Ack{How: sms.AckLink, By: "+8613800138000", Time: at},
		Answers: []sms.Incoming{
			{Time: at, From: "+8613800138000", Keyword: sms.WordTaken, Text: sms.WordTaken},
			{Time: at, From: "+8613800138000", Keyword: sms.WordLeft, Text: "<i>缺配件</i>"},
		},
	}, nil
}

func TestAckOverTheAPI(t *testing.T) {
	w := newWorld(t)
	w.jobs["j1"], w.signers["j1"] = sms.Job{ID: "j1"}, userSigner+"1001"
	key := bearerOf(ScopeSMS)
	nobody := w.browser()
	for _, by := range []string{"值班长", "另一个"} {
		status, body := nobody.do("POST", "/api/v1/sms/jobs/j1/ack", map[string]string{"by": by}, key...)
		if status != 200 || !strings.Contains(body, `"how":"api"`) || !strings.Contains(body, `"by":"值班长"`) {
			t.Errorf("ack by %s = %d %s", by, status, body)
		}
	}
	for name, tt := range map[string]struct {
		path string
		body any
		want int
	}{
		"no such job":  {"/api/v1/sms/jobs/nope/ack", "{}", 404},
		"unknown key":  {"/api/v1/sms/jobs/j1/ack", `{"who":"x"}`, 422},
		"too long":     {"/api/v1/sms/jobs/j1/ack", map[string]string{"by": strings.Repeat("x", 129)}, 422},
		"without body": {"/api/v1/sms/jobs/j1/ack", nil, 400},
	} {
		if status, body := nobody.do("POST", tt.path, tt.body, key...); status != tt.want {
			t.Errorf("%s = %d %s, want %d", name, status, body, tt.want)
		}
	}
	w.jobs["j2"], w.signers["j2"] = sms.Job{ID: "j2"}, userSigner+"1001"
	if status, _ := w.login("1002").do("POST", "/api/v1/sms/jobs/j2/ack", "{}"); status != 404 {
		t.Errorf("another agent's job = %d, want 404", status)
	}
	if status, body := w.login("1001").do("POST", "/api/v1/sms/jobs/j2/ack", "{}"); status != 200 || !strings.Contains(body, `"by":"A 1001"`) {
		t.Errorf("his own, by himself = %d %s", status, body)
	}
}

// form posts a form as a phone's browser does.
func (b *browser) form(path string, fields url.Values, headers ...string) *http.Response {
	b.w.t.Helper()
	return b.send("POST", path, fields.Encode(), append([]string{"Content-Type", "application/x-www-form-urlencoded"}, headers...)...)
}

func bodyOf(t *testing.T, resp *http.Response) string {
	t.Helper()
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLooksChangeNothing(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.Zone = time.FixedZone("CST", 8*3600) })
	b := w.browser()
	for _, method := range []string{"GET", "HEAD"} {
		resp := b.send(method, "/a/"+goodToken, nil, "Referer", "https://elsewhere.example/")
		body := bodyOf(t, resp)
		if resp.StatusCode != 200 {
			t.Fatalf("%s = %d", method, resp.StatusCode)
		}
		for name, want := range map[string]string{
			"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Robots-Tag": "noindex, nofollow",
			"Referrer-Policy": "same-origin", "X-Content-Type-Options": "nosniff", "Content-Language": "zh-Hans",
		} {
			if got := resp.Header.Get(name); got != want {
				t.Errorf("%s: %s: %q, want %q", method, name, got, want)
			}
		}
		if method == "HEAD" && body != "" {
			t.Errorf("HEAD has a body")
		}
	}
	body := bodyOf(t, b.send("GET", "/a/"+goodToken, nil))
	for _, want := range []string{
		`<html lang="zh-Hans">`, "工单 WO-&lt;7&gt;", "&lt;b&gt;困人&lt;/b&gt;", "已确认: 链接 · …8000 · 11-22 12:05",
		`value="接单"`, `value="到达"`, `value="完成"`, `value="遗留原因"`, `<bdi lang="zh-Hans">&lt;i&gt;缺配件&lt;/i&gt;</bdi>`, `<label for="remark">`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("the page lacks %s:\n%s", want, body)
		}
	}
	if strings.Contains(body, "<script") || strings.Contains(body, "13800138000") {
		t.Errorf("the page has a script, or a whole number:\n%s", body)
	}
	if len(w.done) != 0 {
		t.Errorf("a look did %q", w.done)
	}
}

// TestStyleIsTheOneAllowed: a browser takes only the style whose hash the
// policy names.
func TestStyleIsTheOneAllowed(t *testing.T) {
	w := newWorld(t)
	resp := w.browser().send("GET", "/a/"+goodToken, nil)
	m := regexp.MustCompile(`(?s)<style>(.*)</style>`).FindStringSubmatch(bodyOf(t, resp))
	if m == nil || !strings.Contains(resp.Header.Get("Content-Security-Policy"), "'sha256-"+hashOf(m[1])+"'") {
		t.Errorf("style %q under %q", m, resp.Header.Get("Content-Security-Policy"))
	}
}

func TestLanguageOfTheLink(t *testing.T) {
	w := newWorld(t)
	for header, want := range map[string]string{
		"": "zh-Hans", "zh-CN,zh;q=0.9,en;q=0.8": "zh-Hans", "en-US,en;q=0.9": "en", "en;q=0.5,zh;q=0.9": "zh-Hans",
		"!!!": "zh-Hans", "zh-TW": "zh-Hans",
	} {
		resp := w.browser().send("GET", "/a/"+goodToken, nil, "Accept-Language", header)
		body := bodyOf(t, resp)
		if !strings.Contains(body, `<html lang="`+want+`">`) || strings.Contains(body, "Arrived") != (want == "en") || !strings.Contains(body, "到达") {
			t.Errorf("Accept-Language %q: not in %s", header, want)
		}
	}
}

func TestPressBehindALink(t *testing.T) {
	w := newWorld(t, func(c *Config, _ *Deps) { c.PublicURL = "https://box.example" })
	b := w.browser()
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	path := "/a/" + goodToken
	for name, tt := range map[string]struct {
		fields  url.Values
		headers []string
		status  int
		want    string
	}{
		"taken":              {url.Values{"word": {"接单"}}, []string{"Origin", w.srv.URL}, 303, ""},
		"behind a proxy":     {url.Values{"word": {"到达"}}, []string{"Origin", "https://box.example"}, 303, ""},
		"a browser's":        {url.Values{"word": {"完成"}}, []string{"Origin", w.srv.URL, "Sec-Fetch-Site", "same-origin"}, 303, ""},
		"without Origin":     {url.Values{"word": {"完成"}}, nil, 303, ""},
		"with a reason":      {url.Values{"word": {"遗留原因"}, "remark": {"缺\r\n配件"}}, nil, 303, ""},
		"without a reason":   {url.Values{"word": {"遗留原因"}, "remark": {" "}}, nil, 422, `aria-describedby="fault"`},
		"without a button":   {nil, nil, 422, "没有这个按钮"},
		"another site's":     {url.Values{"word": {"接单"}}, []string{"Origin", "https://evil.example"}, 403, ""},
		"without an address": {url.Values{"word": {"接单"}}, []string{"Origin", "null"}, 403, ""},
		"a full disk":        {url.Values{"word": {"接单"}, "remark": {"disk full"}}, nil, 503, "稍后再试"},
		"too much":           {url.Values{"word": {"接单"}, "remark": {strings.Repeat("x", maxPress)}}, nil, 400, "无法识别"},
	} {
		resp := b.form(path, tt.fields, tt.headers...)
		body := bodyOf(t, resp)
		if resp.StatusCode != tt.status || !strings.Contains(body, tt.want) {
			t.Errorf("%s = %d %s, want %d %s", name, resp.StatusCode, body, tt.status, tt.want)
		}
		if tt.status == 303 && resp.Header.Get("Location") != goodToken+"#done" {
			t.Errorf("%s leads to %q", name, resp.Header.Get("Location"))
		}
	}
	if len(w.done) != 5 {
		t.Errorf("done: %q, want five", w.done)
	}
	b.client.CheckRedirect = nil
	if resp := b.form(path, url.Values{"word": {"接单"}}); resp.StatusCode != 200 || resp.Request.Method != "GET" || resp.Request.URL.Path != path {
		t.Errorf("a press ends at %s %s, %d", resp.Request.Method, resp.Request.URL, resp.StatusCode)
	}
}

func TestNoOnesLink(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	var pages []string
	for _, token := range []string{"nopenopenope", strings.Repeat("x", 5000), "%E5%AD%97", "a%2Fb"} {
		resp := b.send("GET", "/a/"+token, nil)
		body := bodyOf(t, resp)
		if resp.StatusCode != 404 || resp.Header.Get("Cache-Control") != "no-store" || !strings.Contains(body, "链接无效或已过期") {
			t.Errorf("%.20s = %d %s", token, resp.StatusCode, body)
		}
		pages = append(pages, body)
	}
	resp := b.form("/a/nopenopenope", url.Values{"word": {"接单"}})
	pages = append(pages, bodyOf(t, resp))
	for _, p := range pages[1:] {
		if p != pages[0] {
			t.Errorf("one page says more than another:\n%s\n%s", pages[0], p)
		}
	}
	if len(w.done) != 0 {
		t.Errorf("done: %q", w.done)
	}
}

func TestLinksAreNotGuessedFast(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	for i := range freeMisses {
		if status, _ := b.do("GET", "/a/nope", nil); status != 404 {
			t.Fatalf("try %d = %d", i, status)
		}
	}
	resp := b.send("GET", "/a/nope", nil)
	if body := bodyOf(t, resp); resp.StatusCode != 429 || resp.Header.Get("Retry-After") == "" || !strings.Contains(body, "太频繁") {
		t.Errorf("one more = %d %s", resp.StatusCode, body)
	}
}

func TestPressesAreLimited(t *testing.T) {
	w := newWorld(t)
	b := w.browser()
	b.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	for i := range freePresses + 1 {
		resp := b.form("/a/"+goodToken, url.Values{"word": {"接单"}})
		resp.Body.Close()
		if want := map[bool]int{true: 303, false: 429}[i < freePresses]; resp.StatusCode != want {
			t.Errorf("press %d = %d, want %d", i, resp.StatusCode, want)
		}
	}
	if status, _ := b.do("GET", "/a/"+goodToken, nil); status != 200 {
		t.Errorf("a look = %d", status)
	}
}

func TestBucket(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBucket(3, time.Second)
		try := func(key string, want bool) {
			t.Helper()
			if got := b.spend(key, time.Now()) == 0; got != want {
				t.Errorf("%s may: %t, want %t", key, got, want)
			}
		}
		for range 3 {
			try("a", true)
		}
		try("a", false)
		try("b", true)
		if got := b.wait("a", time.Now()); got != time.Second {
			t.Errorf("wait %v, want 1 s", got)
		}
		time.Sleep(time.Second - time.Nanosecond)
		try("a", false)
		time.Sleep(time.Nanosecond)
		try("a", true)
		try("a", false)
		time.Sleep(time.Hour)
		for range 3 {
			try("a", true)
		}
		try("a", false)
		for i := range manyTries + 10 {
			b.spend(strings.Repeat("x", i%97)+string(rune(i+0x4E00)), time.Now())
		}
		if len(b.full) > manyTries {
			t.Errorf("%d kept", len(b.full))
		}
	})
}

func TestNetwork(t *testing.T) {
	for from, want := range map[string]string{
		"192.0.2.7:1234": "192.0.2.7", "[2001:db8:1:2:3:4:5:6]:80": "2001:db8:1:2::/64",
		"[::ffff:192.0.2.7]:80": "::ffff:192.0.2.7", "pipe": "pipe",
	} {
		if got := network(&http.Request{RemoteAddr: from}); got != want {
			t.Errorf("network of %s = %s, want %s", from, got, want)
		}
	}
}
