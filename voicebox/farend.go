package voicebox

import (
	"time"

	"callbox/cti/media/dsp"
)

// What makes a far-end hang-up sure.
const (
	busyCadences  = 3               // of busy or congestion tone
	busyReports   = 4               // of the box itself, which hears our own sound, too
	busyApart     = 2 * time.Second // reports further apart are not of one tone
	steadyTone    = 2 * time.Second // of dial tone or howler, after it was sure
	reverseAtMost = 3 * time.Second // from our going off hook to the reversal at answer
	silenceLimit  = 2 * time.Minute // in both directions, where there is no polarity
	samplesASec   = int64(dsp.Rate)
)

func inSamples(d time.Duration) int64 { return int64(d) * samplesASec / int64(time.Second) }

// farEnd watches for the far side's hang-up on a line that has no word for it.
// It counts time in samples; the zero value is a line without polarity.
type farEnd struct {
	polarity bool
	since    time.Time // when we went off hook
	reversed bool      // at answer
	steady   int64     // samples since a continuous tone was sure; 0: none
	silence  int64     // samples that neither side was heard
	reports  int       // of the box
	last     time.Time
}

// hear takes what was heard in a frame and says by what the far side is gone;
// "" while it is not.
func (f *farEnd) hear(h *heard) string {
	for _, t := range h.tones {
		if f.tone(t) {
			return ByBusyTone
		}
	}
	if f.steady > 0 {
		if f.steady += int64(h.n); f.steady > inSamples(steadyTone) {
			return ByBusyTone
		}
	}
	f.silence += int64(h.n)
	if h.voice || h.ours || len(h.keys) > 0 {
		f.silence = 0
	}
	if !f.polarity && f.silence >= inSamples(silenceLimit) {
		return BySilence
	}
	return ""
}

func (f *farEnd) tone(t dsp.Heard) bool {
	switch t.Name {
	case "busy", "congestion":
		return !t.Gone && t.Count >= busyCadences
	case "dial", "howler":
		f.steady = 0
		if !t.Gone {
			f.steady = 1
		}
	}
	return false
}

// busy takes a report of busy tone by the box.
func (f *farEnd) busy(now time.Time) bool {
	if now.Sub(f.last) > busyApart {
		f.reports = 0
	}
	f.last = now
	f.reports++
	return f.reports >= busyReports
}

// turned takes a reversal: the first at answer, the next at release.
func (f *farEnd) turned(now time.Time) (gone bool) {
	if !f.polarity {
		return false
	}
	if f.reversed {
		return true
	}
	f.reversed = now.Sub(f.since) <= reverseAtMost
	return false
}
