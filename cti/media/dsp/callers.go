package dsp

// Callers finds caller ID of any mode on an idle (on-hook) line. What is keyed there
// comes from the exchange, so that every key counts.
type Callers struct {
	fsk  *receiver
	keys keys
	raw  [258]byte
	size int
}

// NewCallers makes a detector.
func NewCallers() *Callers {
	return &Callers{fsk: newReceiver(), keys: newKeys()}
}

// Detect takes the next samples and appends what is complete.
func (c *Callers) Detect(in []int16, found []CallerID) []CallerID {
	for len(in) > 0 {
		n := min(keysStep, len(in))
		if message := c.fsk.receive(in[:n]); message != nil {
			c.size = copy(c.raw[:], message)
			if id, err := ParseCallerID(message); err == nil {
				found = append(found, id)
			}
		}
		if id, ok := c.key(in[:n]); ok {
			found = append(found, id)
		}
		in = in[n:]
	}
	return found
}

func (c *Callers) key(in []int16) (CallerID, bool) {
	k := &c.keys
	if d, ok := k.hear(in); ok && (k.count > 0 || startsCallerID(d.Key)) {
		k.hold(d)
	}
	if k.count == 0 || !k.over() && !endsCallerID(k.held[k.count-1].Key) && k.count < longestKeys {
		return CallerID{}, false
	}
	id, ok := k.parse()
	k.count = 0
	return id, ok
}

// Reset forgets what is half received.
func (c *Callers) Reset() {
	c.fsk.reset()
	c.keys = newKeys()
}

// Raw is the last FSK message as received, type to checksum (for +VCID=2), also
// one that is no caller ID; nil before the first.
func (c *Callers) Raw() []byte {
	if c.size == 0 {
		return nil
	}
	return c.raw[:c.size]
}
