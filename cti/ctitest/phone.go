package ctitest

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"callbox/cti/media"
	"callbox/internal/guard"
)

// Retransmission of a phone (RFC 3261 §17), and how long it remembers what it
// has answered.
const (
	timerT1   = 500 * time.Millisecond
	timerT2   = 4 * time.Second
	giveUp    = 64 * timerT1
	answerAge = 35 * time.Second
)

// ErrNoReply means that nothing came back in time, ErrClosed that the phone's
// Run is over.
var (
	ErrNoReply = errors.New("ctitest: no reply")
	ErrClosed  = errors.New("ctitest: the phone is closed")
)

// PhoneConfig is how a [Phone] is set.
type PhoneConfig struct {
	Listen    string             // IP:PORT, 127.0.0.1:0 when empty
	Server    string             // IP:PORT of callbox (or any SIP server)
	Transport string             // udp, tcp or tls; udp when empty
	TLS       *tls.Config        // what a TLS phone shows and believes; nil: a certificate of its own, and everybody
	SRTP      []string           // suites offered and taken, in order; none: RTP in the clear, and a sealed offer is refused
	User      string             // the extension, or the number that calls come from
	Name      string             // display name
	Password  string             // for REGISTER
	SHA256    bool               // answers the SHA-256 challenge instead of the MD5 one
	Laws      []media.Law        // codecs offered and taken, in order; A-law and µ-law when empty
	Expires   time.Duration      // Run keeps the phone registered for so long at a time; 0: only Register does
	OnCall    func(t *Talk) Plan // decides about incoming calls, in a goroutine each; nil: they go to Incoming
	Backlog   int                // incoming calls kept for Incoming, then 486; 64 when 0
	Log       *slog.Logger       // default: none
}

// Phone is a SIP telephone, or with many calls a carrier. Its methods may be
// called from any goroutine while Run runs.
type Phone struct {
	cfg    PhoneConfig
	link   link
	addr   netip.AddrPort
	server netip.AddrPort
	tag    string // in From of REGISTER and OPTIONS
	regID  string
	in     chan *Talk
	crew   guard.Crew

	registered chan struct{}
	once       sync.Once // closes registered

	mu       sync.Mutex // guards what follows
	over     context.Context
	calls    map[string]*Talk
	waiting  map[string]chan *Message // by branch and method
	answered map[string]reply
	seq      int
	nonce    string
	uses     int
}

type reply struct {
	data []byte
	at   time.Time
}

// NewPhone binds the phone's socket. It is silent until Run.
func NewPhone(cfg PhoneConfig) (*Phone, error) {
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	if len(cfg.Laws) == 0 {
		cfg.Laws = []media.Law{media.PCMA, media.PCMU}
	}
	if cfg.Backlog == 0 {
		cfg.Backlog = 64
	}
	if cfg.Log == nil {
		cfg.Log = slog.New(slog.DiscardHandler)
	}
	at, err := netip.ParseAddrPort(cfg.Listen)
	if err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	var server netip.AddrPort
	if cfg.Server != "" {
		if server, err = netip.ParseAddrPort(cfg.Server[strings.LastIndexByte(cfg.Server, '/')+1:]); err != nil {
			return nil, fmt.Errorf("phone: server: %w", err)
		}
	}
	p := &Phone{
		cfg: cfg, server: server, tag: token(), regID: token(),
		in: make(chan *Talk, cfg.Backlog), registered: make(chan struct{}), over: context.Background(),
		calls: map[string]*Talk{}, waiting: map[string]chan *Message{}, answered: map[string]reply{},
	}
	if p.link, err = newLink(cfg, at, &p.crew); err != nil {
		return nil, fmt.Errorf("phone: %w", err)
	}
	p.addr = p.link.addr()
	return p, nil
}

// token is a random word for tags, branches and Call-IDs.
func token() string {
	var b [12]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return hex.EncodeToString(b[:])
}

// Addr is the phone's SIP address.
func (p *Phone) Addr() netip.AddrPort { return p.addr }

// Incoming gives calls that ring here.
func (p *Phone) Incoming() <-chan *Talk { return p.in }

// Run serves the phone until ctx ends. Then its calls are hung up, it
// unregisters if Expires is set, and when Run returns all its goroutines have.
func (p *Phone) Run(ctx context.Context) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	p.mu.Lock()
	p.over = ctx
	p.mu.Unlock()
	unregistered := make(chan struct{})
	p.crew.Go("phone registers", func() {
		defer close(unregistered)
		if p.cfg.Expires > 0 {
			p.keepRegistered(ctx, p.cfg.Expires)
		}
	})
	p.crew.Go("phone closes", func() {
		<-ctx.Done()
		p.hangUpAll()
		<-unregistered
		p.link.close()
	})
	err := p.link.run(ctx, p.hear)
	stop()
	<-p.crew.Quiet()
	if err != nil {
		return fmt.Errorf("phone: %w", err)
	}
	return nil
}

// life is done when the phone's Run ends.
func (p *Phone) life() context.Context {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.over
}

func (p *Phone) hangUpAll() {
	for _, t := range p.Talks() {
		switch {
		case is(t.answered):
			t.farewell()
		case t.outgoing:
			p.send(t.like("CANCEL").Bytes(), t.peer)
		default:
			t.Reject(480, "Temporarily Unavailable")
		}
		t.finish(0)
	}
}

// hear takes what came from the network.
func (p *Phone) hear(data []byte, from netip.AddrPort) {
	m, err := ParseMessage(data)
	if err != nil {
		p.cfg.Log.Debug("phone: unreadable message", "err", err)
		return
	}
	if fell := guard.Call(func() { p.take(m, from) }); fell != nil {
		p.cfg.Log.Error("phone: message not served", "err", fell)
	}
}

func (p *Phone) take(m *Message, from netip.AddrPort) {
	if m.IsResponse() {
		p.response(m)
		return
	}
	if p.repeat(m, from) {
		return
	}
	p.request(m, from)
}

// repeat answers a request that was answered before with the same words.
func (p *Phone) repeat(m *Message, from netip.AddrPort) bool {
	p.mu.Lock()
	r, ok := p.answered[m.Branch()+m.Method()]
	p.mu.Unlock()
	if ok && m.Method() != "ACK" {
		p.send(r.data, from)
		return true
	}
	return false
}

func (p *Phone) send(data []byte, to netip.AddrPort) {
	if err := p.link.send(data, to); err != nil {
		p.cfg.Log.Debug("phone: not sent", "err", err)
	}
}

// answer sends a response and keeps it for repeated requests.
func (p *Phone) answer(req, res *Message, to netip.AddrPort) {
	data := res.Bytes()
	if !(req.Method() == "INVITE" && res.Code() < 200) {
		p.remember(req.Branch()+req.Method(), data)
	}
	p.send(data, to)
}

func (p *Phone) remember(key string, data []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	now := time.Now()
	p.answered[key] = reply{data: data, at: now}
	if len(p.answered)%256 == 0 {
		for k, r := range p.answered {
			if now.Sub(r.at) > answerAge {
				delete(p.answered, k)
			}
		}
	}
}

func (p *Phone) call(callID string) *Talk {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.calls[callID]
}

// Talks are the phone's calls, in any order.
func (p *Phone) Talks() []*Talk {
	p.mu.Lock()
	defer p.mu.Unlock()
	return slices.Collect(maps.Values(p.calls))
}

// Calls is how many calls the phone has.
func (p *Phone) Calls() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.calls)
}

// enter adds a call; false when the phone closes.
func (p *Phone) enter(t *Talk) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.over.Err() != nil {
		return false
	}
	p.calls[t.id] = t
	return true
}

func (p *Phone) forget(t *Talk) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.calls, t.id)
}

func (p *Phone) request(m *Message, from netip.AddrPort) {
	c := p.call(m.Get("Call-ID"))
	switch method := m.Method(); {
	case method == "INVITE" && m.Tag("To") == "" && c == nil:
		p.ring(m, from)
	case method == "OPTIONS":
		p.answer(m, m.Reply(200, "OK", token()), from)
	case c != nil:
		c.request(m, from)
	case method != "ACK":
		p.answer(m, m.Reply(481, "Call/Transaction Does Not Exist", token()), from)
	}
}

// response hands a response to who waits for it.
func (p *Phone) response(m *Message) {
	p.mu.Lock()
	w := p.waiting[m.Branch()+m.Method()]
	p.mu.Unlock()
	if w != nil {
		select {
		case w <- m:
		default:
		}
		return
	}
	if c := p.call(m.Get("Call-ID")); c != nil && m.Method() == "INVITE" {
		c.lateResponse(m)
	}
}

// begin sends a request again and again until stop is called.
func (p *Phone) begin(req *Message, to netip.AddrPort) (responses <-chan *Message, stop func()) {
	key := req.Branch() + req.Method()
	w := make(chan *Message, 64)
	p.mu.Lock()
	p.waiting[key] = w
	over := p.over
	p.mu.Unlock()
	heard := make(chan struct{})
	var once sync.Once
	data := req.Bytes()
	p.send(data, to)
	if p.transport() != "UDP" { // nothing gets lost
		return w, func() {}
	}
	p.crew.Go("repeat a request", func() {
		wait := timerT1
		for {
			select {
			case <-heard:
				return
			case <-over.Done():
				return
			case <-time.After(wait):
				p.send(data, to)
				wait = min(2*wait, timerT2)
			}
		}
	})
	return w, func() { once.Do(func() { close(heard) }) }
}

func (p *Phone) end(req *Message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.waiting, req.Branch()+req.Method())
}

// Do sends a request outside of calls and gives its final response.
func (p *Phone) Do(ctx context.Context, req *Message) (*Message, error) {
	return p.exchange(ctx, req, p.server)
}

func (p *Phone) exchange(ctx context.Context, req *Message, to netip.AddrPort) (*Message, error) {
	responses, stop := p.begin(req, to)
	defer stop()
	defer p.end(req)
	limit := time.NewTimer(giveUp)
	defer limit.Stop()
	for {
		select {
		case m := <-responses:
			if m.Code() >= 200 {
				return m, nil
			}
		case <-limit.C:
			return nil, ErrNoReply
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", ErrNoReply, context.Cause(ctx))
		}
	}
}

// Request begins a request outside of a call, with all its headers.
func (p *Phone) Request(method, uri string) *Message {
	p.mu.Lock()
	p.seq++
	seq := p.seq
	p.mu.Unlock()
	m := &Message{Start: method + " " + uri + " SIP/2.0"}
	m.Add("Via", p.via())
	m.Add("Max-Forwards", "70")
	m.Add("From", p.from(p.cfg.User, p.cfg.Name)+";tag="+p.tag)
	m.Add("To", "<"+uri+">")
	m.Add("Call-ID", p.regID)
	m.Add("CSeq", fmt.Sprintf("%d %s", seq, method))
	m.Add("Contact", p.contact(p.cfg.User))
	return m
}

func (p *Phone) via() string {
	return "SIP/2.0/" + p.transport() + " " + p.addr.String() + ";branch=z9hG4bK" + token() + ";rport"
}

func (p *Phone) contact(user string) string {
	uri := "sip:" + user + "@" + p.addr.String()
	if t := p.transport(); t != "UDP" {
		uri += ";transport=" + strings.ToLower(t)
	}
	return "<" + uri + ">"
}

// transport is the phone's, as it stands in Via.
func (p *Phone) transport() string { return strings.ToUpper(cmp.Or(p.cfg.Transport, "udp")) }

func (p *Phone) from(user, name string) string {
	uri := "<sip:" + user + "@" + p.addr.Addr().String() + ">"
	if name == "" {
		return uri
	}
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name) + `" ` + uri
}
