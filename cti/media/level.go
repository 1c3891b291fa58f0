package media

import "callbox/cti/media/dsp"

// Level is the level of a piece of G.711 in dBm0 (silence: -100).
func Level(law Law, payload []byte) float64 {
	var frame [FrameSamples]int16
	var loudest float64 = -100
	for len(payload) > 0 {
		n := Decode(law, frame[:], payload)
		loudest = max(loudest, dsp.Level(frame[:n]))
		payload = payload[n:]
	}
	return loudest
}
