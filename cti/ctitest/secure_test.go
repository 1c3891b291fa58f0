package ctitest_test

import (
	"strings"
	"testing"

	"callbox/cti/ctitest"
)

// Two phones talk by every transport, with each suite of SRTP.
func TestTransportsAndSuites(t *testing.T) {
	for _, tt := range []struct {
		transport string
		suites    []string
		want      string
	}{
		{"udp", nil, ""},
		{"tcp", nil, ""},
		{"tls", []string{"AEAD_AES_256_GCM", "AEAD_AES_128_GCM"}, "AEAD_AES_256_GCM"},
		{"tls", []string{"AEAD_AES_128_GCM"}, "AEAD_AES_128_GCM"},
		{"tcp", []string{"AES_CM_128_HMAC_SHA1_80"}, "AES_CM_128_HMAC_SHA1_80"},
		{"tls", []string{"AES_CM_128_HMAC_SHA1_32"}, "AES_CM_128_HMAC_SHA1_32"},
	} {
		t.Run(tt.transport+" "+tt.want, func(t *testing.T) {
			t.Parallel()
			a := start(t, ctitest.PhoneConfig{User: "1001", Transport: tt.transport, SRTP: tt.suites})
			b := start(t, ctitest.PhoneConfig{
				User: "1002", Transport: tt.transport, SRTP: tt.suites,
				OnCall: func(*ctitest.Talk) ctitest.Plan { return ctitest.Plan{Hz: 600} },
			})
			talk := dial(t, a, b, ctitest.CallOptions{})
			talk.Tone(1000)
			if err := talk.WaitAnswered(patient(t)); err != nil {
				t.Fatal(err)
			}
			other := b.Talks()[0]
			if err := talk.WaitTone(patient(t), 600); err != nil {
				t.Error(err)
			}
			if err := other.WaitTone(patient(t), 1000); err != nil {
				t.Error(err)
			}
			if talk.Suite() != tt.want || other.Suite() != tt.want || talk.Unopened()+other.Unopened() != 0 {
				t.Errorf("suites %q and %q, want %q", talk.Suite(), other.Suite(), tt.want)
			}
			if via := other.Invite().Get("Via"); !strings.Contains(via, "SIP/2.0/"+strings.ToUpper(tt.transport)+" ") {
				t.Error(via)
			}
			talk.Hangup()
			await(t, other.Ended(), "the BYE")
		})
	}
}

// A phone without SRTP refuses a sealed offer; one that has another suite too.
func TestSealedOfferIsRefused(t *testing.T) {
	for _, suites := range [][]string{nil, {"AEAD_AES_128_GCM"}} {
		a := start(t, ctitest.PhoneConfig{User: "1001", SRTP: []string{"AES_CM_128_HMAC_SHA1_80"}})
		b := start(t, ctitest.PhoneConfig{User: "1002", SRTP: suites})
		talk := dial(t, a, b, ctitest.CallOptions{})
		await(t, talk.Ended(), "the refusal")
		if talk.Status() != 488 {
			t.Errorf("%v: %d", suites, talk.Status())
		}
	}
}
