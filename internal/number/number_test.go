package number_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nyaruka/phonenumbers"

	"callbox/internal/number"
)

const area = "0571"

func TestNormalize(t *testing.T) {
	for raw, want := range map[string]string{
		// mobiles in every writing
		"13800138000":                 "+8613800138000",
		"013800138000":                "+8613800138000",
		"8613800138000":               "+8613800138000",
		"+8613800138000":              "+8613800138000",
		"008613800138000":             "+8613800138000",
		"1790913800138000":            "+8613800138000",
		"12593013800138000":           "+8613800138000",
		" 138 0013 8000 ":             "+8613800138000",
		"138-0013-8000":               "+8613800138000",
		"(+86) 138.0013.8000":         "+8613800138000",
		"+86　138\u00a00013\u00a08000": "+8613800138000",
		"１３８００１３８０００":                 "+8613800138000",
		"＋８６１３８００１３８０００":              "+8613800138000",
		"tel:+86-138-0013-8000":       "+8613800138000",
		"19912345678":                 "+8619912345678",
		// fixed lines
		"057188880001":      "+8657188880001",
		"0571-88880001":     "+8657188880001",
		"(0571) 8888 0001":  "+8657188880001",
		"88880001":          "+8657188880001",
		"8888-0001":         "+8657188880001",
		"+8657188880001":    "+8657188880001",
		"+86057188880001":   "+8657188880001",
		"8657188880001":     "+8657188880001",
		"17909057188880001": "+8657188880001",
		"1790988880001":     "+8657188880001",
		"01088886666":       "+861088886666",
		"86880001":          "+8657186880001",
		// numbers of firms
		"4001234567":     "+864001234567",
		"400-123-4567":   "+864001234567",
		"8001234567":     "+868001234567",
		"+86 4001234567": "+864001234567",
		// abroad
		"+14155552671":        "+14155552671",
		"0014155552671":       "+14155552671",
		"+852 2123 4567":      "+85221234567",
		"00442079460958":      "+442079460958",
		"+442079460958":       "+442079460958",
		"1790900442079460958": "+442079460958",
		// short and service numbers, nothing at all, garbage
		"110": "", "12345": "", "116114": "", "10086": "", "100861": "", "1008611": "",
		"95588": "", "9558812": "", "96360": "", "950139876543": "", "10690000": "",
		"106900001234567890": "", "1790910086": "", "1259312345": "",
		"anonymous": "", "Anonymous": "", "unknown": "", "": "", " ": "", "+": "", "*": "",
		"12800138000": "", "1380013800": "", "138001380001": "", "+8610086": "", "abc13800138000": "",
		"99999999999999999999999999999999999999999": "", "1+3800138000": "", "王芳": "", "+86": "",
	} {
		if got := number.Normalize(raw, area); got != want {
			t.Errorf("Normalize(%q) = %q, want %q", raw, got, want)
		}
	}
}

func TestLocalOfSevenDigits(t *testing.T) {
	if got, want := number.Normalize("2345678", "0951"), "+869512345678"; got != want {
		t.Errorf("Normalize = %q, want %q", got, want)
	}
	if got := number.Normalize("88880001", ""); got != "" {
		t.Errorf("without an area: %q, want none", got)
	}
}

func TestOutsidePrefix(t *testing.T) {
	p := number.Plan{Area: area, Outside: []string{"9"}}
	for raw, want := range map[string]string{
		"913800138000":      "+8613800138000",
		"9057188880001":     "+8657188880001",
		"988880001":         "+8657188880001",
		"91790913800138000": "+8613800138000",
		"13800138000":       "+8613800138000",
		"910086":            "",
		"95588":             "",
	} {
		if got := p.Normalize(raw); got != want {
			t.Errorf("Normalize(%q) = %q, want %q", raw, got, want)
		}
	}
	if got := number.Normalize("913800138000", area); got != "" {
		t.Errorf("without the prefix configured: %q, want none", got)
	}
}

func TestKey(t *testing.T) {
	for raw, want := range map[string]string{
		"138 0013 8000": "+8613800138000",
		"8888-0001":     "+8657188880001",
		"1008 6":        "10086",
		" anonymous ":   "anonymous",
		"":              "",
	} {
		if got := number.Key(raw, area); got != want {
			t.Errorf("Key(%q) = %q, want %q", raw, got, want)
		}
	}
}

func TestNational(t *testing.T) {
	for e164, want := range map[string]string{
		"+8613800138000": "13800138000",
		"+8657188880001": "057188880001",
		"+861088886666":  "01088886666",
		"+864001234567":  "4001234567",
		"+14155552671":   "14155552671",
		"":               "",
	} {
		if got := number.National(e164); got != want {
			t.Errorf("National(%q) = %q, want %q", e164, got, want)
		}
	}
}

func TestPlace(t *testing.T) {
	for e164, want := range map[string]string{
		"+8657188880001": "浙江省杭州市",
		"+8613800138000": "北京市",
		"+864001234567":  "",
		"10086":          "",
		"":               "",
	} {
		if got := number.Place(e164); got != want {
			t.Errorf("Place(%q) = %q, want %q", e164, got, want)
		}
	}
}

// TestWarm: no call waits for tables, whoever calls which number.
func TestWarm(t *testing.T) {
	number.Warm()
	for _, n := range []string{"13912345678", "057188880001", "4001234567", "8008101234", "10086", "anonymous"} {
		start := time.Now()
		number.Place(number.Normalize(n, "0571"))
		if took := time.Since(start); took > 30*time.Millisecond {
			t.Errorf("%s took %v, want some microseconds", n, took)
		}
	}
}

func TestMask(t *testing.T) {
	for n, want := range map[string]string{
		"+8613800138000": "+86138****8000",
		"13800138000":    "138****8000",
		"10086":          "***86",
		"":               "",
		"王芳来电号码一二三四五":    "王芳来****二三四五",
	} {
		if got := number.Mask(n); got != want {
			t.Errorf("Mask(%q) = %q, want %q", n, got, want)
		}
	}
	if got, want := number.Masked("13800138000").LogValue().String(), "138****8000"; got != want {
		t.Errorf("LogValue = %q, want %q", got, want)
	}
}

func FuzzNormalize(f *testing.F) {
	f.Add("013800138000", "0571")
	f.Fuzz(func(t *testing.T, raw, area string) {
		e := number.Normalize(raw, area)
		if e != "" && number.Normalize(e, area) != e {
			t.Errorf("Normalize(%q) = %q, which is not its own form", raw, e)
		}
	})
}

func BenchmarkNormalize(b *testing.B) {
	for b.Loop() {
		number.Normalize("013800138000", area)
	}
}

func BenchmarkPlace(b *testing.B) {
	for b.Loop() {
		number.Place("+8613800138000")
	}
}

func TestCarrier(t *testing.T) {
	for e164, want := range map[string]string{
		"+8613800138000": "mobile",
		"+8613012345678": "unicom",
		"+8618912345678": "telecom",
		"+8657188880001": "",
		"+14155552671":   "",
		"":               "",
	} {
		if got := number.Carrier(e164); got != want {
			t.Errorf("Carrier(%q) = %q, want %q", e164, got, want)
		}
	}
}

// TestMobilesAsInTheTables holds the short way for mobile numbers against the
// tables, in every block there is.
func TestMobilesAsInTheTables(t *testing.T) {
	for block := range 10_000 {
		for _, tail := range []string{"000000", "999999", "138000"}[block%3 : block%3+1] {
			n, want := fmt.Sprintf("1%04d%s", block, tail), ""
			if parsed, err := phonenumbers.Parse(n, "CN"); err == nil && phonenumbers.IsValidNumber(parsed) {
				want = phonenumbers.Format(parsed, phonenumbers.E164)
			}
			forms := []string{n}
			switch {
			case strings.HasPrefix(n, "100"), strings.HasPrefix(n, "106"):
				want = "" // services
			case want == "+86"+n:
				forms = append(forms, "0"+n, "+86"+n)
			}
			for _, raw := range forms {
				if got := number.Normalize(raw, area); got != want {
					t.Fatalf("Normalize(%q) = %q, want %q", raw, got, want)
				}
			}
		}
	}
}
