package sms_test

import (
	"strings"
	"testing"
	"testing/synctest"

	"callbox/internal/segment"
	"callbox/sms"
)

// TestPartsAreToldAsTheyLeave has the limits of one message and of parts: the
// job tells as many parts as the carrier is handed.
func TestPartsAreToldAsTheyLeave(t *testing.T) {
	const sig = "【安顺维保】" // 6 units, 12 octets of GBK
	of := strings.Repeat
	auto, wide := segment.Style{}, segment.Style{RefBits: 16}
	gbk, gbkWide := segment.Style{Alphabet: segment.GBK}, segment.Style{Alphabet: segment.GBK, RefBits: 16}
	ucs2 := segment.Style{Alphabet: segment.UCS2}
	for name, tt := range map[string]struct {
		style     segment.Style
		signature string
		by        string
		text      string
		want      int
		alphabet  segment.Alphabet
	}{
		"last of one":              {auto, sig, "us", of("字", 64), 1, segment.UCS2},
		"first of two":             {auto, sig, "us", of("字", 65), 2, segment.UCS2},
		"last of two":              {auto, sig, "us", of("字", 2*67-6), 2, segment.UCS2},
		"first of three":           {auto, sig, "us", of("字", 2*67-5), 3, segment.UCS2},
		"wide: last of two":        {wide, sig, "us", of("字", 2*66-6), 2, segment.UCS2},
		"wide: first of three":     {wide, sig, "us", of("字", 2*66-5), 3, segment.UCS2},
		"gateway's: last of one":   {auto, sig, "gateway", of("字", 64), 1, segment.UCS2},
		"gateway's: first of two":  {auto, sig, "gateway", of("字", 65), 2, segment.UCS2},
		"gateway's: of three":      {auto, sig, "gateway", of("字", 2*67-5), 3, segment.UCS2},
		"signed already":           {auto, sig, "us", sig + of("字", 64), 1, segment.UCS2},
		"pairs":                    {auto, sig, "us", of("😀", 32), 1, segment.UCS2},
		"one pair more":            {auto, sig, "us", of("😀", 33), 2, segment.UCS2},
		"a pair at the border":     {auto, "", "us", "字" + of("😀", 66), 2, segment.UCS2},
		"a pair behind the border": {auto, "", "us", of("😀", 67), 3, segment.UCS2},
		"ascii: last of one":       {auto, "", "us", of("a", 159), 1, segment.ASCII},
		"ascii: first of more":     {auto, "", "us", of("a", 160), 3, segment.UCS2},
		"ascii, signed":            {auto, sig, "us", of("a", 65), 2, segment.UCS2},
		"ucs2 only":                {ucs2, "", "us", of("a", 71), 2, segment.UCS2},
		"gbk: last of one":         {gbk, sig, "us", of("字", 64), 1, segment.GBK},
		"gbk: mixed":               {gbk, sig, "us", of("a", 128), 1, segment.GBK},
		"gbk: first of two":        {gbk, sig, "us", of("a", 129), 2, segment.GBK},
		"gbk: last of two":         {gbk, sig, "us", of("a", 2*134-12), 2, segment.GBK},
		"gbk: first of three":      {gbk, sig, "us", of("a", 2*134-11), 3, segment.GBK},
		"gbk: a pair moves":        {gbk, sig, "us", "a" + of("字", 126) + "a字", 3, segment.GBK},
		"gbk, wide: last of two":   {gbkWide, "", "us", of("a", 2*133), 2, segment.GBK},
		"gbk, wide: of three":      {gbkWide, "", "us", of("a", 2*133+1), 3, segment.GBK},
		"gbk has it not":           {gbk, sig, "us", of("😀", 33), 2, segment.UCS2},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := open(t, func(a *sms.Account) { a.Style, a.Signature, a.SignatureBy = tt.style, tt.signature, tt.by }).run()
				job := d.send(zhang, tt.text)
				synctest.Wait()
				sent := d.line.submissions()[0]
				if job.Messages[0].Parts != tt.want || len(sent.Parts) != tt.want || sent.Alphabet != tt.alphabet {
					t.Errorf("told %d, sent %d in %s, want %d in %s", job.Messages[0].Parts, len(sent.Parts), sent.Alphabet, tt.want, tt.alphabet)
				}
				if whole := strings.Join(sent.Parts, ""); whole != job.Messages[0].Text || !strings.HasSuffix(whole, tt.text) {
					t.Errorf("sent %q", whole)
				}
			})
		})
	}
}
