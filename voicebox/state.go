package voicebox

import "time"

// state is what goes on on a line whose box answers.
type state uint8

const (
	idle     state = iota
	ringing        // it rings and nobody has lifted
	ignored        // it rings on, but its call is over
	dialling       // we are off hook for a call of ours that is not answered yet
	talking        // we are off hook with somebody
	attended       // the ordinary telephone is up and we listen
	inUse          // the ordinary telephone is up without us
	resting        // on hook; the exchange still releases the call before
)

func (s state) String() string {
	return [...]string{"idle", "ringing", "ignored", "dialling", "talking", "attended", "inUse", "resting"}[s]
}

// happening is what can happen on a line.
type happening uint8

const (
	rings       happening = iota // the first burst
	ringingEnds                  // no burst for a while
	givenUp                      // our side has no more use for a call
	partyGone                    // the far side has hung up, or did not come
	dials                        // we want to call out
	weLift                       // we go off hook to answer
	theyAnswer                   // the party we called
	setAttended                  // the set is lifted on a line that we attend
	setTaken                     // the set is lifted on a line that we answer
	setReplaced                  // and put back
	rested                       // the pause is over
	tooLong                      // the state has lasted longer than it may
)

func (h happening) String() string {
	return [...]string{
		"rings", "ringing ends", "given up", "party gone", "dials", "we lift", "they answer",
		"set lifted", "set taken", "set replaced", "rested", "too long",
	}[h]
}

// moves is the machine. What is not in it changes nothing. A lost box ends the
// machine as a whole.
var moves = map[state]map[happening]state{
	idle:     {rings: ringing, dials: dialling, setAttended: attended, setTaken: inUse},
	ringing:  {ringingEnds: idle, givenUp: ignored, weLift: talking, setAttended: attended, setTaken: inUse, tooLong: ignored},
	ignored:  {ringingEnds: idle, setAttended: inUse, setTaken: inUse, tooLong: idle},
	dialling: {rings: talking, theyAnswer: talking, partyGone: resting, givenUp: resting, tooLong: resting},
	talking:  {partyGone: resting, givenUp: resting, tooLong: resting},
	attended: {setReplaced: resting, partyGone: inUse, givenUp: inUse, tooLong: inUse},
	inUse:    {setReplaced: resting, rings: ringing, tooLong: idle},
	resting:  {rested: idle, rings: ringing, setAttended: attended, setTaken: inUse, tooLong: idle},
}

// next is pure. The session stores what it returns and only then acts on it.
func (s state) next(h happening) (state, bool) {
	to, ok := moves[s][h]
	return to, ok
}

// limits are how long a state may last, so that no line hangs for ever; an
// idle line is asked for a sign of life instead.
var limits = map[state]time.Duration{
	ringing:  5 * time.Minute,
	ignored:  5 * time.Minute,
	dialling: 2 * time.Minute,
	talking:  8 * time.Hour,
	attended: 8 * time.Hour,
	inUse:    2 * time.Hour,
	resting:  time.Minute,
}

// offHook says whether our side holds the line in this state.
func (s state) offHook() bool { return s == dialling || s == talking }
