package dsp

// told are the tones that are reported.
var told = [...]string{"dial", "ringback", "busy", "congestion", "vacant"}

// What makes a tone's name sure, and what makes it the same tone again, in samples.
const (
	dialSure  = 4 * Rate // no ringback sounds so long, of whatever exchange
	soonAgain = 5 * Rate // a pause up to here belongs to the tone's cadence
	noMore    = 7 * Rate // so long after a tone is gone, it is known not to come again
	cadences  = 3        // that were heard
)

// naming is what a [Listener] thinks of one tone. A tone of which little was heard is told
// only when it does not come again: else it is part of a longer cadence, that of an office's
// exchange, and has another meaning.
type naming struct {
	now, gone     int64 // where it began, and where it was gone; 0 while it goes on
	heard         bool
	doubt, repeat bool // not told yet; one that came again
}

// begins takes a tone that became sure.
func (n *naming) begins(at int64) {
	again := n.heard && n.gone > 0 && at-n.gone < soonAgain
	*n = naming{now: at, heard: true, repeat: again, doubt: !again || n.doubt}
}

// sure says whether a tone that goes on, or is gone, can be nothing else.
func (n *naming) sure(name string, count int, now int64) bool {
	switch {
	case !n.doubt:
		return false
	case n.gone > 0:
		return !n.repeat && now-n.gone > noMore
	case name == "dial":
		return now-n.now > dialSure
	}
	return name == "ringback" || count >= cadences
}

// tell reports the tone.
func (l *Listener) tell(i int, found []Finding) []Finding {
	l.named[i].doubt = false
	return append(found, Finding{At: l.named[i].now, Kind: "tone", Value: told[i]})
}

func (l *Listener) tone(in []int16, found []Finding) []Finding {
	l.heard = l.tones.Detect(in, l.heard[:0])
	for _, h := range l.heard {
		for i, name := range told {
			if h.Name == name {
				found = l.name(i, h, found)
			}
		}
	}
	for i, name := range told {
		if l.named[i].sure(name, 0, l.keys.now) {
			found = l.tell(i, found)
		}
	}
	return found
}

// name takes what was heard of tone i.
func (l *Listener) name(i int, h Heard, found []Finding) []Finding {
	n := &l.named[i]
	switch {
	case h.Gone:
		n.gone = h.At
		return found
	case !n.heard || n.gone > 0:
		found = l.settleOthers(i, found)
		n.begins(h.At)
	}
	if n.sure(told[i], h.Count, l.keys.now) {
		found = l.tell(i, found)
	}
	return found
}

// settle ends all doubt: something else is heard, or nothing any more.
func (l *Listener) settle(found []Finding) []Finding { return l.settleOthers(-1, found) }

// settleOthers does so for all tones but one.
func (l *Listener) settleOthers(but int, found []Finding) []Finding {
	for i := range l.named {
		n := &l.named[i]
		if i == but || !n.heard {
			continue
		}
		if n.doubt && !n.repeat {
			found = l.tell(i, found)
		}
		if n.gone > 0 {
			*n = naming{}
		}
	}
	return found
}
