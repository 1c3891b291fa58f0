package cmpptest

import (
	"fmt"
	"time"

	"callbox/cmpp"
	"callbox/internal/segment"
)

// MO is a text from a phone to an access number, and how its parts come.
type MO struct {
	From string `json:"from"`
	To   string `json:"to"` // access number with extension digits
	Text string `json:"text"`

	Alphabet segment.Alphabet `json:"alphabet"` // auto (also when empty), gbk or ucs2
	RefBits  int              `json:"ref_bits"` // of the reference that joins the parts: 8 (also for 0) or 16
	Format   *cmpp.Format     `json:"format"`   // Msg_Fmt that is written instead of the true one
	// Order names the parts, from 1, in the order in which they come. One that
	// is named twice comes twice under one Msg_Id; one that is not named never
	// comes. Empty: all of them, in order.
	Order      []int   `json:"order"`
	Shuffle    bool    `json:"shuffle"`    // the parts come in any order
	Double     bool    `json:"double"`     // each comes twice
	Every      Seconds `json:"every"`      // between two parts
	Connection int     `json:"connection"` // over this one alone; 0: over all in turn
}

// Inject has a text come in from a phone to an access number; a long one comes
// in parts. It waits until a client is there to take it.
func (c *Centre) Inject(from, to, text string) error {
	return c.InjectMO(MO{From: from, To: to, Text: text})
}

// InjectMO is Inject for texts that come in a way of their own.
func (c *Centre) InjectMO(m MO) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	format, segments, err := c.encode(m)
	if err != nil {
		return fmt.Errorf("text from %s: %w", m.From, err)
	}
	parts := make([]*delivery, len(segments))
	for i, segment := range segments {
		parts[i] = &delivery{id: c.nextID(1), from: m.From, to: m.To, format: format, segment: segment, over: m.Connection}
	}
	order, err := c.order(m, len(parts))
	if err != nil {
		return err
	}
	for i, n := range order {
		c.plan(time.Duration(i)*m.Every.Duration(), parts[n-1].again())
	}
	return nil
}

func (c *Centre) encode(m MO) (cmpp.Format, []cmpp.Segment, error) {
	style := segment.Style{Alphabet: m.Alphabet, RefBits: m.RefBits}
	if err := style.Validate(); err != nil {
		return 0, nil, err
	}
	alphabet, parts := style.Cut(m.Text, 0)
	contents, err := alphabet.Encode(parts)
	if err != nil {
		return 0, nil, err
	}
	format, err := cmpp.FormatOf(string(alphabet))
	if err != nil {
		return 0, nil, err
	}
	if m.Format != nil {
		format = *m.Format
	}
	c.ref++
	ref := uint16(c.ref)
	if style.Wide() {
		ref |= uint16(^c.ref) << 8
	}
	segments, err := cmpp.Segments(contents, ref, style.Wide())
	return format, segments, err
}

// order gives the numbers of the parts in the order in which they come.
func (c *Centre) order(m MO, parts int) ([]int, error) {
	order := m.Order
	if len(order) == 0 {
		for i := range parts {
			order = append(order, i+1)
		}
	}
	var out []int
	for _, n := range order {
		if n < 1 || n > parts {
			return nil, fmt.Errorf("order: part %d of a text of %d", n, parts)
		}
		out = append(out, n)
		if m.Double {
			out = append(out, n)
		}
	}
	if m.Shuffle {
		c.random.Shuffle(len(out), func(i, j int) { out[i], out[j] = out[j], out[i] })
	}
	return out, nil
}
