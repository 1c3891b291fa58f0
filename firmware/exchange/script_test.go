package exchange_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"callbox/cti/media/dsp"
	"callbox/firmware/analog"
	"callbox/firmware/exchange"
)

func TestParseScript(t *testing.T) {
	got, err := exchange.ParseScript("\ufeff# a call\r\nring\r\n  ring 2 # gives up\n\nwait 500ms\nplay a.wav\nplay my voice.wav 1m30s\n" +
		"record out.wav 2s # both\ndigits 159#\ndigits # # a hash\nexpect #21# 3s\nexpect hangup\nexpect flash 2s\nflash\nflash 90ms\n" +
		"hangup\nhangup silent\npolarity\nlift\nreplace\nsay s.wav\ndial *0d\nawait # any\nawait 138 30s\nawait 30s\n" +
		"ringback 3s\nbusy\ncongestion\nvacant\npickup\ndrop 1s")
	if err != nil {
		t.Fatal(err)
	}
	want := exchange.Script{
		{Line: 2, Verb: "ring"},
		{Line: 3, Verb: "ring", N: 2},
		{Line: 5, Verb: "wait", For: 500 * time.Millisecond},
		{Line: 6, Verb: "play", Text: "a.wav"},
		{Line: 7, Verb: "play", Text: "my voice.wav", For: 90 * time.Second},
		{Line: 8, Verb: "record", Text: "out.wav", For: 2 * time.Second},
		{Line: 9, Verb: "digits", Text: "159#"},
		{Line: 10, Verb: "digits", Text: "#"},
		{Line: 11, Verb: "expect", Text: "#21#", For: 3 * time.Second},
		{Line: 12, Verb: "expect", Text: "hangup"},
		{Line: 13, Verb: "expect", Text: "flash", For: 2 * time.Second},
		{Line: 14, Verb: "flash"},
		{Line: 15, Verb: "flash", For: 90 * time.Millisecond},
		{Line: 16, Verb: "hangup"},
		{Line: 17, Verb: "hangup", Text: "silent"},
		{Line: 18, Verb: "polarity"},
		{Line: 19, Verb: "lift"},
		{Line: 20, Verb: "replace"},
		{Line: 21, Verb: "say", Text: "s.wav"},
		{Line: 22, Verb: "dial", Text: "*0D"},
		{Line: 23, Verb: "await"},
		{Line: 24, Verb: "await", Text: "138", For: 30 * time.Second},
		{Line: 25, Verb: "await", For: 30 * time.Second},
		{Line: 26, Verb: "ringback", For: 3 * time.Second},
		{Line: 27, Verb: "busy"},
		{Line: 28, Verb: "congestion"},
		{Line: 29, Verb: "vacant"},
		{Line: 30, Verb: "pickup"},
		{Line: 31, Verb: "drop", For: time.Second},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestParseScriptNamesAllFaults(t *testing.T) {
	_, err := exchange.ParseScript("ring 0\nrang\nwait\nwait soon\nwait -1s\nplay\nplay a.wav 0s\ndigits\ndigits 12x\nexpect\nhangup now\nring 1 2\npolarity x\nawait x\nwait 25h\n")
	if err == nil {
		t.Fatal("no fault")
	}
	lines := strings.Split(err.Error(), "\n")
	for i, want := range []string{
		`ring: "0"`, `"rang" is no step; there are await busy`, "wait: how long", `wait: "soon"`, `wait: "-1s"`, "play: which file",
		`play: "0s"`, "digits: which digits", `digits: "12x"`, "expect: which digits", `hangup: "now" is too much`, `ring: "2" is too much`,
		`polarity: "x" is too much`, `await: "x"`, `wait: "25h"`,
	} {
		if i >= len(lines) || !strings.HasPrefix(lines[i], fmt.Sprintf("line %d: ", i+1)) || !strings.Contains(lines[i], want) {
			t.Errorf("line %d: %q lacks %q", i+1, lines[min(i, len(lines)-1)], want)
		}
	}
}

func TestStepsExplainsEveryWord(t *testing.T) {
	_, err := exchange.ParseScript("?")
	_, list, _ := strings.Cut(err.Error(), "there are ")
	for word := range strings.FieldsSeq(list) {
		if !strings.Contains(exchange.Steps, word) {
			t.Errorf("%s is not explained", word)
		}
	}
}

func FuzzParseScript(f *testing.F) {
	f.Add("ring\nplay a b.wav 3s # x\ndigits #\nexpect flash 1s\nawait 5 5s")
	f.Add("\ufeffring 1000\r\nwait 24h")
	f.Fuzz(func(t *testing.T, text string) {
		script, err := exchange.ParseScript(text)
		if (err != nil) && script != nil {
			t.Error("a script with faults")
		}
		last := 0
		for _, s := range script {
			if s.Line <= last || s.Line > strings.Count(text, "\n")+1 {
				t.Errorf("line %d behind %d", s.Line, last)
			}
			last = s.Line
			if s.For < 0 || s.For > 24*time.Hour || s.N < 0 {
				t.Errorf("%+v", s)
			}
		}
	})
}

// shelf is files in memory.
type shelf map[string][]int16

func (s shelf) Read(name string) ([]int16, error) {
	if sound, ok := s[name]; ok {
		return sound, nil
	}
	return nil, errors.New(name + ": no such file")
}

func (s shelf) Write(name string, sound []int16) error {
	s[name] = sound
	return nil
}

func keys(digits string) []int16 { return dsp.AppendDTMF(nil, digits, dsp.DefaultKeying) }

func dialled(sound []int16) string {
	got := ""
	for _, d := range dsp.NewDTMF().Detect(sound, nil) {
		got += string(d.Key)
	}
	return got
}

func perform(ctx context.Context, t *testing.T, e *exchange.Exchange, files shelf, text string) error {
	t.Helper()
	script, err := exchange.ParseScript(text)
	ok(t, err)
	return e.Perform(ctx, script, exchange.Cast{Files: files})
}

// answers has the box lift at the first ring, dial and, unless hold is 0, hang
// up so long after.
func (b *box) answers(digits string, hold time.Duration) {
	b.say = append(make([]int16, dsp.Rate/2), keys(digits)...)
	b.liftAt, b.holdFor = 1, int(hold/(20*time.Millisecond))
}

func TestPerformACall(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{})
	b.answers("159#", 0)
	files := shelf{"in.wav": keys("77")}
	ok(t, perform(ctx, t, e, files, "record out.wav\nring\nplay in.wav\nexpect 159#\nwait 1s\ndigits 42\nhangup\nwait 3s\n"))
	if got := dialled(files["out.wav"]); got != "159#" {
		t.Errorf("recorded %q", got)
	}
	if got := dialled(b.heard(0)); got != "7742" {
		t.Errorf("the box heard %q", got)
	}
	if !hears(b.heard(b.at()-140), "busy") {
		t.Error("no busy tone behind hangup")
	}
	if s := status(t, ctx, e); s.State != exchange.Released {
		t.Errorf("%v at the end", s.State)
	}
}

func TestWhatFollowsAtOnceWaitsForTheSound(t *testing.T) {
	for name, tt := range map[string]struct{ script, want string }{
		"then hangup":         {"play a.wav\nhangup", "12345"},
		"then digits":         {"play a.wav\ndigits 9", "123459"},
		"then play":           {"play a.wav\nplay b.wav\nhangup", "1234567"},
		"then the end":        {"play a.wav", "12345"},
		"time in between":     {"play a.wav\nwait 300ms\nhangup", "12"},
		"time, then digits":   {"play a.wav\nwait 320ms\ndigits 9", "129"},
		"so long":             {"play a.wav 320ms\nhangup", "12"},
		"so long and silence": {"play b.wav 2s\ndigits 8", "678"},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, e, b := line(t, exchange.Config{})
			b.liftAt = 1
			ok(t, perform(ctx, t, e, shelf{"a.wav": keys("12345"), "b.wav": keys("67")}, "ring\n"+tt.script))
			ok(t, e.Wait(ctx, time.Second))
			if got := dialled(b.heard(0)); got != tt.want {
				t.Errorf("the box heard %q, want %q", got, tt.want)
			}
		})
	}
}

func TestExpectFails(t *testing.T) {
	for name, script := range map[string]string{
		"other digits": "ring\nexpect 158",
		"too few":      "ring\nexpect 159#1 2s",
		"no flash":     "ring\nexpect flash 1s",
		"no hang-up":   "ring\nexpect hangup 1s",
		"no call":      "await 5 1s",
	} {
		ctx, e, b := line(t, exchange.Config{})
		b.answers("159#", 0)
		err := perform(ctx, t, e, shelf{}, "\n"+script)
		if !errors.Is(err, exchange.ErrExpected) || !strings.HasPrefix(err.Error(), "line ") {
			t.Errorf("%s: %v, want ErrExpected", name, err)
		}
	}
}

func TestARecordingIsKeptWhenAStepFails(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{})
	b.answers("159#", 0)
	files := shelf{}
	if err := perform(ctx, t, e, files, "record out.wav\nring\nexpect 0"); !errors.Is(err, exchange.ErrExpected) {
		t.Fatal(err)
	}
	if len(files["out.wav"]) == 0 {
		t.Error("nothing recorded")
	}
}

func TestRecordAsTheLastStepGoesOnToTheHangUp(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{})
	b.answers("1", 7*time.Second)
	files := shelf{}
	ok(t, perform(ctx, t, e, files, "ring\nrecord out.wav"))
	if n := len(files["out.wav"]); n < 7*dsp.Rate || n > 8.5*dsp.Rate {
		t.Errorf("%d samples recorded, want about 7 s", n)
	}
}

func TestGivingUpIsNoFault(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{})
	ok(t, perform(ctx, t, e, shelf{}, "ring 2\nwait 1s\nring 1"))
	if b.bursts != 3 {
		t.Errorf("%d bursts", b.bursts)
	}
}

func TestRingWaitsForTheLine(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{})
	b.answers("", 3*time.Second)
	ok(t, perform(ctx, t, e, shelf{}, "ring\nwait 1s\nhangup\nring 2"))
	if b.bursts != 3 {
		t.Errorf("%d bursts, want one and two", b.bursts)
	}
	if n := b.frames(0, func(l analog.Line) bool { return l.Ringing }); n != 3*50 {
		t.Errorf("%d frames of ringing", n)
	}
}

func TestAllSoundsAreReadFirst(t *testing.T) {
	ctx, e, _ := line(t, exchange.Config{})
	err := perform(ctx, t, e, shelf{}, "ring\nplay a.wav\nsay b.wav")
	if err == nil || !strings.Contains(err.Error(), "line 2: play: a.wav") || !strings.Contains(err.Error(), "line 3: say: b.wav") {
		t.Errorf("%v", err)
	}
	if s := status(t, ctx, e); s.At != 0 {
		t.Errorf("the line ran for %v", s.At)
	}
}

func TestPerformCallsOfTheBox(t *testing.T) {
	for script, want := range map[string]exchange.State{
		"await 88880001\nringback 3s\npickup\nwait 1s": exchange.Talking,
		"await\nbusy":                  exchange.Refused,
		"await 88880001\nvacant":       exchange.Refused,
		"expect 88880001\nwait 4500ms": exchange.Proceeding,
	} {
		ctx, e, b := line(t, exchange.Config{})
		b.hook(true)
		b.set(func(b *box) { b.say = make([]int16, dsp.Rate) })
		b.dial("88880001")
		ok(t, perform(ctx, t, e, shelf{}, script))
		if s := status(t, ctx, e); s.State != want || s.Dialled != "88880001" {
			t.Errorf("%q: %v %q, want %v", script, s.State, s.Dialled, want)
		}
	}
}

func TestPerformTheTelephone(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{})
	files := shelf{"s.wav": keys("3")}
	ok(t, perform(ctx, t, e, files, "lift\nwait 1s\ndial 114#\nawait 114\npickup\nrecord out.wav\nsay s.wav\nreplace\nwait 1s"))
	if got := dialled(files["out.wav"]); got != "3" {
		t.Errorf("the other side heard %q", got)
	}
	if got := dialled(b.heard(0)); got != "114#3" {
		t.Errorf("the box heard %q", got)
	}
}

func TestLeave(t *testing.T) {
	ctx, e, b := line(t, exchange.Config{})
	b.liftAt = 1
	ok(t, e.Ring(ctx, exchange.Call{}))
	from := b.at()
	ok(t, e.Leave(ctx, 2*time.Second))
	if n := b.at() - from; n != 100+25 {
		t.Errorf("%d frames, want 2 s of patience and 0.5 s without feed", n)
	}
	b.hook(false)
	ok(t, e.Reach(ctx, exchange.Idle))
	from = b.at()
	ok(t, e.Leave(ctx, 2*time.Second))
	if n := b.at() - from; n != 0 {
		t.Errorf("%d frames of leaving a line at rest", n)
	}
}
