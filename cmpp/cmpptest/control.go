package cmpptest

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
)

// maxControl is the largest request in bytes that Control reads.
const maxControl = 1 << 20

// Control is the centre's remote control in JSON: POST /mo {from,to,text}
// brings a text in, GET /submits lists the complete texts, GET /stats the
// counts. POST /fault changes the faults it names (see Faults) and answers
// all, GET shows them, DELETE heals. POST /disconnect and /terminate end the
// connections, the latter in order.
func (c *Centre) Control() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /mo", c.postText)
	mux.HandleFunc("POST /fault", c.postFault)
	mux.HandleFunc("GET /fault", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, c.Faults()) })
	mux.HandleFunc("DELETE /fault", func(w http.ResponseWriter, _ *http.Request) {
		c.SetFaults(Faults{})
		reply(w, http.StatusOK, c.Faults())
	})
	mux.HandleFunc("GET /submits", c.getSubmits)
	mux.HandleFunc("GET /stats", func(w http.ResponseWriter, _ *http.Request) { reply(w, http.StatusOK, c.Stats()) })
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
	var in struct {
		From string `json:"from"`
		To   string `json:"to"`
		Text string `json:"text"`
	}
	if !read(w, r, &in) {
		return
	}
	if in.From == "" || in.To == "" {
		fault(w, errors.New("from and to are wanted"))
		return
	}
	if err := c.Inject(in.From, in.To, in.Text); err != nil {
		fault(w, err)
		return
	}
	w.WriteHeader(http.StatusAccepted)
}

func (c *Centre) postFault(w http.ResponseWriter, r *http.Request) {
	f := c.Faults()
	if !read(w, r, &f) {
		return
	}
	c.SetFaults(f)
	reply(w, http.StatusOK, c.Faults())
}

func (c *Centre) getSubmits(w http.ResponseWriter, r *http.Request) {
	to := r.URL.Query().Get("to")
	items := []Submit{}
	for _, s := range c.Submits() {
		if to == "" || s.To == to {
			items = append(items, s)
		}
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
