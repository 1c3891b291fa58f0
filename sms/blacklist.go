package sms

import (
	"callbox/internal/stamp"
)

// Kinds of a [Listing].
const (
	ListBlocked      = "blocked"      // by the desk: no text of any class
	ListUnsubscribed = "unsubscribed" // by its owner: no marketing
)

// Listing is a number on the blacklist.
type Listing struct {
	Number string     `json:"number"` // E.164
	Kind   string     `json:"kind"`
	Why    string     `json:"why"`
	Time   stamp.Time `json:"time"` // since when
}
