package api

import (
	"context"
	"fmt"

	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/storage"
)

// remark is what somebody wrote at a moment of a recording.
type remark struct {
	ID   string     `json:"id"`
	At   float64    `json:"at" doc:"seconds from the beginning"`
	Text string     `json:"text"`
	By   string     `json:"by"`
	Name string     `json:"name"`
	Time stamp.Time `json:"time"`
}

func remarkOf(n storage.RecordingNote) remark {
	return remark{n.ID, n.At, n.Text, n.By, n.Name, n.Time}
}

// tape is the record of a call that was recorded, if who asks may see it.
func (a *API) tape(ctx context.Context, id string) (cti.CDR, error) {
	call, err := a.visible(ctx, id)
	if err == nil && !recorded(&call) {
		err = cti.ErrNotFound
	}
	return call, err
}

// listRemarks gives the notes of a recording from its beginning on.
func (a *API) listRemarks(ctx context.Context, in *byID) (*rows[remark], error) {
	call, err := a.tape(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	notes, err := a.deps.Shelf.RecordingNotes(ctx, call.ID)
	if err != nil {
		return nil, fmt.Errorf("read notes: %w", err)
	}
	out := make([]remark, len(notes))
	for i, n := range notes {
		out[i] = remarkOf(n)
	}
	return pageOf(out, ""), nil
}

type remarkIn struct {
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		At   float64 `json:"at" minimum:"0" maximum:"604800"`
		Text string  `json:"text" minLength:"1" maxLength:"2000"`
	}
}

func (a *API) postRemark(ctx context.Context, in *remarkIn) (*one[remark], error) {
	call, err := a.tape(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	if err := a.noted(ctx, "recording.note", call.ID, ""); err != nil {
		return nil, err
	}
	n, err := a.deps.Shelf.AddRecordingNote(ctx, storage.RecordingNote{
		Recording: call.ID, At: in.Body.At, Text: in.Body.Text, By: who.ID, Name: who.Name,
	})
	if err != nil {
		return nil, fmt.Errorf("keep the note: %w", err)
	}
	return &one[remark]{Body: remarkOf(n)}, nil
}

type remarkID struct {
	ID   string `path:"id" maxLength:"128"`
	Note string `path:"note" maxLength:"128"`
}

// deleteRemark removes a note that the caller wrote; another's is not found.
func (a *API) deleteRemark(ctx context.Context, in *remarkID) (*struct{}, error) {
	call, err := a.tape(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	if err := a.deps.Shelf.RemoveRecordingNote(ctx, call.ID, in.Note, who.ID); err != nil {
		return nil, fmt.Errorf("remove the note: %w", err)
	}
	return nil, a.noted(ctx, "recording.note.remove", call.ID, in.Note)
}

var soundNote = access{roles: workers, scopes: []string{ScopeRecordings}}
