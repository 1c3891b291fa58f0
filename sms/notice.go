package sms

// Tier is one level of a notice that climbs: To gets its text After seconds
// behind the level before, unless that one was acknowledged (or, where Unless
// says delivered, was delivered).
type Tier struct {
	To     []string `json:"to"`
	After  float64  `json:"after,omitempty"`  // seconds; the first level's is 0
	Unless string   `json:"unless,omitempty"` // acked when empty, or delivered
}

// Repeat sends the current level's text again until the notice is
// acknowledged.
type Repeat struct {
	Every float64 `json:"every"` // seconds
	Times int     `json:"times"`
}

// Notice is what a job does when nobody answers, and how far it is.
type Notice struct {
	Tiers    []Tier  `json:"tiers,omitempty"`
	Repeat   *Repeat `json:"repeat,omitempty"`
	Tier     int     `json:"tier"`     // the current one
	Repeated int     `json:"repeated"` // times, at the current one
}

// notice is what a request says about tiers and repeats; nil for a plain job.
func (r Request) notice(faults *Invalid) *Notice {
	if len(r.Tiers) > 0 {
		faults.add("tiers", "%w", ErrNotServed)
	}
	if r.Repeat != nil {
		faults.add("repeat", "%w", ErrNotServed)
	}
	return nil
}
