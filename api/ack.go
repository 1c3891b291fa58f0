package api

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"golang.org/x/text/language"

	"callbox/internal/stamp"
	"callbox/sms"
	"callbox/storage"
)

// ackBody is what POST /api/v1/sms/jobs/{id}/ack takes.
type ackBody struct {
	By string `json:"by,omitempty" maxLength:"128" doc:"who acknowledges; whose log-in or key it is when empty"`
}

type ackIn struct {
	ID   string `path:"id" maxLength:"64"`
	Body ackBody
}

// ackJob acknowledges a job. The first acknowledgement stays, and is the answer
// to every later one.
func (a *API) ackJob(ctx context.Context, in *ackIn) (*one[sms.Job], error) {
	if _, err := a.job(ctx, in.ID); err != nil {
		return nil, err
	}
	by := in.Body.By
	if by == "" {
		who := callerOf(ctx)
		by = firstWord(who.Name, who.ID, who.KeyID)
	}
	job, err := a.deps.Texter.Acknowledge(ctx, in.ID, sms.AckAPI, by)
	if err != nil {
		return nil, textProblem(err)
	}
	return &one[sms.Job]{Body: job}, nil
}

func firstWord(words ...string) string {
	for _, w := range words {
		if w != "" {
			return w
		}
	}
	return ""
}

// The page behind a text's link. The token in its address is all that it asks
// for: no cookie, no script. It says nothing to other sites, but its own form
// needs an Origin, so that the referrer's policy stays same-origin: with
// no-referrer browsers send Origin: null (Fetch standard, "append a request
// Origin header").
var (
	//go:embed ack.html
	ackHTML string
	//go:embed ack.css
	ackStyle string

	ackPage   = template.Must(template.New("ack").Parse(ackHTML))
	ackPolicy = "default-src 'none'; img-src data:; style-src 'sha256-" + hashOf(ackStyle) +
		"'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

func hashOf(s string) string {
	sum := sha256.Sum256([]byte(s))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Limits of the page.
const (
	maxPress = 32 << 10 // bytes of a form
	maxToken = 64
)

// How often a token that is no one's may be tried from one place, and a button
// be pressed behind one token.
const (
	freeMisses, missEvery   = 30, 2 * time.Second
	freePresses, pressEvery = 20, 10 * time.Second
)

// link shows what a text's link leads to. It changes nothing, whoever looks:
// phones fetch links before they are touched.
func (a *API) link(w http.ResponseWriter, r *http.Request) {
	if l, ok := a.linkOf(w, r); ok {
		a.showLink(w, r, http.StatusOK, l, "", "")
	}
}

// press takes a button.
func (a *API) press(w http.ResponseWriter, r *http.Request) {
	l, ok := a.linkOf(w, r)
	if !ok {
		return
	}
	token := r.PathValue("token")
	if wait := a.presses.spend(token, time.Now()); wait > 0 {
		a.turnAway(w, r, wait)
		return
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxPress)
	if err := r.ParseForm(); err != nil {
		a.problemPage(w, r, http.StatusBadRequest, wordsFor(r).Broken)
		return
	}
	p := sms.Press{Word: r.PostForm.Get("word"), Remark: strings.ReplaceAll(r.PostForm.Get("remark"), "\r\n", "\n")}
	err := a.deps.Texter.Press(r.Context(), token, p)
	var invalid sms.Invalid
	switch {
	case errors.As(err, &invalid):
		a.showLink(w, r, http.StatusUnprocessableEntity, l, p.Remark, wordsFor(r).fault(invalid, p))
	case err != nil:
		a.linkFailed(w, r, err)
	default:
		w.Header().Set("Location", token+"#done") // a reload shows the page, and presses nothing
		a.plainHeaders(w)
		w.WriteHeader(http.StatusSeeOther)
	}
}

// linkOf finds the link of a request; false where it was answered otherwise.
func (a *API) linkOf(w http.ResponseWriter, r *http.Request) (sms.Link, bool) {
	token, who, now := r.PathValue("token"), network(r), time.Now()
	if wait := a.misses.wait(who, now); wait > 0 {
		a.turnAway(w, r, wait)
		return sms.Link{}, false
	}
	if len(token) > maxToken {
		token = ""
	}
	l, err := a.deps.Texts.Link(r.Context(), token)
	if errors.Is(err, storage.ErrNotFound) {
		a.misses.spend(who, now)
	}
	if err != nil {
		a.linkFailed(w, r, err)
		return sms.Link{}, false
	}
	return l, true
}

func (a *API) linkFailed(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, storage.ErrNotFound) || errors.Is(err, sms.ErrNotFound) {
		a.problemPage(w, r, http.StatusNotFound, wordsFor(r).Gone)
		return
	}
	a.log.ErrorContext(r.Context(), "link not served", "err", err)
	a.problemPage(w, r, http.StatusServiceUnavailable, wordsFor(r).Failed)
}

func (a *API) turnAway(w http.ResponseWriter, r *http.Request, wait time.Duration) {
	w.Header().Set("Retry-After", strconv.Itoa(int(wait/time.Second)+1))
	a.problemPage(w, r, http.StatusTooManyRequests, wordsFor(r).Wait)
}

// linkView is what the page's template shows.
type linkView struct {
	Words     *linkWords
	Style     template.CSS
	Title     string
	Problem   string // instead of all below
	Text      string
	Acked     string // empty: not yet
	Answers   []answerView
	Buttons   []button
	Left      button
	MaxRemark int
	Remark    string // as it was sent
	Fault     string // what is wrong with it
}

type answerView struct{ Word, Text, Who, Time string }

type button struct{ Word, Beside string }

func (a *API) problemPage(w http.ResponseWriter, r *http.Request, status int, problem string) {
	words := wordsFor(r)
	a.page(w, r, status, linkView{Words: words, Title: words.Problem, Problem: problem})
}

func (a *API) showLink(w http.ResponseWriter, r *http.Request, status int, l sms.Link, remark, fault string) {
	words := wordsFor(r)
	v := linkView{
		Words: words, Title: words.Notice, Text: l.Message.Text, Left: words.button(sms.WordLeft),
		MaxRemark: sms.MaxRemark, Remark: remark, Fault: fault,
	}
	if l.Message.Ref != "" {
		v.Title = words.Order + " " + l.Message.Ref
	}
	for _, word := range []string{sms.WordTaken, sms.WordArrived, sms.WordDone} {
		v.Buttons = append(v.Buttons, words.button(word))
	}
	if k := l.Ack; k != nil {
		v.Acked = words.Acked + ": " + strings.Join([]string{words.how(k.How), tail(k.By), a.clock(k.Time)}, " · ")
	}
	for _, in := range l.Answers {
		text := in.Text
		if text == in.Keyword {
			text = ""
		}
		v.Answers = append(v.Answers, answerView{in.Keyword, text, tail(in.From), a.clock(in.Time)})
	}
	a.page(w, r, status, v)
}

func (a *API) page(w http.ResponseWriter, r *http.Request, status int, v linkView) {
	v.Style = template.CSS(ackStyle) // our own file
	var b bytes.Buffer
	if err := ackPage.Execute(&b, v); err != nil {
		a.fail(w, r, err)
		return
	}
	a.plainHeaders(w)
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Language", v.Words.Lang)
	w.WriteHeader(status)
	_, _ = w.Write(b.Bytes()) // the phone went away: nobody to tell
}

// plainHeaders keep the page out of caches and search engines.
func (a *API) plainHeaders(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Security-Policy", ackPolicy)
	h.Set("Cache-Control", "no-store")
	h.Set("X-Robots-Tag", "noindex, nofollow")
	h.Set("Vary", "Accept-Language")
}

// clock is a time as people of the box's zone write it.
func (a *API) clock(t stamp.Time) string {
	zone := a.cfg.Zone
	if zone == nil {
		zone = time.UTC
	}
	return t.In(zone).Format("01-02 15:04")
}

// tail is the end of a number, which is enough among colleagues; a name is
// whole.
func tail(who string) string {
	if digits, ok := strings.CutPrefix(who, "+"); ok && len(digits) > 4 {
		return "…" + digits[len(digits)-4:]
	}
	return "\u2068" + who + "\u2069" // isolated: it may be written from right to left
}

var linkLanguages = language.NewMatcher([]language.Tag{language.SimplifiedChinese, language.English})

// wordsFor is the page's language: Chinese unless the phone would rather read
// English.
func wordsFor(r *http.Request) *linkWords {
	wanted, _, err := language.ParseAcceptLanguage(r.Header.Get("Accept-Language"))
	if err != nil {
		return &chinese
	}
	if _, i, _ := linkLanguages.Match(wanted...); i == 1 {
		return &english
	}
	return &chinese
}

// linkWords are the page's words in one language.
type linkWords struct {
	Lang, Notice, Order, SoFar, Open, Acked, Now, Reason string
	Problem, Gone, Broken, Failed, Wait                  string
	Long, Missing, Unknown                               string // faults of a press
	Hows, Beside                                         map[string]string
}

func (l *linkWords) button(word string) button { return button{word, l.Beside[word]} }

func (l *linkWords) how(how string) string { return firstWord(l.Hows[how], how) }

// fault says what is wrong with a press.
func (l *linkWords) fault(faults sms.Invalid, p sms.Press) string {
	switch {
	case faults[0].Field != "remark":
		return l.Unknown
	case strings.TrimSpace(p.Remark) == "":
		return l.Missing
	}
	return l.Long
}

var chinese = linkWords{
	Lang: "zh-Hans", Notice: "通知", Order: "工单", SoFar: "处理情况", Open: "尚未确认", Acked: "已确认", Now: "我要回复",
	Reason: "遗留原因说明", Problem: "无法打开", Gone: "链接无效或已过期。", Broken: "提交的内容无法识别,请返回重试。",
	Failed: "系统暂时无法记录,请稍后再试。", Wait: "操作太频繁,请稍后再试。",
	Long: "说明过长,或含有无法识别的字符。", Missing: "请填写遗留原因。", Unknown: "没有这个按钮,请刷新页面。",
	Hows: map[string]string{sms.AckReply: "短信回复", sms.AckLink: "链接", sms.AckAPI: "系统", sms.AckVoice: "电话"},
}

var english = linkWords{
	Lang: "en", Notice: "Notice", Order: "Work order", SoFar: "So far", Open: "Not yet acknowledged", Acked: "Acknowledged",
	Now: "My answer", Reason: "What is left to do, and why", Problem: "Cannot be opened", Gone: "This link is not valid, or too old.",
	Broken: "What was sent cannot be read. Please go back and try again.",
	Failed: "The box cannot write it down now. Please try again later.", Wait: "Too many tries. Please wait a little.",
	Long: "The text is too long, or has characters that cannot be read.", Missing: "Please say why.", Unknown: "There is no such button. Please reload the page.",
	Hows:   map[string]string{sms.AckReply: "by text", sms.AckLink: "by link", sms.AckAPI: "by system", sms.AckVoice: "by phone"},
	Beside: map[string]string{sms.WordTaken: "Accept", sms.WordArrived: "Arrived", sms.WordDone: "Done", sms.WordLeft: "Left open"},
}
