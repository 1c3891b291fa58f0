// Package v253 drives a voice box or voice modem from the host's side over one
// serial port, as ITU-T V.253 (02/98) says and as real boxes do.
//
// [Open] finds the box whatever state it was left in, learns what it is and
// sets it up; from then on two goroutines of the [Modem] read and write the
// port until [Modem.Close] or the port's end. Commands go one at a time, events
// come on a channel, audio flows as a [Stream] of linear frames. What chips do
// differently is data in a table of profiles. The package knows no calls, no
// tones and no port names.
package v253
