//go:build !linux

package board

import (
	"errors"
	"log/slog"
	"os"
)

var errLinux = errors.New("boxes run on Linux only")

// Host fails: ports are Linux's pseudo-terminals.
func Host(string, int, *slog.Logger) (Board, error) { return nil, errLinux }

// Qemu fails: the board runs Linux.
func Qemu(*slog.Logger) (Board, error) { return nil, errLinux }

// Restart ends the program.
func Restart() { os.Exit(1) }
