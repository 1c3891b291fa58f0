package app

import (
	"context"
	"reflect"

	"callbox/cmd/internal/config"
)

// reload reads both files again. With any fault everything stays as it is.
// Site, webhooks and drain follow at once; for what is bound to sockets, files
// and carriers the log says that it wants a restart.
func (a *app) reload(ctx context.Context) {
	a.front.Reload()
	if a.File == "" {
		return
	}
	if err := config.Check(a.File, CheckPrompts(a.Box.Data)); err != nil {
		a.Log.Error("not reloaded, the running configuration stays", "faults", err)
		return
	}
	box, err := config.Load(a.File)
	if err != nil {
		a.Log.Error("not reloaded, the running configuration stays", "faults", err)
		return
	}
	if err := a.replace(ctx, box); err != nil {
		a.Log.Error("reload failed half-way", "err", err)
		return
	}
	a.Log.Info("reloaded", "file", a.File)
	if sections := restarts(a.Box, box); len(sections) > 0 {
		a.Log.Warn("changed, and in force after a restart only", "sections", sections)
	}
}

// restarts are the sections that differ and cannot be replaced under way.
func restarts(old, now *config.Box) (sections []string) {
	for _, s := range []struct {
		name     string
		old, now any
	}{
		{"data", old.Data, now.Data},
		{"timezone", old.Timezone, now.Timezone},
		{"area_code", old.AreaCode, now.AreaCode},
		{"secret_key_file", old.SecretKeyFile, now.SecretKeyFile},
		{"http", old.HTTP, now.HTTP},
		{"sip", old.SIP, now.SIP},
		{"calls", old.Calls, now.Calls},
		{"webrtc", old.WebRTC, now.WebRTC},
		{"voicebox", old.Voicebox, now.Voicebox},
		{"sms", old.SMS, now.SMS},
		{"lookup", old.Lookup, now.Lookup},
		{"database_door", old.DatabaseDoor, now.DatabaseDoor},
		{"outbound", old.Outbound, now.Outbound},
	} {
		if !reflect.DeepEqual(s.old, s.now) {
			sections = append(sections, s.name)
		}
	}
	return sections
}

func (a *app) replace(ctx context.Context, box *config.Box) error {
	a.site.mu.Lock()
	defer a.site.mu.Unlock()
	if err := a.db.Notices().Replace(endpoints(box)); err != nil {
		return err
	}
	a.Box.Webhooks, a.Box.Site, a.Box.Drain = box.Webhooks, box.Site, box.Drain
	if err := a.site.applyFile(ctx); err != nil {
		return err
	}
	return a.site.refresh(ctx)
}
