package app

import (
	"context"
	"time"

	"callbox/api/webhook"
	"callbox/cmd/internal/config"
	"callbox/storage"
)

// outbox is storage's, in the sender's type of a delivery.
type outbox struct{ *storage.Notices }

var _ webhook.Outbox = outbox{}

// Due gives what is to be sent to an endpoint now.
func (o outbox) Due(ctx context.Context, endpoint string, now time.Time, limit int) ([]webhook.Delivery, time.Time, error) {
	rows, next, err := o.Notices.Due(ctx, endpoint, now, limit)
	due := make([]webhook.Delivery, len(rows))
	for i, row := range rows {
		due[i] = webhook.Delivery(row)
	}
	return due, next, err
}

func (a *app) openHooks(context.Context) error {
	sender := webhook.New(webhook.Config{Allow: a.Box.Outbound.Allow, Log: a.Log}, outbox{a.db.Notices()})
	a.life.start("webhooks", sender.Run)
	return nil
}

// endpoints are the configuration's webhooks as the outbox knows them.
func endpoints(box *config.Box) []storage.Endpoint {
	out := make([]storage.Endpoint, len(box.Webhooks))
	for i, w := range box.Webhooks {
		out[i] = storage.Endpoint{URL: w.URL, Secret: w.Secret, Events: w.Events, Format: w.Format}
	}
	return out
}
