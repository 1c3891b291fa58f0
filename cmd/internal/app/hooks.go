package app

import (
	"context"
	"time"

	"callbox/api/doors"
	"callbox/api/webhook"
	"callbox/cmd/internal/config"
	"callbox/sms"
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

// replies sends what receivers answer to incoming texts.
type replies struct{ *sms.Gateway }

var _ webhook.Replies = replies{}

// Reply answers an incoming text; the same reply again is the same job.
func (r replies) Reply(ctx context.Context, reply webhook.Reply) error {
	_, _, err := r.Answer(ctx, sms.Answering{Row: reply.Incoming, Text: reply.Text, By: "webhook", Yield: true})
	return err
}

func (a *app) openHooks(context.Context) error {
	senders := map[string]string{}
	for _, account := range a.Box.SMS.Accounts {
		senders[account.Name] = account.SrcID
	}
	sender := webhook.New(webhook.Config{
		Allow: a.Box.Outbound.Allow, Senders: senders, Zone: a.Box.Location(), Replies: replies{a.gateway}, Log: a.Log,
	}, outbox{a.db.Notices()})
	a.hooks = hooks{a.db.Notices(), sender}
	a.life.start("webhooks", sender.Run)
	return nil
}

// accounts are the carriers' accounts as other products' requests name them.
func accounts(box *config.Box) []doors.Account {
	out := make([]doors.Account, len(box.SMS.Accounts))
	for i, a := range box.SMS.Accounts {
		out[i] = doors.Account{Name: a.Name, SrcID: a.SrcID}
	}
	return out
}

// endpoints are the configuration's webhooks as the outbox knows them.
func endpoints(box *config.Box) []storage.Endpoint {
	out := make([]storage.Endpoint, len(box.Webhooks))
	for i, w := range box.Webhooks {
		out[i] = storage.Endpoint{URL: w.URL, Secret: w.Secret, Events: w.Events, Format: w.Format}
	}
	return out
}
