package sms

import (
	"context"
	"errors"
	"fmt"
)

const (
	// maxLost is how often a message is sent again after its outcome became
	// unknown; then it is held, since it may be what ends the connection.
	maxLost = 5
	// refusedSource is what a carrier answers where digits behind the access
	// number are not in the contract (CMPP, SUBMIT_RESP result 10: Src_Id).
	refusedSource = 10
)

// outcome is what came of a submit.
type outcome struct {
	event  event
	pieces []Piece
	err    *Error
	why    error // the carrier's own words, where what it did is not known
}

// outcome reads a carrier's answer.
func (l *lane) outcome(r Record, receipt Receipt, err error) outcome {
	var no *Rejected
	switch {
	case err == nil:
		o := outcome{event: accept}
		for _, id := range receipt.Parts {
			o.pieces = append(o.pieces, Piece{ID: id})
		}
		return o
	case errors.As(err, &no):
		return l.refused(r, no)
	case errors.Is(err, ErrThrottled), errors.Is(err, ErrNotSent):
		return outcome{event: giveBack}
	}
	return outcome{event: lose, why: err}
}

// refused is the end of a message, unless the carrier only minds the digits
// behind the access number: then they are left away from now on.
func (l *lane) refused(r Record, no *Rejected) outcome {
	if no.Code == refusedSource && r.Extension != "" {
		if !l.plain.Swap(true) {
			l.log.Error("carrier refuses digits behind the access number: texts go without, replies are matched less surely", "result", no.Code)
		}
		return outcome{event: giveBack}
	}
	return outcome{event: refuse, err: &Error{Code: no.Code, Text: no.Text}}
}

// requeues says whether the message waits again, or may.
func (o outcome) requeues() bool { return o.event == giveBack || o.event == lose }

// settle writes what came of claimed messages, and joins the reports that were
// faster than the answers.
func (w *work) settle(answers []attempt) error {
	early, err := w.early(answers)
	if err != nil {
		return err
	}
	for _, a := range answers {
		r, o := a.record, a.outcome
		r.Error, r.Pieces = o.err, nil
		switch o.event {
		case accept:
			r.take(o.pieces)
			err = w.accepted(r, early)
		case lose:
			err = w.lost(r)
		default:
			err = w.move(r, o.event)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// early are the reports that were parked for the parts of these messages, by
// their ids.
func (w *work) early(answers []attempt) (map[string]Report, error) {
	var ids []string
	for _, a := range answers {
		ids = append(ids, bothOrders(a.outcome.pieces)...)
	}
	if len(ids) == 0 {
		return nil, nil
	}
	parked, err := w.Parked(answers[0].record.Account, ids)
	if err != nil || len(parked) == 0 {
		return nil, err
	}
	early := make(map[string]Report, len(parked))
	for _, r := range parked {
		early[r.ID] = r
	}
	return early, nil
}

// take notes the carrier's parts. One without an id was accepted by an answer
// that was lost: the reports will tell.
func (r *Record) take(pieces []Piece) {
	r.Parts = max(len(pieces), 1)
	for _, p := range pieces {
		if p.ID != "" {
			r.Pieces = append(r.Pieces, p)
		}
	}
	r.MaybeSent = r.MaybeSent || len(r.Pieces) < r.Parts
}

// accepted makes r submitted and folds in the reports that came before.
func (w *work) accepted(r Record, early map[string]Report) error {
	if err := w.move(r, accept); err != nil || len(early) == 0 {
		return err
	}
	r.arrive(Submitted, w.at)
	was, heard := r.Status, false
	for _, id := range bothOrders(r.Pieces) {
		if report, ok := early[id]; ok {
			heard = w.hear(&r, report) || heard
		}
	}
	if !heard {
		return nil
	}
	return w.save(r, was)
}

// bothOrders are the parts' ids, and as a centre might turn them round.
func bothOrders(pieces []Piece) []string {
	var ids []string
	for _, p := range pieces {
		if p.ID == "" {
			continue
		}
		ids = append(ids, p.ID)
		if turned, ok := turn(p.ID); ok {
			ids = append(ids, turned)
		}
	}
	return ids
}

// lost makes r unknown and at once does what its account says about that.
func (w *work) lost(r Record) error {
	was := r.Status
	to, ok := was.next(lose)
	if !ok {
		return fmt.Errorf("message %s is %s: %w", r.ID, was, ErrMoved)
	}
	r.arrive(to, w.at)
	r.MaybeSent, r.Pieces = true, nil
	r.Lost++
	w.decide(&r)
	return w.save(r, was)
}

// decide is on_unknown.
func (w *work) decide(r *Record) {
	policy := w.g.account(r.Account).OnUnknown
	switch {
	case policy == OnUnknownResend && r.Lost <= maxLost:
		r.arrive(Queued, w.at)
	case policy == OnUnknownDrop:
		r.arrive(Failed, w.at)
		r.Error = &Error{Text: "it is not known whether it was sent, and the account says not to send it again"}
	case policy == OnUnknownHold:
		r.Error = &Error{Text: "it is not known whether it was sent: held for a report"}
	default:
		r.Error = &Error{Text: fmt.Sprintf("sent %d times and never answered: held for a report", r.Lost)}
	}
}

// recover decides about what was on its way when the box stopped, and tells of
// what nobody will send.
func (g *Gateway) recover(ctx context.Context) error {
	n := 0
	var waiting map[string]int
	err := g.update(ctx, "recover messages", func(w *work) (err error) {
		if waiting, err = w.Waiting(); err != nil {
			return err
		}
		left, err := w.Records(Query{Statuses: []Status{Submitting}})
		if err != nil {
			return err
		}
		n = len(left)
		for _, r := range left {
			if err := w.lost(r); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("recover messages: %w", err)
	}
	for account, count := range waiting {
		if g.lane(account) == nil {
			g.log.Warn("messages wait for an account that is not configured: bring it back, or cancel them", "account", account, "count", count)
		}
	}
	if n > 0 {
		g.log.Warn("messages were being submitted at the stop: they may have been sent", "count", n)
	}
	return nil
}
