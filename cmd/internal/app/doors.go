package app

import (
	"context"
	"errors"
	"fmt"

	"callbox/api"
	"callbox/sms/door"
	"callbox/storage"
)

var (
	_ door.Texts   = texter{}
	_ door.Ledger  = doorLedger{}
	_ door.Replies = (*storage.Doors)(nil)
)

// doorLedger is storage's, in the doors' types.
type doorLedger struct{ *storage.Doors }

// Known gives those of these rows that became texts before.
func (l doorLedger) Known(ctx context.Context, name string, rows []string) ([]door.Entry, error) {
	known, err := l.Doors.Known(ctx, name, rows)
	entries := make([]door.Entry, len(known))
	for i, r := range known {
		entries[i] = door.Entry(r)
	}
	return entries, err
}

// Keep stores entries.
func (l doorLedger) Keep(ctx context.Context, name string, entries []door.Entry) error {
	return l.Doors.Keep(ctx, name, doorRows(entries))
}

// Changed gives entries with news.
func (l doorLedger) Changed(ctx context.Context, name, after string, limit int) ([]door.News, error) {
	changed, err := l.Doors.Changed(ctx, name, after, limit)
	news := make([]door.News, len(changed))
	for i, c := range changed {
		news[i] = door.News{Entry: door.Entry(c.DoorRow), Now: c.Now}
	}
	return news, err
}

// Written notes what was written back.
func (l doorLedger) Written(ctx context.Context, name string, entries []door.Entry) error {
	return l.Doors.Written(ctx, name, doorRows(entries))
}

func doorRows(entries []door.Entry) []storage.DoorRow {
	rows := make([]storage.DoorRow, len(entries))
	for i, e := range entries {
		rows[i] = storage.DoorRow(e)
	}
	return rows
}

// openInboxes says which doors get incoming texts, before the first one comes.
func (a *app) openInboxes(context.Context) error {
	var inboxes []string
	for _, cfg := range a.Box.DatabaseDoor {
		if cfg.Inbox.Table != "" {
			inboxes = append(inboxes, cfg.Name)
		}
	}
	a.db.Doors().Replies(inboxes)
	return nil
}

// openDoors starts the database doors. None connects before it runs: a
// database that is away keeps nothing from starting.
func (a *app) openDoors(context.Context) error {
	for _, cfg := range a.Box.DatabaseDoor {
		d, err := door.New(cfg, door.Deps{
			Texts: texter{a.gateway, a.metrics}, Ledger: doorLedger{a.db.Doors()}, Replies: a.db.Doors(), Log: a.Log,
		})
		if err != nil {
			return err
		}
		a.doors = append(a.doors, d)
		a.life.start(fmt.Sprintf("database door %s", d.Name()), d.Run)
	}
	return nil
}

func (a *app) doorParts(parts map[string]api.Part) {
	for _, d := range a.doors {
		state := d.State()
		var err error
		if !state.Up {
			err = errors.New(state.Why)
		}
		parts["database_door "+d.Name()] = a.health.note("database_door "+d.Name(), err)
	}
}
