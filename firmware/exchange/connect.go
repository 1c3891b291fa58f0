package exchange

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
)

// longestSocket is how long a socket's name may be (unix(7)).
const longestSocket = 107

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
	if info.Mode()&os.ModeSocket == 0 {
		return nil, fmt.Errorf("analogue side: %s is neither a socket nor a terminal", path)
	}
	if len(path) > longestSocket {
		folder, err := os.Open(filepath.Dir(path))
		if err != nil {
			return nil, fmt.Errorf("analogue side: %w", err)
		}
		defer folder.Close()
		path = filepath.Join("/proc/self/fd", strconv.Itoa(int(folder.Fd())), filepath.Base(path))
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, fmt.Errorf("analogue side: %w", err)
	}
	return conn, nil
}
