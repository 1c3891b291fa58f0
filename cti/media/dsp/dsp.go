// Package dsp hears and makes what is to be heard on a telephone line: digits,
// caller ID, call-progress tones, fax, speech and its echo.
//
// Everything works on linear samples at 8 kHz, keeps its state in values of
// fixed size and allocates nothing while it works. Time is counted in samples.
// It starts no goroutine and knows no calls, no files and no hardware.
package dsp

// Rate is the number of samples a second.
const Rate = 8000

// Full is the level of a sine that just fills 16 bits, in dBm0 (ITU-T G.711
// table 1a note: the virtual decision value of A-law lies at +3.14 dBm0).
const Full = 3.14
