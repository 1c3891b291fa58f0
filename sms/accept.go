package sms

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/google/uuid"

	"callbox/internal/number"
	"callbox/internal/outbound"
	"callbox/internal/stamp"
)

// Accept checks a request, splits its text and returns when the job is on
// disk. created is false where the key was used before: the job is the first
// one then. Errors: [Invalid] with the faults by field, [ErrKeyConflict], or
// the store's.
func (g *Gateway) Accept(ctx context.Context, req Request) (job Job, created bool, err error) {
	plan, err := g.plan(ctx, req)
	if err != nil {
		return Job{}, false, err
	}
	err = g.update(ctx, "accept job", func(w *work) error {
		job, created, err = w.keep(plan)
		return err
	})
	if err != nil {
		return Job{}, false, err // which says what was being done
	}
	if created {
		g.accepted(plan.Records)
	}
	return job, created, nil
}

// accepted wakes the lanes that have something to do now.
func (g *Gateway) accepted(records []Record) {
	per := map[string]int64{}
	for _, r := range records {
		per[r.Account]++
	}
	for account, n := range per {
		g.counts.add(account, Queued, n)
		g.lane(account).wakeUp()
	}
}

// keep stores a new job, or finds the one with its key.
func (w *work) keep(plan NewJob) (job Job, created bool, err error) {
	if plan.Key != "" {
		id, digest, err := w.JobByKey(plan.Key)
		switch {
		case err == nil && digest != plan.Digest:
			return Job{}, false, ErrKeyConflict
		case err == nil:
			job, err = w.Job(id)
			return job, false, err
		case !errors.Is(err, ErrNotFound):
			return Job{}, false, err
		}
	}
	if err := w.extend(&plan); err != nil {
		return Job{}, false, err
	}
	return plan.shown(), true, w.AddJob(plan)
}

// extend gives the job's messages the digits by which a reply finds it, one
// set for each account that has them.
func (w *work) extend(plan *NewJob) error {
	digits := map[string]string{}
	for i := range plan.Records {
		r := &plan.Records[i]
		n := w.g.account(r.Account).ExtensionDigits
		if n == 0 {
			continue
		}
		if digits[r.Account] == "" {
			ext, err := w.NextExtension(r.Account, n)
			if err != nil {
				return err
			}
			digits[r.Account] = ext
		}
		r.Extension = digits[r.Account]
	}
	return nil
}

// shown is the new job as the API shows it.
func (j NewJob) shown() Job {
	job := Job{ID: j.ID, Ref: j.Ref, Key: j.Key, Class: j.Class, Account: j.Account, Status: JobOpen, Created: j.Created, Notice: j.Notice}
	for _, r := range j.Records {
		job.Messages = append(job.Messages, r.Message)
	}
	job.Count()
	return job
}

// plan is the request as a job, or everything that is wrong with it.
func (g *Gateway) plan(ctx context.Context, req Request) (NewJob, error) {
	var faults Invalid
	req.unserved(&faults)
	req.checkLabels(g.cfg.Allow, &faults)
	t, err := g.wording(ctx, req, &faults)
	if err != nil {
		return NewJob{}, err
	}
	rank, ok := req.Priority.rank(t.Class)
	if !ok {
		faults.add("priority", "%q is neither 0 to 9 nor urgent, high, normal, low", req.Priority)
	}
	job := NewJob{
		ID: newID(), Ref: req.Ref, Key: req.Key, Class: t.Class, Account: req.Account,
		Created: stamp.Now(), Replies: t.Replies, Notice: req.notice(&faults),
	}
	if job.Digest, err = req.digest(); err != nil {
		return NewJob{}, err
	}
	for _, to := range g.recipients(req, &faults) {
		r := g.record(job, to, t.Text)
		r.Rank, r.Callback, r.Signer, r.Format = rank, req.CallbackURL, req.Signer, req.Format
		r.Tier, r.Class, r.Bound = to.tier, job.Class, req.Account != ""
		if to.tier > 0 {
			r.Status, r.Times = Scheduled, map[Status]stamp.Time{Scheduled: job.Created}
		}
		if r.Parts > maxParts && !faults.has("text") {
			faults.add("text", "%d parts, the limit is %d", r.Parts, maxParts)
		}
		job.Records = append(job.Records, r)
	}
	return job, faults.orNil()
}

func (g *Gateway) record(job NewJob, to recipient, text string) Record {
	text, reserve := to.account.word(text)
	_, parts := to.account.Style.Cut(text, reserve)
	return Record{
		Message: Message{
			ID: newID(), Job: job.ID, To: to.e164, Raw: to.raw, Text: text, Status: Queued,
			Parts: len(parts), Account: to.account.Name, Ref: job.Ref,
			Times: map[Status]stamp.Time{Queued: job.Created},
		},
		Reserve: reserve,
	}
}

// newID is a UUIDv7; later ones sort behind.
func newID() string { return uuid.Must(uuid.NewV7()).String() }

// checkLabels checks what only travels along; allow are networks that are not
// public and may be called back all the same.
func (r Request) checkLabels(allow []netip.Prefix, faults *Invalid) {
	for _, f := range []struct {
		name, value string
		limit       int
	}{{"ref", r.Ref, maxRef}, {"key", r.Key, maxKey}} {
		if len(f.value) > f.limit || !clean(f.value) {
			faults.add(f.name, "is longer than %d bytes, or not plain text", f.limit)
		}
	}
	if r.CallbackURL == "" {
		return
	}
	if err := outbound.CheckURL(r.CallbackURL, allow); err != nil {
		faults.add("callback_url", "%w", err)
	}
}

// wording is the text to send with the class and the replies it asks for.
func (g *Gateway) wording(ctx context.Context, req Request, faults *Invalid) (Template, error) {
	t := Template{Text: req.Text}
	switch {
	case req.Text != "" && req.Template != "":
		faults.add("template", "is given beside text")
	case req.Template != "":
		found, err := g.template(ctx, req, faults)
		if err != nil {
			return t, err
		}
		t = found
	case len(req.Vars) > 0:
		faults.add("vars", "are given without a template")
	}
	t.Class = firstOf(req.Class, t.Class, ClassDispatch)
	if _, ok := classPriority[t.Class]; !ok {
		faults.add("class", "%q is none of dispatch, notice, marketing", t.Class)
	}
	if !faults.has("template") && !faults.has("vars") {
		checkText(t.Text, faults)
	}
	return t, nil
}

func firstOf(values ...string) string {
	for _, v := range values {
		if v != "" {
			return v
		}
	}
	return ""
}

// template is the filled template. ref stands for the request's unless vars
// say otherwise.
func (g *Gateway) template(ctx context.Context, req Request, faults *Invalid) (Template, error) {
	t, err := Template{}, ErrNotFound
	if g.cfg.Templates != nil {
		t, err = g.cfg.Templates.Template(ctx, req.Template)
	}
	switch {
	case errors.Is(err, ErrNotFound):
		faults.add("template", "there is no template %q", req.Template)
		return Template{}, nil
	case err != nil:
		return Template{}, fmt.Errorf("template %s: %w", req.Template, err)
	}
	vars := map[string]any{}
	if req.Ref != "" && strings.Contains(t.Text, "{ref}") {
		vars["ref"] = req.Ref
	}
	for k, v := range req.Vars {
		vars[k] = v
	}
	text, err := t.Fill(vars)
	var wrong Invalid
	if errors.As(err, &wrong) {
		*faults = append(*faults, wrong...)
	}
	t.Text = text
	return t, nil
}

// has says whether field, or something in it, is at fault.
func (v Invalid) has(field string) bool {
	return slices.ContainsFunc(v, func(e *FieldError) bool {
		return e.Field == field || strings.HasPrefix(e.Field, field+".")
	})
}

func checkText(text string, faults *Invalid) {
	switch {
	case strings.TrimSpace(text) == "":
		faults.add("text", "is empty")
	case !clean(text):
		faults.add("text", "is not UTF-8, or has control characters")
	case strings.Contains(text, "{"+ackLink+"}"):
		faults.add("text", "{%s}: %w", ackLink, ErrNotServed)
	}
}

// clean says whether s is UTF-8 without control characters but line ends and
// tabs.
func clean(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool {
		return unicode.IsControl(r) && !strings.ContainsRune("\n\r\t", r)
	})
}

// recipient is a number with the account that serves it.
type recipient struct {
	e164, raw string
	account   Account
	tier      int
}

// levels are the lists of numbers that a request has, by the field that names
// them: to, or those of its tiers.
func (r Request) levels(faults *Invalid) (names []string, lists [][]string) {
	if len(r.Tiers) == 0 {
		return []string{"to"}, [][]string{r.To}
	}
	if len(r.To) > 0 {
		faults.add("to", "is given beside tiers")
	}
	for i, t := range r.Tiers {
		names, lists = append(names, fmt.Sprintf("tiers[%d].to", i)), append(lists, t.To)
	}
	return names, lists
}

// recipients are the request's numbers, each once a level.
func (g *Gateway) recipients(req Request, faults *Invalid) []recipient {
	var all []recipient
	names, lists := req.levels(faults)
	for tier, to := range lists {
		for _, r := range g.level(names[tier], to, req.Account, faults) {
			r.tier = tier
			all = append(all, r)
		}
	}
	return all
}

// level are the numbers of one list.
func (g *Gateway) level(field string, to []string, account string, faults *Invalid) []recipient {
	if len(to) == 0 || len(to) > maxTo {
		faults.add(field, "%d numbers, not 1 to %d", len(to), maxTo)
		return nil
	}
	if account != "" && g.lane(account) == nil {
		faults.add("account", "there is no account %q", account)
		return nil
	}
	seen := map[string]bool{}
	var all []recipient
	for i, raw := range to {
		r, err := g.recipient(raw, account)
		if err != nil {
			faults.add(fmt.Sprintf("%s[%d]", field, i), "%w", err)
		} else if !seen[r.e164] {
			seen[r.e164] = true
			all = append(all, r)
		}
	}
	return all
}

// recipient finds who serves a number: the account that was named, else the
// first one that says so.
func (g *Gateway) recipient(raw, account string) (recipient, error) {
	r := recipient{e164: number.Normalize(raw, g.cfg.AreaCode), raw: raw}
	if r.e164 == "" {
		return r, fmt.Errorf("%q is no number a text can be sent to", raw)
	}
	for _, l := range g.lanes {
		if l.name() == account || account == "" && l.account.serves(r.e164) {
			r.account = l.account
			return r, nil
		}
	}
	return r, fmt.Errorf("no account serves %s", number.Mask(r.e164))
}
