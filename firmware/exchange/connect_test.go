package exchange_test

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"callbox/firmware/exchange"
)

func TestConnect(t *testing.T) {
	dir := t.TempDir()
	socket := filepath.Join(dir, "analog1")
	listener, err := net.Listen("unix", socket)
	ok(t, err)
	defer listener.Close()
	deep := filepath.Join(dir, strings.Repeat("d", 120))
	ok(t, os.Mkdir(deep, 0o700))
	far := filepath.Join(deep, "analog1")
	ok(t, os.Rename(socket, far))
	ok(t, os.Symlink(far, socket))
	for _, path := range []string{socket, far} {
		conn, err := exchange.Connect(t.Context(), path)
		if err != nil {
			t.Errorf("a name of %d bytes: %v", len(path), err)
			continue
		}
		ok(t, conn.Close())
	}

	plain := filepath.Join(dir, "file")
	ok(t, os.WriteFile(plain, nil, 0o600))
	for path, want := range map[string]string{
		filepath.Join(dir, "nothing"): "no such file",
		plain:                         "neither a socket nor a terminal",
		"/dev/null":                   "analogue side /dev/null",
	} {
		if _, err := exchange.Connect(t.Context(), path); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("Connect(%s) = %v, want %q", path, err, want)
		}
	}
}
