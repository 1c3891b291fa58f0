package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"callbox/cti"
	"callbox/storage"
)

type missedIn struct {
	State string `query:"state" enum:"open,claimed,done" doc:"open: nobody sees to it yet"`
	Queue string `query:"queue" maxLength:"64"`
	Kind  string `query:"kind" enum:"missed,voicemail"`
	Paged
}

// listMissed gives who wanted an agent and got none. Agents see what concerns
// their queues, their own telephones or everybody.
func (a *API) listMissed(ctx context.Context, in *missedIn) (*rows[storage.Missed], error) {
	f := missedOf(ctx)
	f.State, f.Queue, f.Kind, f.Page = in.State, in.Queue, in.Kind, in.page()
	list, next, err := a.deps.Missed.Missed(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list missed calls: %w", err)
	}
	return pageOf(list, next), nil
}

// missedOf is what of the list who asks may see.
func missedOf(ctx context.Context) storage.MissedFilter {
	if who := callerOf(ctx); who.own() {
		return storage.MissedFilter{VisibleTo: who.ID}
	}
	return storage.MissedFilter{}
}

// seesMissed is 404 for a row that who asks may not see.
func (a *API) seesMissed(ctx context.Context, id string) error {
	f := missedOf(ctx)
	f.ID, f.Limit = id, 1
	found, _, err := a.deps.Missed.Missed(ctx, f)
	if err != nil {
		return fmt.Errorf("missed call: %w", err)
	}
	if len(found) == 0 {
		return notFound("missed call")
	}
	return nil
}

// claimMissed makes a missed call the caller's to see to.
func (a *API) claimMissed(ctx context.Context, in *byID) (*one[storage.Missed], error) {
	return a.changeMissed(ctx, "claim", in.ID, "", func(by cti.Ref, _ bool) (storage.Missed, error) {
		return a.deps.Missed.ClaimMissed(ctx, in.ID, by)
	})
}

// releaseMissed gives it back; not only agents give back another's.
func (a *API) releaseMissed(ctx context.Context, in *byID) (*one[storage.Missed], error) {
	return a.changeMissed(ctx, "release", in.ID, "", func(by cti.Ref, anyones bool) (storage.Missed, error) {
		return a.deps.Missed.ReleaseMissed(ctx, in.ID, by, anyones)
	})
}

type missedDone struct {
	ID   string `path:"id" maxLength:"128"`
	Body struct {
		Outcome string `json:"outcome" enum:"reached,unreachable,texted,nothing"`
		Note    string `json:"note,omitempty" maxLength:"1000"`
	}
}

// finishMissed says what came of it.
func (a *API) finishMissed(ctx context.Context, in *missedDone) (*one[storage.Missed], error) {
	return a.changeMissed(ctx, "done", in.ID, in.Body.Outcome, func(by cti.Ref, anyones bool) (storage.Missed, error) {
		return a.deps.Missed.FinishMissed(ctx, in.ID, by, anyones, in.Body.Outcome, in.Body.Note)
	})
}

// changeMissed makes a change and writes it into the audit log. anyones says
// that who asks may change what another has claimed.
func (a *API) changeMissed(
	ctx context.Context, what, id, detail string, change func(by cti.Ref, anyones bool) (storage.Missed, error),
) (*one[storage.Missed], error) {
	if err := a.seesMissed(ctx, id); err != nil {
		return nil, err
	}
	who := callerOf(ctx)
	row, err := change(cti.Ref{ID: who.ID, Name: who.Name}, !who.own())
	if err != nil {
		return nil, missedProblem(err)
	}
	e := storage.AuditEntry{Who: who.ID, What: "missed." + what, Object: row.ID, Detail: detail, Origin: address(requestOf(ctx))}
	if err := a.deps.Audit.Audit(ctx, e); err != nil {
		return nil, fmt.Errorf("audit a missed call: %w", err)
	}
	return &one[storage.Missed]{Body: row}, nil
}

// held is the conflict of two who see to one thing: by names who has it.
type held struct {
	huma.ErrorModel
	By storage.MissedClaim `json:"claimed"`
}

func missedProblem(err error) error {
	var taken *storage.MissedTaken
	switch {
	case errors.As(err, &taken):
		const status = http.StatusConflict
		return &held{huma.ErrorModel{Title: http.StatusText(status), Status: status, Detail: taken.Error()}, taken.MissedClaim}
	case errors.Is(err, storage.ErrNotFound):
		return notFound("missed call")
	}
	return err
}

// concerned says whether a change of a missed call concerns the agent whose
// sight this is.
func (s sight) concerned(e *cti.Event) bool {
	if e.Queue != nil {
		return slices.Contains(s.queues, e.Queue.ID)
	}
	return e.AgentID == "" || e.AgentID == s.agent
}
