package cmpptest

import (
	"context"
	"fmt"
	"hash/maphash"
	"maps"
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
	IDs        []cmpp.MsgID `json:"ids"`              // of the parts, in order
	Stats      []cmpp.Stat  `json:"stats,omitempty"`  // what their reports say, or will say; none without reports
	Repeat     bool         `json:"repeat,omitempty"` // the same words came to this number before
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

const (
	maxSegments = 10_000 // remembered
	maxHalves   = 10_000 // long texts that still lack parts
	halfLife    = time.Minute
	maxWords    = 1 << 19 // texts known to have come, in each of two generations
)

// record remembers what was submitted and joins long texts.
type record struct {
	keep     int
	texts    []Submit
	segments []Segment
	halves   map[joint]*half
	words    memory
	changed  chan struct{} // closed at the next text, when somebody waits
}

// joint is what the parts of one long text have in common.
type joint struct {
	from, to string
	ref      uint16
	total    uint8
}

type half struct {
	began time.Time
	parts []string
	ids   []cmpp.MsgID
	stats []cmpp.Stat
	have  int
}

// memory knows by their hashes which texts came, some half to one million of
// the latest.
type memory struct {
	seed       maphash.Seed
	limit      int // of each generation
	young, old map[uint64]struct{}
}

// repeats tells whether the words came to the number before, and remembers
// them.
func (m *memory) repeats(to, text string) bool {
	var h maphash.Hash
	h.SetSeed(m.seed)
	_, _ = h.WriteString(to)
	_ = h.WriteByte(0)
	_, _ = h.WriteString(text)
	sum := h.Sum64()
	_, young := m.young[sum]
	_, old := m.old[sum]
	if young {
		return true
	}
	if len(m.young) >= m.limit {
		m.old, m.young = m.young, map[uint64]struct{}{}
	}
	m.young[sum] = struct{}{}
	return old
}

func (r *record) init(keep int) {
	*r = record{
		keep: max(0, keep), halves: map[joint]*half{}, changed: r.changed,
		words: memory{seed: maphash.MakeSeed(), limit: maxWords, young: map[uint64]struct{}{}},
	}
}

// keep remembers an accepted SUBMIT and gives the texts that it completed. The
// caller holds the lock.
func (c *Centre) keep(s *session, sequence uint32, p *cmpp.Submit, id cmpp.MsgID, fates []fate) []Submit {
	now := c.cfg.Now()
	done := c.record.add(Segment{now, s.number, sequence, id, p}, s.spID, fates)
	c.stats.Accepted++
	c.stats.Numbers += len(p.DestTerminalID)
	c.stats.Texts += len(done)
	for _, t := range done {
		if t.Repeat {
			c.stats.Repeats++
		}
	}
	return done
}

// add remembers a SUBMIT and gives the texts that it completed.
func (r *record) add(g Segment, spID string, fates []fate) []Submit {
	r.segments = keep(r.segments, min(r.keep, maxSegments), g)
	var done []Submit
	for i, to := range g.PDU.DestTerminalID {
		t := Submit{Time: g.Time, SPID: spID, From: g.PDU.SrcID, To: to, Connection: g.Connection}
		var stat []cmpp.Stat
		if fates != nil {
			stat = []cmpp.Stat{fates[i].stat}
		}
		if r.join(&t, g.PDU, g.ID.Plus(i), stat) {
			t.Repeat = r.words.repeats(t.To, t.Text)
			done = append(done, t)
		}
	}
	if len(done) == 0 {
		return nil
	}
	r.texts = keep(r.texts, r.keep, done...)
	if r.changed != nil {
		close(r.changed)
		r.changed = nil
	}
	return done
}

// join fills in the text and tells whether it is complete.
func (r *record) join(t *Submit, p *cmpp.Submit, id cmpp.MsgID, stat []cmpp.Stat) bool {
	content, h := p.MsgContent, cmpp.Concat{}
	if p.HasUDH() {
		h, content, _ = cmpp.ParseUDH(content)
	}
	text := decode(p.MsgFmt, content)
	if h.Total <= 1 {
		t.Text, t.Parts, t.IDs, t.Stats = text, 1, []cmpp.MsgID{id}, stat
		return true
	}
	key := joint{t.From, t.To, h.Ref, h.Total}
	long := r.halves[key]
	if long == nil {
		r.forget(t.Time)
		long = &half{began: t.Time, parts: make([]string, h.Total), ids: make([]cmpp.MsgID, h.Total)}
		r.halves[key] = long
	}
	if stat != nil && long.stats == nil {
		long.stats = make([]cmpp.Stat, h.Total)
	}
	if stat != nil {
		long.stats[h.Number-1] = stat[0]
	}
	return r.part(t, key, h.Number, text, id)
}

// forget makes room for another long text when there are very many that will
// hardly be finished.
func (r *record) forget(now time.Time) {
	if len(r.halves) < maxHalves {
		return
	}
	maps.DeleteFunc(r.halves, func(_ joint, h *half) bool { return now.Sub(h.began) > halfLife })
	if len(r.halves) >= maxHalves {
		clear(r.halves)
	}
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
	t.Parts, t.IDs, t.Stats = len(long.parts), long.ids, long.stats
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

// keep puts items behind a list and forgets the oldest half of twice what is
// to be kept.
func keep[T any](list []T, n int, items ...T) []T {
	if n == 0 {
		return nil
	}
	if list = append(list, items...); len(list) <= 2*n {
		return list
	}
	return append(make([]T, 0, 2*n), list[len(list)-n:]...)
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

// WaitSubmits waits until n complete texts have come in all, and gives those
// that are remembered.
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
	return c.stats.Texts, c.record.changed
}
