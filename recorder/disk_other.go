//go:build !linux

package recorder

import "os"

func syncDisk(dir *os.File) error { return dir.Sync() }
