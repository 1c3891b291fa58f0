package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"callbox/api/doors"
	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
)

// door mounts a handler that takes another product's shape, log-in included.
func door(h func(*doors.Doors, http.ResponseWriter, *http.Request)) func(*API, route) {
	return raw(func(a *API) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) { h(a.doors, w, r) }
	})
}

// doorRoutes are other products' ways in, with log-ins of their own.
func doorRoutes() []route {
	var out []route
	add := func(method, path, what string, h func(*doors.Doors, http.ResponseWriter, *http.Request)) {
		out = append(out, route{method, path, what, ownLogin, door(h)})
	}
	const messages = "/2010-04-01/Accounts/{sid}/Messages"
	add("POST", messages+".json", "Twilio: send", (*doors.Doors).TwilioSend)
	add("GET", messages+".json", "Twilio: the key's messages", (*doors.Doors).TwilioList)
	add("GET", messages+"/{message}", "Twilio: one message", (*doors.Doors).TwilioGet)
	add("POST", messages+"/{message}", "Twilio: cancel one", (*doors.Doors).TwilioChange)
	add("POST", messages, "Twilio's XML, which is not served", (*doors.Doors).TwilioXML)
	add("GET", messages, "Twilio's XML, which is not served", (*doors.Doors).TwilioXML)
	add("POST", "/api/v1/sms/alerts", "Alertmanager and Grafana", (*doors.Doors).Alerts)
	for _, base := range []string{"", "/index.php"} {
		add("GET", base+"/http_api/send_sms", "SMSEagle", (*doors.Doors).EagleHTTP)
		add("POST", base+"/http_api/send_sms", "SMSEagle", (*doors.Doors).EagleHTTP)
		add("POST", base+"/jsonrpc/sms", "SMSEagle", (*doors.Doors).EagleRPC)
		add("POST", base+"/api/v2/messages/sms", "SMSEagle", (*doors.Doors).EagleV2)
	}
	add("GET", "/cgi-bin/sendsms", "Kannel", (*doors.Doors).Kannel)
	add("POST", "/cgi-bin/sendsms", "Kannel", (*doors.Doors).Kannel)
	add("GET", "/massenversand/send", "Zammad", (*doors.Doors).Zammad)
	return out
}

// doorKeys are the keys as the doors see them.
type doorKeys struct{ Keys }

// Key implements [doors.Keys].
func (k doorKeys) Key(ctx context.Context, text string) (doors.Key, error) {
	key, err := k.KeyOf(ctx, text)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return doors.Key{}, doors.ErrNoKey
	case err != nil:
		return doors.Key{}, forDoor(err)
	}
	return doors.Key{ID: key.ID, Name: key.Name, Texts: slices.Contains(key.Scopes, ScopeSMS), Limits: key.Limits}, nil
}

// doorTexter takes jobs for the doors.
type doorTexter struct{ Texter }

// Accept implements [doors.Texter].
func (t doorTexter) Accept(ctx context.Context, r sms.Request) (sms.Job, bool, error) {
	job, created, err := t.Texter.Accept(ctx, r)
	return job, created, forDoor(err)
}

// Cancel implements [doors.Texter].
func (t doorTexter) Cancel(ctx context.Context, id string) (sms.Job, error) {
	job, err := t.Texter.Cancel(ctx, id)
	return job, forDoor(err)
}

// doorTexts are the messages as the doors see them.
type doorTexts struct{ Texts }

// Message implements [doors.Texts].
func (t doorTexts) Message(ctx context.Context, id string) (m sms.Message, signer string, err error) {
	if m, err = t.Texts.Message(ctx, id); err == nil {
		signer, err = t.Signer(ctx, m.Job)
	}
	return m, signer, forDoor(err)
}

// Messages implements [doors.Texts].
func (t doorTexts) Messages(ctx context.Context, f doors.Filter) ([]sms.Message, string, error) {
	page, next, err := t.Texts.Messages(ctx, storage.MessageFilter{
		To: f.To, Signer: f.Signer, Accounts: f.Accounts, Limit: f.Limit, Cursor: f.Cursor,
		SubmittedFrom: stamp.At(f.Since), SubmittedBefore: stamp.At(f.Until),
	})
	return page, next, forDoor(err)
}

// forDoor puts storage's errors into the doors' own.
func forDoor(err error) error {
	switch {
	case errors.Is(err, storage.ErrUnavailable), errors.Is(err, storage.ErrClosed):
		return fmt.Errorf("%w: %w", doors.ErrUnavailable, err)
	case errors.Is(err, storage.ErrCursor):
		return doors.ErrCursor
	case errors.Is(err, storage.ErrNotFound):
		return sms.ErrNotFound
	}
	return err
}
