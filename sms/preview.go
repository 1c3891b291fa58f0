package sms

import (
	"context"
	"strings"

	"callbox/internal/segment"
)

// Preview is how a text would leave: whole, with its signature.
type Preview struct {
	Text       string           `json:"text"`
	Parts      int              `json:"parts"`
	Characters int              `json:"characters"` // as carriers count them: UTF-16 units
	Encoding   segment.Alphabet `json:"encoding"`
}

// Preview words and cuts a request's text, as it would go to its first number;
// without one as to anybody. Nothing is sent or stored. Error: [Invalid].
func (g *Gateway) Preview(ctx context.Context, req Request) (Preview, error) {
	if err := g.readRules(ctx); err != nil {
		return Preview{}, err
	}
	var faults Invalid
	t, err := g.wording(ctx, req, &faults)
	if err != nil {
		return Preview{}, err
	}
	account := g.likely(req, &faults)
	text, _ := g.linked(t.Text)
	text, reserve := account.word(text)
	encoding, parts := account.Style.Cut(text, reserve)
	if len(parts) > maxParts && !faults.has("text") {
		faults.add("text", "%d parts, the limit is %d", len(parts), maxParts)
	}
	if reserve > 0 { // the carrier's gateway puts it there
		text = Sign(text, account.Signature)
	}
	return Preview{Text: text, Parts: len(parts), Characters: Units(text), Encoding: encoding}, faults.orNil()
}

// likely is the account that a text would leave by.
func (g *Gateway) likely(req Request, faults *Invalid) Account {
	if req.Account != "" && g.lane(req.Account) == nil {
		faults.add("account", "there is no account %q", req.Account)
		return Account{}
	}
	if len(req.To) > 0 && strings.TrimSpace(req.To[0]) != "" {
		r, err := g.recipient(req.To[0], req.Account, standing{})
		if err != nil {
			faults.add("to[0]", "%w", err)
		}
		return r.account
	}
	if req.Account != "" {
		return g.account(req.Account)
	}
	if best := (standing{}).best(g.lanes); best != nil {
		return best.account
	}
	return Account{}
}
