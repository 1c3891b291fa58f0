package sms

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// How sure a match is.
const (
	byExtension = 1.0 // the digits behind the access number are the job's
	byRef       = 0.9 // the text quotes the job's ref
	byOnly      = 0.8 // one job only went to this number lately
	byKeyword   = 0.7 // the latest one that offers the answer given
	byLatest    = 0.6 // the latest of several
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
// sender, newest first. It is pure.
func match(r reply, all []Candidate) found {
	sent := arrived(r, all)
	if len(sent) == 0 {
		return found{}
	}
	for i := range sent {
		if c := &sent[i]; c.Extension != "" && c.Extension == r.extension && c.Account == r.account {
			return found{c, byExtension, keyword(r.text, c)}
		}
	}
	for i := range sent {
		if c := &sent[i]; quotes(r.text, c.Ref) {
			return found{c, byRef, keyword(r.text, c)}
		}
	}
	return latest(r, sent)
}

// latest guesses by time, and by the answers that the jobs offered.
func latest(r reply, sent []Candidate) found {
	c := &sent[0]
	if oneJob(sent) {
		return found{c, byOnly, keyword(r.text, c)}
	}
	for i := range sent {
		if k := keyword(r.text, &sent[i]); k != "" {
			return found{&sent[i], byKeyword, k}
		}
	}
	return found{c, byLatest, ""}
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

// plain folds full-width letters and digits to ASCII and all to lower case.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r >= 0xFF01 && r <= 0xFF5E {
			r -= 0xFEE0
		}
		return unicode.ToLower(r)
	}, s)
}

// minRef is the shortest ref that counts as quoted: "1" is an answer.
const minRef = 3

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
		last, _ := utf8.DecodeLastRuneInString(text[:start])
		first, _ := utf8.DecodeRuneInString(text[end:])
		if !joins(last) && !joins(first) {
			return text[:start], text[end:], true
		}
		from = start + 1
	}
}

// joins says whether r would make a longer word of a ref beside it. A Chinese
// character does not.
func joins(r rune) bool {
	return r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r))
}

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
	rest = strings.TrimLeftFunc(strings.TrimPrefix(strings.TrimLeftFunc(rest, skipped), "回复"), skipped)
	best, word := "", ""
	for key, w := range c.Replies {
		for _, k := range []string{plain(key), plain(w)} {
			if begins(rest, k) && len(k) > len(best) {
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
