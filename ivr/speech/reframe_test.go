package speech

import (
	"os"
	"testing"
)

func TestReframe(t *testing.T) {
	low, err := os.ReadFile("testdata/tone-22k-mono.mp3")
	if err != nil {
		t.Fatal(err)
	}
	packed := reframe(low)
	if len(packed) == 0 || len(packed)%packedSize != 0 {
		t.Errorf("%d bytes became %d", len(low), len(packed))
	}
	for at := 0; at < len(packed); at += packedSize {
		if size, ok := lowFrame(packed[at:]); !ok || size != packedSize || packed[at+mp3Header] != 0 {
			t.Fatalf("frame at %d: %d bytes (%v), reaches back %d", at, size, ok, packed[at+mp3Header])
		}
	}
	high, err := os.ReadFile("testdata/tone-44k-stereo.mp3")
	if err != nil {
		t.Fatal(err)
	}
	if got := reframe(high); &got[0] != &high[0] {
		t.Error("a file of another kind was changed")
	}
}
