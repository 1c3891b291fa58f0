package cmpptest

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"callbox/cmpp"
)

// Seconds is a duration in seconds, as programs write it in JSON.
type Seconds float64

// Duration gives the same as Go counts it.
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// Faults says how a centre misbehaves. Counts are of the next so many events,
// -1 stands for all from now on; each event that a fault hit counts it down.
// Shares are of all events, from 0 to 1.
type Faults struct {
	RefuseLogin   cmpp.ConnectStatus `json:"refuse_login"`   // Status that every CONNECT gets; 0: none
	WrongAuth     bool               `json:"wrong_auth"`     // CONNECT_RESP without a valid AuthenticatorISMG
	Stall         bool               `json:"stall"`          // nothing is read or answered
	Mute          bool               `json:"mute"`           // ACTIVE_TESTs are not answered
	ReadRate      int                `json:"read_rate"`      // bytes a second that are read from each connection; 0: no limit
	ResponseDelay Seconds            `json:"response_delay"` // of every SUBMIT_RESP
	// ResponseJitter is added to that at random, from nothing to all of it, so
	// that answers change places.
	ResponseJitter Seconds     `json:"response_jitter"`
	DropResponses  int         `json:"drop_responses"` // SUBMITs that are accepted and not answered
	Throttle       int         `json:"throttle"`       // SUBMITs that get result 8
	Rate           int         `json:"rate"`           // numbers a second and account, SUBMITs above it get result 8; 0: no limit
	Reject         int         `json:"reject"`         // SUBMITs that get RejectResult
	RejectResult   cmpp.Result `json:"reject_result"`  // default 13
	// Duplicate answers a SUBMIT whose sequence was seen with result 3 instead
	// of its first answer.
	Duplicate bool `json:"duplicate"`
	CutBefore int  `json:"cut_before"` // SUBMITs that are accepted, but end the connection before their answer
	CutAfter  int  `json:"cut_after"`  // SUBMITs whose answer ends the connection

	Stat           cmpp.Stat   `json:"stat"`          // of reports; default DELIVRD
	FailShare      float64     `json:"fail_share"`    // of messages, whose reports have one of FailStats
	FailStats      []cmpp.Stat `json:"fail_stats"`    // default UNDELIV
	NoReports      bool        `json:"no_reports"`    // reports are never sent
	HoldReports    bool        `json:"hold_reports"`  // reports wait until this is false, and then come all at once
	ReportJitter   Seconds     `json:"report_jitter"` // added to the report delay at random
	LateShare      float64     `json:"late_share"`    // of messages, whose reports take LateDelay longer
	LateDelay      Seconds     `json:"late_delay"`
	ReportFirst    bool        `json:"report_first"`    // all reports leave before their SUBMIT_RESP
	EarlyShare     float64     `json:"early_share"`     // of messages, whose reports do
	DoubleReports  bool        `json:"double_reports"`  // all reports come twice
	DoubleShare    float64     `json:"double_share"`    // of messages, whose reports do
	OrphanShare    float64     `json:"orphan_share"`    // of messages, beside whose reports come some for ids that nobody got
	ForeignReports bool        `json:"foreign_reports"` // reports come over another connection than the SUBMIT's, if there is one
	Intermediate   bool        `json:"intermediate"`    // an ACCEPTD comes before each report
	NarrowReports  bool        `json:"narrow_reports"`  // 60-byte body in 3.0 too
	SwappedIDs     bool        `json:"swapped_ids"`     // reports name their message with its bytes reversed
	ShortLinkID    bool        `json:"short_link_id"`   // report frames end 11 bytes early
	UDHI40         bool        `json:"udhi_40"`         // long incoming texts with TP_udhi 0x40
}

// Validate gives every value that no centre can have, by its name in JSON.
func (f Faults) Validate() error {
	var errs []error
	for name, share := range map[string]float64{
		"fail_share": f.FailShare, "late_share": f.LateShare, "early_share": f.EarlyShare,
		"double_share": f.DoubleShare, "orphan_share": f.OrphanShare,
	} {
		if !(share >= 0 && share <= 1) {
			errs = append(errs, fmt.Errorf("%s: %v is not from 0 to 1", name, share))
		}
	}
	for name, d := range map[string]Seconds{
		"response_delay": f.ResponseDelay, "response_jitter": f.ResponseJitter, "report_jitter": f.ReportJitter, "late_delay": f.LateDelay,
	} {
		if !(d >= 0 && d <= maxSeconds) {
			errs = append(errs, fmt.Errorf("%s: %v seconds are not from 0 to %d", name, d, maxSeconds))
		}
	}
	for name, n := range map[string]int{"read_rate": f.ReadRate, "rate": f.Rate} {
		if n < 0 {
			errs = append(errs, fmt.Errorf("%s: %d is negative", name, n))
		}
	}
	for _, stat := range append(slices.Clone(f.FailStats), f.Stat) {
		if len(stat) > 7 {
			errs = append(errs, fmt.Errorf("stat: %q is longer than 7 characters", stat))
		}
	}
	slices.SortFunc(errs, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(errs...)
}

// maxSeconds is 30 days.
const maxSeconds = 30 * 24 * 3600

// spend tells whether a counted fault hits now, and counts it down.
func spend(n *int) bool {
	if *n == 0 {
		return false
	}
	if *n > 0 {
		*n--
	}
	return true
}

// SetFaults replaces all faults; the zero value heals the centre.
func (c *Centre) SetFaults(f Faults) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.setFaults(f)
}

func (c *Centre) setFaults(f Faults) {
	if f.RejectResult == 0 {
		f.RejectResult = cmpp.ResultDestTerminalID
	}
	if f.Stat == "" {
		f.Stat = cmpp.StatDelivered
	}
	if len(f.FailStats) == 0 {
		f.FailStats = []cmpp.Stat{cmpp.StatUndeliverable}
	}
	if was := c.faults.Stall; was && !f.Stall {
		close(c.moving)
	} else if !was && f.Stall {
		c.moving = make(chan struct{})
	}
	c.faults = f
	c.release()
}

// Faults gives what is left of the faults.
func (c *Centre) Faults() Faults {
	c.mu.Lock()
	defer c.mu.Unlock()
	f := c.faults
	f.FailStats = slices.Clone(f.FailStats)
	return f
}

// movement gives the channel that is closed while connections are read.
func (c *Centre) movement() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.moving
}

// readRate gives bytes a second; 0: no limit.
func (c *Centre) readRate() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults.ReadRate
}

// chance tells whether a share of events includes this one; the caller holds
// the lock.
func (c *Centre) chance(share float64) bool {
	return share > 0 && (share >= 1 || c.random.Float64() < share)
}

// jitter gives from nothing to all of a span; the caller holds the lock.
func (c *Centre) jitter(span Seconds) time.Duration {
	if span <= 0 {
		return 0
	}
	return Seconds(c.random.Float64() * float64(span)).Duration()
}
