package storage

import (
	"database/sql"
	"errors"
	"fmt"
)

// ErrDangling: a change would leave something of the site that names what is
// not there: an agent's or a flow's queue, a flow's calendar, a route's flow,
// the desk's template.
var ErrDangling = errors.New("is named and not there")

// dangling finds the names that lead nowhere, in words.
const dangling = `
SELECT 'agent ' || u.id || ' names queue ' || q.value FROM users u, json_each(u.queues) q
	WHERE u.listed = 1 AND q.value NOT IN (SELECT id FROM objects WHERE kind = 'queue')
UNION ALL
SELECT 'route ' || id || ' names flow ' || json_extract(doc, '$.flow') FROM objects
	WHERE kind = 'route' AND json_extract(doc, '$.flow') NOT IN (SELECT id FROM objects WHERE kind = 'flow')
UNION ALL
SELECT 'flow ' || f.id || ' names queue ' || json_extract(n.value, '$.queue') FROM objects f, json_each(f.doc, '$.nodes') n
	WHERE f.kind = 'flow' AND json_extract(n.value, '$.queue') IS NOT NULL
	AND json_extract(n.value, '$.queue') NOT IN (SELECT id FROM objects WHERE kind = 'queue')
UNION ALL
SELECT 'flow ' || f.id || ' names calendar ' || json_extract(n.value, '$.calendar.id') FROM objects f, json_each(f.doc, '$.nodes') n
	WHERE f.kind = 'flow' AND json_extract(n.value, '$.calendar.id') IS NOT NULL
	AND json_extract(n.value, '$.calendar.id') NOT IN (SELECT id FROM objects WHERE kind = 'calendar')
UNION ALL
SELECT 'the desk names template ' || t.value FROM objects d, json_each(d.doc, '$.texts') t
	WHERE d.kind = 'desk' AND t.value NOT IN (SELECT id FROM objects WHERE kind = 'template')
UNION ALL
SELECT 'the desk urges by template ' || json_extract(doc, '$.urge.template') FROM objects
	WHERE kind = 'desk' AND json_extract(doc, '$.urge.template') != ''
	AND json_extract(doc, '$.urge.template') NOT IN (SELECT id FROM objects WHERE kind = 'template')`

// linked makes a change of the site and refuses it, naming each name that it
// would leave leading nowhere. What was so before does not count.
func linked(tx *sql.Tx, change func() error) error {
	before, err := danglings(tx)
	if err != nil {
		return err
	}
	if err := change(); err != nil {
		return err
	}
	after, err := danglings(tx)
	faults := []error{err}
	for text := range after {
		if !before[text] {
			faults = append(faults, fmt.Errorf("%s: it %w", text, ErrDangling))
		}
	}
	return errors.Join(faults...)
}

func danglings(tx *sql.Tx) (map[string]bool, error) {
	rows, err := tx.Query(dangling)
	if err != nil {
		return nil, fmt.Errorf("look for names that lead nowhere: %w", err)
	}
	texts, err := collect(rows, func(rows *sql.Rows) (text string, err error) { return text, rows.Scan(&text) })
	found := map[string]bool{}
	for _, text := range texts {
		found[text] = true
	}
	return found, err
}
