package doors

import (
	"net/http"
	"net/url"
	"strconv"
	"time"

	"callbox/internal/twilio"
)

// Sizes of a page of Twilio's.
const (
	twilioPage = 50
	twilioMost = 1000
)

// twilioPageOf is a page of a list as Twilio shows one. The shape has no word
// for a cursor; it travels as PageToken in the next page's address.
type twilioPageOf struct {
	Messages []twilioObject `json:"messages"`
	First    string         `json:"first_page_uri"`
	Next     *string        `json:"next_page_uri"`
	Previous *string        `json:"previous_page_uri"`
	URI      string         `json:"uri"`
	Page     int            `json:"page"`
	Size     int            `json:"page_size"`
	Start    int            `json:"start"`
	End      int            `json:"end"`
}

// TwilioList shows the key's messages, newest first: GET …/Messages.json with
// To, From, DateSent (also DateSent> and DateSent<) and PageSize.
func (d *Doors) TwilioList(w http.ResponseWriter, r *http.Request) {
	page, err := d.twilioPage(r)
	if err != nil {
		d.twilioError(w, r, err)
		return
	}
	writeJSON(w, http.StatusOK, page)
}

func (d *Doors) twilioPage(r *http.Request) (twilioPageOf, error) {
	who, err := d.enter(r)
	if err != nil {
		return twilioPageOf{}, err
	}
	q := r.URL.Query()
	f, some, err := d.twilioFilter(q)
	if err != nil {
		return twilioPageOf{}, err
	}
	p := twilioPageOf{Messages: []twilioObject{}, Size: f.Limit, Page: pageNumber(q.Get("Page"))}
	p.URI, p.First = pageURI(who.sid, q, p.Page, q.Get("PageToken")), pageURI(who.sid, q, 0, "")
	p.Start = p.Page * p.Size
	p.End = p.Start
	if !some {
		return p, nil
	}
	f.Signer = who.ID
	messages, next, err := d.deps.Texts.Messages(r.Context(), f)
	if err != nil {
		return p, err
	}
	for _, m := range messages {
		p.Messages = append(p.Messages, d.twilioShow(who, m))
	}
	p.End = p.Start + max(len(p.Messages)-1, 0)
	if next != "" {
		uri := pageURI(who.sid, q, p.Page+1, next)
		p.Next = &uri
	}
	return p, nil
}

// twilioFilter reads what narrows the list; some is false where From is nobody's
// number, so that nothing fits.
func (d *Doors) twilioFilter(q url.Values) (f Filter, some bool, err error) {
	f = Filter{To: q.Get("To"), Limit: twilioPage, Cursor: q.Get("PageToken")}
	if text := q.Get("PageSize"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return f, false, refuse(badField, "PageSize", "is not from 1 to 1000")
		}
		f.Limit = min(n, twilioMost)
	}
	if err := twilioDates(q, &f); err != nil {
		return f, false, err
	}
	from := q.Get("From")
	if from == "" || twilio.ServiceSID(from) {
		return f, true, nil
	}
	for _, a := range d.cfg.Accounts {
		if one, ok := d.accountOf(from); ok && one.SrcID == a.SrcID {
			f.Accounts = append(f.Accounts, a.Name)
		}
	}
	return f, len(f.Accounts) > 0, nil
}

// twilioDates reads DateSent, that day; DateSent>, from then on; DateSent<,
// until then. Each is a day of UTC or a time.
func twilioDates(q url.Values, f *Filter) error {
	for _, name := range []string{"DateSent", "DateSent>", "DateSent<"} {
		text := q.Get(name)
		if text == "" {
			continue
		}
		at, err := dayOrTime(text)
		if err != nil {
			return refuse(badField, name, "is neither YYYY-MM-DD nor a time of ISO 8601")
		}
		day := at.UTC().Truncate(24 * time.Hour)
		switch name {
		case "DateSent":
			f.Since, f.Until = day, day.Add(24*time.Hour)
		case "DateSent>":
			f.Since = at
		case "DateSent<":
			f.Until = at
			if len(text) == len(time.DateOnly) {
				f.Until = day.Add(24 * time.Hour) // that day, too
			}
		}
	}
	return nil
}

func dayOrTime(text string) (time.Time, error) {
	if at, err := time.Parse(time.DateOnly, text); err == nil {
		return at, nil
	}
	return time.Parse(time.RFC3339, text)
}

// pageNumber is a page's number; 0 where text is none.
func pageNumber(text string) int {
	n, err := strconv.Atoi(text)
	if err != nil || n < 0 || n > 1<<20 {
		return 0
	}
	return n
}

// pageURI is the address of a page of the list that q narrows.
func pageURI(sid string, q url.Values, page int, token string) string {
	out := url.Values{}
	for _, name := range []string{"To", "From", "DateSent", "DateSent>", "DateSent<", "PageSize"} {
		if q.Get(name) != "" {
			out.Set(name, q.Get(name))
		}
	}
	out.Set("Page", strconv.Itoa(page))
	if token != "" {
		out.Set("PageToken", token)
	}
	return messagesPath(sid) + ".json?" + out.Encode()
}
