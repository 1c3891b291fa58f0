package dsp

// Finding is one thing that was heard, see [Listener].
type Finding struct {
	At     int64  // sample where it began, as far as that can be told
	Kind   string // dtmf callerid tone fax
	Value  string // the digit, the tone's name, cng or ced
	Caller CallerID
}

// Listener hears everything at once, as `callbox detect` does; digits that were a caller
// ID are not reported again. Keys that begin like one are held back until it is clear,
// so a finding may be older than the one before it.
type Listener struct {
	fsk   *receiver
	keys  keys
	tones *Tones
	fax   *Fax
	heard []Heard
	named [len(told)]naming
}

// NewListener makes one with a tone plan.
func NewListener(p Plan) *Listener {
	return &Listener{fsk: newReceiver(), keys: newKeys(), tones: NewTones(p), fax: NewFax()}
}

// Listen takes the next samples.
func (l *Listener) Listen(in []int16, found []Finding) []Finding {
	for len(in) > 0 {
		n := min(keysStep, len(in))
		found = l.message(in[:n], found)
		found = l.key(in[:n], found)
		found = l.tone(in[:n], found)
		if fax := l.fax.Detect(in[:n]); fax != "" {
			found = append(found, Finding{At: l.fax.Began(), Kind: "fax", Value: fax})
		}
		in = in[n:]
	}
	return found
}

// Close gives what the end of the sound makes sure.
func (l *Listener) Close(found []Finding) []Finding {
	var quiet [keysStep]int16
	for range keysEnd/keysStep + 8 {
		found = l.message(quiet[:], found)
		found = l.key(quiet[:], found)
	}
	return l.settle(found)
}

func (l *Listener) message(in []int16, found []Finding) []Finding {
	message := l.fsk.receive(in)
	if message == nil {
		return found
	}
	id, err := ParseCallerID(message)
	if err != nil {
		return found
	}
	return append(found, Finding{At: l.fsk.began, Kind: "callerid", Caller: id})
}

// key holds back what an exchange might be sending: keys in its rhythm, after a
// pause, beginning with D, A or B.
func (l *Listener) key(in []int16, found []Finding) []Finding {
	k := &l.keys
	fresh, last := k.over(), k.dtmf.Last()
	d, ok := k.hear(in)
	if k.count > 0 && (ok && !inRhythm(last, d) || k.count == longestKeys) {
		found = l.release(found)
	}
	switch {
	case ok && (k.count > 0 || fresh && startsCallerID(d.Key)):
		k.hold(d)
	case ok:
		found = l.settle(found)
		found = append(found, Finding{At: d.At, Kind: "dtmf", Value: string(d.Key)})
	case k.count > 0 && k.over():
		found = l.decide(found)
	}
	return found
}

// inRhythm says whether d followed as fast as an exchange sends, and not after an end.
func inRhythm(last, d Digit) bool {
	return last.Length <= keysLongest && d.At-last.At-int64(last.Length) <= keysGap && last.Key != 'C'
}

// decide is for the pause after the keys that are held.
func (l *Listener) decide(found []Finding) []Finding {
	id, ok := l.keys.parse()
	end := l.keys.held[l.keys.count-1].Key
	if !ok || end != 'C' && len(id.Number) < 5 {
		return l.release(found)
	}
	at := l.keys.held[0].At
	l.keys.count = 0
	return append(found, Finding{At: at, Kind: "callerid", Caller: id})
}

// release tells what is held key by key: it was no caller ID.
func (l *Listener) release(found []Finding) []Finding {
	for _, d := range l.keys.held[:l.keys.count] {
		found = append(found, Finding{At: d.At, Kind: "dtmf", Value: string(d.Key)})
	}
	l.keys.count = 0
	return found
}
