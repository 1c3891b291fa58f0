package app

import (
	"context"

	"callbox/cmd/internal/config"
)

// reload reads both files again. With any fault everything stays as it is.
// Site and webhooks follow at once; what is bound to sockets and carriers says
// that it wants a restart.
func (a *app) reload(ctx context.Context) {
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
