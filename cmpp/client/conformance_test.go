package client

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"callbox/cmpp"
	"callbox/cmpp/cmpptest"
	"callbox/internal/guard"
	"callbox/sms"
)

// pair is a client and a centre on loopback.
type pair struct {
	client *Client
	centre *cmpptest.Centre
	shelf  *shelf
	t      testing.TB
}

// connect runs both until the test ends; the client is logged in unless the
// centre refuses.
func connect(t testing.TB, cc Config, sc cmpptest.Config) *pair {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	set(&cc.SPID, "901234")
	cc.Name, cc.Secret, cc.SrcID, cc.Address = "cmcc", "secret", "10690000", ln.Addr().String()
	sc.SPID, sc.Secret = cc.SPID, "secret"
	c, err := New(cc)
	if err != nil {
		t.Fatal(err)
	}
	p := &pair{c, cmpptest.New(sc), newShelf(), t}
	ctx, stop := context.WithCancel(context.Background())
	work, stopCentre := context.WithCancel(context.Background())
	var clients, centres guard.Group
	centres.Go("centre", func() {
		if err := p.centre.Serve(work, ln); err != nil {
			t.Error(err)
		}
	})
	clients.Go("client", func() {
		if err := c.Run(ctx, p.shelf); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() {
		stop()
		clients.Wait()
		stopCentre()
		centres.Wait()
	})
	if sc.Faults.RefuseLogin == cmpp.ConnectOK {
		p.ready()
	}
	return p
}

func (p *pair) ready() {
	p.t.Helper()
	select {
	case <-p.client.Ready():
	case <-time.After(10 * time.Second):
		p.t.Fatalf("not ready: %+v", p.client.State())
	}
}

func (p *pair) submit(parts ...string) (sms.Receipt, error) {
	return p.client.Submit(context.Background(), sms.Submission{To: "13800138000", Parts: parts})
}

// came waits until n reports and texts came in.
func (p *pair) came(n int) {
	p.t.Helper()
	limit := time.After(10 * time.Second)
	for i := range n {
		select {
		case <-p.shelf.changed:
		case <-limit:
			p.t.Fatalf("%d of %d came in", i, n)
		}
	}
}

var (
	hurried = Config{ResponseTimeout: 60 * time.Millisecond}
	long    = []string{strings.Repeat("一", 67), strings.Repeat("二", 67), "三"}
)

func TestTextOutReportIn(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		client Config
		centre cmpptest.Config
	}{
		"3.0":             {},
		"2.0 client":      {client: Config{Version: cmpp.V20}},
		"2.1 client":      {client: Config{Version: cmpp.V21}},
		"2.0 centre":      {centre: cmpptest.Config{Version: cmpp.V20}},
		"report first":    {centre: cmpptest.Config{Faults: cmpptest.Faults{ReportFirst: true, ResponseDelay: 0.02}}},
		"narrow reports":  {centre: cmpptest.Config{Faults: cmpptest.Faults{NarrowReports: true}}},
		"short LinkID":    {centre: cmpptest.Config{Faults: cmpptest.Faults{ShortLinkID: true}}},
		"wrong ISMG auth": {centre: cmpptest.Config{Faults: cmpptest.Faults{WrongAuth: true}}},
		"short SP_Id":     {client: Config{SPID: "9012"}},
		"unpadded SP_Id":  {client: Config{SPID: "9012", Unpadded: true}, centre: cmpptest.Config{Unpadded: true}},
		"August":          {centre: cmpptest.Config{Now: func() time.Time { return time.Date(2026, 8, 31, 23, 59, 59, 0, time.UTC) }}},
		"bound":           {client: Config{BindAddress: "127.0.0.1"}},
		"lost answer":     {client: hurried, centre: cmpptest.Config{Faults: cmpptest.Faults{DropResponses: 2}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := connect(t, tt.client, tt.centre)
			receipt, err := p.submit(long...)
			if err != nil {
				t.Fatal(err)
			}
			p.came(3)
			texts := p.centre.Submits()
			if len(texts) != 1 || texts[0].Text != strings.Join(long, "") || texts[0].Parts != 3 || texts[0].From != "10690000" {
				t.Fatalf("%+v", texts)
			}
			var reported []string
			for _, r := range p.shelf.reports {
				if r.Stat != "DELIVRD" || r.To != "13800138000" || r.Account != "cmcc" {
					t.Errorf("%+v", r)
				}
				reported = append(reported, r.ID)
			}
			for i, id := range texts[0].IDs {
				if id.String() != receipt.Parts[i] || !slices.Contains(reported, id.String()) {
					t.Errorf("part %d: centre %v, receipt %s, reports %v", i+1, id, receipt.Parts[i], reported)
				}
			}
		})
	}
}

func TestLongTextComesIn(t *testing.T) {
	t.Parallel()
	for _, bit := range []bool{false, true} {
		p := connect(t, Config{}, cmpptest.Config{Faults: cmpptest.Faults{UDHI40: bit}})
		if err := p.centre.Inject("13800138000", "10690000", strings.Join(long, "")); err != nil {
			t.Fatal(err)
		}
		p.came(3)
		var got [3]string
		for _, text := range p.shelf.texts {
			if text.Part.Total == 3 {
				got[text.Part.Index-1] = text.Alphabet.Decode(text.Octets)
			}
		}
		if strings.Join(got[:], "") != strings.Join(long, "") {
			t.Errorf("%q", got)
		}
	}
}

func TestFaultsOfASubmit(t *testing.T) {
	t.Parallel()
	for name, tt := range map[string]struct {
		faults cmpptest.Faults
		want   error
	}{
		"cut before the answer": {cmpptest.Faults{CutBefore: 1}, sms.ErrUncertain},
		"cut after the answer":  {cmpptest.Faults{CutAfter: 1}, nil},
		"throttled":             {cmpptest.Faults{Throttle: 1}, nil},
		"no answer ever":        {cmpptest.Faults{DropResponses: -1}, sms.ErrUncertain},
		"stalled":               {cmpptest.Faults{Stall: true}, sms.ErrUncertain},
		"duplicate":             {cmpptest.Faults{DropResponses: 1, Duplicate: true}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := connect(t, hurried, cmpptest.Config{})
			p.centre.SetFaults(tt.faults)
			if _, err := p.submit("工单"); !errors.Is(err, tt.want) {
				t.Fatal(err)
			}
			p.centre.SetFaults(cmpptest.Faults{})
			p.ready()
			_, err := p.submit("又一")
			if errors.Is(err, sms.ErrNotSent) || errors.Is(err, sms.ErrUncertain) { // the connection that was cut was still known as up
				p.ready()
				_, err = p.submit("又一")
			}
			if err != nil {
				t.Errorf("after it was healed: %v", err)
			}
		})
	}
}

func TestRejectedByTheCentre(t *testing.T) {
	t.Parallel()
	p := connect(t, Config{}, cmpptest.Config{Faults: cmpptest.Faults{Reject: 1, RejectResult: 105}})
	_, err := p.submit("工单")
	if no, ok := errors.AsType[*sms.Rejected](err); !ok || no.Code != 105 {
		t.Errorf("%v", err)
	}
}

func TestRefusedLogin(t *testing.T) {
	t.Parallel()
	p := connect(t, Config{}, cmpptest.Config{Faults: cmpptest.Faults{RefuseLogin: cmpp.ConnectSource}})
	for p.centre.Stats().LoginsRefused == 0 {
		time.Sleep(time.Millisecond)
	}
	if _, err := p.submit("1"); !errors.Is(err, sms.ErrNotSent) {
		t.Error(err)
	}
}

func TestFallsBackToOlderVersion(t *testing.T) {
	t.Parallel()
	p := connect(t, Config{Connections: 1}, cmpptest.Config{Version: cmpp.V20, Faults: cmpptest.Faults{RefuseLogin: cmpp.ConnectTooHigh}})
	for p.centre.Stats().LoginsRefused == 0 {
		time.Sleep(time.Millisecond)
	}
	p.centre.SetFaults(cmpptest.Faults{})
	p.ready()
	if _, err := p.submit("工单"); err != nil {
		t.Error(err)
	}
}

func TestSilentGatewayIsGivenUp(t *testing.T) {
	t.Parallel()
	p := connect(t, Config{ActiveTest: 20 * time.Millisecond, ResponseTimeout: 20 * time.Millisecond}, cmpptest.Config{})
	p.centre.SetFaults(cmpptest.Faults{Mute: true})
	for p.client.State().Up {
		time.Sleep(time.Millisecond)
	}
	p.centre.SetFaults(cmpptest.Faults{})
	p.ready()
	if s := p.centre.Stats(); s.ActiveTests < 3 || s.Logins != 2 {
		t.Errorf("%+v", s)
	}
}

func TestReportsOutliveTheConnection(t *testing.T) {
	t.Parallel()
	p := connect(t, Config{}, cmpptest.Config{ResponseTimeout: 100 * time.Millisecond, Faults: cmpptest.Faults{DoubleReports: true}})
	p.shelf.fail(errors.New("disk full"))
	if _, err := p.submit("工单"); err != nil {
		t.Fatal(err)
	}
	p.came(2)
	p.centre.Disconnect()
	p.shelf.fail(nil)
	for p.centre.Stats().Waiting > 0 {
		time.Sleep(time.Millisecond)
	}
	if n := p.centre.Stats().Acknowledged; n != 2 {
		t.Errorf("%d reports acknowledged", n)
	}
}

// TestManyTexts sends long and short texts at once over two connections and
// finds the window held, each long one on one connection and in order.
func TestManyTexts(t *testing.T) {
	p := connect(t, Config{Connections: 2, Window: 4}, cmpptest.Config{Window: 4, Faults: cmpptest.Faults{ResponseDelay: 0.001}})
	var group guard.Group
	var failed atomic.Int64
	const n = 600
	for i := range n {
		group.Go("submit", func() {
			parts := []string{"工单"}
			if i%3 == 0 {
				parts = long
			}
			to := fmt.Sprintf("138%08d", i)
			if _, err := p.client.Submit(context.Background(), sms.Submission{To: to, Parts: parts, Reference: uint8(i)}); err != nil {
				failed.Add(1)
			}
		})
	}
	group.Wait()
	p.came(n/3*3 + n/3*2)
	s := p.centre.Stats()
	if failed.Load() > 0 || s.WindowExceeded > 0 || s.MaxOpen != 4 || s.Resent > 0 || len(p.centre.Submits()) != n {
		t.Errorf("%d failed, %d texts, %+v", failed.Load(), len(p.centre.Submits()), s)
	}
	type place struct {
		connection int
		sequence   uint32
	}
	last := map[string]place{}
	used := map[int]bool{}
	for _, g := range p.centre.Segments() {
		to := g.PDU.DestTerminalID[0]
		if was, ok := last[to]; ok && (was.connection != g.Connection || was.sequence >= g.Sequence) {
			t.Errorf("part %d of %s at %d/%d after %+v", g.PDU.PkNumber, to, g.Connection, g.Sequence, was)
		}
		last[to] = place{g.Connection, g.Sequence}
		used[g.Connection] = true
	}
	if len(used) != 2 {
		t.Errorf("%d connections used", len(used))
	}
}
