package sms

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// How sure a match is.
const (
	byHand      = 1.0 // a person said so
	byExtension = 1.0 // the digits behind the access number are the job's
	byRef       = 0.9 // the text quotes the job's ref
	byOnly      = 0.8 // one job only went to this number lately
	byKeyword   = 0.7 // the latest one that offers the answer and was not given it before
	byLatest    = 0.6 // the latest of several
	byStranger  = 0.5 // the text quotes the ref of a job that went to others only
)

// reply is an incoming text to be matched.
type reply struct {
	text, account, extension string
}

type found struct {
	candidate *Candidate
	sure      float64
	keyword   string
}

// match finds the job that a reply answers among the messages that went to its
// sender, newest first. A reply that names another job answers none of them. It
// is pure.
func match(r reply, all []Candidate) found {
	sent := arrived(r, all)
	for i := range sent {
		if c := &sent[i]; c.Extension != "" && c.Extension == r.extension && c.Account == r.account {
			return found{c, byExtension, keyword(r.text, c)}
		}
	}
	if c := quoted(r.text, sent); c != nil {
		return found{c, byRef, keyword(r.text, c)}
	}
	if len(sent) == 0 || named(r.text) != "" {
		return found{}
	}
	return latest(r, sent)
}

// quoted is the newest message whose ref the text quotes; of refs that begin
// alike the longest counts.
func quoted(text string, sent []Candidate) (best *Candidate) {
	for i := range sent {
		c := &sent[i]
		if quotes(text, c.Ref) && (best == nil || len(plain(c.Ref)) > len(plain(best.Ref))) {
			best = c
		}
	}
	return best
}

// latest guesses by time, and by the answers that the jobs offered: one that was
// given before is rather another job's.
func latest(r reply, sent []Candidate) found {
	if oneJob(sent) {
		return found{&sent[0], byOnly, keyword(r.text, &sent[0])}
	}
	for i := range sent {
		c := &sent[i]
		if k := keyword(r.text, c); k != "" && !slices.Contains(c.Given, k) {
			return found{c, byKeyword, k}
		}
	}
	return found{&sent[0], byLatest, keyword(r.text, &sent[0])}
}

// arrived leaves the messages that may be on the handset, those of the
// reply's account if there are any.
func arrived(r reply, all []Candidate) []Candidate {
	var sent, here []Candidate
	for _, c := range all {
		switch c.Status {
		case Submitting, Submitted, Delivered, Unknown, Expired:
		default:
			if !c.MaybeSent {
				continue
			}
		}
		sent = append(sent, c)
		if c.Account == r.account {
			here = append(here, c)
		}
	}
	if len(here) > 0 {
		return here
	}
	return sent
}

func oneJob(sent []Candidate) bool {
	for _, c := range sent {
		if c.Job != sent[0].Job {
			return false
		}
	}
	return true
}

// plain folds full-width and circled letters and digits to ASCII, all dashes to
// one and all to lower case.
func plain(s string) string { return strings.ToLower(fold(s)) }

func fold(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.Is(unicode.Pd, r) || r == '\u2212' {
			return '-'
		}
		return r
	}, norm.NFKC.String(s))
}

// minRef is the shortest ref that counts as quoted: "1" is an answer.
const minRef = 3

// named is the job's ref in a text of the form D REF result, as it was typed;
// empty for a text of another form. A ref has a digit in it.
func named(text string) string {
	rest := strings.TrimLeftFunc(fold(text), skipped)
	if !strings.HasPrefix(rest, "d") && !strings.HasPrefix(rest, "D") {
		return ""
	}
	rest = rest[1:]
	if first, _ := utf8.DecodeRuneInString(rest); !skipped(first) && !unicode.IsDigit(first) {
		return "" // DELAY 15
	}
	rest = strings.TrimLeftFunc(rest, skipped)
	end := strings.IndexFunc(rest, unicode.IsSpace)
	if first, _ := utf8.DecodeRuneInString(rest); joins(first) {
		end = strings.IndexFunc(rest, func(r rune) bool { return !joins(r) && !connects(r) })
	}
	if end >= 0 {
		rest = rest[:end]
	}
	if utf8.RuneCountInString(rest) < minRef || !strings.ContainsFunc(rest, unicode.IsDigit) {
		return ""
	}
	return rest
}

// quotes says whether text has ref as a word of its own.
func quotes(text, ref string) bool {
	_, _, ok := aroundRef(text, ref)
	return ok
}

// aroundRef is what stands before and behind ref in text, folded.
func aroundRef(text, ref string) (before, after string, ok bool) {
	text, ref = plain(text), plain(strings.TrimSpace(ref))
	if utf8.RuneCountInString(ref) < minRef {
		return "", "", false
	}
	for from := 0; ; {
		i := strings.Index(text[from:], ref)
		if i < 0 {
			return "", "", false
		}
		start, end := from+i, from+i+len(ref)
		if ends(text[:start]) && begun(text[end:]) {
			return text[:start], text[end:], true
		}
		_, size := utf8.DecodeRuneInString(text[start:])
		from = start + size
	}
}

// ends says whether a word may begin behind before: its last word is over, or it
// is the D of D REF result.
func ends(before string) bool {
	last, size := utf8.DecodeLastRuneInString(before)
	if connects(last) {
		before = before[:len(before)-size]
		last, size = utf8.DecodeLastRuneInString(before)
	}
	if last == 'd' {
		last, _ = utf8.DecodeLastRuneInString(before[:len(before)-size])
	}
	return !joins(last)
}

// begun says whether a word has ended before after.
func begun(after string) bool {
	first, size := utf8.DecodeRuneInString(after)
	if connects(first) {
		first, _ = utf8.DecodeRuneInString(after[size:])
	}
	return !joins(first)
}

// joins says whether r would make a longer word of a ref beside it. A Chinese
// character does not.
func joins(r rune) bool {
	return r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

// connects says whether r between two such makes one word of them.
func connects(r rune) bool { return r == '-' || r == '_' || r == '/' }

// keyword is the word for the answer in text, by the candidate's replies: the
// text, without the quoted ref, is or begins with a key or its word.
func keyword(text string, c *Candidate) string {
	if len(c.Replies) == 0 {
		return ""
	}
	rest := plain(text)
	if before, after, ok := aroundRef(text, c.Ref); ok {
		rest = after
		if strings.TrimFunc(after, skipped) == "" {
			rest = before
		}
	}
	rest = strings.TrimLeftFunc(rest, skipped)
	for _, opening := range []string{"", "回复", "d", "已经", "已"} {
		if word := answer(strings.TrimLeftFunc(strings.TrimPrefix(rest, opening), skipped), c.Replies); word != "" {
			return word
		}
	}
	return ""
}

// answer is the word of the longest key or word that rest begins with.
func answer(rest string, replies map[string]string) (word string) {
	best := ""
	for key, w := range replies {
		for _, k := range []string{plain(key), plain(w)} {
			if begins(rest, k) && (len(k) > len(best) || len(k) == len(best) && w < word) {
				best, word = k, w
			}
		}
	}
	return word
}

// begins says whether text is key or goes on behind it with something else:
// 3 begins "3 done" and "3已完成", not "30".
func begins(text, key string) bool {
	rest, ok := strings.CutPrefix(text, key)
	if !ok || key == "" {
		return false
	}
	last, _ := utf8.DecodeLastRuneInString(key)
	first, _ := utf8.DecodeRuneInString(rest)
	return !joins(last) || !joins(first)
}

// skipped is what may stand around an answer.
func skipped(r rune) bool { return unicode.IsSpace(r) || unicode.IsPunct(r) || unicode.IsSymbol(r) }
