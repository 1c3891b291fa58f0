package exchange

// State is what the exchange has the line in.
type State uint8

// The states of a subscriber's line.
const (
	Idle       State = iota
	Alerting         // a caller lets it ring
	DialTone         // lifted by itself
	Dialling         // the first digit came
	Proceeding       // the number is complete: it is looked for, it rings there
	Refused          // busy, congestion or vacant tone
	Talking          //
	Released         // the other side hung up
	Parked           // off hook for too long: howler
)

var stateNames = [...]string{
	"idle", "alerting", "dial tone", "dialling", "proceeding", "refused", "talking", "released", "parked",
}

func (s State) String() string {
	if int(s) < len(stateNames) {
		return stateNames[s]
	}
	return "unknown"
}

// event is what happens to a line.
type event uint8

const (
	called    event = iota // a caller dialled this line
	lifted                 // the loop is closed, by box or telephone
	hungUp                 // it is open, for longer than a flash
	digit                  // one was dialled
	complete               // the number is
	answered               // the other side lifted
	released               // the other side, or who called, hung up
	refused                // the call comes to nothing
	neglected              // nothing happened for too long
)

var moves = map[State]map[event]State{
	Idle:       {called: Alerting, lifted: DialTone},
	Alerting:   {lifted: Talking, released: Idle},
	DialTone:   {digit: Dialling, hungUp: Idle, neglected: Refused},
	Dialling:   {complete: Proceeding, hungUp: Idle},
	Proceeding: {answered: Talking, refused: Refused, hungUp: Idle},
	Refused:    {hungUp: Idle, neglected: Parked},
	Talking:    {released: Released, hungUp: Idle},
	Released:   {hungUp: Idle, neglected: Parked},
	Parked:     {hungUp: Idle},
}

// next is pure; ok is false for what changes nothing in this state.
func (s State) next(e event) (to State, ok bool) {
	to, ok = moves[s][e]
	return to, ok
}
