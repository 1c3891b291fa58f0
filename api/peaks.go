package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"callbox/cti"
)

type peaksIn struct {
	ID     string `path:"id" maxLength:"128"`
	Points int    `query:"points" default:"1000" minimum:"100" maximum:"8000"`
}

// peaks is a recording to look at: the loudest sample of each stretch, 0 to 1,
// of the outside party (left) and of what it was made to hear (right), and what
// happened when.
type peaks struct {
	Seconds float64   `json:"seconds"`
	Points  int       `json:"points"`
	Left    []float64 `json:"left"`
	Right   []float64 `json:"right"`
	Events  []mark    `json:"events"`
}

// mark is an item of the call's timeline in the recording.
type mark struct {
	At float64 `json:"at" doc:"seconds from the beginning"`
	timelineItem
}

func (a *API) getPeaks(ctx context.Context, in *peaksIn) (*one[peaks], error) {
	call, err := a.tape(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	row, err := a.deps.Recordings.Recording(ctx, call.ID)
	if err != nil {
		return nil, fmt.Errorf("read the row: %w", err)
	}
	p, err := a.meter.Peaks(ctx, row.Path, row.State != cti.RecordingRunning)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, cti.ErrNotFound
	}
	if err != nil {
		return nil, fmt.Errorf("recording %s: %w", call.ID, err)
	}
	p = p.Resample(in.Points)
	out := peaks{Seconds: p.Seconds, Points: len(p.Left), Left: shares(p.Left), Right: shares(p.Right)}
	if out.Events, err = a.marks(ctx, &call, p.Seconds); err != nil {
		return nil, err
	}
	return &one[peaks]{Body: out}, nil
}

// shares are bytes as parts of 1, to three places.
func shares(loud []byte) []float64 {
	out := make([]float64, len(loud))
	for i, v := range loud {
		out[i] = float64((int(v)*1000+127)/255) / 1000
	}
	return out
}

// marks are the items of the timeline that lie in the recording.
func (a *API) marks(ctx context.Context, call *cti.CDR, seconds float64) ([]mark, error) {
	items, err := a.timeline(ctx, call)
	if err != nil {
		return nil, err
	}
	out := []mark{}
	for _, it := range items {
		if at := it.Time.Sub(call.Times.Answer.Time).Seconds(); at >= 0 && at <= seconds {
			out = append(out, mark{at, it})
		}
	}
	return out, nil
}
