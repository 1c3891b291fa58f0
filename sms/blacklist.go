package sms

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"callbox/internal/number"
	"callbox/internal/stamp"
)

// Kinds of a [Listing].
const (
	ListBlocked      = "blocked"      // by the desk: no text of any class
	ListUnsubscribed = "unsubscribed" // by its owner: no marketing
)

const (
	maxListed = 200_000
	maxWhy    = 200
)

// Listing is a number on the blacklist.
type Listing struct {
	Number string     `json:"number"` // E.164
	Kind   string     `json:"kind"`   // blocked when empty
	Why    string     `json:"why"`
	Time   stamp.Time `json:"time"` // since when
}

// words are why a text to the number does not go.
func (l Listing) words() string {
	words := "the number is on the blacklist"
	if l.Kind == ListUnsubscribed {
		words = "the number has unsubscribed"
	}
	if l.Why != "" {
		words += ": " + l.Why
	}
	return words
}

// Blacklist is the whole list, by number.
func (g *Gateway) Blacklist(ctx context.Context) (list []Listing, err error) {
	err = g.store.Update(ctx, "read blacklist", func(tx Tx) error {
		list, err = tx.Blacklist()
		return err
	})
	return list, err
}

// SetBlacklist makes list, whose numbers may be in any form, the whole list,
// cancels the marketing that waits for a number on it, and gives it as it is
// kept. Error: [Invalid] naming items[i], nothing changed.
func (g *Gateway) SetBlacklist(ctx context.Context, list []Listing) ([]Listing, error) {
	list, err := g.normalized(list)
	if err != nil {
		return nil, err
	}
	var kept []Listing
	g.book.listed.Store(true)
	err = g.update(ctx, "change blacklist", func(w *work) error {
		if err := w.SaveBlacklist(w.dated(list)); err != nil {
			return err
		}
		if err := w.dropListed(Query{Listed: true}); err != nil {
			return err
		}
		kept, err = w.Blacklist()
		return err
	})
	return kept, err
}

// normalized is list with its numbers in E.164, each once; a number that is
// there twice is blocked where one of them says so.
func (g *Gateway) normalized(list []Listing) ([]Listing, error) {
	var faults Invalid
	if len(list) > maxListed {
		faults.add("items", "%d numbers, the limit is %d", len(list), maxListed)
		return nil, faults
	}
	at := map[string]int{}
	out := make([]Listing, 0, len(list))
	for i, l := range list {
		e164 := number.Normalize(l.Number, g.cfg.AreaCode)
		if e164 == "" {
			faults.add(fmt.Sprintf("items[%d]", i), "%q is no number a text can be sent to", l.Number)
		}
		l.Number, l.Kind = e164, firstOf(l.Kind, ListBlocked)
		if l.Kind != ListBlocked && l.Kind != ListUnsubscribed {
			faults.add(item(i, "kind"), "%q is neither blocked nor unsubscribed", l.Kind)
		}
		if Units(l.Why) > maxWhy || !clean(l.Why) {
			faults.add(item(i, "why"), "is longer than %d characters, or not plain text", maxWhy)
		}
		if j, again := at[e164]; !again {
			at[e164] = len(out)
			out = append(out, l)
		} else if l.Kind == ListBlocked && out[j].Kind != ListBlocked {
			out[j] = l
		}
	}
	return out, faults.orNil()
}

// dated is list with now where it says no time.
func (w *work) dated(list []Listing) []Listing {
	out := make([]Listing, len(list))
	for i, l := range list {
		if l.Time.IsZero() {
			l.Time = w.at
		}
		out[i] = l
	}
	return out
}

// dropListed cancels the marketing that q finds waiting for listed numbers.
func (w *work) dropListed(q Query) error {
	q.Class, q.Statuses = ClassMarketing, []Status{Scheduled, Queued}
	waiting, err := w.Records(q)
	if err != nil || len(waiting) == 0 {
		return err
	}
	numbers := make([]string, len(waiting))
	for i, r := range waiting {
		numbers[i] = r.To
	}
	listed, err := w.Listed(numbers)
	if err != nil {
		return err
	}
	for _, r := range waiting {
		r.Error = &Error{Text: listed[r.To].words()}
		if err := w.move(r, cancel); err != nil {
			return err
		}
	}
	return nil
}

// blocked is the fault of a text that is no marketing, to a number that gets
// none at all.
type blocked struct{ Listing }

func (b *blocked) Error() string { return b.words() }

// refuseListed looks at the blacklist: marketing to a number on it is stored
// as canceled; a number that is blocked to other classes is a fault.
func (w *work) refuseListed(p *plan) error {
	if !w.g.book.listed.Load() {
		return nil
	}
	numbers := make([]string, len(p.Records))
	for i, r := range p.Records {
		numbers[i] = r.To
	}
	listed, err := w.Listed(numbers)
	if err != nil || len(listed) == 0 {
		return err
	}
	var faults Invalid
	for i := range p.Records {
		r := &p.Records[i]
		l, on := listed[r.To]
		switch {
		case !on:
		case p.Class == ClassMarketing:
			r.Error = &Error{Text: l.words()}
			r.Status, r.Times = Canceled, map[Status]stamp.Time{Canceled: w.at}
		case l.Kind == ListBlocked:
			faults.add(p.fields[i], "%w", &blocked{l})
		}
	}
	return faults.orNil()
}

// maxAlarms is how many blocked numbers of one request are named in the log.
const maxAlarms = 10

// alarmBlocked tells of texts that somebody waits for and that do not go.
func (g *Gateway) alarmBlocked(ref string, err error) {
	var faults Invalid
	if !errors.As(err, &faults) {
		return
	}
	n := 0
	for _, f := range faults {
		var b *blocked
		if errors.As(f, &b) {
			if n++; n <= maxAlarms {
				g.log.Error("a text to a blocked number was refused", "number", number.Masked(b.Number), "ref", ref, "why", b.Why)
			}
		}
	}
	if n > maxAlarms {
		g.log.Error("texts to blocked numbers were refused", "ref", ref, "count", n)
	}
}

// unsubscribing are the texts that end marketing, as TD for 退订 and QX for
// 取消; in lower case.
var unsubscribing = map[string]bool{
	"t": true, "td": true, "qx": true, "退订": true, "取消订阅": true, "unsubscribe": true, "stop": true,
}

// unsubscribes says whether a text is nothing but the wish for no more
// marketing, in any width or case.
func unsubscribes(text string) bool {
	return unsubscribing[strings.TrimFunc(plain(text), skipped)]
}

// unsubscribe puts the sender of a text that says nothing else on the
// blacklist and cancels the marketing that waits for him. Such a text answers
// no job, unless found, the one that it was matched with, offers just that word
// as an answer; what it answers is given back.
func (w *work) unsubscribe(in *Incoming, found *Candidate) (*Candidate, error) {
	if in.From == "" || !unsubscribes(in.Text) || in.Keyword != "" {
		return found, nil
	}
	in.Job, in.Ref, in.Match, in.Keyword = "", "", 0, "unsubscribe"
	w.g.book.listed.Store(true)
	l := Listing{Number: in.From, Kind: ListUnsubscribed, Why: "by text", Time: w.at}
	if err := w.AddListing(l); err != nil {
		return nil, err
	}
	return nil, w.dropListed(Query{To: in.From})
}
