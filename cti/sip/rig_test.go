package sip_test

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/cti/sip"
)

const patience = 15 * time.Second

// rig is a server on loopback with a call taker of the test's.
type rig struct {
	prepare func() // of the server, before it runs
	*sip.Server
	t        testing.TB
	engine   *media.Plain
	calls    *taker
	accounts accounts
	bindings *bindingStore
	dialogs  *dialogStore
	mail     sip.Mailboxes
	journal  *journal
	stop     func()
	log      *slog.Logger
}

// taker is the rig's Calls: handle decides what becomes of a leg.
type taker struct {
	mu     sync.Mutex
	handle func(ctx context.Context, leg cti.Leg) error
	legs   chan cti.Leg
}

func (k *taker) Accept(ctx context.Context, leg cti.Leg) error {
	k.mu.Lock()
	handle := k.handle
	k.mu.Unlock()
	select {
	case k.legs <- leg:
	default:
	}
	return handle(ctx, leg)
}

func (k *taker) do(handle func(ctx context.Context, leg cti.Leg) error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.handle = handle
}

// answerAndWait is the usual call: picked up at once, over when somebody hangs up.
func answerAndWait(ctx context.Context, leg cti.Leg) error {
	if err := leg.Answer(ctx); err != nil {
		return err
	}
	return wait(ctx, leg)
}

func wait(ctx context.Context, leg cti.Leg) error {
	select {
	case <-leg.Done():
	case <-ctx.Done():
		leg.Hangup(cti.CauseNormal)
	}
	return nil
}

type accounts map[string]string

func (a accounts) HA1(_ context.Context, user string) (md5Hex, shaHex string, ok bool) {
	word, ok := a[user]
	text := []byte(user + ":callbox:" + word)
	m, s := md5.Sum(text), sha256.Sum256(text)
	return hex.EncodeToString(m[:]), hex.EncodeToString(s[:]), ok
}

type bindingStore struct {
	mu  sync.Mutex
	all map[string]sip.Binding
}

func (b *bindingStore) Load(context.Context) ([]sip.Binding, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	var list []sip.Binding
	for _, v := range b.all {
		list = append(list, v)
	}
	return list, nil
}

func (b *bindingStore) Save(v sip.Binding) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all[v.User+v.Contact] = v
}

func (b *bindingStore) Remove(user, contact string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.all, user+contact)
}

type dialogStore struct {
	mu  sync.Mutex
	all map[string]sip.DialogRow
}

func (d *dialogStore) Open(r sip.DialogRow) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.all[r.ID] = r
}

func (d *dialogStore) Closed(id string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	delete(d.all, id)
}

func (d *dialogStore) Left(context.Context) ([]sip.DialogRow, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	var list []sip.DialogRow
	for _, r := range d.all {
		list = append(list, r)
	}
	return list, nil
}

func (d *dialogStore) size() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return len(d.all)
}

// options change a rig before it starts.
type option func(*sip.Config, *rig)

func start(t testing.TB, options ...option) *rig {
	t.Helper()
	r := &rig{
		t: t, calls: &taker{handle: answerAndWait, legs: make(chan cti.Leg, 1000)},
		accounts: accounts{"1001": "secret1001", "1002": "secret1002"},
		bindings: &bindingStore{all: map[string]sip.Binding{}},
		dialogs:  &dialogStore{all: map[string]sip.DialogRow{}},
		journal:  &journal{},
	}
	r.log = quietLog()
	cfg := sip.Config{
		Listen: []string{"udp://127.0.0.1:0", "tcp://127.0.0.1:0"},
		Trunks: []sip.Trunk{{Name: "carrier", From: []string{"127.0.0.1/32"}}},
	}
	for _, o := range options {
		o(&cfg, r)
	}
	r.run(cfg.Hasty())
	return r
}

func (r *rig) run(cfg sip.Config) {
	t := r.t
	t.Helper()
	var err error
	if r.engine, err = media.New(media.Config{PortMin: 30000, PortMax: 39999, Log: quietLog()}); err != nil {
		t.Fatal(err)
	}
	r.Server, err = sip.New(cfg, sip.Deps{
		Engine: r.engine, Calls: r.calls, Accounts: r.accounts, Bindings: r.bindings, Dialogs: r.dialogs, Mailboxes: r.mail, Journal: r.journal, Log: r.log,
	})
	if err != nil {
		t.Fatal(err)
	}
	if r.prepare != nil {
		r.prepare()
	}
	if err := r.Listen(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() { _ = r.engine.Run(ctx) })
	wg.Go(func() {
		if err := r.Run(ctx); err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	<-r.Ready()
	var once sync.Once
	r.stop = func() { once.Do(func() { cancel(); wg.Wait() }) }
	t.Cleanup(r.stop)
}

func quietLog() *slog.Logger {
	if os.Getenv("SIP_LOG") != "" {
		return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	return slog.New(slog.DiscardHandler)
}

func (r *rig) addr(scheme string) string {
	for _, a := range r.Addrs() {
		if rest, ok := strings.CutPrefix(a, scheme+"://"); ok {
			return rest
		}
	}
	r.t.Fatalf("no %s listener", scheme)
	return ""
}

// phone starts a telephone beside the rig.
func (r *rig) phone(cfg ctitest.PhoneConfig) *ctitest.Phone {
	r.t.Helper()
	if cfg.Server == "" {
		cfg.Server = r.addr("udp")
	}
	return startPhone(r.t, cfg)
}

func startPhone(t testing.TB, cfg ctitest.PhoneConfig) *ctitest.Phone {
	t.Helper()
	cfg.Log = quietLog()
	p, err := ctitest.NewPhone(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var wg sync.WaitGroup
	wg.Go(func() {
		if err := p.Run(ctx); err != nil {
			t.Errorf("Phone.Run = %v", err)
		}
	})
	t.Cleanup(func() { cancel(); wg.Wait() })
	return p
}

func patient(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

func await(t testing.TB, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(patience):
		t.Fatalf("%s: did not happen within %v", what, patience)
	}
}

func eventually(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	t.Fatalf("%s: not within %v", what, patience)
}

func (r *rig) leg() cti.Leg {
	r.t.Helper()
	select {
	case l := <-r.calls.legs:
		return l
	case <-time.After(patience):
		r.t.Fatal("no leg came")
		return nil
	}
}

// raw is a bare UDP socket that speaks to the rig.
type raw struct {
	t         testing.TB
	conn      *net.UDPConn
	to        netip.AddrPort
	me        string
	transport string
	buf       []byte
}

func (r *rig) raw(local string) *raw {
	r.t.Helper()
	conn, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(netip.MustParseAddr(local), 0)))
	if err != nil {
		r.t.Fatal(err)
	}
	r.t.Cleanup(func() { _ = conn.Close() })
	return &raw{t: r.t, conn: conn, to: netip.MustParseAddrPort(r.addr("udp")), me: conn.LocalAddr().String(), transport: "UDP"}
}

func (w *raw) addr() string { return w.me }

func (w *raw) send(data string) {
	w.t.Helper()
	if _, err := w.conn.WriteToUDPAddrPort([]byte(data), w.to); err != nil {
		w.t.Fatal(err)
	}
}

// next is the next message within d, nil for none.
func (w *raw) next(d time.Duration) *ctitest.Message {
	w.t.Helper()
	if w.buf == nil {
		w.buf = make([]byte, 65536)
	}
	_ = w.conn.SetReadDeadline(time.Now().Add(d))
	n, _, err := w.conn.ReadFromUDPAddrPort(w.buf)
	for err == nil && strings.TrimSpace(string(w.buf[:n])) == "" { // a keep-alive
		n, _, err = w.conn.ReadFromUDPAddrPort(w.buf)
	}
	if err != nil {
		return nil
	}
	if w.buf[0] >= 0x80 { // RTP or RTCP of a call whose SDP named this port
		return w.next(d)
	}
	m, err := ctitest.ParseMessage(w.buf[:n])
	if err != nil {
		w.t.Fatalf("unreadable: %v\n%s", err, w.buf[:n])
	}
	return m
}

// expect reads until a message of method with one of codes (0: a request).
func (w *raw) expect(method string, codes ...int) *ctitest.Message {
	w.t.Helper()
	for end := time.Now().Add(patience); ; {
		m := w.next(time.Until(end))
		if m == nil {
			w.t.Fatalf("no %s %v came", method, codes)
		}
		if m.Method() == method && slices.Contains(codes, m.Code()) {
			return m
		}
	}
}

// invite is a plain INVITE text; edit changes it before it is sent.
func (w *raw) invite(id string, edit ...string) string {
	text := "INVITE sip:4001234567@{to} SIP/2.0\r\n" +
		"Via: SIP/2.0/{transport} {me};branch=z9hG4bK{id};rport\r\n" +
		"Max-Forwards: 70\r\n" +
		"From: \"王芳\" <sip:13800138000@{me}>;tag=from{id}\r\n" +
		"To: <sip:4001234567@{to}>\r\n" +
		"Call-ID: {id}\r\n" +
		"CSeq: 1 INVITE\r\n" +
		"Contact: <sip:caller@{me}>\r\n" +
		"Content-Type: application/sdp\r\n" +
		"Content-Length: {length}\r\n\r\n{sdp}"
	return w.fill(text, id, edit...)
}

const plainSDP = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n" +
	"m=audio 40000 RTP/AVP 8 0 101\r\na=rtpmap:101 telephone-event/8000\r\n"

func (w *raw) fill(text, id string, edit ...string) string {
	text = strings.NewReplacer(edit...).Replace(text)
	text = strings.ReplaceAll(text, "{sdp}", plainSDP)
	text = strings.NewReplacer("{to}", w.to.String(), "{me}", w.addr(), "{id}", id, "{transport}", w.transport).Replace(text)
	_, body, _ := strings.Cut(text, "\r\n\r\n")
	return strings.ReplaceAll(text, "{length}", fmt.Sprint(len(body)))
}

// within makes a request of the caller in the dialog that res (a response to
// its INVITE) made.
func (w *raw) within(method string, seq int, res *ctitest.Message, edit ...string) string {
	uri := strings.Trim(res.Get("Contact"), "<>")
	text := method + " " + uri + " SIP/2.0\r\n" +
		fmt.Sprintf("Via: SIP/2.0/{transport} {me};branch=z9hG4bK%s%d{id};rport\r\n", method, seq) +
		"Max-Forwards: 70\r\n" +
		"From: " + res.Get("From") + "\r\nTo: " + res.Get("To") + "\r\n" +
		"Call-ID: {id}\r\n" + fmt.Sprintf("CSeq: %d %s\r\n", seq, method) +
		"Contact: <sip:caller@{me}>\r\n" +
		"Content-Length: {length}\r\n\r\n"
	return w.fill(text, res.Get("Call-ID"), edit...)
}
