package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"callbox/internal/guard"
)

// screen is an agent's browser with its WebSocket open: RFC 6455 as far as a
// client needs it that gets whole text frames.
type screen struct {
	conn io.ReadWriteCloser
	over chan struct{}

	mu      sync.Mutex // guards what follows
	write   sync.Mutex
	popped  map[string]time.Time // by call, when delivered came
	replies map[int]chan reply
	last    int
	err     error
}

type reply struct {
	OK    bool            `json:"ok"`
	Error json.RawMessage `json:"error"`
}

type frame struct {
	Type   string `json:"type"`
	CallID string `json:"call_id"`
	Re     int    `json:"re"`
	reply
}

// Opcodes of RFC 6455 §5.2 that a client of ours meets.
const (
	opText  = 1
	opClose = 8
	opPing  = 9
	opPong  = 10
)

// open connects the agent's WebSocket.
func (c *client) open(ctx context.Context) (*screen, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.box.http+"/api/v1/ws", nil)
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13",
		"Sec-WebSocket-Key": rand.Text()[:22] + "==", "Sec-WebSocket-Protocol": "callbox.v1", "Origin": c.box.http,
	} {
		req.Header.Set(name, value)
	}
	resp, err := (&http.Client{Jar: c.http.Jar, Transport: c.http.Transport}).Do(req)
	if err != nil {
		return nil, fmt.Errorf("websocket: %w", err)
	}
	conn, ok := resp.Body.(io.ReadWriteCloser)
	if resp.StatusCode != http.StatusSwitchingProtocols || !ok {
		text, _ := io.ReadAll(resp.Body) // the status says enough
		return nil, errors.Join(fmt.Errorf("websocket: %s: %s", resp.Status, text), resp.Body.Close())
	}
	s := &screen{conn: conn, over: make(chan struct{}), popped: map[string]time.Time{}, replies: map[int]chan reply{}}
	guard.Go("screen", nil, s.listen)
	return s, nil
}

func (s *screen) close() {
	_ = s.conn.Close() // the connection is not needed any more
	<-s.over
}

func (s *screen) listen() {
	defer close(s.over)
	in := bufio.NewReader(s.conn)
	for {
		op, data, err := readFrame(in)
		switch {
		case err != nil:
		case op == opText:
			s.take(data, time.Now())
			continue
		case op == opPing:
			err = s.send(opPong, data)
		case op == opClose:
			err = fmt.Errorf("closed by the box: % x", data)
		}
		if err != nil {
			s.mu.Lock()
			s.err = err
			s.mu.Unlock()
			return
		}
	}
}

// readFrame reads one frame of a server, which are not masked.
func readFrame(in *bufio.Reader) (op byte, data []byte, err error) {
	var head [2]byte
	if _, err := io.ReadFull(in, head[:]); err != nil {
		return 0, nil, fmt.Errorf("websocket: %w", err)
	}
	size := uint64(head[1] & 0x7f)
	if extra := map[uint64]int{126: 2, 127: 8}[size]; extra > 0 {
		var long [8]byte
		if _, err := io.ReadFull(in, long[8-extra:]); err != nil {
			return 0, nil, fmt.Errorf("websocket: %w", err)
		}
		size = binary.BigEndian.Uint64(long[:])
	}
	if head[0]&0x80 == 0 || head[1]&0x80 != 0 || size > 1<<24 {
		return 0, nil, fmt.Errorf("websocket: a frame of %d bytes that is split, masked or too long", size)
	}
	data = make([]byte, size)
	if _, err := io.ReadFull(in, data); err != nil {
		return 0, nil, fmt.Errorf("websocket: %w", err)
	}
	return head[0] & 15, data, nil
}

// send writes one masked frame.
func (s *screen) send(op byte, data []byte) error {
	out := []byte{0x80 | op, 0x80 | byte(len(data))}
	if len(data) > 125 {
		out = binary.BigEndian.AppendUint16([]byte{0x80 | op, 0x80 | 126}, uint16(len(data)))
	}
	var mask [4]byte
	_, _ = rand.Read(mask[:]) // never fails (crypto/rand)
	out = append(out, mask[:]...)
	for i, b := range data {
		out = append(out, b^mask[i%4])
	}
	s.write.Lock()
	defer s.write.Unlock()
	if _, err := s.conn.Write(out); err != nil {
		return fmt.Errorf("websocket: %w", err)
	}
	return nil
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
	}
}

// pop is when delivered came for a call.
func (s *screen) pop(call string) (time.Time, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.popped[call]
	return at, ok
}

// do sends a command and waits for its reply.
func (s *screen) do(ctx context.Context, cmd string, args map[string]any) error {
	w := make(chan reply, 1)
	s.mu.Lock()
	s.last++
	id := s.last
	s.replies[id] = w
	s.mu.Unlock()
	data, err := json.Marshal(map[string]any{"id": id, "cmd": cmd, "args": args})
	if err != nil {
		return fmt.Errorf("%s: %w", cmd, err)
	}
	if err := s.send(opText, data); err != nil {
		return err
	}
	select {
	case r := <-w:
		if !r.OK {
			return fmt.Errorf("%s: %s", cmd, strings.TrimSpace(string(r.Error)))
		}
		return nil
	case <-s.over:
		return fmt.Errorf("%s: %w", cmd, s.err)
	case <-ctx.Done():
		return fmt.Errorf("%s: %w", cmd, context.Cause(ctx))
	}
}
