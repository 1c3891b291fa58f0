package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
)

type inboxIn struct {
	Since   time.Time `query:"since" doc:"inclusive"`
	Matched string    `query:"matched" enum:"true,false" doc:"whether it answers a job"`
	Paged
}

func (a *API) listInbox(ctx context.Context, in *inboxIn) (*rows[sms.Incoming], error) {
	f := inboxOf(ctx)
	f.Since, f.Limit, f.Cursor = stamp.At(in.Since), in.limit(), in.Cursor
	if in.Matched != "" {
		matched := in.Matched == "true"
		f.Matched = &matched
	}
	texts, next, err := a.deps.Texts.Inbox(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list inbox: %w", err)
	}
	return pageOf(texts, next), nil
}

// inboxOf is what of the inbox who asks may see. What answers no job is
// everybody's; an agent sees besides what answers his own jobs, or is claimed
// by him.
func inboxOf(ctx context.Context) storage.InboxFilter {
	who := callerOf(ctx)
	if !who.own() {
		return storage.InboxFilter{}
	}
	return storage.InboxFilter{Signer: signerOf(who), Claimer: who.ID}
}

// inboxRow is a row that who asks may see.
func (a *API) inboxRow(ctx context.Context, id string) error {
	f := inboxOf(ctx)
	f.ID, f.Limit = id, 1
	found, _, err := a.deps.Texts.Inbox(ctx, f)
	if err != nil {
		return fmt.Errorf("incoming text: %w", err)
	}
	if len(found) == 0 {
		return notFound("incoming text")
	}
	return nil
}

// claimText makes an incoming text the caller's: an agent's, or a program's by
// its key's name.
func (a *API) claimText(ctx context.Context, in *byID) (*one[sms.Incoming], error) {
	if err := a.inboxRow(ctx, in.ID); err != nil {
		return nil, err
	}
	row, err := a.deps.Texter.Claim(ctx, in.ID, callerOf(ctx).ID)
	if err != nil {
		return nil, inboxProblem(err)
	}
	return &one[sms.Incoming]{Body: row}, nil
}

type answerIn struct {
	ID   string `path:"id"`
	Body struct {
		Text string `json:"text" minLength:"1"`
	}
}

// answerText sends an answer; 202 when its job is on disk. An agent does not
// answer what another has claimed.
func (a *API) answerText(ctx context.Context, in *answerIn) (*one[sms.Job], error) {
	if err := a.inboxRow(ctx, in.ID); err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	job, _, err := a.deps.Texter.Answer(ctx, sms.Answering{
		Row: in.ID, Text: in.Body.Text, By: who.ID, Yield: who.own(), Signer: signerOf(who),
	})
	if err != nil {
		return nil, inboxProblem(err)
	}
	return &one[sms.Job]{Body: job}, nil
}

type matchIn struct {
	ID   string `path:"id"`
	Body struct {
		Job string `json:"job" minLength:"1" doc:"the id of the job that the text answers"`
	}
}

// matchText says which job an incoming text answers.
func (a *API) matchText(ctx context.Context, in *matchIn) (*one[sms.Incoming], error) {
	if err := a.inboxRow(ctx, in.ID); err != nil {
		return nil, err
	}
	row, err := a.deps.Texter.Match(ctx, in.ID, in.Body.Job)
	if errors.Is(err, sms.ErrNoJob) {
		return nil, unprocessable(at("body.job", sms.ErrNoJob.Error(), in.Body.Job))
	}
	if err != nil {
		return nil, inboxProblem(err)
	}
	return &one[sms.Incoming]{Body: row}, nil
}

// inboxProblem puts what the gateway says about an inbox row into a problem.
func inboxProblem(err error) error {
	var claimed *sms.Claimed
	switch {
	case errors.As(err, &claimed):
		return huma.NewError(http.StatusConflict, claimed.Error())
	case errors.Is(err, sms.ErrNotFound), errors.Is(err, storage.ErrNotFound):
		return notFound("incoming text")
	}
	return textProblem(err)
}

// shared says whether an event is about an incoming text that answers no job,
// which concerns everybody at the desk.
func shared(e *cti.Event) bool {
	if e.Type != cti.EventSMSReceived && e.Type != cti.EventSMSInbox {
		return false
	}
	job, _ := e.UserData["job"].(string)
	return job == ""
}
