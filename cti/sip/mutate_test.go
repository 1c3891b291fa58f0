package sip_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
)

// A mutation breaks a message in one place.
type mutation func(rnd *rand.Rand, b []byte) []byte

var mutations = []mutation{
	flipBits, cutOut, double, truncate, inflate, repeatHeader, dropHeader, swapHeaders, renameHeader,
	escape, fold, badUTF8, lengthen, nest, breakLine, respell, breakSDP,
}

// mutate breaks a message in one to four places.
func mutate(rnd *rand.Rand, text string) string {
	b := []byte(text)
	for range 1 + rnd.IntN(1+rnd.IntN(4)) {
		if len(b) < 10 {
			break
		}
		b = mutations[rnd.IntN(len(mutations))](rnd, b)
	}
	return string(b[:min(len(b), 65_000)])
}

func flipBits(rnd *rand.Rand, b []byte) []byte {
	for range 1 + rnd.IntN(8) {
		b[rnd.IntN(len(b))] ^= 1 << rnd.IntN(8)
	}
	return b
}

// span is a place of up to n bytes.
func span(rnd *rand.Rand, b []byte, n int) (from, to int) {
	from = rnd.IntN(len(b))
	return from, min(len(b), from+1+rnd.IntN(n))
}

func cutOut(rnd *rand.Rand, b []byte) []byte {
	i, j := span(rnd, b, 40)
	return append(b[:i:i], b[j:]...)
}

func double(rnd *rand.Rand, b []byte) []byte {
	i, j := span(rnd, b, 40)
	return insert(b, j, strings.Repeat(string(b[i:j]), 1+rnd.IntN(50)))
}

func insert(b []byte, at int, text string) []byte {
	return append(append(b[:at:at], text...), b[at:]...)
}

func truncate(rnd *rand.Rand, b []byte) []byte { return b[:rnd.IntN(len(b))] }

var (
	digits  = regexp.MustCompile(`[0-9]+`)
	numbers = []string{
		"-1", "0", "00000000000000000000001", "65536", "2147483648", "4294967295", "4294967296", "18446744073709551616",
		"1e9", "0x10", "٣", strings.Repeat("9", 400), "",
	}
)

func inflate(rnd *rand.Rand, b []byte) []byte {
	all := digits.FindAllIndex(b, -1)
	if len(all) == 0 {
		return b
	}
	at := all[rnd.IntN(len(all))]
	return append(append(b[:at[0]:at[0]], numbers[rnd.IntN(len(numbers))]...), b[at[1]:]...)
}

// lined works on the lines of a message.
func lined(b []byte, change func(lines []string) []string) []byte {
	return []byte(strings.Join(change(strings.Split(string(b), "\r\n")), "\r\n"))
}

func repeatHeader(rnd *rand.Rand, b []byte) []byte {
	return lined(b, func(lines []string) []string {
		line := lines[rnd.IntN(len(lines))]
		at := rnd.IntN(len(lines))
		more := strings.Split(strings.Repeat(line+"\n", []int{1, 2, 99, 200}[rnd.IntN(4)]), "\n")
		return append(append(lines[:at:at], more[:len(more)-1]...), lines[at:]...)
	})
}

func dropHeader(rnd *rand.Rand, b []byte) []byte {
	return lined(b, func(lines []string) []string {
		at := rnd.IntN(len(lines))
		return append(lines[:at:at], lines[at+1:]...)
	})
}

func swapHeaders(rnd *rand.Rand, b []byte) []byte {
	return lined(b, func(lines []string) []string {
		i, j := rnd.IntN(len(lines)), rnd.IntN(len(lines))
		lines[i], lines[j] = lines[j], lines[i]
		return lines
	})
}

var headerNames = []string{
	"v", "f", "t", "i", "m", "c", "l", "e", "s", "k", "r", "b", "o", "Route", "Record-Route", "Require", "Supported", "Session-Expires", "Min-SE", "RSeq", "RAck",
	"Refer-To", "Replaces", "Event", "Subscription-State", "Expires", "Authorization", "Proxy-Authorization", "P-Asserted-Identity", "Diversion", "History-Info",
	"Privacy", "Remote-Party-ID", "Content-Encoding", "Accept", "Retry-After", "",
}

// renameHeader gives a header's value to another one.
func renameHeader(rnd *rand.Rand, b []byte) []byte {
	return lined(b, func(lines []string) []string {
		i := rnd.IntN(len(lines))
		if _, value, ok := strings.Cut(lines[i], ":"); ok {
			lines[i] = headerNames[rnd.IntN(len(headerNames))] + ":" + value
		}
		return lines
	})
}

func pick(rnd *rand.Rand, b []byte, words ...string) []byte {
	return insert(b, rnd.IntN(len(b)), words[rnd.IntN(len(words))])
}

func escape(rnd *rand.Rand, b []byte) []byte {
	return pick(rnd, b, "%", "%00", "%0d%0aX-Evil:%201", "%zz", "%FF%FE", "&#13;", "\\", "\\\"", "=?utf-8?Q?=0D=0A?=")
}

func fold(rnd *rand.Rand, b []byte) []byte { return pick(rnd, b, "\r\n ", "\r\n\t", "\r\n \r\n ") }

func badUTF8(rnd *rand.Rand, b []byte) []byte {
	return pick(rnd, b, "\xff", "\xc0\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xe7\x8e", "\u202e", "\ufeff")
}

func lengthen(rnd *rand.Rand, b []byte) []byte {
	return insert(b, rnd.IntN(len(b)), strings.Repeat(string(rune('a'+rnd.IntN(26))), []int{100, 2000, 30_000, 60_000}[rnd.IntN(4)]))
}

func nest(rnd *rand.Rand, b []byte) []byte {
	words := []string{"\"", "<", ">", "<<", "\"<", "\\", "(", "[", "]", ";", ",", ";lr", "?a=b&", "@", ":"}
	return insert(b, rnd.IntN(len(b)), strings.Repeat(words[rnd.IntN(len(words))], 1+rnd.IntN(2000)))
}

func breakLine(rnd *rand.Rand, b []byte) []byte {
	return pick(rnd, b, "\r\n", "\n", "\r", "\x00", "\r\n\r\n", "\r\nX-Evil: 1\r\n")
}

// respell changes the case of a stretch.
func respell(rnd *rand.Rand, b []byte) []byte {
	i, j := span(rnd, b, 20)
	text := strings.ToUpper(string(b[i:j]))
	if rnd.IntN(2) == 0 {
		text = strings.ToLower(text)
	}
	return append(append(b[:i:i], text...), b[j:]...)
}

var sdpLines = []string{
	"m=audio 0 RTP/AVP 8\r\n", "m=audio 65536 RTP/AVP 8\r\n", "m=audio -1 RTP/AVP\r\n", "m=audio 4 RTP/AVP " + strings.Repeat("8 ", 3000) + "\r\n", "m=\r\n", "m=image 5 udptl t38\r\n",
	"c=IN IP6 zzz\r\n", "c=IN IP4 0.0.0.0\r\n", "c=IN IP4 127.0.0.1/999999999\r\n", "c=\r\n", "a=rtpmap:999999999 x/0/0\r\n", "a=rtpmap:101 telephone-event/8000\r\n", "a=fmtp:101 0-99999999999\r\n",
	"a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:x\r\n", "a=crypto:\r\n", "a=ptime:-1\r\n", "a=ptime:999999999999\r\n", "a=sendonly\r\n", "a=inactive\r\n", "o=- x y IN IP4\r\n", "t=9999999999999999999999 0\r\n", "v=1\r\n", "b=AS:-1\r\n", "=\r\n", "a\r\n",
}

// breakSDP puts a line into the body, once or a thousand times.
func breakSDP(rnd *rand.Rand, b []byte) []byte {
	_, body, ok := strings.Cut(string(b), "\r\n\r\n")
	if !ok || body == "" {
		return b
	}
	all := strings.SplitAfter(body, "\r\n")
	at := rnd.IntN(len(all) + 1)
	line := strings.Repeat(sdpLines[rnd.IntN(len(sdpLines))], []int{1, 1, 2, 1000}[rnd.IntN(4)])
	body = strings.Join(all[:at], "") + line + strings.Join(all[at:], "")
	head, _, _ := strings.Cut(string(b), "\r\n\r\n")
	return []byte(measured(head+"\r\n\r\n", body))
}

var contentLength = regexp.MustCompile(`(?mi)^Content-Length: *[0-9]+`)

// measured puts body behind head with the length that it has.
func measured(head, body string) string {
	return contentLength.ReplaceAllString(head, "Content-Length: "+digitsOf(len(body))) + body
}

func digitsOf(n int) string {
	if n < 10 {
		return string(rune('0' + n))
	}
	return digitsOf(n/10) + string(rune('0'+n%10))
}

var quads = regexp.MustCompile(`[0-9]+(\.[0-9]+){3}`)

// staysHere says that no address in a message is outside of this machine, so
// that the test sends nothing there.
func staysHere(text string) bool {
	for _, quad := range quads.FindAllString(text, -1) {
		if !strings.HasPrefix(quad, "127.") && quad != "0.0.0.0" {
			return false
		}
	}
	return true
}
