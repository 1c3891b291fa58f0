package media

import (
	"time"

	"callbox/cti/media/dsp"
)

const (
	faxSpan = 60 * time.Second       // of sound in which a fax tells itself
	echoed  = 600 * SampleRate / 1e3 // how long behind an event its tone may be heard
)

// keyEar finds keys in the sound.
type keyEar struct {
	dtmf  *dsp.DTMF
	found [4]dsp.Digit
	press func(rune)
}

// faxEar finds fax tones in the sound, as long as there is any left to hear.
type faxEar struct {
	detector *dsp.Fax
	left     time.Duration
	heard    chan<- string
}

// Fax implements [RTP].
func (p *rtpPort) Fax() <-chan string { return p.fax }

// detect sets what is listened for in the party's sound; the same again changes
// nothing. A closed port has no ear, however long somebody keeps it.
func (p *port) detect(want Detect, fax chan<- string) {
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	if p.isClosed() {
		want = 0
	}
	if want == p.in.detects {
		return
	}
	if p.in.detects != 0 {
		p.in.ear.keys, p.in.ear.fax = nil, nil
		p.in.spare()
	}
	p.in.detects = want
	p.detects.Store(want != 0)
	if want == 0 {
		return
	}
	p.in.need()
	if want&DetectKeys != 0 {
		p.in.ear.keys = &keyEar{dtmf: dsp.NewDTMF(), press: p.pressed}
	}
	if want&DetectFax != 0 {
		p.in.ear.fax = &faxEar{detector: dsp.NewFax(), left: faxSpan, heard: fax}
	}
}

// detect listens to what was said. Callers hold r.mu.
func (e *ear) detect(r *receiver) {
	if e.keys != nil {
		for _, d := range e.keys.dtmf.Detect(e.said[:], e.keys.found[:0]) {
			r.found(rune(d.Key), e.beat, e.keys.press)
		}
	}
	if e.fax != nil && !e.fax.listen(e.said[:], e.loud) {
		e.fax = nil
	}
}

// listen is false when it has heard enough.
func (f *faxEar) listen(said []int16, loud bool) bool {
	if loud {
		f.left -= Frame
	}
	if name := f.detector.Detect(said); name != "" {
		select {
		case f.heard <- name:
		default:
		}
	}
	return f.left > 0
}

// found takes a key heard in the sound at clock sample now: it counts as an
// event if none came with it. Who is bridged hears the tone itself, so only
// who takes events is told. Callers hold mu.
func (r *receiver) found(key rune, now int64, press func(rune)) {
	if key == r.keyed && now-r.keyedAt < echoed {
		return
	}
	press(key)
	if r.peer != nil {
		r.peer.relay(key)
	}
	for _, s := range r.hearers {
		s.relay(key)
	}
}
