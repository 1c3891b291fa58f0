package door

import (
	"context"
	"errors"

	"callbox/sms"
)

// progress is how far a pass over what there is to write has come, and what the
// database refused in it: those wait and are tried again, and hold nothing up.
type progress struct {
	after   string
	waits   map[string]*pause
	why     refusals
	visited map[string]bool // of those that wait, in this pass
}

// due says whether an item is to be tried.
func (p *progress) due(id string) bool {
	w, refused := p.waits[id]
	if !refused {
		return true
	}
	p.visited[id] = true
	return !w.on()
}

// settle notes what came of the items that were tried.
func (p *progress) settle(tried []string, no refusals) {
	if p.waits == nil {
		p.waits, p.why, p.visited = map[string]*pause{}, refusals{}, map[string]bool{}
	}
	for _, id := range tried {
		err, refused := no[id]
		if !refused {
			delete(p.waits, id)
			delete(p.why, id)
			continue
		}
		if p.waits[id] == nil {
			p.waits[id] = &pause{}
		}
		p.waits[id].next()
		p.why[id], p.visited[id] = err, true
	}
}

// advance goes on behind last, or begins the next pass where that was the end.
// What waited and was not there any more is forgotten.
func (p *progress) advance(last string, end bool) {
	if p.after = last; !end {
		return
	}
	p.after = ""
	for id := range p.waits {
		if !p.visited[id] {
			delete(p.waits, id)
			delete(p.why, id)
		}
	}
	clear(p.visited)
}

// tell writes back what became of the next page of texts. The rows say so
// before it is noted that they do: a crash between has it written twice.
func (d *Door) tell(ctx context.Context) (more bool, err error) {
	news, err := d.known.Changed(ctx, d.cfg.Name, d.told.after, pageSize)
	if err != nil {
		return false, err
	}
	var tried []string
	var changes []change
	var entries []Entry
	for _, n := range news {
		if d.told.due(n.Row) {
			c, e := n.change()
			tried, changes, entries = append(tried, n.Row), append(changes, c), append(entries, e)
		}
	}
	no, err := d.write(ctx, changes)
	if err != nil {
		return false, err
	}
	done := entries[:0]
	for _, e := range entries {
		if no[e.Row] == nil {
			done = append(done, e)
		}
	}
	if len(done) > 0 {
		if err := d.known.Written(ctx, d.cfg.Name, done); err != nil {
			return false, err
		}
	}
	d.told.settle(tried, no)
	last := ""
	if len(news) > 0 {
		last = news[len(news)-1].Row
	}
	d.told.advance(last, len(news) < pageSize)
	return d.told.after != "", d.told.why.orNil()
}

func (d *Door) write(ctx context.Context, changes []change) (refusals, error) {
	if len(changes) == 0 {
		return nil, nil
	}
	return d.db.Write(ctx, changes)
}

// change is what a row is to say, and the entry once it does.
func (n News) change() (change, Entry) {
	m, e := n.Now, n.Entry
	c := change{
		row: n.Row, status: m.Status, message: m.ID, parts: m.Parts,
		sent: m.Times[sms.Submitted].Time, delivered: m.Times[sms.Delivered].Time,
	}
	switch m.Status {
	case sms.Submitting:
		c.status = sms.Queued
	case sms.Delivered, sms.Failed, sms.Expired, sms.Canceled:
		e.Done = true
	}
	if m.Error != nil {
		c.words = plain(errors.New(m.Error.Text)).Error()
		if m.Error.Stat != "" {
			c.words = cut(m.Error.Stat+": "+c.words, longestWords)
		}
	}
	e.Written = c.status
	return c, e
}

// hear makes rows of the inbox table of the next page of incoming texts.
func (d *Door) hear(ctx context.Context) (more bool, err error) {
	waiting, err := d.inbox.Waiting(ctx, d.cfg.Name, d.heard.after, pageSize)
	if err != nil {
		return false, err
	}
	var tried []string
	var texts []sms.Incoming
	for _, in := range waiting {
		if d.heard.due(in.ID) {
			tried, texts = append(tried, in.ID), append(texts, in)
		}
	}
	var no refusals
	if len(texts) > 0 {
		if no, err = d.db.Insert(ctx, texts); err != nil {
			return false, err
		}
	}
	var done []string
	for _, id := range tried {
		if no[id] == nil {
			done = append(done, id)
		}
	}
	if len(done) > 0 {
		if err := d.inbox.Replied(ctx, d.cfg.Name, done); err != nil {
			return false, err
		}
	}
	d.heard.settle(tried, no)
	last := ""
	if len(waiting) > 0 {
		last = waiting[len(waiting)-1].ID
	}
	d.heard.advance(last, len(waiting) < pageSize)
	return d.heard.after != "", d.heard.why.orNil()
}
