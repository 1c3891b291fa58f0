package door

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/fnv"
	"maps"
	"strings"
	"time"

	"callbox/internal/guard"
	"callbox/sms"
)

// handers is how many goroutines hand rows to the gateway, so that many share
// one commit. Rows of one number go through one of them, in their order.
const handers = 32

// take makes texts of the next page of rows: of those that were left claimed
// first, then of new ones.
func (d *Door) take(ctx context.Context) (more bool, err error) {
	if !d.retry.IsZero() && time.Now().After(d.retry) {
		d.relook()
	}
	turn := d.db.Claim
	if d.left {
		turn = d.db.Left
	}
	p, err := turn(ctx, d.seen, pageSize)
	if err != nil {
		d.relook()
		return false, err
	}
	no, err := d.accept(ctx, p.rows)
	if err != nil {
		d.relook()
		return false, err
	}
	d.stay(no)
	more = p.last != "" || d.left
	if d.seen = p.last; p.last == "" {
		d.left = false
	}
	if p.unsure {
		d.relook()
	}
	if len(no) > 0 && len(no) == len(p.rows) { // it may not be the rows: slowly
		return false, no[p.rows[0].id]
	}
	return more, merged(d.stuck, p.no).orNil()
}

// relook has the next look begin with the rows that are claimed.
func (d *Door) relook() {
	d.left, d.seen, d.stuck, d.retry = true, "", nil, time.Time{}
}

// stay notes rows that are claimed and could not be settled; they are taken
// again after a while.
func (d *Door) stay(no refusals) {
	if len(no) == 0 {
		return
	}
	d.stuck = merged(d.stuck, no)
	if d.retry.IsZero() {
		d.retry = time.Now().Add(longestPause)
	}
}

func merged(a, b refusals) refusals {
	all := refusals{}
	maps.Copy(all, a)
	maps.Copy(all, b)
	return all
}

// outcome is what became of one claimed row: an entry, words against it, or an
// error that passes.
type outcome struct {
	entry *Entry
	bad   error
	err   error
}

// accept hands rows to the gateway, keeps what they became and writes back
// which ones are bad. Refused are those that stay claimed; an error says that
// all may.
func (d *Door) accept(ctx context.Context, rows []row) (refusals, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	known, err := d.before(ctx, rows)
	if err != nil {
		return nil, err
	}
	var entries []Entry
	var bad []change
	no := refusals{}
	for i, o := range d.handOver(ctx, rows, known) {
		switch {
		case o.entry != nil:
			entries = append(entries, *o.entry)
		case o.bad != nil:
			bad = append(bad, change{row: rows[i].id, status: sms.Failed, words: plain(o.bad).Error()})
		default:
			no[rows[i].id] = o.err
		}
	}
	if len(entries) > 0 {
		if err := d.known.Keep(ctx, d.cfg.Name, entries); err != nil {
			return nil, err
		}
	}
	refused, err := d.write(ctx, bad)
	return merged(no, refused), err
}

func (d *Door) before(ctx context.Context, rows []row) (map[string]Entry, error) {
	ids := make([]string, len(rows))
	for i, r := range rows {
		ids[i] = r.id
	}
	entries, err := d.known.Known(ctx, d.cfg.Name, ids)
	byRow := map[string]Entry{}
	for _, e := range entries {
		byRow[e.Row] = e
	}
	return byRow, err
}

var errFell = errors.New("not handed over")

func (d *Door) handOver(ctx context.Context, rows []row, known map[string]Entry) []outcome {
	outcomes := make([]outcome, len(rows))
	var queues [handers][]int
	for i, r := range rows {
		outcomes[i].err = errFell
		h := fnv.New32a()
		h.Write([]byte(r.to))
		at := h.Sum32() % handers
		queues[at] = append(queues[at], i)
	}
	g := guard.Group{Log: d.log}
	for _, queue := range queues {
		if len(queue) == 0 {
			continue
		}
		g.Go("door "+d.cfg.Name, func() {
			for _, i := range queue {
				entry, is := known[rows[i].id]
				outcomes[i] = d.acceptRow(ctx, rows[i], entry, is)
			}
		})
	}
	g.Wait()
	return outcomes
}

// acceptRow makes a row a text, or finds the one that it is already.
func (d *Door) acceptRow(ctx context.Context, r row, before Entry, known bool) outcome {
	e := Entry{Row: r.id, Take: 1, Digest: r.digest()}
	if known {
		if before.covers(e.Digest) {
			before.Written, before.Done = "", false // the row does not say it
			return outcome{entry: &before}
		}
		e.Take = before.Take + 1
	}
	key := d.key(r.id, e.Take)
	req, err := r.request()
	if err == nil {
		req.Key, req.Signer = key, d.signer()
		var job sms.Job
		if job, _, err = d.texts.Accept(ctx, req); err == nil && len(job.Messages) == 0 {
			err = errors.New("the job has no message")
		}
		if err == nil {
			e.Message = job.Messages[0].ID
			return outcome{entry: &e}
		}
	}
	return d.refused(ctx, e, key, err)
}

// covers says whether the text that a row became is also what it asks for now.
// A row that is new again is sent again unless its text arrived or is under
// way.
func (e Entry) covers(digest string) bool {
	return e.Digest == digest && (!e.Done || e.Written == sms.Delivered)
}

// refused is what becomes of a row that the gateway does not take. It may have
// taken it before a crash, when it was better, or was another one.
func (d *Door) refused(ctx context.Context, e Entry, key string, why error) outcome {
	invalid, bad := errors.AsType[sms.Invalid](why)
	conflict := errors.Is(why, sms.ErrKeyConflict)
	if !bad && !conflict {
		return outcome{err: why}
	}
	message, signer, err := d.known.MessageByKey(ctx, key)
	switch {
	case err == nil && signer == d.signer():
		e.Message = message
		return outcome{entry: &e}
	case err != nil && !errors.Is(err, sms.ErrNotFound):
		return outcome{err: err}
	case conflict:
		return outcome{bad: fmt.Errorf("the key %s belongs to another job", key)}
	}
	return outcome{bad: d.cfg.Outbox.inColumns(invalid)}
}

// key is the idempotency key of a row's n-th text.
func (d *Door) key(id string, take int) string {
	if take == 1 {
		return "door:" + d.cfg.Name + ":" + id
	}
	return fmt.Sprintf("door:%s/%d:%s", d.cfg.Name, take, id)
}

// signer is who makes the door's jobs.
func (d *Door) signer() string { return "door:" + d.cfg.Name }

// digest tells what a row asks for: what goes to whom.
func (r row) digest() string {
	sum := sha256.Sum256([]byte(strings.Join([]string{r.to, r.text, r.template, r.vars}, "\x00")))
	return hex.EncodeToString(sum[:16])
}

// request is the row as a job. Errors: [sms.Invalid].
func (r row) request() (sms.Request, error) {
	req := sms.Request{
		To: []string{r.to}, Text: r.text, Template: r.template, Account: r.account, Class: r.class, Ref: r.ref,
	}
	var faults sms.Invalid
	fault := func(field string, err error) {
		faults = append(faults, &sms.FieldError{Field: field, Err: err})
	}
	if r.fault != nil {
		fault("send_at", r.fault)
	}
	if r.vars != "" && r.template != "" {
		if err := json.Unmarshal([]byte(r.vars), &req.Vars); err != nil {
			fault("vars", errors.New("is no JSON object"))
		}
	}
	if r.sendAt.After(time.Now()) {
		at := r.sendAt
		req.SendAt = &at
	}
	if len(faults) > 0 {
		return req, faults
	}
	return req, nil
}

// inColumns are faults in the words of who wrote the row: by column.
func (o Outbox) inColumns(faults sms.Invalid) error {
	columns := map[string]string{
		"to[0]": o.To, "text": o.Text, "template": o.Template, "vars": o.Vars, "account": o.Account, "class": o.Class,
		"ref": o.Ref, "send_at": o.SendAt,
	}
	words := make([]string, len(faults))
	for i, f := range faults {
		field := f.Field
		if column := columns[field]; column != "" {
			field = column
		}
		words[i] = field + ": " + f.Err.Error()
	}
	return errors.New(strings.Join(words, "; "))
}
