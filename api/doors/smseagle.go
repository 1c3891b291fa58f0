package doors

import (
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"

	"callbox/sms"
)

// eagleOrder is a request in SMSEagle's shape, from whichever of its forms.
// What only concerns radio modems (unicode, flash, modem_no) is passed over.
type eagleOrder struct {
	token       string
	login, pass string
	to          []string
	text        string
	date        string // YYYYmmDDHHMM in the box's zone
	validity    string
	priority    sms.Priority
	test        bool
}

// eagle stores what an order asks for. The messages are in the order of their
// numbers, a number that was named twice once.
func (d *Doors) eagle(r *http.Request, o eagleOrder) (sms.Job, error) {
	k, err := d.eagleKey(r, o)
	if err != nil {
		return sms.Job{}, err
	}
	switch {
	case len(o.to) == 0:
		return sms.Job{}, refuse(noTo, "to", "is empty")
	case strings.TrimSpace(o.text) == "":
		return sms.Job{}, refuse(noText, "message", "is empty")
	case o.test:
		return sms.Job{}, refuse(badField, "test", sms.ErrNotServed.Error())
	}
	req := sms.Request{To: o.to, Text: o.text, Priority: o.priority}
	if o.date != "" {
		at, err := time.ParseInLocation("200601021504", o.date, d.cfg.Zone)
		if err != nil {
			return sms.Job{}, refuse(badTime, "date", "is not YYYYmmDDHHMM")
		}
		req.SendAt = &at
	}
	life, err := eagleLife(o.validity)
	if err != nil {
		return sms.Job{}, err
	}
	if life > 0 {
		req.ValidUntil = later(req.SendAt, life)
	}
	return d.accept(r.Context(), k, req)
}

// eagleKey is the key behind an access token, or behind a login (the key's name)
// with its password.
func (d *Doors) eagleKey(r *http.Request, o eagleOrder) (Key, error) {
	if o.token != "" {
		return d.key(r.Context(), o.token)
	}
	return d.named(r.Context(), o.login, o.pass)
}

var eagleUnits = map[byte]time.Duration{
	'm': time.Minute, 'h': time.Hour, 'd': 24 * time.Hour, 'w': 7 * 24 * time.Hour,
}

// eagleLife reads a validity such as 5m, 12h, 2d, 4w; max is none.
func eagleLife(text string) (time.Duration, error) {
	if text == "" || text == "max" {
		return 0, nil
	}
	unit, known := eagleUnits[text[len(text)-1]]
	n, err := strconv.Atoi(text[:len(text)-1])
	if err != nil || !known || n < 1 || n > 60 {
		return 0, refuse(badValidity, "validity", "is neither max nor such as 5m, 12h, 2d, 4w")
	}
	return time.Duration(n) * unit, nil
}

// eagleID is a message's number: SMSEagle's are numbers, which clients keep. It
// is the UUIDv7's time in milliseconds since 2020 and its 12 bits of sequence:
// 53 bits until 2089, so that every JSON reader holds it exactly.
func eagleID(m sms.Message) int64 {
	u, err := uuid.Parse(m.ID)
	if err != nil {
		return 0
	}
	const since2020 = 1_577_836_800_000
	var ms int64
	for _, b := range u[:6] {
		ms = ms<<8 | int64(b)
	}
	return max(ms-since2020, 0)<<12 | int64(u[6]&0x0f)<<8 | int64(u[7])
}

// EagleHTTP is GET or POST /http_api/send_sms, answered as text or, where
// responsetype says so, as XML.
func (d *Doors) EagleHTTP(w http.ResponseWriter, r *http.Request) {
	if err := form(w, r); err != nil {
		d.eagleText(w, r, sms.Job{}, err)
		return
	}
	f := r.Form
	o := eagleOrder{
		token: f.Get("access_token"), login: f.Get("login"), pass: f.Get("pass"), to: list(f.Get("to"), ","),
		text: f.Get("message"), date: f.Get("date"), validity: f.Get("validity"), test: f.Get("test") == "1",
	}
	if f.Get("highpriority") == "1" {
		o.priority = "high"
	}
	job, err := d.eagle(r, o)
	if f.Get("responsetype") == "xml" {
		d.eagleXML(w, r, job, err)
		return
	}
	d.eagleText(w, r, job, err)
}

// eagleWords is SMSEagle's answer to what is refused, with the reason behind.
func eagleWords(why *refusal, token bool) string {
	switch {
	case why.kind == badKey && token:
		return "Invalid access token"
	case why.kind == badKey:
		return "Invalid login or password"
	case why.kind.status() == http.StatusBadRequest:
		return "Wrong parameters: " + why.Error()
	}
	return why.Error()
}

func (d *Doors) eagleRefusal(w http.ResponseWriter, r *http.Request, err error) (status int, words string) {
	why := d.refused(r.Context(), err)
	why.retryAfter(w)
	return why.kind.status(), eagleWords(why, r.Form.Get("access_token") != "")
}

func (d *Doors) eagleText(w http.ResponseWriter, r *http.Request, job sms.Job, err error) {
	if err != nil {
		status, words := d.eagleRefusal(w, r, err)
		writeText(w, status, words)
		return
	}
	writeText(w, http.StatusOK, strings.Join(eagleLines(job), "\n"))
}

// eagleLines are OK; ID=297, one a message.
func eagleLines(job sms.Job) []string {
	lines := make([]string, len(job.Messages))
	for i, m := range job.Messages {
		lines[i] = "OK; ID=" + strconv.FormatInt(eagleID(m), 10)
	}
	return lines
}

// eagleItem is one message, or an error, in XML and in extended JSON.
type eagleItem struct {
	XMLName xml.Name `json:"-"`
	ID      string   `xml:"message_id,omitempty" json:"message_id,omitempty"`
	Error   string   `xml:"error_text,omitempty" json:"error_text,omitempty"`
	Status  string   `xml:"status" json:"status"`
}

func eagleItems(job sms.Job) []eagleItem {
	items := make([]eagleItem, len(job.Messages))
	for i, m := range job.Messages {
		items[i] = eagleItem{ID: strconv.FormatInt(eagleID(m), 10), Status: "ok"}
	}
	return items
}

func (d *Doors) eagleXML(w http.ResponseWriter, r *http.Request, job sms.Job, err error) {
	status, items := http.StatusOK, eagleItems(job)
	if err != nil {
		var words string
		status, words = d.eagleRefusal(w, r, err)
		items = []eagleItem{{Error: words, Status: "error"}}
	}
	var body []byte
	if len(items) == 1 { // without <item>
		items[0].XMLName.Local = "xml"
		body, err = xml.Marshal(items[0])
	} else {
		body, err = xml.Marshal(struct {
			XMLName xml.Name    `xml:"xml"`
			Items   []eagleItem `xml:"item"`
		}{Items: items})
	}
	if err != nil { // strings always marshal
		status = http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(body) // the client went away: nobody to tell
}

// loose is a string that clients also write as a number or a list.
type loose string

// UnmarshalJSON takes a string, a number, true, false, null, or a list of them.
func (l *loose) UnmarshalJSON(b []byte) error {
	var v any
	if err := json.Unmarshal(b, &v); err != nil {
		return err
	}
	words, err := looseWords(v, b)
	*l = loose(words)
	return err
}

func looseWords(v any, raw []byte) (string, error) {
	switch v := v.(type) {
	case nil:
		return "", nil
	case string:
		return v, nil
	case bool:
		return map[bool]string{true: "1", false: "0"}[v], nil
	case float64:
		return string(raw), nil
	case []any:
		var parts []loose
		if err := json.Unmarshal(raw, &parts); err != nil {
			return "", err
		}
		words := make([]string, len(parts))
		for i, p := range parts {
			words[i] = string(p)
		}
		return strings.Join(words, ","), nil
	}
	return "", errors.New("neither a string nor a number nor a list of them")
}

// eagleCall is a call of the JSON-RPC form; other keys are let pass.
type eagleCall struct {
	Method string `json:"method"`
	Params struct {
		Token        loose `json:"access_token"`
		Login        loose `json:"login"`
		Pass         loose `json:"pass"`
		To           loose `json:"to"`
		Message      loose `json:"message"`
		Date         loose `json:"date"`
		Validity     loose `json:"validity"`
		HighPriority loose `json:"highpriority"`
		ResponseType loose `json:"responsetype"`
		Test         loose `json:"test"`
	} `json:"params"`
}

// readJSON reads a body of at most maxForm. Error: *refusal.
func readJSON(w http.ResponseWriter, r *http.Request, v any) error {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxForm))
	switch {
	case err != nil:
	case !utf8.Valid(body): // which would arrive on a handset as U+FFFD
		err = errors.New("it is not UTF-8")
	default:
		err = json.Unmarshal(body, v)
	}
	if err != nil {
		return refuse(badField, "body", "cannot be read: "+err.Error())
	}
	return nil
}

// EagleRPC is POST /jsonrpc/sms with the method sms.send_sms.
func (d *Doors) EagleRPC(w http.ResponseWriter, r *http.Request) {
	var c eagleCall
	if err := readJSON(w, r, &c); err != nil {
		d.eagleResult(w, r, c, sms.Job{}, err)
		return
	}
	if c.Method != "sms.send_sms" {
		d.eagleResult(w, r, c, sms.Job{}, refuse(badField, "method", "only sms.send_sms is served"))
		return
	}
	p := c.Params
	o := eagleOrder{
		token: string(p.Token), login: string(p.Login), pass: string(p.Pass), to: list(string(p.To), ","),
		text: string(p.Message), date: string(p.Date), validity: string(p.Validity), test: p.Test == "1",
	}
	if p.HighPriority == "1" {
		o.priority = "high"
	}
	job, err := d.eagle(r, o)
	d.eagleResult(w, r, c, job, err)
}

// eagleResult answers {"result": …}: one answer as itself, several as a list.
func (d *Doors) eagleResult(w http.ResponseWriter, r *http.Request, c eagleCall, job sms.Job, err error) {
	status, extended := http.StatusOK, c.Params.ResponseType == "extended"
	var results []any
	switch {
	case err != nil:
		why := d.refused(r.Context(), err)
		why.retryAfter(w)
		status = why.kind.status()
		results = []any{eagleWords(why, c.Params.Token != "")}
		if extended {
			results = []any{eagleItem{Error: eagleWords(why, c.Params.Token != ""), Status: "error"}}
		}
	case extended:
		for _, item := range eagleItems(job) {
			results = append(results, item)
		}
	default:
		for _, line := range eagleLines(job) {
			results = append(results, line)
		}
	}
	if len(results) == 1 {
		writeJSON(w, status, map[string]any{"result": results[0]})
		return
	}
	writeJSON(w, status, map[string]any{"result": results})
}

// eagleOut is a message as version 2 of SMSEagle's API shows one.
type eagleOut struct {
	Status  string `json:"status"`
	Message string `json:"message"`
	Number  string `json:"number"`
	ID      int64  `json:"id"`
}

// EagleV2 is POST /api/v2/messages/sms with the header access-token.
func (d *Doors) EagleV2(w http.ResponseWriter, r *http.Request) {
	var b struct {
		To       loose `json:"to"`
		Text     loose `json:"text"`
		Date     loose `json:"date"`
		Validity loose `json:"validity"`
		Priority loose `json:"priority"` // 0 (usual) to 9
		Test     loose `json:"test"`
	}
	err := readJSON(w, r, &b)
	var job sms.Job
	if err == nil {
		o := eagleOrder{
			token: r.Header.Get("access-token"), to: list(string(b.To), ","), text: string(b.Text),
			date: string(b.Date), validity: string(b.Validity), test: b.Test == "1",
		}
		if b.Priority != "0" {
			o.priority = sms.Priority(b.Priority)
		}
		job, err = d.eagle(r, o)
	}
	if err != nil {
		why := d.refused(r.Context(), err)
		why.retryAfter(w)
		writeJSON(w, why.kind.status(), eagleItem{Error: eagleWords(why, true), Status: "error"})
		return
	}
	out := make([]eagleOut, len(job.Messages))
	for i, m := range job.Messages {
		out[i] = eagleOut{Status: "queued", Message: string(b.Text), Number: m.Raw, ID: eagleID(m)}
	}
	writeJSON(w, http.StatusOK, out)
}
