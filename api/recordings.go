package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"callbox/cti"
	"callbox/storage"
)

// sound is a recording with the call that it is of.
type sound struct {
	cti.Recording
	Started   cti.Time   `json:"started"`
	Direction string     `json:"direction"`
	From      cti.Number `json:"from"`
	To        cti.Number `json:"to"`
	Line      string     `json:"line"`
	Queue     *cti.Ref   `json:"queue"`
	Agent     *cti.Ref   `json:"agent"`
	Customer  *cti.Ref   `json:"customer"`
	Result    *string    `json:"result"` // null while the call runs
}

func soundOf(call *cti.CDR) sound {
	return sound{
		Recording: call.Recording, Started: call.Times.Answer, Direction: call.Direction,
		From: call.From, To: call.To, Line: call.Line, Queue: call.Queue, Agent: call.Agent,
		Customer: call.Customer, Result: call.Result,
	}
}

type recordingsIn struct {
	Since      time.Time `query:"since" doc:"inclusive"`
	Until      time.Time `query:"until" doc:"exclusive"`
	Q          string    `query:"q" maxLength:"64" doc:"a number in any form, the end of one, or a part of the customer's or the agent's name"`
	Number     string    `query:"number" maxLength:"64" doc:"in any form; either side"`
	Agent      string    `query:"agent" maxLength:"64"`
	Queue      string    `query:"queue" maxLength:"64"`
	MinSeconds float64   `query:"min_seconds" minimum:"0"`
	Paged
}

// listRecordings gives the recordings of calls, newest first.
func (a *API) listRecordings(ctx context.Context, in *recordingsIn) (*rows[sound], error) {
	f := storage.ShelfFilter{
		Since: in.Since, Until: in.Until, Number: in.Number, Q: in.Q, Agent: in.Agent, Queue: in.Queue,
		MinSeconds: in.MinSeconds, Page: in.page(),
	}
	if who := callerOf(ctx); who.own() {
		f.VisibleTo = who.ID
	}
	records, next, err := a.deps.Shelf.Shelf(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("list recordings: %w", err)
	}
	out := make([]sound, len(records))
	for i := range records {
		out[i] = soundOf(&records[i])
	}
	return pageOf(out, next), nil
}

func recorded(call *cti.CDR) bool {
	return call.Recording.ID != "" && call.Recording.State != cti.RecordingNone
}

func (a *API) getRecording(ctx context.Context, in *byID) (*one[sound], error) {
	call, err := a.visible(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	if !recorded(&call) {
		return nil, cti.ErrNotFound
	}
	return &one[sound]{Body: soundOf(&call)}, nil
}

// audio sends a recording's sound, in ranges if asked. The file is found by
// the call's id only, below the recordings folder only, and each listen is in
// the audit log before the first byte leaves.
func (a *API) audio(w http.ResponseWriter, r *http.Request) {
	if err := a.sendAudio(w, r, r.PathValue("id")); err != nil {
		a.fail(w, r, err)
	}
}

func (a *API) sendAudio(w http.ResponseWriter, r *http.Request, id string) error {
	ctx := r.Context()
	call, err := a.visible(ctx, id)
	if err != nil {
		return err
	}
	row, err := a.deps.Recordings.Recording(ctx, call.ID)
	if err != nil {
		return fmt.Errorf("read the row: %w", err)
	}
	file, err := a.shelf.Open(row.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return cti.ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("open recording %s: %w", call.ID, err)
	}
	defer file.Close()
	if err := a.listened(r, call.ID); err != nil {
		return err
	}
	w.Header().Set("Content-Type", "audio/wav")
	w.Header().Set("Content-Disposition", `inline; filename="`+call.ID+`.wav"`)
	w.Header().Set("Cache-Control", "private, no-cache")
	changed := time.Time{} // a file that still grows is never "not modified"
	if row.State != cti.RecordingRunning {
		changed = row.Started
	}
	http.ServeContent(w, r, "", changed, file)
	return nil
}

// listened writes into the audit log who hears a recording.
func (a *API) listened(r *http.Request, id string) error {
	if r.Method != http.MethodGet {
		return nil
	}
	who := callerOf(r.Context())
	e := storage.AuditEntry{Who: who.ID, What: "recording.listen", Object: id, Origin: address(r), Detail: r.Header.Get("Range")}
	if err := a.deps.Audit.Audit(r.Context(), e); err != nil {
		return fmt.Errorf("audit the listening: %w", err)
	}
	return nil
}
