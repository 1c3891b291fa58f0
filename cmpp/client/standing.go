package client

import (
	"fmt"
	"time"

	"callbox/cmpp"
)

const (
	// runLength is how many results in a row that blame the account, none
	// accepted between, mean that it is wrong.
	runLength  = 5
	probeFirst = time.Minute
	probeMost  = 10 * time.Minute
)

// blamesAccount tells whether a result is about the account rather than the
// message: its Service_Id, Src_Id or Msg_src is not what the contract says.
func blamesAccount(r cmpp.Result) bool {
	return r == cmpp.ResultService || r == cmpp.ResultSrcID || r == cmpp.ResultMsgSrc
}

// trust is whether messages are sent for an account.
type trust int

const (
	good    trust = iota // they are
	barred               // the account is wrong: none is
	trying               // the next one is, to see
	proving              // that one is on its way
)

// verdict is what moves trust on.
type verdict int

const (
	served    verdict = iota // a message was accepted
	blamed                   // a run of results blames the account, or one more does
	due                      // the time of a probe has come
	taken                    // the probe is here
	undecided                // the probe ended otherwise
)

var trusts = map[trust]map[verdict]trust{
	good:    {blamed: barred},
	barred:  {served: good, due: trying},
	trying:  {served: good, blamed: barred, taken: proving},
	proving: {served: good, blamed: barred, undecided: trying},
}

// next is pure; what does not concern a trust leaves it as it is.
func (t trust) next(v verdict) trust {
	if to, ok := trusts[t][v]; ok {
		return to
	}
	return t
}

// standing is an account's at its gateway. The gate guards it.
type standing struct {
	trust trust
	run   int // results in a row that blame the account
	why   string
	wait  time.Duration // until the next probe: a minute, doubling to ten
	probe time.Time
}

// blame takes in a result that blames the account; news tells whether it is
// barred by that.
func (s *standing) blame(now time.Time, r cmpp.Result) (news bool) {
	if s.run++; s.trust == good && s.run < runLength {
		return false
	}
	was := s.trust
	if s.trust = was.next(blamed); s.trust == was {
		return false
	}
	s.why = fmt.Sprintf("the gateway refuses the account: result %v, %d times in a row", r, s.run)
	s.wait = min(max(probeFirst, 2*s.wait), probeMost)
	s.probe = now.Add(s.wait)
	return true
}

// serve takes in an accepted message; news tells whether the account is good
// again by that.
func (s *standing) serve() (news bool) {
	s.run = 0
	if s.trust == good {
		return false
	}
	*s = standing{trust: s.trust.next(served)}
	return true
}

// look lets a probe through when it is time.
func (s *standing) look(now time.Time) {
	if s.trust == barred && !now.Before(s.probe) {
		s.trust = s.trust.next(due)
	}
}
