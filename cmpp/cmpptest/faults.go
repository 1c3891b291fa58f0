package cmpptest

import (
	"time"

	"callbox/cmpp"
)

// Seconds is a duration in seconds, as programs write it in JSON.
type Seconds float64

// Duration gives the same as Go counts it.
func (s Seconds) Duration() time.Duration { return time.Duration(float64(s) * float64(time.Second)) }

// Faults says how a centre misbehaves. Counts are of the next so many events,
// -1 stands for all from now on; each event that a fault hit counts it down.
type Faults struct {
	RefuseLogin   cmpp.ConnectStatus `json:"refuse_login"`   // Status that every CONNECT gets; 0: none
	WrongAuth     bool               `json:"wrong_auth"`     // CONNECT_RESP without a valid AuthenticatorISMG
	Stall         bool               `json:"stall"`          // nothing is read or answered
	Mute          bool               `json:"mute"`           // ACTIVE_TESTs are not answered
	ResponseDelay Seconds            `json:"response_delay"` // of every SUBMIT_RESP
	DropResponses int                `json:"drop_responses"` // SUBMITs that are accepted and not answered
	Throttle      int                `json:"throttle"`       // SUBMITs that get result 8
	Reject        int                `json:"reject"`         // SUBMITs that get RejectResult
	RejectResult  cmpp.Result        `json:"reject_result"`  // default 13
	// Duplicate answers a SUBMIT whose sequence was seen with result 3 instead
	// of its first answer.
	Duplicate bool `json:"duplicate"`
	CutBefore int  `json:"cut_before"` // SUBMITs that are accepted, but end the connection before their answer
	CutAfter  int  `json:"cut_after"`  // SUBMITs whose answer ends the connection

	Stat          cmpp.Stat `json:"stat"`         // of reports; default DELIVRD
	NoReports     bool      `json:"no_reports"`   // reports are never sent
	ReportFirst   bool      `json:"report_first"` // reports leave before their SUBMIT_RESP
	DoubleReports bool      `json:"double_reports"`
	NarrowReports bool      `json:"narrow_reports"` // 60-byte body in 3.0 too
	ShortLinkID   bool      `json:"short_link_id"`  // report frames end 11 bytes early
	UDHI40        bool      `json:"udhi_40"`        // long incoming texts with TP_udhi 0x40
}

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
	if was := c.faults.Stall; was && !f.Stall {
		close(c.moving)
	} else if !was && f.Stall {
		c.moving = make(chan struct{})
	}
	c.faults = f
}

// Faults gives what is left of the faults.
func (c *Centre) Faults() Faults {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.faults
}

// movement gives the channel that is closed while connections are read.
func (c *Centre) movement() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.moving
}
