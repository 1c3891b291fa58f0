package sms

import "callbox/internal/stamp"

// Record is a message with what only the gateway and its store need.
type Record struct {
	Message
	Rank      int     // claimed lowest first
	Extension string  // digits behind the access number
	Reserve   int     // UTF-16 units that the carrier's gateway signs with
	Reference uint8   // of a long message; new at every claim
	Lost      int     // how often its outcome became unknown
	Pieces    []Piece // its parts at the carrier, in order; none before the answer
	Callback  string  // the job's callback_url
	Format    string  // of what goes there; empty: the webhooks' own
	Signer    string  // the API key that signs callbacks
	Class     string  // the job's

	Due   stamp.Time // when a scheduled one is queued, or was; zero: by something else
	Until stamp.Time // not submitted after that; zero: no limit
	Bound bool       // to its account: no fail-over
	Token string     // of the link that acknowledges; empty: none
	Late  bool       // it was told that it is not delivered in time
}

// Piece is one part as the carrier knows it, and the last word on it.
type Piece struct {
	ID   string `json:"id"`
	Stat string `json:"stat,omitempty"`
	Done string `json:"done,omitempty"` // the report's Done_time as it came
}

// SetDone makes the message's Done the last of its parts'.
func (r *Record) SetDone() {
	r.Done = ""
	for _, p := range r.Pieces {
		r.Done = max(r.Done, p.Done)
	}
}

// NewJob is a job as it is put into a store, its messages as records.
type NewJob struct {
	ID, Ref, Key, Class, Account string
	Created                      stamp.Time
	Digest                       string // of the request, for Key
	Awaiting                     bool   // a confirmation
	Dedup                        string // finds this job until DedupUntil; empty: none
	DedupUntil                   stamp.Time
	SendAt, ValidUntil           stamp.Time // zero: none
	Notice                       *Notice    // nil: one text each, and that is all
	Step                         stamp.Time // when the notice's next step is; zero: none
	Replies                      map[string]string
	Records                      []Record
}

// Candidate is a message that an incoming text may answer.
type Candidate struct {
	Message   string
	Job       string
	To        string // E.164
	Ref       string
	Account   string
	Extension string
	Status    Status
	MaybeSent bool
	Replies   map[string]string
	Given     []string // keywords that came before
	Callback  string
	Signer    string
	Format    string // of the callback
}

// event is what happens to a message; moves is every change of status there
// is. What the carrier says first is final, whatever it says later.
type event string

const (
	claim    event = "claim"
	accept   event = "accept"   // the centre took all parts
	refuse   event = "refuse"   // a final no
	giveBack event = "giveBack" // nothing left the box, or throttled
	lose     event = "lose"     // bytes left, no answer came
	resend   event = "resend"
	drop     event = "drop"
	deliver  event = "deliver" // every part is on the handset
	fail     event = "fail"    // a part is not
	expire   event = "expire"  // a part's validity ran out
	forget   event = "forget"  // no report in time
	turnUp   event = "turnUp"  // given up, and then a report says that it is there
	cancel   event = "cancel"
	release  event = "release" // its time has come
	hold     event = "hold"    // marketing, at night
	lapse    event = "lapse"   // valid_until passed before it left
)

var moves = map[Status]map[event]Status{
	Scheduled:  {release: Queued, cancel: Canceled, lapse: Expired},
	Queued:     {claim: Submitting, cancel: Canceled, deliver: Delivered, hold: Scheduled, lapse: Expired},
	Submitting: {accept: Submitted, refuse: Failed, giveBack: Queued, lose: Unknown},
	Submitted:  {deliver: Delivered, fail: Failed, expire: Expired, forget: Unknown},
	Failed:     {turnUp: Delivered},
	Expired:    {turnUp: Delivered},
	Unknown:    {resend: Queued, drop: Failed, deliver: Delivered, fail: Failed, expire: Expired},
}

// next is pure. False: nothing comes of e in s.
func (s Status) next(e event) (Status, bool) {
	to, ok := moves[s][e]
	return to, ok
}

// told says whether the world hears of a message's arrival in s.
func (s Status) told() bool {
	switch s {
	case Submitted, Delivered, Failed, Expired, Unknown, Canceled:
		return true
	}
	return false
}

// JobStatus is a job's status, which follows from its messages': open while
// one of them has yet to go or to be reported.
func JobStatus(messages []Message) string {
	canceled := 0
	for _, m := range messages {
		switch m.Status {
		case Scheduled, Queued, Submitting, Submitted:
			return JobOpen
		case Canceled:
			canceled++
		}
	}
	if canceled > 0 && canceled == len(messages) {
		return JobCanceled
	}
	return JobDone
}

// Count fills the job's counts.
func (j *Job) Count() {
	j.Counts = map[Status]int{}
	for _, m := range j.Messages {
		j.Counts[m.Status]++
	}
}
