package main

import (
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/cmpp"
	"callbox/cmpp/cmpptest"
)

// flagName is what kong makes of a field.
func flagName(f reflect.StructField) string {
	if name := f.Tag.Get("name"); name != "" {
		return name
	}
	var b strings.Builder
	for i, r := range f.Name {
		if i > 0 && r >= 'A' && r <= 'Z' {
			b.WriteByte('-')
		}
		b.WriteString(strings.ToLower(string(r)))
	}
	return b.String()
}

// TestSMSCFlagsAreItsFaults: each fault has a flag, by the name that POST /fault
// knows, and what the flag says arrives.
func TestSMSCFlagsAreItsFaults(t *testing.T) {
	flags := reflect.TypeFor[smscFaults]()
	var names, known []string
	var set smscFaults
	for i := range flags.NumField() {
		names = append(names, strings.ReplaceAll(flagName(flags.Field(i)), "-", "_"))
		switch f := reflect.ValueOf(&set).Elem().Field(i).Addr().Interface().(type) {
		case *bool:
			*f = true
		case *int:
			*f = 7 + i
		case *float64:
			*f = 0.5
		case *string:
			*f = "MA:0001"
		case *time.Duration:
			*f = time.Duration(i+1) * time.Second
		case *[]string:
			*f = []string{"EXPIRED"}
		}
	}
	faults := reflect.ValueOf(set.faults())
	for i := range faults.NumField() {
		field := faults.Type().Field(i)
		known = append(known, field.Tag.Get("json"))
		if faults.Field(i).IsZero() {
			t.Errorf("%s is lost between flag and fault", field.Name)
		}
	}
	slices.Sort(names)
	slices.Sort(known)
	if !slices.Equal(names, known) {
		t.Errorf("flags  %v\nfaults %v", names, known)
	}
}

func TestSMSCConfig(t *testing.T) {
	c := smscCmd{Protocol: "cmpp2", Reply: "1", Window: 4, Connections: 2, Seed: 3}
	cfg, err := c.config(&session{})
	if err != nil || cfg.Version != cmpp.V20 || cfg.Keep != -1 || cfg.Window != 4 || cfg.MaxConns != 2 || cfg.Seed != 3 || cfg.OnText == nil {
		t.Errorf("%+v, %v", cfg, err)
	}
	c = smscCmd{Keep: 5, smscFaults: smscFaults{ResponseDelay: 200 * time.Millisecond}}
	if cfg, err = c.config(&session{}); err != nil || cfg.Keep != 5 || cfg.Faults.ResponseDelay != cmpptest.Seconds(0.2) {
		t.Errorf("%+v, %v", cfg, err)
	}
	for args, word := range map[string]string{
		"--fail-share 2": "fail_share", "--stat TOOLONG8": "TOOLONG8", "--rate=-1": "rate", "--late-delay=-1s": "late_delay",
	} {
		if code, _, errs := call("", append([]string{"sim", "smsc"}, strings.Fields(args)...)...); code != exitUsage || !strings.Contains(errs, word) {
			t.Errorf("%s: %d %s", args, code, errs)
		}
	}
}
