package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/gorilla/websocket"

	"callbox/internal/guard"
)

// screen is an agent's browser with its WebSocket open.
type screen struct {
	conn *websocket.Conn
	over chan struct{}

	mu      sync.Mutex // guards what follows
	write   sync.Mutex
	popped  map[string]time.Time // by call, when delivered came
	lifts   bool                 // takes what rings
	taking  guard.Group
	replies map[int]chan reply
	last    int
	err     error
}

type reply struct {
	OK     bool            `json:"ok"`
	Result json.RawMessage `json:"result"`
	Error  json.RawMessage `json:"error"`
}

type frame struct {
	Type   string `json:"type"`
	CallID string `json:"call_id"`
	Re     int    `json:"re"`
	reply
}

// open connects the agent's WebSocket.
func (c *client) open(ctx context.Context) (*screen, error) {
	dialer := websocket.Dialer{Jar: c.http.Jar, Subprotocols: []string{"callbox.v1"}}
	url := strings.Replace(c.box.http, "http", "ws", 1) + "/api/v1/ws"
	conn, resp, err := dialer.DialContext(ctx, url, http.Header{"Origin": {c.box.http}})
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	if err := resp.Body.Close(); err != nil {
		return nil, fmt.Errorf("websocket: %w", errors.Join(err, conn.Close()))
	}
	s := &screen{conn: conn, over: make(chan struct{}), popped: map[string]time.Time{}, replies: map[int]chan reply{}}
	guard.Go("screen", nil, s.listen)
	return s, nil
}

func (s *screen) close() {
	_ = s.conn.Close() // the connection is not needed any more
	<-s.over
	s.taking.Wait()
}

// liftAll has the screen answer what rings from now on.
func (s *screen) liftAll() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lifts = true
}

// lift answers a call; one that does not come to sound shows.
func (s *screen) lift(call string) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	_ = s.do(ctx, "answerCall", map[string]any{"call_id": call})
}

func (s *screen) listen() {
	defer close(s.over)
	for {
		_, data, err := s.conn.ReadMessage()
		if err != nil {
			s.mu.Lock()
			s.err = err
			s.mu.Unlock()
			return
		}
		s.take(data, time.Now())
	}
}

func (s *screen) take(data []byte, now time.Time) {
	var f frame
	if err := json.Unmarshal(data, &f); err != nil {
		return // no frame that is measured
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.replies[f.Re]; w != nil {
		w <- f.reply
		delete(s.replies, f.Re)
	}
	if f.Type == "delivered" {
		s.popped[f.CallID] = now
		if s.lifts {
			s.taking.Go("answer", func() { s.lift(f.CallID) })
		}
	}
}

// pop is when delivered came for a call.
func (s *screen) pop(call string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.popped[call]
	return at, ok
}

// do is ask without the result.
func (s *screen) do(ctx context.Context, cmd string, args map[string]any) error {
	_, err := s.ask(ctx, cmd, args)
	return err
}

// ask sends a command and waits for its reply.
func (s *screen) ask(ctx context.Context, cmd string, args map[string]any) (json.RawMessage, error) {
	w := make(chan reply, 1)
	s.mu.Lock()
	s.last++
	id := s.last
	s.replies[id] = w
	s.mu.Unlock()
	s.write.Lock()
	err := s.conn.WriteJSON(map[string]any{"id": id, "cmd": cmd, "args": args})
	s.write.Unlock()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", cmd, err)
	}
	select {
	case r := <-w:
		if !r.OK {
			return nil, fmt.Errorf("%s: %s", cmd, strings.TrimSpace(string(r.Error)))
		}
		return r.Result, nil
	case <-s.over:
		return nil, fmt.Errorf("%s: %w", cmd, s.err)
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: %w", cmd, context.Cause(ctx))
	}
}
