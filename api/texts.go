package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"callbox/cti"
	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
)

// priority is a word or a number from 0 to 9.
type priority struct{ sms.Priority }

// Schema implements [huma.SchemaProvider].
func (priority) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{
		Description: "urgent, high, normal, low, or 0 to 9 with 9 first",
		OneOf:       []*huma.Schema{{Type: huma.TypeString}, {Type: huma.TypeInteger}},
	}
}

// jobBody is what POST /api/v1/sms/jobs takes.
type jobBody struct {
	To          []string       `json:"to,omitempty" maxItems:"10000"`
	Text        string         `json:"text,omitempty"`
	Template    string         `json:"template,omitempty"`
	Vars        map[string]any `json:"vars,omitempty"`
	Account     string         `json:"account,omitempty"`
	Ref         string         `json:"ref,omitempty" doc:"the caller's own reference, such as a work order's number"`
	Key         string         `json:"key,omitempty" doc:"the same key again answers the first job"`
	Class       string         `json:"class,omitempty" doc:"dispatch, notice or marketing"`
	Priority    priority       `json:"priority,omitempty"`
	CallbackURL string         `json:"callback_url,omitempty"`
	SendAt      *time.Time     `json:"send_at,omitempty"`
	ValidUntil  *time.Time     `json:"valid_until,omitempty"`
	Tiers       []sms.Tier     `json:"tiers,omitempty" doc:"instead of to: levels that are told one after another"`
	Repeat      *sms.Repeat    `json:"repeat,omitempty"`
	Dedup       *sms.Dedup     `json:"dedup,omitempty"`
}

func (b jobBody) request(who *caller) sms.Request {
	return sms.Request{
		To: b.To, Text: b.Text, Template: b.Template, Vars: b.Vars, Account: b.Account,
		Ref: b.Ref, Key: b.Key, Class: b.Class, Priority: b.Priority.Priority, CallbackURL: b.CallbackURL,
		SendAt: b.SendAt, ValidUntil: b.ValidUntil, Tiers: b.Tiers, Repeat: b.Repeat,
		Dedup: b.Dedup, Signer: signerOf(who), Limits: who.limits,
	}
}

// userSigner goes before the id of a person who made a job; a program's is its
// key's id alone, which signs the callbacks.
const userSigner = "user:"

func signerOf(who *caller) string {
	if who.program() {
		return who.KeyID
	}
	return userSigner + who.ID
}

type jobOut struct {
	Status int
	Body   sms.Job
}

// jobIn takes any body: [API.postJob] checks it, so that what does not fit
// the schema is told together with what else is wrong.
type jobIn struct{ Body anyJob }

type anyJob struct{ raw json.RawMessage }

// Schema implements [huma.SchemaProvider].
func (anyJob) Schema(huma.Registry) *huma.Schema { return &huma.Schema{} }

// UnmarshalJSON keeps the body as it is.
func (j *anyJob) UnmarshalJSON(raw []byte) error {
	j.raw = slices.Clone(raw)
	return nil
}

// mountJob mounts postJob and describes the body that it checks itself.
func mountJob(a *API, rt route) {
	made(http.StatusAccepted, (*API).postJob)(a, rt)
	doc := a.huma.OpenAPI()
	a.jobSchema = doc.Components.Schemas.Schema(reflect.TypeFor[jobBody](), true, "JobBody")
	doc.Paths[rt.path].Post.RequestBody.Content["application/json"].Schema = a.jobSchema
}

// postJob answers 202 when a job is on disk, or where it is the same as one
// within its window; 200 with the first one where its key was used before.
func (a *API) postJob(ctx context.Context, in *jobIn) (*jobOut, error) {
	body, faults, err := a.readJob(ctx, in.Body.raw)
	if err != nil {
		return nil, err
	}
	if len(faults) > 0 {
		return nil, a.allFaults(ctx, body, faults)
	}
	job, created, err := a.deps.Texter.Accept(ctx, body.request(callerOf(ctx)))
	if err != nil {
		return nil, textProblem(err)
	}
	if !created && callerOf(ctx).own() {
		if _, err := a.job(ctx, job.ID); errors.Is(err, cti.ErrNotFound) {
			return nil, textProblem(sms.ErrKeyConflict) // another's job is none of his
		} else if err != nil {
			return nil, err
		}
	}
	out := &jobOut{Status: http.StatusAccepted, Body: job}
	if !created && body.Key != "" && job.Key == body.Key {
		out.Status = http.StatusOK
	}
	return out, nil
}

// readJob reads a body, without what does not fit the schema, and gives the
// faults there.
func (a *API) readJob(ctx context.Context, raw json.RawMessage) (body jobBody, faults []error, err error) {
	var parsed any
	if err := json.Unmarshal(raw, &parsed); err != nil {
		return body, nil, fmt.Errorf("read job: %w", err) // which huma has read before
	}
	where, found := huma.NewPathBuffer(nil, 0), &huma.ValidateResult{}
	where.Push("body")
	huma.Validate(a.huma.OpenAPI().Components.Schemas, a.jobSchema, where, huma.ModeWriteToServer, parsed, found)
	if len(found.Errors) > 0 {
		if raw, err = fitting(parsed, found.Errors); err != nil {
			return body, nil, unprocessable(found.Errors...)
		}
	}
	if err := json.Unmarshal(raw, &body); err != nil {
		return body, nil, unprocessable(append(found.Errors, at("body", err.Error(), nil))...)
	}
	if body.CallbackURL != "" && !callerOf(ctx).program() {
		found.Errors = append(found.Errors, at("body.callback_url", "needs a key, which signs what is sent there", body.CallbackURL))
	}
	return body, found.Errors, nil
}

// fitting is a body without the fields that have faults.
func fitting(parsed any, faults []error) (json.RawMessage, error) {
	object, ok := parsed.(map[string]any)
	if !ok {
		return nil, errors.New("the body is no object")
	}
	places := placesOf(faults)
	maps.DeleteFunc(object, func(key string, _ any) bool {
		return slices.ContainsFunc(places, func(p string) bool { return covers("body."+key, p) })
	})
	return json.Marshal(object)
}

// placesOf are where faults are.
func placesOf(faults []error) (places []string) {
	for _, f := range faults {
		var d *huma.ErrorDetail
		if errors.As(f, &d) {
			places = append(places, d.Location)
		}
	}
	return places
}

// allFaults adds to faults what the gateway finds in other fields.
func (a *API) allFaults(ctx context.Context, body jobBody, faults []error) error {
	var more sms.Invalid
	if err := a.deps.Texter.Check(ctx, body.request(callerOf(ctx))); err != nil && !errors.As(err, &more) {
		return textProblem(err)
	}
	told := placesOf(faults)
	if slices.ContainsFunc(told, func(t string) bool { return covers("body.tiers", t) }) {
		told = append(told, "body.to") // which is empty where there are tiers
	}
	for _, f := range more {
		where := "body." + f.Field
		if !slices.ContainsFunc(told, func(t string) bool { return covers(t, where) || covers(where, t) }) {
			faults = append(faults, at(where, f.Err.Error(), nil))
		}
	}
	return unprocessable(faults...)
}

// covers says whether a place is another one or lies around it.
func covers(place, other string) bool {
	rest, in := strings.CutPrefix(other, place)
	return in && (rest == "" || rest[0] == '.' || rest[0] == '[')
}

// textProblem puts what the gateway says into a problem.
func textProblem(err error) error {
	var invalid sms.Invalid
	var over *sms.OverLimit
	switch {
	case errors.As(err, &invalid):
		var faults []error
		for _, f := range invalid {
			faults = append(faults, at("body."+f.Field, f.Err.Error(), nil))
		}
		return unprocessable(faults...)
	case errors.As(err, &over):
		return overLimit(over)
	case errors.Is(err, sms.ErrNotAwaiting):
		return huma.NewError(http.StatusConflict, err.Error())
	case errors.Is(err, sms.ErrKeyConflict):
		return huma.NewError(http.StatusConflict, "the key belongs to another job", at("body.key", err.Error(), nil))
	case errors.Is(err, sms.ErrNotFound), errors.Is(err, storage.ErrNotFound):
		return cti.ErrNotFound
	}
	return fmt.Errorf("texts: %w", err)
}

// job is a job that who asks may see: an agent's are those he made.
func (a *API) job(ctx context.Context, id string) (sms.Job, error) {
	if only := onlyOf(ctx); only != "" {
		signer, err := a.deps.Texts.Signer(ctx, id)
		if err != nil || signer != only {
			return sms.Job{}, errors.Join(cti.ErrNotFound, err)
		}
	}
	job, err := a.deps.Texts.Job(ctx, id)
	if err != nil {
		return sms.Job{}, textProblem(err)
	}
	return job, nil
}

func (a *API) getJob(ctx context.Context, in *byID) (*one[sms.Job], error) {
	job, err := a.job(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return &one[sms.Job]{Body: job}, nil
}

func (a *API) cancelJob(ctx context.Context, in *byID) (*one[sms.Job], error) {
	if _, err := a.job(ctx, in.ID); err != nil {
		return nil, err
	}
	job, err := a.deps.Texter.Cancel(ctx, in.ID)
	if err != nil {
		return nil, textProblem(err)
	}
	return &one[sms.Job]{Body: job}, nil
}

type byRef struct {
	Ref string `query:"ref" required:"true" minLength:"1" maxLength:"128"`
}

// cancelRef cancels what is not yet submitted of every job with a reference.
func (a *API) cancelRef(ctx context.Context, in *byRef) (*rows[sms.Job], error) {
	if callerOf(ctx).own() {
		return nil, forbidden("an agent cancels by the job's id")
	}
	jobs, err := a.deps.Texter.CancelRef(ctx, in.Ref)
	if err != nil {
		return nil, textProblem(err)
	}
	return pageOf(jobs, ""), nil
}

type messagesIn struct {
	To     string    `query:"to" maxLength:"64" doc:"in any form"`
	Status string    `query:"status" enum:"scheduled,queued,submitting,submitted,delivered,failed,expired,unknown,canceled"`
	Ref    string    `query:"ref" maxLength:"128"`
	Since  time.Time `query:"since" doc:"inclusive"`
	Paged
}

func (a *API) listMessages(ctx context.Context, in *messagesIn) (*rows[sms.Message], error) {
	messages, next, err := a.deps.Texts.Messages(ctx, storage.MessageFilter{
		To: in.To, Status: sms.Status(in.Status), Ref: in.Ref, Since: stamp.At(in.Since),
		Limit: in.limit(), Cursor: in.Cursor, Signer: onlyOf(ctx),
	})
	if err != nil {
		return nil, fmt.Errorf("list messages: %w", err)
	}
	return pageOf(messages, next), nil
}

// onlyOf is whose texts an agent sees: his own; empty is everybody's.
func onlyOf(ctx context.Context) string {
	if who := callerOf(ctx); who.own() {
		return signerOf(who)
	}
	return ""
}

// ownerOf is the user whose job an event about a text belongs to; empty where
// it was a program's, or where the event is about something else.
func (a *API) ownerOf(ctx context.Context, e *cti.Event) string {
	switch e.Type {
	case cti.EventSMSStatus, cti.EventSMSLate, cti.EventSMSReceived, cti.EventSMSInbox, cti.EventNoticeStep, cti.EventNoticeAck:
	default:
		return ""
	}
	id, _ := e.UserData["job"].(string)
	if id == "" {
		return ""
	}
	signer, err := a.deps.Texts.Signer(ctx, id)
	if err != nil {
		return "" // then only those see it who see all
	}
	owner, ok := strings.CutPrefix(signer, userSigner)
	if !ok {
		return ""
	}
	return owner
}

// deadLetter is a notice that was given up, as the API shows it.
type deadLetter struct {
	ID       string          `json:"id"`
	Event    string          `json:"event"`
	URL      string          `json:"url"`
	Time     stamp.Time      `json:"time"`
	Attempts int             `json:"attempts"`
	Error    string          `json:"error"`
	Body     json.RawMessage `json:"body"`
}

func (a *API) listDead(ctx context.Context, in *Paged) (*rows[deadLetter], error) {
	letters, next, err := a.deps.Dead.DeadLetters(ctx, in.page())
	if err != nil {
		return nil, fmt.Errorf("list dead letters: %w", err)
	}
	var out []deadLetter
	for _, l := range letters {
		out = append(out, deadLetter(l))
	}
	return pageOf(out, next), nil
}

// replayed names what is on its way again.
type replayed struct {
	ID string `json:"id"`
}

func (a *API) replay(ctx context.Context, in *byID) (*one[replayed], error) {
	if err := a.deps.Dead.Replay(ctx, in.ID); err != nil {
		return nil, fmt.Errorf("replay: %w", err)
	}
	return &one[replayed]{Body: replayed{in.ID}}, nil
}
