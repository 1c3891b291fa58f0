package api

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"callbox/cti"
	"callbox/internal/number"
	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
)

type urgeIn struct {
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		Ticket string `json:"ticket" minLength:"1" maxLength:"128"`
		To     string `json:"to,omitempty" maxLength:"64" doc:"who is texted, if not whom the ticket or the settings name"`
		Title  string `json:"title,omitempty" maxLength:"200" doc:"the ticket's, if the box does not know it"`
	}
}

// urged says what became of an urge: the text's job and the webhooks' event,
// each empty where there was none.
type urged struct {
	Job   string `json:"job"`
	Event string `json:"event"`
}

// urgeAgain is how soon the same person sends the same ticket's text again.
const urgeAgain = 60

// urge texts whoever works on an open ticket, and tells the webhooks.
func (a *API) urge(ctx context.Context, in *urgeIn) (*one[urged], error) {
	call, err := a.visible(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	settings, err := a.settings(ctx)
	if err != nil {
		return nil, err
	}
	ticket, err := a.openTicket(ctx, call.Customer, in.Body.Ticket)
	if err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	u := storage.Urge{
		CallID: call.ID, Ticket: in.Body.Ticket, Customer: call.Customer, Number: outsideOf(call),
		Agent: cti.Ref{ID: who.ID, Name: who.Name}, Time: stamp.Now(),
	}
	to := cmp.Or(in.Body.To, word(ticket, "engineer_phone"), settings.Urge.To)
	if settings.Urge.Template != "" && to != "" {
		title := cmp.Or(in.Body.Title, word(ticket, "title"))
		if u.Job, err = a.textUrge(ctx, settings.Urge.Template, to, title, u); err != nil {
			return nil, err
		}
	}
	event, err := a.deps.Desk.Urge(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("urge: %w", err)
	}
	err = a.noted(ctx, "ticket.urge", u.Ticket, "call "+u.CallID)
	return &one[urged]{Body: urged{Job: u.Job, Event: event}}, err
}

// noted writes into the audit log what who asks did.
func (a *API) noted(ctx context.Context, what, object, detail string) error {
	return a.notedOf(ctx, callerOf(ctx), what, object, detail)
}

// notedOf is noted for a command, whose context knows of nobody.
func (a *API) notedOf(ctx context.Context, who *caller, what, object, detail string) error {
	e := storage.AuditEntry{Who: who.ID, What: what, Object: object, Origin: who.from, Detail: detail}
	if err := a.deps.Audit.Audit(ctx, e); err != nil {
		return fmt.Errorf("audit %s: %w", what, err)
	}
	return nil
}

// textUrge sends the template and gives the job. A second press within a minute
// is the first one's.
func (a *API) textUrge(ctx context.Context, template, to, title string, u storage.Urge) (job string, err error) {
	t, err := a.template(ctx, template)
	if err != nil {
		return "", err
	}
	all := map[string]any{
		"ref": u.Ticket, "customer": "", "number": u.Number.Raw, "agent": u.Agent.Name, "title": title,
	}
	if u.Customer != nil {
		all["customer"] = u.Customer.Name
	}
	if u.Number.E164 != "" {
		all["number"] = number.National(u.Number.E164)
	}
	vars := map[string]any{}
	for _, name := range t.Vars() {
		if value, ok := all[name]; ok {
			vars[name] = value
		}
	}
	who := callerOf(ctx)
	made, _, err := a.deps.Texter.Accept(ctx, sms.Request{
		To: []string{to}, Template: template, Vars: vars, Ref: u.Ticket, Signer: signerOf(who), Limits: who.limits,
		Dedup: &sms.Dedup{Key: "urge " + u.Ticket, Window: urgeAgain},
	})
	if err != nil {
		return "", toOne(textProblem(err))
	}
	return made.ID, nil
}

// toOne is a text's problem where a request has one number.
func toOne(err error) error {
	var model *huma.ErrorModel
	if errors.As(err, &model) {
		for _, e := range model.Errors {
			if e.Location == "body.to[0]" {
				e.Location = "body.to"
			}
		}
	}
	return err
}

// outsideOf is the number of a call's party that is none of ours.
func outsideOf(call cti.CDR) cti.Number {
	if call.Direction == cti.Out {
		return call.To
	}
	return call.From
}

// openTicket is what the box knows of a customer's open ticket; nil is nothing.
func (a *API) openTicket(ctx context.Context, customer *cti.Ref, ref string) (map[string]any, error) {
	if customer == nil {
		return nil, nil
	}
	doc, err := a.deps.Site.Document(ctx, "customers", customer.ID)
	if errors.Is(err, storage.ErrNotFound) {
		return nil, nil // the ticket system's, not the box's
	}
	if err != nil {
		return nil, fmt.Errorf("read the customer: %w", err)
	}
	var c cti.Customer
	if err := json.Unmarshal(doc, &c); err != nil {
		return nil, fmt.Errorf("read the customer: %w", err)
	}
	i := slices.IndexFunc(c.OpenTickets, func(t map[string]any) bool { return word(t, "ref") == ref })
	if i < 0 {
		return nil, nil
	}
	return c.OpenTickets[i], nil
}

// word is a text in free data, else empty.
func word(data map[string]any, key string) string {
	s, _ := data[key].(string)
	return s
}
