package voicebox

import (
	"time"

	"callbox/cti"
	"callbox/cti/media/dsp"
)

// How long what must last before it is believed.
const (
	answerLimit  = 60 * time.Second // from the last digit
	ringbackGone = 5 * time.Second  // from the end of the last burst
	burstReport  = time.Second      // from a burst's end until it is told
	toneless     = 10 * time.Second // with no tone at all, a voice is somebody's
	voiceTime    = 300 * time.Millisecond
	rejections   = 2 // cadences of a tone that says no
)

// verdict is what became of a call that we dialled.
type verdict struct {
	alerts   bool   // there is ringback
	answered string // how sure; "" while not
	failed   error
}

// progress judges a dialled call by its tones. With polarity only a reversal
// is an answer; without it, ringback that ends, and a voice, are taken for
// one. It counts time in samples.
type progress struct {
	polarity bool
	limit    bool  // give up after answerLimit
	at       int64 // since the last digit
	ringback int64 // where it was told last; 0: never
	gone     bool  // it did not come again
	tones    bool  // there was some
	voice    int64 // of the voice going on
}

// hear takes what was heard in a frame.
func (p *progress) hear(h *heard) verdict {
	p.at += int64(h.n)
	var v verdict
	for _, t := range h.tones {
		p.tone(t, &v)
	}
	if h.voice {
		p.voice += int64(h.n)
	} else {
		p.voice = 0
	}
	switch {
	case v.failed != nil:
	case !p.polarity && p.heardAnswer() != "":
		v.answered = p.heardAnswer()
	case p.limit && p.at >= inSamples(answerLimit):
		v.failed = cti.ErrNoAnswer
	}
	return v
}

func (p *progress) tone(t dsp.Heard, v *verdict) {
	switch {
	case t.Name == "ringback" && !t.Gone:
		p.ringback, p.gone, v.alerts = p.at, false, true
	case t.Name == "ringback":
		p.gone = true
	case t.Gone || t.Count < rejections:
	case t.Name == "busy":
		v.failed = cti.ErrBusy
	case t.Name == "congestion":
		v.failed = cti.ErrUnreachable
	case t.Name == "vacant":
		v.failed = cti.ErrNotFound
	}
	p.tones = p.tones || t.Name != "dial" // which may go on for a moment behind the digits
}

// heardAnswer guesses from what is heard whether somebody picked up.
func (p *progress) heardAnswer() string {
	speaks := p.voice >= inSamples(voiceTime)
	switch {
	case p.ringback > 0 && speaks:
		return Likely
	case p.gone && p.at-p.ringback >= inSamples(ringbackGone-burstReport):
		return Likely
	case !p.tones && speaks && p.at >= inSamples(toneless):
		return Guess
	}
	return ""
}
