package doors

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"callbox/internal/stamp"
	"callbox/internal/twilio"
	"callbox/sms"
)

// Limits of Twilio's: a body in characters, ValidityPeriod in seconds.
const (
	twilioBody     = 1600
	twilioValidity = 36_000
)

// FormatTwilio begins the format of callbacks in Twilio's shape; the account's
// sid follows behind a blank.
const FormatTwilio = "twilio"

// visitor is who uses the Twilio shape: the sid is whatever he calls himself.
type visitor struct {
	Key
	sid string
}

// enter checks the log-in: the path's sid as user name, the key as password.
func (d *Doors) enter(r *http.Request) (visitor, error) {
	sid := r.PathValue("sid")
	user, password, ok := r.BasicAuth()
	if !ok || !twilio.AccountSID(sid) || user != sid {
		return visitor{}, errBadKey
	}
	k, err := d.key(r.Context(), password)
	return visitor{k, sid}, err
}

// TwilioSend makes a message: POST …/Messages.json, answered with 201.
func (d *Doors) TwilioSend(w http.ResponseWriter, r *http.Request) {
	who, err := d.enter(r)
	if err != nil {
		d.twilioError(w, r, err)
		return
	}
	req, err := d.twilioRequest(w, r, who)
	if err != nil {
		d.twilioError(w, r, err)
		return
	}
	job, err := d.accept(r.Context(), who.Key, req)
	if err != nil {
		d.twilioError(w, r, err)
		return
	}
	shown := d.twilioShow(who, job.Messages[0])
	shown.Body = req.Text // as it was given; what is sent is signed
	if service := r.PostForm.Get("MessagingServiceSid"); service != "" {
		shown.Service = &service
	}
	writeJSON(w, http.StatusCreated, shown)
}

// twilioRequest reads the form. What only concerns Twilio's own network is
// passed over; pictures and content templates, which would be lost, are refused.
func (d *Doors) twilioRequest(w http.ResponseWriter, r *http.Request, who visitor) (sms.Request, error) {
	if err := form(w, r); err != nil {
		return sms.Request{}, err
	}
	f := r.PostForm
	body := f.Get("Body")
	switch {
	case f.Get("To") == "":
		return sms.Request{}, refuse(noTo, "To", "a 'To' phone number is required")
	case f.Get("MediaUrl") != "" || f.Get("ContentSid") != "":
		return sms.Request{}, refuse(badField, "MediaUrl", "only texts are sent: no MediaUrl, no ContentSid")
	case strings.TrimSpace(body) == "":
		return sms.Request{}, refuse(noText, "Body", "message body is required")
	case utf8.RuneCountInString(body) > twilioBody:
		return sms.Request{}, refuse(longText, "Body", "the message body exceeds the 1600 character limit")
	}
	account, err := d.twilioFrom(f.Get("From"), f.Get("MessagingServiceSid"))
	if err != nil {
		return sms.Request{}, err
	}
	req := sms.Request{To: []string{f.Get("To")}, Text: body, Account: account}
	if req.CallbackURL = f.Get("StatusCallback"); req.CallbackURL != "" {
		req.Format = FormatTwilio + " " + who.sid
	}
	return req, twilioTimes(r, &req)
}

// twilioFrom is the account that From stands for; none where a messaging service
// is named, which is all the box's accounts together.
func (d *Doors) twilioFrom(from, service string) (account string, err error) {
	switch {
	case from == "" && service == "":
		return "", refuse(noFrom, "From", "a 'From' phone number or a MessagingServiceSid is required")
	case service != "" && !twilio.ServiceSID(service):
		return "", refuse(badFrom, "MessagingServiceSid", "is not MG and 32 hex digits")
	case from == "" || twilio.ServiceSID(from):
		return "", nil
	}
	a, ok := d.accountOf(from)
	if !ok {
		return "", refuse(badFrom, "From", fmt.Sprintf("%q is no access number of this box's accounts", from))
	}
	return a.Name, nil
}

// twilioTimes reads when the text is to go, and until when.
func twilioTimes(r *http.Request, req *sms.Request) error {
	f := r.PostForm
	switch schedule, at := f.Get("ScheduleType"), f.Get("SendAt"); {
	case schedule == "" && at == "":
	case schedule != "fixed":
		return refuse(badTime, "ScheduleType", "is not 'fixed'")
	case f.Get("MessagingServiceSid") == "":
		return refuse(noService, "MessagingServiceSid", "is required to schedule a message")
	default:
		t, err := time.Parse(time.RFC3339, at)
		if err != nil {
			return refuse(badTime, "SendAt", "is no time of ISO 8601, as in 2026-05-15T14:30:00Z")
		}
		req.SendAt = &t
	}
	if text := f.Get("ValidityPeriod"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > twilioValidity {
			return refuse(badValidity, "ValidityPeriod", "is not from 1 to 36000 seconds")
		}
		req.ValidUntil = later(req.SendAt, time.Duration(n)*time.Second)
	}
	return nil
}

// TwilioGet shows one message: GET …/Messages/{SM…}.json.
func (d *Doors) TwilioGet(w http.ResponseWriter, r *http.Request) {
	who, m, err := d.twilioMessage(r)
	if err != nil {
		d.twilioError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, d.twilioShow(who, m))
}

// TwilioChange cancels a message that has not been sent: POST …/Messages/{SM…}
// .json with Status=canceled. Nothing else of a message can be changed.
func (d *Doors) TwilioChange(w http.ResponseWriter, r *http.Request) {
	who, m, err := d.twilioMessage(r)
	if err == nil {
		err = form(w, r)
	}
	if err == nil && r.PostForm.Get("Status") != "canceled" {
		err = refuse(badField, "Status", "only Status=canceled is served")
	}
	if err != nil {
		d.twilioError(w, r, err)
		return
	}
	job, err := d.deps.Texter.Cancel(r.Context(), m.Job)
	if err != nil {
		d.twilioError(w, r, err)
		return
	}
	for _, now := range job.Messages {
		if now.ID == m.ID {
			m = now
		}
	}
	if m.Status != sms.Canceled {
		d.twilioError(w, r, refuse(conflict, "Status", "the message is "+string(m.Status)+" already"))
		return
	}
	writeJSON(w, http.StatusOK, d.twilioShow(who, m))
}

// twilioMessage finds the path's message, if it is the key's.
func (d *Doors) twilioMessage(r *http.Request) (visitor, sms.Message, error) {
	who, err := d.enter(r)
	if err != nil {
		return who, sms.Message{}, err
	}
	name, isJSON := strings.CutSuffix(r.PathValue("message"), ".json")
	if !isJSON {
		return who, sms.Message{}, refuse(noXML, "", onlyJSON)
	}
	id, ok := twilio.MessageID(name)
	if !ok {
		return who, sms.Message{}, refuse(notFound, "", "the requested resource "+r.URL.Path+" was not found")
	}
	m, signer, err := d.deps.Texts.Message(r.Context(), id)
	if err == nil && signer != who.ID {
		err = sms.ErrNotFound
	}
	if errors.Is(err, sms.ErrNotFound) {
		err = refuse(notFound, "", "the requested resource "+r.URL.Path+" was not found")
	}
	return who, m, err
}

const onlyJSON = "XML is not served here: put .json behind the path"

// TwilioXML answers the paths without .json, which are Twilio's XML.
func (d *Doors) TwilioXML(w http.ResponseWriter, r *http.Request) {
	_, err := d.enter(r)
	if err == nil {
		err = refuse(noXML, "", onlyJSON)
	}
	d.twilioError(w, r, err)
}

// TwilioUnknown answers the rest of Twilio's API.
func (d *Doors) TwilioUnknown(w http.ResponseWriter, r *http.Request) {
	d.twilioError(w, r, refuse(notFound, "", "the requested resource "+r.URL.Path+" was not found"))
}

// twilioObject is a message as Twilio shows one.
type twilioObject struct {
	SID          string            `json:"sid"`
	Account      string            `json:"account_sid"`
	Service      *string           `json:"messaging_service_sid"`
	To           string            `json:"to"`
	From         string            `json:"from"`
	Body         string            `json:"body"`
	Status       string            `json:"status"`
	Direction    string            `json:"direction"`
	Segments     string            `json:"num_segments"`
	Media        string            `json:"num_media"`
	Price        *string           `json:"price"`
	Unit         string            `json:"price_unit"`
	ErrorCode    *int              `json:"error_code"`
	ErrorMessage *string           `json:"error_message"`
	Version      string            `json:"api_version"`
	Created      string            `json:"date_created"`
	Updated      string            `json:"date_updated"`
	Sent         *string           `json:"date_sent"`
	URI          string            `json:"uri"`
	Resources    map[string]string `json:"subresource_uris"`
}

func (d *Doors) twilioShow(who visitor, m sms.Message) twilioObject {
	uri := messagesPath(who.sid) + "/" + twilio.MessageSID(m.ID)
	o := twilioObject{
		SID: twilio.MessageSID(m.ID), Account: who.sid, To: m.To, From: d.srcID(m.Account), Body: m.Text,
		Status: outcome(m).Word(), Direction: "outbound-api", Segments: strconv.Itoa(m.Parts), Media: "0",
		Unit: "USD", Version: twilio.Version, URI: uri + ".json",
		Resources: map[string]string{"media": uri + "/Media.json"},
	}
	first, last := span(m.Times)
	o.Created, o.Updated = twilio.Date(first), twilio.Date(last)
	if at, ok := m.Times[sms.Submitted]; ok {
		sent := twilio.Date(at.Time)
		o.Sent = &sent
	}
	if code := outcome(m).ErrorCode(); code != 0 {
		o.ErrorCode = &code
		if m.Error != nil {
			words := strings.TrimSpace(m.Error.Stat + " " + m.Error.Text)
			o.ErrorMessage = &words
		}
	}
	return o
}

func messagesPath(sid string) string {
	return "/" + twilio.Version + "/Accounts/" + sid + "/Messages"
}

func outcome(m sms.Message) twilio.Outcome {
	o := twilio.Outcome{Status: string(m.Status)}
	_, o.Submitted = m.Times[sms.Submitted]
	if m.Error != nil {
		o.Code, o.Stat = m.Error.Code, m.Error.Stat
	}
	return o
}

// span is the first and the last of a message's times.
func span(times map[sms.Status]stamp.Time) (first, last time.Time) {
	for _, at := range times {
		if first.IsZero() || at.Before(first) {
			first = at.Time
		}
		if at.After(last) {
			last = at.Time
		}
	}
	return first, last
}

var twilioCodes = map[kind]int{
	broken: twilio.CodeInternal, badKey: twilio.CodeAuth, noScope: twilio.CodeForbidden, notFound: twilio.CodeNotFound,
	noTo: twilio.CodeNoTo, badTo: twilio.CodeBadTo,
	noText: twilio.CodeNoBody, badText: twilio.CodeNoBody, longText: twilio.CodeLongBody,
	noFrom: twilio.CodeNoFrom, badFrom: twilio.CodeBadFrom, badCallback: twilio.CodeBadCallback,
	badTime: twilio.CodeSchedule, badValidity: twilio.CodeValidity, noService: twilio.CodeNoService,
	badField: twilio.CodeParameter, conflict: twilio.CodeParameter, noXML: twilio.CodeFormat,
	tooMany: twilio.CodeTooMany, busy: twilio.CodeUnavailable,
}

// twilioFault is an error as Twilio shows one.
type twilioFault struct {
	Code     int    `json:"code"`
	Message  string `json:"message"`
	MoreInfo string `json:"more_info"`
	Status   int    `json:"status"`
}

func (d *Doors) twilioError(w http.ResponseWriter, r *http.Request, err error) {
	why := d.refused(r.Context(), err)
	if why.kind == badTo {
		why = refuse(badTo, "To", why.text) // there is only one
	}
	f := twilioFault{Code: twilioCodes[why.kind], Message: why.Error(), Status: why.kind.status()}
	f.MoreInfo = "https://www.twilio.com/docs/errors/" + strconv.Itoa(f.Code)
	if why.kind == badKey {
		f.Message = "Authenticate"
		w.Header().Set("WWW-Authenticate", `Basic realm="callbox"`)
	}
	why.retryAfter(w)
	writeJSON(w, f.Status, f)
}
