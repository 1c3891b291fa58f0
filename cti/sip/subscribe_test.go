package sip_test

import (
	"context"
	"encoding/xml"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/sip"
)

// mailboxes are a test's.
type mailboxes struct {
	mu   sync.Mutex
	mail map[string][2]int
}

func (m *mailboxes) Waiting(_ context.Context, extension string) (fresh, old int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.mail[extension][0], m.mail[extension][1]
}

func (m *mailboxes) set(extension string, fresh, old int) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mail = map[string][2]int{extension: {fresh, old}}
}

// subscribe sends a SUBSCRIBE of extension 1001, with credentials when asked,
// and gives the answer.
func (w *raw) subscribe(id, event, target string, edit ...string) *ctitest.Message {
	w.t.Helper()
	edit = append(edit, "INVITE sip:4001234567@{to}", "SUBSCRIBE sip:"+target+"@{to}", `"王芳" <sip:13800138000@{me}>`, "<sip:1001@{to}>",
		"Content-Type: application/sdp\r\n", "Event: "+event+"\r\n", "{sdp}", "")
	w.send(w.invite(id, append(edit, "1 INVITE", "1 SUBSCRIBE")...))
	res := w.response("SUBSCRIBE", 1)
	if res.Code() != 407 {
		return res
	}
	auth := w.answer(res, "1001", "secret1001", 1, "MD5")
	w.send(w.invite(id, append(edit, "z9hG4bK{id}", "z9hG4bK{id}2", "1 INVITE", "2 SUBSCRIBE", "Max-Forwards: 70\r\n", "Max-Forwards: 70\r\n"+auth)...))
	return w.response("SUBSCRIBE", 2)
}

func (w *raw) response(method string, seq int) *ctitest.Message {
	w.t.Helper()
	for {
		m := w.next(patience)
		if m == nil {
			w.t.Fatalf("no answer to %s %d", method, seq)
		}
		if m.IsResponse() && m.Method() == method && m.Seq() == seq {
			return m
		}
	}
}

// notified waits for a NOTIFY and answers it.
func (w *raw) notified(code int) *ctitest.Message {
	w.t.Helper()
	m := w.expect("NOTIFY", 0)
	w.send(string(m.Reply(code, "Said", "").Bytes()))
	return m
}

// shows is what a NOTIFY tells of dialogs: version, then direction, state and
// remote party of each.
func shows(t testing.TB, m *ctitest.Message) string {
	t.Helper()
	var doc struct {
		XMLName xml.Name
		Version int    `xml:"version,attr"`
		State   string `xml:"state,attr"`
		Entity  string `xml:"entity,attr"`
		Dialogs []struct {
			Direction string `xml:"direction,attr"`
			State     string `xml:"state"`
			Remote    struct {
				Identity struct {
					Display string `xml:"display,attr"`
					URI     string `xml:",chardata"`
				} `xml:"identity"`
				Target struct {
					URI string `xml:"uri,attr"`
				} `xml:"target"`
			} `xml:"remote"`
		} `xml:"dialog"`
	}
	if err := xml.Unmarshal([]byte(m.Body), &doc); err != nil {
		t.Fatalf("%v in\n%s", err, m.Body)
	}
	if doc.XMLName.Space != "urn:ietf:params:xml:ns:dialog-info" || doc.State != "full" || doc.Entity != "sip:1002@127.0.0.1" {
		t.Errorf("document %+v", doc)
	}
	text := fmt.Sprint(doc.Version)
	for _, d := range doc.Dialogs {
		text += fmt.Sprintf(" %s %s %q %s", d.Direction, d.State, d.Remote.Identity.Display, strings.TrimSuffix(d.Remote.Identity.URI, "@127.0.0.1"))
		if d.Remote.Target.URI != d.Remote.Identity.URI {
			t.Errorf("target %q", d.Remote.Target.URI)
		}
	}
	return text
}

// A lamp of 1001 follows a call to 1002, and a call of 1002.
func TestBusyLamp(t *testing.T) {
	r := start(t)
	watcher, busy := r.desk("127.0.0.1", "1001"), r.desk("127.0.0.1", "1002")
	res := watcher.subscribe("lamp", "dialog", "1002")
	if res.Code() != 200 || res.Get("Expires") != "3600" || res.Tag("To") == "" {
		t.Fatalf("%s %v", res.Start, res.Headers)
	}
	first := watcher.notified(200)
	if got := shows(t, first); got != "0" || first.Get("Subscription-State") != "active;expires=3600" || first.Get("Event") != "dialog" ||
		first.Tag("To") != res.Tag("From") || first.Tag("From") != res.Tag("To") || first.Get("Content-Type") != "application/dialog-info+xml" {
		t.Errorf("first: %s\n%s", got, first.Bytes())
	}
	leg, err := r.Dial(t.Context(), "sip:1002", cti.Number{Raw: "13800138000", Name: `<王&"芳">`}, "c")
	if err != nil {
		t.Fatal(err)
	}
	caller := `"<王&\"芳\">" sip:13800138000`
	said := func(step, want string) {
		t.Helper()
		if got := shows(t, watcher.notified(200)); got != want {
			t.Errorf("%s: %s, want %s", step, got, want)
		}
	}
	said("called", "1 recipient trying "+caller)
	invite := busy.expect("INVITE", 0)
	busy.send(string(invite.Reply(180, "Ringing", "x").Bytes()))
	said("rings", "2 recipient early "+caller)
	ok := invite.Reply(200, "OK", "x")
	ok.Add("Contact", "<sip:1002@"+busy.addr()+">")
	ok.Add("Content-Type", "application/sdp")
	ok.Body = plainSDP
	busy.send(string(ok.Bytes()))
	said("talks", "3 recipient confirmed "+caller)
	leg.Hangup(cti.CauseNormal)
	said("over", "4 recipient terminated "+caller)
	busy.send(string(busy.expect("BYE", 0).Reply(200, "OK", "").Bytes()))
	r.calls.do(ring)
	if res := busy.dial("out", "1002", "INVITE sip:4001234567@{to}", "INVITE sip:95588@{to}"); res.Code() != 180 {
		t.Fatal(res.Start)
	}
	said("calls", `5 initiator early "" sip:95588`)
	r.leg().Hangup(cti.CauseBusy)
	said("over", `6 initiator terminated "" sip:95588`)
}

func TestSubscribeRefused(t *testing.T) {
	r := start(t)
	w := r.desk("127.0.0.1", "1001")
	for name, tt := range map[string]struct {
		event, target string
		edit          []string
		code          int
		header, value string
	}{
		"another event":     {"presence", "1002", nil, 489, "Allow-Events", "dialog, message-summary"},
		"no such extension": {"dialog", "4711", nil, 404, "", ""},
		"another's mail":    {"message-summary", "1002", nil, 403, "", ""},
		"another's From":    {"dialog", "1002", []string{`"王芳" <sip:13800138000@{me}>`, "<sip:1002@{to}>"}, 403, "", ""},
		"brief":             {"dialog", "1002", []string{"Content-Length", "Expires: 59\r\nContent-Length"}, 423, "Min-Expires", "60"},
		"unknown dialog":    {"dialog", "1002", []string{"<sip:4001234567@{to}>", "<sip:1002@{to}>;tag=none"}, 481, "", ""},
		"well":              {"dialog", "1002", nil, 200, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			w.t = t
			res := w.subscribe(strings.ReplaceAll(name, " ", ""), tt.event, tt.target, tt.edit...)
			if res.Code() != tt.code || res.Get(tt.header) != tt.value {
				t.Errorf("%s %v, want %d", res.Start, res.Headers, tt.code)
			}
		})
	}
	if n := r.Stats().Subscriptions; n != 1 {
		t.Errorf("%d subscriptions", n)
	}
	stranger := start(t, nobody).raw("127.0.0.7")
	stranger.send(stranger.invite("s", "INVITE sip", "SUBSCRIBE sip", "1 INVITE", "1 SUBSCRIBE", "Content-Type: application/sdp", "Event: dialog", "{sdp}", ""))
	if m := stranger.next(100 * time.Millisecond); m != nil {
		t.Errorf("a stranger hears %s", m.Start)
	}
}

// A subscription is refreshed and ended within its dialog, from its phone's
// address alone.
func TestSubscriptionInItsDialog(t *testing.T) {
	r := start(t)
	w, thief := r.desk("127.0.0.1", "1001"), r.raw("127.0.0.66")
	res := w.subscribe("lamp", "dialog;id=7", "1002", "Content-Length", "Expires: 600\r\nContent-Length")
	if first := w.notified(200); first.Get("Event") != "dialog;id=7" || first.Get("Subscription-State") != "active;expires=600" {
		t.Errorf("first:\n%s", first.Bytes())
	}
	in := func(seq int, expires string) string {
		return w.within("SUBSCRIBE", seq, res, "Max-Forwards: 70", "Max-Forwards: 70\r\nEvent: dialog;id=7\r\nExpires: "+expires)
	}
	thief.send(strings.ReplaceAll(in(3, "0"), w.addr(), thief.addr()))
	if m := thief.next(100 * time.Millisecond); m != nil {
		t.Errorf("from elsewhere: %s", m.Start)
	}
	w.send(in(4, "1200"))
	if again := w.response("SUBSCRIBE", 4); again.Code() != 200 || again.Get("Expires") != "1200" || again.Tag("To") != res.Tag("To") {
		t.Errorf("refresh: %s", again.Bytes())
	}
	if m := w.notified(200); shows(t, m) != "1" || m.Get("Subscription-State") != "active;expires=1200" {
		t.Errorf("after the refresh:\n%s", m.Bytes())
	}
	w.send(in(2, "1200"))
	if old := w.response("SUBSCRIBE", 2); old.Code() != 500 {
		t.Errorf("an old CSeq: %s", old.Start)
	}
	w.send(in(5, "0"))
	if end := w.response("SUBSCRIBE", 5); end.Code() != 200 || end.Get("Expires") != "0" {
		t.Errorf("end: %s", end.Start)
	}
	if m := w.notified(200); shows(t, m) != "2" || m.Get("Subscription-State") != "terminated;reason=timeout" {
		t.Errorf("the last NOTIFY:\n%s", m.Bytes())
	}
	eventually(t, "forgotten", func() bool { return r.Stats().Subscriptions == 0 })
}

// A phone that lost the dialog says 481; one that subscribes once more, after
// its reboot, is not told twice; without its binding it is told nothing.
func TestSubscriptionEnds(t *testing.T) {
	r := start(t)
	w := r.desk("127.0.0.1", "1001")
	w.subscribe("first", "dialog", "1002")
	w.notified(200)
	w.subscribe("second", "dialog", "1002")
	w.notified(200)
	if n := r.Stats().Subscriptions; n != 1 {
		t.Errorf("%d subscriptions", n)
	}
	w.subscribe("third", "message-summary", "1001")
	w.notified(481)
	eventually(t, "the third is gone", func() bool { return r.Stats().Subscriptions == 1 })
	auth := w.answer(w.register(3, ""), "1001", "secret1001", 1, "MD5")
	if res := w.register(4, auth, "Contact: <sip:caller@{me}>", "Contact: <sip:caller@{me}>;expires=0"); res.Code() != 200 {
		t.Fatal(res.Start)
	}
	eventually(t, "the second goes with the binding", func() bool { return r.Stats().Subscriptions == 0 })
}

func TestMessageWaiting(t *testing.T) {
	mail := &mailboxes{}
	r := start(t, func(_ *sip.Config, r *rig) { r.mail = mail })
	w := r.desk("127.0.0.1", "1001")
	if res := w.subscribe("mail", "message-summary", "1001"); res.Code() != 200 {
		t.Fatal(res.Start)
	}
	said := func(want string) {
		t.Helper()
		m := w.notified(200)
		if m.Body != want || m.Get("Content-Type") != "application/simple-message-summary" {
			t.Errorf("told\n%s", m.Bytes())
		}
	}
	said("Messages-Waiting: no\r\nMessage-Account: sip:1001@127.0.0.1\r\nVoice-Message: 0/0 (0/0)\r\n")
	mail.set("1001", 2, 3)
	r.MailChanged("1002")
	r.MailChanged("1001")
	said("Messages-Waiting: yes\r\nMessage-Account: sip:1001@127.0.0.1\r\nVoice-Message: 2/3 (0/0)\r\n")
}

// What changes within a fifth of a second is told once, and no subscriber
// makes another wait.
func TestNewsAreCollapsed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sip.NewTestSubscriptions()
		a, b := s.Add("1001", "1002"), s.Add("1003", "1002")
		told, late := 0, 0
		for range 1000 { // a second, a change each millisecond
			s.Changed("1002")
			for _, id := range s.Due() {
				if id == a {
					told++
					s.Told(id)
				}
				if id == b {
					late++
				}
			}
			time.Sleep(time.Millisecond)
		}
		if told != 5 || late != 1 { // b's first NOTIFY is still without an answer
			t.Errorf("told %d times, and who does not answer %d times", told, late)
		}
		if due := s.Due(); len(due) != 1 || due[0] != a {
			t.Errorf("the last change is told by %v", due)
		}
		s.Told(a)
		time.Sleep(time.Second)
		if due := s.Due(); len(due) > 0 {
			t.Errorf("nothing changed, and %v are told", due)
		}
	})
}

func TestSubscriptionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := sip.NewTestSubscriptions()
		mine := 0
		for i := range 100 {
			if s.Add("1001", fmt.Sprint(2000+i)) != "" {
				mine++
			}
		}
		all := mine
		for i := range 10_000 {
			if s.Add(fmt.Sprint(3000+i), "1002") != "" {
				all++
			}
		}
		if mine != sip.SubscriptionsEach || all != sip.SubscriptionsInAll {
			t.Errorf("%d of one extension, %d in all", mine, all)
		}
		s.Changed("1002")
		for second, want := range []int{sip.NotifyRate, sip.NotifyRate, sip.NotifyRate} {
			told := 0
			for range 100 {
				told += len(s.Due())
				time.Sleep(10 * time.Millisecond)
			}
			if told < want || second > 0 && told > want+1 || told > 2*want {
				t.Errorf("second %d: %d NOTIFYs", second, told)
			}
		}
	})
}

// 200 phones of which each watches 8 others: whatever happens to all of them
// at once, no more NOTIFYs go out than the limit lets, everybody is told in the
// end, and others are served meanwhile.
func TestNotifyStorm(t *testing.T) {
	const phones, keys = 200, 8
	r := start(t, func(_ *sip.Config, r *rig) {
		for i := range phones {
			r.accounts[fmt.Sprint(2000+i)] = fmt.Sprint("secret", 2000+i)
		}
	})
	var told atomic.Int64
	var wg sync.WaitGroup
	for i := range phones {
		w := r.desk("127.0.0.1", fmt.Sprint(2000+i))
		w.watch(i, phones, keys)
		wg.Go(func() { w.tellAll(&told) })
		t.Cleanup(func() { _ = w.conn.Close() })
	}
	slowly(t, "everybody is told at first", func() bool { return told.Load() >= phones*keys })
	if n := r.Stats().Subscriptions; n != phones*keys {
		t.Fatalf("%d subscriptions", n)
	}
	before, began := told.Load(), time.Now()
	other := r.raw("127.0.0.1")
	var slowest time.Duration
	for i := 0; time.Since(began) < time.Second/2; i++ {
		for i := range phones {
			r.Changed(fmt.Sprint(2000 + i))
		}
		asked := time.Now()
		other.send(other.invite(fmt.Sprint("o", i), "INVITE sip", "OPTIONS sip", "1 INVITE", "1 OPTIONS", "{sdp}", ""))
		other.response("OPTIONS", 1)
		slowest = max(slowest, time.Since(asked))
		time.Sleep(10 * time.Millisecond)
	}
	n, took := told.Load()-before, time.Since(began)
	if most := sip.NotifyRate * (1 + took.Seconds()); float64(n) > most {
		t.Errorf("%d NOTIFYs in %v", n, took)
	}
	if slowest > 2*time.Second {
		t.Errorf("OPTIONS took %v", slowest)
	}
	t.Logf("%d NOTIFYs in %v, OPTIONS within %v", n, took, slowest)
	slowly(t, "everybody is told in the end", func() bool { return told.Load()-before >= phones*keys })
}

// watch subscribes phone i to the next ones of n, all at once and with one
// nonce.
func (w *raw) watch(i, n, keys int) {
	user := fmt.Sprint(2000 + i)
	send := func(k int, auth string) {
		w.send(w.invite(fmt.Sprint("watch", user, k), "INVITE sip:4001234567@{to}", fmt.Sprintf("SUBSCRIBE sip:%d@{to}", 2000+(i+k)%n),
			`"王芳" <sip:13800138000@{me}>`, "<sip:"+user+"@{to}>", "1 INVITE", "1 SUBSCRIBE",
			"Content-Type: application/sdp\r\n", "Event: dialog\r\n"+auth, "{sdp}", ""))
	}
	send(0, "")
	asked := w.response("SUBSCRIBE", 1)
	for k := range keys {
		send(k+1, w.answer(asked, user, "secret"+user, k+1, "MD5"))
	}
}

// tellAll counts NOTIFYs and answers them, until the socket is closed.
func (w *raw) tellAll(told *atomic.Int64) {
	_ = w.conn.SetReadDeadline(time.Time{})
	buf := make([]byte, 65536)
	seen := map[string]bool{} // a slow machine repeats some
	for {
		n, _, err := w.conn.ReadFromUDPAddrPort(buf)
		if err != nil {
			return
		}
		m, err := ctitest.ParseMessage(buf[:n])
		if err == nil && !m.IsResponse() {
			if !seen[m.Branch()] {
				told.Add(1)
			}
			seen[m.Branch()] = true
			_, _ = w.conn.WriteToUDPAddrPort(m.Reply(200, "OK", "").Bytes(), w.to)
		}
	}
}
