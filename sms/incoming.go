package sms

import (
	"context"
	"errors"
	"strings"
	"time"

	"callbox/internal/number"
	"callbox/internal/stamp"
)

// answerable is how long a text may be answered.
const answerable = 72 * time.Hour

// gap stands for a part of a long text that never came.
const gap = "…"

// Incoming takes an incoming text, or a part of one. One seen before changes
// nothing. nil means that it is on disk.
func (g *Gateway) Incoming(ctx context.Context, t Text) error {
	return g.update(ctx, "incoming text", func(w *work) error {
		seen, err := w.Seen(t, w.at)
		if err != nil || seen {
			return err
		}
		if t.Part.Total < 2 || t.Part.Index < 1 || t.Part.Index > t.Part.Total {
			return w.receive(t, false)
		}
		parts, err := w.AddPart(t, w.at, stamp.At(w.at.Add(-g.account(t.Account).LongWait)))
		if err != nil || len(parts) < int(t.Part.Total) {
			return err
		}
		return w.join(parts)
	})
}

// join makes one text of the parts there are, by index.
func (w *work) join(parts []Text) error {
	if len(parts) == 0 {
		return nil
	}
	if err := w.FinishParts(parts[0], w.at); err != nil {
		return err
	}
	whole := parts[0]
	whole.Text, whole.Alphabet = assemble(parts), ""
	return w.receive(whole, len(parts) < int(whole.Part.Total))
}

// assemble decodes what follows on another in the same alphabet as one.
func assemble(parts []Text) string {
	var b strings.Builder
	run := Text{}
	want := uint8(1)
	for _, p := range parts {
		follows := p.Part.Index == want
		if !follows || p.Alphabet != run.Alphabet {
			b.WriteString(run.text())
			run = Text{Alphabet: p.Alphabet}
		}
		if !follows {
			b.WriteString(gap)
		}
		run.Text += p.Text
		run.Octets += p.Octets
		want = p.Part.Index + 1
	}
	b.WriteString(run.text())
	if last := parts[len(parts)-1].Part; last.Index < last.Total {
		b.WriteString(gap)
	}
	return b.String()
}

// text is what t says.
func (t Text) text() string {
	if t.Alphabet != "" {
		return t.Alphabet.Decode(t.Octets)
	}
	return strings.ToValidUTF8(t.Text, "\ufffd")
}

// receive puts a whole text into the inbox, with the job it answers.
func (w *work) receive(t Text, incomplete bool) error {
	in := Incoming{
		ID: newID(), Time: w.at, From: number.Normalize(t.From, w.g.cfg.AreaCode), Raw: t.From,
		To: t.To, Text: t.text(), Account: t.Account, Incomplete: incomplete,
	}
	found, err := w.answered(&in)
	if err != nil {
		return err
	}
	if found, err = w.unsubscribe(&in, found); err != nil {
		return err
	}
	if err := errors.Join(w.AddIncoming(in), w.AnnounceIncoming(in, found)); err != nil {
		return err
	}
	w.news.add(Note{Type: NoteReceived, Incoming: &in})
	return w.heard(in, found)
}

// heard is what follows from a text beside its inbox row, whether it was
// matched by itself or by a person; found is nil where it answers no job.
func (w *work) heard(in Incoming, found *Candidate) error {
	return w.ackBy(in)
}

// answered finds what in answers and says so in it.
func (w *work) answered(in *Incoming) (*Candidate, error) {
	if in.From == "" {
		return nil, nil
	}
	since := stamp.At(w.at.Add(-answerable))
	all, err := w.Recent(in.From, since)
	if err != nil {
		return nil, err
	}
	r := reply{
		text:      in.Text,
		account:   in.Account,
		extension: strings.TrimPrefix(in.To, w.g.account(in.Account).SrcID),
	}
	m := match(r, all)
	if ref := named(in.Text); m.candidate == nil && ref != "" {
		others, err := w.Quoted(spellings(ref), since)
		if err != nil {
			return nil, err
		}
		m = elsewhere(r, others)
	}
	if m.candidate == nil {
		return nil, nil
	}
	in.Job, in.Ref, in.Match, in.Keyword = m.candidate.Job, m.candidate.Ref, m.sure, m.keyword
	return m.candidate, nil
}

// spellings are the ways in which a ref may have been written.
func spellings(ref string) []string { return []string{ref, strings.ToUpper(ref), strings.ToLower(ref)} }

// elsewhere is the job that a reply names, which went to other numbers.
func elsewhere(r reply, others []Candidate) found {
	if sent := arrived(r, others); len(sent) > 0 {
		return found{&sent[0], byStranger, keyword(r.text, &sent[0])}
	}
	return found{}
}
