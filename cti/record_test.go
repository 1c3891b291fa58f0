package cti_test

import (
	"encoding/json"
	"testing"

	"callbox/cti"
)

// TestRecordShowsEveryKey: what reads records may ask for any key, also where
// a call did not get that far.
func TestRecordShowsEveryKey(t *testing.T) {
	r := cti.CDR{Offers: []cti.Offer{{}}, Legs: []cti.LegRecord{{}}}
	raw, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(raw, &got); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		in   any
		keys []string
	}{
		{got, []string{
			"id", "direction", "result", "where", "cause", "hangup_side", "from", "to", "did", "line", "queue", "agent",
			"customer", "ivr_path", "offers", "legs", "times", "recording", "survey", "disposition", "user_data",
		}},
		{got["from"], []string{"e164", "raw", "name", "place"}},
		{got["offers"].([]any)[0], []string{"agent", "start", "end", "outcome", "why"}},
		{got["legs"].([]any)[0], []string{"id", "kind", "device", "codec", "start", "end", "loss", "jitter_ms", "mos"}},
		{got["recording"], []string{"id", "state", "seconds", "missing_seconds", "why"}},
	} {
		for _, key := range tt.keys {
			if _, ok := tt.in.(map[string]any)[key]; !ok {
				t.Errorf("no %q in %v", key, tt.in)
			}
		}
	}
}
