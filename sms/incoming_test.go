package sms_test

import (
	"encoding/json"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"callbox/internal/segment"
	"callbox/sms"
	"callbox/storage"
	"callbox/storage/storagetest"
)

var order = sms.Request{
	To: []string{zhang}, Template: "work_order", Ref: "WO-1001",
	Vars: map[string]any{"engineer": "张工", "customer": "某厂"},
}

func TestAnswerFindsItsJob(t *testing.T) {
	d := open(t).run()
	job := d.accept(order)
	d.await(job.ID, sms.Submitted)
	in := d.incoming(sms.Text{ID: "1", From: "8613800138000", To: "10690000", Text: "1"})[0]
	if in.Job != job.ID || in.Ref != "WO-1001" || in.Match != 0.8 || in.Keyword != "接单" || in.From != "+8613800138000" {
		t.Errorf("inbox row = %+v", in)
	}
	again := d.incoming(sms.Text{ID: "1", From: "8613800138000", To: "10690000", Text: "1"})
	if len(again) != 1 {
		t.Errorf("%d rows after the same DELIVER again", len(again))
	}
	other := d.incoming(sms.Text{ID: "1", From: "13900139000", To: "10690000", Text: "你好"})
	if len(other) != 2 || other[0].Job != "" || other[0].Match != 0 {
		t.Errorf("stranger's row = %+v", other[0])
	}
	d.checkInboxFilters(job.ID)
}

func (d *desk) checkInboxFilters(job string) {
	d.t.Helper()
	yes, no := true, false
	for name, tt := range map[string]struct {
		f    storage.InboxFilter
		want int
	}{
		"matched":   {storage.InboxFilter{Matched: &yes}, 1},
		"unmatched": {storage.InboxFilter{Matched: &no}, 1},
		"from":      {storage.InboxFilter{From: "139 0013 9000"}, 1},
		"job":       {storage.InboxFilter{Job: job}, 1},
		"ref":       {storage.InboxFilter{Ref: "nope"}, 0},
	} {
		page, _, err := d.texts.Inbox(d.t.Context(), tt.f)
		if err != nil || len(page) != tt.want {
			d.t.Errorf("%s: %d rows (%v), want %d", name, len(page), err, tt.want)
		}
	}
}

func TestExtensionIsSure(t *testing.T) {
	d := open(t, func(a *sms.Account) { a.ExtensionDigits = 4 }).run()
	first := d.accept(order)
	d.await(first.ID, sms.Submitted)
	second := d.accept(order)
	d.await(second.ID, sms.Submitted)
	if got := d.line.submissions()[1].Extension; got != "0001" {
		t.Fatalf("extension = %q", got)
	}
	in := d.incoming(sms.Text{ID: "1", From: zhang, To: "106900000000", Text: "3"})[0]
	if in.Job != first.ID || in.Match != 1 || in.Keyword != "完成" {
		t.Errorf("inbox row = %+v", in)
	}
}

func TestAnswerHoursLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, func(a *sms.Account) { a.LongWait = 100 * time.Hour }).run()
		job := d.accept(order)
		time.Sleep(71 * time.Hour)
		if in := d.incoming(sms.Text{ID: "1", From: zhang, Text: "2"})[0]; in.Job != job.ID {
			t.Errorf("after 71 h: %+v", in)
		}
		time.Sleep(2 * time.Hour)
		if in := d.incoming(sms.Text{ID: "2", From: zhang, Text: "2"})[0]; in.Job != "" {
			t.Errorf("after 73 h: %+v", in)
		}
	})
}

func part(id, text string, total, index uint8) sms.Text {
	return sms.Text{ID: id, From: zhang, To: "10690000", Text: text, Part: sms.Part{Ref: 7, Total: total, Index: index}}
}

func TestLongAnswer(t *testing.T) {
	d := open(t).run()
	d.incoming(part("1", "三", 3, 3))
	d.incoming(part("2", "一", 3, 1))
	d.incoming(part("3", "壹", 3, 1)) // the last one of an index counts
	d.incoming(part("2", "一", 3, 1)) // seen before
	all := d.incoming(part("4", "二", 3, 2))
	if len(all) != 1 || all[0].Text != "壹二三" || all[0].Incomplete {
		t.Errorf("inbox = %+v", all)
	}
	for i, broken := range []sms.Text{part("5", "x", 3, 0), part("6", "x", 3, 4), part("7", "x", 1, 1)} {
		if got := d.incoming(broken); len(got) != 2+i || got[0].Text != "x" {
			t.Errorf("part that cannot be: %+v", got)
		}
	}
}

// inOctets is a part as it came.
func inOctets(id string, a segment.Alphabet, octets []byte, total, index uint8) sms.Text {
	p := part(id, "", total, index)
	p.Alphabet, p.Octets = a, string(octets)
	return p
}

// TestLongAnswerIsCutThroughACharacter, as phones do it: wherever a text is cut,
// it is whole again.
func TestLongAnswerIsCutThroughACharacter(t *testing.T) {
	for a, text := range map[segment.Alphabet]string{segment.GBK: "3号泵A已修好", segment.UCS2: "完👷成"} {
		t.Run(string(a), func(t *testing.T) {
			octets, err := a.Append(nil, text)
			if err != nil {
				t.Fatal(err)
			}
			for at := 1; at < len(octets); at++ {
				d := open(t).run()
				d.incoming(inOctets("2", a, octets[at:], 2, 2))
				d.incoming(inOctets("1", a, []byte("?!"), 2, 1)) // finishes it
				d.incoming(inOctets("3", a, octets[:at], 2, 1))  // so this begins another
				d.incoming(inOctets("4", a, octets[at:], 2, 2))
				if got := d.received(); len(got) != 2 || got[1] != text {
					t.Errorf("cut at %d: %q", at, got)
				}
			}
		})
	}
}

// TestPartsInOctets keeps to the rules for parts of a text.
func TestPartsInOctets(t *testing.T) {
	half, rest := []byte("\xbd\xd3\xb5"), []byte("\xa5OK") // 接单OK
	for name, tt := range map[string]struct {
		parts []sms.Text
		want  []string
	}{
		"last of an index": {[]sms.Text{inOctets("1", segment.GBK, half[:1], 2, 1), inOctets("2", segment.GBK, half, 2, 1), inOctets("3", segment.GBK, rest, 2, 2)}, []string{"接单OK"}},
		"comes again": {[]sms.Text{
			inOctets("1", segment.GBK, half, 2, 1), inOctets("2", segment.GBK, rest, 2, 2),
			inOctets("3", segment.GBK, rest, 2, 2), inOctets("4", segment.GBK, half, 2, 1),
		}, []string{"接单OK"}},
		"another text begins alike": {[]sms.Text{
			inOctets("1", segment.GBK, half, 2, 1), inOctets("2", segment.GBK, rest, 2, 2),
			inOctets("3", segment.GBK, half, 2, 1), inOctets("4", segment.GBK, []byte("\xa5"), 2, 2),
		}, []string{"接单OK", "接单"}},
		"a gap":           {[]sms.Text{inOctets("1", segment.GBK, half, 3, 1), inOctets("2", segment.GBK, rest[1:], 3, 3)}, []string{"接\ufffd…OK"}},
		"two alphabets":   {[]sms.Text{inOctets("1", segment.GBK, half[:2], 2, 1), inOctets("2", segment.UCS2, []byte("\x53\x55"), 2, 2)}, []string{"接单"}},
		"octets and text": {[]sms.Text{inOctets("1", segment.GBK, half[:2], 3, 1), part("2", "单", 3, 2), inOctets("3", segment.GBK, rest[1:], 3, 3)}, []string{"接单OK"}},
		"cannot be":       {[]sms.Text{inOctets("1", segment.GBK, half, 2, 5)}, []string{"接\ufffd"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := open(t).run()
				for _, p := range tt.parts {
					d.incoming(p)
				}
				time.Sleep(time.Hour)
				if got := d.received(); !slices.Equal(got, tt.want) {
					t.Errorf("inbox = %q, want %q", got, tt.want)
				}
			})
		})
	}
}

func TestLongAnswerStaysIncomplete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t, func(a *sms.Account) { a.LongWait = 10 * time.Minute }).run()
		d.incoming(part("1", "二", 4, 2))
		time.Sleep(10*time.Minute - time.Second)
		if got := d.incoming(part("2", "三", 4, 3)); len(got) != 0 {
			t.Fatalf("inbox = %+v", got)
		}
		time.Sleep(2 * time.Minute)
		if got := d.inbox(); len(got) != 1 || got[0].Text != "…二三…" || !got[0].Incomplete {
			t.Errorf("inbox = %+v", got)
		}
	})
}

// texts are the inbox's texts, oldest first.
func (d *desk) received() (texts []string) {
	for _, in := range slices.Backward(d.inbox()) {
		texts = append(texts, in.Text)
	}
	return texts
}

// A part that comes once more under another id after its text was put together
// is no text.
func TestPartComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t).run()
		d.incoming(part("1", "一", 2, 1))
		d.incoming(part("2", "二", 2, 2))
		d.incoming(part("3", "二", 2, 2))
		d.incoming(part("4", "一", 2, 1)) // now all of it came twice
		time.Sleep(9 * time.Minute)
		d.incoming(part("5", "一", 2, 1))
		time.Sleep(time.Hour)
		if got := d.received(); !slices.Equal(got, []string{"一二"}) {
			t.Errorf("inbox = %q", got)
		}
	})
}

// References have 8 bits, and some phones use one only.
func TestReferenceComesAgain(t *testing.T) {
	for name, tt := range map[string]struct {
		parts []sms.Text
		want  []string
	}{
		"other text":                 {[]sms.Text{part("3", "三", 2, 1), part("4", "四", 2, 2)}, []string{"一二", "三四"}},
		"other order":                {[]sms.Text{part("3", "四", 2, 2), part("4", "三", 2, 1)}, []string{"一二", "三四"}},
		"same beginning":             {[]sms.Text{part("3", "一", 2, 1), part("4", "四", 2, 2)}, []string{"一二", "一四"}},
		"same beginning, comes last": {[]sms.Text{part("3", "四", 2, 2), part("4", "一", 2, 1)}, []string{"一二", "一四"}},
		"other length":               {[]sms.Text{part("3", "一", 3, 1), part("4", "二", 3, 2), part("5", "三", 3, 3)}, []string{"一二", "一二三"}},
		"again and again": {[]sms.Text{
			part("3", "二", 2, 2), part("4", "三", 2, 1), part("5", "三", 2, 1), part("6", "一", 2, 1), part("7", "二", 2, 2),
		}, []string{"一二", "三二", "一二"}},
		"half of another": {[]sms.Text{part("3", "三", 2, 1)}, []string{"一二", "三…"}},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := open(t).run()
				for _, p := range append([]sms.Text{part("1", "一", 2, 1), part("2", "二", 2, 2)}, tt.parts...) {
					d.incoming(p)
				}
				time.Sleep(time.Hour)
				if got := d.received(); !slices.Equal(got, tt.want) {
					t.Errorf("inbox = %q, want %q", got, tt.want)
				}
			})
		})
	}
}

// After the timeout the same text is another one.
func TestSameTextLater(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t).run()
		d.incoming(part("1", "一", 2, 1))
		d.incoming(part("2", "二", 2, 2))
		time.Sleep(10*time.Minute + time.Second)
		d.incoming(part("3", "一", 2, 1))
		d.incoming(part("4", "二", 2, 2))
		time.Sleep(time.Hour)
		if got := d.received(); !slices.Equal(got, []string{"一二", "一二"}) {
			t.Errorf("inbox = %q", got)
		}
	})
}

// What was put into the inbox with a gap does not come in again.
func TestIncompleteTextComesAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t).run()
		d.incoming(part("1", "二", 3, 2))
		time.Sleep(12 * time.Minute)
		d.incoming(part("2", "二", 3, 2))
		time.Sleep(time.Hour)
		if got := d.received(); !slices.Equal(got, []string{"…二…"}) {
			t.Errorf("inbox = %q", got)
		}
	})
}

// outboxBodies are the notices written, oldest first.
func outboxBodies(t *testing.T, db *storage.DB) (all []map[string]any) {
	t.Helper()
	rows, err := db.Reader().QueryContext(t.Context(), "SELECT n.body FROM deliveries d JOIN notices n ON n.id = d.notice ORDER BY d.id")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var body string
		if err := rows.Scan(&body); err != nil {
			t.Fatal(err)
		}
		var doc map[string]any
		if err := json.Unmarshal([]byte(body), &doc); err != nil {
			t.Fatal(err)
		}
		all = append(all, doc)
	}
	return all
}

func TestNoticesTellOfEverything(t *testing.T) {
	cfg := storagetest.Config(t, t.TempDir())
	hooks := []storage.Endpoint{{URL: "https://tickets.example/hook", Secret: "s", Events: []string{"sms.*"}}}
	db := storagetest.OpenAt(t, cfg)
	if err := db.Notices().Replace(hooks); err != nil {
		t.Fatal(err)
	}
	d := openOn(t, db).run()
	req := order
	req.CallbackURL = "https://erp.example/cb"
	job := d.accept(req)
	d.await(job.ID, sms.Submitted)
	d.report("a000000000000001", zhang, "DELIVRD")
	d.incoming(sms.Text{ID: "1", From: zhang, Text: "1"})
	var got []string
	for _, n := range outboxBodies(t, db) {
		data := n["data"].(map[string]any)
		if status, ok := data["status"].(string); ok {
			got = append(got, n["event"].(string)+" "+status)
		} else {
			got = append(got, n["event"].(string)+" "+data["keyword"].(string))
		}
	}
	want := []string{ // each to the webhook and to the job's callback
		"sms.status submitted", "sms.status submitted", "sms.status delivered", "sms.status delivered",
		"sms.received 接单", "sms.received 接单",
	}
	if len(got) != len(want) {
		t.Fatalf("notices = %q, want %q", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("notice %d = %q, want %q", i, got[i], want[i])
		}
	}
}
