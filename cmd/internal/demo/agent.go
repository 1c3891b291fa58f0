package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"strings"
	"time"

	"github.com/gorilla/websocket"
)

// sit is an agent's day: log in, be ready, come back when something breaks. It
// speaks HTTP and WebSocket as the page does.
func sit(ctx context.Context, base, id string) error {
	for {
		err := shift(ctx, base, id)
		if !pause(ctx, 2*time.Second) {
			return err
		}
	}
}

func shift(ctx context.Context, base, id string) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return fmt.Errorf("agent %s: %w", id, err)
	}
	if err := logIn(ctx, &http.Client{Jar: jar, Timeout: 10 * time.Second}, base, id); err != nil {
		return err
	}
	dialer := websocket.Dialer{Jar: jar, Subprotocols: []string{"callbox.v1"}, HandshakeTimeout: 10 * time.Second}
	conn, resp, err := dialer.DialContext(ctx, strings.Replace(base, "http", "ws", 1)+"/api/v1/ws", http.Header{"Origin": {base}})
	if err != nil {
		return fmt.Errorf("agent %s: screen: %w", id, err)
	}
	defer resp.Body.Close()
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	order := map[string]any{"id": 1, "cmd": "setAgentState", "args": map[string]string{"state": "ready"}}
	if err := conn.WriteJSON(order); err != nil {
		return fmt.Errorf("agent %s: %w", id, err)
	}
	for {
		if _, _, err := conn.ReadMessage(); err != nil {
			return fmt.Errorf("agent %s: %w", id, err)
		}
	}
}

func logIn(ctx context.Context, client *http.Client, base, id string) error {
	body, err := json.Marshal(map[string]string{"user": id, "password": password})
	if err != nil {
		return fmt.Errorf("agent %s: %w", id, err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/api/v1/login", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("agent %s: %w", id, err)
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := client.Do(req)
	if err != nil {
		return fmt.Errorf("agent %s: log in: %w", id, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("agent %s: log in: %s", id, resp.Status)
	}
	return nil
}
