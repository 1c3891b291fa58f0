//go:build e2e

package e2e

import (
	"math"
	"strings"
	"testing"
	"time"
)

// shares is for how long a tone is part of what is heard, alone or with others,
// in pieces of 100 ms.
func shares(samples []float64, hz, rate float64) float64 {
	piece := int(rate / 10)
	heard := 0
	for at := 0; at+piece <= len(samples); at += piece {
		if share, rms := power(samples[at:at+piece], hz, rate); share*rms*rms > 200*200 {
			heard++
		}
	}
	return float64(heard) / 10
}

// want holds how long a tone was heard against what is expected.
func wantTone(t *testing.T, whose string, samples []float64, rate, hz, least, most float64) {
	t.Helper()
	if got := shares(samples, hz, rate); got < least || got > most {
		t.Errorf("%s: %v Hz for %.1f s, want %.1f to %.1f", whose, hz, got, least, most)
	}
}

// must carries out a command and gives its result.
func (a *agent) must(cmd string, args map[string]any) map[string]any {
	a.t.Helper()
	reply := a.do(cmd, args)
	if reply["ok"] != true {
		a.t.Fatalf("%s: %v", cmd, reply)
	}
	result, _ := reply["result"].(map[string]any)
	return result
}

// outsider is a telephone that calls in over the trunk; its tone is 1100 Hz.
func outsider(t *testing.T) *baresip {
	t.Helper()
	return newBaresip(t, "<sip:13800138000@127.0.0.1>;regint=0;ptime=20;answermode=manual", 1100, "PCMA/8000/1")
}

// seat logs an agent with a registered phone on.
func seat(t *testing.T, b *box, id string, hz int) (*agent, *baresip) {
	t.Helper()
	phone := agentPhone(t, b, id, hz, "PCMA/8000/1")
	a := b.login(id)
	a.connect(0)
	a.ready()
	return a, phone
}

// TestOneCallThroughAllHands holds, consults, alternates, joins and hands on one
// call: it stays one call, one record and one recording.
func TestOneCallThroughAllHands(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{})
	wang, first := seat(t, b, "1001", 620)
	caller := outsider(t)
	caller.tell("dial", "sip:057188880001@"+b.sip)
	id := wang.event("delivered")["call_id"]
	first.tell("accept", "")
	wang.event("established")
	li, second := seat(t, b, "1002", 750)
	call := map[string]any{"call_id": id}
	with := func(k string, v any) map[string]any { return map[string]any{"call_id": id, k: v} }

	time.Sleep(time.Second)
	wang.must("holdCall", call)
	wang.event("held")
	if reply := wang.do("holdCall", call); reply["ok"] != false {
		t.Errorf("held twice: %v", reply)
	}
	time.Sleep(time.Second)
	wang.must("retrieveCall", call)
	wang.event("retrieved")

	wang.must("pauseRecording", with("reason", "card"))
	wang.event("recordPaused")
	time.Sleep(time.Second)
	wang.must("resumeRecording", call)

	result := wang.must("consultationCall", with("to", "1002"))
	if id, _ := result["connection_id"].(string); id == "" {
		t.Errorf("consultationCall gives %v, want a connection_id", result)
	}
	pop := li.event("delivered")
	if pop["call_id"] != id || at(t, pop, "user_data", "customer", "name") != "安顺物业" {
		t.Errorf("pop of the consulted agent: %v", pop)
	}
	second.tell("accept", "")
	li.event("established")
	time.Sleep(time.Second)
	wang.must("alternateCall", call)
	time.Sleep(time.Second)
	wang.must("conferenceCall", call)
	li.event("conferenced")
	time.Sleep(2 * time.Second)
	wang.must("clearConnection", call)
	wang.event("agentWorkingAfterCall")
	time.Sleep(2 * time.Second)
	li.must("singleStepTransfer", with("to", "1001"))
	li.event("agentWorkingAfterCall")
	wang.event("delivered")
	first.tell("accept", "")
	wang.event("established")
	time.Sleep(time.Second)
	caller.tell("hangup", "")
	wang.event("callCleared")
	record := b.record("answered")
	if record["id"] != id || at(t, record, "agent", "id") != "1001" || record["hangup_side"] != "caller" {
		t.Errorf("record %v by %v, ended by %v", record["id"], at(t, record, "agent", "id"), record["hangup_side"])
	}
	var all struct{ Items []any }
	if b.call("GET", "/api/v1/calls", nil, &all); len(all.Items) != 1 {
		t.Errorf("%d records, want 1", len(all.Items))
	}
	checkHands(t, b, record, caller)
}

func checkHands(t *testing.T, b *box, record map[string]any, caller *baresip) {
	t.Helper()
	rec := b.audio(record["id"].(string))
	length := float64(len(rec.left)) / 8000
	lasted := instant(t, at(t, record, "times", "hangup")).Sub(instant(t, at(t, record, "times", "answer"))).Seconds()
	if math.Abs(length-lasted) > 0.3 {
		t.Errorf("recording lasts %.2f s, the call %.2f s", length, lasted)
	}
	wantTone(t, "recording, left", rec.left, 8000, 1100, lasted-4, lasted)
	wantTone(t, "recording, right", rec.right, 8000, 620, 3.5, 9)
	wantTone(t, "recording, right", rec.right, 8000, 750, 3, 7)
	heard, rate := caller.heard()
	wantTone(t, "caller", heard, rate, 620, 4, 10)
	wantTone(t, "caller", heard, rate, 750, 3, 7)
	legs, _ := record["legs"].([]any)
	if len(legs) < 4 {
		t.Errorf("%d legs in the record, want the caller's and three of agents: %v", len(legs), legs)
	}
}

// supervisedSite gives the supervisor a telephone.
var supervisedSite = strings.Replace(usualSite, `password: "secret-boss"}`, `password: "secret-boss", extension: "1000", sip_password: "sip-1000"}`, 1)

// TestSupervisor listens, whispers, barges in and takes a call over.
func TestSupervisor(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{site: supervisedSite})
	wang, phone := seat(t, b, "1001", 620)
	desk := agentPhone(t, b, "1000", 430, "PCMA/8000/1")
	boss := b.login("boss")
	boss.connect(0)
	caller := outsider(t)
	caller.tell("dial", "sip:057188880001@"+b.sip)
	id := wang.event("delivered")["call_id"]
	phone.tell("accept", "")
	wang.event("established")
	supervise := func(mode string) {
		t.Helper()
		boss.must("supervise", map[string]any{"call_id": id, "mode": mode})
		time.Sleep(2 * time.Second)
	}
	if reply := wang.do("supervise", map[string]any{"call_id": id, "mode": "listen"}); at(t, reply, "error", "code") != "forbidden" {
		t.Errorf("an agent supervises: %v", reply)
	}
	boss.must("supervise", map[string]any{"call_id": id, "mode": "listen"})
	desk.line(`(?i)incoming call`)
	desk.tell("accept", "")
	time.Sleep(3 * time.Second)
	supervise("whisper")
	supervise("barge")
	supervise("takeover")
	caller.tell("hangup", "")
	boss.event("callCleared")
	record := b.record("answered")
	heard, rate := desk.heard()
	wantTone(t, "supervisor", heard, rate, 1100, 6, 12)
	wantTone(t, "supervisor", heard, rate, 620, 4, 9)
	heard, rate = phone.heard()
	wantTone(t, "agent", heard, rate, 430, 3, 5.5) // whisper and barge
	heard, rate = caller.heard()
	wantTone(t, "caller", heard, rate, 430, 3, 5.5) // barge and take over
	rec := b.audio(record["id"].(string))
	wantTone(t, "recording, right", rec.right, 8000, 430, 3, 5.5)
	var lines struct{ Items []map[string]any }
	if status := b.call("GET", "/api/v1/calls", nil, &lines); status != 200 || len(lines.Items) != 1 {
		t.Errorf("calls: %d %v", status, lines.Items)
	}
}

// TestTwoOutside joins two numbers: each sees the hotline, both hear each other.
func TestTwoOutside(t *testing.T) {
	t.Parallel()
	const auto = "@127.0.0.1>;regint=0;ptime=20;answermode=auto"
	one := newBaresip(t, "<sip:+8613800138000"+auto+";audio_codecs=PCMA/8000/1\n<sip:+8613900139000"+auto, 500, "PCMA/8000/1")
	b := newBox(t, layout{trunk: one.sip})
	var made map[string]any
	body := map[string]any{"to": "13900139000", "first": map[string]any{"number": "13800138000"}, "ref": "WO-7"}
	if status := b.call("POST", "/api/v1/calls", body, &made); status != 202 {
		t.Fatalf("POST calls: %d %v", status, made)
	}
	one.line(`(?i)4001234567`)
	time.Sleep(4 * time.Second)
	if status := b.call("POST", "/api/v1/calls/"+made["id"].(string)+"/clearConnection", map[string]any{}, nil); status != 200 {
		t.Errorf("clearConnection: %d", status)
	}
	record := b.record("answered")
	if record["ref"] != "WO-7" || at(t, record, "from", "e164") != "+8613800138000" || at(t, record, "to", "e164") != "+8613900139000" {
		t.Errorf("record %v from %v to %v", record["ref"], record["from"], record["to"])
	}
	rec := b.audio(record["id"].(string))
	wantTone(t, "recording, left", rec.left, 8000, 500, 2, 6)
	wantTone(t, "recording, right", rec.right, 8000, 500, 2, 6)
}
