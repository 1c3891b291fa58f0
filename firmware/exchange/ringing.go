package exchange

import (
	"time"

	"callbox/cti/media/dsp"
)

// Call is a call to the line.
type Call struct {
	Caller dsp.CallerID // Mode: fsk, dtmf, or "" to present nothing
	Bursts int          // the caller gives up after so many; 0: never
}

// When caller ID is sent: DTMF so long before the first burst, FSK so long
// after it (YD/T 1277.1: 0.5 to 1.5 s).
const (
	beforeDTMF = 300 * time.Millisecond
	afterDTMF  = 500 * time.Millisecond
	beforeFSK  = 600 * time.Millisecond
	shortBurst = 200 * time.Millisecond
)

// ringing is the plan of a call's bursts and of its caller ID, in frames since
// it began. It is made once and does not change.
type ringing struct {
	lead, on, off int64 // before the first burst; a burst; a pause
	bursts        int64 // 0: no end
	prelude       Prelude
	spoken        []int16 // caller ID
	spokenAt      int64
}

func newRinging(cfg *Config, call Call) *ringing {
	r := &ringing{on: frames(cfg.RingOn), off: frames(cfg.RingOff), bursts: int64(call.Bursts)}
	switch call.Caller.Mode {
	case "dtmf":
		k := cfg.Keying
		k.Level = cfg.Level
		r.prelude, r.spokenAt = cfg.Prelude, frames(beforeDTMF)
		if r.prelude != NoPrelude {
			r.spokenAt += frames(beforeDTMF)
		}
		r.spoken = dsp.AppendDTMFCallerID(nil, call.Caller, k)
		r.lead = r.spokenAt + frames(length(r.spoken)+afterDTMF)
	case "fsk":
		r.spokenAt = r.on + frames(beforeFSK)
		r.spoken = dsp.AppendFSK(nil, call.Caller.MDMF(), cfg.Modulation, cfg.Level)
	}
	return r
}

func length(s []int16) time.Duration { return time.Duration(len(s)) * time.Second / dsp.Rate }

// voltage says whether there is ringing voltage in frame n.
func (r *ringing) voltage(n int64) bool {
	if n < r.lead {
		return r.prelude == RingPrelude && n < frames(shortBurst)
	}
	return (n-r.lead)%(r.on+r.off) < r.on
}

// reversed says whether the polarity tells in frame n that a caller ID follows.
func (r *ringing) reversed(n int64) bool { return r.prelude == ReversalPrelude && n < r.lead }

// over says whether the caller has given up by frame n: a pause after the last
// burst.
func (r *ringing) over(n int64) bool {
	return r.bursts > 0 && n-r.lead >= r.bursts*(r.on+r.off)
}

// heard says whether by frame n so many bursts were, and half a pause after.
func (r *ringing) heard(n, bursts int64) bool {
	return n-r.lead >= bursts*(r.on+r.off)-r.off/2
}
