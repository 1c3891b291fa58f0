// Package number reads telephone numbers the way they are written in China and
// gives them one form, E.164. It runs no goroutine, keeps nothing but which
// numbers there are, and knows neither calls nor texts.
package number

import (
	"log/slog"
	"strings"
	"sync/atomic"

	"github.com/nyaruka/phonenumbers"
)

const region = "CN"

// ipPrefixes are the carriers' dial-through prefixes that a caller may put in
// front of a long-distance number.
var ipPrefixes = []string{"17909", "17908", "17911", "17951", "17991", "12593", "10193"}

// Plan is how numbers are dialled at one place.
type Plan struct {
	Area    string   // the local area code with its 0, such as 0571
	Outside []string // prefixes for an outside line, such as 9; usually none
}

// Normalize gives raw as E.164, "" where there is none: short and service
// numbers, withheld ones, garbage. A number of 7 or 8 digits belongs to area.
func Normalize(raw, area string) (e164 string) { return Plan{Area: area}.Normalize(raw) }

// Normalize gives raw as E.164, "" where there is none.
func (p Plan) Normalize(raw string) string {
	n := Clean(raw)
	if service(n) {
		return ""
	}
	n = p.strip(n)
	if service(n) {
		return ""
	}
	if local(n) {
		n = p.Area + n
	}
	return e164(n)
}

// Key is what two writings of one number have in common: its E.164, else its
// digits, else the text itself without spaces around it.
func Key(raw, area string) string {
	if n := Normalize(raw, area); n != "" {
		return n
	}
	if n := Clean(raw); n != "" {
		return n
	}
	return strings.TrimSpace(raw)
}

// Clean leaves the digits of raw and a leading +, full-width ones folded to
// ASCII. What is no number at all (a letter, nothing) gives "".
func Clean(raw string) string {
	raw = strings.TrimPrefix(strings.TrimSpace(raw), "tel:")
	var b strings.Builder
	for _, r := range raw {
		switch r = fold(r); {
		case r >= '0' && r <= '9':
			b.WriteRune(r)
		case r == '+' && b.Len() == 0:
			b.WriteRune(r)
		case !separator(r):
			return ""
		}
	}
	if b.String() == "+" {
		return ""
	}
	return b.String()
}

// fold turns a full-width form (U+FF01 to U+FF5E) into its ASCII one.
func fold(r rune) rune {
	if r >= 0xFF01 && r <= 0xFF5E {
		return r - 0xFEE0
	}
	return r
}

func separator(r rune) bool {
	return strings.ContainsRune(" \t-.()/\u00a0\u3000\u2010\u2011\u2012\u2013\u2014\u2212", r)
}

// service says whether n is a number that only exists inside China's network:
// at most 6 digits, or 95…, 96…, 100…, 106….
func service(n string) bool {
	if strings.HasPrefix(n, "+") {
		return len(n) <= 7
	}
	if len(n) <= 6 {
		return true
	}
	for _, p := range []string{"95", "96", "100", "106"} {
		if strings.HasPrefix(n, p) {
			return true
		}
	}
	return false
}

// strip takes an outside prefix and then a dial-through prefix away.
func (p Plan) strip(n string) string {
	for _, prefixes := range [][]string{p.Outside, ipPrefixes} {
		for _, prefix := range prefixes {
			if rest, ok := strings.CutPrefix(n, prefix); ok && prefix != "" && len(rest) >= 3 {
				n = rest
				break
			}
		}
	}
	return n
}

// local says whether n is a subscriber's number without its area code.
func local(n string) bool {
	return (len(n) == 7 || len(n) == 8) && n[0] >= '2' && n[0] <= '8'
}

func e164(n string) string {
	if domestic, ok := mobile(n); ok {
		return domestic
	}
	return looked(n)
}

// mobiles are the answers for Chinese mobile numbers, by their second to fifth
// digit, on which alone it depends whether there is such a number: 0 for not
// asked yet. The tables take a hundred times as long, and a campaign has
// thousands of numbers.
var mobiles [10_000]atomic.Int32

const (
	noMobile = iota + 1
	isMobile
)

// mobile gives a Chinese mobile number; false for any other.
func mobile(n string) (e164 string, ok bool) {
	n = strings.TrimPrefix(strings.TrimPrefix(n, "+86"), "0")
	if len(n) != 11 || n[0] != '1' || strings.ContainsFunc(n, func(r rune) bool { return r < '0' || r > '9' }) {
		return "", false
	}
	block := int(n[1]-'0')*1000 + int(n[2]-'0')*100 + int(n[3]-'0')*10 + int(n[4]-'0')
	known := mobiles[block].Load()
	if known == 0 {
		known = noMobile
		if example := n[:5] + "000000"; looked(example) == "+86"+example {
			known = isMobile
		}
		mobiles[block].Store(known)
	}
	return "+86" + n, known == isMobile
}

// looked asks the tables.
func looked(n string) string {
	parsed, err := phonenumbers.Parse(n, region)
	if err != nil || !phonenumbers.IsValidNumber(parsed) {
		return ""
	}
	return phonenumbers.Format(parsed, phonenumbers.E164)
}

// National is how CMPP wants an E.164 number: 13800138000 for +8613800138000,
// 057188880001 for +8657188880001, else the digits without +.
func National(e164 string) string {
	n, ok := strings.CutPrefix(e164, "+86")
	switch {
	case !ok:
		return strings.TrimPrefix(e164, "+")
	case strings.HasPrefix(n, "1") && len(n) == 11, strings.HasPrefix(n, "400"), strings.HasPrefix(n, "800"):
		return n
	}
	return "0" + n
}

// Place is where an E.164 number was first given out, in Chinese (浙江省杭州市),
// as far as the public prefix tables know; else "".
func Place(e164 string) string {
	if strings.HasPrefix(e164, "+86400") || strings.HasPrefix(e164, "+86800") {
		return "" // service numbers are nowhere; asking would load another language's tables
	}
	parsed, err := phonenumbers.Parse(e164, "")
	if err != nil {
		return ""
	}
	place, err := phonenumbers.GetGeocodingForNumber(parsed, "zh")
	if err != nil || place == "中国" {
		return ""
	}
	return place
}

// Warm loads the tables that the first call would wait for, some 50 ms.
func Warm() {
	Place(Normalize("057100000000", ""))
	Place(Normalize("13800138000", ""))
}

// Mask hides the middle of a number for logs: +86138****8000.
func Mask(n string) string {
	r := []rune(n)
	keep, hide := 4, 4
	if len(r) <= 7 {
		keep, hide = 2, len(r)-2
	}
	for i := range r {
		if left := len(r) - i; left > keep && left <= keep+hide {
			r[i] = '*'
		}
	}
	return string(r)
}

// Masked is a number that logs write masked.
type Masked string

// LogValue is the masked number.
func (m Masked) LogValue() slog.Value { return slog.StringValue(Mask(string(m))) }

// Carrier is which of China's carriers an E.164 mobile number was given to:
// mobile, unicom, telecom, else "". A number that was ported keeps the first.
func Carrier(e164 string) string {
	parsed, err := phonenumbers.Parse(e164, "")
	if err != nil || parsed.GetCountryCode() != 86 {
		return ""
	}
	name, err := phonenumbers.GetCarrierForNumber(parsed, "en")
	if err != nil {
		return ""
	}
	return carriers[name]
}

var carriers = map[string]string{"China Mobile": "mobile", "China Unicom": "unicom", "China Telecom": "telecom"}
