package cmpptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"

	"callbox/cmpp"
)

// maxControl is the largest request in bytes that Control reads.
const maxControl = 1 << 20

// Control is the centre's remote control in JSON.
//
//	POST   /mo           brings a text in, see MO
//	POST   /report       sends a report {to, id, from, stat} as nobody asked for it
//	POST   /fault        changes the faults it names (see Faults) and answers all
//	GET    /fault        shows them
//	DELETE /fault        heals
//	GET    /submits      lists complete texts; ?to= ?repeat=true ?limit= (the latest so many)
//	GET    /stats        the counts, see Stats
//	GET    /connections  the connections, see Connection
//	POST   /reset        forgets counts and texts
//	POST   /disconnect   ends all connections
//	POST   /terminate    asks the clients to end them
func (c *Centre) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mo", c.postText)
	mux.HandleFunc("POST /report", c.postReport)
	mux.HandleFunc("POST /fault", c.postFault)
	mux.HandleFunc("GET /fault", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, c.Faults()) })
	mux.HandleFunc("DELETE /fault", func(w http.ResponseWriter, _ *http.Request) {
		c.SetFaults(Faults{})
		reply(w, http.StatusOK, c.Faults())
	})
	mux.HandleFunc("GET /submits", c.getSubmits)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, c.Stats()) })
	mux.HandleFunc("GET /connections", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusOK, map[string]any{"items": c.Connections()})
	})
	mux.HandleFunc("POST /reset", done(c.Reset))
	mux.HandleFunc("POST /disconnect", done(c.Disconnect))
	mux.HandleFunc("POST /terminate", done(c.Terminate))
	return mux
}

func done(do func()) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		do()
		w.WriteHeader(http.StatusNoContent)
	}
}

func (c *Centre) postText(w http.ResponseWriter, r *http.Request) {
	var m MO
	if !read(w, r, &m) {
		return
	}
	if m.From == "" || m.To == "" {
		fault(w, errors.New("from and to are wanted"))
		return
	}
	if err := c.InjectMO(m); err != nil {
		fault(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (c *Centre) postReport(w http.ResponseWriter, r *http.Request) {
	in := struct {
		To   string     `json:"to"`   // access number
		ID   cmpp.MsgID `json:"id"`   // of the message, 16 hex digits
		From string     `json:"from"` // the phone
		Stat cmpp.Stat  `json:"stat"`
	}{Stat: cmpp.StatDelivered}
	if !read(w, r, &in) {
		return
	}
	if len(in.Stat) > 7 || len(in.From) > 21 {
		fault(w, errors.New("stat has 7 characters at most, from 21"))
		return
	}
	c.InjectReport(in.To, cmpp.Report{MsgID: in.ID, Stat: in.Stat, DestTerminalID: in.From})
	w.WriteHeader(http.StatusAccepted)
}

func (c *Centre) postFault(w http.ResponseWriter, r *http.Request) {
	f := c.Faults()
	if !read(w, r, &f) {
		return
	}
	if err := f.Validate(); err != nil {
		fault(w, err)
		return
	}
	c.SetFaults(f)
	reply(w, http.StatusOK, c.Faults())
}

func (c *Centre) getSubmits(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	to, repeat := q.Get("to"), q.Get("repeat") == "true"
	items := []Submit{}
	for _, s := range c.Submits() {
		if (to == "" || s.To == to) && (s.Repeat || !repeat) {
			items = append(items, s)
		}
	}
	if q.Has("limit") {
		limit, err := strconv.Atoi(q.Get("limit"))
		if err != nil || limit < 0 {
			fault(w, fmt.Errorf("limit: %q is no number", q.Get("limit")))
			return
		}
		items = items[max(0, len(items)-limit):]
	}
	reply(w, http.StatusOK, map[string]any{"items": items})
}

func read(w http.ResponseWriter, r *http.Request, into any) bool {
	d := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxControl))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		fault(w, fmt.Errorf("body: %w", err))
		return false
	}
	return true
}

func fault(w http.ResponseWriter, err error) {
	reply(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
