package acd_test

import (
	"context"
	"crypto/md5" //nolint:gosec // digest access authentication
	"crypto/sha256"
	"encoding/hex"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"callbox/acd"
	"callbox/acd/acdtest"
	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/cti/sip"
	"callbox/internal/guard"
	"callbox/recorder"
	"callbox/recorder/wav"
)

// patience is how long a test with real sockets waits for what takes no time.
const patience = 15 * time.Second

// box is a floor with one agent at a SIP phone and a trunk to a carrier.
type box struct {
	t       *testing.T
	dir     string
	calls   *cti.Server
	floor   *acd.Floor
	store   *acdtest.Store
	sip     *sip.Server
	index   *index
	agent   *ctitest.Phone
	carrier *ctitest.Phone
}

// accounts know every extension by one password.
type accounts struct{}

func (accounts) HA1(_ context.Context, user string) (md5Hex, shaHex string, ok bool) {
	text := []byte(user + ":callbox:secret")
	m, s := md5.Sum(text), sha256.Sum256(text) //nolint:gosec // see the import
	return hex.EncodeToString(m[:]), hex.EncodeToString(s[:]), true
}

// index counts recordings.
type index struct {
	mu   sync.Mutex
	rows map[string]recorder.Row
}

func (x *index) put(r recorder.Row) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.rows[r.ID] = r
	return nil
}

func (x *index) all() map[string]recorder.Row {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.rows
}

func (x *index) Opened(_ context.Context, r recorder.Row) error     { return x.put(r) }
func (x *index) Closed(_ context.Context, r recorder.Row) error     { return x.put(r) }
func (x *index) Unfinished(context.Context) ([]recorder.Row, error) { return nil, nil }

// shelf is a recorder as cti asks for one.
type shelf struct{ *recorder.Shelf }

func (s shelf) Record(ctx context.Context, call string, outside media.Port) (func(context.Context) cti.Recording, error) {
	stop, err := s.Shelf.Record(ctx, call, outside)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context) cti.Recording {
		r := stop(ctx)
		return cti.Recording{ID: call, State: r.State, Seconds: r.Seconds, Why: r.Why, Mixed: r.Mixed}
	}, nil
}

// Pause lets silence stand in a recording, or ends that.
func (s shelf) Pause(call string, paused bool) error {
	if !s.Shelf.Pause(call, paused) {
		return cti.ErrNotFound
	}
	return nil
}

// ways lead out through the trunk.
type ways []string

func (w ways) Exits(to cti.Number) []cti.Exit {
	var all []cti.Exit
	for _, trunk := range w {
		all = append(all, cti.Exit{Device: cti.Device("trunk:" + trunk + "/" + to.E164), As: cti.Number{Raw: "4001234567"}, Line: trunk})
	}
	return all
}

// newBox starts everything; plans are what the agent and the carrier do.
func newBox(t *testing.T, agent, carrier func(*ctitest.Talk) ctitest.Plan) *box {
	t.Helper()
	b := &box{t: t, dir: t.TempDir(), store: &acdtest.Store{}, index: &index{rows: map[string]recorder.Row{}}}
	log := slog.New(slog.DiscardHandler)
	engine, err := media.New(media.Config{Log: log})
	must(t, err)
	tapes, err := recorder.New(recorder.Config{Dir: b.dir, Log: log}, b.index)
	must(t, err)
	b.calls = cti.NewServer(cti.Config{AreaCode: "0571", Log: log},
		cti.Deps{Engine: engine, Recorder: shelf{tapes}, Ledger: b.store, Directory: directory{}})
	b.carrier = b.phone(ctitest.PhoneConfig{User: "carrier", OnCall: carrier})
	b.sip, err = sip.New(sip.Config{
		Listen: []string{"udp://127.0.0.1:0"}, RTPPorts: "35000-35999",
		Trunks: []sip.Trunk{{Name: "dead", From: []string{"127.0.0.9/32"}}, {Name: "carrier", Address: b.carrier.Addr().String(), From: []string{"127.0.0.1/32"}}},
	}, sip.Deps{Engine: engine, Calls: b.calls, Accounts: accounts{}, Log: log})
	must(t, err)
	must(t, b.sip.Listen())
	b.calls.Register("sip", b.sip)
	b.calls.Register("trunk", b.sip)
	b.floor, err = acd.New(shop("1001"), acd.Deps{Phones: b.sip, Journal: b.store, Desks: b.store})
	must(t, err)
	b.calls.SetOutgoing(ways{"dead", "carrier"}, b.floor)
	b.run(engine.Run, tapes.Run, b.sip.Run, b.floor.Run)
	b.agent = b.phone(ctitest.PhoneConfig{
		Server: strings.TrimPrefix(b.sip.Addrs()[0], "udp://"), User: "1001", Password: "secret", Expires: time.Minute, OnCall: agent,
	})
	b.within("registration", func() bool { return b.sip.Reachable("1001") })
	b.floor.PhoneChanged("1001")
	_, err = b.floor.LogOn(t.Context(), "1001")
	must(t, err)
	return b
}

// directory knows whose number is called.
type directory struct{}

func (directory) Find(_ context.Context, n cti.Number) (cti.Customer, bool, error) {
	return cti.Customer{ID: "c1", Name: "安顺物业"}, n.E164 == "+8613800138000", nil
}

// hears waits for a tenth of a second of a clear tone; false when the call ends
// without.
func hears(talk *ctitest.Talk, hz float64) bool {
	tick := time.NewTicker(media.Frame)
	defer tick.Stop()
	for talk.HeardFor(hz) < 100*time.Millisecond {
		select {
		case <-tick.C:
		case <-talk.Ended():
			return false
		}
	}
	return true
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (b *box) run(parts ...func(context.Context) error) {
	ctx, cancel := context.WithCancel(context.Background())
	var g guard.Group
	for _, part := range parts {
		g.Go("part", func() {
			if err := part(ctx); err != nil {
				b.t.Error(err)
			}
		})
	}
	b.t.Cleanup(func() {
		limit, over := context.WithTimeout(context.Background(), time.Second)
		defer over()
		b.calls.Drain(limit)
		cancel()
		g.Wait()
	})
}

func (b *box) phone(cfg ctitest.PhoneConfig) *ctitest.Phone {
	b.t.Helper()
	p, err := ctitest.NewPhone(cfg)
	must(b.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	var g guard.Group
	g.Go("phone", func() { _ = p.Run(ctx) })
	b.t.Cleanup(func() { cancel(); g.Wait() })
	return p
}

func (b *box) within(what string, done func() bool) {
	b.t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			b.t.Fatalf("%s: not within %v", what, patience)
		}
	}
}

// dial has the agent call a customer, and gives the call's id.
func (b *box) dial() string {
	b.t.Helper()
	call, err := b.calls.Make(b.t.Context(), cti.Order{To: "138 0013 8000", Agent: "1001", Ref: "WO-1"})
	must(b.t, err)
	return call.ID
}

// over waits for the record.
func (b *box) over() cti.CDR {
	b.t.Helper()
	b.within("the record", func() bool { return len(b.calls.Calls()) == 0 && b.store.Record("").Final() })
	return b.store.Record("")
}

// TestOutgoingOverSIP lets an agent's phone call through a carrier: one record,
// and one recording of what was answered.
func TestOutgoingOverSIP(t *testing.T) {
	for name, tt := range map[string]struct {
		carrier       ctitest.Plan
		result, cause string
		side          string
		heard         float64 // what the agent hears of it
	}{
		"answered":    {ctitest.Plan{Ring: time.Second, Hz: 620, Talk: time.Second}, cti.ResultAnswered, cti.CauseNormal, cti.CallerSide, 450},
		"early sound": {ctitest.Plan{Early: 440, Ring: time.Second, Hz: 620, Talk: time.Second}, cti.ResultAnswered, cti.CauseNormal, cti.CallerSide, 440},
		"busy":        {ctitest.Plan{Reject: 486, Silent: true}, cti.ResultFailed, cti.CauseBusy, cti.CallerSide, 450},
		"no answer":   {ctitest.Plan{Silent: true, Ring: 300 * time.Millisecond, Reject: 480}, cti.ResultFailed, cti.CauseNoAnswer, cti.CallerSide, 450},
		"vacant":      {ctitest.Plan{Reject: 404, Silent: true}, cti.ResultFailed, cti.CauseNotFound, cti.LineSide, 450},
		"congestion":  {ctitest.Plan{Reject: 500, Silent: true}, cti.ResultFailed, cti.CauseCongestion, cti.LineSide, 450},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			heard := make(chan bool, 1)
			b := newBox(t, func(talk *ctitest.Talk) ctitest.Plan {
				talk.Listen(tt.heard)
				return ctitest.Plan{Ring: 50 * time.Millisecond, Hz: 1100, Answered: func(talk *ctitest.Talk) {
					heard <- hears(talk, tt.heard)
					if tt.result == cti.ResultFailed {
						talk.Hangup() // has heard enough
					}
				}}
			}, func(*ctitest.Talk) ctitest.Plan { return tt.carrier })
			id := b.dial()
			record := b.over()
			if record.ID != id || *record.Result != tt.result || record.Cause != tt.cause || record.HangupSide != tt.side {
				t.Errorf("record %s: %s %s, side %s", record.ID, *record.Result, record.Cause, record.HangupSide)
			}
			if record.Direction != cti.Out || record.To.E164 != "+8613800138000" || record.From.E164 != "+864001234567" ||
				record.Line != "carrier" || record.Agent == nil || record.Agent.ID != "1001" || record.Ref != "WO-1" || record.Customer == nil {
				t.Errorf("record %+v", record)
			}
			if !<-heard {
				t.Errorf("the agent did not hear %.0f Hz", tt.heard)
			}
			b.recorded(record, tt.result == cti.ResultAnswered)
		})
	}
}

// recorded looks whether there is one recording, of the far side's answer to
// its end; none of a call that was not answered.
func (b *box) recorded(record cti.CDR, answered bool) {
	b.t.Helper()
	rows := b.index.all()
	if !answered {
		if len(rows) != 0 || record.Recording.State != cti.RecordingNone || !record.Times.Answer.IsZero() {
			b.t.Errorf("recordings %+v, record %+v", rows, record.Recording)
		}
		return
	}
	row := rows[record.ID]
	if len(rows) != 1 || record.Recording.State != cti.RecordingComplete || row.Mixed {
		b.t.Fatalf("recordings %+v, record %+v", rows, record.Recording)
	}
	raw, err := os.ReadFile(filepath.Join(b.dir, filepath.FromSlash(row.Path)))
	must(b.t, err)
	file, err := wav.Parse(raw)
	must(b.t, err)
	lasted := record.Times.Hangup.Sub(record.Times.Answer.Time).Seconds()
	if length := row.Seconds; length < lasted-0.25 || length > lasted+0.25 {
		b.t.Errorf("recorded %.2f s of %.2f s", length, lasted)
	}
	for side, hz := range []float64{620, 1100} {
		if share := clearest(channel(file, row.Law, side), hz); share < 0.8 {
			b.t.Errorf("channel %d: at most %.2f of it is %.0f Hz", side, share, hz)
		}
	}
}

// clearest is how much of the best tenth of a second is a tone: on a machine
// without time the phones' own clocks stand still now and then.
func clearest(samples []int16, hz float64) (best float64) {
	const n = media.SampleRate / 10
	for at := 0; at+n <= len(samples); at += n {
		best = max(best, ctitest.Share(samples[at:at+n], hz))
	}
	return best
}

// channel is one side of a recording.
func channel(file wav.Sound, law media.Law, side int) []int16 {
	var one []byte
	for i := side; i < len(file.Data); i += file.Channels {
		one = append(one, file.Data[i])
	}
	samples := make([]int16, len(one))
	media.Decode(law, samples, one)
	return samples
}
