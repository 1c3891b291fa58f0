package sms

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"callbox/internal/guard"
	"callbox/internal/number"
)

const (
	maxClaim  = 32  // messages in one transaction: others wait for it
	slowClaim = 256 // where the disk is what takes the time
	slowWrite = 10 * time.Millisecond
	storeWait = time.Second     // for what the store refused
	storeMost = 5 * time.Second // for a store that takes nothing
	// refusedOften is how often a store must refuse an outcome, and take others,
	// until it is given up.
	refusedOften = 3
	linkWait     = 5 * time.Second
	// tarryMost is the longest that answers wait for others to be written down
	// with them.
	tarryMost = 5 * time.Millisecond
)

// lane is one account's way out. One goroutine, run, writes down what came of
// messages and claims the next ones, in one transaction after another. So no
// more messages are submitting on disk than the carrier has room for: what is
// unknown after a crash. Each claimed message has a goroutine of its own until
// the carrier has answered.
type lane struct {
	g       *Gateway
	account Account
	carrier Carrier
	log     *slog.Logger
	work    chan struct{} // something was queued; room for one
	news    chan struct{} // the carrier answered; room for one
	pause   backoff
	writes  pacing      // how long a transaction takes
	submits pacing      // how long a carrier takes to answer
	plain   atomic.Bool // the carrier refuses digits behind the access number

	mu       sync.Mutex // guards answered
	answered []attempt  // not yet written down

	// What follows is run's alone.
	open    int       // claimed, and what came of it is not on disk
	hungry  bool      // something may be queued
	turns   fairness  // whose turn it is
	failing bool      // the store took nothing the last time
	stuck   []attempt // the store refused them
	again   time.Time // when that is tried again
}

// attempt is a claimed message and what came of it.
type attempt struct {
	record  Record
	outcome outcome
	refused int // by the store, while it took others
}

func newLane(g *Gateway, a Account, c Carrier) *lane {
	return &lane{
		g: g, account: a, carrier: c, log: g.log.With("account", a.Name),
		work: make(chan struct{}, 1), news: make(chan struct{}, 1), hungry: true,
	}
}

func (l *lane) name() string { return l.account.Name }

func (l *lane) wakeUp() { poke(l.work) }

func poke(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// keepLink runs the carrier until ctx ends; one that gives up is started again.
func (l *lane) keepLink(ctx context.Context) {
	for {
		var err error
		if fell := guard.Call(func() { err = l.carrier.Run(ctx, l.g) }); fell != nil {
			err = fell
		}
		if ctx.Err() != nil {
			return
		}
		l.log.Error("carrier ended, starting it again", "err", err)
		if !sleep(ctx, linkWait) {
			return
		}
	}
}

// run claims and submits until ctx ends, and returns when what came of all that
// is on disk, or, some seconds after the carrier is gone, cannot be written. The
// end of link sends the carrier away, which may take a while to say its last.
func (l *lane) run(ctx, link, gone context.Context) {
	submits := guard.Group{Log: l.log}
	defer submits.Wait()
	store, end := outlive(gone, storeGrace)
	defer end()
	for ctx.Err() == nil || l.open > 0 {
		l.tarry()
		answers := l.due(store)
		room := l.room(ctx, len(answers))
		if len(answers) == 0 && room == 0 {
			l.rest(ctx, store)
			continue
		}
		for _, r := range l.turn(store, answers, room) {
			submits.Go("sms submit", func() { l.submit(link, r) })
		}
	}
}

// outlive gives a context that ends so long after ctx.
func outlive(ctx context.Context, by time.Duration) (longer context.Context, end context.CancelFunc) {
	longer, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(by, cancel) })
	return longer, func() { stop(); cancel() }
}

// tarry lets answers that come at the same time be written down together, where
// writing takes long: who comes a moment late would wait for the disk twice.
func (l *lane) tarry() {
	patience := min(l.writes.mean()/4, tarryMost)
	if l.submits.mean() > patience || !l.partly() {
		return
	}
	timer := time.NewTimer(patience)
	defer timer.Stop()
	for l.partly() {
		select {
		case <-l.news:
		case <-timer.C:
			return
		}
	}
}

// partly says whether some of what is open was answered, and some was not.
func (l *lane) partly() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.answered) > 0 && len(l.answered) < l.open
}

// due gives what is to be written down now.
func (l *lane) due(store context.Context) []attempt {
	fresh := l.take()
	l.tellLost(fresh)
	switch wait := time.Now().Before(l.again) && store.Err() == nil; {
	case wait && l.failing:
		l.stuck = append(fresh, l.stuck...)
		return nil
	case wait:
		return fresh
	}
	all := append(fresh, l.stuck...) // what was refused before shall hold up none
	l.stuck = nil
	return all
}

// take gives what was answered.
func (l *lane) take() []attempt {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := min(len(l.answered), l.batch())
	answers := l.answered[:n:n]
	l.answered = l.answered[n:]
	return answers
}

// tellLost logs what carriers lost track of: a lost connection does so for a
// whole window at a time.
func (l *lane) tellLost(answers []attempt) {
	count := 0
	var first attempt
	for _, a := range answers {
		if a.outcome.event != lose {
			continue
		}
		if count++; count == 1 {
			first = a
		}
	}
	if count > 0 {
		l.log.Warn("not known whether messages were sent", "count", count, "first", first.record.ID,
			"on_unknown", l.account.OnUnknown, "err", first.outcome.why)
	}
}

// room is how many messages may be claimed in the transaction in which so many
// are settled.
func (l *lane) room(ctx context.Context, settled int) int {
	select {
	case <-l.work:
		l.hungry = true
	default:
	}
	now := time.Now()
	if !l.hungry || ctx.Err() != nil || !l.ready() || l.pause.left(now) > 0 || l.failing && now.Before(l.again) {
		return 0
	}
	return max(0, min(l.carrier.Capacity()-l.open+settled, l.batch()))
}

// batch is how many messages one transaction settles and claims at most.
func (l *lane) batch() int {
	if l.writes.mean() >= slowWrite {
		return slowClaim
	}
	return maxClaim
}

// ready says whether the carrier takes submits.
func (l *lane) ready() bool {
	select {
	case <-l.carrier.Ready():
		return true
	default:
		return false
	}
}

// rest waits until there may be something to do.
func (l *lane) rest(ctx, store context.Context) {
	ended, given, ready := ctx.Done(), (<-chan struct{})(nil), l.carrier.Ready()
	if ctx.Err() != nil {
		if l.open == 0 {
			return // it ended just now
		}
		ended = nil // what is open is waited for
	}
	if len(l.stuck) > 0 {
		given = store.Done()
	}
	if !l.hungry || l.ready() {
		ready = nil
	}
	var resume <-chan time.Time
	if nap := l.nap(time.Now()); nap > 0 {
		timer := time.NewTimer(nap)
		defer timer.Stop()
		resume = timer.C
	}
	select {
	case <-ended:
	case <-given:
	case <-ready:
	case <-resume:
	case <-l.news:
	case <-l.work:
		l.hungry = true
	}
}

// nap is how long nothing is due; 0: until something happens.
func (l *lane) nap(now time.Time) time.Duration {
	again, claims := max(0, l.again.Sub(now)), max(0, l.pause.left(now))
	if l.failing {
		claims = max(claims, again)
	}
	switch {
	case len(l.stuck) == 0 && !l.hungry:
		return 0
	case len(l.stuck) == 0:
		return claims
	case !l.hungry || claims == 0:
		return again
	}
	return min(again, claims)
}

// sleep waits; false when ctx ended first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

// turn writes answers down and claims up to room messages, which it gives. Where
// that fails it finds out whether it is the store or one of the answers.
func (l *lane) turn(store context.Context, answers []attempt, room int) []Record {
	claimed, err := l.write(store, answers, room)
	if err == nil {
		return claimed
	}
	works, why := false, err
	if len(answers) > 0 && room > 0 {
		claimed, err = l.write(store, nil, room)
		works = err == nil
	}
	answers, works, why = l.singly(store, answers, works)
	switch {
	case store.Err() != nil:
		l.giveUp(answers, why)
	case works:
		l.later(answers, storeWait)
	default:
		l.trouble(cmp.Or(why, err))
		l.later(answers, storeMost)
	}
	return claimed
}

// later puts answers by for a while.
func (l *lane) later(answers []attempt, after time.Duration) {
	l.stuck, l.again = append(l.stuck, answers...), time.Now().Add(after)
}

// write is one transaction: it settles what was answered and claims into the
// room that there is then.
func (l *lane) write(ctx context.Context, answers []attempt, room int) (claimed []Record, err error) {
	defer l.writes.time(time.Now())
	var turns fairness
	err = l.g.update(ctx, "settle and claim messages", func(w *work) error {
		err := w.settle(answers)
		if err == nil && room > 0 {
			turns = l.turns
			claimed, err = turns.claim(w, l.name(), room)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	l.open += len(claimed) - len(answers)
	if room > 0 {
		l.turns, l.hungry = turns, len(claimed) == room
	}
	l.hungry = l.hungry || slices.ContainsFunc(answers, func(a attempt) bool { return a.outcome.requeues() })
	if l.failing {
		l.failing = false
		l.log.Info("messages are written down again")
	}
	return claimed, nil
}

// singly writes answers down one by one, unless the store works not and takes
// not even the first, which goes to the end then. It gives those that are left,
// whether the store works, and why they are left. What it refuses again and again while it takes others is
// given up.
func (l *lane) singly(ctx context.Context, answers []attempt, works bool) (left []attempt, worked bool, why error) {
	for i, a := range answers {
		_, err := l.write(ctx, answers[i:i+1], 0)
		switch {
		case err == nil:
			works = true
		case errors.Is(err, ErrMoved):
			l.giveUp(answers[i:i+1], err)
		case !works:
			return append(append(left, answers[i+1:]...), a), false, err
		case a.refused+1 == refusedOften:
			l.giveUp(answers[i:i+1], err)
		default:
			a.refused++
			left, why = append(left, a), err
		}
	}
	return left, works, why
}

func (l *lane) giveUp(answers []attempt, err error) {
	l.open -= len(answers)
	for _, a := range answers {
		l.log.Error("outcome not stored: unknown after the next start", "message", a.record.ID, "outcome", a.outcome.event, "err", err)
	}
}

// trouble says once that the store takes nothing.
func (l *lane) trouble(err error) {
	if !l.failing {
		l.log.Error("messages cannot be written down, trying again", "open", l.open, "err", err)
	}
	l.failing = true
}

// submit brings one claimed message to the carrier; run writes down what came of
// it.
func (l *lane) submit(link context.Context, r Record) {
	receipt, err := l.deliver(link, r)
	l.feel(err)
	a := attempt{record: r, outcome: l.outcome(r, receipt, err)}
	l.mu.Lock()
	l.answered = append(l.answered, a)
	l.mu.Unlock()
	poke(l.news)
}

func (l *lane) deliver(ctx context.Context, r Record) (receipt Receipt, err error) {
	alphabet, parts := l.account.Style.Cut(r.Text, r.Reserve)
	s := Submission{
		ID: r.ID, To: number.National(r.To), Parts: parts, Alphabet: alphabet,
		Extension: r.Extension, Reference: r.Reference,
	}
	if l.plain.Load() {
		s.Extension = ""
	}
	began := time.Now()
	defer l.submits.time(began)
	if fell := guard.Call(func() { receipt, err = l.carrier.Submit(ctx, s) }); fell != nil {
		return Receipt{}, fmt.Errorf("%w: %w", ErrUncertain, fell)
	}
	if err == nil && l.g.cfg.Answered != nil {
		l.g.cfg.Answered(l.name(), time.Since(began))
	}
	return receipt, err
}

// feel pauses the lane where the carrier asks for it or takes nothing.
func (l *lane) feel(err error) {
	now := time.Now()
	switch {
	case errors.Is(err, ErrThrottled):
		l.pause.fail(now, time.Second, 30*time.Second)
	case errors.Is(err, ErrNotSent):
		l.pause.fail(now, 50*time.Millisecond, 5*time.Second)
	default:
		l.pause.succeed(now)
	}
}
