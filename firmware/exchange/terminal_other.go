//go:build !linux

package exchange

import (
	"errors"
	"io"
)

func openTerminal(string) (io.ReadWriteCloser, error) {
	return nil, errors.New("analogue side: a terminal serves on Linux only; a unix socket does everywhere")
}
