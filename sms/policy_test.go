package sms_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/sms"
	"callbox/storage/storagetest"
)

// marketing is a request of that class.
func marketing(to ...string) sms.Request {
	return sms.Request{To: to, Text: "双十一", Class: sms.ClassMarketing}
}

var night = sms.QuietHours{From: "21:00", To: "08:00"}

// clock waits until the next time it is so many hours after midnight in UTC.
func clock(hours float64) {
	now := time.Now().UTC()
	at := now.Truncate(24 * time.Hour).Add(time.Duration(hours * float64(time.Hour)))
	if at.Before(now) {
		at = at.Add(24 * time.Hour)
	}
	time.Sleep(at.Sub(now))
	synctest.Wait()
}

func (d *desk) quiet(q sms.QuietHours) {
	d.t.Helper()
	if err := d.SetQuietHours(d.t.Context(), q); err != nil {
		d.t.Fatal(err)
	}
	synctest.Wait()
}

func TestQuietHoursHoldMarketingBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t).run()
		d.quiet(night)
		clock(12)
		day := d.accept(marketing(zhang))
		clock(21)
		held, order := d.accept(marketing(zhang, li)), d.send(zhang, "工单")
		if held.Counts[sms.Scheduled] != 2 {
			t.Errorf("at 21:00: %v", held.Counts)
		}
		synctest.Wait()
		d.want(day.ID, sms.Submitted)
		d.want(order.ID, sms.Submitted)
		at := in(2 * time.Hour)
		timed := marketing(zhang)
		timed.SendAt = at
		later := d.accept(timed)
		morning := time.Now().Add(11 * time.Hour)
		until(morning, func() { d.want(held.ID, sms.Scheduled, sms.Scheduled); d.want(later.ID, sms.Scheduled) },
			func() { d.want(held.ID, sms.Submitted, sms.Submitted); d.want(later.ID, sms.Submitted) })
		eve := d.accept(marketing(zhang))
		synctest.Wait()
		d.want(eve.ID, sms.Submitted)
	})
}

func TestQueuedMarketingWaitsWhenQuietHoursBegin(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.line.setUp(false)
		d.run()
		d.quiet(night)
		clock(20)
		job, order := d.accept(marketing(zhang, li)), d.send(zhang, "工单")
		until(time.Now().Add(time.Hour), func() { d.want(job.ID, sms.Queued, sms.Queued) },
			func() { d.want(job.ID, sms.Scheduled, sms.Scheduled); d.want(order.ID, sms.Queued) })
		d.line.setUp(true)
		time.Sleep(10 * time.Hour)
		synctest.Wait()
		d.want(job.ID, sms.Scheduled, sms.Scheduled)
		d.want(order.ID, sms.Submitted)
		clock(8)
		d.want(job.ID, sms.Submitted, sms.Submitted)
	})
}

func TestMarketingGivenBackAtNightWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t)
		d.line.answer = func(n int, _ sms.Submission) (sms.Receipt, error) {
			if n == 0 {
				time.Sleep(2 * time.Minute)
				return sms.Receipt{}, sms.ErrThrottled
			}
			return sms.Receipt{}, nil
		}
		d.run()
		d.quiet(night)
		clock(20.99)
		job := d.accept(marketing(zhang))
		clock(23)
		d.want(job.ID, sms.Scheduled)
		clock(8)
		d.want(job.ID, sms.Submitted)
	})
}

func TestOtherQuietHoursCountAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := open(t).run()
		d.quiet(night)
		clock(22)
		timed := marketing(zhang)
		timed.SendAt = in(time.Hour)
		job, later := d.accept(marketing(zhang)), d.accept(timed)
		d.quiet(sms.QuietHours{From: "21:00", To: "22:30"})
		clock(22.5)
		d.want(job.ID, sms.Submitted)
		d.want(later.ID, sms.Scheduled)
		clock(23)
		d.want(later.ID, sms.Submitted)

		d.quiet(night)
		job = d.accept(marketing(zhang))
		d.want(job.ID, sms.Scheduled)
		d.quiet(sms.QuietHours{})
		d.want(job.ID, sms.Submitted)
	})
}

func TestQuietHoursAreInTheBoxsZone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := openWith(t, func(c *sms.Config) { c.Location = time.FixedZone("Beijing", 8*3600) })
		d.run()
		d.quiet(night)
		clock(13) // 21:00 in Beijing
		job := d.accept(marketing(zhang))
		clock(23.99)
		d.want(job.ID, sms.Scheduled)
		clock(0)
		d.want(job.ID, sms.Submitted)
	})
}

// openWith is open with another configuration.
func openWith(t *testing.T, set func(*sms.Config)) *desk {
	t.Helper()
	d := &desk{t: t, db: storagetest.Open(t), line: newFake(account), notes: &notebook{}}
	d.texts = d.db.SMS()
	cfg := sms.Config{Accounts: []sms.Account{{Name: account, SrcID: "10690000"}}, AreaCode: "0571", Events: d.notes}
	set(&cfg)
	var err error
	if d.Gateway, err = sms.New(cfg, d.texts, d.line); err != nil {
		t.Fatal(err)
	}
	return d
}

func TestQuietHoursAreChecked(t *testing.T) {
	d := open(t)
	for want, q := range map[string]sms.QuietHours{
		"from": {From: "24:00", To: "08:00"}, "to": {From: "21:00"}, "from to": {From: "9pm", To: "8:00"}, "to ": {From: "08:00", To: "08:00"},
	} {
		if err := d.SetQuietHours(t.Context(), q); !slices.Equal(fields(err), strings.Fields(want)) {
			t.Errorf("%+v: %v", q, err)
		}
	}
	if q, err := d.QuietHours(t.Context()); err != nil || q != (sms.QuietHours{}) {
		t.Errorf("kept %+v, %v", q, err)
	}
}

func TestSettingsOutliveARestart(t *testing.T) {
	d := open(t)
	codes := []sms.Code{{Stat: "MB:0069", Text: "停机"}}
	routes := []sms.Route{{Prefix: "138", Accounts: []string{account}}}
	for _, err := range []error{
		d.SetQuietHours(t.Context(), night), d.SetCodes(t.Context(), codes), d.SetRoutes(t.Context(), routes),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	again := openOn(t, d.db)
	if q, err := again.QuietHours(t.Context()); err != nil || q != night {
		t.Errorf("quiet hours %+v, %v", q, err)
	}
	if c, err := again.Codes(t.Context()); err != nil || !slices.Equal(c, codes) || again.Words("MB:0069") != "停机" || again.Words("x") != "" {
		t.Errorf("codes %+v, %v", c, err)
	}
	if r, err := again.Routes(t.Context()); err != nil || fmt.Sprint(r) != fmt.Sprint(routes) {
		t.Errorf("routes %+v, %v", r, err)
	}
}

func TestCodesAreChecked(t *testing.T) {
	d := open(t)
	err := d.SetCodes(t.Context(), []sms.Code{{"MB:0069", "停机"}, {"", "x"}, {"A", " "}, {"MB:0069", "again"}})
	if want := []string{"items[1].stat", "items[2].text", "items[3].stat"}; !slices.Equal(fields(err), want) {
		t.Errorf("faults in %v: %v", fields(err), err)
	}
}

func (d *desk) blacklist(list ...sms.Listing) []sms.Listing {
	d.t.Helper()
	kept, err := d.SetBlacklist(d.t.Context(), list)
	if err != nil {
		d.t.Fatal(err)
	}
	return kept
}

func TestBlacklistHoldsMarketingOnly(t *testing.T) {
	var log bytes.Buffer
	d := openWith(t, func(c *sms.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	kept := d.blacklist(
		sms.Listing{Number: "138 0013 8000", Why: "骚扰"}, sms.Listing{Number: "+86" + li, Kind: sms.ListUnsubscribed},
		sms.Listing{Number: zhang, Kind: sms.ListUnsubscribed},
	)
	if len(kept) != 2 || kept[0].Number != "+8613800138000" || kept[0].Kind != sms.ListBlocked || kept[0].Time.IsZero() {
		t.Errorf("kept %+v", kept)
	}
	const wang = "13700137000"
	job := d.accept(marketing(zhang, li, wang))
	d.want(job.ID, sms.Canceled, sms.Canceled, sms.Queued)
	if m := d.message(job.ID); m.Error == nil || !strings.Contains(m.Error.Text, "骚扰") || job.Status != sms.JobOpen {
		t.Errorf("message %+v of a job that is %s", m, job.Status)
	}
	d.told(sms.Canceled, sms.Canceled)

	order := sms.Request{To: []string{wang, zhang, "12"}, Text: "工单", Ref: "WO-1"}
	if _, _, err := d.Accept(t.Context(), order); !slices.Equal(fields(err), []string{"to[2]", "to[1]"}) {
		t.Errorf("faults in %v: %v", fields(err), err)
	}
	order.To = order.To[:2]
	if _, _, err := d.Accept(t.Context(), order); !slices.Equal(fields(err), []string{"to[1]"}) {
		t.Errorf("faults in %v: %v", fields(err), err)
	}
	alarm := log.String()
	if strings.Count(alarm, "level=ERROR") != 2 || !strings.Contains(alarm, "WO-1") || strings.Contains(alarm, zhang) || !strings.Contains(alarm, "138****8000") {
		t.Errorf("log: %s", alarm)
	}
	d.accept(sms.Request{To: []string{li}, Text: "通知", Class: sms.ClassNotice})
	d.send(li, "工单")
}

func TestBlacklistCancelsWhatWaits(t *testing.T) {
	d := open(t)
	timed := marketing(zhang, li)
	timed.SendAt = in(time.Hour)
	waiting, queued, order := d.accept(timed), d.accept(marketing(zhang)), d.send(zhang, "工单")
	d.blacklist(sms.Listing{Number: zhang})
	d.want(waiting.ID, sms.Canceled, sms.Scheduled)
	d.want(queued.ID, sms.Canceled)
	d.want(order.ID, sms.Queued)
	if m := d.message(queued.ID); m.Error == nil {
		t.Error("canceled without a word")
	}
}

func TestBlacklistIsChecked(t *testing.T) {
	d := open(t)
	d.blacklist(sms.Listing{Number: zhang})
	_, err := d.SetBlacklist(t.Context(), []sms.Listing{{Number: "10086"}, {Number: li, Kind: "rude"}, {Number: "x", Why: "a\x00"}})
	if want := []string{"items[0]", "items[1].kind", "items[2]", "items[2].why"}; !slices.Equal(fields(err), want) {
		t.Errorf("faults in %v: %v", fields(err), err)
	}
	if list, err := d.Blacklist(t.Context()); err != nil || len(list) != 1 {
		t.Errorf("kept %+v, %v", list, err)
	}
	if list := d.blacklist(); len(list) != 0 {
		t.Errorf("emptied: %+v", list)
	}
}

func TestUnsubscribingByText(t *testing.T) {
	for text, want := range map[string]bool{
		"TD": true, "t": true, "\uff34\uff24": true, " 退订。": true, "Unsubscribe": true, "qx": true,
		"TD 1": false, "1": false, "完成": false, "": false, "取消": false,
	} {
		t.Run(text, func(t *testing.T) {
			d := open(t).run()
			job := d.accept(sms.Request{
				To: []string{zhang}, Template: "work_order", Ref: "WO-1", Vars: map[string]any{"engineer": "张工", "customer": "x"},
			})
			d.await(job.ID, sms.Submitted)
			timed := marketing(zhang)
			timed.SendAt = in(time.Hour)
			waiting := d.accept(timed)
			row := d.incoming(sms.Text{ID: "1", From: zhang, To: "10690000", Text: text})[0]
			list, err := d.Blacklist(t.Context())
			if err != nil || (len(list) == 1) != want {
				t.Fatalf("listed %+v, %v", list, err)
			}
			if !want {
				d.want(waiting.ID, sms.Scheduled)
				return
			}
			if row.Job != "" || row.Keyword != "unsubscribe" || list[0].Kind != sms.ListUnsubscribed {
				t.Errorf("row %+v, listed %+v", row, list)
			}
			d.want(waiting.ID, sms.Canceled)
			d.send(zhang, "工单")
		})
	}
}

// A job may offer T as an answer; then it is one.
func TestOfferedAnswerIsNoUnsubscribing(t *testing.T) {
	d := openWith(t, func(c *sms.Config) {
		c.Templates = templates{"q": {ID: "q", Text: "回复T退机 H换机", Replies: map[string]string{"T": "退机", "H": "换机"}}}
	})
	d.run()
	d.await(d.accept(sms.Request{To: []string{zhang}, Template: "q"}).ID, sms.Submitted)
	row := d.incoming(sms.Text{ID: "1", From: zhang, To: "10690000", Text: "t"})[0]
	if list, err := d.Blacklist(t.Context()); err != nil || len(list) > 0 || row.Keyword != "退机" {
		t.Errorf("listed %+v, %v; row %+v", list, err, row)
	}
}

func TestRoutesAreChecked(t *testing.T) {
	d := open(t)
	err := d.SetRoutes(t.Context(), []sms.Route{
		{"+86138", []string{account}}, {"138", []string{"nobody"}}, {"abc", []string{account}}, {"139", nil},
	})
	if want := []string{"items[1].prefix", "items[1].accounts[0]", "items[2].prefix", "items[3].accounts"}; !slices.Equal(fields(err), want) {
		t.Errorf("faults in %v: %v", fields(err), err)
	}
}
