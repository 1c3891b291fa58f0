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
// disk. created is false where the key, or the de-duplication's, was used
// before: the job is the first one then. Errors: [Invalid] with the faults by
// field, [ErrKeyConflict], [*OverLimit], or the store's.
func (g *Gateway) Accept(ctx context.Context, req Request) (job Job, created bool, err error) {
	if err := g.readRules(ctx); err != nil {
		return Job{}, false, err // which says what was being done
	}
	p, err := g.plan(ctx, req)
	var faults Invalid
	switch {
	case errors.As(err, &faults):
		job, err = g.explain(ctx, p, faults)
		g.alarmBlocked(req.Ref, err)
		return job, false, err
	case err != nil:
		return Job{}, false, err
	}
	undo := g.reserve(&p)
	var kept []Record
	err = g.update(ctx, "accept job", func(w *work) error {
		job, kept, err = w.keep(p)
		return err
	})
	if err != nil || kept == nil {
		undo()
	}
	if err != nil {
		g.alarmBlocked(req.Ref, err)
		return Job{}, false, err
	}
	g.accepted(kept)
	return job, kept != nil, nil
}

// accepted wakes what has something to do with new messages, now or later.
func (g *Gateway) accepted(records []Record) {
	per := map[string]int64{}
	for _, r := range records {
		if !r.Status.told() { // else it was counted when that was told
			per[r.Account]++
		}
		g.alarm.of(r)
	}
	for account, n := range per {
		g.counts.add(account, Queued, n)
		g.lane(account).wakeUp()
	}
}

// plan is a request as the job that it asks for.
type plan struct {
	NewJob
	fields []string // what named each record's number in the request
	signer string
	limits Limits
	over   *OverLimit // what the job would break if it is a new one
}

// keep stores a new job, and gives its records, or finds the one that it is.
func (w *work) keep(p plan) (Job, []Record, error) {
	if job, found, err := w.earlier(p); found || err != nil {
		return job, nil, err
	}
	if p.over != nil {
		return Job{}, nil, p.over
	}
	p.Records = slices.Clone(p.Records) // this may run again
	if err := w.refuseListed(&p); err != nil {
		return Job{}, nil, err
	}
	if err := w.spend(&p); err != nil {
		return Job{}, nil, err
	}
	if err := w.extend(&p.NewJob); err != nil {
		return Job{}, nil, err
	}
	w.place(&p)
	w.beginNotice(&p.NewJob)
	if err := w.AddJob(p.NewJob); err != nil {
		return Job{}, nil, err
	}
	return p.shown(), p.Records, w.tell(p.Records)
}

// tell tells of messages that are over before they began.
func (w *work) tell(records []Record) error {
	for _, r := range records {
		if !r.Status.told() {
			continue
		}
		w.news.add(Note{Type: NoteStatus, Message: &r.Message})
		if err := w.Announce(r); err != nil {
			return err
		}
	}
	return nil
}

// earlier finds the job that a request is the same as.
func (w *work) earlier(p plan) (job Job, found bool, err error) {
	if job, found, err = w.byKey(p); found || err != nil || p.Dedup == "" {
		return job, found, err
	}
	id, err := w.JobByDedup(p.Dedup, w.at)
	if errors.Is(err, ErrNotFound) {
		return Job{}, false, nil
	}
	if err == nil {
		job, err = w.Job(id)
	}
	return job, true, err
}

// byKey finds the job with the plan's key. Error: [ErrKeyConflict].
func (w *work) byKey(p plan) (job Job, found bool, err error) {
	if p.Key == "" {
		return Job{}, false, nil
	}
	id, digest, err := w.JobByKey(p.Key)
	switch {
	case errors.Is(err, ErrNotFound):
		return Job{}, false, nil
	case err == nil && digest != p.Digest:
		err = ErrKeyConflict
	case err == nil:
		job, err = w.Job(id)
	}
	return job, true, err
}

// Check gives what is wrong with a request, as Accept would, and stores
// nothing. Errors: [Invalid], or the store's.
func (g *Gateway) Check(ctx context.Context, req Request) error {
	if err := g.readRules(ctx); err != nil {
		return err
	}
	p, err := g.plan(ctx, req)
	var faults Invalid
	if err != nil && !errors.As(err, &faults) {
		return err
	}
	if _, err = g.explain(ctx, p, faults); errors.As(err, &faults) {
		return faults.orNil()
	}
	return err
}

// explain answers a request with faults: with its job, where it was taken
// before they were any (its valid_until is past by now), else with all faults,
// also those that only the store knows of.
func (g *Gateway) explain(ctx context.Context, p plan, faults Invalid) (job Job, err error) {
	found := false
	var more Invalid
	err = g.store.Update(ctx, "look at refused job", func(tx Tx) error {
		w := &work{Tx: tx, g: g, at: stamp.Now()}
		if job, found, err = w.byKey(p); found || err != nil {
			return err
		}
		errors.As(w.refuseListed(&p), &more)
		return nil
	})
	if found && err == nil {
		return job, nil
	}
	return Job{}, slices.Concat(faults, more)
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
	job := Job{
		ID: j.ID, Ref: j.Ref, Key: j.Key, Class: j.Class, Account: j.Account, Status: JobOpen, Created: j.Created,
		Notice: j.Notice, SendAt: instant(j.SendAt), ValidUntil: instant(j.ValidUntil),
	}
	for _, r := range j.Records {
		job.Messages = append(job.Messages, r.Message)
	}
	if job.Status = JobStatus(job.Messages); j.Awaiting && job.Status == JobOpen {
		job.Status = JobAwaitingConfirm
	}
	job.Count()
	return job
}

// instant is at, nil for none.
func instant(at stamp.Time) *stamp.Time {
	if at.IsZero() {
		return nil
	}
	return &at
}

// plan is the request as a job, or everything that is wrong with it, with what
// of the job is known.
func (g *Gateway) plan(ctx context.Context, req Request) (plan, error) {
	var faults Invalid
	req.checkLabels(g.cfg.Allow, &faults)
	t, err := g.wording(ctx, req, &faults)
	if err != nil {
		return plan{}, err
	}
	rank, ok := req.Priority.rank(t.Class)
	if !ok {
		faults.add("priority", "%q is neither 0 to 9 nor urgent, high, normal, low", req.Priority)
	}
	p := plan{signer: req.Signer, limits: req.Limits, NewJob: NewJob{
		ID: newID(), Ref: req.Ref, Key: req.Key, Class: t.Class, Account: req.Account,
		Created: stamp.Now(), Replies: t.Replies, Notice: req.notice(t.Class, &faults),
	}}
	p.time(req, &faults)
	p.dedup(req, &faults)
	if p.Digest, err = req.digest(); err != nil {
		return plan{}, err
	}
	for _, to := range g.recipients(req, &faults) {
		r := g.record(p.NewJob, to, t.Text)
		r.Rank, r.Callback, r.Signer, r.Format = rank, req.CallbackURL, req.Signer, req.Format
		r.Tier, r.Class, r.Bound, r.Until = to.tier, p.Class, req.Account != "", p.ValidUntil
		if r.Parts > maxParts && !faults.has("text") {
			faults.add("text", "%d parts, the limit is %d", r.Parts, maxParts)
		}
		p.Records, p.fields = append(p.Records, r), append(p.fields, to.field)
	}
	p.Awaiting = p.limits.ConfirmOver > 0 && len(p.Records) > p.limits.ConfirmOver
	return p, faults.orNil()
}

func (g *Gateway) record(job NewJob, to recipient, text string) Record {
	text, token := g.linked(text)
	text, reserve := to.account.word(text)
	_, parts := to.account.Style.Cut(text, reserve)
	return Record{
		Message: Message{
			ID: newID(), Job: job.ID, To: to.e164, Raw: to.raw, Text: text, Status: Queued,
			Parts: len(parts), Account: to.account.Name, Ref: job.Ref,
			Times: map[Status]stamp.Time{Queued: job.Created},
		},
		Reserve: reserve, Token: token,
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
	if len(r.CallbackURL) > maxURL {
		faults.add("callback_url", "is longer than %d bytes", maxURL)
		return
	}
	if err := outbound.CheckURL(r.CallbackURL, allow); err != nil {
		faults.add("callback_url", "%w", err)
	}
}

// wording is the text to send with the class and the replies it asks for.
func (g *Gateway) wording(ctx context.Context, req Request, faults *Invalid) (Template, error) {
	t := Template{Text: g.withLink(req.Text, faults)}
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
	if req.Template == "" || !faults.has("template") && !faults.has("vars") {
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
	if strings.Contains(t.Text, "{"+ackLink+"}") && g.cfg.LinkBase != "" {
		vars[ackLink] = g.blankLink()
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
	field     string // that named it
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
	if req.Account != "" && g.lane(req.Account) == nil {
		faults.add("account", "there is no account %q", req.Account)
	}
	var all []recipient
	now := standing{}
	names, lists := req.levels(faults)
	for tier, to := range lists {
		for _, r := range g.level(names[tier], to, req.Account, now, faults) {
			r.tier = tier
			all = append(all, r)
		}
	}
	return all
}

// level are the numbers of one list.
func (g *Gateway) level(field string, to []string, account string, now standing, faults *Invalid) []recipient {
	if len(to) == 0 || len(to) > maxTo {
		faults.add(field, "%d numbers, not 1 to %d", len(to), maxTo)
		return nil
	}
	seen := map[string]bool{}
	var all []recipient
	for i, raw := range to {
		r, err := g.recipient(raw, account, now)
		r.field = fmt.Sprintf("%s[%d]", field, i)
		if err != nil {
			faults.add(r.field, "%w", err)
		} else if !seen[r.e164] {
			seen[r.e164] = true
			all = append(all, r)
		}
	}
	return all
}

// recipient finds who serves a number: the account that was named, else the
// first one that serves it and is up.
func (g *Gateway) recipient(raw, account string, now standing) (recipient, error) {
	r := recipient{e164: number.Normalize(raw, g.cfg.AreaCode), raw: raw}
	if r.e164 == "" {
		return r, fmt.Errorf("%q is no number a text can be sent to", raw)
	}
	if account != "" {
		r.account = g.account(account)
		return r, nil
	}
	if l := now.best(g.serving(r.e164)); l != nil {
		r.account = l.account
		return r, nil
	}
	return r, fmt.Errorf("no account serves %s", number.Mask(r.e164))
}
