//go:build !linux

package client

import "syscall"

// limitUnacked does nothing here; keep-alive and ACTIVE_TEST remain.
func limitUnacked(_, _ string, _ syscall.RawConn) error { return nil }
