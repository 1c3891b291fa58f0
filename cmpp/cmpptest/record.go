package cmpptest

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/text/encoding/simplifiedchinese"

	"callbox/cmpp"
)

// Submit is one complete text to one number, as a phone would show it.
type Submit struct {
	Time       time.Time    `json:"time"`
	SPID       string       `json:"sp_id"`
	From       string       `json:"from"` // Src_Id
	To         string       `json:"to"`
	Text       string       `json:"text"`
	Parts      int          `json:"parts"`
	IDs        []cmpp.MsgID `json:"ids"` // of the parts, in order
	Connection int          `json:"connection"`
}

// Segment is one accepted SUBMIT as it came.
type Segment struct {
	Time       time.Time
	Connection int // counted from 1
	Sequence   uint32
	ID         cmpp.MsgID
	PDU        *cmpp.Submit
}

// record remembers what was submitted and joins long texts.
type record struct {
	keep     int
	texts    []Submit
	segments []Segment
	halves   map[joint]*half
	changed  chan struct{} // closed at the next text, when somebody waits
}

// joint is what the parts of one long text have in common.
type joint struct {
	from, to string
	ref      uint16
	total    uint8
}

type half struct {
	parts []string
	ids   []cmpp.MsgID
	have  int
}

func (r *record) init(keep int) {
	r.keep, r.halves = keep, map[joint]*half{}
}

// add remembers a SUBMIT and gives the texts that it completed.
func (r *record) add(s *session, sequence uint32, p *cmpp.Submit, id cmpp.MsgID, at time.Time) []Submit {
	r.segments = trim(append(r.segments, Segment{at, s.number, sequence, id, p}), r.keep)
	var done []Submit
	for i, to := range p.DestTerminalID {
		t := Submit{Time: at, SPID: s.spID, From: p.SrcID, To: to, Connection: s.number}
		if r.join(&t, p, id.Plus(i)) {
			done = append(done, t)
		}
	}
	if len(done) == 0 {
		return nil
	}
	r.texts = trim(append(r.texts, done...), r.keep)
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
	return done
}

// join fills in the text and tells whether it is complete.
func (r *record) join(t *Submit, p *cmpp.Submit, id cmpp.MsgID) bool {
	content, h := p.MsgContent, cmpp.Concat{}
	if p.HasUDH() {
		h, content, _ = cmpp.ParseUDH(content)
	}
	text := decode(p.MsgFmt, content)
	if h.Total <= 1 {
		t.Text, t.Parts, t.IDs = text, 1, []cmpp.MsgID{id}
		return true
	}
	key := joint{t.From, t.To, h.Ref, h.Total}
	long := r.halves[key]
	if long == nil {
		long = &half{parts: make([]string, h.Total), ids: make([]cmpp.MsgID, h.Total)}
		r.halves[key] = long
	}
	return r.part(t, key, h.Number, text, id)
}

func (r *record) part(t *Submit, key joint, number uint8, text string, id cmpp.MsgID) bool {
	long := r.halves[key]
	if long.ids[number-1] == 0 {
		long.have++
	}
	long.parts[number-1], long.ids[number-1] = text, id
	if long.have < len(long.parts) {
		return false
	}
	delete(r.halves, key)
	for _, part := range long.parts {
		t.Text += part
	}
	t.Parts, t.IDs = len(long.parts), long.ids
	return true
}

func decode(f cmpp.Format, content []byte) string {
	if f.Alphabet() == cmpp.GBK {
		text, _ := simplifiedchinese.GBK.NewDecoder().Bytes(content)
		return string(text)
	}
	text, err := cmpp.DecodeText(f, content)
	if err != nil {
		return fmt.Sprintf("%x", content)
	}
	return text
}

// trim forgets the oldest half of twice what is to be kept.
func trim[T any](list []T, keep int) []T {
	if len(list) <= 2*keep {
		return list
	}
	return append(make([]T, 0, 2*keep), list[len(list)-keep:]...)
}

// Submits gives the complete texts that were accepted, oldest first.
func (c *Centre) Submits() []Submit {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Submit(nil), c.record.texts...)
}

// Segments gives the SUBMITs that were accepted, oldest first.
func (c *Centre) Segments() []Segment {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Segment(nil), c.record.segments...)
}

// WaitSubmits waits for n complete texts and gives all that are there.
func (c *Centre) WaitSubmits(ctx context.Context, n int) ([]Submit, error) {
	for {
		have, changed := c.watchTexts()
		if have >= n {
			return c.Submits(), nil
		}
		select {
		case <-ctx.Done():
			return c.Submits(), fmt.Errorf("%d of %d texts came: %w", have, n, context.Cause(ctx))
		case <-changed:
		}
	}
}

func (c *Centre) watchTexts() (int, <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.record.changed == nil {
		c.record.changed = make(chan struct{})
	}
	return len(c.record.texts), c.record.changed
}
