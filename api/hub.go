package api

import (
	"encoding/json"
	"sync"
	"time"

	"callbox/cti"
)

// queueLength is how many messages may wait for a socket; one that lets more
// gather is closed.
const queueLength = 256

// item is one message on its way to a socket. seq is 0 for a reply.
type item struct {
	seq  int64
	body []byte
	rang time.Time // of a screen pop: when the phone rang
}

// hub hands the journal's events to the sockets that may see them and never
// waits for one.
type hub struct {
	mu      sync.Mutex
	sockets map[*socket]struct{}
	desks   map[string]*socket // the one socket of each agent
	passed  int64              // newest event handed out
	closed  bool               // no more sockets
	live    sync.WaitGroup     // of sockets
}

func newHub() *hub {
	return &hub{sockets: map[*socket]struct{}{}, desks: map[string]*socket{}}
}

// join adds s, which gets every event from now on. An agent's other socket is
// replaced by it. False: the box goes down.
func (h *hub) join(s *socket) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return false
	}
	h.live.Add(1)
	h.sockets[s] = struct{}{}
	if s.desk == "" {
		return true
	}
	if old := h.desks[s.desk]; old != nil {
		old.stop(replaced)
	}
	h.desks[s.desk] = s
	return true
}

// leave removes s when its life is over.
func (h *hub) leave(s *socket) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if _, ok := h.sockets[s]; !ok {
		return
	}
	delete(h.sockets, s)
	if h.desks[s.desk] == s {
		delete(h.desks, s.desk)
	}
	h.live.Done()
}

// publish hands e to all who may see it. It is called for one event after the
// other.
func (h *hub) publish(e *cti.Event, call *cti.CDR, owner string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if e.Seq <= h.passed {
		return
	}
	h.passed = e.Seq
	var it item
	for s := range h.sockets {
		if !s.sight().sees(e, call, owner) {
			continue
		}
		if it.body == nil {
			it = newItem(e)
		}
		s.put(it)
	}
}

// newItem writes e down once for all sockets.
func newItem(e *cti.Event) item {
	body, err := json.Marshal(e)
	if err != nil { // user_data that is no JSON: the event goes without
		bare := *e
		bare.UserData = nil
		body, _ = json.Marshal(&bare)
	}
	it := item{seq: e.Seq, body: body}
	if e.Type == cti.EventDelivered {
		it.rang = e.Time.Time
	}
	return it
}

// start says after which event publishing begins; newest is the last one that
// was handed out.
func (h *hub) start(seq int64) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.passed = max(h.passed, seq)
}

func (h *hub) newest() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.passed
}

// restart closes every socket, since events up to seq cannot be handed out.
func (h *hub) restart(seq int64) {
	h.start(seq)
	for _, s := range h.all() {
		s.stop(goingAway)
	}
}

// watched says whether a socket is there that sees its own only.
func (h *hub) watched() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	for s := range h.sockets {
		if s.who.own() {
			return true
		}
	}
	return false
}

// all are the sockets now open.
func (h *hub) all() []*socket {
	h.mu.Lock()
	defer h.mu.Unlock()
	out := make([]*socket, 0, len(h.sockets))
	for s := range h.sockets {
		out = append(out, s)
	}
	return out
}

// end closes the sockets of a session that is over.
func (h *hub) end(token string) {
	for _, s := range h.all() {
		if token != "" && s.who.token == token {
			s.stop(sessionOver)
		}
	}
}

// shut closes every socket, lets no other in, and waits for the last.
func (h *hub) shut() {
	h.mu.Lock()
	h.closed = true
	h.mu.Unlock()
	for _, s := range h.all() {
		s.stop(goingAway)
	}
	h.live.Wait()
}
