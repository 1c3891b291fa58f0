package app

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"

	"callbox/acd"
	"callbox/api"
	"callbox/cti"
	"callbox/cti/media"
	"callbox/cti/sip"
	"callbox/ivr"
	"callbox/ivr/speech"
	"callbox/recorder"
	"callbox/sms"
	"callbox/storage"
)

// Where a part's port and the other part's method differ in a type or a name.
var (
	_ sip.Accounts   = phones{}
	_ sip.Bindings   = phones{}
	_ sip.Dialogs    = dialogs{}
	_ recorder.Index = index{}
	_ cti.Recorder   = shelf{}
	_ sms.Events     = textEvents{}
	_ api.Texter     = texter{}
	_ acd.Announcer  = music{}
	_ ivr.Prompts    = prompts{}
)

// phones are the extensions' secrets and bindings, as SIP asks for them.
type phones struct {
	db  *storage.DB
	log *slog.Logger
}

// HA1 gives an extension's digests.
func (p phones) HA1(ctx context.Context, extension string) (md5, sha256 string, ok bool) {
	ha1, ok, err := p.db.HA1(ctx, extension)
	if err != nil {
		p.log.Error("phone's secret not read", "extension", extension, "err", err)
	}
	return ha1.MD5, ha1.SHA256, ok
}

// Load gives the bindings that have not expired.
func (p phones) Load(ctx context.Context) ([]sip.Binding, error) {
	rows, err := p.db.Bindings(ctx)
	out := make([]sip.Binding, len(rows))
	for i, row := range rows {
		out[i] = sip.Binding(row)
	}
	return out, err
}

// Save keeps a binding, behind.
func (p phones) Save(b sip.Binding) { p.db.SaveBinding(storage.Binding(b)) }

// Remove forgets a binding, behind.
func (p phones) Remove(user, contact string) { p.db.RemoveBinding(user, contact) }

// dialogs keeps what a BYE after a crash needs.
type dialogs struct {
	db  *storage.DB
	log *slog.Logger
}

// Open keeps or changes a dialog, behind.
func (d dialogs) Open(row sip.DialogRow) {
	doc, err := json.Marshal(row)
	if err != nil { // strings and numbers always marshal
		d.log.Error("dialog not kept", "dialog", row.ID, "err", err)
		return
	}
	d.db.SaveDialog(row.ID, doc)
}

// Closed forgets a dialog, behind.
func (d dialogs) Closed(id string) { d.db.RemoveDialog(id) }

// Left gives what the last run left open.
func (d dialogs) Left(ctx context.Context) ([]sip.DialogRow, error) {
	docs, err := d.db.Dialogs(ctx)
	if err != nil {
		return nil, err
	}
	rows := make([]sip.DialogRow, len(docs))
	for i, doc := range docs {
		if err := json.Unmarshal(doc, &rows[i]); err != nil {
			return nil, fmt.Errorf("stored dialog: %w", err)
		}
	}
	return rows, nil
}

// index keeps the recorder's rows.
type index struct{ db *storage.DB }

// Opened writes a row before its file's first byte.
func (x index) Opened(ctx context.Context, r recorder.Row) error { return x.put(ctx, r) }

// Closed writes how a recording ended.
func (x index) Closed(ctx context.Context, r recorder.Row) error { return x.put(ctx, r) }

func (x index) put(ctx context.Context, r recorder.Row) error {
	return x.db.PutRecording(ctx, storage.RecordingRow{
		ID: r.ID, Path: r.Path, Law: lawName(r.Law), Started: r.Started, State: r.State,
		Seconds: r.Seconds, Missing: r.Missing, Why: r.Why, SHA256: r.SHA256, Mixed: r.Mixed,
	})
}

// Unfinished gives what a crash left open.
func (x index) Unfinished(ctx context.Context) ([]recorder.Row, error) {
	rows, err := x.db.OpenRecordings(ctx)
	out := make([]recorder.Row, len(rows))
	for i, r := range rows {
		out[i] = recorder.Row{
			ID: r.ID, Path: r.Path, Law: lawOf(r.Law), Started: r.Started, State: r.State,
			Seconds: r.Seconds, Missing: r.Missing, Why: r.Why, SHA256: r.SHA256, Mixed: r.Mixed,
		}
	}
	return out, err
}

const pcmu, pcma = "PCMU", "PCMA"

func lawName(l media.Law) string {
	if l == media.PCMU {
		return pcmu
	}
	return pcma
}

func lawOf(name string) media.Law {
	if name == pcmu {
		return media.PCMU
	}
	return media.PCMA
}

// shelf records calls.
type shelf struct{ *recorder.Shelf }

// Record taps the outside party until stop.
func (s shelf) Record(ctx context.Context, call string, outside media.Port) (func(context.Context) cti.Recording, error) {
	stop, err := s.Shelf.Record(ctx, call, outside)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) cti.Recording {
		r := stop(ctx)
		return cti.Recording{
			ID: call, State: r.State, Seconds: r.Seconds, MissingSeconds: r.MissingSeconds,
			Why: r.Why, Mixed: r.Mixed, SHA256: r.SHA256,
		}
	}, nil
}

// Pause lets silence stand in a recording, or ends that.
func (s shelf) Pause(call string, paused bool) error {
	if !s.Shelf.Pause(call, paused) {
		return cti.ErrNotFound
	}
	return nil
}

// texter counts what it takes.
type texter struct {
	*sms.Gateway
	metrics *api.Metrics
}

// Accept stores a job; created is false where its key gave an earlier one.
func (t texter) Accept(ctx context.Context, r sms.Request) (job sms.Job, created bool, err error) {
	job, created, err = t.Gateway.Accept(ctx, r)
	if created {
		t.count(job)
	}
	return job, created, err
}

// Answer sends an answer to an incoming text.
func (t texter) Answer(ctx context.Context, a sms.Answering) (job sms.Job, created bool, err error) {
	job, created, err = t.Gateway.Answer(ctx, a)
	if created {
		t.count(job)
	}
	return job, created, err
}

func (t texter) count(job sms.Job) {
	for _, m := range job.Messages {
		if m.Status != sms.Canceled { // which is an event, and counted there
			t.metrics.Message(m.Account, string(m.Status))
		}
	}
}

// textEvents puts what happens to texts into the journal, so that screens see
// it, and counts it.
type textEvents struct {
	journal *storage.Journal
	metrics *api.Metrics
	log     *slog.Logger
}

// Note writes a status or an incoming text as an event.
func (t textEvents) Note(ctx context.Context, n sms.Note) {
	e := cti.Event{Type: n.Type}
	switch {
	case n.Message != nil:
		e.UserData = map[string]any{"job": n.Message.Job, "message": n.Message}
		e.Called = &cti.Number{E164: n.Message.To, Raw: n.Message.Raw}
		if n.Type == sms.NoteStatus {
			t.metrics.Message(n.Message.Account, string(n.Message.Status))
		}
	case n.Incoming != nil:
		e.UserData = map[string]any{"job": n.Incoming.Job, "incoming": n.Incoming}
		e.Calling = &cti.Number{E164: n.Incoming.From, Raw: n.Incoming.Raw}
	case n.Notice != nil:
		e.UserData = map[string]any{"job": n.Notice.Job, "ref": n.Notice.Ref}
		if n.Notice.Ack != nil {
			e.UserData["ack"] = n.Notice.Ack
		} else {
			e.UserData["step"] = n.Notice.Step
		}
	}
	if err := t.journal.Note(ctx, e); err != nil {
		t.log.Error("text's event not noted", "event", n.Type, "err", err)
	}
}

// music is what waiting callers hear.
type music struct{ prompt media.Prompt }

// Wait plays until ctx ends.
func (m music) Wait(ctx context.Context, call *cti.Call, _ acd.Queue) error {
	return call.Media().Play(ctx, m.prompt)
}

// prompts are the sounds that flows name.
type prompts struct{ *speech.Library }

// Prompt loads one.
func (p prompts) Prompt(ctx context.Context, name string) (media.Prompt, error) {
	return p.Load(ctx, name)
}
