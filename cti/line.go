package cti

import (
	"encoding/json"
	"fmt"
)

// States of a [Line].
const (
	InService    = "inService"
	OutOfService = "outOfService"
)

// Line is an analogue line and its box as the API shows them.
type Line struct {
	Label  string `json:"label"`
	Number string `json:"number"`
	State  string `json:"state"`
	Since  Time   `json:"since"`
	Why    string `json:"why"` // it is out of service
	Busy   bool   `json:"busy"`
	Box    Box    `json:"box"`
}

// Box is what a line's voice box says of itself.
type Box struct {
	Profile string `json:"profile"`
	Maker   string `json:"maker"`
	Model   string `json:"model"`
	Version string `json:"version"`
	Serial  string `json:"serial"`
}

// Changed is the line that a lineState event tells of, whose user_data are
// state, why, number, busy and box.
func (e Event) Changed() (Line, error) {
	var l Line
	doc, err := json.Marshal(e.UserData)
	if err == nil {
		err = json.Unmarshal(doc, &l)
	}
	if err != nil {
		return Line{}, fmt.Errorf("state of line %s: %w", e.Line, err)
	}
	l.Label = e.Line
	if l.Since.IsZero() {
		l.Since = e.Time
	}
	return l, nil
}
