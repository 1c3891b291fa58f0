package media_test

import (
	"math"
	"testing"

	"callbox/cti/media"
)

func TestLevel(t *testing.T) {
	for _, law := range []media.Law{media.PCMA, media.PCMU} {
		for _, want := range []float64{-10, -45} {
			peak := 32768 * math.Pow(10, (want-3.14)/20)
			tone := make([]int16, 3*media.FrameSamples/2)
			for i := range tone {
				tone[i] = int16(peak * math.Sin(2*math.Pi*float64(i)/16))
			}
			payload := make([]byte, len(tone))
			media.Encode(law, payload, tone)
			if got := media.Level(law, payload); math.Abs(got-want) > 0.5 {
				t.Errorf("%v: %.1f dBm0, want %.1f", law, got, want)
			}
		}
		if got := media.Level(law, nil); got != -100 {
			t.Errorf("%v: nothing is at %v dBm0", law, got)
		}
	}
}
