package sms

import "testing"

func TestMatch(t *testing.T) {
	replies := map[string]string{"1": "接单", "2": "到达", "3": "完成", "11": "拒单"}
	sent := func(job, ref string) Candidate {
		return Candidate{Job: job, Ref: ref, Account: "a", Status: Delivered, Replies: replies}
	}
	failed := Candidate{Job: "failed", Ref: "WO-9", Account: "a", Status: Failed}
	notice := Candidate{Job: "notice", Account: "a", Status: Submitted}
	elsewhere := Candidate{Job: "b", Ref: "WO-7", Account: "b", Status: Delivered}
	extended := sent("ext", "WO-3")
	extended.Extension = "42"
	waiting := sent("queued", "WO-4")
	waiting.Status = Queued
	maybe := waiting
	maybe.Job, maybe.MaybeSent = "maybe", true
	done := sent("done", "WO-2")
	done.Given = []string{"接单", "完成"}
	again := done
	again.Job = "again"
	plainJob := Candidate{Job: "plain", Ref: "20261122001", Account: "a", Status: Delivered}
	two := []Candidate{sent("x", "WO-2"), sent("y", "WO-1")}

	for name, tt := range map[string]struct {
		reply
		all     []Candidate
		job     string
		sure    float64
		keyword string
	}{
		"nobody":                  {reply{text: "1"}, nil, "", 0, ""},
		"only one":                {reply{text: "1", account: "a"}, []Candidate{sent("x", "WO-1")}, "x", byOnly, "接单"},
		"only one, twice":         {reply{text: "好", account: "a"}, []Candidate{sent("x", "WO-1"), sent("x", "WO-1")}, "x", byOnly, ""},
		"never left":              {reply{text: "1", account: "a"}, []Candidate{waiting, failed}, "", 0, ""},
		"may have left":           {reply{text: "1", account: "a"}, []Candidate{maybe}, "maybe", byOnly, "接单"},
		"latest of two":           {reply{text: "好的", account: "a"}, []Candidate{sent("x", "WO-2"), sent("y", "WO-1")}, "x", byLatest, ""},
		"latest that asked":       {reply{text: "2", account: "a"}, []Candidate{notice, sent("y", "WO-1")}, "y", byKeyword, "到达"},
		"extension":               {reply{text: "3", account: "a", extension: "42"}, []Candidate{sent("x", "WO-1"), extended}, "ext", byExtension, "完成"},
		"other extension":         {reply{text: "3", account: "a", extension: "43"}, []Candidate{extended, sent("x", "WO-1")}, "ext", byKeyword, "完成"},
		"other account":           {reply{text: "x", account: "a"}, []Candidate{elsewhere, sent("x", "WO-1")}, "x", byOnly, ""},
		"only another account":    {reply{text: "x", account: "c"}, []Candidate{elsewhere}, "b", byOnly, ""},
		"quoted":                  {reply{text: "D wo-1 3", account: "a"}, []Candidate{sent("x", "WO-2"), sent("y", "WO-1")}, "y", byRef, "完成"},
		"quoted, answer first":    {reply{text: "3 WO-1", account: "a"}, []Candidate{sent("x", "WO-2"), sent("y", "WO-1")}, "y", byRef, "完成"},
		"quoted in a sentence":    {reply{text: "工单WO-1完成了", account: "a"}, []Candidate{sent("x", "WO-2"), sent("y", "WO-1")}, "y", byRef, "完成"},
		"quoted in full width":    {reply{text: "Ｄ ＷＯ-１ ２", account: "a"}, []Candidate{sent("x", "WO-2"), sent("y", "WO-1")}, "y", byRef, "到达"},
		"longer ref is not it":    {reply{text: "D WO-12 3", account: "a"}, []Candidate{sent("x", "WO-1"), sent("y", "WO-12")}, "y", byRef, "完成"},
		"short ref is an answer":  {reply{text: "1", account: "a"}, []Candidate{sent("x", "1"), sent("y", "2")}, "x", byKeyword, "接单"},
		"answer with words":       {reply{text: "3 已更换电容", account: "a"}, []Candidate{sent("x", "WO-1")}, "x", byOnly, "完成"},
		"answer without a space":  {reply{text: "3已更换", account: "a"}, []Candidate{sent("x", "WO-1")}, "x", byOnly, "完成"},
		"longest answer":          {reply{text: "11", account: "a"}, []Candidate{sent("x", "WO-1")}, "x", byOnly, "拒单"},
		"no such answer":          {reply{text: "30", account: "a"}, []Candidate{sent("x", "WO-1")}, "x", byOnly, ""},
		"full-width answer":       {reply{text: "１。", account: "a"}, []Candidate{sent("x", "WO-1")}, "x", byOnly, "接单"},
		"told to answer":          {reply{text: "回复 1", account: "a"}, []Candidate{sent("x", "WO-1")}, "x", byOnly, "接单"},
		"the word itself":         {reply{text: "到达", account: "a"}, []Candidate{sent("x", "WO-1")}, "x", byOnly, "到达"},
		"the form":                {reply{text: "D WO-1 完成", account: "a"}, two, "y", byRef, "完成"},
		"the form, full width":    {reply{text: "Ｄ　ｗｏ－１　完成", account: "a"}, two, "y", byRef, "完成"},
		"the form, lower case":    {reply{text: "d wo-1 完成", account: "a"}, two, "y", byRef, "完成"},
		"the form, no spaces":     {reply{text: "DWO-1完成", account: "a"}, two, "y", byRef, "完成"},
		"the form, a key":         {reply{text: "D,WO-1,③", account: "a"}, two, "y", byRef, "完成"},
		"the form, another dash":  {reply{text: "D WO–1 已完成", account: "a"}, two, "y", byRef, "完成"},
		"the form, dashes":        {reply{text: "D-WO-1-完成", account: "a"}, two, "y", byRef, "完成"},
		"the form, digits":        {reply{text: "D20261122001完成", account: "a"}, []Candidate{sent("x", "WO-2"), plainJob}, "plain", byRef, ""},
		"the form, no result":     {reply{text: "D WO-1", account: "a"}, two, "y", byRef, ""},
		"the form, other words":   {reply{text: "D WO-1 没修好", account: "a"}, two, "y", byRef, ""},
		"names another job":       {reply{text: "D WO-9 完成", account: "a"}, two, "", 0, ""},
		"names another, one job":  {reply{text: "d 20269999 3", account: "a"}, []Candidate{sent("x", "WO-1")}, "", 0, ""},
		"D without a ref":         {reply{text: "D 3", account: "a"}, []Candidate{sent("x", "WO-1")}, "x", byOnly, "完成"},
		"a word with D":           {reply{text: "done 2026", account: "a"}, []Candidate{sent("x", "WO-1")}, "x", byOnly, ""},
		"ref of several words":    {reply{text: "WO-1-2 3", account: "a"}, []Candidate{sent("x", "WO-1"), sent("y", "WO-1-2")}, "y", byRef, "完成"},
		"not a part of a word":    {reply{text: "WO-1-2 好", account: "a"}, []Candidate{sent("x", "WO-3"), sent("y", "WO-1")}, "x", byLatest, ""},
		"behind another word":     {reply{text: "XWO-1 好", account: "a"}, []Candidate{sent("x", "WO-3"), sent("y", "WO-1")}, "x", byLatest, ""},
		"given before":            {reply{text: "3", account: "a"}, []Candidate{done, sent("y", "WO-1")}, "y", byKeyword, "完成"},
		"not given before":        {reply{text: "2", account: "a"}, []Candidate{done, sent("y", "WO-1")}, "done", byKeyword, "到达"},
		"given before by all":     {reply{text: "3", account: "a"}, []Candidate{done, again}, "done", byLatest, "完成"},
		"given before, newer one": {reply{text: "3", account: "a"}, []Candidate{plainJob, done}, "plain", byLatest, ""},
		"not finished":            {reply{text: "未完成", account: "a"}, []Candidate{sent("x", "WO-1")}, "x", byOnly, ""},
		"nothing but punctuation": {reply{text: "??", account: "a"}, []Candidate{sent("x", "WO-1")}, "x", byOnly, ""},
	} {
		t.Run(name, func(t *testing.T) {
			m := match(tt.reply, tt.all)
			job := ""
			if m.candidate != nil {
				job = m.candidate.Job
			}
			if job != tt.job || m.sure != tt.sure || m.keyword != tt.keyword {
				t.Errorf("match = %q %v %q, want %q %v %q", job, m.sure, m.keyword, tt.job, tt.sure, tt.keyword)
			}
		})
	}
}

func FuzzMatch(f *testing.F) {
	f.Add("D WO-1 3", "WO-1")
	f.Fuzz(func(t *testing.T, text, ref string) {
		c := Candidate{Job: "x", Ref: ref, Status: Delivered, Replies: map[string]string{"3": "完成"}}
		all := []Candidate{c, {Job: "y", Status: Delivered}}
		m := match(reply{text: text}, all)
		if m.candidate == nil && named(text) == "" {
			t.Error("no candidate found")
		}
		if quotes(text, ref) && (m.candidate == nil || m.candidate.Job != "x") {
			t.Error("a quoted ref is not found")
		}
	})
}

func TestMovesEndSomewhere(t *testing.T) {
	for from, by := range moves {
		for e, to := range by {
			if from == to {
				t.Errorf("%s: %s changes nothing", from, e)
			}
		}
	}
	for _, final := range []Status{Delivered, Canceled} {
		if len(moves[final]) > 0 {
			t.Errorf("%s is not final", final)
		}
	}
}
