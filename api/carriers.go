package api

import (
	"context"
	"fmt"

	"callbox/internal/stamp"
)

// Carrier is an account for texts as it stands.
type Carrier struct {
	Name       string     `json:"name"`
	Protocol   string     `json:"protocol" doc:"cmpp3 or cmpp2"`
	Address    string     `json:"address"`
	State      string     `json:"state" doc:"up or down"`
	Since      stamp.Time `json:"since"`
	Why        string     `json:"why" doc:"why it is down"`
	WindowUsed int        `json:"window_used" doc:"texts without an answer"`
	Window     int        `json:"window" doc:"how many there may be at present"`
	Rate       int        `json:"rate" doc:"texts a second by contract; 0: no limit"`
	Queued     int64      `json:"queued" doc:"messages that wait"`
	SentToday  int64      `json:"sent_today" doc:"messages submitted since local midnight"`
}

// Carrier's states.
const (
	CarrierUp   = "up"
	CarrierDown = "down"
)

func (a *API) listCarriers(ctx context.Context, _ *struct{}) (*rows[Carrier], error) {
	list, err := a.deps.Carriers.Carriers(ctx)
	if err != nil {
		return nil, fmt.Errorf("list carriers: %w", err)
	}
	return pageOf(list, ""), nil
}
