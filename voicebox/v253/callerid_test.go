package v253

import (
	"strings"
	"testing"

	"callbox/cti/media/dsp"
)

// The example of the reference: 16 March… 0317 16:56, number 2156430144.
const messageInHex = "801601083033313731363536020A32313536343330313434BA"

func TestCallerReports(t *testing.T) {
	for name, tt := range map[string]struct {
		lines string
		want  dsp.CallerID
		none  bool
	}{
		"USR5637": {
			lines: "DATE=0317|TIME=1656|NMBR=13812345678",
			want:  dsp.CallerID{Number: "13812345678", Time: "03171656"},
		},
		"Conexant": {
			lines: "DATE = 0317|TIME = 1656|NMBR = 13812345678|NAME = WANG",
			want:  dsp.CallerID{Number: "13812345678", Time: "03171656", Name: "WANG"},
		},
		"any order, no time":     {lines: "NAME=WANG|NMBR=5551234|DATE=0317", want: dsp.CallerID{Number: "5551234", Name: "WANG"}},
		"number alone":           {lines: "NMBR=05718880001", want: dsp.CallerID{Number: "05718880001"}},
		"name in GB2312":         {lines: "NMBR=1|NAME=\xd5\xc5\xc8\xfd", want: dsp.CallerID{Number: "1", Name: "张三"}},
		"withheld":               {lines: "NMBR=P|NAME=P", want: dsp.CallerID{Private: true}},
		"not available":          {lines: "NMBR = O", want: dsp.CallerID{Absent: true}},
		"name not available":     {lines: "NMBR=123|NAME=O", want: dsp.CallerID{Number: "123"}},
		"small letters":          {lines: "Nmbr=123", want: dsp.CallerID{Number: "123"}},
		"the message in hex":     {lines: messageInHex, want: dsp.CallerID{Number: "2156430144", Time: "03171656", Mode: "fsk"}},
		"hex as MESG":            {lines: "MESG=" + messageInHex, want: dsp.CallerID{Number: "2156430144", Time: "03171656", Mode: "fsk"}},
		"a parameter as MESG":    {lines: "NMBR=123|MESG=0303353535", want: dsp.CallerID{Number: "123", Dialled: "555", Mode: "fsk"}},
		"MESG that says nothing": {lines: "MESG=06", none: true},
		"MESG of garbage":        {lines: "NMBR=123|MESG=zz", want: dsp.CallerID{Number: "123"}},
		"a garbled number":       {lines: "NMBR=12\x7f4", none: true},
		"a garbled time":         {lines: "DATE=03I7|TIME=1656|NMBR=123", want: dsp.CallerID{Number: "123"}},
		"only a time":            {lines: "DATE=0317|TIME=1656", none: true},
	} {
		t.Run(name, func(t *testing.T) {
			var r report
			for line := range strings.SplitSeq(tt.lines, "|") {
				if !r.take([]byte(line)) {
					t.Errorf("%q is not of the report", line)
				}
			}
			got, ok := r.done()
			if ok == tt.none {
				t.Fatalf("told %v: %+v", ok, got)
			}
			if ok && got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if r != (report{}) {
				t.Errorf("left behind: %+v", r)
			}
		})
	}
}

func TestNotOfAReport(t *testing.T) {
	for _, line := range []string{"OK", "8", "CX93001-EIS_V0.2013-V92", "80", "8000000g", "+VSM: 1=2", "RING"} {
		var r report
		if r.take([]byte(line)) {
			t.Errorf("%q was taken for a caller ID", line)
		}
	}
}

func FuzzReport(f *testing.F) {
	f.Add([]byte("NMBR=13812345678"))
	f.Add([]byte("MESG=0303353535"))
	f.Add([]byte(messageInHex))
	f.Fuzz(func(t *testing.T, line []byte) {
		var r report
		r.take(line)
		if c, _ := r.done(); len(c.Number) > 250 || strings.ContainsAny(c.Number, "\r\n\x00") {
			t.Errorf("number %q", c.Number)
		}
	})
}
