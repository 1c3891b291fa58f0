package api

import (
	"context"
	"fmt"

	"callbox/internal/number"
	"callbox/storage"
)

const customersKind = "customers"

// customers are a section like others, in which one can search.
func customers() section {
	s := served(customersKind, siteRead)
	s.list = serve((*API).listCustomers)
	return s
}

type customersIn struct {
	Number string `query:"number" maxLength:"64" doc:"in any form: all who have it"`
	Q      string `query:"q" maxLength:"64" doc:"a part of a name or a number, or an id"`
	Paged
}

func (a *API) listCustomers(ctx context.Context, in *customersIn) (*rows[document], error) {
	if in.Number == "" && in.Q == "" {
		return a.listSite(ctx, customersKind, in.page())
	}
	raws, next, err := a.deps.Desk.Customers(ctx, storage.CustomerFilter{Number: in.Number, Query: in.Q, Page: in.page()})
	if err != nil {
		return nil, fmt.Errorf("find customers: %w", err)
	}
	docs := make([]document, len(raws))
	for i, raw := range raws {
		if docs[i], err = read(raw); err != nil {
			return nil, err
		}
	}
	return pageOf(docs, next), nil
}

type addNumberIn struct {
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		Number string `json:"number" minLength:"1" maxLength:"64" doc:"in any form"`
	}
}

// addNumber gives a customer of the box one more number, and gives the customer.
func (a *API) addNumber(ctx context.Context, in *addNumberIn) (*one[document], error) {
	clean := number.Clean(in.Body.Number)
	if clean == "" {
		return nil, unprocessable(at("body.number", "is no number", in.Body.Number))
	}
	if err := a.deps.Desk.AddNumber(ctx, in.ID, clean); err != nil {
		return nil, fmt.Errorf("add the number: %w", err)
	}
	if err := a.noted(ctx, "customers.number", in.ID, ""); err != nil {
		return nil, err
	}
	return a.getSite(ctx, customersKind, in.ID)
}
