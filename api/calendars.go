package api

import (
	"context"
	"time"

	"callbox/ivr/calendar"
)

// calendarNow is how a calendar stands at this moment: what a call would meet.
func (a *API) calendarNow(_ context.Context, in *byID) (*one[calendar.State], error) {
	state, known := a.deps.Calendars.Now(in.ID, time.Now())
	if !known {
		return nil, notFound("calendar")
	}
	return &one[calendar.State]{Body: state}, nil
}
