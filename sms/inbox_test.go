package sms_test

import (
	"errors"
	"testing"

	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

// stray brings in a text that answers nothing.
func (d *desk) stray(from, text string) sms.Incoming {
	d.t.Helper()
	return d.incoming(sms.Text{ID: text, From: from, To: "10690000", Text: text})[0]
}

func (b *notebook) inbox() (rows []sms.Incoming) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, n := range b.notes {
		if n.Type == sms.NoteInbox {
			rows = append(rows, *n.Incoming)
		}
	}
	return rows
}

func TestClaim(t *testing.T) {
	d := open(t).run()
	row := d.stray(zhang, "在吗")
	in, err := d.Claim(t.Context(), row.ID, "1001")
	if err != nil || in.ClaimedBy != "1001" || in.Claimed == nil {
		t.Fatalf("Claim = %+v, %v", in, err)
	}
	var claimed *sms.Claimed
	if _, err = d.Claim(t.Context(), row.ID, "1002"); !errors.As(err, &claimed) || claimed.By != "1001" {
		t.Errorf("another's claim = %v", err)
	}
	if again, err := d.Claim(t.Context(), row.ID, "1001"); err != nil || !again.Claimed.Equal(in.Claimed.Time) {
		t.Errorf("again = %+v, %v", again, err)
	}
	if got := d.inbox()[0]; got.ClaimedBy != "1001" || !got.Claimed.Equal(in.Claimed.Time) {
		t.Errorf("on disk: %+v", got)
	}
	if _, err := d.Claim(t.Context(), "none", "1001"); !errors.Is(err, sms.ErrNotFound) {
		t.Errorf("no such row: %v", err)
	}
	if got := d.notes.inbox(); len(got) != 1 || got[0].ClaimedBy != "1001" {
		t.Errorf("events = %+v", got)
	}
}

func TestAnswer(t *testing.T) {
	d := open(t).run()
	job := d.accept(order)
	d.await(job.ID, sms.Submitted)
	row := d.incoming(sms.Text{ID: "1", From: zhang, To: "10690000", Text: "地址在哪"})[0]
	ask := sms.Answering{Row: row.ID, Text: "人民路1号", By: "1001", Signer: "user:1001"}
	answer, created, err := d.Answer(t.Context(), ask)
	if err != nil || !created {
		t.Fatalf("Answer = %v, %v", created, err)
	}
	m := d.await(answer.ID, sms.Submitted)
	if answer.Ref != "WO-1001" || answer.Class != sms.ClassDispatch || answer.Account != account || m.To != "+8613800138000" || m.Text != "人民路1号" {
		t.Errorf("answer = %+v, %+v", answer, m)
	}
	if got := d.inbox()[0]; got.Answer != answer.ID || got.ClaimedBy != "1001" {
		t.Errorf("row = %+v", got)
	}
	again, created, err := d.Answer(t.Context(), ask)
	if err != nil || created || again.ID != answer.ID {
		t.Errorf("the same again = %s, %v, %v", again.ID, created, err)
	}
	ask.Text, ask.By = "二号楼", "1002"
	ask.Yield = true
	var claimed *sms.Claimed
	if _, _, err := d.Answer(t.Context(), ask); !errors.As(err, &claimed) {
		t.Errorf("another's row = %v", err)
	}
	ask.Yield = false
	if second, _, err := d.Answer(t.Context(), ask); err != nil || second.ID == answer.ID || d.inbox()[0].Answer != second.ID || d.inbox()[0].ClaimedBy != "1001" {
		t.Errorf("a second answer = %s, %v, row %+v", second.ID, err, d.inbox()[0])
	}
}

func TestAnswerThatCannotBe(t *testing.T) {
	d := open(t).run()
	nobody, somebody := d.stray("10086", "余额不足"), d.stray(zhang, "在吗")
	var faults sms.Invalid
	for field, a := range map[string]sms.Answering{
		"from": {Row: nobody.ID, Text: "x"}, "text": {Row: somebody.ID, Text: " "},
	} {
		if _, _, err := d.Answer(t.Context(), a); !errors.As(err, &faults) || faults[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
	if _, _, err := d.Answer(t.Context(), sms.Answering{Row: "none", Text: "x"}); !errors.Is(err, sms.ErrNotFound) {
		t.Errorf("no such row: %v", err)
	}
	if row := d.inbox()[0]; row.Answer != "" || row.ClaimedBy != "" || len(d.line.submissions()) > 0 {
		t.Errorf("row = %+v", row)
	}
}

func TestMatchByHand(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	db := storagetest.OpenAt(t, cfg)
	if err := db.Notices().Replace([]storage.Endpoint{{URL: "https://tickets.example/hook", Events: []string{"sms.received"}}}); err != nil {
		t.Fatal(err)
	}
	d := openOn(t, db).run()
	req := order
	req.CallbackURL = "https://erp.example/cb"
	job := d.accept(req)
	d.await(job.ID, sms.Submitted)
	row := d.stray("13900139000", "3 已修好")
	if _, err := d.Match(t.Context(), row.ID, "none"); !errors.Is(err, sms.ErrNoJob) {
		t.Errorf("no such job: %v", err)
	}
	if _, err := d.Match(t.Context(), "none", job.ID); !errors.Is(err, sms.ErrNotFound) || errors.Is(err, sms.ErrNoJob) {
		t.Errorf("no such row: %v", err)
	}
	for range 2 { // the same again changes nothing
		in, err := d.Match(t.Context(), row.ID, job.ID)
		if err != nil || in.Job != job.ID || in.Ref != "WO-1001" || in.Match != 1 || in.Keyword != "完成" {
			t.Fatalf("Match = %+v, %v", in, err)
		}
	}
	if got := d.inbox()[0]; got.Job != job.ID || got.Match != 1 || got.Keyword != "完成" || got.From != "+8613900139000" {
		t.Errorf("row = %+v", got)
	}
	if got := d.notes.inbox(); len(got) != 1 || got[0].Job != job.ID {
		t.Errorf("events = %+v", got)
	}
	var told []string
	for _, n := range outboxBodies(t, db) {
		if n["event"] == "sms.received" {
			told = append(told, n["data"].(map[string]any)["keyword"].(string))
		}
	}
	if len(told) != 3 || told[0] != "" || told[1] != "完成" || told[2] != "完成" {
		t.Errorf("told %q, want the text, and the match to webhook and callback", told)
	}
}

// A match by hand acknowledges as the reply itself would have.
func TestMatchByHandAcknowledges(t *testing.T) {
	d := open(t).run()
	req := order
	req.To, req.Tiers = nil, []sms.Tier{{To: []string{zhang}}, {To: []string{"13900139000"}, After: 600}}
	job := d.accept(req)
	d.await(job.ID, sms.Submitted)
	row := d.stray(zhang, "D WO-1010 1") // a digit is wrong
	if row.Job != "" {
		t.Fatalf("row = %+v", row)
	}
	if _, err := d.Match(t.Context(), row.ID, job.ID); err != nil {
		t.Fatal(err)
	}
	if j, err := d.texts.Job(t.Context(), job.ID); err != nil || j.Ack == nil || j.Ack.How != sms.AckReply || j.Ack.By != "+8613800138000" {
		t.Errorf("the job is not acknowledged: %+v, %v", j.Ack, err)
	}
}

// A reply from another phone that names a job is its, but not surely.
func TestReplyFromAnotherPhone(t *testing.T) {
	d := open(t).run()
	job := d.accept(order)
	d.await(job.ID, sms.Submitted)
	for text, want := range map[string]string{
		"D WO-1001 完成": job.ID, "d wo-1001 完成": job.ID, "Ｄ　ＷＯ－１００１　完成": job.ID, "D WO-1002 完成": "", "完成": "",
	} {
		in := d.stray("13900139000", text)
		if in.Job != want || want != "" && (in.Match != 0.5 || in.Keyword != "完成" || in.Ref != "WO-1001") {
			t.Errorf("%s: %+v", text, in)
		}
	}
	if j, err := d.texts.Job(t.Context(), job.ID); err != nil || j.Ack != nil {
		t.Errorf("acknowledged by a stranger: %+v, %v", j.Ack, err)
	}
}

// An answer that a job was given before is rather the other job's.
func TestTheSameAnswerTwice(t *testing.T) {
	d := open(t).run()
	var jobs []sms.Job
	for _, ref := range []string{"WO-1", "WO-2"} {
		req := order
		req.Ref = ref
		jobs = append(jobs, d.accept(req))
		d.await(jobs[len(jobs)-1].ID, sms.Submitted)
	}
	if in := d.stray(zhang, "1"); in.Ref != "WO-2" || in.Keyword != "接单" {
		t.Errorf("first = %+v", in)
	}
	if in := d.stray(zhang, "接单"); in.Ref != "WO-1" || in.Keyword != "接单" {
		t.Errorf("second = %+v", in)
	}
}
