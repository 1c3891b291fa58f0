package app

import (
	"slices"
	"testing"
	"time"

	"callbox/cmd/internal/config"
)

func TestRestarts(t *testing.T) {
	runs, read := config.Default(), config.Default()
	if w := restarts(&runs, &read); len(w) > 0 {
		t.Errorf("nothing changed, and %v want a restart", w)
	}
	read.Drain = time.Minute
	read.SIP.RTPPorts = "30000-30100"
	read.SMS.Accounts = []config.Account{{Name: "cmcc"}}
	if w := restarts(&runs, &read); !slices.Equal(w, []string{"sip", "sms"}) {
		t.Errorf("%v want a restart, not only sip and sms", w)
	}
}
