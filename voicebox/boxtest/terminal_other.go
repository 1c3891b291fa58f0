//go:build !linux

package boxtest

import (
	"errors"
	"io"
)

func openTerminal() (master, slave io.ReadWriteCloser, name string, err error) {
	return nil, nil, "", errors.ErrUnsupported
}
