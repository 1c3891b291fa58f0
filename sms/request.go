package sms

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// Limits of one request.
const (
	maxTo    = 10_000
	maxParts = 50
	maxRef   = 128
	maxKey   = 255
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

	// Refused unless empty.
	SendAt      any `json:"send_at,omitempty"`
	ValidUntil  any `json:"valid_until,omitempty"`
	Tiers       any `json:"tiers,omitempty"`
	Repeat      any `json:"repeat,omitempty"`
	Dedup       any `json:"dedup,omitempty"`
	ConfirmOver any `json:"confirm_over,omitempty"`

	// Signer is who asks: the API key the request came with, which signs the
	// callbacks, or a person.
	Signer string `json:"-"`
}

// digest tells requests with the same key apart. A field that is not served
// yet is empty, in whatever writing.
func (r Request) digest() (string, error) {
	r.SendAt, r.ValidUntil, r.Tiers, r.Repeat, r.Dedup, r.ConfirmOver = nil, nil, nil, nil, nil, nil
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

// UnmarshalJSON takes a string or a number.
func (p *Priority) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err == nil {
		*p = Priority(s)
		return nil
	}
	var n int
	if err := json.Unmarshal(b, &n); err != nil {
		return errors.New("priority: neither a word nor a whole number")
	}
	*p = Priority(strconv.Itoa(n))
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

// unserved names the fields that are set and not served yet.
func (r Request) unserved(faults *Invalid) {
	for _, f := range []struct {
		name  string
		value any
	}{
		{"send_at", r.SendAt},
		{"valid_until", r.ValidUntil},
		{"tiers", r.Tiers},
		{"repeat", r.Repeat},
		{"dedup", r.Dedup},
		{"confirm_over", r.ConfirmOver},
	} {
		if !empty(f.value) {
			faults.add(f.name, "%w", ErrNotServed)
		}
	}
}

// empty says whether a value from JSON is its default.
func empty(v any) bool {
	switch v := v.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case bool:
		return !v
	case float64:
		return v == 0
	case int:
		return v == 0
	case []any:
		return len(v) == 0
	case map[string]any:
		return len(v) == 0
	}
	return false
}
