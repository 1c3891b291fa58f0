package sms

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
)

// Claimed says who works on an inbox row.
type Claimed struct{ By string }

func (c *Claimed) Error() string { return "claimed by " + c.By }

// ErrNoJob: the job that a text is said to answer does not exist.
var ErrNoJob = errors.New("there is no such job")

// Answering is somebody's answer to an inbox row.
type Answering struct {
	Row    string // its id
	Text   string
	By     string // who claims the row by it, if nobody has
	Yield  bool   // to whoever has claimed the row
	Signer string // as in [Request]
	Limits Limits
}

// Claim makes an inbox row somebody's and gives it as it then is. Errors:
// [ErrNotFound]; [*Claimed] where it is another's.
func (g *Gateway) Claim(ctx context.Context, id, by string) (Incoming, error) {
	return g.onRow(ctx, "claim incoming text", id, func(w *work, in *Incoming) (bool, error) {
		if in.ClaimedBy != "" && in.ClaimedBy != by {
			return false, &Claimed{in.ClaimedBy}
		}
		return in.claim(by, w), nil
	})
}

// claim makes in somebody's unless it is; false where it was.
func (in *Incoming) claim(by string, w *work) bool {
	if in.ClaimedBy != "" {
		return false
	}
	in.ClaimedBy, in.Claimed = by, &w.at
	return true
}

// Match says that an inbox row answers a job, as if it had been found so when it
// came, and gives the row as it then is. The same again changes nothing. Errors:
// [ErrNotFound], [ErrNoJob].
func (g *Gateway) Match(ctx context.Context, id, job string) (Incoming, error) {
	return g.onRow(ctx, "match incoming text", id, func(w *work, in *Incoming) (bool, error) {
		if in.Job == job && in.Match == byHand {
			return false, nil
		}
		c, err := w.MessageOf(job, in.From)
		if errors.Is(err, ErrNotFound) {
			return false, fmt.Errorf("job %q: %w", job, ErrNoJob)
		}
		if err != nil {
			return false, err
		}
		in.Job, in.Ref, in.Match, in.Keyword = c.Job, c.Ref, byHand, keyword(in.Text, &c)
		return true, errors.Join(w.AnnounceIncoming(*in, &c), w.heard(*in, &c))
	})
}

// onRow runs f on an inbox row and stores and tells what f says it changed.
func (g *Gateway) onRow(ctx context.Context, what, id string, f func(*work, *Incoming) (changed bool, err error)) (Incoming, error) {
	var in Incoming
	err := g.update(ctx, what, func(w *work) (err error) {
		if in, err = w.InboxRow(id); err != nil {
			return err
		}
		changed, err := f(w, &in)
		if err != nil || !changed {
			return err
		}
		told := in
		w.news.add(Note{Type: NoteInbox, Incoming: &told})
		return w.SaveIncoming(in)
	})
	return in, err
}

// Answer sends a text to the sender of an inbox row, from the account at which
// it came in and with its ref. The same answer again is the same job, and
// created false. Errors: [ErrNotFound], [*Claimed], those of [Gateway.Accept].
func (g *Gateway) Answer(ctx context.Context, a Answering) (job Job, created bool, err error) {
	in, err := g.onRow(ctx, "read incoming text", a.Row, func(_ *work, in *Incoming) (bool, error) {
		if a.Yield && in.ClaimedBy != "" && in.ClaimedBy != a.By {
			return false, &Claimed{in.ClaimedBy}
		}
		return false, nil
	})
	if err != nil {
		return Job{}, false, err
	}
	if in.From == "" {
		return Job{}, false, Invalid{{Field: "from", Err: fmt.Errorf("%q is no number a text can be sent to", in.Raw)}}
	}
	req := Request{
		To: []string{in.From}, Text: a.Text, Ref: in.Ref, Class: ClassDispatch, Signer: a.Signer, Limits: a.Limits,
	}
	if g.lane(in.Account) != nil { // else it is gone
		req.Account = in.Account
	}
	req.Key = answerKey(a.Row, req)
	if job, created, err = g.Accept(ctx, req); err != nil {
		return Job{}, false, err
	}
	_, err = g.onRow(ctx, "note answer", a.Row, func(w *work, in *Incoming) (bool, error) {
		claimed := a.By != "" && in.claim(a.By, w)
		changed := claimed || in.Answer != job.ID
		in.Answer = job.ID
		return changed, nil
	})
	return job, created, err
}

// answerKey makes an answer that was asked for twice one job.
func answerKey(row string, r Request) string {
	sum := sha256.Sum256([]byte(r.Text + "\x00" + r.Ref + "\x00" + r.Account))
	return "answer " + row + " " + hex.EncodeToString(sum[:8])
}
