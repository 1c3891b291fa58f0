package storage

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"callbox/acd"
	"callbox/cti"
	"callbox/sms"
)

// Site is the business: what a supervisor edits. A section that is nil is
// absent and stays as it is; any other is the whole section.
type Site struct {
	Agents    []Agent        `json:"agents,omitempty" yaml:"agents,omitempty"`
	Queues    []Queue        `json:"queues,omitempty" yaml:"queues,omitempty"`
	Routes    []Route        `json:"routes,omitempty" yaml:"routes,omitempty"`
	Flows     []Flow         `json:"flows,omitempty" yaml:"flows,omitempty"`
	Calendars []Calendar     `json:"calendars,omitempty" yaml:"calendars,omitempty"`
	Customers []cti.Customer `json:"customers,omitempty" yaml:"customers,omitempty"`
	Templates []sms.Template `json:"templates,omitempty" yaml:"templates,omitempty"`
	Desk      *DeskSettings  `json:"desk,omitempty" yaml:"desk,omitempty"`

	// Hash is the file's that it came from, kept with it; "" keeps the last.
	Hash string `json:"-" yaml:"-"`
}

// Duration is a span of time: seconds as a number in JSON, a Go duration such
// as 20s in YAML.
type Duration time.Duration

// maxDuration is more than any queue or agent waits.
const maxDuration = 366 * 24 * time.Hour

// MarshalJSON writes seconds.
func (d Duration) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(d).Seconds()) }

// UnmarshalJSON reads seconds.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var seconds float64
	if err := json.Unmarshal(b, &seconds); err != nil {
		return fmt.Errorf("duration in seconds: %w", err)
	}
	if seconds < 0 || seconds > maxDuration.Seconds() {
		return fmt.Errorf("duration in seconds: %v is not from 0 to %.0f", seconds, maxDuration.Seconds())
	}
	*d = Duration(seconds * float64(time.Second))
	return nil
}

// MarshalYAML writes a Go duration.
func (d Duration) MarshalYAML() (any, error) { return time.Duration(d).String(), nil }

// UnmarshalYAML reads a Go duration.
func (d *Duration) UnmarshalYAML(read func(any) error) error {
	var v time.Duration
	if err := read(&v); err != nil {
		return err
	}
	*d = Duration(v)
	return nil
}

// Queue is a queue as the site has it.
type Queue struct {
	ID           string    `json:"id" yaml:"id"`
	Name         string    `json:"name" yaml:"name"`
	Strategy     string    `json:"strategy,omitempty" yaml:"strategy,omitempty"`
	RingTimeout  Duration  `json:"ring_timeout" yaml:"ring_timeout"`
	WrapUp       Duration  `json:"wrap_up" yaml:"wrap_up"`
	MaxWait      Duration  `json:"max_wait" yaml:"max_wait"`
	MaxLength    int       `json:"max_length" yaml:"max_length"`
	ServiceLevel Duration  `json:"service_level" yaml:"service_level"`
	Announce     *Announce `json:"announce,omitempty" yaml:"announce,omitempty"`
	Overflow     *Overflow `json:"overflow,omitempty" yaml:"overflow,omitempty"`
}

// Announce is what waiting callers are told.
type Announce struct {
	Position bool     `json:"position,omitempty" yaml:"position,omitempty"`
	Wait     bool     `json:"wait,omitempty" yaml:"wait,omitempty"`
	Every    Duration `json:"every,omitempty" yaml:"every,omitempty"`
}

// Overflow is where callers go who waited too long.
type Overflow struct {
	After Duration `json:"after,omitempty" yaml:"after,omitempty"`
	To    string   `json:"to,omitempty" yaml:"to,omitempty"`
}

// Floor is the queue as the floor runs it.
func (q Queue) Floor() acd.Queue {
	return acd.Queue{
		ID: q.ID, Name: q.Name, Strategy: q.Strategy, MaxLength: q.MaxLength,
		RingTimeout: time.Duration(q.RingTimeout), WrapUp: time.Duration(q.WrapUp),
		MaxWait: time.Duration(q.MaxWait), ServiceLevel: time.Duration(q.ServiceLevel),
	}
}

// Route leads a number to a flow.
type Route struct {
	Number string `json:"number" yaml:"number"`
	Flow   string `json:"flow" yaml:"flow"`
}

// Flow is a flow's document, {id, start, nodes}; what it means is the flow
// package's. Text is the YAML that somebody wrote it as; "" where nobody did.
type Flow struct {
	ID   string
	Doc  json.RawMessage
	Text string
}

// MarshalJSON writes the document.
func (f Flow) MarshalJSON() ([]byte, error) { return f.Doc.MarshalJSON() }

// UnmarshalJSON keeps the document and reads its id.
func (f *Flow) UnmarshalJSON(b []byte) error {
	id, err := idIn(b)
	if err != nil {
		return fmt.Errorf("flow: %w", err)
	}
	f.ID, f.Doc = id, bytes.Clone(b)
	return nil
}

// Calendar is a calendar's document, {id, hours, …}; what it means is the
// calendar package's.
type Calendar struct {
	ID  string
	Doc json.RawMessage
}

// MarshalJSON writes the document.
func (c Calendar) MarshalJSON() ([]byte, error) { return c.Doc.MarshalJSON() }

// UnmarshalJSON keeps the document and reads its id.
func (c *Calendar) UnmarshalJSON(b []byte) error {
	id, err := idIn(b)
	if err != nil {
		return fmt.Errorf("calendar: %w", err)
	}
	c.ID, c.Doc = id, bytes.Clone(b)
	return nil
}

func idIn(doc []byte) (string, error) {
	var named struct {
		ID string `json:"id"`
	}
	err := json.Unmarshal(doc, &named)
	return named.ID, err
}

// Kinds of objects, by their places in the database.
const (
	queueKind    = "queue"
	routeKind    = "route"
	flowKind     = "flow"
	flowTextKind = "flow_text" // the YAML that a flow was written as
	templateKind = "template"
	calendarKind = "calendar"
	deskKind     = "desk"
)

const siteHashKey = "site_hash"

// ApplySite loads the sections that are there, all or nothing. Applying the
// same twice changes nothing. Errors: [ErrConflict], [ErrDangling].
func (d *DB) ApplySite(ctx context.Context, s Site) error {
	agents, err := d.settleAgents(ctx, s.Agents)
	if err != nil {
		return fmt.Errorf("apply site: %w", err)
	}
	return d.Write(ctx, "apply site", func(tx *sql.Tx) error {
		return linked(tx, func() error { return d.applySections(tx, s, agents) })
	})
}

func (d *DB) applySections(tx *sql.Tx, s Site, agents []Agent) error {
	return errors.Join(
		section(s.Agents, func() error { return replaceAgents(tx, agents) }),
		section(s.Queues, func() error { return replaceObjects(tx, queueKind, s.Queues) }),
		section(s.Routes, func() error { return replaceObjects(tx, routeKind, s.Routes) }),
		section(s.Flows, func() error { return replaceFlows(tx, s.Flows) }),
		section(s.Templates, func() error { return replaceObjects(tx, templateKind, s.Templates) }),
		section(s.Calendars, func() error { return replaceObjects(tx, calendarKind, s.Calendars) }),
		section(s.Customers, func() error { return d.replaceCustomers(tx, s.Customers) }),
		applyDesk(tx, s.Desk),
		keepHash(tx, s.Hash),
	)
}

func section[T any](rows []T, replace func() error) error {
	if rows == nil {
		return nil
	}
	return replace()
}

func applyDesk(tx *sql.Tx, s *DeskSettings) error {
	if s == nil {
		return nil
	}
	return putDeskSettings(nil, tx, *s)
}

func keepHash(tx *sql.Tx, hash string) error {
	if hash == "" {
		return nil
	}
	_, err := tx.Exec("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2",
		siteHashKey, hash)
	return err
}

// SiteHash is the hash of the site file that was applied last, "" for none.
func (d *DB) SiteHash(ctx context.Context) (string, error) {
	var hash string
	err := d.reader.QueryRowContext(ctx, "SELECT value FROM meta WHERE key = ?", siteHashKey).Scan(&hash)
	if errors.Is(err, sql.ErrNoRows) {
		return "", nil
	}
	return hash, err
}

// ExportSite gives the whole site, every section present, with password hashes
// and HA1s and no clear text; ApplySite loads it again.
func (d *DB) ExportSite(ctx context.Context) (s Site, err error) {
	tx, err := d.reader.BeginTx(ctx, &sql.TxOptions{ReadOnly: true}) // one state of all
	if err != nil {
		return s, fmt.Errorf("export site: %w", err)
	}
	defer tx.Rollback() // it only read
	var desk []DeskSettings
	err = errors.Join(
		load(ctx, tx, &s.Agents, scanAgent, selectAgents+" WHERE listed = 1 ORDER BY id"),
		loadObjects(ctx, tx, queueKind, &s.Queues),
		loadObjects(ctx, tx, routeKind, &s.Routes),
		loadObjects(ctx, tx, flowKind, &s.Flows),
		loadObjects(ctx, tx, templateKind, &s.Templates),
		loadObjects(ctx, tx, calendarKind, &s.Calendars),
		loadObjects(ctx, tx, deskKind, &desk),
		load(ctx, tx, &s.Customers, scanDoc[cti.Customer], "SELECT doc FROM customers ORDER BY id"),
	)
	if err != nil {
		return Site{}, fmt.Errorf("export site: %w", err)
	}
	if len(desk) > 0 {
		s.Desk = &desk[0]
	}
	return s, nil
}

// Queues are the site's queues, in its order.
func (d *DB) Queues(ctx context.Context) (list []Queue, err error) {
	return list, loadObjects(ctx, d.reader, queueKind, &list)
}

// Routes are the site's routes, in its order.
func (d *DB) Routes(ctx context.Context) (list []Route, err error) {
	return list, loadObjects(ctx, d.reader, routeKind, &list)
}

// Flows are the site's flows, in its order.
func (d *DB) Flows(ctx context.Context) (list []Flow, err error) {
	return list, loadObjects(ctx, d.reader, flowKind, &list)
}

// Calendars are the site's calendars, in its order.
func (d *DB) Calendars(ctx context.Context) (list []Calendar, err error) {
	return list, loadObjects(ctx, d.reader, calendarKind, &list)
}

// Templates are the site's templates, in its order.
func (d *DB) Templates(ctx context.Context) (list []sms.Template, err error) {
	return list, loadObjects(ctx, d.reader, templateKind, &list)
}
