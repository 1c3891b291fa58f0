//go:build e2e

package e2e

import (
	"fmt"
	"math"
	"regexp"
	"testing"
	"time"
)

const voicemailSite = `
agents:
  - {id: "1001", name: 王芳, role: agent, password: "secret-1001", extension: "1001", sip_password: "sip-1001", queues: [repair]}
  - {id: "1002", name: 李强, role: agent, password: "secret-1002", extension: "1002", sip_password: "sip-1002", queues: [sales]}
  - {id: "boss", name: 张主管, role: supervisor, password: "secret-boss"}
queues:
  - {id: repair, name: 报修, strategy: longest_idle, ring_timeout: 5s, wrap_up: 1s, max_wait: 60s}
  - {id: sales, name: 销售, strategy: longest_idle, ring_timeout: 5s, wrap_up: 1s, max_wait: 60s}
routes:
  - {number: "4001234567", flow: hotline}
flows:
  - id: hotline
    start: repair
    nodes:
      repair: {queue: repair, no_agent: vm, timeout: vm}
      vm: {voicemail: {max: 30s, greeting: {play: welcome.wav}}, next: bye}
      bye: {hangup: {}}
customers:
  - {id: c1, name: 安顺物业, numbers: ["+8613800138000"]}
`

// newLamp is extension's baresip, which has subscribed to its messages.
func newLamp(t *testing.T, b *box, extension string) *baresip {
	t.Helper()
	phone := newBaresip(t, fmt.Sprintf("<sip:%s@%s>;auth_user=%s;auth_pass=sip-%s;regint=60;ptime=20;answermode=manual;mwi=yes",
		extension, b.sip, extension, extension), 620, "PCMA/8000/1", "mwi.so")
	phone.line(`(?i)(200 OK|successfully)`)
	return phone
}

var summary = regexp.MustCompile(`Messages-Waiting: (\w+)\n.*\nVoice-Message: (\d+/\d+) \(0/0\)`)

// shows waits for what the phone's lamp for messages says at last.
func (b *baresip) shows(want string) {
	b.t.Helper()
	last := ""
	wait(b.t, "lamp "+want, func() bool {
		if all := summary.FindAllStringSubmatch(b.output(), -1); len(all) > 0 {
			last = all[len(all)-1][1] + " " + all[len(all)-1][2]
		}
		return last == want
	})
}

// missed is what an agent or supervisor sees of the list.
func (a *agent) missed(query string) []any {
	a.t.Helper()
	var list struct{ Items []any }
	if status := a.box.as(a.client, "", "GET", "/api/v1/missed"+query, nil, &list); status != 200 {
		a.t.Fatalf("missed: %d", status)
	}
	return list.Items
}

// TestVoicemail: nobody is logged on, so the caller leaves a message; a lamp
// lights for it until an agent has dealt with it. Another caller gives up and is
// answered when calling again: nobody has to do anything.
func TestVoicemail(t *testing.T) {
	t.Parallel()
	b := newBox(t, layout{site: voicemailSite})
	mine, others := newLamp(t, b, "1001"), newLamp(t, b, "1002")
	mine.shows("no 0/0")
	others.shows("no 0/0")

	sipp(t, b, "talk.xml", "-d", "5000").succeed(20 * time.Second)
	record := b.record("voicemail")
	if record["hangup_side"] != "caller" || at(t, record, "queue", "id") != "repair" || record["agent"] != nil {
		t.Errorf("record = %v", record)
	}
	checkMessage(t, b, record)
	mine.shows("yes 1/0")

	boss, wang := b.login("boss"), b.login("1001")
	boss.connect(0)
	wang.connect(0)
	rows := wang.missed("?state=open&kind=voicemail")
	if len(rows) != 1 {
		t.Fatalf("open messages: %v", rows)
	}
	row := rows[0]
	if at(t, row, "id") != record["id"] || at(t, row, "queue", "name") != "报修" || at(t, row, "number", "e164") != "+8613800138000" ||
		at(t, row, "customer", "name") != "安顺物业" || at(t, row, "tries") != 1.0 ||
		at(t, row, "seconds") != at(t, record, "recording", "voicemail", "seconds") {
		t.Errorf("row = %v", row)
	}
	if status := b.as(wang.client, "", "POST", fmt.Sprintf("/api/v1/missed/%v/done", record["id"]), map[string]string{"outcome": "texted"}, nil); status != 200 {
		t.Fatalf("done = %d", status)
	}
	mine.shows("no 0/1")
	if told := boss.event("missedChanged"); at(t, told, "user_data", "done", "by") != "1001" || at(t, told, "queue", "id") != "repair" {
		t.Errorf("missedChanged = %v", told)
	}
	others.shows("no 0/0")

	giveUpAndCallAgain(t, b, wang, mine)
}

// checkMessage holds what the record says of the message against the sound: the
// caller's tone on the left, on the right the beep before it and nothing beside.
func checkMessage(t *testing.T, b *box, record map[string]any) {
	t.Helper()
	from := at(t, record, "recording", "voicemail", "from").(float64)
	seconds := at(t, record, "recording", "voicemail", "seconds").(float64)
	sound := b.audio(record["id"].(string))
	cut := func(side []float64, from, to float64) []float64 {
		i, j := min(int(from*8000), len(side)), min(int(to*8000), len(side))
		return side[i:j]
	}
	tone := toneSeconds(cut(sound.left, from, from+seconds), 1100, 8000)
	greeting := toneSeconds(cut(sound.right, 0, from-0.5), 1000, 8000)
	beep := toneSeconds(cut(sound.right, from-0.5, from+0.1), 1000, 8000)
	_, rms := power(cut(sound.right, from+0.1, from+seconds), 1000, 8000)
	t.Logf("message from %.2f s for %.2f s: tone %.1f s, before it greeting %.1f s and beep %.1f s, beside it RMS %.0f",
		from, seconds, tone, greeting, beep, rms)
	if tone < 2 || math.Abs(tone-seconds) > 0.3 || greeting < 0.7 || beep < 0.3 || beep > 0.45 || rms > 20 {
		t.Error("the message is not where the record says")
	}
}

func giveUpAndCallAgain(t *testing.T, b *box, wang *agent, phone *baresip) {
	t.Helper()
	sipp(t, b, "talk.xml", "-d", "1200").succeed(20 * time.Second) // she is not ready: they wait
	lost := b.record("abandoned")
	told := wang.event("missedChanged")
	for at(t, told, "user_data", "id") != lost["id"] {
		told = wang.event("missedChanged")
	}
	if at(t, told, "user_data", "kind") != "missed" || len(wang.missed("?state=open")) != 1 {
		t.Errorf("missedChanged = %v", told)
	}
	wang.ready()
	caller := sipp(t, b, "talk.xml", "-d", "3000")
	wang.event("delivered")
	phone.tell("accept", "")
	wang.event("established")
	told = wang.event("missedChanged")
	if at(t, told, "user_data", "id") != lost["id"] || at(t, told, "user_data", "done", "by") != "1001" ||
		at(t, told, "user_data", "done", "outcome") != "reached" {
		t.Errorf("missedChanged = %v", told)
	}
	if rows := wang.missed("?state=open"); len(rows) != 0 {
		t.Errorf("open: %v", rows)
	}
	caller.succeed(20 * time.Second)
}
