package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"callbox/cti"
	"callbox/sms"
	"callbox/storage"
)

// atDesks are people who work: a program's key has no desk.
var atDesks = access{roles: workers}

// deskRoutes are what agents' pages work with beside calls.
func deskRoutes() []route {
	return []route{
		{"GET", "/api/v1/desk", "the desk's settings", siteRead, serve((*API).getDesk)},
		{"PUT", "/api/v1/desk", "change the desk's settings, all of them", siteEdit, serve((*API).putDesk)},
		{"GET", "/api/v1/people", "who is logged in, and how they stand", access{roles: everyone, scopes: []string{ScopeCalls}}, serve((*API).listPeople)},
		{"GET", "/api/v1/messages", "what one wrote and got", access{roles: everyone}, serve((*API).listChats)},
		{"GET", "/api/v1/calls/{id}/note", "one's draft about a call", atDesks, serve((*API).getNote)},
		{"PUT", "/api/v1/calls/{id}/note", "keep one's draft until dispose", atDesks, serve((*API).putNote)},
		{"POST", "/api/v1/calls/{id}/urge", "urge an open ticket", atDesks, made(http.StatusAccepted, (*API).urge)},
		{"POST", "/api/v1/sms/preview", "a text as it would leave", textWrite, serve((*API).previewText)},
		{"GET", "/api/v1/sms/thread", "texts from and to one number", textRead, serve((*API).listThread)},
		{"POST", "/api/v1/customers/{id}/numbers", "give a customer one more number", atDesks, serve((*API).addNumber)},
	}
}

// settings are the desk's.
func (a *API) settings(ctx context.Context) (s storage.DeskSettings, err error) {
	doc, err := a.deps.Site.Document(ctx, deskKind, deskKind)
	switch {
	case errors.Is(err, storage.ErrNotFound):
		return s.Filled(), nil
	case err != nil:
		return s, fmt.Errorf("read the desk's settings: %w", err)
	}
	if err := json.Unmarshal(doc, &s); err != nil {
		return s, fmt.Errorf("read the desk's settings: %w", err)
	}
	return s.Filled(), nil
}

// deskKind is where the site keeps the settings, in a document of that name.
const deskKind = "desk"

func (a *API) getDesk(ctx context.Context, _ *struct{}) (*one[storage.DeskSettings], error) {
	s, err := a.settings(ctx)
	return &one[storage.DeskSettings]{Body: s}, err
}

type deskIn struct{ Body storage.DeskSettings }

func (a *API) putDesk(ctx context.Context, in *deskIn) (*one[storage.DeskSettings], error) {
	if a.deps.Editor == nil {
		return nil, cti.ErrNotServed
	}
	if err := a.checkTemplates(ctx, in.Body); err != nil {
		return nil, err
	}
	doc, err := json.Marshal(in.Body)
	if err != nil {
		return nil, fmt.Errorf("write the desk's settings: %w", err)
	}
	if err := a.edit(ctx, "put", deskKind, "", func() error {
		return a.deps.Editor.PutDocuments(ctx, deskKind, []json.RawMessage{doc})
	}); err != nil {
		return nil, err
	}
	return a.getDesk(ctx, nil)
}

// checkTemplates says where the settings name a template that is not there, or
// one that cannot be filled.
func (a *API) checkTemplates(ctx context.Context, s storage.DeskSettings) error {
	var faults []error
	named := func(where, id string) sms.Template {
		t, err := a.template(ctx, id)
		if errors.Is(err, storage.ErrNotFound) {
			err = at(where, "there is no template with this id", id)
		}
		if err != nil {
			faults = append(faults, err)
		}
		return t
	}
	for i, id := range s.Texts {
		named(fmt.Sprintf("body.texts[%d]", i), id)
	}
	if s.Urge.Template != "" {
		for _, name := range storage.Unurged(named("body.urge.template", s.Urge.Template)) {
			faults = append(faults, at("body.urge.template", "wants {"+name+"}, which is not known when a ticket is urged", s.Urge.Template))
		}
	}
	if len(faults) == 0 {
		return nil
	}
	for _, err := range faults {
		var detail *huma.ErrorDetail
		if !errors.As(err, &detail) {
			return err
		}
	}
	return unprocessable(faults...)
}

// template is one of the site's, or storage.ErrNotFound.
func (a *API) template(ctx context.Context, id string) (t sms.Template, err error) {
	doc, err := a.deps.Site.Document(ctx, "templates", id)
	if err != nil {
		return t, fmt.Errorf("read template %s: %w", id, err)
	}
	if err := json.Unmarshal(doc, &t); err != nil {
		return t, fmt.Errorf("read template %s: %w", id, err)
	}
	return t, nil
}
