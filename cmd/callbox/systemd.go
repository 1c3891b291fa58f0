package main

import (
	"net"
	"os"
)

// notifySystemd tells the service manager a state, where one started us
// (sd_notify(3)); without one it does nothing.
func notifySystemd(state string) {
	path := os.Getenv("NOTIFY_SOCKET")
	if path == "" {
		return
	}
	conn, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		return // the manager is gone; so will we be
	}
	defer conn.Close()
	_, _ = conn.Write([]byte(state)) // likewise
}
