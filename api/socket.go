package api

import (
	"context"
	"encoding/json"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gorilla/websocket"

	"callbox/internal/guard"
)

// The WebSocket's measures.
const (
	subprotocol = "callbox.v1"
	pingEvery   = 20 * time.Second
	silence     = 60 * time.Second // without a word or a pong: gone
	writeLimit  = 10 * time.Second
	readLimit   = 64 << 10
	sendBuffer  = 64 << 10 // of the kernel, so that a slow reader is noticed
	closeWait   = time.Second
	atOnce      = 16 // slow commands of one socket
	commandTime = 15 * time.Second
)

// ending is how a socket is closed; message, if any, goes out before.
type ending struct {
	code    int
	reason  string
	message string
}

var (
	replaced    = &ending{websocket.CloseNormalClosure, "replaced", `{"type":"replaced"}`}
	tooSlow     = &ending{websocket.ClosePolicyViolation, "too slow", ""}
	sessionOver = &ending{websocket.ClosePolicyViolation, "session is over", ""}
	goingAway   = &ending{websocket.CloseGoingAway, "the box goes down", ""}
	faulty      = &ending{websocket.CloseInternalServerErr, "the box could not go on", ""}
	left        = &ending{code: 0}
)

// socket is one browser or program on the WebSocket. Its reader is the HTTP
// handler; one writer of its own sends everything.
type socket struct {
	api   *API
	conn  *websocket.Conn
	who   *caller
	desk  string // the agent whose screen this is
	queue chan item
	view  atomic.Pointer[sight]
	slow  chan struct{} // slots for slow commands
	parts guard.Group   // the writer and slow commands

	ending atomic.Pointer[ending]
	over   chan struct{} // closed by the first stop
}

func (s *socket) sight() sight { return *s.view.Load() }

// put queues a message; a socket whose queue is full is closed.
func (s *socket) put(it item) {
	select {
	case s.queue <- it:
	default:
		s.stop(tooSlow)
	}
}

// stop ends the socket once, in the way that came first.
func (s *socket) stop(how *ending) {
	if s.ending.CompareAndSwap(nil, how) {
		close(s.over)
	}
}

// socketDoor answers GET /api/v1/ws: 403 for a foreign page, 401 without a
// log-in, then the socket until it ends. Only a key may come without Origin.
func (a *API) socketDoor(w http.ResponseWriter, r *http.Request) {
	who, err := a.identify(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	if status := a.admit(r, who); status != 0 {
		a.refuse(w, r, status)
		return
	}
	since, err := sinceOf(r)
	if err != nil {
		a.fail(w, r, err)
		return
	}
	up := websocket.Upgrader{
		HandshakeTimeout: writeLimit, Subprotocols: []string{subprotocol},
		CheckOrigin: func(*http.Request) bool { return true }, // admit has
		Error: func(w http.ResponseWriter, r *http.Request, status int, reason error) {
			a.fail(w, r, huma.NewError(status, reason.Error()))
		},
	}
	conn, err := up.Upgrade(w, r, nil)
	if err != nil {
		return // answered
	}
	a.serve(conn, who, since)
}

// admit judges the handshake: 0, 401 or 403.
func (a *API) admit(r *http.Request, who *caller) int {
	origin := r.Header.Get("Origin")
	if origin != "" && !a.home(r, origin) {
		return http.StatusForbidden
	}
	if status := socketScope.may(who); status != 0 {
		return status
	}
	if origin == "" && !who.program() {
		return http.StatusForbidden
	}
	return 0
}

// home says whether origin is a page of this box.
func (a *API) home(r *http.Request, origin string) bool {
	u, err := url.Parse(origin)
	if err != nil || u.Host == "" {
		return false
	}
	return u.Host == r.Host || origin == a.origin
}

// sinceOf reads ?since=N; -1 is none.
func sinceOf(r *http.Request) (int64, error) {
	text := r.URL.Query().Get("since")
	if text == "" {
		return -1, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		return 0, unprocessable(at("query.since", "a number of the journal", text))
	}
	return n, nil
}

// serve runs a socket until it ends.
func (a *API) serve(conn *websocket.Conn, who *caller, since int64) {
	ctx, cancel := context.WithCancel(context.Background())
	s := a.newSocket(conn, who)
	defer s.parts.Wait()
	defer cancel()
	if !a.hub.join(s) {
		s.stop(goingAway)
	}
	defer a.hub.leave(s)
	if s.desk != "" {
		defer a.deps.Floor.Attach(s.desk)()
	}
	written := make(chan struct{})
	s.parts.Go("socket writer", func() {
		defer close(written)
		s.write(ctx, since)
	})
	s.read(ctx)
	s.stop(left)
	s.phoneLeaves()
	<-written
}

func (a *API) newSocket(conn *websocket.Conn, who *caller) *socket {
	s := &socket{
		api: a, conn: conn, who: who, parts: guard.Group{Log: a.log},
		queue: make(chan item, queueLength), slow: make(chan struct{}, atOnce),
		over: make(chan struct{}),
	}
	who.page = newPage()
	if tcp, ok := conn.NetConn().(*net.TCPConn); ok {
		_ = tcp.SetWriteBuffer(sendBuffer) // a wish only
	}
	if s.refresh() {
		s.desk = who.ID
	}
	return s
}

// refresh looks again at what the caller may see, since queues change, and
// says whether he has a desk.
func (s *socket) refresh() (desk bool) {
	var queues []string
	if !s.who.program() {
		at, _, err := s.api.deps.Floor.Snapshot(s.who.ID)
		desk, queues = err == nil, at.Queues
	}
	v := sightOf(s.who, queues)
	s.view.Store(&v)
	return desk
}

// read takes commands until the other side or stop ends it.
func (s *socket) read(ctx context.Context) {
	s.conn.SetReadLimit(readLimit)
	alive := func(string) error { return s.conn.SetReadDeadline(time.Now().Add(silence)) }
	s.conn.SetPongHandler(alive)
	_ = alive("") // fails as the read below will
	for {
		kind, body, err := s.conn.ReadMessage()
		if err != nil {
			return
		}
		_ = alive("")
		if s.ending.Load() != nil {
			return
		}
		if kind != websocket.TextMessage {
			s.reply(nil, nil, badArgs("", "send JSON as text"))
			continue
		}
		s.take(ctx, body)
	}
}

// request is one command as it comes in.
type request struct {
	ID   json.RawMessage `json:"id"`
	Cmd  string          `json:"cmd"`
	Args json.RawMessage `json:"args"`
}

// take carries out one command. Those that wait for the disk run beside the
// others, which keep their order.
func (s *socket) take(ctx context.Context, body []byte) {
	var req request
	if err := strict(body, &req); err != nil {
		s.reply(loneID(body), nil, badArgs("", "this is no command: "+err.Error()))
		return
	}
	if !s.api.waits(req.Cmd) {
		s.run(ctx, req)
		return
	}
	select {
	case s.slow <- struct{}{}:
		s.parts.Go("command "+req.Cmd, func() {
			defer func() { <-s.slow }()
			s.run(ctx, req)
		})
	case <-ctx.Done():
	}
}

// loneID finds the id of a message that is wrong otherwise.
func loneID(body []byte) json.RawMessage {
	var req struct {
		ID json.RawMessage `json:"id"`
	}
	_ = json.Unmarshal(body, &req) // then without an id
	return req.ID
}

func (s *socket) run(ctx context.Context, req request) {
	ctx, cancel := context.WithTimeout(ctx, commandTime)
	defer cancel()
	var result any
	var failed error
	if err := guard.Call(func() { result, failed = s.api.command(ctx, s.who, req.Cmd, req.Args) }); err != nil {
		failed = err
	}
	s.reply(req.ID, result, failed)
}

// answerTo is the reply to a command.
type answerTo struct {
	Re     json.RawMessage `json:"re"`
	OK     bool            `json:"ok"`
	Result any             `json:"result,omitempty"`
	Error  *refusal        `json:"error,omitempty"`
}

func (s *socket) reply(id json.RawMessage, result any, failed error) {
	if id == nil {
		id = json.RawMessage("null")
	}
	if result == nil {
		result = struct{}{}
	}
	a := answerTo{Re: id, OK: true, Result: result}
	if failed != nil {
		a = answerTo{Re: id, Error: s.api.refusal(failed)}
	}
	body, err := json.Marshal(a)
	if err != nil {
		s.api.log.Error("reply cannot be written", "err", err)
		return
	}
	s.put(item{body: body})
}

// write is the only writer of the connection: greeting, then the queue, pings
// between, and the ending.
func (s *socket) write(ctx context.Context, since int64) {
	defer s.conn.Close()
	var from int64
	var err error
	if s.ending.Load() == nil {
		from, err = s.greet(ctx, since)
	}
	if err != nil {
		if !gone(err) {
			s.api.log.Error("a screen could not be greeted", "user", s.who.ID, "err", err)
		}
		s.stop(faulty)
	}
	ping := time.NewTicker(pingEvery)
	defer ping.Stop()
	for s.ending.Load() == nil {
		select {
		case it := <-s.queue:
			s.sendItem(it, from)
		case <-ping.C:
			_ = s.conn.WriteControl(websocket.PingMessage, nil, time.Now().Add(writeLimit))
		case <-s.over:
		}
	}
	s.bye()
}

// gone says whether err only means that the other side is not there any more.
func gone(err error) bool {
	var ne net.Error
	var ce *websocket.CloseError
	return errors.As(err, &ce) || errors.As(err, &ne) || errors.Is(err, websocket.ErrCloseSent) || errors.Is(err, net.ErrClosed)
}

// sendItem writes one message, unless the greeting covered it.
func (s *socket) sendItem(it item, from int64) {
	if s.ending.Load() != nil || it.seq != 0 && it.seq <= from {
		return
	}
	if s.send(it.body) == nil && !it.rang.IsZero() {
		s.api.metrics.ScreenPop(time.Since(it.rang))
	}
}

func (s *socket) send(body []byte) error {
	_ = s.conn.SetWriteDeadline(time.Now().Add(writeLimit)) // fails as the write will
	err := s.conn.WriteMessage(websocket.TextMessage, body)
	if err != nil {
		s.stop(left)
	}
	return err
}

// bye says why the socket ends and closes it.
func (s *socket) bye() {
	how := s.ending.Load()
	if how.code == 0 {
		return
	}
	until := time.Now().Add(closeWait)
	if how.message != "" {
		_ = s.conn.SetWriteDeadline(until) // the last words need no answer
		_ = s.conn.WriteMessage(websocket.TextMessage, []byte(how.message))
	}
	_ = s.conn.WriteControl(websocket.CloseMessage, websocket.FormatCloseMessage(how.code, how.reason), until)
}
