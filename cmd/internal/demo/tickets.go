package demo

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"
)

// tickets is a very small work-order program. It knows callbox only as a ticket
// system does: it answers look-ups, takes webhooks and sends jobs by the API.
type tickets struct {
	log    *slog.Logger
	secret string // of the webhooks
	page   string // its own address, for links

	mu      sync.Mutex
	api     string // callbox's address and key, once they are known
	key     string
	people  []customer
	tickets []*ticket // newest last
}

// customer is a sample customer of the desk.
type customer struct {
	ID, Name, Number, Address string
	VIP                       bool
	Device                    map[string]any
}

// ticket is one work order on its way round.
type ticket struct {
	Ref, Fault, Engineer, Phone string
	Customer                    customer
	Created                     time.Time
	Text                        string // state of the text to the engineer
	Steps                       []step
}

// step is one state of the work, with its time.
type step struct {
	State string
	At    time.Time
}

// engineers take turns; the numbers exist in no network.
var engineers = []struct{ name, phone string }{
	{"赵工", "13900000011"}, {"钱工", "13900000012"}, {"孙工", "13900000013"},
}

var faults = []string{"电梯异响", "门禁失灵", "空调不制冷", "水泵停机", "照明跳闸"}

// State is where the work stands.
func (t *ticket) State() string {
	if len(t.Steps) == 0 {
		return "待接单"
	}
	return t.Steps[len(t.Steps)-1].State
}

func (t *ticket) closed() bool { return t.State() == "完成" }

func (p *tickets) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /lookup", p.lookup)
	mux.HandleFunc("POST /hook", p.hook)
	mux.HandleFunc("GET /{$}", p.list)
	mux.HandleFunc("GET /t/{ref}", p.list)
	return mux
}

// connect tells the program where callbox is.
func (p *tickets) connect(api, key string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.api, p.key = api, key
}

// lookup answers who is calling.
func (p *tickets) lookup(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.people, func(c customer) bool { return c.Number == r.URL.Query().Get("phone") })
	if i < 0 {
		http.Error(w, "{}", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(map[string]any{"customer": p.card(p.people[i])}); err != nil {
		p.log.Debug("look-up not answered", "err", err)
	}
}

func (p *tickets) card(c customer) map[string]any {
	open, history := []map[string]any{}, []map[string]any{}
	for _, t := range slices.Backward(p.tickets) {
		if t.Customer.ID != c.ID {
			continue
		}
		row := map[string]any{"ref": t.Ref, "title": t.Fault, "status": t.State(), "url": p.page + "/t/" + url.PathEscape(t.Ref), "engineer_phone": t.Phone}
		if t.closed() {
			row["kind"], row["time"] = "维修", t.Created.Format(time.RFC3339)
			history = append(history, row)
		} else {
			open = append(open, row)
		}
	}
	return map[string]any{
		"id": c.ID, "name": c.Name, "vip": c.VIP, "numbers": []string{c.Number},
		"devices": []map[string]any{c.Device}, "open_tickets": open[:min(3, len(open))], "history": history[:min(5, len(history))],
	}
}

// notice is a webhook's body, as far as this program cares.
type notice struct {
	Event string `json:"event"`
	Data  struct {
		ID      string `json:"id"`
		Ref     string `json:"ref"`
		Status  string `json:"status"`
		Keyword string `json:"keyword"`
		From    any    `json:"from"`
	} `json:"data"`
}

func (p *tickets) hook(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	if err != nil || !p.signed(r.Header.Get("Callbox-Signature"), body) {
		http.Error(w, "bad signature", http.StatusForbidden)
		return
	}
	var n notice
	if err := json.Unmarshal(body, &n); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	p.take(r.Context(), n)
}

// signed checks t=UNIX,v1=HEX over t + "." + body.
func (p *tickets) signed(header string, body []byte) bool {
	stamp, sum, ok := strings.Cut(strings.TrimPrefix(header, "t="), ",v1=")
	given, err := hex.DecodeString(sum)
	mac := hmac.New(sha256.New, []byte(p.secret))
	mac.Write([]byte(stamp + "."))
	mac.Write(body)
	return ok && err == nil && hmac.Equal(mac.Sum(nil), given)
}

func (p *tickets) take(ctx context.Context, n notice) {
	switch n.Event {
	case "call.answer":
		p.open(ctx, n)
	case "sms.status":
		p.update(n.Data.Ref, func(t *ticket) { t.Text = n.Data.Status })
	case "sms.received":
		if n.Data.Keyword != "" {
			p.update(n.Data.Ref, func(t *ticket) { t.Steps = append(t.Steps, step{n.Data.Keyword, time.Now()}) })
		}
	}
}

func (p *tickets) update(ref string, change func(*ticket)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, t := range p.tickets {
		if t.Ref == ref {
			change(t)
		}
	}
}

// open makes a ticket of an answered call and texts the engineer on duty.
func (p *tickets) open(ctx context.Context, n notice) {
	t := p.write(n)
	if t == nil {
		return
	}
	if err := p.text(ctx, t); err != nil {
		p.log.Warn("work order not sent", "ref", t.Ref, "err", err)
	}
}

func (p *tickets) write(n notice) *ticket {
	from, _ := n.Data.From.(map[string]any)
	p.mu.Lock()
	defer p.mu.Unlock()
	i := slices.IndexFunc(p.people, func(c customer) bool { return c.Number == from["e164"] })
	if i < 0 {
		return nil
	}
	number := len(p.tickets)
	on := engineers[number%len(engineers)]
	t := &ticket{
		Ref:      fmt.Sprintf("WO%s-%03d", time.Now().Format("0102"), number+1),
		Customer: p.people[i], Fault: faults[number%len(faults)], Engineer: on.name, Phone: on.phone, Created: time.Now(),
		Text: "queued",
	}
	p.tickets = append(p.tickets, t)
	return t
}

func (p *tickets) text(ctx context.Context, t *ticket) error {
	p.mu.Lock()
	api, key := p.api, p.key
	p.mu.Unlock()
	body, err := json.Marshal(map[string]any{
		"to": []string{t.Phone}, "template": "work_order", "ref": t.Ref, "key": t.Ref,
		"vars": map[string]string{"engineer": t.Engineer, "ref": t.Ref, "customer": t.Customer.Name, "address": t.Customer.Address, "fault": t.Fault},
	})
	if err != nil {
		return fmt.Errorf("job: %w", err)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, api+"/api/v1/sms/jobs", bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("job: %w", err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("job: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusAccepted {
		problem, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return fmt.Errorf("job refused: %s: %s", resp.Status, problem)
	}
	return nil
}

//go:embed tickets.html
var listHTML string

var listPage = template.Must(template.New("tickets").Parse(listHTML))

// list shows all work orders, the newest first.
func (p *tickets) list(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	rows := make([]ticket, 0, len(p.tickets))
	for _, t := range slices.Backward(p.tickets) {
		copied := *t
		copied.Steps = slices.Clone(t.Steps)
		rows = append(rows, copied)
	}
	p.mu.Unlock()
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	data := map[string]any{"Tickets": rows[:min(50, len(rows))], "Marked": r.PathValue("ref")}
	if err := listPage.Execute(w, data); err != nil {
		p.log.Debug("page not sent", "err", err)
	}
}
