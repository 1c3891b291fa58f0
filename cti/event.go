package cti

// Event types, in the words of ECMA-269 clauses 17.2 (call control) and 22.2
// (agent states), and callbox's own where it has none.
const (
	EventOffered               = "offered"
	EventQueued                = "queued"
	EventDiverted              = "diverted"
	EventDelivered             = "delivered"
	EventEstablished           = "established"
	EventHeld                  = "held"
	EventRetrieved             = "retrieved"
	EventTransferred           = "transferred"
	EventConferenced           = "conferenced"
	EventConnectionCleared     = "connectionCleared"
	EventCallCleared           = "callCleared"
	EventFailed                = "failed"
	EventDigitsReceived        = "digitsReceived"
	EventRecordStarted         = "recordStarted"
	EventRecordPaused          = "recordPaused"
	EventRecordStopped         = "recordStopped"
	EventAgentLoggedOn         = "agentLoggedOn"
	EventAgentReady            = "agentReady"
	EventAgentNotReady         = "agentNotReady"
	EventAgentBusy             = "agentBusy"
	EventAgentWorkingAfterCall = "agentWorkingAfterCall"
	EventAgentLoggedOff        = "agentLoggedOff"
	EventCallInformation       = "callInformation"
	EventQueueChanged          = "queueChanged"
	EventSMSStatus             = "smsStatus"
	EventSMSLate               = "smsLate"
	EventSMSReceived           = "smsReceived"
	EventSMSInbox              = "smsInbox"
	EventNoticeStep            = "noticeStep"
	EventNoticeAck             = "noticeAck"
	EventMessage               = "message"
	EventLineState             = "lineState"
	EventNoAudio               = "noAudio"
	EventFaxDetected           = "faxDetected"
	EventAlarm                 = "alarm"
	EventVoicemailStarted      = "voicemailStarted"
	EventVoicemailEnded        = "voicemailEnded"
	EventMissedChanged         = "missedChanged"
)

// Event is one thing that happened, as the journal keeps it and screens get
// it. The ledger sets V, Seq, DurableSeq, ID and (if zero) Time.
type Event struct {
	V            int            `json:"v"`
	Seq          int64          `json:"seq"`
	DurableSeq   int64          `json:"durable_seq"`
	ID           string         `json:"id"`
	Time         Time           `json:"time"`
	Type         string         `json:"type"`
	CallID       string         `json:"call_id,omitempty"`
	ConnectionID string         `json:"connection_id,omitempty"`
	AgentID      string         `json:"agent_id,omitempty"`
	Line         string         `json:"line,omitempty"`
	Queue        *Ref           `json:"queue,omitempty"`
	Calling      *Number        `json:"calling,omitempty"`
	Called       *Number        `json:"called,omitempty"`
	Cause        string         `json:"cause,omitempty"`
	UserData     map[string]any `json:"user_data,omitempty"`
	Private      bool           `json:"private,omitempty"` // not for other agents of the call

	// Call is the call's record as it stood at the event, for whoever keeps
	// records; screens do not get it.
	Call *CDR `json:"-"`
}
