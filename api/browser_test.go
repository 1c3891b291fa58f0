package api

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"callbox/cti"
)

// telephone stands for the pages that are phones, and keeps what it is told.
type telephone struct {
	mu   sync.Mutex
	told []string
	view cti.BrowserView
}

func (p *telephone) tell(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.told = append(p.told, fmt.Sprintf(format, args...))
}

func (p *telephone) heard() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Clone(p.told)
}

func (p *telephone) Offer(_ context.Context, user, session, sdp string) (string, error) {
	p.tell("offer %s %s", user, session)
	switch sdp {
	case "bad":
		return "", fmt.Errorf("%w: sdp: cannot be read", cti.ErrBadArgs)
	case "often":
		return "", cti.ErrTooMany
	}
	return "answer to " + sdp, nil
}

func (p *telephone) Close(user, session string) { p.tell("close %s %s", user, session) }
func (p *telephone) Gone(user, session string)  { p.tell("gone %s %s", user, session) }

func (p *telephone) Observe(call, user string, v cti.BrowserView) error {
	p.tell("observe %s %s", call, user)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.view = v
	if call != "c" {
		return cti.ErrNotFound
	}
	return nil
}

func newPhones(t *testing.T) (*world, *telephone) {
	p := &telephone{}
	return newWorld(t, func(_ *Config, d *Deps) { d.Browsers = p }), p
}

func TestPageBecomesAPhone(t *testing.T) {
	w, p := newPhones(t)
	s := w.login("1001").dial("")
	s.next()
	for cmd, want := range map[string]string{
		`"media.offer","args":{"sdp":"o"}`:                             "ok",
		`"media.offer","args":{}`:                                      codeBadArgs,
		`"media.offer","args":{"sdp":"bad"}`:                           codeBadArgs,
		`"media.offer","args":{"sdp":"often"}`:                         codeForbidden,
		`"media.offer","args":{"sdp":"o","ice":1}`:                     codeBadArgs,
		`"media.close","args":{}`:                                      "ok",
		`"media.close","args":{"call_id":"c"}`:                         codeBadArgs,
		`"media.stats","args":{"call_id":"c","rtt_ms":12.5}`:           "ok",
		`"media.stats","args":{"call_id":"other"}`:                     codeNotFound,
		`"media.stats","args":{"call_id":"c","level":2}`:               codeBadArgs,
		`"media.stats","args":{"call_id":"c","lost":-1}`:               codeBadArgs,
		`"media.stats","args":{"call_id":"c","jitter_ms":"a"}`:         codeBadArgs,
		`"media.stats","args":{"call_id":"c","audio":1}`:               codeBadArgs,
		`"media.stats","args":{"rtt_ms":1}`:                            codeBadArgs,
		`"media.stats","args":{"call_id":"c","concealed":1e99}`:        codeBadArgs,
		`"media.stats","args":{"call_id":"c","device":"` + long + `"}`: codeBadArgs,
	} {
		if got := outcome(s.ask(`{"id":1,"cmd":` + cmd + `}`)); got != want {
			t.Errorf("%s gives %s, want %s", cmd, got, want)
		}
	}
	if got := s.ask(`{"id":1,"cmd":"media.offer","args":{"sdp":"o"}}`)["result"].(map[string]any); got["sdp"] != "answer to o" {
		t.Errorf("the answer is %v", got)
	}
	s.ask(`{"id":1,"cmd":"media.stats","args":{"call_id":"c","rtt_ms":12.5,"lost":3,"device":"USB"}}`)
	if v := p.view; v.RTTMS == nil || *v.RTTMS != 12.5 || *v.Lost != 3 || v.Device != "USB" || v.JitterMS != nil {
		t.Errorf("view %+v", v)
	}
}

var long = strings.Repeat("x", 201)

// outcome is a refusal's code, or ok.
func outcome(answer map[string]any) string {
	if refusal, is := answer["error"].(map[string]any); is {
		return refusal["code"].(string)
	}
	return "ok"
}

// A socket's end is told with the session that offered; a tab that was replaced,
// or whose log-in is over, is closed at once.
func TestPageLeaves(t *testing.T) {
	w, p := newPhones(t)
	b := w.login("1001")
	last := func(n int) []string {
		t.Helper()
		waitFor(t, "the news", func() bool { return len(p.heard()) >= n })
		return strings.Fields(p.heard()[n-1])
	}
	first := b.dial("")
	first.next()
	first.ask(`{"id":1,"cmd":"media.offer","args":{"sdp":"o"}}`)
	session := last(1)[2]
	second := b.dial("")
	if got := last(2); got[0] != "close" || got[2] != session {
		t.Errorf("replaced: %v, session %s", got, session)
	}
	second.next()
	second.ask(`{"id":1,"cmd":"media.offer","args":{"sdp":"o"}}`)
	if got := last(3); got[2] == session {
		t.Error("two tabs are one session")
	}
	second.conn.Close()
	if got := last(4); got[0] != "gone" || got[2] != last(3)[2] {
		t.Errorf("the socket is gone: %v", got)
	}
	third := b.dial("")
	third.next()
	b.do("POST", "/api/v1/logout", nil)
	if got := last(5); got[0] != "close" {
		t.Errorf("logged out: %v", got)
	}
}

func TestProgramsHaveNoPage(t *testing.T) {
	w, p := newPhones(t)
	s, _, err := w.browser().try("", map[string][]string{"Authorization": {"Bearer key-calls"}})
	if err != nil {
		t.Fatal(err)
	}
	s.next()
	for _, cmd := range []string{"media.offer", "media.close", "media.stats"} {
		if got := outcome(s.ask(`{"id":1,"cmd":"` + cmd + `","args":{}}`)); got != codeForbidden {
			t.Errorf("%s by a key: %s", cmd, got)
		}
	}
	s.conn.Close()
	if told := p.heard(); len(told) > 0 {
		t.Errorf("told %v", told)
	}
}
