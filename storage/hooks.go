package storage

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"fmt"

	"callbox/internal/stamp"
)

// outcome is how the last attempts at an endpoint went.
type outcome struct {
	ok, failed stamp.Time
	why        string
}

// went notes how an attempt at an endpoint went; why is empty where it arrived.
// What could not be written down is not noted.
func (n *Notices) went(endpoint, why string, written error) {
	if written != nil {
		return
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	o := n.outcomes[endpoint]
	if why == "" {
		o.ok = stamp.Now()
	} else {
		o.failed, o.why = stamp.Now(), why
	}
	n.outcomes[endpoint] = o
}

// ID names an endpoint of the configuration for as long as it stays there.
func (e Endpoint) ID() string {
	sum := sha256.Sum256([]byte("callbox webhook " + e.Format + " " + e.URL))
	return hex.EncodeToString(sum[:6])
}

// Hook is an endpoint of the configuration as it stands. LastOK and LastFailed
// are of this run of the program.
type Hook struct {
	Endpoint
	Pending, Dead      int64
	LastOK, LastFailed stamp.Time
	LastError          string
}

// Hooks are the configuration's endpoints, in its order.
func (n *Notices) Hooks(ctx context.Context) ([]Hook, error) {
	n.mu.RLock()
	hooks := make([]Hook, len(n.endpoints))
	for i, e := range n.endpoints {
		o := n.outcomes[e.URL]
		hooks[i] = Hook{Endpoint: e, LastOK: o.ok, LastFailed: o.failed, LastError: o.why}
	}
	n.mu.RUnlock()
	waiting, err := n.counts(ctx)
	if err != nil {
		return nil, fmt.Errorf("webhooks: %w", err)
	}
	for i := range hooks {
		c := waiting[hooks[i].URL]
		hooks[i].Pending, hooks[i].Dead = c.pending, c.dead
		if hooks[i].LastError == "" {
			hooks[i].LastError = c.why
		}
	}
	return hooks, nil
}

// counted is what lies in the outbox for an endpoint.
type counted struct {
	endpoint      string
	pending, dead int64
	why           string // of the newest that failed
}

func (n *Notices) counts(ctx context.Context) (map[string]counted, error) {
	rows, err := n.d.reader.QueryContext(ctx, `SELECT c.endpoint, c.pending, c.dead, coalesce(e.error, '') FROM
		(SELECT endpoint, sum(dead = 0) AS pending, sum(dead = 1) AS dead, max(CASE WHEN error != '' THEN id END) AS newest
			FROM deliveries WHERE trusted = 1 GROUP BY endpoint) c
		LEFT JOIN deliveries e ON e.id = c.newest`)
	if err != nil {
		return nil, err
	}
	list, err := collect(rows, func(rows *sql.Rows) (c counted, err error) {
		return c, rows.Scan(&c.endpoint, &c.pending, &c.dead, &c.why)
	})
	all := map[string]counted{}
	for _, c := range list {
		all[c.endpoint] = c
	}
	return all, err
}
