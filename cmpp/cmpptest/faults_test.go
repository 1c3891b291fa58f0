package cmpptest

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"callbox/cmpp"
	"callbox/internal/segment"
)

// in logs a client in over 3.0.
func in(t *testing.T, addr string) *peer {
	t.Helper()
	p := dial(t, addr, cmpp.V30)
	if resp := p.login("901234", secret); resp.Status != cmpp.ConnectOK {
		t.Fatalf("log-in: %v", resp.Status)
	}
	return p
}

// report waits for a status report and answers it.
func (p *peer) report() cmpp.Report {
	p.t.Helper()
	sequence, d := receive[*cmpp.Deliver](p)
	var r cmpp.Report
	if err := r.Decode(d.MsgContent); err != nil || !d.IsReport() {
		p.t.Fatalf("no report: %+v, %v", d, err)
	}
	p.send(sequence, &cmpp.DeliverResp{MsgID: d.MsgID})
	return r
}

func (p *peer) result() cmpp.Result {
	p.t.Helper()
	_, resp := receive[*cmpp.SubmitResp](p)
	return resp.Result
}

func (p *peer) ended() error {
	for {
		if _, _, err := p.r.Next(); err != nil {
			return err
		}
	}
}

// TestHostileFramesEndTheConnection: lengths that lie are counted and close.
func TestHostileFramesEndTheConnection(t *testing.T) {
	body, _ := submit("1").AppendBody(nil, cmpp.V30)
	body[128] = 255 // DestUsr_tl
	lying := cmpp.Header{Length: uint32(cmpp.HeaderLen + len(body)), Command: cmpp.CmdSubmit, Sequence: 2}.Append(nil)
	c, addr := serve(t, Config{Secret: secret})
	for i, raw := range []string{
		"0000000b0000000400000002", "00000000", "00001001" + "0000000400000002", "80000000" + "0000000400000002",
		"ffffffff" + "0000000400000002", "0000000d" + "0000000500000002" + "00", hex.EncodeToString(append(lying, body...)),
	} {
		p := in(t, addr)
		frame, _ := hex.DecodeString(raw)
		if _, err := p.conn.Write(append(frame, make([]byte, 12)...)); err != nil {
			t.Fatal(err)
		}
		if err := p.ended(); errors.Is(err, io.ErrUnexpectedEOF) || err == nil {
			t.Errorf("%s: %v", raw, err)
		}
		if n := c.Stats().Malformed; n != i+1 {
			t.Errorf("%s: %d malformed, want %d", raw, n, i+1)
		}
	}
}

// TestLyingSubmitIsAnswered: who sent it is told, then the connection ends.
func TestLyingSubmitIsAnswered(t *testing.T) {
	_, addr := serve(t, Config{Secret: secret})
	p := in(t, addr)
	frame, _ := cmpp.Append(nil, cmpp.V30, 2, submit("1"))
	frame[12+129+33] = 200 // Msg_Length
	if _, err := p.conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	if r := p.result(); r != cmpp.ResultStructure {
		t.Error(r)
	}
	if err := p.ended(); err != io.EOF {
		t.Error(err)
	}
}

func TestUnknownCommandsAreSkipped(t *testing.T) {
	_, addr := serve(t, Config{Secret: secret})
	p := in(t, addr)
	for _, command := range []cmpp.Command{0x09, 0x17, 0x80000010, 0x1234} {
		frame := cmpp.Header{Length: 15, Command: command, Sequence: 5}.Append(nil)
		if _, err := p.conn.Write(append(frame, "abc"...)); err != nil {
			t.Fatal(err)
		}
	}
	p.send(6, &cmpp.ActiveTest{})
	if sequence, _ := receive[*cmpp.ActiveTestResp](p); sequence != 6 {
		t.Error(sequence)
	}
}

func TestRefusesNewerVersion(t *testing.T) {
	c, addr := serve(t, Config{Version: cmpp.V20, RefuseNewer: true})
	p := dial(t, addr, cmpp.V30)
	if resp := p.login("901234", secret); !resp.Narrow || resp.Status != cmpp.ConnectTooHigh || resp.Version != cmpp.V20 {
		t.Errorf("%+v", resp)
	}
	if resp := dial(t, addr, cmpp.V20).login("901234", secret); resp.Status != cmpp.ConnectOK {
		t.Errorf("%+v", resp)
	}
	if s := c.Stats(); s.Logins != 1 || s.LoginsRefused != 1 {
		t.Errorf("%+v", s)
	}
}

func TestRateAnswersResultEight(t *testing.T) {
	now := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	c, addr := serve(t, Config{Now: func() time.Time { return now }, Faults: Faults{Rate: 3, NoReports: true}})
	p, q := in(t, addr), in(t, addr)
	ask := func(p *peer) cmpp.Result {
		p.send(uint32(c.Stats().Submits+2), submit("1"))
		return p.result()
	}
	got := []cmpp.Result{ask(p), ask(q), ask(p), ask(q)}
	now = now.Add(time.Second - time.Millisecond)
	got = append(got, ask(p))
	now = now.Add(time.Millisecond)
	got = append(got, ask(p))
	if want := []cmpp.Result{0, 0, 0, 8, 8, 0}; !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
	if s := c.Stats(); s.RateExceeded != 2 || s.FlowControl != 2 || s.Accepted != 4 || s.Throttled != 0 {
		t.Errorf("%+v", s)
	}
}

func TestMeter(t *testing.T) {
	var m meter
	at := time.Unix(1000, 0)
	if !m.admit(at, 200, 100) || m.admit(at, 1, 100) {
		t.Error("what is above the rate alone passes alone")
	}
	passed := 0
	for i := range 5000 {
		if m.admit(at.Add(time.Second+time.Duration(i)*time.Millisecond), 1, 100) {
			passed++
		}
	}
	if passed != 500 {
		t.Errorf("%d in 5 s at 100 a second", passed)
	}
}

func TestEarlyReport(t *testing.T) {
	_, addr := serve(t, Config{ReportDelay: time.Hour, Faults: Faults{ReportFirst: true, ResponseDelay: 0.02}})
	p := in(t, addr)
	p.send(2, submit("1"))
	r := p.report()
	if _, resp := receive[*cmpp.SubmitResp](p); resp.MsgID != r.MsgID {
		t.Errorf("report on %v before the answer of %v", r.MsgID, resp.MsgID)
	}
}

func TestReportsInOtherForms(t *testing.T) {
	for name, tt := range map[string]struct {
		faults Faults
		body   int
		frame  int
	}{
		"usual": {Faults{}, 71, 12 + 97 + 71}, "60 bytes": {Faults{NarrowReports: true}, 60, 12 + 97 + 60},
		"short frame": {Faults{ShortLinkID: true}, 71, 12 + 97 + 71 - 11}, "reversed": {Faults{SwappedIDs: true}, 71, 12 + 97 + 71},
	} {
		_, addr := serve(t, Config{Faults: tt.faults})
		p := in(t, addr)
		p.send(2, submit("1"))
		_, resp := receive[*cmpp.SubmitResp](p)
		h, body, err := p.r.Next()
		var d cmpp.Deliver
		var r cmpp.Report
		if err := errors.Join(err, d.Decode(body, cmpp.V30), r.Decode(d.MsgContent)); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if tt.faults.SwappedIDs {
			r.MsgID = r.MsgID.Swapped()
		}
		if r.MsgID != resp.MsgID || len(d.MsgContent) != tt.body || int(h.Length) != tt.frame {
			t.Errorf("%s: %+v in %d of %d bytes", name, r, len(d.MsgContent), h.Length)
		}
	}
}

func TestForeignReport(t *testing.T) {
	_, addr := serve(t, Config{Faults: Faults{ForeignReports: true}})
	p := in(t, addr)
	p.send(2, submit("1"))
	p.result()
	p.report() // there is no other connection
	q := in(t, addr)
	for i := range uint32(4) {
		p.send(3+i, submit("2"))
		p.result()
		q.report()
	}
}

func TestReportsOfOneAccountOnly(t *testing.T) {
	_, addr := serve(t, Config{})
	p, q := dial(t, addr, cmpp.V30), dial(t, addr, cmpp.V30)
	p.login("901234", secret)
	q.login("901235", secret)
	for i := range uint32(4) {
		p.send(3+i, submit("2"))
		p.result()
		p.report()
	}
}

// TestMixedReports: each of many messages has one report that counts, with the
// Stat that the list of texts says, beside doubled, early, late and orphan ones.
func TestMixedReports(t *testing.T) {
	const n = 400
	c, addr := serve(t, Config{Seed: 7, Window: n, Faults: Faults{
		FailShare: 0.25, FailStats: []cmpp.Stat{"MA:0022", cmpp.StatExpired}, DoubleShare: 0.2, OrphanShare: 0.1, EarlyShare: 0.3,
		LateShare: 0.1, LateDelay: 0.03, ReportJitter: 0.02, ResponseJitter: 0.01, Intermediate: true,
	}})
	p := in(t, addr)
	for i := range uint32(n) {
		p.send(2+i, submit(fmt.Sprint("text ", i)))
	}
	came := mixture{final: map[cmpp.MsgID][]cmpp.Stat{}, answered: map[cmpp.MsgID]bool{}}
	for total := -1; came.delivers != total; {
		came.next(p)
		if s := c.Stats(); len(came.answered) == n && total < 0 {
			total = s.Acknowledged + s.Waiting // all is planned by now
		}
	}
	doubled, failed := 0, 0
	for _, text := range c.Submits() {
		got := came.final[text.IDs[0]]
		if len(got) < 1 || len(got) > 2 || got[0] != text.Stats[0] || got[len(got)-1] != got[0] {
			t.Errorf("%v, to be %v, had reports %v", text.IDs[0], text.Stats, got)
		}
		doubled += len(got) - 1
		if got[0] != cmpp.StatDelivered {
			failed++
		}
	}
	s := c.Stats()
	for name, tt := range map[string]struct{ got, low, high int }{
		"failed": {failed, n / 5, n * 3 / 10}, "doubled": {doubled, n * 3 / 20, n / 4}, "early": {came.early, 1, n * 2 / 5},
		"orphans": {came.orphans, n / 20, n * 3 / 20}, "orphans counted": {s.Orphans, came.orphans, came.orphans},
		"counted by Stat": {s.Reports["DELIVRD"], n - failed, n - failed},
		"failed by Stat":  {s.Reports["MA:0022"] + s.Reports["EXPIRED"], failed, failed}, "intermediate": {came.intermediate, n, n},
	} {
		if tt.got < tt.low || tt.got > tt.high {
			t.Errorf("%s: %d, want %d to %d", name, tt.got, tt.low, tt.high)
		}
	}
}

// mixture counts what came.
type mixture struct {
	final                                  map[cmpp.MsgID][]cmpp.Stat
	answered                               map[cmpp.MsgID]bool
	delivers, early, orphans, intermediate int
}

func (m *mixture) next(p *peer) {
	sequence, pdu := p.receive()
	if resp, ok := pdu.(*cmpp.SubmitResp); ok {
		m.answered[resp.MsgID] = true
		return
	}
	d := pdu.(*cmpp.Deliver)
	p.send(sequence, &cmpp.DeliverResp{MsgID: d.MsgID})
	m.delivers++
	var r cmpp.Report
	if err := r.Decode(d.MsgContent); err != nil {
		p.t.Fatal(err)
	}
	switch {
	case r.MsgID.Gateway() == strangeGateway:
		m.orphans++
		return
	case r.Stat == cmpp.StatAccepted:
		m.intermediate++
		return
	case !m.answered[r.MsgID] && len(m.final[r.MsgID]) == 0:
		m.early++
	}
	m.final[r.MsgID] = append(m.final[r.MsgID], r.Stat)
}

func TestHeldReportsComeAtOnce(t *testing.T) {
	c, addr := serve(t, Config{Faults: Faults{HoldReports: true}})
	p := in(t, addr)
	for i := range uint32(3) {
		p.send(2+i, submit("1"))
		p.result()
	}
	if s := c.Stats(); s.Delivers != 0 || s.Waiting != 3 {
		t.Errorf("%+v", s)
	}
	c.SetFaults(Faults{})
	for range 3 {
		p.report()
	}
}

func TestCancel(t *testing.T) {
	_, addr := serve(t, Config{ReportDelay: 50 * time.Millisecond})
	p := in(t, addr)
	p.send(2, submit("1"))
	_, resp := receive[*cmpp.SubmitResp](p)
	for sequence, want := range []bool{true, false} {
		p.send(uint32(3+sequence), &cmpp.Cancel{MsgID: resp.MsgID})
		if _, got := receive[*cmpp.CancelResp](p); got.Done() != want {
			t.Errorf("cancel %d: %+v", sequence, got)
		}
		if want {
			if r := p.report(); r.Stat != cmpp.StatDeleted {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestQuery(t *testing.T) {
	_, addr := serve(t, Config{})
	p := in(t, addr)
	p.send(2, submit("1"))
	p.result()
	p.report()
	p.send(3, &cmpp.Query{Time: "20260801"})
	if _, got := receive[*cmpp.QueryResp](p); got.Time != "20260801" || got.MTMessages != 1 || got.MTForwarded != 1 || got.MTWaiting != 0 {
		t.Errorf("%+v", got)
	}
}

func TestTimesAreRead(t *testing.T) {
	_, addr := serve(t, Config{Faults: Faults{NoReports: true}})
	p := in(t, addr)
	for i, tt := range []struct {
		valid string
		want  cmpp.Result
	}{{"260801093000032+", 0}, {"000000020000000R", 0}, {"tomorrow", cmpp.ResultStructure}} {
		m := submit("1")
		m.ValidTime = tt.valid
		p.send(uint32(2+i), m)
		if got := p.result(); got != tt.want {
			t.Errorf("%q: %v", tt.valid, got)
		}
	}
}

// TestSlowReader: what a client writes piles up on its side.
func TestSlowReader(t *testing.T) {
	c, addr := serve(t, Config{Window: 1 << 20, Faults: Faults{ReadRate: 50_000, NoReports: true}})
	p := in(t, addr)
	frame, _ := cmpp.Append(nil, cmpp.V30, 2, submit("1"))
	begin := time.Now()
	if _, err := p.conn.Write(slices.Repeat(frame, 50)); err != nil { // 10 kB
		t.Fatal(err)
	}
	for range 50 {
		p.result()
	}
	if took := time.Since(begin); took < 100*time.Millisecond {
		t.Errorf("10 kB were read in %v at 50 kB a second", took)
	}
	c.SetFaults(Faults{})
}

func TestStatsTellRepeats(t *testing.T) {
	c, addr := serve(t, Config{Faults: Faults{NoReports: true}})
	p := in(t, addr)
	long := submit("")
	alphabet, parts := segment.Style{RefBits: 16}.Cut(strings.Repeat("中", 100), 0)
	contents, _ := alphabet.Encode(parts)
	sequence := uint32(1)
	send := func(m *cmpp.Submit) {
		sequence++
		p.send(sequence, m)
		p.result()
	}
	for ref := range uint16(2) {
		segments, _ := cmpp.Segments(contents, ref, true)
		for _, s := range segments {
			long.MsgContent, long.TPUDHI, long.MsgFmt = s.Content, s.TPUDHI(), cmpp.UCS2
			send(long)
		}
	}
	segments, _ := cmpp.Segments(contents, 9, true)
	long.MsgContent = segments[0].Content
	send(long) // a part that stays alone
	for range 3 {
		send(submit("1"))
	}
	other := submit("1")
	other.DestTerminalID = []string{"13900139000"}
	send(other)
	if s := c.Stats(); s.Texts != 6 || s.Repeats != 3 || s.Distinct != 3 || s.Unfinished != 1 || s.Numbers != 9 {
		t.Errorf("%+v", s)
	}
	repeats := 0
	for _, s := range c.Submits() {
		if s.Repeat {
			repeats++
		}
	}
	if repeats != 3 {
		t.Errorf("%d texts are marked", repeats)
	}
	c.Reset()
	if s := c.Stats(); s.Texts+s.Submits+s.MaxOpen+s.Unfinished != 0 || len(c.Submits()) != 0 || s.Connections != 1 {
		t.Errorf("%+v", s)
	}
}

func TestCountsOnly(t *testing.T) {
	c, addr := serve(t, Config{Keep: -1, Faults: Faults{NoReports: true}})
	p := in(t, addr)
	for i := range uint32(3) {
		p.send(2+i, submit("1"))
		p.result()
	}
	if s := c.Stats(); s.Texts != 3 || s.Repeats != 2 || len(c.Submits()) != 0 || len(c.Segments()) != 0 {
		t.Errorf("%+v", s)
	}
}

func TestMemoryForgetsTheOldest(t *testing.T) {
	var r record
	r.init(10)
	const words = 1000
	r.words.limit = words
	for i := range 2*words + 1 {
		if r.words.repeats("1", fmt.Sprint(i)) {
			t.Fatalf("text %d is new", i)
		}
	}
	if len(r.words.young)+len(r.words.old) > 2*words || !r.words.repeats("1", fmt.Sprint(words+5)) || r.words.repeats("1", "0") {
		t.Error("the latest are known, the first are not")
	}
	for i := range 100 {
		r.texts = keep(r.texts, r.keep, Submit{Parts: i})
	}
	if n := len(r.texts); n < 10 || n > 20 || r.texts[n-1].Parts != 99 {
		t.Errorf("%d texts", n)
	}
	for i := range 3 * maxHalves {
		r.forget(time.Unix(int64(i/100), 0))
		r.halves[joint{to: fmt.Sprint(i)}] = &half{began: time.Unix(int64(i/100), 0)}
	}
	if n := len(r.halves); n > maxHalves || r.halves[joint{to: fmt.Sprint(3*maxHalves - 1)}] == nil {
		t.Errorf("%d halves", n)
	}
}

// TestIDsAreUnique: also of more than 65,536 messages within a second, and of
// SUBMITs to many numbers.
func TestIDsAreUnique(t *testing.T) {
	var k counter
	seen := map[cmpp.MsgID]bool{}
	at := time.Date(2026, 8, 1, 0, 0, 0, 0, time.UTC)
	for i := range 100_000 {
		n := 1 + i%3
		id := k.next(at.Add(time.Duration(i/80_000)*time.Second), 1, n)
		for j := range n {
			if seen[id.Plus(j)] {
				t.Fatalf("%v was given before", id.Plus(j))
			}
			seen[id.Plus(j)] = true
		}
	}
}

func TestMOInAnyOrder(t *testing.T) {
	c, addr := serve(t, Config{})
	p, q := in(t, addr), in(t, addr)
	text := strings.Repeat("中", 67*2+5)
	for name, tt := range map[string]struct {
		mo     MO
		want   []uint8 // parts in the order in which they come
		spread bool    // over both connections
	}{
		"in order":         {MO{}, []uint8{1, 2, 3}, true},
		"backwards, twice": {MO{Order: []int{3, 2, 1}, Double: true}, []uint8{3, 3, 2, 2, 1, 1}, true},
		"never complete":   {MO{Order: []int{3, 1}}, []uint8{3, 1}, true},
		"one connection":   {MO{Connection: 1}, []uint8{1, 2, 3}, false},
		"16 bits, gbk":     {MO{RefBits: 16, Alphabet: segment.GBK}, []uint8{1, 2, 3}, true},
		"apart":            {MO{Every: 0.001}, []uint8{1, 2, 3}, true},
	} {
		m := tt.mo
		m.From, m.To, m.Text = "13800138000", "10690000", text
		c.turn = 0
		if err := c.InjectMO(m); err != nil {
			t.Fatal(err)
		}
		var got []uint8
		ids := map[uint8]cmpp.MsgID{}
		for i := range tt.want {
			from := p
			if tt.spread && i%2 == 1 {
				from = q
			}
			sequence, d := receive[*cmpp.Deliver](from)
			h, _, _ := cmpp.ParseUDH(d.MsgContent)
			if id, ok := ids[h.Number]; ok && id != d.MsgID || d.MsgContent[0] == 6 != (m.RefBits == 16) || h.Total != 3 {
				t.Errorf("%s: part %d as %v and %v, header %+v", name, h.Number, id, d.MsgID, h)
			}
			ids[h.Number] = d.MsgID
			got = append(got, h.Number)
			from.send(sequence, &cmpp.DeliverResp{MsgID: d.MsgID})
		}
		if !slices.Equal(got, tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
	for name, m := range map[string]MO{"part 4": {Order: []int{4}}, "alphabet": {Alphabet: "latin"}, "256 parts": {Text: strings.Repeat("中", 67*255+1)}} {
		if m.Text == "" {
			m.Text = text
		}
		if err := c.InjectMO(m); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

func TestFaultsValidate(t *testing.T) {
	bad := Faults{FailShare: 1.5, LateShare: -1, ReportJitter: -2, Rate: -1, Stat: "TOO LONG", FailStats: []cmpp.Stat{"MA:00012"}}
	err := bad.Validate()
	for _, name := range []string{"fail_share", "late_share", "report_jitter", "rate", "TOO LONG", "MA:00012"} {
		if err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%v does not name %s", err, name)
		}
	}
	if err := (Faults{FailShare: 1, DropResponses: -1, Stat: "MA:0001"}).Validate(); err != nil {
		t.Error(err)
	}
}
