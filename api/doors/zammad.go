package doors

import (
	"net/http"
	"strconv"
	"strings"

	"callbox/sms"
)

// Zammad is GET /massenversand/send, as Zammad's SMS channel Massenversand calls
// it. It takes any answer for good that has OK in it, so no refusal may.
func (d *Doors) Zammad(w http.ResponseWriter, r *http.Request) {
	id, err := d.zammad(w, r)
	if err != nil {
		why := d.refused(r.Context(), err)
		why.retryAfter(w)
		words := zammadWords[why.kind]
		if words == "" {
			words = "the request is wrong"
			if why.field != "" {
				words = strings.ToLower(why.field) + " is wrong"
			}
		}
		writeText(w, why.kind.status(), "ERROR: "+words)
		return
	}
	answer := "OK"
	if r.Form.Get("getID") == "1" {
		answer += " " + strconv.FormatInt(id, 10)
	}
	writeText(w, http.StatusOK, answer)
}

// zammadWords have nothing of the request in them.
var zammadWords = map[kind]string{
	broken: "the box failed; its log says why", badKey: "authToken is nobody's key", noScope: "the key lacks the scope sms",
	noTo: "receiver is missing", badTo: "receiver is no number that a text can be sent to",
	noText: "msg is missing", badText: "msg is not text in UTF-8",
	longText: "msg is too long", tooMany: "too many texts, try again later", busy: "try again later",
}

func (d *Doors) zammad(w http.ResponseWriter, r *http.Request) (id int64, err error) {
	if err := form(w, r); err != nil {
		return 0, err
	}
	f := r.Form
	k, err := d.key(r.Context(), f.Get("authToken"))
	if err != nil {
		return 0, err
	}
	receiver := strings.TrimSpace(f.Get("receiver"))
	switch {
	case receiver == "":
		return 0, refuse(noTo, "receiver", "is missing")
	case strings.TrimSpace(f.Get("msg")) == "":
		return 0, refuse(noText, "msg", "is missing")
	}
	req := sms.Request{To: []string{receiver}, Text: f.Get("msg")}
	if a, ok := d.accountOf(f.Get("sender")); ok {
		req.Account = a.Name
	}
	job, err := d.accept(r.Context(), k, req)
	if err != nil {
		return 0, err
	}
	return eagleID(job.Messages[0]), nil
}
