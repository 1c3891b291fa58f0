package sms

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"callbox/internal/stamp"
)

// How a job was acknowledged.
const (
	AckReply = "reply"
	AckLink  = "link"
	AckAPI   = "api"
	AckVoice = "voice"
)

// Limits of acknowledgements.
const (
	maxBy      = 128
	MaxRemark  = 500                 // characters
	minSure    = byLatest            // of a reply that acknowledges
	pressAgain = time.Minute         // the same button within it is one press
	LinkLife   = 30 * 24 * time.Hour // of a link, from when its text was queued
)

// Words of the buttons behind a link.
const (
	WordTaken   = "接单"
	WordArrived = "到达"
	WordDone    = "完成"
	WordLeft    = "遗留原因" // asks for a remark
)

var words = []string{WordTaken, WordArrived, WordDone, WordLeft}

// Press is a button pressed behind a link, with what was written beside it.
type Press struct {
	Word   string
	Remark string
}

// Link is what the recipient of a text sees behind its link.
type Link struct {
	Message Message
	Ack     *Ack
	Answers []Incoming // to the job so far, oldest first
}

// Acknowledge says that somebody took a job on, so that its notice climbs no
// further, and gives the job as it then is. The first acknowledgement stays.
// Errors: [Invalid], [ErrNotFound].
func (g *Gateway) Acknowledge(ctx context.Context, job, how, by string) (Job, error) {
	if by == "" || len(by) > maxBy || !clean(by) {
		return Job{}, Invalid{{Field: "by", Err: errors.New("is missing, too long or not plain text")}}
	}
	var acked Job
	err := g.update(ctx, "acknowledge job", func(w *work) (err error) {
		if err := w.acknowledge(job, Ack{How: how, By: by, Time: w.at}, true); err != nil {
			return err
		}
		acked, err = w.Job(job)
		return err
	})
	return acked, err
}

// Press takes a button pressed behind the link with this token: an inbox row
// from the text's recipient, and an acknowledgement. The same press within a
// minute changes nothing. Errors: [Invalid], [ErrNotFound] for a token that is
// unknown or too old.
func (g *Gateway) Press(ctx context.Context, token string, p Press) error {
	p.Remark = strings.TrimSpace(p.Remark)
	if err := p.check(); err != nil {
		return err
	}
	return g.update(ctx, "press behind a link", func(w *work) error {
		r, err := w.OfToken(token, stamp.At(w.at.Add(-LinkLife)))
		if err != nil {
			return err
		}
		in := Incoming{
			ID: newID(), Time: w.at, From: r.To, Raw: r.Raw, Text: firstOf(p.Remark, p.Word),
			Account: r.Account, Ref: r.Ref, Job: r.Job, Match: 1, Keyword: p.Word,
		}
		if doubled, err := w.SameAnswer(in, stamp.At(w.at.Add(-pressAgain))); err != nil || doubled {
			return err
		}
		c, err := w.MessageOf(r.Job, r.To)
		if err := errors.Join(err, w.AddIncoming(in), w.AnnounceIncoming(in, &c)); err != nil {
			return err
		}
		w.news.add(Note{Type: NoteReceived, Incoming: &in})
		return w.acknowledge(r.Job, Ack{How: AckLink, By: r.To, Time: w.at}, true)
	})
}

func (p Press) check() error {
	var faults Invalid
	switch {
	case !slices.Contains(words, p.Word):
		faults.add("word", "%q is on no button", p.Word)
	case p.Word == WordLeft && p.Remark == "":
		faults.add("remark", "is missing")
	case utf8.RuneCountInString(p.Remark) > MaxRemark || !clean(p.Remark):
		faults.add("remark", "is longer than %d characters, or not plain text", MaxRemark)
	}
	return faults.orNil()
}

// acknowledge notes who acknowledged a job first, stops its notice and, where
// the job asked for it, tells of it once.
func (w *work) acknowledge(job string, a Ack, asked bool) error {
	s, err := w.Standing(job)
	if err != nil || s.Ack != nil {
		return err
	}
	if err := w.SaveAck(job, a); err != nil {
		return err
	}
	if s.Fault != nil || s.Notice == nil && !asked {
		return nil // of a job that cannot be read nothing can be told
	}
	w.news.add(Note{Type: NoteAck, Notice: &News{Job: job, Ref: s.Ref, Ack: &a}})
	if s.Notice != nil {
		if err := w.stop(s); err != nil {
			return err
		}
	}
	return w.AnnounceAck(job)
}

// ackBy acknowledges the job that an incoming text answers, where that is sure
// enough: not where somebody else than its recipients quotes its ref, unless a
// person says that it does. A reply to a job that neither climbs, repeats nor has a link is told
// as a reply only.
func (w *work) ackBy(in Incoming) error {
	if in.Job == "" || in.Match < minSure {
		return nil
	}
	got, err := w.Records(Query{Job: in.Job, Limit: 1})
	if err != nil {
		return err
	}
	linked := len(got) > 0 && got[0].Token != ""
	return w.acknowledge(in.Job, Ack{How: AckReply, By: in.From, Time: w.at}, linked)
}

// linkPath is what stands before a link's token.
const linkPath = "/a/"

const (
	base62   = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
	tokenLen = 12 // 71 bits
)

// newToken is what nobody guesses.
func newToken() string {
	token, b := make([]byte, 0, tokenLen), make([]byte, 2*tokenLen)
	for len(token) < tokenLen {
		_, _ = rand.Read(b) // which never fails
		for _, v := range b {
			// 248 is 4 × 62: each character is as likely as the others.
			if v < 248 && len(token) < tokenLen {
				token = append(token, base62[v%62])
			}
		}
	}
	return string(token)
}

// blankLink is the link that stands in a text until each message gets its own.
func (g *Gateway) blankLink() string { return g.cfg.LinkBase + linkPath + g.blank }

// errNoLinks refuses {ack}.
var errNoLinks = errors.New("the box has no address for links")

// withLink puts a link where a text that is no template asks for one.
func (g *Gateway) withLink(text string, faults *Invalid) string {
	const variable = "{" + ackLink + "}"
	if !strings.Contains(text, variable) {
		return text
	}
	if g.cfg.LinkBase == "" {
		faults.add("text", "%s: %w", variable, errNoLinks)
		return text
	}
	return strings.ReplaceAll(text, variable, g.blankLink())
}

// linked puts a token of its own into a text with a link; empty: it has none.
func (g *Gateway) linked(text string) (own, token string) {
	if !strings.Contains(text, g.blank) {
		return text, ""
	}
	token = newToken()
	return strings.ReplaceAll(text, g.blank, token), token
}
