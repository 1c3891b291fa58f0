package sms

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
)

// Names of the settings in the store.
const (
	settingQuiet  = "quiet_hours"
	settingRoutes = "routes"
	settingCodes  = "codes"
)

// Code gives a report's Stat, or a result, words.
type Code struct {
	Stat string `json:"stat"`
	Text string `json:"text"`
}

const (
	maxCodes    = 10_000
	maxStat     = 64
	maxStatText = 200
)

// rules are what a supervisor sets for all texts. They are never changed, only
// replaced.
type rules struct {
	quiet  QuietHours
	routes []Route
	codes  []Code
	words  map[string]string // of codes, by Stat
}

// rulebook keeps the rules in force and lets one change at a time in.
type rulebook struct {
	now      atomic.Pointer[rules]
	listed   atomic.Bool   // whether a number may be on the blacklist
	changing chan struct{} // full while one is made
}

func newRulebook() *rulebook { return &rulebook{changing: make(chan struct{}, 1)} }

// change waits for its turn to read or change the rules; done ends it.
func (b *rulebook) change(ctx context.Context) (done func(), err error) {
	select {
	case b.changing <- struct{}{}:
		return func() { <-b.changing }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// rulesNow are the rules in force: none before they were read.
func (g *Gateway) rulesNow() *rules {
	if r := g.book.now.Load(); r != nil {
		return r
	}
	return &rules{}
}

// readRules reads the rules from the store, the first time.
func (g *Gateway) readRules(ctx context.Context) error {
	if g.book.now.Load() != nil {
		return nil
	}
	done, err := g.book.change(ctx)
	if err != nil {
		return fmt.Errorf("read settings: %w", err)
	}
	defer done()
	if g.book.now.Load() != nil {
		return nil
	}
	var r rules
	err = g.store.Update(ctx, "read settings", func(tx Tx) error {
		r = rules{}
		list, err := tx.Blacklist()
		if err != nil {
			return err
		}
		if len(list) > 0 {
			g.book.listed.Store(true)
		}
		for name, v := range map[string]any{settingQuiet: &r.quiet, settingRoutes: &r.routes, settingCodes: &r.codes} {
			doc, err := tx.Setting(name)
			if errors.Is(err, ErrNotFound) {
				continue
			}
			if err == nil {
				err = json.Unmarshal(doc, v)
			}
			if err != nil {
				return fmt.Errorf("setting %s: %w", name, err)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	g.complain(r.routes)
	g.book.now.Store(r.indexed())
	return nil
}

func (r rules) indexed() *rules {
	r.words = make(map[string]string, len(r.codes))
	for _, c := range r.codes {
		r.words[c.Stat] = c.Text
	}
	return &r
}

// setRule stores a setting and puts the rules that change makes in force.
func (g *Gateway) setRule(ctx context.Context, name string, v any, change func(*rules)) error {
	if err := g.readRules(ctx); err != nil {
		return err
	}
	doc, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("setting %s: %w", name, err)
	}
	done, err := g.book.change(ctx)
	if err != nil {
		return fmt.Errorf("change %s: %w", name, err)
	}
	defer done()
	if err := g.store.Update(ctx, "change "+name, func(tx Tx) error { return tx.SaveSetting(name, doc) }); err != nil {
		return err
	}
	r := *g.rulesNow()
	change(&r)
	g.book.now.Store(r.indexed())
	return nil
}

// Words are what a supervisor calls a Stat or a result, "" for one that was
// given none.
func (g *Gateway) Words(stat string) string { return g.rulesNow().words[stat] }

// Codes are the words for Stats, as they were set.
func (g *Gateway) Codes(ctx context.Context) ([]Code, error) {
	if err := g.readRules(ctx); err != nil {
		return nil, err
	}
	return g.rulesNow().codes, nil
}

// SetCodes makes codes all the words for Stats. Error: [Invalid], nothing
// changed.
func (g *Gateway) SetCodes(ctx context.Context, codes []Code) error {
	var faults Invalid
	if len(codes) > maxCodes {
		faults.add("items", "%d codes, the limit is %d", len(codes), maxCodes)
	}
	first := map[string]int{}
	for i, c := range codes {
		if c.Stat == "" || len(c.Stat) > maxStat || !clean(c.Stat) {
			faults.add(item(i, "stat"), "is empty, longer than %d bytes, or not plain text", maxStat)
		}
		if strings.TrimSpace(c.Text) == "" || Units(c.Text) > maxStatText || !clean(c.Text) {
			faults.add(item(i, "text"), "is empty, longer than %d characters, or not plain text", maxStatText)
		}
		if j, again := first[c.Stat]; again {
			faults.add(item(i, "stat"), "is in items[%d] too", j)
		} else {
			first[c.Stat] = i
		}
	}
	if err := faults.orNil(); err != nil {
		return err
	}
	return g.setRule(ctx, settingCodes, codes, func(r *rules) { r.codes = codes })
}

// item names a field of a list's row.
func item(i int, field string) string { return fmt.Sprintf("items[%d].%s", i, field) }
