package app

import (
	"slices"
	"testing"

	"callbox/api/doors"
	"callbox/api/webhook"
	"callbox/storage"
)

// TestFormatsAreTheSame: who stores a format, who asks for it and who makes it
// know nothing of each other.
func TestFormatsAreTheSame(t *testing.T) {
	if want := []string{"", webhook.FormatTwilio, webhook.FormatZammad}; !slices.Equal(storage.Formats, want) {
		t.Errorf("storage takes %q, the sender makes %q", storage.Formats, want)
	}
	if doors.FormatTwilio != webhook.FormatTwilio || doors.FormatKannel != webhook.FormatKannel {
		t.Error("a door asks for a format that the sender does not make")
	}
}
