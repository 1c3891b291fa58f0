package media

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"callbox/internal/guard"
)

// Config is how a [Plain] engine is set.
type Config struct {
	PortMin, PortMax uint16 // the range of RTP and RTCP ports; 20000-29999 when both are 0
	Log              *slog.Logger
}

// Validate reports what is wrong with the settings.
func (c Config) Validate() error {
	if c.PortMin == 0 && c.PortMax == 0 {
		return nil
	}
	if c.PortMin < 1024 || int(c.PortMax)-int(c.PortMin) < 2 {
		return fmt.Errorf("rtp ports %d-%d: want a range from 1024 on with room for a pair", c.PortMin, c.PortMax)
	}
	return nil
}

// Plain is the engine that leaves the work to the runtime: one guarded
// goroutine reads each socket or pipe and passes bridged sound on at once,
// [Plain.Run] sends on the beat what does not come from a bridge.
type Plain struct {
	log     *slog.Logger
	clock   clock
	sockets *sockets
	ids     identities
	readers guard.Group

	bridging sync.Mutex // before any room's and port's locks

	mu      sync.Mutex // behind all other locks
	stopped bool
	ports   map[*port]member
	rooms   map[*mixer]struct{} // with somebody in them
	gone    Stats               // of closed ports
	opened  chan struct{}       // holds one when a port was added
}

// New makes an engine; sound flows while [Plain.Run] runs.
func New(cfg Config) (*Plain, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	log := cmp.Or(cfg.Log, slog.Default())
	return &Plain{
		log:     log,
		clock:   clock{time.Now()},
		sockets: newSockets(cmp.Or(cfg.PortMin, 20000), cmp.Or(cfg.PortMax, 29999)),
		ids:     identities{},
		readers: guard.Group{Log: log},
		ports:   map[*port]member{},
		rooms:   map[*mixer]struct{}{},
		opened:  make(chan struct{}, 1),
	}, nil
}

// identities tells streams and prompts apart; the first ones have a meaning of
// their own.
type identities struct{ last atomic.Uint64 }

func (i *identities) next() uint64 { return i.last.Add(1) + silentSource }

// Run keeps the beat of all ports until ctx ends; then it closes what is open.
// When it returns, all goroutines of the engine have.
func (e *Plain) Run(ctx context.Context) error {
	e.keepBeat(ctx)
	e.mu.Lock()
	e.stopped = true
	e.mu.Unlock()
	for _, m := range e.members(nil) {
		m.shut()
	}
	e.readers.Wait()
	return nil
}

const mostBehind = 25 // frames made good after the box had no time; more are left out

// keepBeat beats while there are ports: a box without calls sleeps.
func (e *Plain) keepBeat(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-e.opened:
			e.beat(ctx)
		}
	}
}

// beat passes over all ports every 20 ms, and as often at once as it was held
// up, until there is none.
func (e *Plain) beat(ctx context.Context) {
	ticks := time.NewTicker(Frame)
	defer ticks.Stop()
	begin := e.clock.now()
	var ports []member
	var rooms []*mixer
	for beat := int64(1); ; {
		select {
		case <-ctx.Done():
			return
		case <-ticks.C:
		}
		due := (e.clock.now() - begin + FrameSamples/2) / FrameSamples
		beat = max(beat, due-mostBehind)
		for ; beat <= due; beat++ {
			if ports = e.members(ports[:0]); len(ports) == 0 {
				return
			}
			rooms = e.mixers(rooms[:0])
			e.mix(rooms, begin+beat*FrameSamples)
			e.pass(ports, begin+beat*FrameSamples)
		}
	}
}

// pass lets every port send what is due. A port that panics is closed, the
// others go on.
func (e *Plain) pass(ports []member, now int64) {
	for i := 0; i < len(ports); i++ {
		err := guard.Call(func() {
			for ; i < len(ports); i++ {
				ports[i].base().beat(now)
				ports[i].tend(now)
			}
		})
		if err != nil {
			e.log.Error("a port's beat failed; the port is closed", "err", err)
			ports[i].shut()
		}
	}
}

// mix lets every room hand out what its parties hear. A room that panics is
// closed, the others go on.
func (e *Plain) mix(rooms []*mixer, now int64) {
	for i := 0; i < len(rooms); i++ {
		err := guard.Call(func() {
			for ; i < len(rooms); i++ {
				rooms[i].beat(now)
			}
		})
		if err != nil {
			e.log.Error("a room's beat failed; the room is closed", "err", err)
			rooms[i].Close()
		}
	}
}

// keep lets a room have beats, forget ends them.
func (e *Plain) keep(m *mixer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.rooms[m] = struct{}{}
}

func (e *Plain) forget(m *mixer) {
	e.mu.Lock()
	defer e.mu.Unlock()
	delete(e.rooms, m)
}

func (e *Plain) mixers(to []*mixer) []*mixer {
	e.mu.Lock()
	defer e.mu.Unlock()
	for m := range e.rooms {
		to = append(to, m)
	}
	return to
}

func (e *Plain) members(to []member) []member {
	e.mu.Lock()
	defer e.mu.Unlock()
	for _, m := range e.ports {
		to = append(to, m)
	}
	return to
}

// add takes a port into service and starts its reader; it is false when the
// engine has stopped, and then the port is shut.
func (e *Plain) add(name string, m member) bool {
	e.mu.Lock()
	running := !e.stopped
	if running {
		e.ports[m.base()] = m
		select {
		case e.opened <- struct{}{}:
		default:
		}
		e.readers.Go(name, func() {
			defer m.shut()
			m.read()
		})
	}
	e.mu.Unlock()
	if !running {
		m.shut()
	}
	return running
}

func (e *Plain) remove(p *port) {
	e.mu.Lock()
	m := e.ports[p]
	delete(e.ports, p)
	e.mu.Unlock()
	if m == nil {
		return
	}
	stats := m.Stats()
	e.mu.Lock()
	e.gone = e.gone.add(stats)
	e.mu.Unlock()
}

// Totals sums what all ports counted since the engine was made; Jitter is the
// worst, LastReceived the latest.
func (e *Plain) Totals() Stats {
	ports := e.members(nil)
	e.mu.Lock()
	sum := e.gone
	e.mu.Unlock()
	for _, p := range ports {
		sum = sum.add(p.Stats())
	}
	return sum
}

// bridge joins two ports. What goes from RTP to a pipe, which has no way to put
// late sound in its place, goes through a room of its own.
type bridge struct {
	a, b  *port
	paced *mixer
}

// Bridge implements [Engine]. A port that is already in a bridge or a room
// leaves it.
func (e *Plain) Bridge(a, b Port) (undo func()) {
	x, y := e.ours(a), e.ours(b)
	if x == nil || y == nil || x == y {
		e.log.Error("two ports cannot be bridged", "err", errNotOurs)
		return func() {}
	}
	br := &bridge{a: x, b: y}
	e.join(br)
	return func() {
		e.bridging.Lock()
		defer e.bridging.Unlock()
		br.undo()
	}
}

var errNotOurs = errors.New("they are one, or not this engine's")

// ours is a port of this engine's, nil for any other.
func (e *Plain) ours(p Port) *port {
	own, ok := p.(interface{ base() *port })
	if !ok || own.base().engine != e {
		return nil
	}
	return own.base()
}

func (e *Plain) join(br *bridge) {
	e.bridging.Lock()
	defer e.bridging.Unlock()
	br.a.alone()
	br.b.alone()
	if br.a.isClosed() || br.b.isClosed() {
		return
	}
	br.a.bridge, br.b.bridge = br, br
	br.wire(br.a, br.b)
	br.wire(br.b, br.a)
}

// wire lets one side hear the other.
func (b *bridge) wire(from, to *port) {
	if to.paced && !from.paced {
		b.paced = newMixer(to.engine)
		b.paced.hear(to, from)
		return
	}
	to.out.connect(true, to.engine.clock.now())
	from.in.connect(&to.out)
}

// undo ends a bridge that still stands. Callers hold bridging.
func (b *bridge) undo() {
	if b == nil || b.a.bridge != b {
		return
	}
	b.a.bridge, b.b.bridge = nil, nil
	if b.paced != nil {
		b.paced.clear()
	}
	b.a.in.connect(nil)
	b.b.in.connect(nil)
	b.a.out.connect(false, 0)
	b.b.out.connect(false, 0)
}

// alone takes a port out of its bridge and its room. Callers hold bridging.
func (p *port) alone() {
	p.bridge.undo()
	p.room.lose(p)
}

// part takes a port out of its bridge or room.
func (e *Plain) part(p *port) {
	e.bridging.Lock()
	defer e.bridging.Unlock()
	p.alone()
}

// Open implements [Engine]. The error is [ErrNoPorts] when the range is used up
// and [ErrClosed] after the engine's end.
func (e *Plain) Open(local netip.Addr) (RTP, error) {
	sound, control, err := e.sockets.open(local)
	if err != nil {
		return nil, err
	}
	p := newRTPPort(e, sound, control)
	if !e.add("rtp", p) {
		return nil, ErrClosed
	}
	return p, nil
}

// Pipe implements [Engine]. The port is also a [Presser], a [Counter] and a [Placer]. Sound
// from in may come in pieces of any length up to 1400 samples; a nil piece is a
// frame that was lost, a pause longer than 200 ms is a gap in it.
func (e *Plain) Pipe(law Law, in <-chan []byte, out chan<- []byte) Port {
	p := newPipe(e, law, in, out)
	e.add("pipe", p)
	return p
}
