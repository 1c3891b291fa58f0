package api

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"callbox/sms"
	"callbox/storage"
)

// TestProblemsStaySmall: nobody without a key makes the box write hundreds of
// megabytes by asking wrongly.
func TestProblemsStaySmall(t *testing.T) {
	b := newWorld(t).browser()
	keys := make([]string, 20_000)
	for i := range keys {
		keys[i] = fmt.Sprintf(`"k%d":1`, i)
	}
	many := `{` + strings.Join(keys, ",") + `,"user":"` + strings.Repeat("x", 200_000) + `"}`
	for name, body := range map[string]string{"unknown keys": many, "broken": many[:len(many)-1], "a long value": `{"user":["` + strings.Repeat("x", 500_000) + `"]}`} {
		if status, got := b.do("POST", "/api/v1/login", body); status/100 != 4 || len(got) > 2<<20 {
			t.Errorf("%s = %d with %d bytes", name, status, len(got))
		}
	}
	_, got := b.do("POST", "/api/v1/login", many)
	if !strings.Contains(got, `"location":"body.k19999"`) && !strings.Contains(got, `{"message":"and 10`) {
		t.Error("neither all faults are told nor how many more there are")
	}
}

func TestProblemsNameWhatIsMissing(t *testing.T) {
	_, got := newWorld(t).browser().do("POST", "/api/v1/login", `{"user":"1001"}`)
	if !strings.Contains(got, `{"message":"is missing","location":"body.password"}`) {
		t.Error(got)
	}
}

// fullDisk takes no job.
type fullDisk struct{ Texter }

func (fullDisk) Accept(context.Context, sms.Request) (sms.Job, bool, error) {
	return sms.Job{}, false, fmt.Errorf("accept job: %w", storage.ErrUnavailable)
}

func TestAFullDiskSaysWhenToComeAgain(t *testing.T) {
	w := newWorld(t, func(_ *Config, d *Deps) { d.Texter = fullDisk{d.Texter} })
	res := w.login("1001").send("POST", "/api/v1/sms/jobs", `{"to":["13800138000"],"text":"x"}`)
	defer res.Body.Close()
	if res.StatusCode != 503 || res.Header.Get("Retry-After") != "5" || res.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("%d %v", res.StatusCode, res.Header)
	}
}

func TestSecondsInWords(t *testing.T) {
	for wait, want := range map[time.Duration]string{time.Millisecond: "1 second", time.Second: "1 second", 1001 * time.Millisecond: "2 seconds"} {
		err := overLimit(&sms.OverLimit{Limit: "1 a second", Wait: wait})
		if got := err.Error(); got != "over the key's limit of 1 a second; come again in "+want {
			t.Errorf("%v: %s", wait, got)
		}
	}
}

func TestBoundedValues(t *testing.T) {
	long := strings.Repeat("字", 100)
	for _, tt := range []struct{ value, want any }{
		{5.0, 5.0},
		{nil, nil},
		{true, true},
		{"x", "x"},
		{long, long[:99] + "…"},
		{map[string]any{"a": 1}, nil},
		{[]any{1}, nil},
	} {
		if got := boundedFault(huma.ErrorDetail{Value: tt.value}); got.Value != tt.want {
			t.Errorf("%v = %v, want %v", tt.value, got.Value, tt.want)
		}
	}
}
