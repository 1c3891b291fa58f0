package cti

import (
	"encoding/json"

	"callbox/internal/stamp"
)

// Results of a call. A running call has none.
const (
	ResultAnswered  = "answered"
	ResultAbandoned = "abandoned"
	ResultCompleted = "completed"
	ResultVoicemail = "voicemail"
	ResultCallback  = "callback"
	ResultRejected  = "rejected"
	ResultFailed    = "failed"
)

// Where a caller gave up.
const (
	WhereIVR     = "ivr"
	WhereQueue   = "queue"
	WhereRinging = "ringing"
)

// Causes of a record.
const (
	CauseNormal     = "normal"
	CauseBusy       = "busy"
	CauseNoAnswer   = "noAnswer"
	CauseCanceled   = "canceled"
	CauseCongestion = "congestion"
	CauseNotFound   = "notFound"
	CauseLineLost   = "line_lost"
	CauseCrash      = "crash"
	CauseTimeout    = "timeout"
	CauseError      = "error"
)

// Time is an instant of the record, see [stamp.Time].
type Time = stamp.Time

// CDR is the one record of a call, as the API shows it.
type CDR struct {
	ID          string          `json:"id"`
	Direction   string          `json:"direction"`
	Result      *string         `json:"result"` // nil while the call runs
	Where       string          `json:"where"`
	Cause       string          `json:"cause"`
	HangupSide  string          `json:"hangup_side"`
	From        Number          `json:"from"`
	To          Number          `json:"to"`
	DID         string          `json:"did"`
	Line        string          `json:"line"`
	Queue       *Ref            `json:"queue"`
	Agent       *Ref            `json:"agent"`
	Customer    *Ref            `json:"customer"`
	IVRPath     []string        `json:"ivr_path"`
	Offers      []Offer         `json:"offers"`
	Legs        []LegRecord     `json:"legs"`
	Times       Times           `json:"times"`
	Recording   Recording       `json:"recording"`
	Survey      json.RawMessage `json:"survey"`
	Disposition *Disposition    `json:"disposition"`
	UserData    map[string]any  `json:"user_data"`
	Ref         string          `json:"ref,omitempty"`
}

// Final says whether the call is over.
func (c CDR) Final() bool { return c.Result != nil }

// Talked says whether agent and outside party were connected. In a call that we
// make the agent answers first.
func (c CDR) Talked() bool {
	return !c.Times.AgentAnswer.IsZero() && (c.Direction != Out || !c.Times.Answer.IsZero())
}

// Times are the clock points of a call; one that was not reached is null.
type Times struct {
	Seize       Time `json:"seize"`
	CallerID    Time `json:"caller_id"`
	Answer      Time `json:"answer"`
	IVRIn       Time `json:"ivr_in"`
	IVROut      Time `json:"ivr_out"`
	QueueIn     Time `json:"queue_in"`
	Offer       Time `json:"offer"`
	AgentAnswer Time `json:"agent_answer"`
	Hangup      Time `json:"hangup"`
	ACWEnd      Time `json:"acw_end"`
}

// Outcomes of an [Offer].
const (
	OfferAnswered = "answered"
	OfferMissed   = "noAnswer"
	OfferRejected = "rejected"
	OfferBusy     = "busy"
	OfferCanceled = "canceled" // the caller gave up
	OfferFailed   = "failed"
)

// Offer is one ring of one agent, with why this one was chosen (and why the
// others were not).
type Offer struct {
	Agent   string `json:"agent"`
	Start   Time   `json:"start"`
	End     Time   `json:"end"`
	Outcome string `json:"outcome"`
	Why     string `json:"why"`
}

// LegRecord is one party's part in the record. Loss is in per cent. While the
// part goes on, Standing says where it stands: talking, holding, asking,
// consulting, alternated, asked or listening. The party outside has none: it
// waits while no part is with it.
type LegRecord struct {
	ID               string       `json:"id"`
	Kind             string       `json:"kind"` // outside, agent, consult, number, supervisor
	Device           Device       `json:"device"`
	Codec            string       `json:"codec"`
	Start            Time         `json:"start"`
	End              Time         `json:"end"`
	Loss             float64      `json:"loss"`
	JitterMS         float64      `json:"jitter_ms"`
	MOS              *float64     `json:"mos"`
	RTTMS            *float64     `json:"rtt_ms,omitempty"` // round trip, where the party reports
	Agent            string       `json:"agent,omitempty"`  // whose part it was
	Mode             string       `json:"mode,omitempty"`   // of a supervisor, the last one
	Standing         string       `json:"standing,omitempty"`
	StandingSince    Time         `json:"standing_since,omitzero"`
	Secure           bool         `json:"secure,omitempty"` // SRTP
	AnswerConfidence string       `json:"answer_confidence,omitempty"`
	HangupDetect     string       `json:"hangup_detect,omitempty"`
	Browser          *BrowserView `json:"browser,omitempty"` // of a page that is the phone
}

// States of a [Recording].
const (
	RecordingRunning  = "recording"
	RecordingComplete = "complete"
	RecordingPartial  = "partial"
	RecordingNone     = "none"
)

// Recording says what there is of a call's sound. Its id is the call's.
type Recording struct {
	ID             string  `json:"id"`
	State          string  `json:"state"`
	Seconds        float64 `json:"seconds"`
	MissingSeconds float64 `json:"missing_seconds"`
	Why            string  `json:"why"`
	Mixed          bool    `json:"mixed,omitempty"`
	SHA256         string  `json:"sha256,omitempty"`
	Pauses         []Pause `json:"pauses,omitempty"` // silence stands there

	Voicemail *VoiceMessage `json:"voicemail,omitempty"`
}

// Pause is a part of a call that is not in its recording.
type Pause struct {
	Start  Time   `json:"start"`
	End    Time   `json:"end"`
	Reason string `json:"reason"`
	By     string `json:"by"` // agent
}

// Disposition is what the agent said the call was about.
type Disposition struct {
	Code   string `json:"code"`
	Note   string `json:"note,omitempty"`
	Kind   string `json:"kind,omitempty"`   // consult, repair, complaint, purchase
	Solved *bool  `json:"solved,omitempty"` // by phone; nil: not said
	By     string `json:"by,omitempty"`
	Time   Time   `json:"time"`
}

// Amendment is what may still be filled in a closed record; what is zero stays.
type Amendment struct {
	ACWEnd      Time
	Disposition *Disposition
	Survey      json.RawMessage
	Recording   *Recording
}
