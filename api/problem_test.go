package api

import (
	"fmt"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
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
