package dsp

import (
	"testing"
	"time"
)

// exchangeKeying is the rhythm of an exchange: 70 ms on, 70 ms off.
var exchangeKeying = Keying{Level: -12, Twist: 1, On: 70 * time.Millisecond, Off: 70 * time.Millisecond}

func detectAll(c *Callers, in []int16) (found []CallerID) {
	for len(in) > 0 {
		n := min(160, len(in))
		found = c.Detect(in[:n], found)
		in = in[n:]
	}
	return found
}

func TestCallersDTMF(t *testing.T) {
	for keys, want := range map[string]CallerID{
		"D13812345678C":             {Number: "13812345678"},
		"A13812345678C":             {Number: "13812345678"},
		"B13812345678C":             {Number: "13812345678"},
		"D02156430144#":             {Number: "02156430144"},
		"D110C":                     {Number: "110"},
		"D12345678901234567890C":    {Number: "12345678901234567890"},
		"D10086":                    {Number: "10086"},
		"DD10086C":                  {Number: "10086"},
		"A13812345678D01088881234C": {Number: "13812345678"},
		"A13812345678B00C":          {Number: "13812345678"},
		"B00C":                      {Absent: true},
		"B10C":                      {Private: true},
		"D1#":                       {Private: true},
		"D2#":                       {Absent: true},
	} {
		in := AppendDTMF(make([]int16, 2000), keys, exchangeKeying)
		in = append(in, make([]int16, 4000)...)
		want.Mode = "dtmf"
		if got := detectAll(NewCallers(), in); len(got) != 1 || got[0] != want {
			t.Errorf("%s: found %+v, want %+v", keys, got, want)
		}
	}
}
