//go:build e2e

package e2e

import (
	"regexp"
	"testing"
)

// TestLinkInTheBrowser opens the link of a text in Chromium as on a phone of
// 360 points' width: to press, to be read by machines for the blind, in both
// languages.
func TestLinkInTheBrowser(t *testing.T) {
	t.Parallel()
	_, centre, control := newCentre(t)
	b := newBox(t, layout{smsc: centre})
	b.climb(map[string]any{"text": "锦绣花园3号楼2单元电梯困人,请立即确认 {ack}", "tiers": []any{level(0, "13800138001"), level(600, "13800138002")}})
	var link string
	wait(t, "the text", func() bool {
		for _, text := range submits(t, control, 10) {
			link = regexp.MustCompile(`https?://\S+/a/\w+`).FindString(text.Text)
		}
		return link != ""
	})
	inTheBrowser(t, "e2e:link", "CALLBOX_URL="+link)
}
