package app

import (
	"context"

	"callbox/api"
	"callbox/cti"
	"callbox/cti/webrtc"
	"callbox/ivr/speech"
)

var _ api.Browsers = browsers{}

// browsers are the pages that are phones, as the API knows them.
type browsers struct {
	*webrtc.Server
	calls *cti.Server
}

// Observe keeps what a page says of its sound in its call's record.
func (b browsers) Observe(call, user string, v cti.BrowserView) error {
	return b.calls.Observe(call, user, v)
}

// openPages binds the port of the pages that are phones.
func (a *app) openPages(context.Context) error {
	cfg := a.Box.Pages()
	cfg.Hold, cfg.Log = speech.Music(), a.Log
	var err error
	if a.pages, err = webrtc.New(cfg, webrtc.Deps{Engine: a.engine}); err != nil {
		return err
	}
	if err := a.pages.Listen(); err != nil {
		return err
	}
	a.calls.Register(cti.Browser, a.pages)
	a.Log.Info("pages may be phones", "address", a.pages.Addr(), "tcp", cfg.TCP)
	return nil
}

// followPages tells the floor whose page became a phone or is none any more.
func (a *app) followPages(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case user := <-a.pages.Changes():
			a.floor.PhoneChanged(user)
		}
	}
}
