package cmpptest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"callbox/cmpp"
	"callbox/internal/guard"
	"callbox/internal/segment"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "secret"

// serve runs a centre on loopback until the test ends.
func serve(t testing.TB, cfg Config) (*Centre, string) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c := New(cfg)
	ctx, stop := context.WithCancel(context.Background())
	var group guard.Group
	group.Go("centre", func() {
		if err := c.Serve(ctx, ln); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { stop(); group.Wait() })
	return c, ln.Addr().String()
}

// peer is a client that speaks frames.
type peer struct {
	t    *testing.T
	conn net.Conn
	r    *cmpp.Reader
	v    cmpp.Version
}

func dial(t *testing.T, addr string, v cmpp.Version) *peer {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	return &peer{t, conn, cmpp.NewReader(conn), v}
}

func (p *peer) send(sequence uint32, m cmpp.PDU) {
	p.t.Helper()
	frame, err := cmpp.Append(nil, p.v, sequence, m)
	if err != nil {
		p.t.Fatal(err)
	}
	if _, err := p.conn.Write(frame); err != nil {
		p.t.Fatal(err)
	}
}

func (p *peer) receive() (uint32, cmpp.PDU) {
	p.t.Helper()
	h, body, err := p.r.Next()
	if err != nil {
		p.t.Fatal(err)
	}
	m, err := cmpp.Decode(p.v, h.Command, body)
	if err != nil {
		p.t.Fatal(err)
	}
	return h.Sequence, m
}

// receive waits for a message of one kind and fails on another.
func receive[M cmpp.PDU](p *peer) (uint32, M) {
	p.t.Helper()
	sequence, m := p.receive()
	got, ok := m.(M)
	if !ok {
		p.t.Fatalf("got %v", m.Command())
	}
	return sequence, got
}

func (p *peer) login(spID, secret string) *cmpp.ConnectResp {
	p.t.Helper()
	p.send(1, &cmpp.Connect{
		SourceAddr: spID, Auth: cmpp.Authenticator(spID, secret, 101000000, false), Version: p.v, Timestamp: 101000000,
	})
	_, resp := receive[*cmpp.ConnectResp](p)
	return resp
}

func submit(text string) *cmpp.Submit {
	alphabet, parts := segment.Style{}.Cut(text, 0)
	contents, _ := alphabet.Encode(parts)
	format, _ := cmpp.FormatOf(string(alphabet))
	return &cmpp.Submit{
		PkTotal: 1, PkNumber: 1, RegisteredDelivery: 1, MsgFmt: format, SrcID: "10690000",
		DestTerminalID: []string{"13800138000"}, MsgContent: contents[0],
	}
}

func TestLogin(t *testing.T) {
	_, addr := serve(t, Config{SPID: "901234", Secret: secret})
	for name, tt := range map[string]struct {
		spID, secret string
		want         cmpp.ConnectStatus
	}{
		"good":         {"901234", secret, cmpp.ConnectOK},
		"wrong secret": {"901234", "wrong", cmpp.ConnectAuth},
		"wrong SP_Id":  {"901235", secret, cmpp.ConnectSource},
	} {
		p := dial(t, addr, cmpp.V30)
		resp := p.login(tt.spID, tt.secret)
		if resp.Status != tt.want {
			t.Errorf("%s: status %v", name, resp.Status)
		}
		if tt.want == cmpp.ConnectOK {
			continue
		}
		if _, _, err := p.r.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("%s: the connection stays: %v", name, err)
		}
	}
}

func TestOldVersionAnswersNarrow(t *testing.T) {
	_, addr := serve(t, Config{Version: cmpp.V20})
	resp := dial(t, addr, cmpp.V30).login("901234", secret)
	if !resp.Narrow || resp.Version != cmpp.V20 || resp.Status != cmpp.ConnectOK {
		t.Errorf("%+v", resp)
	}
}

func TestSubmitResponseReport(t *testing.T) {
	for _, v := range []cmpp.Version{cmpp.V20, cmpp.V30} {
		c, addr := serve(t, Config{Secret: secret})
		p := dial(t, addr, v)
		p.login("901234", secret)
		p.send(2, submit("工单"))
		sequence, resp := receive[*cmpp.SubmitResp](p)
		if sequence != 2 || resp.Result != cmpp.ResultOK {
			t.Fatalf("%d, %+v", sequence, resp)
		}
		sequence, d := receive[*cmpp.Deliver](p)
		var r cmpp.Report
		if err := r.Decode(d.MsgContent); err != nil || r.MsgID != resp.MsgID || r.Stat != cmpp.StatDelivered {
			t.Errorf("report %+v, %v", r, err)
		}
		p.send(sequence, &cmpp.DeliverResp{MsgID: d.MsgID})
		p.send(3, &cmpp.Terminate{})
		receive[*cmpp.TerminateResp](p)
		if got := c.Submits(); len(got) != 1 || got[0].Text != "工单" || got[0].IDs[0] != resp.MsgID || got[0].To != "13800138000" {
			t.Errorf("submits %+v", got)
		}
		if s := c.Stats(); s.Acknowledged != 1 || s.Waiting != 0 {
			t.Errorf("%+v", s)
		}
	}
}

func TestUnansweredDeliverComesAgain(t *testing.T) {
	c, addr := serve(t, Config{ResponseTimeout: 30 * time.Millisecond})
	p := dial(t, addr, cmpp.V30)
	p.login("901234", secret)
	if err := c.Inject("13800138000", "10690000", strings.Repeat("中", 71)); err != nil {
		t.Fatal(err)
	}
	first, a := receive[*cmpp.Deliver](p)
	_, b := receive[*cmpp.Deliver](p)
	if h, _, _ := cmpp.ParseUDH(b.MsgContent); h.Total != 2 || h.Number != 2 || !b.HasUDH() {
		t.Errorf("second part %+v", h)
	}
	again, c2 := receive[*cmpp.Deliver](p)
	if again != first || c2.MsgID != a.MsgID {
		t.Errorf("sequence %d then %d", first, again)
	}
	_ = p.conn.Close()
	q := dial(t, addr, cmpp.V30)
	q.login("901234", secret)
	if _, d := receive[*cmpp.Deliver](q); d.MsgID != a.MsgID {
		t.Errorf("after a new log-in %v, want %v", d.MsgID, a.MsgID)
	}
}

func TestWindowIsHonoured(t *testing.T) {
	c, addr := serve(t, Config{Window: 2, Faults: Faults{ResponseDelay: 0.05, NoReports: true}})
	p := dial(t, addr, cmpp.V30)
	p.login("901234", secret)
	for i := range 3 {
		p.send(uint32(2+i), submit("1"))
	}
	throttled := 0
	for range 3 {
		if _, r := receive[*cmpp.SubmitResp](p); r.Result == cmpp.ResultThrottled {
			throttled++
		}
	}
	if s := c.Stats(); throttled != 1 || s.WindowExceeded != 1 || s.MaxOpen != 3 {
		t.Errorf("%d throttled, %+v", throttled, s)
	}
}

func TestResentSubmitGetsItsAnswer(t *testing.T) {
	c, addr := serve(t, Config{Faults: Faults{DropResponses: 1, NoReports: true}})
	p := dial(t, addr, cmpp.V30)
	p.login("901234", secret)
	p.send(2, submit("1"))
	p.send(2, submit("1"))
	_, resp := receive[*cmpp.SubmitResp](p)
	if got := c.Segments(); len(got) != 1 || got[0].ID != resp.MsgID {
		t.Errorf("segments %+v, answer %v", got, resp)
	}
}

func TestControl(t *testing.T) {
	answers := make(chan string, 1)
	c, addr := serve(t, Config{OnText: func(to, text string) (string, time.Duration) {
		answers <- to + " " + text
		return "1", 0
	}})
	web := httptest.NewServer(c.Control())
	defer web.Close()
	post := func(path, body string) int {
		resp, err := http.Post(web.URL+path, "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		_ = resp.Body.Close()
		return resp.StatusCode
	}
	for body, want := range map[string]int{`{"throttle":1,"no_reports":true}`: 200, `{"throtle":1}`: 400, `{`: 400} {
		if got := post("/fault", body); got != want {
			t.Errorf("%s: %d", body, got)
		}
	}
	p := dial(t, addr, cmpp.V30)
	p.login("901234", secret)
	p.send(2, submit("1"))
	if _, r := receive[*cmpp.SubmitResp](p); r.Result != cmpp.ResultThrottled {
		t.Errorf("%+v", r)
	}
	p.send(3, submit("工单"))
	receive[*cmpp.SubmitResp](p)
	if got := <-answers; got != "13800138000 工单" {
		t.Error(got)
	}
	if _, d := receive[*cmpp.Deliver](p); string(d.MsgContent) != "1" || d.SrcTerminalID != "13800138000" || d.DestID != "10690000" {
		t.Errorf("%+v", d)
	}
	if got := post("/mo", `{"from":"13900139000","to":"10690000","text":"2"}`); got != 202 {
		t.Error(got)
	}
	if _, d := receive[*cmpp.Deliver](p); string(d.MsgContent) != "2" {
		t.Errorf("%+v", d)
	}
	resp, err := http.Get(web.URL + "/submits")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	var list struct{ Items []Submit }
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil || len(list.Items) != 1 || list.Items[0].Text != "工单" {
		t.Errorf("%+v, %v", list, err)
	}
	if post("/disconnect", "") != 204 {
		t.Error("disconnect")
	}
	if _, _, err := p.r.Next(); err == nil {
		t.Error("still connected")
	}
	http.DefaultClient.CloseIdleConnections()
}

func TestWaitSubmitsGivesUp(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if _, err := New(Config{}).WaitSubmits(ctx, 1); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}
