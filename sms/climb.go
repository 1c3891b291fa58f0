package sms

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"callbox/internal/stamp"
)

const (
	climbBatch = 100         // steps in one transaction
	climbLook  = time.Minute // how long a step is waited for without a look at the clock
)

// climbUntil takes the notices' steps as they are due until ctx ends: those
// that came due while the box was down at once, one each.
func (g *Gateway) climbUntil(ctx context.Context) {
	for ctx.Err() == nil {
		next, err := g.climb(ctx)
		switch {
		case ctx.Err() != nil:
		case err != nil:
			g.log.Error("cannot take the notices' steps, trying again", "err", err)
			sleep(ctx, storeWait)
		default:
			g.awaitStep(ctx, next)
		}
	}
}

// awaitStep waits until a step is due or the steps are others, but not for
// longer than a clock that is set meanwhile should matter. Zero: no step is to
// come.
func (g *Gateway) awaitStep(ctx context.Context, at stamp.Time) {
	if !at.IsZero() {
		limit, cancel := context.WithTimeout(ctx, min(time.Until(at.Time), climbLook))
		defer cancel()
		ctx = limit
	}
	select {
	case <-ctx.Done():
	case <-g.steps:
	}
}

// climb takes what steps are due and gives the time of the next one; zero:
// none is to come. A step is on disk whole or not at all.
func (g *Gateway) climb(ctx context.Context) (next stamp.Time, err error) {
	var new []Record
	var bad []Standing
	err = g.update(ctx, "notices' steps", func(w *work) error {
		new, bad = nil, nil
		due, err := w.DueNotices(w.at, climbBatch)
		if err != nil {
			return err
		}
		for _, s := range due {
			if s.Fault = s.fault(); s.Fault != nil {
				bad = append(bad, s)
				if err := w.HaltNotice(s.Job); err != nil {
					return err
				}
				continue
			}
			made, err := w.step(s)
			if err != nil {
				return fmt.Errorf("notice of job %s: %w", s.Job, err)
			}
			new = append(new, made...)
		}
		next, err = w.NextStep()
		return err
	})
	if err != nil {
		return stamp.Time{}, err
	}
	for _, s := range bad {
		g.log.Error("a notice cannot be read and goes no further", "job", s.Job, "ref", s.Ref, "err", s.Fault)
	}
	for _, r := range new {
		g.counts.add(r.Account, Queued, 1)
		g.alarm.of(r)
	}
	return next, nil
}

// fault says why the notice of a job that has a step to take cannot take it.
func (s Standing) fault() error {
	switch {
	case s.Fault != nil:
		return s.Fault
	case s.Notice == nil:
		return errors.New("there is none")
	case s.Notice.Tier < 0:
		return fmt.Errorf("it is at level %d", s.Notice.Tier)
	}
	return nil
}

// step does what one notice is to do now, and gives the repeats it made.
func (w *work) step(s Standing) (new []Record, err error) {
	n := s.Notice
	what := n.due(w.at)
	if what == rest {
		return nil, w.SaveNotice(s.Job, *n) // its time is another
	}
	if !s.Until.IsZero() && w.at.After(s.Until.Time) {
		return nil, w.stop(s) // nothing of it leaves any more
	}
	records, err := w.Records(Query{Job: s.Job})
	if err != nil {
		return nil, err
	}
	if what == climb {
		if n.Tiers[n.Tier+1].Unless == UnlessDelivered && delivered(records, n.Tier) {
			return nil, w.stop(s)
		}
		return nil, w.release(s, records)
	}
	return w.again(s, records)
}

// delivered says whether one text of a level is on its handset.
func delivered(records []Record, tier int) bool {
	return slices.ContainsFunc(records, func(r Record) bool { return r.Tier == tier && r.Status == Delivered })
}

// release tells the next level.
func (w *work) release(s Standing, records []Record) error {
	n, told := s.Notice, 0
	n.Tier++
	n.begin(w.at)
	for _, r := range records {
		if r.Tier != n.Tier || r.Status != Scheduled {
			continue
		}
		if err := w.divert(&r); err != nil {
			return err
		}
		if err := w.move(r, release); err != nil {
			return err
		}
		w.news.wake(r.Account)
		told++
	}
	return w.did(s, StepReleased, told)
}

// again sends the current level its text again, but for those to whom the copy
// before has not left yet.
func (w *work) again(s Standing, records []Record) ([]Record, error) {
	n := s.Notice
	n.Repeated++
	n.Last = w.at
	n.schedule()
	waiting := map[string]bool{}
	for _, r := range records {
		if r.Tier == n.Tier && slices.Contains([]Status{Scheduled, Queued, Submitting}, r.Status) {
			waiting[r.To] = true
		}
	}
	var copies []Record
	for _, r := range records {
		if r.Tier == n.Tier && r.Repeat == 0 && r.Status != Canceled && !waiting[r.To] {
			if err := w.divert(&r); err != nil {
				return nil, err
			}
			copies = append(copies, r.copied(n.Repeated, w.at))
			w.news.wake(r.Account)
		}
	}
	if err := w.AddMessages(copies, w.at); err != nil {
		return nil, err
	}
	return copies, w.did(s, StepRepeated, len(copies))
}

// copied is r as a new message. The link in its text stays the first one's.
func (r Record) copied(repeat int, at stamp.Time) Record {
	m := r.Message
	m.ID, m.Status, m.Repeat, m.Error, m.MaybeSent, m.Done = newID(), Queued, repeat, nil, false, ""
	m.Times = map[Status]stamp.Time{Queued: at}
	return Record{
		Message: m, Rank: r.Rank, Extension: r.Extension, Reserve: r.Reserve, Callback: r.Callback,
		Format: r.Format, Signer: r.Signer, Class: r.Class, Until: r.Until, Bound: r.Bound,
	}
}

// stop ends a notice: levels that were not told are canceled, and repeats that
// have not left.
func (w *work) stop(s Standing) error {
	n, canceled := s.Notice, 0
	n.end()
	records, err := w.Records(Query{Job: s.Job, Statuses: []Status{Scheduled, Queued}})
	if err != nil {
		return err
	}
	for _, r := range records {
		if r.Tier <= n.Tier && r.Repeat == 0 {
			continue
		}
		if err := w.move(r, cancel); err != nil {
			return err
		}
		canceled++
	}
	return w.did(s, StepCanceled, canceled)
}

// did stores how far a notice is and tells of a step. A stop that found
// nothing to cancel is none.
func (w *work) did(s Standing, what string, messages int) error {
	if what != StepCanceled || messages > 0 {
		step := Step{What: what, Tier: s.Notice.Tier, Messages: messages, Time: w.at}
		s.Notice.did(step)
		w.news.add(Note{Type: NoteStep, Notice: &News{Job: s.Job, Ref: s.Ref, Step: &step}})
	}
	w.news.stepped = true
	return w.SaveNotice(s.Job, *s.Notice)
}

// startNotice begins the notice of a job that waited for a confirmation.
func (w *work) startNotice(job string) error {
	s, err := w.Standing(job)
	if err != nil || s.Notice == nil || s.Ack != nil {
		return err
	}
	s.Notice.begin(w.notBefore(s.SendAt))
	w.news.stepped = true
	return w.SaveNotice(job, *s.Notice)
}

// endNotice leaves nothing to come of a job that is canceled.
func (w *work) endNotice(job string) error {
	s, err := w.Standing(job)
	if err != nil || s.Notice == nil || s.Notice.Next.IsZero() {
		return err
	}
	return w.stop(s)
}

// endNotices is endNotice for the jobs of these messages.
func (w *work) endNotices(records []Record) error {
	ended := map[string]bool{}
	for _, r := range records {
		if ended[r.Job] {
			continue
		}
		ended[r.Job] = true
		if err := w.endNotice(r.Job); err != nil {
			return err
		}
	}
	return nil
}

// notBefore is now, or at where that is yet to come.
func (w *work) notBefore(at stamp.Time) stamp.Time {
	if at.After(w.at.Time) {
		return at
	}
	return w.at
}

// beginNotice starts the notice of a new job, unless it is to be confirmed
// first.
func (w *work) beginNotice(j *NewJob) {
	if j.Notice == nil || j.Awaiting {
		return
	}
	j.Notice.begin(w.notBefore(j.SendAt))
	j.Step = j.Notice.Next
	w.news.stepped = true
}
