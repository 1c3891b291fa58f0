package sms

import (
	"context"
	"encoding/hex"
	"errors"
	"slices"

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
		if !r.hear(rep.ID, rep.Stat, w.at) {
			return nil
		}
		return w.save(r, was)
	})
}

// reported finds the message of a report, also where the centre turned the id
// round; rep then has the id as the message knows it.
func (w *work) reported(rep *Report) (Record, error) {
	r, err := w.OfPart(rep.Account, rep.ID)
	if !errors.Is(err, ErrNotFound) {
		return r, err
	}
	turned, ok := turn(rep.ID)
	if !ok {
		return Record{}, err
	}
	r, err = w.OfPart(rep.Account, turned)
	if err == nil {
		w.g.turned.Add(1)
		rep.ID = turned
	}
	return r, err
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

// hear notes what was said of a part and draws the conclusion for the whole:
// delivered when all parts are, bad when one is. False: nothing new.
func (r *Record) hear(id, stat string, at stamp.Time) bool {
	i := slices.IndexFunc(r.Pieces, func(p Piece) bool { return sameID(p.ID, id) })
	if i < 0 || r.Pieces[i].Stat != "" {
		return false
	}
	r.Pieces = slices.Clone(r.Pieces)
	r.Pieces[i].Stat = stat
	e, bad := r.verdict()
	to, ok := r.Status.next(e)
	if !ok {
		return true
	}
	r.arrive(to, at)
	r.Error = nil
	if bad != "" {
		r.Error = &Error{Stat: bad, Text: statText(bad)}
	}
	return true
}

func sameID(a, b string) bool {
	turned, ok := turn(b)
	return a == b || ok && a == turned
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

var statTexts = map[string]string{
	statExpired: "validity ran out: the phone was off or out of reach",
	"DELETED":   "deleted at the centre",
	"UNDELIV":   "cannot be delivered: barred, suspended or no such number",
	"UNKNOWN":   "the centre does not know its state",
	"REJECTD":   "refused by the centre",
}

// statClasses are the elements that answer for a Stat of the form XX:code.
var statClasses = map[string]string{
	"MA": "no answer from the message centre", "MB": "error at the message centre", "MC": "no report from the message centre",
	"CA": "no answer from the prepaid system", "CB": "error at the prepaid system",
	"DA": "no answer from service management", "DB": "error at service management",
	"SA": "no answer from the service provider", "SB": "error at the service provider",
	"IA": "no answer from the next gateway", "IB": "error at the next gateway", "IC": "no report from the next gateway",
}

func statText(stat string) string {
	if text, ok := statTexts[stat]; ok {
		return text
	}
	if len(stat) > 3 && stat[2] == ':' {
		if text, ok := statClasses[stat[:2]]; ok {
			return text
		}
	}
	return "not delivered"
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
	r.hear(rep.ID, rep.Stat, w.at)
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
		Account: account, To: to, Statuses: []Status{Queued, Submitted, Unknown}, MaybeSent: true,
		Since: stamp.At(w.at.Add(-parkedFor)),
	})
	maybe = slices.DeleteFunc(maybe, func(r Record) bool { return len(r.Pieces) >= r.Parts })
	if err != nil || len(maybe) != 1 {
		return Record{}, false, err
	}
	return maybe[0], true, nil
}
