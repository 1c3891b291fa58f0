// Package control is the way into a running daemon for its own commands: HTTP
// over the Unix socket data/control.sock, for the owner of the data alone.
//
// [Serve] runs until its context ends; the HTTP server in it owns the goroutines. It
// does not know what the orders do: an [Admin] does them, the daemon's or, when
// no daemon runs, one over the opened database.
package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"callbox/internal/guard"
)

// SocketName is the socket's name in the data folder.
const SocketName = "control.sock"

// User is a log-in to add.
type User struct {
	Name     string `json:"name"`
	Role     string `json:"role"`
	Password string `json:"password"`
}

// Key is an API key to add, and what was made.
type Key struct {
	Name   string   `json:"name"`
	Scopes []string `json:"scopes"`
	// ConfirmOver is how many recipients a job may have before it awaits a
	// confirmation, PerSecond and PerDay how many messages the key may send; 0:
	// no limit.
	ConfirmOver int `json:"confirm_over,omitempty"`
	PerSecond   int `json:"per_second,omitempty"`
	PerDay      int `json:"per_day,omitempty"`

	Secret string `json:"secret,omitempty"` // the key, shown once
	SID    string `json:"sid,omitempty"`    // its account sid in the Twilio shape
}

// Site is a site file to apply.
type Site struct {
	File string `json:"file"` // for the places in faults
	Text []byte `json:"text"`
}

// Admin does what commands ask for.
type Admin interface {
	Apply(ctx context.Context, s Site) error
	Export(ctx context.Context) ([]byte, error)
	AddUser(ctx context.Context, u User) error
	AddKey(ctx context.Context, k Key) (Key, error)
}

// grace is how long an order may take when the daemon stops.
const grace = 3 * time.Second

// Serve answers orders on dir's socket until ctx ends.
func Serve(ctx context.Context, dir string, admin Admin, log *slog.Logger) error {
	path := socketPath(dir)
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("old control socket: %w", err)
	}
	listener, err := listen(path)
	if err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	server := &http.Server{Handler: handler(admin), ReadTimeout: time.Minute, WriteTimeout: time.Minute}
	if err := guard.Serve(ctx, server, listener, grace, log); err != nil {
		return fmt.Errorf("control socket: %w", err)
	}
	return nil
}

// longestPath is what a socket's address holds, less its ending (unix(7)).
const longestPath = 100

// socketPath is the socket in dir, from here when that is shorter than a
// socket's address and the whole path is not.
func socketPath(dir string) string {
	path := filepath.Join(dir, SocketName)
	if len(path) <= longestPath {
		return path
	}
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if short, err := filepath.Rel(here, path); err == nil && len(short) < len(path) {
		return short
	}
	return path
}

// listen makes the socket for its owner only, from the first moment on.
func listen(path string) (net.Listener, error) {
	listener, err := net.Listen("unix", path+".new")
	if err != nil {
		return nil, err
	}
	listener.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := os.Chmod(path+".new", 0o600); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	if err := os.Rename(path+".new", path); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return listener, nil
}

func handler(admin Admin) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("POST /apply", order(func(ctx context.Context, s Site) (struct{}, error) {
		return struct{}{}, admin.Apply(ctx, s)
	}))
	mux.Handle("POST /export", order(func(ctx context.Context, _ struct{}) ([]byte, error) {
		return admin.Export(ctx)
	}))
	mux.Handle("POST /user", order(func(ctx context.Context, u User) (struct{}, error) {
		return struct{}{}, admin.AddUser(ctx, u)
	}))
	mux.Handle("POST /key", order(admin.AddKey))
	return mux
}

// answer is what goes back over the socket.
type answer[T any] struct {
	Result T      `json:"result"`
	Error  string `json:"error,omitempty"`
}

func order[In, Out any](do func(context.Context, In) (Out, error)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var in In
		var out answer[Out]
		err := json.NewDecoder(r.Body).Decode(&in)
		if err == nil {
			out.Result, err = do(r.Context(), in)
		}
		if err != nil {
			out.Error = err.Error()
		}
		// A command that went away before its answer needs none.
		_ = json.NewEncoder(w).Encode(out)
	})
}

// Client speaks to the daemon that runs on dir; it is an [Admin].
type Client struct{ http *http.Client }

// Running says whether a daemon serves its socket in the data folder dir.
func Running(dir string) bool {
	conn, err := net.DialTimeout("unix", socketPath(dir), time.Second)
	if err != nil {
		return false
	}
	_ = conn.Close() // nothing was said on it
	return true
}

// Dial makes a client; nothing is sent yet.
func Dial(dir string) *Client {
	path := socketPath(dir)
	return &Client{http: &http.Client{Timeout: time.Minute, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, "unix", path)
		},
	}}}
}

// Apply loads a site file.
func (c *Client) Apply(ctx context.Context, s Site) error {
	_, err := send[struct{}](ctx, c, "/apply", s)
	return err
}

// Export dumps the site as YAML.
func (c *Client) Export(ctx context.Context) ([]byte, error) {
	return send[[]byte](ctx, c, "/export", struct{}{})
}

// AddUser adds a log-in.
func (c *Client) AddUser(ctx context.Context, u User) error {
	_, err := send[struct{}](ctx, c, "/user", u)
	return err
}

// AddKey makes an API key.
func (c *Client) AddKey(ctx context.Context, k Key) (Key, error) {
	return send[Key](ctx, c, "/key", k)
}

func send[Out any](ctx context.Context, c *Client, path string, in any) (Out, error) {
	var out answer[Out]
	body, err := json.Marshal(in)
	if err != nil {
		return out.Result, fmt.Errorf("order: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://callbox"+path, bytes.NewReader(body))
	if err != nil {
		return out.Result, fmt.Errorf("order: %w", err)
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return out.Result, fmt.Errorf("the daemon does not answer on its control socket: %w", err)
	}
	defer resp.Body.Close()
	if err := json.NewDecoder(io.LimitReader(resp.Body, 64<<20)).Decode(&out); err != nil {
		return out.Result, fmt.Errorf("the daemon's answer: %w", err)
	}
	if out.Error != "" {
		return out.Result, errors.New(out.Error)
	}
	return out.Result, nil
}
