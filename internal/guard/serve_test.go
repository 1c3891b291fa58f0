package guard_test

import (
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"testing"
	"time"

	"callbox/internal/guard"
)

// TestServe: a request under way ends, one that hangs is cut off.
func TestServe(t *testing.T) {
	for name, tt := range map[string]struct {
		grace time.Duration
		want  string
	}{"in time": {time.Minute, "done"}, "too slow": {time.Millisecond, ""}} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(t.Context())
			held := make(chan struct{})
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				stop()
				if tt.want == "" {
					<-held
				}
				_, _ = io.WriteString(w, "done")
			})}
			over := make(chan error, 1)
			guard.Go("server", nil, func() { over <- guard.Serve(ctx, server, l, tt.grace, slog.Default()) })
			got := ""
			if resp, err := http.Get("http://" + l.Addr().String()); err == nil {
				body, _ := io.ReadAll(resp.Body)
				resp.Body.Close()
				got = string(body)
			}
			if got != tt.want {
				t.Errorf("the request got %q, want %q", got, tt.want)
			}
			if err := <-over; err != nil {
				t.Errorf("Serve = %v", err)
			}
			close(held)
		})
	}
}
