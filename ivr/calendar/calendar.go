// Package calendar says whether a shop is open: weekly hours, holidays, work
// days in their place (调休) and what somebody set for the time being.
//
// It is pure: a [Calendar] as it is written becomes a [Clock] in a time zone,
// which answers for any moment. Hours are told by the clock on the wall, so
// that they stay where they are when summer time begins or ends.
package calendar

import (
	"time"

	"callbox/internal/stamp"
)

// Calendar is one as it is written and shown.
type Calendar struct {
	ID       string              `json:"id" yaml:"id"`
	Name     string              `json:"name,omitempty" yaml:"name"`
	Hours    map[string][]string `json:"hours" yaml:"hours"` // mon … sun, each as 09:00-12:00; a day that is missing is closed
	Holidays []Day               `json:"holidays" yaml:"holidays"`
	Workdays []Day               `json:"workdays" yaml:"workdays"`
	Override *Override           `json:"override" yaml:"override"`
}

// Day is one date that is not as its weekday: a holiday, which is closed, or a
// work day, which has Hours of its own or those of the first weekday from
// Monday on that has any.
type Day struct {
	Date  string   `json:"date" yaml:"date"` // 2026-10-01
	Name  string   `json:"name,omitempty" yaml:"name"`
	Hours []string `json:"hours,omitempty" yaml:"hours"`
}

// Override holds before Until, whatever the hours say.
type Override struct {
	Open  bool      `json:"open" yaml:"open"`
	Until time.Time `json:"until" yaml:"until"`
	Note  string    `json:"note,omitempty" yaml:"note"`
}

// Public is the calendar with its lists never null.
func (c Calendar) Public() Calendar {
	if c.Hours == nil {
		c.Hours = map[string][]string{}
	}
	if c.Holidays == nil {
		c.Holidays = []Day{}
	}
	if c.Workdays == nil {
		c.Workdays = []Day{}
	}
	return c
}

// Reasons of a [State].
const (
	ByHours    = "hours"
	ByHoliday  = "holiday"
	ByWorkday  = "workday"
	ByOverride = "override"
)

// State is how a calendar stands at a moment.
type State struct {
	Open  bool       `json:"open"`
	Until stamp.Time `json:"until"` // when that changes; null: not within a year
	Why   string     `json:"why" doc:"hours, holiday, workday, override"`
	Name  string     `json:"name,omitempty" doc:"the holiday's or work day's name, the override's note"`
}
