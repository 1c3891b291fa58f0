package box

import (
	"testing"

	"callbox/firmware/analog"
)

// BenchmarkFrame is the work of 20 ms of one line; nothing is allocated.
func BenchmarkFrame(b *testing.B) {
	for name, lines := range map[string][]string{
		"idle": {"AT+FCLASS=8;+VCID=1"},
		"talk": {"AT+FCLASS=8;+VSM=5;+VLS=1", "AT+VTR"},
	} {
		b.Run(name, func(b *testing.B) {
			box := New(Config{}, nil, nil)
			for _, line := range lines {
				box.modem.typed([]byte(line + "\r"))
			}
			in, out := analog.Line{Feed: true}, analog.Box{}
			copy(in.Sound[:], sine(analog.Samples, -20))
			host, spare := make([]byte, analog.Samples), []byte(nil)
			b.ReportAllocs()
			for b.Loop() {
				if name == "talk" {
					box.modem.typed(host)
				}
				box.modem.frame(&in, &out)
				spare = box.out.take(spare)
			}
		})
	}
}
