package sms

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
	"slices"
	"time"

	"callbox/internal/number"
	"callbox/internal/stamp"
)

// What a report says of one part (CMPP document, table of Stat).
const (
	statDelivered = "DELIVRD"
	statExpired   = "EXPIRED"
	statAccepted  = "ACCEPTD" // on its way: nothing yet
)

// parkedFor is how long a report waits for its message, and how long the id of
// an incoming text is remembered.
const parkedFor = defaultReportWait

// idLife is how long a carrier's id stands for one part. It begins with month,
// day and time, so that it comes again after a year.
const idLife = 180 * 24 * time.Hour

// Report takes a carrier's word on one part. Doubled and intermediate ones
// change nothing; one whose message is not known yet is parked. nil means that
// it is on disk.
func (g *Gateway) Report(ctx context.Context, rep Report) error {
	if rep.Stat == "" || rep.Stat == statAccepted {
		return nil
	}
	return g.update(ctx, "report", func(w *work) error {
		r, err := w.reported(&rep)
		if errors.Is(err, ErrNotFound) {
			return w.unowned(rep)
		}
		if err != nil {
			return err
		}
		was := r.Status
		if !w.hear(&r, rep) {
			return nil
		}
		return w.save(r, was)
	})
}

// reported finds the message of a report, also where the centre turned the id
// round; rep then has the id as the message knows it.
func (w *work) reported(rep *Report) (Record, error) {
	r, err := w.OfPart(rep.Account, rep.ID)
	if err == nil && w.about(r, *rep) {
		return r, nil
	}
	turned, ok := turn(rep.ID)
	if err != nil && !errors.Is(err, ErrNotFound) || !ok {
		return Record{}, cmp.Or(err, ErrNotFound)
	}
	r, err = w.OfPart(rep.Account, turned)
	switch {
	case err != nil:
		return Record{}, err
	case !w.about(r, *rep) || !w.same(r, *rep):
		return Record{}, ErrNotFound // by chance
	}
	w.g.turned.Add(1)
	rep.ID = turned
	return r, nil
}

// about says whether rep, which has the id of one of r's parts, is about r: the
// id may be one that came again, and r's answer may still be under way.
func (w *work) about(r Record, rep Report) bool {
	if w.at.Sub(last(r.Times).Time) > idLife {
		return false
	}
	i := r.piece(rep.ID)
	return i < 0 || r.Pieces[i].Stat == "" || w.same(r, rep)
}

// same says whether a report is about r's number, as far as it can be read.
func (w *work) same(r Record, rep Report) bool {
	to := number.Normalize(rep.To, w.g.cfg.AreaCode)
	return to == "" || to == r.To
}

// last is when something happened the last time.
func last(times map[Status]stamp.Time) (at stamp.Time) {
	for _, t := range times {
		if t.After(at.Time) {
			at = t
		}
	}
	return at
}

// turn gives the id, 16 hex digits, with its bytes the other way round.
func turn(id string) (string, bool) {
	b, err := hex.DecodeString(id)
	if err != nil || len(b) != 8 {
		return "", false
	}
	slices.Reverse(b)
	return hex.EncodeToString(b), true
}

// hear notes what rep says of a part of r and draws the conclusion for the
// whole: delivered when all parts are, bad when one is. A message that was given
// up without anybody's word can still turn out to have arrived. False: nothing
// new.
func (w *work) hear(r *Record, rep Report) bool {
	i := r.piece(rep.ID)
	if i < 0 || r.Pieces[i].Stat != "" {
		return false
	}
	givenUp := r.givenUp()
	r.Pieces = slices.Clone(r.Pieces)
	r.Pieces[i].Stat, r.Pieces[i].Done = rep.Stat, rep.Done
	e, bad := r.verdict()
	if e == deliver && givenUp {
		e = turnUp
	}
	to, ok := r.Status.next(e)
	if ok {
		r.arrive(to, w.at)
		r.Error = nil
	}
	if bad != "" && (ok || givenUp) {
		r.Error = &Error{Stat: bad, Text: w.g.statText(bad)}
	}
	return true
}

// givenUp says whether r ended without a word from the carrier: what was sent of
// it, if anything, was never answered or reported.
func (r *Record) givenUp() bool {
	ended := r.Status == Failed || r.Status == Expired
	return ended && r.MaybeSent && (r.Error == nil || r.Error.Code == 0 && r.Error.Stat == "")
}

// piece is the place of a part by its id, in either order of its bytes; -1 where
// there is none.
func (r *Record) piece(id string) int {
	return slices.IndexFunc(r.Pieces, func(p Piece) bool { return sameID(p.ID, id) })
}

func sameID(a, b string) bool {
	if a == b {
		return true
	}
	turned, ok := turn(b)
	return ok && a == turned
}

// verdict is what the parts' reports come to so far.
func (r *Record) verdict() (e event, bad string) {
	good := 0
	for _, p := range r.Pieces {
		switch p.Stat {
		case "":
		case statDelivered:
			good++
		case statExpired:
			return expire, p.Stat
		default:
			return fail, p.Stat
		}
	}
	if good == r.Parts {
		return deliver, ""
	}
	return "", ""
}

// unowned takes a report that no message has the id for: it settles the one
// message to this number whose answer never came, or waits for the answer that
// it overtook.
func (w *work) unowned(rep Report) error {
	to := number.Normalize(rep.To, w.g.cfg.AreaCode)
	if to == "" {
		return w.Park(rep, w.at)
	}
	r, ok, err := w.adopter(rep.Account, to)
	if err != nil {
		return err
	}
	if !ok {
		return w.Park(rep, w.at)
	}
	was := r.Status
	r.Pieces = append(slices.Clone(r.Pieces), Piece{ID: rep.ID})
	w.hear(&r, rep)
	if was == Queued && r.Status == Queued {
		return nil // it goes out again anyway
	}
	return w.save(r, was)
}

// adopter is the one message that a report without an owner must be about:
// sent perhaps, never answered, and no other to that number is being sent.
func (w *work) adopter(account, to string) (Record, bool, error) {
	sending, err := w.Records(Query{Account: account, To: to, Statuses: []Status{Submitting}, Limit: 1})
	if err != nil || len(sending) > 0 {
		return Record{}, false, err
	}
	maybe, err := w.Records(Query{
		Account: account, To: to, Statuses: []Status{Queued, Submitted, Unknown, Failed, Expired}, MaybeSent: true,
		Since: stamp.At(w.at.Add(-parkedFor)),
	})
	maybe = slices.DeleteFunc(maybe, func(r Record) bool {
		return len(r.Pieces) >= r.Parts || (r.Status == Failed || r.Status == Expired) && !r.givenUp()
	})
	if err != nil || len(maybe) != 1 {
		return Record{}, false, err
	}
	return maybe[0], true, nil
}
