package app

import (
	"context"
	"errors"
	"log/slog"

	"callbox/cti"
	"callbox/cti/sip"
	"callbox/storage"
)

// mailboxes count the messages of an extension's queues, for its phones' lamps.
type mailboxes struct {
	db  *storage.DB
	log *slog.Logger
}

var _ sip.Mailboxes = mailboxes{}

// Waiting is how many messages are to be heard, and how many were dealt with
// lately.
func (m mailboxes) Waiting(ctx context.Context, extension string) (fresh, old int) {
	fresh, old, err := m.db.MailWaiting(ctx, extension)
	if err != nil {
		m.log.Error("messages not counted", "extension", extension, "err", err)
	}
	return fresh, old
}

// followMail lets the lamps follow the list of missed calls until ctx ends.
func (a *app) followMail(ctx context.Context) error {
	for {
		err := a.journal.Follow(ctx, func(e cti.Event) { a.tellMail(ctx, e) })
		if !errors.Is(err, storage.ErrTooSlow) {
			return err
		}
		a.tellAllMail(ctx) // whatever was not seen
	}
}

// tellMail tells the phones that a changed message concerns.
func (a *app) tellMail(ctx context.Context, e cti.Event) {
	if e.Type != cti.EventMissedChanged || e.UserData["kind"] != storage.MissedVoicemail {
		return
	}
	queue := ""
	if e.Queue != nil {
		queue = e.Queue.ID
	}
	extensions, err := a.db.MailListeners(ctx, queue, e.AgentID)
	if err != nil {
		a.Log.Error("phones not told of a message", "queue", queue, "err", err)
	}
	for _, extension := range extensions {
		a.phones.MailChanged(extension)
	}
}

// tellAllMail tells every phone: the agents' queues may be others now.
func (a *app) tellAllMail(ctx context.Context) {
	agents, err := a.db.Agents(ctx)
	if err != nil {
		a.Log.Error("phones not told of their messages", "err", err)
	}
	for _, agent := range agents {
		a.phones.MailChanged(agent.Extension)
	}
}
