package sms

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"callbox/internal/stamp"
)

// Limits of one request.
const (
	maxTo    = 10_000
	maxParts = 50
	maxRef   = 128
	maxKey   = 255
	maxURL   = 2048 // bytes; each message keeps it

	maxWindow = 30 * 24 * 3600 // seconds
)

// Request is what a program asks for: one text to some numbers. Either Text, or
// Template with Vars.
type Request struct {
	To          []string       `json:"to"`
	Text        string         `json:"text,omitempty"`
	Template    string         `json:"template,omitempty"`
	Vars        map[string]any `json:"vars,omitempty"`
	Account     string         `json:"account,omitempty"`
	Ref         string         `json:"ref,omitempty"`
	Key         string         `json:"key,omitempty"`
	Class       string         `json:"class,omitempty"`
	Priority    Priority       `json:"priority,omitempty"`
	CallbackURL string         `json:"callback_url,omitempty"`

	SendAt     *time.Time `json:"send_at,omitempty"`
	ValidUntil *time.Time `json:"valid_until,omitempty"`
	Tiers      []Tier     `json:"tiers,omitempty"` // instead of To
	Repeat     *Repeat    `json:"repeat,omitempty"`
	Dedup      *Dedup     `json:"dedup,omitempty"`

	// Signer is who asks: the API key the request came with, which signs the
	// callbacks, or a person. Format is the callbacks', empty for our own.
	Signer string `json:"-"`
	Format string `json:"-"`
	Limits Limits `json:"-"`
}

// Dedup makes requests with one key within the window one job: the first.
type Dedup struct {
	Key    string  `json:"key"`
	Window float64 `json:"window"` // seconds
}

// Limits are what the key that a request came with may do; 0: no limit.
type Limits struct {
	ConfirmOver int // recipients; a job of more waits for a confirmation
	PerSecond   int // messages
	PerDay      int // messages
}

// digest tells requests with the same key apart; without one there is none.
func (r Request) digest() (string, error) {
	if r.Key == "" {
		return "", nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		return "", fmt.Errorf("digest of request: %w", err)
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:]), nil
}

// Priority orders waiting messages: a digit from 0 (last) to 9 (first), or
// urgent, high, normal, low. Empty: what the class asks for.
type Priority string

var priorityWords = map[Priority]int{"urgent": 9, "high": 7, "normal": 5, "low": 2}

var classPriority = map[string]int{ClassDispatch: 5, ClassNotice: 4, ClassMarketing: 1}

// UnmarshalJSON takes a string or a number. What is neither stays as it is
// written: then it is refused by its field's name, beside the other faults.
func (p *Priority) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil {
		*p = Priority(s)
		return nil
	}
	*p = Priority(b)
	return nil
}

// rank is the order of claiming, lowest first; false where p is no priority.
func (p Priority) rank(class string) (int, bool) {
	if p == "" {
		return 9 - classPriority[class], true
	}
	if n, ok := priorityWords[p]; ok {
		return 9 - n, true
	}
	n, err := strconv.Atoi(string(p))
	return 9 - n, err == nil && n >= 0 && n <= 9
}

// FieldError says what is wrong with one field of a request, named as in JSON:
// to[2], vars.name.
type FieldError struct {
	Field string
	Err   error
}

func (e *FieldError) Error() string { return e.Field + ": " + e.Err.Error() }

// Unwrap is what is wrong, such as [ErrNotServed].
func (e *FieldError) Unwrap() error { return e.Err }

// Invalid is every fault of a request; nothing of it was stored.
type Invalid []*FieldError

func (v Invalid) Error() string {
	words := make([]string, len(v))
	for i, e := range v {
		words[i] = e.Error()
	}
	return strings.Join(words, "; ")
}

// Unwrap gives the faults one by one.
func (v Invalid) Unwrap() []error {
	errs := make([]error, len(v))
	for i, e := range v {
		errs[i] = e
	}
	return errs
}

func (v *Invalid) add(field, format string, args ...any) {
	*v = append(*v, &FieldError{Field: field, Err: fmt.Errorf(format, args...)})
}

func (v Invalid) orNil() error {
	if len(v) == 0 {
		return nil
	}
	return v
}

// time is when the job is sent, and until when.
func (p *plan) time(r Request, faults *Invalid) {
	if r.SendAt != nil && r.SendAt.After(p.Created.Time) {
		p.SendAt = stamp.At(*r.SendAt)
	}
	if r.ValidUntil == nil {
		return
	}
	switch p.ValidUntil = stamp.At(*r.ValidUntil); {
	case !p.ValidUntil.After(p.Created.Time):
		faults.add("valid_until", "is past")
	case !p.ValidUntil.After(p.SendAt.Time):
		faults.add("valid_until", "is not behind send_at")
	}
}

// dedup is which requests are this job.
func (p *plan) dedup(r Request, faults *Invalid) {
	if r.Dedup == nil {
		return
	}
	d := *r.Dedup
	if d.Key == "" || len(d.Key) > maxKey || !clean(d.Key) {
		faults.add("dedup.key", "is empty, longer than %d bytes, or not plain text", maxKey)
	}
	if !(d.Window > 0 && d.Window <= maxWindow) {
		faults.add("dedup.window", "%v is not above 0 and up to %d seconds", d.Window, maxWindow)
		return
	}
	p.Dedup = r.Signer + " " + d.Key // what one program sends is nobody else's
	p.DedupUntil = stamp.At(p.Created.Add(time.Duration(d.Window * float64(time.Second))))
}
