package v253

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

func now() time.Time { return time.Now() }

// played is codes at times in ms, as in "0/ 20:5 90:5 200~", told as events.
func played(data bool, script string) string {
	var tell teller
	var told []string
	start := time.Unix(1e9, 0)
	for _, word := range strings.Fields(script) {
		var at int
		var code string
		if _, err := fmt.Sscanf(word, "%d:%s", &at, &code); err != nil {
			panic(word)
		}
		for _, e := range tell.tell(nil, code[0], data, start.Add(time.Duration(at)*time.Millisecond)) {
			name := e.Kind.String()
			if e.Digit != 0 {
				name += " " + string(rune(e.Digit))
			}
			told = append(told, name)
		}
	}
	return strings.Join(told, ", ")
}

func TestEvents(t *testing.T) {
	for name, tt := range map[string]struct {
		script, want string
		data         bool
	}{
		"ring":                           {script: "0:R 5000:R", want: "ring, ring"},
		"a ring told twice":              {script: "0:R 3:R 5000:R 5020:R", want: "ring, ring"},
		"no ring in a data state":        {script: "0:R", data: true},
		"set":                            {script: "0:H 700:h", want: "set lifted, set replaced"},
		"doubled":                        {script: "0:H 2:H 9000:h 9001:h", want: "set lifted, set replaced"},
		"reversed at answer and end":     {script: "0:L 60:L", want: "reversed, reversed"},
		"busy each cadence":              {script: "0:b 700:b 1400:K", want: "busy, busy, busy"},
		"tones":                          {script: "0:d 1:i 2:r 3:c 4:a", want: "dial tone, dial tone, ringback, fax calling, fax answer"},
		"the rest":                       {script: "0:l 1:P 2:p 3:s 4:q 5:o 6:u 7:J 8:Y", want: "loop lost, extension lifted, extension replaced, silence, quiet, overrun, underrun, vacant, lost data"},
		"unknown":                        {script: "0:x 1:Z "},
		"digit with begin and end":       {script: "0:/ 1:5 70:5 140:5 150:~", want: "digit began 5, digit ended 5", data: true},
		"digit alone":                    {script: "0:5", want: "digit began 5, digit ended 5", data: true},
		"the same twice":                 {script: "0:/ 1:5 60:~ 120:/ 121:5 180:~", want: "digit began 5, digit ended 5, digit began 5, digit ended 5"},
		"alone, repeated, pressed again": {script: "0:5 70:5 140:5 400:5", want: "digit began 5, digit ended 5, digit began 5, digit ended 5"},
		"doubled codes of a digit":       {script: "0:/ 0:/ 1:5 1:5 60:~ 60:~", want: "digit began 5, digit ended 5"},
		"end lost":                       {script: "0:/ 1:5 200:/ 201:6 260:~", want: "digit began 5, digit ended 5, digit began 6, digit ended 6"},
		"end and begin lost":             {script: "0:/ 1:5 200:6 260:~", want: "digit began 5, digit ended 5, digit began 6, digit ended 6"},
		"begin lost":                     {script: "0:5 60:~", want: "digit began 5, digit ended 5"},
		"digit lost":                     {script: "0:/ 60:~"},
		"noise in a data state":          {script: "0:5 200:x 210:1 300:l 650:/ 699:b 700:2 710:/ 711:3 730:~", want: "digit began 5, digit ended 5, digit began 2, digit ended 2, digit began 3, digit ended 3", data: true},
		"letters and signs":              {script: "0:/ 1:* 60:~ 100:/ 101:D 160:~", want: "digit began *, digit ended *, digit began D, digit ended D"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := played(tt.data, tt.script); got != tt.want {
				t.Errorf("%s\n got %s\nwant %s", tt.script, got, tt.want)
			}
		})
	}
}
