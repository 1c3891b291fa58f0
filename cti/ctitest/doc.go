// Package ctitest gives tests, simulators and the demo the other end of a call.
//
// [Leg] and [Port] are a leg and its sound in memory, driven by the test.
// [Phone] is a SIP telephone on a UDP socket of its own: it registers, calls,
// rings, answers, plays and hears tones and presses keys; one Phone with many
// calls is a carrier's trunk. [Phone.Run] owns a phone's goroutines and ends
// them; one more, for as long as any phone of the process talks, keeps the
// beat of all of them. The package speaks SIP and RTP by itself, so that what
// it tests is not also what it is made of, and it knows nothing of callbox
// beyond cti's types.
package ctitest
