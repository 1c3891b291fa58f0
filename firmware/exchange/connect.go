package exchange

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
)

// Connect opens a box's analogue side: a unix socket, or a terminal, which is
// made raw.
func Connect(ctx context.Context, path string) (io.ReadWriteCloser, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("analogue side: %w", err)
	}
	if info.Mode()&os.ModeCharDevice != 0 {
		return openTerminal(path)
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("analogue side: %w", err)
	}
	return conn, nil
}
