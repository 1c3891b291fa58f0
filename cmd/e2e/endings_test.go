//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gorilla/websocket"

	"callbox/cti/ctitest"
	"callbox/internal/guard"
)

// The numbers that the calls of [TestNothingStaysOfCalls] go to.
const (
	toDesk    = "4000000001" // the queue with all agents
	toPrompt  = "4000000002" // a minute of music
	toIdle    = "4000000003" // a queue in which nobody is ready
	toFetch   = "4000000004" // a flow that waits for a server
	toShort   = "4000000005" // a flow that ends the call
	toNowhere = "4000000099"
)

// kind is one way in which a call ends, with what is to be in its record; no
// result: there is no record.
type kind struct {
	name                string
	result, side, cause string
	heavy               bool // takes 10 s or more: made less often
	run                 func(*trial) error
	agent               func(*trial, *seated, *ctitest.Talk) ctitest.Plan // nil: answers
}

var kinds = []kind{
	{name: "caller hangs up", result: "answered", side: "caller", cause: "normal", run: callerHangsUp},
	{name: "agent hangs up", result: "answered", side: "agent", cause: "normal", run: agentHangsUp},
	{name: "agent clears", result: "answered", side: "agent", cause: "normal", run: agentClears},
	{name: "caller gives up while it rings", result: "abandoned", side: "caller", cause: "normal", run: leavesRinging, agent: ringsOn},
	{name: "CANCEL", result: "abandoned", side: "caller", cause: "canceled", run: cancels},
	{name: "caller gives up in the prompt", result: "abandoned", side: "caller", cause: "normal", run: leavesIn(toPrompt)},
	{name: "caller gives up in the queue", result: "abandoned", side: "caller", cause: "normal", run: leavesIn(toIdle)},
	{name: "max_wait", result: "completed", side: "box", cause: "normal", run: staysIn(toIdle)},
	{name: "flow ends", result: "completed", side: "box", cause: "normal", run: staysIn(toShort)},
	{name: "no route", result: "rejected", side: "box", cause: "notFound", run: refusedWith(404, toNowhere, "")},
	{name: "no codec", run: refusedWith(488, toDesk, "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 18\r\n")},
	{name: "first agent declines", result: "answered", side: "caller", cause: "normal", run: callerHangsUp, agent: declinesFirst},
	{name: "first agent does not answer", result: "answered", side: "caller", cause: "normal", run: callerHangsUp, agent: ringsFirst},
	{name: "blind transfer", result: "answered", side: "caller", cause: "normal", run: blindTransfer},
	{name: "attended transfer", result: "answered", side: "caller", cause: "normal", run: attendedTransfer},
	{name: "no ACK", result: "failed", side: "box", cause: "timeout", heavy: true, run: neverAcks},
	{name: "caller vanishes", result: "answered", side: "box", cause: "timeout", heavy: true, run: callerVanishes},
	{name: "agent's phone dies", result: "answered", side: "box", cause: "timeout", heavy: true, run: phoneDies},
}

// ordeal is a box with its peers, and what they know of its calls.
type ordeal struct {
	t       *testing.T
	box     *box
	life    context.Context
	carrier *ctitest.Phone
	seats   map[string]*seated // by extension
	spare   chan *seated       // who wait to be transferred to, and are in no queue that is called
	serial  atomic.Int64
	made    atomic.Int64

	mu     sync.Mutex // guards what follows
	trials map[string]*trial
}

// seated is an agent who goes back to ready whenever the box takes that away.
type seated struct {
	id     string
	client *http.Client
	conn   *websocket.Conn
	phone  *ctitest.Phone
}

// trial is one call, known by the number that it comes from.
type trial struct {
	*ordeal
	kind   *kind
	ctx    context.Context
	from   string
	rung   chan *leg // phones that began to ring
	taken  chan *leg // and that answered
	offers atomic.Int64
}

// leg is a call at an agent's phone.
type leg struct {
	at   *seated
	talk *ctitest.Talk
}

// TestNothingStaysOfCalls ends calls in every way that there is, many at once.
// Each has one record that says how it ended, and a whole recording where it was
// answered; what the box holds afterwards is what it held before. CALLBOX_LONG
// makes it 10,000 calls at an even pace, over which memory stays flat.
func TestNothingStaysOfCalls(t *testing.T) {
	t.Parallel()
	desks, calls, over := 8, 240, time.Duration(0)
	long := os.Getenv("CALLBOX_LONG") != ""
	if long {
		desks, calls, over = 32, 10_000, 8*time.Minute
	}
	o := newOrdeal(t, desks)
	began := time.Now()
	o.all(2, 1, false, 0)
	before := o.settled(nil)
	if long {
		before.live = o.live()
	}
	t.Logf("before: %v", before)
	slow := 0
	for _, k := range kinds {
		if k.heavy {
			slow++
		}
	}
	each := 2*calls/(2*len(kinds)-slow) + 1 // heavy ones come half as often
	stop := o.watch()
	o.all(each, max(1, desks/4), true, over)
	resident := stop(over)
	o.relink()
	after := o.settled(&before)
	t.Logf("after %d calls in %v: %v", o.made.Load(), time.Since(began).Round(time.Second), after)
	if long {
		after.live = o.live()
		grown := float64(after.live-before.live) / (1 << 20)
		t.Logf("live heap %.1f MB, %.1f MB more than before; resident in the thirds of the time %.1f MB", float64(after.live)/(1<<20), grown, resident)
		if more := resident[2] - resident[1]; more > mostMore || grown > mostMore {
			t.Errorf("the last third of the calls takes %.1f MB more resident memory than the second; the live heap grows by %.1f MB in all; want %d MB at most", more, grown, mostMore)
		}
	}
	o.checkRecords(began)
	o.checkFiles()
}

func newOrdeal(t *testing.T, desks int) *ordeal {
	t.Helper()
	slow := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	t.Cleanup(slow.Close)
	b := newBox(t, layout{
		site:  ordealSite(desks, slow.URL),
		extra: "outbound: {allow: [127.0.0.0/8]}\ncalls: {no_audio: {notice: 2s, hangup: 10s}, dialing: {agent: {calls_per_minute: -1, minutes_per_day: -1}, box: {calls_per_minute: -1, minutes_per_day: -1}}}\n",
	})
	life, end := context.WithCancel(context.Background())
	o := &ordeal{t: t, box: b, life: life, seats: map[string]*seated{}, spare: make(chan *seated, desks), trials: map[string]*trial{}}
	var runs guard.Group
	t.Cleanup(func() { end(); runs.Wait() })
	o.carrier = o.phone(&runs, ctitest.PhoneConfig{Server: b.sip})
	idle := b.login("1999")
	idle.connect(0)
	for i := range desks + colleagues(desks) {
		if s := o.sit(&runs, i); i >= desks {
			o.spare <- s
		}
	}
	return o
}

// colleagues is how many agents are there to be transferred to.
func colleagues(desks int) int { return desks / 2 }

func ordealSite(desks int, slow string) string {
	var s strings.Builder
	s.WriteString("agents:\n  - {id: \"1999\", name: Idle, role: agent, password: secret-1999, extension: \"1999\", sip_password: sip-1999, queues: [idle]}\n")
	for i := range desks + colleagues(desks) {
		id, queue := extension(i), "desk"
		if i >= desks {
			queue = "spare"
		}
		fmt.Fprintf(&s, "  - {id: %q, name: Agent %s, role: agent, password: secret-%s, extension: %q, sip_password: sip-%s, queues: [%s]}\n", id, id, id, id, id, queue)
	}
	fmt.Fprintf(&s, `queues:
  - {id: desk, name: Desk, strategy: longest_idle, ring_timeout: 1s, wrap_up: 50ms, max_wait: 300s}
  - {id: spare, name: Spare, wrap_up: 50ms}
  - {id: idle, name: Idle, strategy: longest_idle, ring_timeout: 1s, wrap_up: 50ms, max_wait: 1s}
routes:
  - {number: %q, flow: desk}
  - {number: %q, flow: prompt}
  - {number: %q, flow: idle}
  - {number: %q, flow: fetch}
  - {number: %q, flow: short}
flows:
  - {id: desk, start: q, nodes: {q: {queue: desk, no_agent: bye, timeout: bye}, bye: {hangup: {}}}}
  - {id: idle, start: q, nodes: {q: {queue: idle, no_agent: bye, timeout: bye}, bye: {hangup: {}}}}
  - {id: short, start: p, nodes: {p: {play: welcome.wav, next: bye}, bye: {hangup: {}}}}
  - {id: fetch, start: f, nodes: {f: {http: {url: %q, var: x, timeout: 10s}, next: bye, failed: bye}, bye: {hangup: {}}}}
  - id: prompt
    start: p0
    nodes:
`, toDesk, toPrompt, toIdle, toFetch, toShort, slow+"/x")
	for i := range 14 { // 3 s each: longer than nobody's ACK is waited for
		fmt.Fprintf(&s, "      p%d: {play: menu.wav, next: p%d}\n", i, i+1)
	}
	s.WriteString("      p14: {hangup: {}}\n")
	return s.String()
}

func extension(i int) string { return strconv.Itoa(1101 + i) }

// phone runs one until the test's end.
func (o *ordeal) phone(runs *guard.Group, cfg ctitest.PhoneConfig) *ctitest.Phone {
	o.t.Helper()
	p, err := ctitest.NewPhone(cfg)
	if err != nil {
		o.t.Fatal(err)
	}
	runs.Go("phone", func() { _ = p.Run(o.life) }) // calls that fail tell
	return p
}

// sit brings agent i to a desk; every other phone speaks TCP.
func (o *ordeal) sit(runs *guard.Group, i int) *seated {
	o.t.Helper()
	id := extension(i)
	a := o.box.login(id)
	a.connect(0)
	a.ready()
	a.client.Transport = &http.Transport{DisableKeepAlives: true} // so that sockets can be counted
	s := &seated{id: id, client: a.client, conn: a.conn}
	cfg := ctitest.PhoneConfig{
		Server: o.box.sip, User: id, Password: "sip-" + id, Expires: time.Hour,
		OnCall: func(t *ctitest.Talk) ctitest.Plan { return o.rings(s, t) },
	}
	if i%2 == 1 {
		cfg.Server, cfg.Transport = o.box.tcp, "tcp"
	}
	s.phone = o.phone(runs, cfg)
	select {
	case <-s.phone.Registered():
	case <-time.After(patience):
		o.t.Fatalf("phone %s is not registered", id)
	}
	o.mu.Lock()
	o.seats[id] = s
	o.mu.Unlock()
	runs.Go("agent "+id, func() { o.stayReady(a) })
	return s
}

// stayReady sets an agent ready again who has missed too many calls.
func (o *ordeal) stayReady(a *agent) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for id := 1; ; id++ {
		select {
		case <-o.life.Done():
			return
		case <-tick.C:
		}
		a.mu.Lock()
		missed := false
		for _, f := range a.frames {
			missed = f["type"] == "agentNotReady" || missed && f["type"] != "agentReady"
		}
		a.frames, a.next = nil, 0
		a.mu.Unlock()
		if missed {
			_ = a.conn.WriteJSON(map[string]any{"id": id, "cmd": "setAgentState", "args": map[string]any{"state": "ready"}})
		}
	}
}

// rings says what an agent's phone does with a call.
func (o *ordeal) rings(at *seated, t *ctitest.Talk) ctitest.Plan {
	o.mu.Lock()
	c := o.trials[t.From()]
	o.mu.Unlock()
	plan := ctitest.Plan{Hz: 620}
	if c == nil { // a colleague's consultation
		return plan
	}
	c.offers.Add(1)
	if c.kind.agent != nil {
		plan = c.kind.agent(c, at, t)
	}
	offer(c.rung, &leg{at, t})
	plan.Answered = func(t *ctitest.Talk) { offer(c.taken, &leg{at, t}) }
	return plan
}

func offer(to chan *leg, l *leg) {
	select {
	case to <- l:
	default: // nobody asks for so many
	}
}

// all makes n calls of each kind, evenly over a time, and no more than so many
// of a kind at once.
func (o *ordeal) all(n, width int, heavy bool, over time.Duration) {
	var wg guard.Group
	began := time.Now()
	for i := range kinds {
		k := &kinds[i]
		n, width := n, width
		switch {
		case k.heavy && !heavy:
			continue
		case k.heavy:
			n, width = max(1, n/2), 2*width
		}
		if k.name == "no ACK" { // nobody's desk is taken for its 32 s
			width *= 6
		}
		var next atomic.Int64
		for range width {
			wg.Go(k.name, func() {
				for i := int(next.Add(1)); i <= n && !o.t.Failed(); i = int(next.Add(1)) {
					time.Sleep(time.Until(began.Add(over / time.Duration(n) * time.Duration(i-1))))
					o.one(k)
				}
			})
		}
	}
	wg.Wait()
}

func (o *ordeal) one(k *kind) {
	ctx, cancel := context.WithTimeout(o.life, 2*time.Minute)
	defer cancel()
	c := &trial{
		ordeal: o, kind: k, ctx: ctx, from: "139" + strconv.FormatInt(10_000_000+o.serial.Add(1), 10),
		rung: make(chan *leg, 8), taken: make(chan *leg, 8),
	}
	o.mu.Lock()
	o.trials[c.from] = c
	o.mu.Unlock()
	if err := k.run(c); err != nil {
		o.t.Errorf("%s, from %s: %v", k.name, c.from, err)
	}
	o.made.Add(1)
}

// dial calls with a tone.
func (c *trial) dial(number string) (*ctitest.Talk, error) {
	t, err := c.carrier.Call(c.ctx, number, ctitest.CallOptions{From: c.from})
	if err == nil {
		t.Tone(1100)
	}
	return t, err
}

func (c *trial) answered(number string) (*ctitest.Talk, error) {
	t, err := c.dial(number)
	if err != nil {
		return nil, err
	}
	return t, t.WaitAnswered(c.ctx)
}

// talk is a call that has come to an agent, who is heard.
func (c *trial) talk() (caller *ctitest.Talk, agent *leg, err error) {
	if caller, err = c.answered(toDesk); err != nil {
		return nil, nil, err
	}
	if agent, err = c.next(c.taken); err != nil {
		return caller, nil, errors.Join(err, c.end(caller))
	}
	if err := c.hears(caller, agent); err != nil {
		return caller, agent, errors.Join(err, c.end(caller))
	}
	return caller, agent, nil
}

// hears waits until the box has joined the caller with who has picked up.
func (c *trial) hears(caller *ctitest.Talk, by *leg) error {
	select {
	case <-by.talk.Acked():
	case <-by.talk.Ended():
		return errors.New("an agent's phone got no ACK")
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
	return errors.Join(caller.WaitTone(c.ctx, 620), c.rest(200*time.Millisecond))
}

func (c *trial) next(from chan *leg) (*leg, error) {
	select {
	case l := <-from:
		return l, nil
	case <-c.ctx.Done():
		return nil, errors.New("no agent's phone")
	}
}

func (c *trial) rest(d time.Duration) error {
	select {
	case <-time.After(d):
		return nil
	case <-c.ctx.Done():
		return context.Cause(c.ctx)
	}
}

// end hangs up and waits until all phones know.
func (c *trial) end(t *ctitest.Talk, more ...*leg) error {
	t.Hangup()
	return c.over(t, more...)
}

func (c *trial) over(t *ctitest.Talk, more ...*leg) error {
	ends := []<-chan struct{}{t.Ended()}
	for _, l := range more {
		ends = append(ends, l.talk.Ended())
	}
	for i, ended := range ends {
		select {
		case <-ended:
		case <-c.ctx.Done():
			t.Vanish()
			return fmt.Errorf("side %d of the call did not end", i)
		}
	}
	return nil
}

func callerHangsUp(c *trial) error {
	caller, agent, err := c.talk()
	if err != nil {
		return err
	}
	return c.end(caller, agent)
}

func agentHangsUp(c *trial) error {
	caller, agent, err := c.talk()
	if err != nil {
		return err
	}
	agent.talk.Hangup()
	return c.over(caller, agent)
}

func agentClears(c *trial) error {
	caller, agent, err := c.talk()
	if err != nil {
		return err
	}
	if err := c.command(agent, "clearConnection", map[string]any{}); err != nil {
		return errors.Join(err, c.end(caller))
	}
	return c.over(caller, agent)
}

func ringsOn(*trial, *seated, *ctitest.Talk) ctitest.Plan { return ctitest.Plan{Never: true} }

func leavesRinging(c *trial) error {
	caller, err := c.answered(toDesk)
	if err != nil {
		return err
	}
	agent, err := c.next(c.rung)
	if err != nil {
		return errors.Join(err, c.end(caller))
	}
	return errors.Join(c.rest(100*time.Millisecond), c.end(caller, agent))
}

func cancels(c *trial) error {
	caller, err := c.dial(toFetch)
	if err != nil {
		return err
	}
	if err := errors.Join(c.rest(200*time.Millisecond), c.end(caller)); err != nil {
		return err
	}
	if caller.Status() != 487 {
		return fmt.Errorf("INVITE: %d, want 487", caller.Status())
	}
	return nil
}

func leavesIn(number string) func(*trial) error {
	return func(c *trial) error {
		caller, err := c.answered(number)
		if err != nil {
			return err
		}
		return errors.Join(c.rest(200*time.Millisecond), c.end(caller))
	}
}

func staysIn(number string) func(*trial) error {
	return func(c *trial) error {
		caller, err := c.answered(number)
		if err != nil {
			return err
		}
		return c.over(caller)
	}
}

func refusedWith(code int, number, sdp string) func(*trial) error {
	return func(c *trial) error {
		t, err := c.carrier.Call(c.ctx, number, ctitest.CallOptions{From: c.from, SDP: sdp})
		if err != nil {
			return err
		}
		if err := t.WaitAnswered(c.ctx); err == nil || t.Status() != code {
			return errors.Join(fmt.Errorf("INVITE: %d, want %d", t.Status(), code), c.end(t))
		}
		return c.rest(100 * time.Millisecond) // the box takes no more than so many calls a second
	}
}

func declinesFirst(c *trial, _ *seated, _ *ctitest.Talk) ctitest.Plan {
	if c.offers.Load() == 1 {
		return ctitest.Plan{Reject: 603}
	}
	return ctitest.Plan{Hz: 620}
}

func ringsFirst(c *trial, _ *seated, _ *ctitest.Talk) ctitest.Plan {
	if c.offers.Load() == 1 {
		return ctitest.Plan{Never: true}
	}
	return ctitest.Plan{Hz: 620}
}

// blindTransfer: the agent sends the call on to a colleague.
func blindTransfer(c *trial) error {
	caller, agent, err := c.talk()
	if err != nil {
		return err
	}
	colleague := <-c.spare
	defer c.giveBack(colleague)
	if err := c.refer(agent.talk, "<sip:"+colleague.id+"@127.0.0.1>"); err != nil {
		return errors.Join(err, c.end(caller))
	}
	second, err := c.next(c.taken)
	if err == nil {
		err = c.hears(caller, second)
	}
	if err != nil {
		return errors.Join(err, c.end(caller))
	}
	return c.end(caller, agent, second)
}

// giveBack lets a colleague be transferred to again, when the wrap-up is over.
func (c *trial) giveBack(s *seated) {
	_ = c.rest(time.Second)
	c.spare <- s
}

func (c *trial) refer(t *ctitest.Talk, to string) error {
	res, err := t.Ask(c.ctx, "REFER", ctitest.Header{Name: "Refer-To", Value: to})
	if err != nil {
		return err
	}
	if res.Code() != 202 {
		return fmt.Errorf("REFER: %s", res.Start)
	}
	return nil
}

// attendedTransfer: the agent asks a colleague, then joins caller and colleague
// and is out of it.
func attendedTransfer(c *trial) error {
	caller, agent, err := c.talk()
	if err != nil {
		return err
	}
	colleague := <-c.spare
	defer c.giveBack(colleague)
	if err := c.command(agent, "consultationCall", map[string]any{"to": colleague.id}); err != nil {
		return errors.Join(err, c.end(caller))
	}
	err = c.rest(200 * time.Millisecond)
	for err == nil { // until the colleague has picked up
		if err = c.command(agent, "transferCall", map[string]any{}); err == nil || !errors.Is(err, errTooEarly) {
			break
		}
		err = c.rest(200 * time.Millisecond)
	}
	if err != nil {
		return errors.Join(err, c.end(caller))
	}
	if err := c.over(agent.talk); err != nil {
		return errors.Join(err, c.end(caller))
	}
	return errors.Join(c.rest(200*time.Millisecond), c.end(caller))
}

// errTooEarly: the call is not as far as that.
var errTooEarly = errors.New("409")

// command lets an agent do something with the call.
func (c *trial) command(l *leg, name string, args map[string]any) error {
	id := l.talk.Invite().Get("X-Callbox-Call")
	if status := c.box.as(l.at.client, "", "POST", "/api/v1/calls/"+id+"/"+name, args, nil); status == http.StatusConflict {
		return fmt.Errorf("%s: %w", name, errTooEarly)
	} else if status/100 != 2 {
		return fmt.Errorf("%s: %d", name, status)
	}
	return nil
}

// neverAcks sends an INVITE and says nothing more.
func neverAcks(c *trial) error {
	target := "sip:" + toPrompt + "@" + c.box.sip
	req := c.carrier.Request("INVITE", target)
	req.Set("Call-ID", "unacknowledged-"+c.from)
	req.Set("From", "<sip:"+c.from+"@127.0.0.1>;tag="+c.from)
	req.Add("Content-Type", "application/sdp")
	req.Body = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 9 RTP/AVP 8\r\n"
	res, err := c.carrier.Do(c.ctx, req)
	if err != nil {
		return err
	}
	if res.Code() != 200 {
		return errors.New(res.Start)
	}
	return c.rest(33 * time.Second)
}

func callerVanishes(c *trial) error {
	caller, agent, err := c.talk()
	if err != nil {
		return err
	}
	caller.Vanish()
	return c.over(agent.talk)
}

// phoneDies: the agent's phone loses its power and comes back at once.
func phoneDies(c *trial) error {
	caller, agent, err := c.talk()
	if err != nil {
		return err
	}
	agent.talk.Vanish()
	agent.at.phone.Break()
	return errors.Join(agent.at.phone.Register(c.ctx, time.Hour), c.over(caller))
}

// relink leaves every TCP phone with one connection: the box made others to
// phones that had died with calls.
func (o *ordeal) relink() {
	o.t.Helper()
	for _, s := range o.seats {
		s.phone.Break()
		if err := s.phone.Register(o.life, time.Hour); err != nil {
			o.t.Errorf("phone %s: %v", s.id, err)
		}
	}
}

// holding is what the box holds.
type holding struct {
	goroutines, files, sockets, ready, calls, recordings, panics, rss int

	live int // bytes of the heap that the collector left when nothing went on
}

func (h holding) String() string {
	return fmt.Sprintf("%d goroutines, %d files of which %d sockets, %d agents ready, %d calls, %d recordings, %.1f MB",
		h.goroutines, h.files, h.sockets, h.ready, h.calls, h.recordings, float64(h.rss)/(1<<20))
}

func (o *ordeal) holding() (h holding) {
	text := o.box.get("/metrics")
	for name, into := range map[string]*int{
		"go_goroutines": &h.goroutines, "process_open_fds": &h.files, `callbox_agents{state="ready"}`: &h.ready,
		"callbox_calls_active": &h.calls, "callbox_recordings_active": &h.recordings, "callbox_panics_total": &h.panics,
		"process_resident_memory_bytes": &h.rss,
	} {
		*into = metric(text, name)
	}
	fds := filepath.Join("/proc", strconv.Itoa(o.box.cmd.Process.Pid), "fd")
	list, _ := os.ReadDir(fds)
	for _, f := range list {
		if to, err := os.Readlink(filepath.Join(fds, f.Name())); err == nil && strings.HasPrefix(to, "socket:") {
			h.sockets++
		}
	}
	return h
}

// metric is the value of one series, 0 where there is none.
func metric(text, name string) int {
	m := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	v, _ := strconv.ParseFloat(m[1], 64)
	return int(v)
}

// live is what the collector leaves of the heap when nothing goes on. It runs
// every two minutes by itself, and aims at twice of that next.
func (o *ordeal) live() int {
	o.t.Helper()
	runs := func() (int, string) {
		text := o.box.get("/metrics")
		return metric(text, "go_gc_duration_seconds_count"), text
	}
	first, _ := runs()
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(time.Second) {
		if n, text := runs(); n > first+1 { // the first may still have seen work
			return metric(text, "go_memstats_next_gc_bytes") / 2
		}
	}
	o.t.Error("the collector did not run")
	return 0
}

// settled waits until nothing of a call is left, and no more is held than
// before.
func (o *ordeal) settled(before *holding) (h holding) {
	o.t.Helper()
	for end := time.Now().Add(60 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		h = o.holding()
		quiet := h.calls == 0 && h.recordings == 0 && h.ready == len(o.seats)
		if before != nil {
			quiet = quiet && h.goroutines <= before.goroutines+10 && h.sockets <= before.sockets+2 && h.files-h.sockets <= before.files-before.sockets+8 // readers of the database
		}
		if quiet && (before != nil || time.Until(end) < 55*time.Second) {
			break
		}
		if time.Now().After(end) {
			o.t.Errorf("something stays: %v", h)
			break
		}
	}
	if h.panics != 0 {
		o.t.Errorf("%d panics", h.panics)
	}
	return h
}

// mostMore is how many MB the last third of 10,000 calls may take more than the
// second: a kilobyte a call. The first one fills the database's page caches,
// and whatever is kept for half a minute of calls that are over.
const mostMore = 4

// watch notes resident memory as calls are made; stop gives its means in MB over
// the thirds of a time.
func (o *ordeal) watch() (stop func(time.Duration) [3]float64) {
	ctx, end := context.WithCancel(o.life)
	began := time.Now()
	var at []time.Duration
	var rss []float64
	var wg guard.Group
	wg.Go("watch", func() {
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for last := int64(0); ; {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			n, h := o.made.Load(), o.holding()
			if n-last >= 500 {
				last = n
				o.t.Logf("%d calls: %v", n, h)
			}
			at, rss = append(at, time.Since(began)), append(rss, float64(h.rss)/(1<<20))
		}
	})
	return func(over time.Duration) [3]float64 {
		end()
		wg.Wait()
		return thirds(at, rss, over)
	}
}

// thirds are the means of what was measured in each third of a time.
func thirds(at []time.Duration, what []float64, over time.Duration) (means [3]float64) {
	var n [3]float64
	for i, t := range at {
		if t < over {
			third := 3 * t / over
			n[third]++
			means[third] += (what[i] - means[third]) / n[third]
		}
	}
	return means
}

// ended is a record as far as it is looked at.
type ended struct {
	ID        string
	Result    *string
	Cause     string
	Direction string
	Side      string `json:"hangup_side"`
	From      struct{ Raw string }
	Times     struct{ Answer time.Time }
	Recording struct {
		State string
		Why   string
	}
}

func (o *ordeal) records(since time.Time) (all []ended) {
	o.t.Helper()
	for cursor := ""; ; {
		var page struct {
			Items []ended
			Next  string
		}
		path := "/api/v1/calls?limit=200&since=" + since.UTC().Format(time.RFC3339) + "&cursor=" + cursor
		if status := o.box.call("GET", path, nil, &page); status != 200 {
			o.t.Fatalf("calls: %d", status)
		}
		all = append(all, page.Items...)
		if cursor = page.Next; cursor == "" {
			return all
		}
	}
}

// checkRecords holds every record against how its call was ended.
func (o *ordeal) checkRecords(since time.Time) {
	seen, wrong := map[string]int{}, map[string]int{}
	for _, r := range o.records(since) {
		c := o.trials[r.From.Raw]
		if c == nil { // a consultation
			if r.Result == nil || o.seats[r.From.Raw] == nil {
				o.t.Errorf("a call of nobody's: %+v", r)
			}
			continue
		}
		seen[r.From.Raw]++
		if fault := c.kind.differs(r); fault != "" {
			if wrong[c.kind.name]++; wrong[c.kind.name] <= 3 {
				o.t.Errorf("%s: call %s from %s %s", c.kind.name, r.ID, r.From.Raw, fault)
			}
		}
	}
	for name, n := range wrong {
		o.t.Errorf("%s: %d records are not as they should be", name, n)
	}
	for from, c := range o.trials {
		want := 1
		if c.kind.result == "" {
			want = 0
		}
		if seen[from] != want {
			o.t.Errorf("%s: %d records of the call from %s, want %d", c.kind.name, seen[from], from, want)
		}
	}
}

// differs says what of a record is not as it should be.
func (k *kind) differs(r ended) string {
	result := "none"
	if r.Result != nil {
		result = *r.Result
	}
	if got, want := result+" "+r.Side+" "+r.Cause, k.result+" "+k.side+" "+k.cause; got != want {
		return "is " + got + ", want " + want
	}
	if state := r.Recording.State; !r.Times.Answer.IsZero() && state != "complete" {
		return "has a recording that is " + state + " " + r.Recording.Why
	}
	return ""
}

// checkFiles looks for recordings that nobody has closed.
func (o *ordeal) checkFiles() {
	parts, wavs := 0, 0
	_ = filepath.WalkDir(filepath.Join(o.box.dir, "data"), func(name string, _ os.DirEntry, _ error) error {
		switch filepath.Ext(name) {
		case ".part":
			parts++
		case ".wav":
			wavs++
		}
		return nil
	})
	if parts > 0 || wavs == 0 {
		o.t.Errorf("%d recordings, %d unfinished files", wavs, parts)
	}
	fds := filepath.Join("/proc", strconv.Itoa(o.box.cmd.Process.Pid), "fd")
	list, _ := os.ReadDir(fds)
	for _, f := range list {
		if to, err := os.Readlink(filepath.Join(fds, f.Name())); err == nil && strings.HasSuffix(to, ".wav") {
			o.t.Errorf("%s is still open", to)
		}
	}
}
