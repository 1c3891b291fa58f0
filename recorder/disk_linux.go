package recorder

import (
	"os"

	"golang.org/x/sys/unix"
)

// syncDisk writes out the whole file system that dir is on: one call for all
// recordings.
func syncDisk(dir *os.File) error { return unix.Syncfs(int(dir.Fd())) }
