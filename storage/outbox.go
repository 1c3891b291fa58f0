package storage

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"callbox/internal/seal"
	"callbox/internal/stamp"
)

// Delivery is one notice on its way to one URL.
type Delivery struct {
	ID       int64
	Event    string // the event's id, the same over retries
	Endpoint string // whose queue it is
	URL      string
	Trusted  bool   // the URL stands in the configuration file
	Format   string // empty: our own; else its name, with what it needs behind a blank
	Secret   []byte
	Attempt  int       // attempts made before
	First    time.Time // the first of them; zero before it
	Body     []byte
}

// Endpoints are those for which something waits.
func (n *Notices) Endpoints(ctx context.Context) ([]string, error) {
	rows, err := n.d.reader.QueryContext(ctx, "SELECT DISTINCT endpoint FROM deliveries WHERE head = 1")
	if err != nil {
		return nil, fmt.Errorf("webhook endpoints: %w", err)
	}
	return collect(rows, func(rows *sql.Rows) (e string, err error) { return e, rows.Scan(&e) })
}

// Due gives at most limit deliveries of endpoint whose time has come, the first
// of each order key only, and when the next one's will (zero: none waits).
func (n *Notices) Due(ctx context.Context, endpoint string, now time.Time, limit int) ([]Delivery, time.Time, error) {
	rows, err := n.d.reader.QueryContext(ctx, `SELECT d.id, d.notice, d.endpoint, d.url, d.trusted, d.format, d.signer, d.attempt, d.first, n.body
		FROM deliveries d JOIN notices n ON n.id = d.notice
		WHERE d.head = 1 AND d.endpoint = ? AND d.next <= ? ORDER BY d.next, d.id LIMIT ?`,
		endpoint, now.UnixMilli(), limit)
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("due webhooks: %w", err)
	}
	var signers []string // of each delivery
	due, err := collect(rows, func(rows *sql.Rows) (Delivery, error) {
		x, signer, err := scanDelivery(rows)
		signers = append(signers, signer)
		return x, err
	})
	if err == nil {
		err = n.secrets(ctx, due, signers)
	}
	if err != nil {
		return nil, time.Time{}, fmt.Errorf("due webhooks: %w", err)
	}
	next, err := n.next(ctx, endpoint, now)
	return due, next, err
}

// secrets fills in what signs each of due. It reads: were rows open yet, all the
// readers together could wait for one more.
func (n *Notices) secrets(ctx context.Context, due []Delivery, signers []string) (err error) {
	for i := range due {
		if due[i].Secret, err = n.secret(ctx, due[i], signers[i]); err != nil {
			return err
		}
	}
	return nil
}

func (n *Notices) next(ctx context.Context, endpoint string, now time.Time) (time.Time, error) {
	var ms sql.NullInt64
	err := n.d.reader.QueryRowContext(ctx, "SELECT min(next) FROM deliveries WHERE head = 1 AND endpoint = ? AND next > ?",
		endpoint, now.UnixMilli()).Scan(&ms)
	if err != nil {
		return time.Time{}, fmt.Errorf("next webhook: %w", err)
	}
	return stamp.FromMillis(ms.Int64).Time, nil
}

// scanDelivery reads a row, all but the secret, and whose that is.
func scanDelivery(rows *sql.Rows) (x Delivery, signer string, err error) {
	var first int64
	err = rows.Scan(&x.ID, &x.Event, &x.Endpoint, &x.URL, &x.Trusted, &x.Format, &signer, &x.Attempt, &first, &x.Body)
	x.First = stamp.FromMillis(first).Time
	return x, signer, err
}

// secret is what signs a delivery: its endpoint's, or the API key of the job.
func (n *Notices) secret(ctx context.Context, x Delivery, signer string) ([]byte, error) {
	if x.Trusted {
		n.mu.RLock()
		defer n.mu.RUnlock()
		for _, e := range n.endpoints {
			if e.URL == x.URL {
				return []byte(e.Secret), nil
			}
		}
		return nil, nil
	}
	if signer == "" {
		return nil, nil
	}
	secret, err := n.d.KeySecret(ctx, signer)
	if errors.Is(err, ErrNotFound) || errors.Is(err, seal.ErrBroken) {
		return nil, nil // the key is gone, or secret.key is another one; the notice still goes
	}
	return []byte(secret), err
}

// Sent takes a delivery that arrived out of the outbox.
func (n *Notices) Sent(ctx context.Context, id int64) error {
	var endpoint string
	err := n.d.Write(ctx, "webhook sent", func(tx *sql.Tx) error {
		var notice, key string
		err := tx.QueryRow("DELETE FROM deliveries WHERE id = ? RETURNING notice, endpoint, order_key", id).
			Scan(&notice, &endpoint, &key)
		if err != nil {
			return notFound(err)
		}
		_, err = tx.Exec("DELETE FROM notices WHERE id = ?1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE notice = ?1)", notice)
		return errors.Join(err, advance(tx, endpoint, key))
	})
	n.went(endpoint, "", err)
	return err
}

// Failed notes an attempt at at that did not arrive, and when the next comes.
func (n *Notices) Failed(ctx context.Context, id int64, at, next time.Time, why string) error {
	var endpoint string
	err := n.d.Write(ctx, "webhook failed", func(tx *sql.Tx) error {
		return notFound(tx.QueryRow(`UPDATE deliveries SET attempt = attempt + 1, first = CASE first WHEN 0 THEN ?2 ELSE first END,
			next = ?3, error = ?4 WHERE id = ?1 RETURNING endpoint`, id, at.UnixMilli(), next.UnixMilli(), why).Scan(&endpoint))
	})
	n.went(endpoint, why, err)
	return err
}

// Dead makes a delivery a dead letter; the next of its order key may go.
func (n *Notices) Dead(ctx context.Context, id int64, why string) error {
	var endpoint string
	err := n.d.Write(ctx, "webhook given up", func(tx *sql.Tx) error {
		var key string
		err := tx.QueryRow(`UPDATE deliveries SET attempt = attempt + 1, dead = 1, head = 0, error = ?2 WHERE id = ?1
			RETURNING endpoint, order_key`, id, why).Scan(&endpoint, &key)
		if err != nil {
			return notFound(err)
		}
		n.dirty.Store(true)
		return advance(tx, endpoint, key)
	})
	n.went(endpoint, why, err)
	return err
}

// advance lets the first of an order key go, and none beside it.
func advance(tx *sql.Tx, endpoint, key string) error {
	_, err := tx.Exec(`UPDATE deliveries SET head = 1 WHERE head = 0 AND id =
		(SELECT min(id) FROM deliveries WHERE endpoint = ?1 AND order_key = ?2 AND dead = 0)`, endpoint, key)
	return err
}

// Waiting is how many deliveries wait, dead letters not counted.
func (n *Notices) Waiting(ctx context.Context) (int64, error) {
	var count int64
	err := n.d.reader.QueryRowContext(ctx, "SELECT count(*) FROM deliveries WHERE dead = 0").Scan(&count)
	return count, err
}

// DeadLetter is a delivery that was given up.
type DeadLetter struct {
	ID       string
	Event    string
	URL      string
	Time     stamp.Time
	Attempts int
	Error    string
	Body     json.RawMessage
}

// DeadLetters gives what was given up, newest first, and the cursor behind.
func (n *Notices) DeadLetters(ctx context.Context, p Page) (list []DeadLetter, next string, err error) {
	at, _, err := parseCursor(p.Cursor)
	if err != nil {
		return nil, "", err
	}
	w := &filter{}
	w.and(true, "d.dead = 1")
	w.and(p.Cursor != "", "d.id < ?", at)
	rows, err := n.d.reader.QueryContext(ctx, `SELECT d.id, n.event, d.url, n.time, d.attempt, d.error, n.body
		FROM deliveries d JOIN notices n ON n.id = d.notice`+w.sql()+" ORDER BY d.id DESC LIMIT ?",
		append(w.args, p.limit()+1)...)
	if err != nil {
		return nil, "", fmt.Errorf("dead letters: %w", err)
	}
	if list, err = collect(rows, scanDead); err != nil {
		return nil, "", fmt.Errorf("dead letters: %w", err)
	}
	list, next = cut(list, p.limit(), func(l DeadLetter) string { return cursor(deadID(l.ID), "") })
	return list, next, nil
}

func scanDead(rows *sql.Rows) (l DeadLetter, err error) {
	var id, ms int64
	var body string
	err = rows.Scan(&id, &l.Event, &l.URL, &ms, &l.Attempts, &l.Error, &body)
	l.ID, l.Time, l.Body = strconv.FormatInt(id, 10), stamp.FromMillis(ms), json.RawMessage(body)
	return l, err
}

// deadID is 0, which no delivery has, for what is not a number.
func deadID(id string) int64 {
	n, err := strconv.ParseInt(id, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// Replay sends a dead letter again, from the first attempt on. Error:
// [ErrNotFound].
func (n *Notices) Replay(ctx context.Context, id string) error {
	return n.d.Write(ctx, "replay webhook", func(tx *sql.Tx) error {
		var endpoint, key string
		err := tx.QueryRow(`UPDATE deliveries SET dead = 0, attempt = 0, first = 0, next = ?2, error = ''
			WHERE id = ?1 AND dead = 1 RETURNING endpoint, order_key`, deadID(id), time.Now().UnixMilli()).
			Scan(&endpoint, &key)
		if err != nil {
			return notFound(err)
		}
		n.dirty.Store(true)
		return advance(tx, endpoint, key)
	})
}
