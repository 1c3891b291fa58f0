package storage

import (
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"path"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/google/uuid"

	"callbox/internal/stamp"
)

// Events of a [Notice].
const (
	NoticeCallNew     = "call.new"
	NoticeCallAnswer  = "call.answer"
	NoticeCallHangup  = "call.hangup"
	NoticeCallRecord  = "call.record"
	NoticeSMSStatus   = "sms.status"
	NoticeSMSReceived = "sms.received"
	NoticeSMSLate     = "sms.late"
	NoticeAck         = "notice.ack"
	NoticeLineState   = "line.state"
	NoticeTicketUrge  = "ticket.urge"
)

// Endpoint is one webhook of the configuration: events are names or globs such
// as call.*; Format is one of Formats.
type Endpoint struct {
	URL    string
	Secret string
	Events []string
	Format string
}

// Notice is something that programs outside are told. It goes to every
// endpoint that wants its event, and to CallbackURL if there is one.
type Notice struct {
	ID          string     // a new one when empty
	Event       string     // call.new …
	Time        stamp.Time // now when zero
	OrderKey    string     // notices of one key go out in order: a call's id, a job's
	Data        any        // becomes JSON
	CallbackURL string
	Signer      string // id of the API key that signs for CallbackURL
	Format      string // of what goes to CallbackURL; empty: our own
}

// Notices is the outbox: what is told outside is written with what it tells.
type Notices struct {
	d     *DB
	wake  chan struct{} // room for one
	dirty atomic.Bool   // set inside a transaction, told after its commit

	mu        sync.RWMutex // guards endpoints and outcomes
	endpoints []Endpoint
	outcomes  map[string]outcome // by endpoint, since the start
}

func newNotices(d *DB) *Notices {
	return &Notices{d: d, wake: make(chan struct{}, 1), outcomes: map[string]outcome{}}
}

// Notices is the outbox.
func (d *DB) Notices() *Notices { return d.notices }

// Replace makes endpoints the ones that notices go to from now on. What waits
// for one that is no longer among them becomes a dead letter.
func (n *Notices) Replace(endpoints []Endpoint) error {
	for _, e := range endpoints {
		if err := e.validate(); err != nil {
			return err
		}
	}
	n.mu.Lock()
	n.endpoints = endpoints
	n.mu.Unlock()
	n.d.Later("drop old webhooks", func(tx *sql.Tx) error { return dropOthers(tx, endpoints) })
	return nil
}

// Formats are the shapes that a webhook's notices may go out in: our own, and
// those of other products.
var Formats = []string{"", "twilio", "zammad"}

func (e Endpoint) validate() error {
	if !slices.Contains(Formats, e.Format) {
		return fmt.Errorf("webhook %s: there is no format %q", e.URL, e.Format)
	}
	if _, err := hostOf(e.URL); err != nil {
		return fmt.Errorf("webhook %q: %w", e.URL, err)
	}
	for _, glob := range e.Events {
		if _, err := path.Match(glob, ""); err != nil {
			return fmt.Errorf("webhook %s: events: %q: %w", e.URL, glob, err)
		}
	}
	return nil
}

// hostOf is a callback's endpoint: all callbacks of one host share a queue.
func hostOf(raw string) (string, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return "", err
	}
	if (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" {
		return "", errors.New("not an http or https URL")
	}
	return u.Scheme + "://" + u.Host, nil
}

func dropOthers(tx *sql.Tx, endpoints []Endpoint) error {
	keep := make([]string, 0, len(endpoints))
	for _, e := range endpoints {
		keep = append(keep, e.URL)
	}
	_, err := tx.Exec(`UPDATE deliveries SET dead = 1, head = 0, error = 'the endpoint is no longer configured'
		WHERE trusted = 1 AND dead = 0 AND url NOT IN (SELECT value FROM json_each(?))`, encode(keep))
	return err
}

// committed is called after every commit.
func (n *Notices) committed() {
	if !n.dirty.Swap(false) {
		return
	}
	tell(n.wake)
}

// Wake tells, once for many, that there may be something new to send.
func (n *Notices) Wake() <-chan struct{} { return n.wake }

// Add puts a notice into the outbox, inside the transaction that writes what it
// tells. Where nobody wants it, nothing is written.
func (n *Notices) Add(tx *sql.Tx, notice Notice) error {
	to := n.wanted(notice)
	if len(to) == 0 {
		return nil
	}
	if notice.Time.IsZero() {
		notice.Time = stamp.Now()
	}
	if notice.ID == "" {
		notice.ID = newID()
	}
	if err := addNotice(tx, notice); err != nil {
		return fmt.Errorf("notice %s: %w", notice.Event, err)
	}
	for _, t := range to {
		if err := addDelivery(tx, notice, t); err != nil {
			return fmt.Errorf("notice %s: %w", notice.Event, err)
		}
	}
	n.dirty.Store(true)
	return nil
}

// target is one endpoint's queue and where it sends to.
type target struct {
	endpoint, url, signer, format string
	trusted                       bool
}

func (n *Notices) wanted(notice Notice) []target {
	n.mu.RLock()
	defer n.mu.RUnlock()
	var to []target
	for _, e := range n.endpoints {
		if wants(e.Events, notice.Event) {
			to = append(to, target{endpoint: e.URL, url: e.URL, format: e.Format, trusted: true})
		}
	}
	if notice.CallbackURL == "" {
		return to
	}
	host, err := hostOf(notice.CallbackURL)
	if err != nil {
		n.d.log.Warn("callback URL is not usable", "event", notice.Event, "err", err)
		return to
	}
	return append(to, target{endpoint: host, url: notice.CallbackURL, signer: notice.Signer, format: notice.Format})
}

// Wanted says whether an endpoint of the configuration wants event.
func (n *Notices) Wanted(event string) bool {
	n.mu.RLock()
	defer n.mu.RUnlock()
	return slices.ContainsFunc(n.endpoints, func(e Endpoint) bool { return wants(e.Events, event) })
}

func wants(globs []string, event string) bool {
	for _, glob := range globs {
		if ok, err := path.Match(glob, event); ok && err == nil {
			return true
		}
	}
	return false
}

func addNotice(tx *sql.Tx, n Notice) error {
	body, err := json.Marshal(struct {
		Event string     `json:"event"`
		ID    string     `json:"id"`
		Time  stamp.Time `json:"time"`
		Data  any        `json:"data"`
	}{n.Event, n.ID, n.Time, n.Data})
	if err != nil {
		return err
	}
	_, err = tx.Exec("INSERT INTO notices (id, event, order_key, time, body) VALUES (?, ?, ?, ?, ?)",
		n.ID, n.Event, n.OrderKey, n.Time.Millis(), string(body))
	return err
}

func addDelivery(tx *sql.Tx, n Notice, t target) error {
	_, err := tx.Exec(`INSERT INTO deliveries (notice, endpoint, url, trusted, signer, order_key, next, format, head)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NOT EXISTS
			(SELECT 1 FROM deliveries WHERE endpoint = ?2 AND order_key = ?6 AND dead = 0))`,
		n.ID, t.endpoint, t.url, t.trusted, t.signer, n.OrderKey, n.Time.Millis(), t.format)
	return err
}

// newID is a UUIDv7: unique, and sorted by time.
func newID() string {
	id, err := uuid.NewV7()
	if err != nil {
		id = uuid.New()
	}
	return id.String()
}

// encode is for what always has a JSON form: strings, numbers and lists of them.
func encode(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "null"
	}
	return string(b)
}
