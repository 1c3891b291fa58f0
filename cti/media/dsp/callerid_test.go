package dsp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

// golden is the checked example of a Chinese exchange: 17 March 16:56, 2156430144.
const golden = "80 16 01 08 30 33 31 37 31 36 35 36 02 0A 32 31 35 36 34 33 30 31 34 34 BA"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestCallerIDGolden(t *testing.T) {
	want := CallerID{Number: "2156430144", Time: "03171656", Mode: "fsk"}
	got, err := ParseCallerID(unhex(t, golden))
	if err != nil || got != want {
		t.Errorf("ParseCallerID = %+v, %v, want %+v", got, err, want)
	}
	if made := want.MDMF(); !bytes.Equal(made, unhex(t, golden)) {
		t.Errorf("MDMF = % X, want %s", made, golden)
	}
}

func TestCallerIDRoundTrip(t *testing.T) {
	for name, id := range map[string]CallerID{
		"all":       {Number: "13812345678", Name: "张三", Time: "12312359", Dialled: "01088886666"},
		"number":    {Number: "110"},
		"withheld":  {Private: true, Time: "01010000"},
		"absent":    {Absent: true, Time: "01010000"},
		"named":     {Number: "+8613812345678", Name: "Müller & 王小明 (北京)"},
		"name only": {Private: true, Name: "上海市公安局"},
	} {
		id.Mode = "fsk"
		want := id
		if got, err := ParseCallerID(id.MDMF()); err != nil || got != want {
			t.Errorf("%s: MDMF gives %+v, %v, want %+v", name, got, err, want)
		}
		want.Name, want.Dialled = "", ""
		if got, err := ParseCallerID(id.SDMF()); err != nil || got != want {
			t.Errorf("%s: SDMF gives %+v, %v, want %+v", name, got, err, want)
		}
	}
}

// TestCallerIDMessages reads what exchanges send, sealed here.
func TestCallerIDMessages(t *testing.T) {
	for name, tt := range map[string]struct {
		kind byte
		body string
		want CallerID
		err  error
	}{
		"in another order":       {typeMDMF, "\x02\x03110\x01\x0803171656", CallerID{Number: "110", Time: "03171656"}, nil},
		"reason P":               {typeMDMF, "\x01\x0803171656\x04\x01P", CallerID{Private: true, Time: "03171656"}, nil},
		"reason O, no name":      {typeMDMF, "\x04\x01O\x08\x01O", CallerID{Absent: true}, nil},
		"number and P":           {typeMDMF, "\x02\x03110\x04\x01P", CallerID{Private: true}, nil},
		"P for a number":         {typeMDMF, "\x02\x01P", CallerID{Private: true}, nil},
		"types of other kinds":   {typeMDMF, "\x11\x01\x01\x02\x03110\x55\x02xx\x0B\x01\xFF", CallerID{Number: "110"}, nil},
		"a clock that is wrong":  {typeMDMF, "\x01\x0899999999\x02\x03110", CallerID{Number: "110"}, nil},
		"a short time":           {typeMDMF, "\x01\x040317\x02\x03110", CallerID{Number: "110"}, nil},
		"an empty number":        {typeMDMF, "\x02\x00\x04\x01P", CallerID{}, ErrMessage},
		"an empty reason":        {typeMDMF, "\x04\x00\x02\x03110", CallerID{}, ErrMessage},
		"letters for a number":   {typeMDMF, "\x02\x03abc", CallerID{}, ErrMessage},
		"a number of 21":         {typeMDMF, "\x02\x15123456789012345678901", CallerID{Number: "123456789012345678901"}, nil},
		"a number of 41":         {typeMDMF, "\x02\x29" + strings.Repeat("1", 41), CallerID{}, ErrMessage},
		"blanks and hyphens":     {typeMDMF, "\x02\x10(0571)8888-0001 ", CallerID{Number: "057188880001"}, nil},
		"a wrong dialled number": {typeMDMF, "\x02\x03110\x03\x03x y", CallerID{Number: "110"}, nil},
		"parameter cut off":      {typeMDMF, "\x02\x0A110", CallerID{}, ErrMessage},
		"half a parameter":       {typeMDMF, "\x02\x03110\x01", CallerID{}, ErrMessage},
		"nothing":                {typeMDMF, "", CallerID{}, ErrMessage},
		"time only":              {typeMDMF, "\x01\x0803171656", CallerID{}, ErrMessage},
		"single form":            {typeSDMF, "031716562156430144", CallerID{Number: "2156430144", Time: "03171656"}, nil},
		"single form, withheld":  {typeSDMF, "03171656P", CallerID{Private: true, Time: "03171656"}, nil},
		"single form, too short": {typeSDMF, "03171656", CallerID{}, ErrMessage},
		"message waiting":        {typeMDMFWaiting, "\x0B\x01\xFF", CallerID{}, ErrMessage},
		"unknown type":           {0x99, "\x02\x03110", CallerID{}, ErrMessage},
	} {
		if tt.err == nil {
			tt.want.Mode = "fsk"
		}
		got, err := ParseCallerID(sealed(tt.kind, []byte(tt.body)))
		if got != tt.want || !errors.Is(err, tt.err) {
			t.Errorf("%s: %+v, %v, want %+v, %v", name, got, err, tt.want, tt.err)
		}
	}
}

func TestCallerIDBroken(t *testing.T) {
	whole := unhex(t, golden)
	for i := range whole {
		broken := bytes.Clone(whole)
		broken[i] ^= 0x10
		if got, err := ParseCallerID(broken); err == nil {
			t.Errorf("byte %d wrong: %+v", i, got)
		}
		if got, err := ParseCallerID(whole[:i]); !errors.Is(err, ErrMessage) {
			t.Errorf("only %d bytes: %+v, %v", i, got, err)
		}
	}
	if _, err := ParseCallerID(append(whole, 0)); !errors.Is(err, ErrMessage) {
		t.Errorf("a byte too many: %v", err)
	}
	whole[10]++
	if _, err := ParseCallerID(whole); !errors.Is(err, ErrChecksum) {
		t.Errorf("wrong sum: %v", err)
	}
}

func TestCallerIDTooLong(t *testing.T) {
	id := CallerID{Number: strings.Repeat("1", 30), Name: strings.Repeat("张", 40), Dialled: strings.Repeat("2", 30), Time: "03171656"}
	got, err := ParseCallerID(id.MDMF())
	want := CallerID{Number: strings.Repeat("1", 20), Name: strings.Repeat("张", 25), Dialled: strings.Repeat("2", 20), Time: "03171656", Mode: "fsk"}
	if err != nil || got != want {
		t.Errorf("%+v, %v, want %+v", got, err, want)
	}
	if got, err := ParseCallerID(id.SDMF()); err != nil || got.Number != want.Number {
		t.Errorf("SDMF: %+v, %v", got, err)
	}
}

func TestDecodeName(t *testing.T) {
	for raw, want := range map[string]string{
		"D5C5C8FD":              "张三", // GB2312
		"9A5C":                  "歕",  // GBK only
		"C1AACDA8":              "联通", // valid UTF-8 by chance
		"20 4A4F484E20444F4520": "JOHN DOE",
		"D5C5C8":                "张",  // cut in the middle of a character
		"D5C5000A":              "张",  // filled up
		"A3C1A3B1":              "Ａ１", // full width
		"FFFF":                  "",
		"":                      "",
	} {
		if got := DecodeName(unhex(t, raw)); got != want {
			t.Errorf("%s: %q, want %q", raw, got, want)
		}
	}
}

func TestEncodeName(t *testing.T) {
	for name, want := range map[string]string{
		"张三":           "\xD5\xC5\xC8\xFD",
		"John":         "John",
		"張三豐":          "\x8F\x88\xC8\xFD\xD8\x53",
		"A\U0001F600B": "A?B",
		"\x1a":         "?",
	} {
		if got := encodeName(name); got != want {
			t.Errorf("%s: % X, want % X", name, got, want)
		}
	}
}

// FuzzParseCallerID reads anything; what is read can be sent and read again.
func FuzzParseCallerID(f *testing.F) {
	f.Add(unhex(f, golden))
	f.Add(someone.SDMF())
	f.Add(sealed(typeMDMF, []byte("\x04\x01P\x07\x03\xD5\xC5\xC8\x03\x03110")))
	f.Fuzz(func(t *testing.T, raw []byte) {
		if len(raw) > 2 && len(raw) < 259 { // most would fail by these two
			raw[1], raw[len(raw)-1] = byte(len(raw)-3), 0
			raw[len(raw)-1] = -checksum(raw)
		}
		id, err := ParseCallerID(raw)
		if err != nil {
			if id != (CallerID{}) {
				t.Errorf("%+v with %v", id, err)
			}
			return
		}
		if len(id.Number) > longestTaken || !utf8.ValidString(id.Name) || id.Mode != "fsk" {
			t.Errorf("% X: %+v", raw, id)
		}
		again, err := ParseCallerID(id.MDMF())
		if err != nil || again.Private != id.Private || !id.Private && again.Number != cut(id.Number, longestNumber) || again.Time != id.Time || !strings.HasPrefix(id.Name, again.Name) {
			t.Errorf("%+v, sent again: %+v, %v", id, again, err)
		}
	})
}
