package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"callbox/api"
	"callbox/cti/sip"
	"callbox/internal/guard"
	"callbox/internal/stamp"
	"callbox/voicebox"
)

// lowDisk is how much must be free for new recordings; below it /readyz says so.
const lowDisk = 500 << 20

// statuses remembers since when each part is as it is.
type statuses struct {
	mu    sync.Mutex
	parts map[string]api.Part
}

func (s *statuses) note(name string, err error) api.Part {
	s.mu.Lock()
	defer s.mu.Unlock()
	part, known := s.parts[name]
	why := ""
	if err != nil {
		why = err.Error()
	}
	if !known || part.OK != (err == nil) {
		part = api.Part{OK: err == nil, Since: stamp.Now()}
	}
	part.Why = why
	if s.parts == nil {
		s.parts = map[string]api.Part{}
	}
	s.parts[name] = part
	return part
}

// readiness looks at each part. The box is ready when calls can be taken and
// kept; a carrier that is away is shown and does not make it unready.
func (a *app) readiness(ctx context.Context) api.Readiness {
	r := api.Readiness{Ready: true, Parts: map[string]api.Part{}}
	needed := func(name string, err error) {
		r.Parts[name] = a.health.note(name, err)
		r.Ready = r.Ready && err == nil
	}
	needed("database", a.askDatabase(ctx))
	needed("sip", nil) // it listens, or the daemon is down
	needed("disk", a.askDisk())
	r.Parts["webrtc"] = a.pagesPart()
	a.trunkParts(r.Parts)
	for _, l := range a.lines.States() {
		var err error
		if l.State != voicebox.InService {
			err = errors.New(l.Why)
		}
		part := a.health.note("line "+l.Label, err)
		part.Since = stamp.At(l.Since)
		r.Parts["line "+l.Label] = part
	}
	for name, carrier := range a.carriers {
		state := carrier.State()
		var err error
		if !state.Up {
			err = errors.New(state.Why)
		}
		part := a.health.note("sms "+name, err)
		part.Since = stamp.At(state.Since)
		r.Parts["sms "+name] = part
	}
	a.doorParts(r.Parts)
	if a.front.Secure() {
		r.Parts["certificate"] = a.health.note("certificate", a.front.State())
	}
	return r
}

// pagesPart is where pages that are phones reach the box. At another port than is
// configured a firewall may stop them; the box is ready all the same.
func (a *app) pagesPart() api.Part {
	at, wanted := a.pages.Addr(), a.Box.WebRTC.Port
	var err error
	if wanted != 0 && int(at.Port()) != wanted {
		err = fmt.Errorf("port %d is taken, %d is used", wanted, at.Port())
	}
	part := a.health.note("webrtc", err)
	part.Address = at.String()
	return part
}

// trunkParts are the trunks; one that is down, or where we are not registered,
// leaves the box ready.
func (a *app) trunkParts(parts map[string]api.Part) {
	for _, t := range a.phones.Trunks() {
		var err error
		if !t.Up || t.Why != "" {
			err = errors.New(t.Why)
		}
		part := a.health.note("trunk "+t.Name, err)
		if !t.Up {
			part.Since = stamp.At(t.Since)
		}
		parts["trunk "+t.Name] = part
	}
}

func (a *app) askDatabase(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	return errors.Join(a.db.Health(), a.db.Reader().PingContext(ctx))
}

func (a *app) askDisk() error {
	var fs unix.Statfs_t
	if err := unix.Statfs(a.Box.Data, &fs); err != nil {
		return fmt.Errorf("disk: %w", err)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < lowDisk {
		return fmt.Errorf("%d MB are free, %d MB are wanted", free>>20, lowDisk>>20)
	}
	return nil
}

// gauges is what a scrape of /metrics finds.
func (a *app) gauges(ctx context.Context) api.Gauges {
	g := api.Gauges{
		QueueWaiting: map[string]int{}, Agents: map[string]int{}, CMPPWindowUsed: map[string]int{}, CMPPWindow: map[string]int{}, LineState: map[string]float64{},
		CallsActive: len(a.calls.Calls()), RecordingsActive: a.shelf.Active(), RecordingLag: a.shelf.Lag().Seconds(),
		RecordingErrors: a.shelf.Errors(), JournalSeq: a.journal.Last(),
	}
	for _, q := range a.floor.Queues() {
		g.QueueWaiting[q.ID] = q.Waiting
		g.LongestWait = max(g.LongestWait, q.LongestWait)
	}
	for _, d := range a.floor.Desks() {
		g.Agents[string(d.State)]++
	}
	for name, carrier := range a.carriers {
		state := carrier.State()
		g.CMPPWindowUsed[name], g.CMPPWindow[name] = state.WindowUsed, state.Window
	}
	a.countTrunks(&g)
	for _, l := range a.lines.States() {
		g.LineState[l.Label] = 0
		if l.State == voicebox.InService {
			g.LineState[l.Label] = 1
		}
	}
	packets := a.engine.Totals()
	g.RTPIn, g.RTPOut, g.RTPLost = packets.Received, packets.Sent, packets.Lost
	g.Concealed, g.Late = packets.Concealed, packets.Late
	phones := a.phones.Stats()
	g.Pages = a.pages.Pages()
	g.SIP, g.Phones, g.Banned, g.Panics = faults(phones), phones.Bindings, phones.Banned, uint64(guard.Panics())
	a.countWaiting(ctx, &g)
	return g
}

func (a *app) countTrunks(g *api.Gauges) {
	g.TrunkCalls, g.TrunkRegistered = map[string]int{}, map[string]float64{}
	for _, t := range a.phones.Trunks() {
		g.LineState[t.Name], g.TrunkRegistered[t.Name], g.TrunkCalls[t.Name] = one(t.Up), one(t.Registered), t.Calls
	}
}

// one is 1 for yes, as metrics say it.
func one(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

func faults(s sip.Stats) map[string]uint64 {
	return map[string]uint64{
		"refused": s.Refused, "dropped": s.Dropped, "malformed": s.Malformed, "auth_failed": s.AuthFailed,
		"banned": s.Bans, "unacknowledged": s.Unacked, "relistened": s.Relistened, "connection_refused": s.ConnsRefused,
	}
}

func (a *app) countWaiting(ctx context.Context, g *api.Gauges) {
	depth, err := a.db.SMS().Depth(ctx)
	waiting, err2 := a.db.Notices().Waiting(ctx)
	orphans, err3 := a.db.SMS().Orphans(ctx)
	if err := errors.Join(err, err2, err3); err != nil {
		a.Log.Warn("metrics are not whole", "err", err)
	}
	g.SMSQueueDepth, g.WebhookPending, g.SMSOrphans = int(depth), int(waiting), int(orphans)
	g.SMSTurned = uint64(a.gateway.Turned())
}
