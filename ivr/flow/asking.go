package flow

// MaxVisits is how many nodes one call may pass before its flow counts as
// running in circles.
const MaxVisits = 500

// Verdict is what a key, or none, means to a node that asks.
type Verdict uint8

// The verdicts.
const (
	Chosen  Verdict = iota // the key leads on (menu only)
	Again                  // wrong or silent, and there is another try
	GiveUp                 // the tries are used up
	Digit                  // taken, and more may follow (collect only)
	Entered                // the digits are complete (collect only)
)

// Tries counts the tries of one visit to a menu: a retry is a play after the
// first, and a wrong key and silence each use one.
type Tries struct {
	spec MenuSpec
	used int
}

// Tries begins a visit.
func (s MenuSpec) Tries() *Tries { return &Tries{spec: s} }

// Key says where k leads.
func (t *Tries) Key(k rune) (string, Verdict) {
	if next, ok := t.spec.Keys[k]; ok {
		return next, Chosen
	}
	return t.Silence()
}

// Silence says what no key means.
func (t *Tries) Silence() (string, Verdict) {
	if t.used == t.spec.Retries {
		return t.spec.Otherwise, GiveUp
	}
	t.used++
	return "", Again
}

// Entry gathers the digits of one visit to a collect node.
type Entry struct {
	spec   CollectSpec
	digits []rune
	used   int
}

// Entry begins a visit.
func (s CollectSpec) Entry() *Entry { return &Entry{spec: s} }

// Digits are what was entered so far.
func (e *Entry) Digits() string { return string(e.digits) }

// Key takes k.
func (e *Entry) Key(k rune) Verdict {
	if string(k) == e.spec.Terminator {
		return e.Silence()
	}
	e.digits = append(e.digits, k)
	if len(e.digits) == e.spec.Max {
		return Entered
	}
	return Digit
}

// Silence is the terminator, or no key: with digits the entry is complete,
// without any a try is used up.
func (e *Entry) Silence() Verdict {
	if len(e.digits) > 0 {
		return Entered
	}
	if e.used == e.spec.Retries {
		return GiveUp
	}
	e.used++
	return Again
}
