package sms_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/sms"
	"callbox/storage"
)

const (
	zhang = "13800138000"
	li    = "13900139000"
)

func TestAcceptNamesEveryFault(t *testing.T) {
	d := open(t)
	vars := map[string]any{"engineer": "张工", "customer": "杭州某厂"}
	for name, tt := range map[string]struct {
		req  sms.Request
		want []string
	}{
		"nothing":            {sms.Request{}, []string{"text", "to"}},
		"bad numbers":        {sms.Request{To: []string{zhang, "10086", "anonymous"}, Text: "x"}, []string{"to[1]", "to[2]"}},
		"blank text":         {sms.Request{To: []string{zhang}, Text: " \n"}, []string{"text"}},
		"control characters": {sms.Request{To: []string{zhang}, Text: "a\x00b"}, []string{"text"}},
		"not UTF-8":          {sms.Request{To: []string{zhang}, Text: "a\xff"}, []string{"text"}},
		"too long":           {sms.Request{To: []string{zhang, li}, Text: strings.Repeat("字", 51*67)}, []string{"text"}},
		"text and template":  {sms.Request{To: []string{zhang}, Text: "x", Template: "work_order"}, []string{"template"}},
		"no such template":   {sms.Request{To: []string{zhang}, Template: "nope"}, []string{"template"}},
		"vars alone":         {sms.Request{To: []string{zhang}, Text: "x", Vars: vars}, []string{"vars"}},
		"variable missing":   {sms.Request{To: []string{zhang}, Template: "work_order", Vars: vars}, []string{"vars.ref"}},
		"variable unknown":   {sms.Request{To: []string{zhang}, Template: "work_order", Ref: "WO-1", Vars: with(vars, "adress", "x")}, []string{"vars.adress"}},
		"variable is a list": {sms.Request{To: []string{zhang}, Template: "work_order", Vars: with(vars, "ref", []any{"x"})}, []string{"vars.ref"}},
		"account":            {sms.Request{To: []string{zhang}, Text: "x", Account: "other"}, []string{"account"}},
		"class":              {sms.Request{To: []string{zhang}, Text: "x", Class: "spam"}, []string{"class"}},
		"priority":           {sms.Request{To: []string{zhang}, Text: "x", Priority: "10"}, []string{"priority"}},
		"callback to here":   {sms.Request{To: []string{zhang}, Text: "x", CallbackURL: "http://127.0.0.1:1/x"}, []string{"callback_url"}},
		"callback too long":  {sms.Request{To: []string{zhang}, Text: "x", CallbackURL: "https://x.example/" + strings.Repeat("x", 2048)}, []string{"callback_url"}},
		"callback":           {sms.Request{To: []string{zhang}, Text: "x", CallbackURL: "ftp://x"}, []string{"callback_url"}},
		"ref and key":        {sms.Request{To: []string{zhang}, Text: "x", Ref: strings.Repeat("x", 129), Key: "a\x01"}, []string{"ref", "key"}},
	} {
		t.Run(name, func(t *testing.T) {
			_, _, err := d.Accept(t.Context(), tt.req)
			if got := fields(err); !slices.Equal(got, tt.want) {
				t.Errorf("faults in %v, want %v: %v", got, tt.want, err)
			}
		})
	}
	if page, _, err := d.texts.Messages(t.Context(), storage.MessageFilter{}); err != nil || len(page) != 0 {
		t.Errorf("%d messages stored (%v), want none", len(page), err)
	}
}

func with(vars map[string]any, name string, value any) map[string]any {
	more := map[string]any{name: value}
	for k, v := range vars {
		more[k] = v
	}
	return more
}

func fields(err error) (names []string) {
	var v sms.Invalid
	if errors.As(err, &v) {
		for _, f := range v {
			names = append(names, f.Field)
		}
	}
	return names
}

// Everything that is wrong is told at once.
func TestAcceptNamesAllFaultsTogether(t *testing.T) {
	d := open(t)
	past := time.Now().Add(-time.Hour)
	_, _, err := d.Accept(t.Context(), sms.Request{
		To: []string{"12", zhang}, Text: "", Class: "spam", Priority: "10", Account: "other", Ref: "a\x01", Key: "a\x01",
		CallbackURL: "ftp://x", ValidUntil: &past, Dedup: &sms.Dedup{Window: -1}, Vars: map[string]any{"a": 1},
	})
	got := fields(err)
	slices.Sort(got)
	want := []string{
		"account", "callback_url", "class", "dedup.key", "dedup.window", "key", "priority", "ref", "text", "to[0]", "valid_until", "vars",
	}
	if !slices.Equal(got, want) {
		t.Errorf("faults in %v, want %v", got, want)
	}
}

func TestAcceptKeepsWhatWasAsked(t *testing.T) {
	d := open(t, func(a *sms.Account) { a.Signature = "【安顺维保】" })
	job := d.accept(sms.Request{
		To: []string{"138 0013 8000", "+8613800138000", "057188880001"}, Template: "work_order", Ref: "WO-1",
		Vars: map[string]any{"engineer": "张工", "customer": "{ref}厂"},
	})
	if len(job.Messages) != 2 {
		t.Fatalf("%d messages, want 2: one a recipient", len(job.Messages))
	}
	m := job.Messages[0]
	want := "【安顺维保】张工,您有新工单WO-1:{ref}厂。回复1接单 2到达 3完成"
	if m.Text != want || m.To != "+8613800138000" || m.Raw != "138 0013 8000" || m.Parts != 1 || m.Status != sms.Queued {
		t.Errorf("message = %+v", m)
	}
	kept, err := d.texts.Job(t.Context(), job.ID)
	if err != nil {
		t.Fatal(err)
	}
	if a, b := asJSON(t, job), asJSON(t, kept); a != b {
		t.Errorf("answered %s\nkept     %s", a, b)
	}
	if kept.Class != sms.ClassDispatch || kept.Status != sms.JobOpen {
		t.Errorf("class %s, status %s", kept.Class, kept.Status)
	}
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestSameKeyIsSameJob(t *testing.T) {
	d := open(t)
	req := sms.Request{To: []string{zhang}, Text: "x", Key: "k1"}
	first := d.accept(req)
	again, created, err := d.Accept(t.Context(), req)
	if err != nil || created || again.ID != first.ID {
		t.Errorf("again = %s, created %v, %v; want %s", again.ID, created, err, first.ID)
	}
	req.Text = "y"
	if _, _, err := d.Accept(t.Context(), req); !errors.Is(err, sms.ErrKeyConflict) {
		t.Errorf("other body: %v, want ErrKeyConflict", err)
	}
}

func TestNumberFindsAccount(t *testing.T) {
	a, b, c := newFake("a"), newFake("b"), newFake("c")
	g, err := sms.New(sms.Config{AreaCode: "0571", Accounts: []sms.Account{
		{Name: "a", Numbers: []string{"138", "+852"}},
		{Name: "b", Numbers: []string{"carrier:unicom"}},
		{Name: "c"},
	}}, open(t).texts, a, b, c)
	if err != nil {
		t.Fatal(err)
	}
	for to, want := range map[string]string{
		"13800138000": "a", "+85291234567": "a", "13012345678": "b", "18912345678": "c", "+14155552671": "c",
	} {
		job, _, err := g.Accept(t.Context(), sms.Request{To: []string{to}, Text: "x"})
		if err != nil || job.Messages[0].Account != want {
			t.Errorf("%s: account %+v, %v; want %s", to, job.Messages, err, want)
		}
	}
	job, _, err := g.Accept(t.Context(), sms.Request{To: []string{"13800138000"}, Text: "x", Account: "c"})
	if err != nil || job.Messages[0].Account != "c" {
		t.Errorf("bound: %+v, %v", job.Messages, err)
	}
}

func TestNewRefusesBadAccounts(t *testing.T) {
	_, err := sms.New(sms.Config{Accounts: []sms.Account{
		{Name: "a", OnUnknown: "guess", SignatureBy: "me", Numbers: []string{"x"}, ExtensionDigits: 9},
		{Name: "a"},
		{Name: "b"},
	}}, nil, newFake("a"), newFake("z"))
	for _, want := range []string{"on_unknown", "signature_by", "numbers[0]", "extension.digits", "account b: no carrier", "named twice", "carrier z"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not mention %q: %v", want, err)
		}
	}
}

func TestListsPage(t *testing.T) {
	d := open(t)
	var ids []string
	for i := range 5 {
		ids = append(ids, d.accept(sms.Request{To: []string{zhang}, Text: fmt.Sprint(i), Ref: "R"}).Messages[0].ID)
	}
	d.send(li, "x")
	var got []string
	f := storage.MessageFilter{To: "0086-138-0013-8000", Ref: "R", Status: sms.Queued, Limit: 2}
	for pages := 0; pages < 4; pages++ {
		page, next, err := d.texts.Messages(t.Context(), f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range page {
			got = append(got, m.ID)
		}
		if f.Cursor = next; next == "" {
			break
		}
	}
	slices.Reverse(got)
	if !slices.Equal(got, ids) {
		t.Errorf("pages give %v, want %v", got, ids)
	}
	if page, _, err := d.texts.Messages(t.Context(), storage.MessageFilter{Status: "no such"}); err != nil || len(page) > 0 {
		t.Errorf("unknown status: %v, %v", page, err)
	}
	if n, err := d.texts.Depth(t.Context()); err != nil || n != 6 {
		t.Errorf("Depth = %d, %v", n, err)
	}
}

// What is not served does not count when it is empty, however that is written.
func TestKeyIsOfTheSameRequest(t *testing.T) {
	d := open(t)
	var ids []string
	for _, body := range []string{
		`{"to":["13800138000"],"text":"x","key":"k"}`,
		`{"key":"k","tiers":[],"dedup":null,"send_at":null,"text":"x","to":["13800138000"]}`,
	} {
		var req sms.Request
		if err := json.Unmarshal([]byte(body), &req); err != nil {
			t.Fatal(err)
		}
		job, _, err := d.Accept(t.Context(), req)
		if err != nil {
			t.Fatalf("%s: %v", body, err)
		}
		ids = append(ids, job.ID)
	}
	if ids[0] != ids[1] {
		t.Errorf("jobs %v, want one", ids)
	}
}
