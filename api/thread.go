package api

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
)

type previewIn struct {
	Body struct {
		Text     string         `json:"text,omitempty"`
		Template string         `json:"template,omitempty"`
		Vars     map[string]any `json:"vars,omitempty"`
		To       string         `json:"to,omitempty" maxLength:"64"`
		Ref      string         `json:"ref,omitempty"`
		Account  string         `json:"account,omitempty"`
	}
}

// previewText shows a text as it would leave.
func (a *API) previewText(ctx context.Context, in *previewIn) (*one[sms.Preview], error) {
	b := in.Body
	req := sms.Request{Text: b.Text, Template: b.Template, Vars: b.Vars, Ref: b.Ref, Account: b.Account}
	if b.To != "" {
		req.To = []string{b.To}
	}
	p, err := a.deps.Texter.Preview(ctx, req)
	if err != nil {
		return nil, toOne(textProblem(err))
	}
	return &one[sms.Preview]{Body: p}, nil
}

// textLine is one text from or to a number.
type textLine struct {
	ID        string     `json:"id"`
	Time      stamp.Time `json:"time"`
	Direction string     `json:"direction"` // in or out
	Text      string     `json:"text"`
	Status    sms.Status `json:"status,omitempty"`
	Parts     int        `json:"parts,omitempty"`
	By        string     `json:"by,omitempty"` // who sent it, or took it
	Job       string     `json:"job,omitempty"`
}

type threadIn struct {
	Number string `query:"number" required:"true" minLength:"1" maxLength:"64" doc:"in any form"`
	Paged
}

// listThread gives the texts from and to a number, newest first. An agent sees
// all of a number that he had a call with; of others what is his own.
func (a *API) listThread(ctx context.Context, in *threadIn) (*rows[textLine], error) {
	signer, claimer, err := a.threadOf(ctx, in.Number)
	if err != nil {
		return nil, err
	}
	limit := in.limit()
	sent, _, err := a.deps.Texts.Messages(ctx, storage.MessageFilter{To: in.Number, Signer: signer, Limit: limit + 1, Cursor: in.Cursor})
	if err != nil {
		return nil, fmt.Errorf("read the thread: %w", err)
	}
	came, _, err := a.deps.Texts.Inbox(ctx, storage.InboxFilter{From: in.Number, Signer: signer, Claimer: claimer, Limit: limit + 1, Cursor: in.Cursor})
	if err != nil {
		return nil, fmt.Errorf("read the thread: %w", err)
	}
	lines := linesOf(sent, came)
	next := ""
	if len(lines) > limit {
		lines, next = lines[:limit], lines[limit-1].ID
	}
	if err := a.signed(ctx, lines); err != nil {
		return nil, err
	}
	return pageOf(lines, next), nil
}

// threadOf is what of a number's texts who asks may see, as [storage.InboxFilter]
// has it; both are empty for all.
func (a *API) threadOf(ctx context.Context, number string) (signer, claimer string, err error) {
	who := callerOf(ctx)
	if !who.own() {
		return "", "", nil
	}
	calls, _, err := a.deps.Records.Calls(ctx, storage.CallFilter{Number: number, VisibleTo: who.ID, Page: storage.Page{Limit: 1}})
	if err != nil {
		return "", "", fmt.Errorf("read the thread: %w", err)
	}
	if len(calls) > 0 {
		return "", "", nil
	}
	return signerOf(who), who.ID, nil
}

// linesOf puts both directions into one list, newest first: ids are in the order
// of time.
func linesOf(sent []sms.Message, came []sms.Incoming) (lines []textLine) {
	for _, m := range sent {
		first := stamp.Time{}
		for _, t := range m.Times {
			if first.IsZero() || t.Before(first.Time) {
				first = t
			}
		}
		lines = append(lines, textLine{ID: m.ID, Time: first, Direction: "out", Text: m.Text, Status: m.Status, Parts: m.Parts, Job: m.Job})
	}
	for _, in := range came {
		lines = append(lines, textLine{ID: in.ID, Time: in.Time, Direction: "in", Text: in.Text, By: in.ClaimedBy, Job: in.Job})
	}
	slices.SortFunc(lines, func(a, b textLine) int { return cmp.Compare(b.ID, a.ID) })
	return lines
}

// signed says of each text that went out who sent it: a person, or "" for a
// program.
func (a *API) signed(ctx context.Context, lines []textLine) error {
	signers := map[string]string{}
	for i, l := range lines {
		if l.Direction == "in" {
			continue
		}
		if _, known := signers[l.Job]; !known {
			signer, err := a.deps.Texts.Signer(ctx, l.Job)
			if err != nil && !errors.Is(err, storage.ErrNotFound) {
				return fmt.Errorf("read the thread: %w", err)
			}
			signers[l.Job] = signer
		}
		if user, ok := strings.CutPrefix(signers[l.Job], userSigner); ok {
			lines[i].By = user
		}
	}
	return nil
}
