package sms_test

import (
	"slices"
	"strings"
	"testing"

	"callbox/internal/segment"
	"callbox/sms"
	"callbox/storage"
)

// What is told before sending is what is told of the job.
func TestPreview(t *testing.T) {
	const sig = "【安顺维保】"
	for _, by := range []string{sms.SignedByUs, sms.SignedByGateway} {
		d := open(t, func(a *sms.Account) { a.Signature, a.SignatureBy = sig, by })
		for _, text := range []string{"好", strings.Repeat("字", 64), strings.Repeat("字", 65), "👷" + strings.Repeat("a", 300), "接单{ack}"} {
			for _, to := range [][]string{nil, {""}, {zhang}} {
				p, err := d.Preview(t.Context(), sms.Request{To: to, Text: text})
				if err != nil {
					t.Fatal(err)
				}
				job, _, err := d.Accept(t.Context(), sms.Request{To: []string{zhang}, Text: text})
				if err != nil {
					t.Fatal(err)
				}
				if sent := job.Messages[0]; p.Parts != sent.Parts || !strings.HasPrefix(p.Text, sig) || p.Characters != sms.Units(p.Text) ||
					by == sms.SignedByUs && sms.Units(p.Text) != sms.Units(sent.Text) || p.Encoding != segment.UCS2 {
					t.Errorf("%s: told %+v, sent %+v", by, p, sent)
				}
			}
		}
	}
	d := open(t)
	p, err := d.Preview(t.Context(), sms.Request{Template: "work_order", Ref: "WO-1", Vars: map[string]any{"engineer": "张工", "customer": "某厂"}})
	if err != nil || !strings.Contains(p.Text, "张工") || p.Parts != 1 {
		t.Errorf("template: %+v, %v", p, err)
	}
	if p, err := d.Preview(t.Context(), sms.Request{Text: "ok"}); err != nil || p != (sms.Preview{Text: "ok", Parts: 1, Characters: 2, Encoding: segment.ASCII}) {
		t.Errorf("ascii: %+v, %v", p, err)
	}
	for field, req := range map[string]sms.Request{
		"text": {}, "text ": {Text: strings.Repeat("字", 51*67)}, "to[0]": {Text: "x", To: []string{"10086"}},
		"account": {Text: "x", Account: "none"}, "account ": {Text: "x", To: []string{zhang}, Account: "none"},
		"template": {Template: "none"}, "vars.engineer": {Template: "work_order", Ref: "x", Vars: map[string]any{"customer": "x"}},
	} {
		if _, err := d.Preview(t.Context(), req); !slices.Equal(fields(err), []string{strings.TrimSpace(field)}) {
			t.Errorf("%+v: %v, want %s", req, err, field)
		}
	}
	two := openPair(t)
	if p, err := two.Preview(t.Context(), sms.Request{Text: "好", Account: "backup"}); err != nil || p.Text != "【安顺维保服务】好" {
		t.Errorf("by an account: %+v, %v", p, err)
	}
	if page, _, err := d.texts.Messages(t.Context(), storage.MessageFilter{Ref: "WO-1"}); err != nil || len(page) != 0 {
		t.Errorf("a preview was stored: %v, %v", page, err)
	}
}
