package guard

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Serve answers on l until ctx ends: then requests under way have grace to end,
// and what is left is cut off. A stop is no error.
func Serve(ctx context.Context, server *http.Server, l net.Listener, grace time.Duration, log *slog.Logger) error {
	closing := Group{Log: log}
	ended := make(chan struct{})
	closing.Go("http closes", func() {
		select {
		case <-ctx.Done():
		case <-ended:
		}
		limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
		defer cancel()
		if server.Shutdown(limit) != nil {
			_ = server.Close() // what did not end in time; Serve tells the rest
		}
	})
	err := server.Serve(l)
	close(ended)
	closing.Wait()
	if errors.Is(err, http.ErrServerClosed) {
		return nil
	}
	return err
}
