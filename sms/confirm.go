package sms

import "context"

// Confirm lets a job that awaits a confirmation go, and gives it as it then
// is; again it changes nothing. Errors: [ErrNotFound], [ErrNotAwaiting].
func (g *Gateway) Confirm(ctx context.Context, id string) (Job, error) {
	if err := g.readRules(ctx); err != nil {
		return Job{}, err
	}
	var job Job
	err := g.update(ctx, "confirm job", func(w *work) (err error) {
		if job, err = w.Job(id); err != nil {
			return err
		}
		before, err := w.Confirm(id)
		if err != nil || before {
			return err
		}
		if job.Status != JobAwaitingConfirm {
			return ErrNotAwaiting // it was canceled, or is too old
		}
		if err := w.letJobGo(job); err != nil {
			return err
		}
		job, err = w.Job(id)
		return err
	})
	return job, err
}

// letJobGo gives the first messages of a confirmed job their time, and starts
// its notice.
func (w *work) letJobGo(job Job) error {
	at := w.at
	if job.SendAt != nil && job.SendAt.After(at.Time) {
		at = *job.SendAt
	}
	records, err := w.Records(Query{Job: job.ID, Statuses: []Status{Scheduled}})
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Tier > 0 {
			continue
		}
		if err := w.letGo(r, at); err != nil {
			return err
		}
	}
	return w.startNotice(job.ID)
}
