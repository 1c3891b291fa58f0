package app

import (
	"slices"
	"testing"
	"time"

	"callbox/cmd/internal/config"
)

func TestWaitingForARestart(t *testing.T) {
	runs, read := config.Default(), config.Default()
	if w := waiting(&runs, &read); len(w) > 0 {
		t.Errorf("nothing changed, and %v wait", w)
	}
	read.Drain = time.Minute
	read.SIP.RTPPorts = "30000-30100"
	read.SMS.Accounts = []config.Account{{Name: "cmcc"}}
	if w := waiting(&runs, &read); !slices.Equal(w, []string{"sip", "sms"}) {
		t.Errorf("%v wait, want sip and sms", w)
	}
}
