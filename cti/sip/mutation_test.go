package sip_test

import (
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"callbox/cti/ctitest"
	"callbox/cti/sip"
	"callbox/internal/guard"
)

// seedOf is what a run is repeated with: SIP_SEED, else another one each time.
func seedOf(t *testing.T) (*rand.Rand, uint64) {
	t.Helper()
	seed, err := strconv.ParseUint(os.Getenv("SIP_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("SIP_SEED=%d repeats this", seed)
	return rand.New(rand.NewPCG(seed, 4475)), seed
}

// mutationCount is how many messages each run sends: 100,000 in all with
// CALLBOX_LONG=1.
func mutationCount() int {
	if os.Getenv("CALLBOX_LONG") != "" {
		return 20_000
	}
	return 400
}

var sipMethods = []string{"INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "INFO", "UPDATE", "PRACK", "REFER", "SUBSCRIBE", "NOTIFY", "MESSAGE", "PUBLISH"}

// extras are headers that a method's own code reads.
var extras = map[string]string{
	"INFO":      "Content-Type: application/dtmf-relay\r\n",
	"PRACK":     "RAck: 1 1 INVITE\r\n",
	"REFER":     "Refer-To: <sip:1002@127.0.0.1?Replaces=x%3Bto-tag%3Da%3Bfrom-tag%3Db>\r\nReferred-By: <sip:1001@127.0.0.1>\r\n",
	"SUBSCRIBE": "Event: dialog;id=7\r\nExpires: 600\r\nAccept: application/dialog-info+xml\r\n",
	"NOTIFY":    "Event: refer\r\nSubscription-State: active;expires=60\r\n",
	"UPDATE":    "Session-Expires: 90;refresher=uac\r\nMin-SE: 90\r\nSupported: timer\r\n",
	"INVITE": "Session-Expires: 1800;refresher=uac\r\nSupported: timer, 100rel\r\nP-Asserted-Identity: \"王\" <sip:+8613800138000@127.0.0.1>, <tel:+8613800138000>\r\n" +
		"Diversion: <sip:4009@127.0.0.1>;reason=user-busy;counter=1\r\nHistory-Info: <sip:1@127.0.0.1?Reason=SIP%3Bcause%3D302>;index=1, <sip:2@127.0.0.1>;index=1.1;mp=1\r\n" +
		"Remote-Party-ID: \"a\" <sip:5@127.0.0.1>;party=calling;privacy=off\r\nPrivacy: none\r\nAllow: INVITE, UPDATE\r\n",
}

// message is a whole one, of w, of method and beside any dialog.
func (w *raw) message(method, id string, more string) string {
	edit := []string{"INVITE sip", method + " sip", "1 INVITE", "1 " + method, "Content-Type", more + extras[method] + "Content-Type"}
	switch method {
	case "ACK", "CANCEL":
		id = strings.TrimSuffix(id, method)
	case "INVITE", "UPDATE":
	default:
		edit = append(edit, "Content-Type: application/sdp\r\n", more+extras[method], "{sdp}", map[string]string{"INFO": "Signal=5\r\nDuration=160\r\n"}[method])
	}
	return w.invite(id, edit...)
}

// meddling is one within the dialog that ok made.
func (w *raw) meddling(method string, seq int, ok *ctitest.Message) string {
	body, kind := "", ""
	if method == "INVITE" || method == "UPDATE" {
		body, kind = plainSDP, "Content-Type: application/sdp\r\n"
	}
	if method == "INFO" {
		body = "Signal=5\r\nDuration=160\r\n"
	}
	return w.within(method, seq, ok, "Content-Length: {length}\r\n\r\n", extras[method]+kind+"Content-Length: {length}\r\n\r\n"+body)
}

// drain reads what came, so that the next answer is found.
func (w *raw) drain() {
	buf := make([]byte, 65536)
	for {
		_ = w.conn.SetReadDeadline(time.Now().Add(2 * time.Millisecond))
		if _, _, err := w.conn.ReadFromUDPAddrPort(buf); err != nil {
			return
		}
	}
}

// besieged is a rig for mutations: everything it waits for is short, it takes
// any number of calls, and it asks no name server.
func besieged(t *testing.T, options ...option) (*rig, *lines) {
	t.Helper()
	sip.HurryLibrary(t, 20*time.Millisecond)
	var log lines
	return start(t, append([]option{short, func(c *sip.Config, r *rig) {
		c.Limits, c.Keepalive = sip.Limits{CallsPerSecond: 1 << 20, Calls: 1 << 20}, -1
		*c = c.WithResolver(names{})
		if os.Getenv("SIP_LOG") == "" {
			r.log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelError}))
		}
	}}, options...)...), &log
}

// attacker is where mutations come from.
type attacker struct {
	t    *testing.T
	rnd  *rand.Rand
	w    *raw
	n    int
	call func(id string) *ctitest.Message // makes a call; nil for who can make none
	auth func(method string) string       // credentials for a request outside of dialogs
}

// attack sends n mutated messages of all methods in turn, inside of calls and
// outside.
func (a *attacker) attack(n int) {
	var ok *ctitest.Message
	for i := range n {
		if i%60 == 0 && a.call != nil {
			if ok != nil {
				a.w.send(a.w.within("BYE", 1<<20, ok))
			}
			a.w.drain()
			ok = a.call(fmt.Sprint("live", a.n, "x", i))
		}
		a.n++
		text := mutate(a.rnd, a.next(i, ok))
		if !staysHere(text) || text == "" {
			continue
		}
		a.w.send(text)
	}
	if ok != nil {
		a.w.send(a.w.within("BYE", 1<<20, ok))
	}
	a.w.drain()
}

// next is the message to be broken.
func (a *attacker) next(i int, ok *ctitest.Message) string {
	method := sipMethods[i/2%len(sipMethods)]
	if i%2 == 0 && ok != nil {
		return a.w.meddling(method, 10+i, ok)
	}
	more := ""
	if a.auth != nil {
		more = a.auth(method)
	}
	return a.w.message(method, fmt.Sprint("mut", a.n, method), more)
}

// survived says that nothing fell, that a call works at once and that nothing
// is left after it.
func (r *rig) survived(log *lines, before int, fallen int64) {
	t := r.t
	t.Helper()
	w := r.raw("127.0.0.1")
	ok := w.call("after")
	w.send(w.within("BYE", 2, ok))
	w.expect("BYE", 200)
	t.Logf("%+v", r.Stats())
	if s := r.Stats(); s.Panics != 0 || guard.Panics() != fallen {
		t.Errorf("%d panics\n%s", max(int64(s.Panics), guard.Panics()-fallen), log)
	}
	if s := r.Stats(); s.Malformed == 0 {
		t.Error("nothing was broken")
	}
	what := func() string {
		server, client := r.Transactions()
		s := r.Stats()
		return fmt.Sprintf("legs %d, dialogs %d, subscriptions %d, invites %d, transactions %d and %d, goroutines %d of %d",
			s.Legs, s.Dialogs, s.Subscriptions, r.Pending(), server, client, runtime.NumGoroutine(), before)
	}
	for end := time.Now().Add(4 * patience); ; time.Sleep(10 * time.Millisecond) {
		r.Doubt(time.Now().Add(time.Hour))
		server, client := r.Transactions()
		s := r.Stats()
		if s.Legs+s.Dialogs+s.Subscriptions+r.Pending()+server+client == 0 && runtime.NumGoroutine() <= before+5 {
			return
		}
		if time.Now().After(end) {
			buf := make([]byte, 1<<20)
			t.Fatalf("left: %s\n%.8000s", what(), buf[:runtime.Stack(buf, true)])
		}
	}
}

// T9: broken messages of every method, inside and outside of calls, from a
// trunk, a phone and a stranger, by UDP.
func TestMutations(t *testing.T) {
	rnd, _ := seedOf(t)
	for name, from := range map[string]func(r *rig) *attacker{
		"trunk":    fromTrunk,
		"phone":    fromPhone,
		"stranger": func(r *rig) *attacker { return &attacker{w: r.raw("127.0.0.66")} },
	} {
		source := rand.New(rand.NewPCG(rnd.Uint64(), 1))
		t.Run(name, func(t *testing.T) {
			r, log := besieged(t)
			w := r.raw("127.0.0.1")
			ok := w.call("warm")
			w.send(w.within("BYE", 2, ok))
			w.expect("BYE", 200)
			before, fallen := runtime.NumGoroutine(), guard.Panics()
			a := from(r)
			a.t, a.rnd = t, source
			a.attack(mutationCount())
			r.survived(log, before, fallen)
		})
	}
}

func fromTrunk(r *rig) *attacker {
	w := r.raw("127.0.0.1")
	return &attacker{w: w, call: func(id string) *ctitest.Message { return w.call(id) }}
}

// fromPhone registers anew for each call, since mutations may have unregistered
// it; its requests carry good credentials.
func fromPhone(r *rig) *attacker {
	w := r.desk("127.0.0.77", "1001")
	seq, uses := 10, 0
	var asked map[string]*ctitest.Message
	a := &attacker{w: w}
	a.call = func(id string) *ctitest.Message {
		seq += 2
		to := []string{"To: <sip:4001234567@{to}>", "To: <sip:1001@{to}>", "reg", "reg" + id}
		w.register(seq+1, w.answer(w.register(seq, "", to...), "1001", "secret1001", 1, "MD5"), to...)
		asked, uses = map[string]*ctitest.Message{}, 0
		r.Unban(netip.MustParseAddrPort(w.addr()).Addr())
		return w.talk(id, "1001")
	}
	a.auth = func(method string) string {
		if method != "INVITE" && method != "REGISTER" && method != "SUBSCRIBE" {
			return ""
		}
		if asked[method] == nil {
			w.drain()
			w.send(w.invite("ask"+method+fmt.Sprint(seq), "INVITE sip", method+" sip", "1 INVITE", "1 "+method, "Content-Type: application/sdp\r\n", extras[method], "{sdp}", "", "<sip:13800138000@{me}>", "<sip:1001@{to}>"))
			asked[method] = w.expect(method, 401, 407)
		}
		uses++
		return w.answer(asked[method], "1001", "secret1001", uses, "SHA-256")
	}
	return a
}

// The same by TCP, where a broken message may end the connection.
func TestMutationsByTCP(t *testing.T) {
	rnd, _ := seedOf(t)
	r, log := besieged(t)
	w := r.raw("127.0.0.1")
	ok := w.call("warm")
	w.send(w.within("BYE", 2, ok))
	w.expect("BYE", 200)
	before, fallen := runtime.NumGoroutine(), guard.Panics()
	for i := range 2 * mutationCount() / 40 {
		c := r.dialFrom([]string{"127.0.0.1", "127.0.0.66"}[i%2])
		a := &attacker{t: t, rnd: rnd, w: &c.raw}
		var text strings.Builder
		ok := w.call(fmt.Sprint("live", i))
		for k := range 40 {
			if m := mutate(rnd, a.next(i*40+k, ok)); staysHere(m) {
				if rnd.IntN(4) > 0 { // a length that is right lets the next one be read
					head, body, _ := strings.Cut(m, "\r\n\r\n")
					m = measured(head+"\r\n\r\n", body)
				}
				text.WriteString(m)
			}
		}
		c.pour(text.String())
		w.send(w.within("BYE", 1<<20, ok))
		w.drain()
	}
	r.survived(log, before, fallen)
}

// dialFrom is dialTCP from an address of the sender's.
func (r *rig) dialFrom(local string) *wireTCP {
	r.t.Helper()
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(local)}}
	conn, err := d.Dial("tcp", r.addr("tcp"))
	if err != nil {
		r.t.Fatal(err)
	}
	return r.wireBy("tcp", conn)
}

// pour writes what the box will take, and reads what it says, until it is done.
func (w *wireTCP) pour(text string) {
	read := make(chan struct{})
	guard.Go("reader of a test", nil, func() {
		defer close(read)
		_ = w.conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
		_, _ = io.Copy(io.Discard, w.conn)
	})
	_ = w.conn.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
	_, _ = io.WriteString(w.conn, text) // it may hang up
	<-read
	_ = w.conn.Close()
}
