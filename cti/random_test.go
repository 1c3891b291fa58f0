package cti_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
)

// Whatever agents, supervisors, phones and callers do, in whatever order: after
// the call nothing is left of it, and while it runs nobody is in two places.
func TestAnythingMayHappen(t *testing.T) {
	stories := uint64(2000)
	if testing.Short() {
		stories = 200
	}
	seen := map[string]int{}
	for seed := range stories {
		var s *story
		synctest.Test(t, func(t *testing.T) {
			s = &story{r: rand.New(rand.NewPCG(seed, 7)), seen: seen}
			s.begin(t)
			for range 5 + s.r.IntN(30) {
				s.happens(t)
			}
			s.finish(t)
		})
		if t.Failed() {
			for _, line := range s.log {
				t.Log(line)
			}
			t.Fatalf("seed %d", seed)
		}
	}
	if testing.Short() {
		return // too few to have seen everything
	}
	for _, event := range []string{
		cti.EventHeld, cti.EventRetrieved, cti.EventTransferred, cti.EventConferenced, cti.EventFailed,
		cti.EventRecordPaused, "recalled", "queued again", "another call's party", "taken over", "alone outside",
	} {
		if seen[event] == 0 {
			t.Errorf("%s was never seen: %v", event, seen)
		}
	}
}

// story is one call's, told by a seed.
type story struct {
	wishful
	r    *rand.Rand
	out  bool // the call was made here
	log  []string
	seen map[string]int
}

func (s *story) note(format string, a ...any) {
	s.log = append(s.log, fmt.Sprintf("%v ", time.Now().Format("15:04:05"))+fmt.Sprintf(format, a...))
}

func (s *story) begin(t *testing.T) {
	if s.r.IntN(3) > 0 {
		s.wishful = keys(t)
		return
	}
	s.out = true
	s.wishful = keys(t)
	s.caller.RemoteHangup()
	s.ends(t)
	s.desks, s.ledger.final, s.ledger.events = nil, nil, nil
	if _, err := s.Make(context.Background(), cti.Order{To: "13800138000", Agent: "1001"}); err != nil {
		t.Fatal(err)
	}
	s.house.phone(t, "1001").PickUp()
	s.caller = s.house.phone(t, "13800138000")
	if s.r.IntN(4) > 0 {
		s.caller.PickUp()
	}
	synctest.Wait()
}

var (
	actors = []string{"1001", "1001", "1001", "1002", "1003", "1004", "2001", "2002", "key:crm"}
	words  = []string{
		"1001", "1002", "1002", "1003", "1005", "sales", "repair", "13900139000", "13900139001", "nobody", "",
	}
	cmds = []string{
		cti.CmdHoldCall, cti.CmdRetrieveCall, cti.CmdConsultationCall, cti.CmdConsultationCall, cti.CmdConsultationCall,
		cti.CmdTransferCall, cti.CmdTransferCall, cti.CmdConferenceCall, cti.CmdConferenceCall, cti.CmdAlternateCall,
		cti.CmdReconnectCall, cti.CmdSingleStepTransfer, cti.CmdGenerateDigits, cti.CmdPauseRecording,
		cti.CmdResumeRecording, cti.CmdSupervise, cti.CmdSupervise, cti.CmdClearConnection, cti.CmdAnswerCall, "sing",
	}
	supervising = []string{"listen", "whisper", "barge", "takeover", "stop", "sing"}
	waits       = []time.Duration{0, time.Second, 10 * time.Second, 20 * time.Second, 21 * time.Second, 2 * time.Minute}
)

func pick[T any](r *rand.Rand, from []T) T { return from[r.IntN(len(from))] }

// happens is one thing that somebody does.
func (s *story) happens(t *testing.T) {
	switch n := s.r.IntN(100); {
	case n < 45:
		s.command()
	case n < 70:
		s.answerOne(t)
	case n < 78:
		s.hangUpOne()
	case n < 80:
		s.refuseOne()
	case n < 88:
		s.wishOne()
	case n < 97:
		d := pick(s.r, waits)
		s.note("%v pass", d)
		time.Sleep(d)
	case n < 98:
		agent := pick(s.r, []string{"1001", "1002", "1004"})
		s.mu.Lock()
		s.busy[agent] = !s.busy[agent]
		s.dead["1005"] = !s.dead["1005"]
		s.mu.Unlock()
	case n < 99:
		s.note("the caller hangs up")
		s.caller.RemoteHangup()
	default:
		s.mu.Lock()
		for _, d := range s.desks {
			d.mu.Lock()
			d.lost = true
			d.mu.Unlock()
		}
		s.mu.Unlock()
	}
	s.look(t)
}

func (s *story) command() {
	by, cmd := pick(s.r, actors), pick(s.r, cmds)
	args := map[string]any{"to": pick(s.r, words), "digits": "12", "mode": pick(s.r, supervising)}
	if live := s.live(); s.r.IntN(6) == 0 && len(live) > 0 {
		args["connection_id"] = pick(s.r, live).ID()
	}
	_, err := s.do(by, cmd, args)
	s.note("%s by %s %v: %v", cmd, by, args, err)
}

// live are the phones' legs that are not over.
func (s *story) live() []*ctitest.Leg {
	synctest.Wait()
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []*ctitest.Leg
	for _, name := range append(actors[2:], words...) {
		for _, l := range s.legs[name] {
			select {
			case <-l.Done():
			default:
				if !slices.Contains(all, l) {
					all = append(all, l)
				}
			}
		}
	}
	return all
}

func (s *story) answerOne(*testing.T) {
	for _, l := range s.live() {
		select {
		case <-l.Answered():
			continue
		default:
		}
		if s.r.IntN(4) == 0 {
			l.Alert()
			continue
		}
		s.note("%s picks up", l.Device())
		l.PickUp()
		return
	}
}

func (s *story) hangUpOne() {
	if live := s.live(); len(live) > 0 {
		l := pick(s.r, live)
		s.note("%s hangs up", l.Device())
		l.RemoteHangup()
	}
}

func (s *story) refuseOne() {
	for _, l := range s.live() {
		select {
		case <-l.Answered():
		default:
			l.Refuse(pick(s.r, []error{cti.ErrBusy, cti.ErrRejected, cti.ErrUnreachable}))
			return
		}
	}
}

// wishOne presses a key of a telephone; now and then one that has a call of its
// own to join.
func (s *story) wishOne() {
	name := pick(s.r, []string{"1001", "1002", "1004"})
	phone, ok := s.phones[name]
	if !ok {
		return
	}
	reply := make(chan error, 1)
	w := cti.Wish{Kind: pick(s.r, []string{cti.WishHold, cti.WishRetrieve, cti.WishTransfer}), Reply: reply, To: pick(s.r, words)}
	if w.Kind == cti.WishTransfer && s.r.IntN(2) == 0 {
		w.With = s.another()
	}
	select {
	case phone.wishes <- w:
	case <-time.After(time.Second):
		return
	}
	if s.r.IntN(8) == 0 {
		phone.RemoteHangup()
	}
	select {
	case err := <-reply:
		s.note("wish %s %s %s: %v", w.Kind, w.To, w.With, err)
		if err == nil && w.With != "" {
			s.seen["another call's party"]++
		}
	case <-time.After(10 * time.Second):
		s.note("NO REPLY to a wish")
		s.log = append(s.log, "stuck")
	}
}

// another is the leg of 1001's telephone in a call that it made.
func (s *story) another() string {
	s.mu.Lock()
	leg := s.leg(cti.Origin{Direction: cti.In, Agent: "1001", Device: "sip:1001", To: cti.Number{Raw: "13900139009"}})
	s.legs["1001"] = append(s.legs["1001"], leg)
	before := len(s.legs["13900139009"])
	s.mu.Unlock()
	go func() { _ = s.Accept(context.Background(), leg) }()
	synctest.Wait()
	s.mu.Lock()
	if dialled := s.legs["13900139009"]; len(dialled) > before && s.r.IntN(4) > 0 {
		dialled[before].PickUp()
	}
	s.mu.Unlock()
	synctest.Wait()
	s.note("1001 calls 13900139009 by phone")
	return leg.ID()
}

// look is what must always hold.
func (s *story) look(t *testing.T) {
	synctest.Wait()
	for _, l := range append(s.live(), s.caller) {
		s.hears(t, l)
	}
	for _, r := range s.Calls() {
		talks := slices.ContainsFunc(r.Legs[1:], func(l cti.LegRecord) bool { return l.End.IsZero() && l.Kind != "supervisor" })
		if r.Legs[0].ID != s.caller.ID() && !s.out || r.Times.Answer.IsZero() || r.To.Raw == "13900139009" {
			continue
		}
		s.stands(t, r)
		if talks && s.hears(t, s.caller) == "" {
			t.Error("the caller hears nothing")
		}
	}
	if slices.Contains(s.log, "stuck") {
		t.Error("a wish has no reply")
	}
}

// stands looks whether every part that goes on stands somewhere, and who hears
// the caller is with him by the record.
func (s *story) stands(t *testing.T, r cti.CDR) {
	for _, l := range r.Legs[1:] {
		if open := l.End.IsZero(); open != (l.Standing != "") || open == l.StandingSince.IsZero() {
			t.Errorf("%s stands at %q since %v", l.Device, l.Standing, l.StandingSince)
		}
		if l.Standing == "departed" {
			t.Errorf("%s is still there", l.Device)
		}
	}
	withHim := slices.ContainsFunc(r.Legs, func(l cti.LegRecord) bool {
		return l.Standing == "talking" || l.Standing == "alternated" || l.Standing == "listening" && l.Mode == cti.ModeBarge
	})
	hears := s.hears(t, s.caller)
	if waits := hears == "" || hears == "music" || hears == "ringback"; waits == withHim {
		t.Errorf("the caller hears %q, parts %+v", hears, r.Legs)
	}
}

// finish ends what is left and counts what was seen.
func (s *story) finish(t *testing.T) {
	s.note("the end")
	if s.r.IntN(5) == 0 {
		ctx, cancel := context.WithCancelCause(context.Background())
		cancel(errors.New("now"))
		s.Drain(ctx)
	}
	s.caller.RemoteHangup()
	for _, name := range []string{"13900139009"} {
		for _, l := range s.legs[name] {
			l.RemoteHangup()
		}
	}
	time.Sleep(4 * time.Second) // a tone may say why
	synctest.Wait()
	if n := len(s.Calls()); n != 0 {
		t.Errorf("%d calls are left", n)
	}
	s.left(t)
	for _, e := range s.ledger.events {
		s.seen[e.Type]++
		if e.UserData["recalled"] == true {
			s.seen["recalled"]++
		}
		if e.UserData["mode"] == "takeover" || e.Type == cti.EventTransferred && e.UserData["by"] == e.UserData["to"] {
			s.seen["taken over"]++
		}
	}
	if len(s.queued) > 0 {
		s.seen["queued again"]++
	}
	for _, r := range s.ledger.final {
		if r.Cause == cti.CauseNormal && r.HangupSide == cti.CallerSide && len(r.Legs) > 2 && r.Legs[len(r.Legs)-1].Kind == "number" {
			s.seen["alone outside"]++
		}
	}
}

// left looks for what calls that are over left behind.
func (s *story) left(t *testing.T) {
	for _, l := range s.live() {
		t.Errorf("a leg of %s is left", l.Device())
	}
	for _, d := range s.desks {
		if d.freed != 1 {
			t.Errorf("desk %s was freed %d times", d.agent, d.freed)
		}
	}
	s.wrapsUp(t)
	s.mixer.empty(t)
	cleared, closed := map[string]int{}, map[string]bool{}
	for _, e := range s.ledger.events {
		if e.Type == cti.EventCallCleared {
			cleared[e.CallID]++
		}
	}
	for _, r := range s.ledger.final {
		if closed[r.ID] || cleared[r.ID] != 1 {
			t.Errorf("call %s: closed twice %t, cleared %d times", r.ID, closed[r.ID], cleared[r.ID])
		}
		closed[r.ID] = true
		for _, l := range r.Legs {
			if l.End.IsZero() || l.Standing != "" || !l.StandingSince.IsZero() {
				t.Errorf("leg %+v has no end, or stands somewhere", l)
			}
		}
		for _, o := range r.Offers {
			if o.End.IsZero() || o.Outcome == "" {
				t.Errorf("offer %+v has no end", o)
			}
		}
		for _, p := range r.Recording.Pauses {
			if p.End.IsZero() {
				t.Errorf("pause %+v has no end", p)
			}
		}
	}
}
