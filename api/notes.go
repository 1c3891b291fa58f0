package api

import (
	"context"
	"fmt"

	"callbox/internal/stamp"
	"callbox/storage"
)

// getNote gives who asks his draft about a call; where he has none, the newest
// of the others', to go on with.
func (a *API) getNote(ctx context.Context, in *byID) (*one[storage.Note], error) {
	if _, err := a.visible(ctx, in.ID); err != nil {
		return nil, err
	}
	note, err := a.deps.Desk.CallNote(ctx, in.ID, callerOf(ctx).ID)
	if err != nil {
		return nil, fmt.Errorf("read the note: %w", err)
	}
	return &one[storage.Note]{Body: note}, nil
}

type noteIn struct {
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		Text string `json:"text" maxLength:"4000"`
	}
}

// putNote keeps a draft until its author disposes of the call.
func (a *API) putNote(ctx context.Context, in *noteIn) (*one[storage.Note], error) {
	if _, err := a.visible(ctx, in.ID); err != nil {
		return nil, err
	}
	note := storage.Note{Call: in.ID, By: callerOf(ctx).ID, Text: in.Body.Text, Time: stamp.Now()}
	if err := a.deps.Desk.PutCallNote(ctx, note); err != nil {
		return nil, fmt.Errorf("keep the note: %w", err)
	}
	return &one[storage.Note]{Body: note}, nil
}
