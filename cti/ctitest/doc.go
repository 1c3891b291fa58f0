// Package ctitest has the other ends of calls: a leg in memory for tests of
// what handles calls, and a SIP phone on loopback that registers, calls,
// answers, speaks tones and hears them.
//
// [Phone.Run] owns a phone's goroutines. The package speaks SIP and RTP by
// itself, on purpose: a peer that shared code with cti/sip would share its
// mistakes.
package ctitest
