package api

import (
	"context"
	"fmt"

	"callbox/storage"
)

type chatsIn struct {
	With string `query:"with" maxLength:"64" doc:"one person; without, all"`
	Paged
}

// listChats gives what who asks wrote and got, newest first.
func (a *API) listChats(ctx context.Context, in *chatsIn) (*rows[storage.Chat], error) {
	list, next, err := a.deps.Desk.Chats(ctx, callerOf(ctx).ID, in.With, in.page())
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	return pageOf(list, next), nil
}
