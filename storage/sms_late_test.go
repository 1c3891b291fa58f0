package storage_test

import (
	"strings"
	"testing"

	"callbox/storage"
	"callbox/storage/storagetest"
)

// TestLateLooksAreCheap: each message is read once, in the order of the table,
// or by the index of the released ones; nothing is sorted.
func TestLateLooksAreCheap(t *testing.T) {
	db := storagetest.Open(t)
	for name, want := range map[string]string{
		"released": "USING INDEX sms_messages_released (due>? AND due<?)",
		"accepted": "SEARCH sms_messages USING INTEGER PRIMARY KEY (rowid>? AND rowid<?)",
		"end":      "SEARCH sms_messages USING INTEGER PRIMARY KEY (rowid>?)",
	} {
		query := storage.LateLooks[name]
		args := make([]any, strings.Count(query, "?"))
		if got := planned(t, db, query, args...); !strings.Contains(got, want) || strings.Contains(got, "TEMP B-TREE") {
			t.Errorf("%s: %s, want %s", name, got, want)
		}
	}
}
