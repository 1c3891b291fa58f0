package sms

import (
	"context"
	"time"
)

// Confirm lets a job that awaits a confirmation go, and gives it as it then
// is; again it changes nothing. Errors: [ErrNotFound], [ErrNotAwaiting].
func (g *Gateway) Confirm(ctx context.Context, id string) (Job, error) {
	var job Job
	err := g.update(ctx, "confirm job", func(w *work) error {
		before, err := w.Confirm(id)
		if err == nil && !before {
			err = w.letJobGo(id)
		}
		if err == nil {
			job, err = w.Job(id)
		}
		return err
	})
	if err == nil {
		g.alarm.by(time.Now())
	}
	return job, err
}

// letJobGo gives the first messages of a confirmed job their time, and starts
// its notice. There are none where it was canceled, or is too old by now.
func (w *work) letJobGo(id string) error {
	s, err := w.Standing(id)
	if err != nil {
		return err
	}
	n, err := w.Start(id, w.notBefore(s.SendAt))
	if err == nil && n == 0 {
		err = ErrNotAwaiting
	}
	if err != nil {
		return err
	}
	return w.startNotice(id)
}
