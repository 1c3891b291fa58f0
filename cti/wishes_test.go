package cti_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
)

// wisher is a telephone with keys of its own.
type wisher struct {
	*ctitest.Leg
	wishes chan cti.Wish
	held   *atomic.Bool
}

func (w wisher) Wishes() <-chan cti.Wish { return w.wishes }

func (w wisher) OnHold() bool { return w.held.Load() }

func keyed(leg *ctitest.Leg) wisher { return wisher{leg, make(chan cti.Wish), new(atomic.Bool)} }

// wishful lets an agent's telephones wish.
type wishful struct {
	*house
	phones map[string]wisher
}

func (w wishful) Dial(ctx context.Context, d cti.Device, as cti.Number, call string) (cti.Leg, error) {
	leg, err := w.house.Dial(ctx, d, as, call)
	if err != nil {
		return nil, err
	}
	phone := keyed(leg.(*ctitest.Leg))
	w.phones[d.Address()] = phone
	return phone, nil
}

func (w wisher) wish(t *testing.T, wish cti.Wish) error {
	t.Helper()
	reply := make(chan error, 1)
	wish.Reply = reply
	w.wishes <- wish
	synctest.Wait()
	select {
	case err := <-reply:
		return err
	default:
		t.Fatalf("no reply to %+v", wish)
		return nil
	}
}

// keys is a house whose phones have keys, with the caller and 1001 talking.
func keys(t *testing.T) wishful {
	t.Helper()
	w := wishful{phones: map[string]wisher{}}
	w.house = open(t)
	w.phone(t, "1001").RemoteHangup()
	w.ends(t)
	w.Register("sip", w)
	w.desks = nil
	w.ledger.final, w.ledger.events = nil, nil
	w.caller = w.leg(w.caller.Origin())
	go func() { w.over <- w.Accept(context.Background(), w.caller) }()
	w.house.phone(t, "1001").PickUp()
	synctest.Wait()
	return w
}

// The keys of a telephone do what the screen does.
func TestKeysOfATelephone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := keys(t)
		phone := h.phones["1001"]
		for range 2 { // twice the same is no error
			if err := phone.wish(t, cti.Wish{Kind: cti.WishHold}); err != nil {
				t.Errorf("hold: %v", err)
			}
			h.heard(t, "caller", "music", "1001", "")
		}
		if err := phone.wish(t, cti.Wish{Kind: cti.WishRetrieve}); err != nil {
			t.Errorf("retrieve: %v", err)
		}
		if got := h.told("1001"); got != "established held retrieved" {
			t.Errorf("told %s", got)
		}
		if err := phone.wish(t, cti.Wish{Kind: "sing"}); !errors.Is(err, cti.ErrNotServed) {
			t.Errorf("sing: %v", err)
		}
		if err := phone.wish(t, cti.Wish{Kind: cti.WishTransfer, To: "hello"}); !errors.Is(err, cti.ErrBadNumber) {
			t.Errorf("transfer to no number: %v", err)
		}
		if err := phone.wish(t, cti.Wish{Kind: cti.WishTransfer, To: "1002"}); err != nil {
			t.Errorf("transfer: %v", err)
		}
		h.house.phone(t, "1002").PickUp()
		h.heard(t, "caller", "1002")
		h.caller.RemoteHangup()
		h.ends(t)
	})
}

// A caller held by the key of the telephone is not taken back by the screen: it
// would hear nothing.
func TestRetrieveBehindTheHoldKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := keys(t)
		phone := h.phones["1001"]
		phone.held.Store(true)
		if err := phone.wish(t, cti.Wish{Kind: cti.WishHold}); err != nil {
			t.Errorf("hold: %v", err)
		}
		if _, err := h.do("1001", cti.CmdRetrieveCall, nil); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("retrieve = %v", err)
		}
		h.heard(t, "caller", "music", "1001", "")
		phone.held.Store(false)
		if err := phone.wish(t, cti.Wish{Kind: cti.WishRetrieve}); err != nil {
			t.Errorf("retrieve by the key: %v", err)
		}
		h.heard(t, "caller", "1001", "1001", "caller")
		h.caller.RemoteHangup()
		h.ends(t)
	})
}

// ownCall is a second call of 1001's telephone, which asked a number.
func (w wishful) ownCall(t *testing.T, number string) wisher {
	t.Helper()
	phone := keyed(w.leg(cti.Origin{Direction: cti.In, Agent: "1001", Device: "sip:1001", To: cti.Number{Raw: number}}))
	w.mu.Lock()
	w.legs["1001"] = append(w.legs["1001"], phone.Leg)
	w.mu.Unlock()
	go func() { _ = w.Accept(context.Background(), phone) }()
	w.house.phone(t, number).PickUp()
	synctest.Wait()
	return phone
}

// A telephone that holds the caller and asked somebody by a call of its own joins
// the two: the caller's call goes on, the other one is over.
func TestTransferBetweenCallsOfATelephone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := keys(t)
		first := h.phones["1001"]
		if err := first.wish(t, cti.Wish{Kind: cti.WishHold}); err != nil {
			t.Fatal(err)
		}
		second := h.ownCall(t, "13900139000")
		h.heard(t, "caller", "music", "13900139000", "1001")
		kept := h.Calls()[len(h.Calls())-1].ID
		if err := first.wish(t, cti.Wish{Kind: cti.WishTransfer, With: second.ID()}); err != nil {
			t.Fatal(err)
		}
		h.heard(t, "caller", "13900139000", "13900139000", "caller")
		if len(h.Calls()) != 1 || h.Calls()[0].ID != kept || legs(h.Calls()[0]) != "outside agent:1001 number" {
			t.Fatalf("calls %+v", h.Calls())
		}
		other := h.ledger.final[0]
		if *other.Result != cti.ResultAnswered || other.Cause != cti.CauseNormal || other.UserData["transferred_to"] != kept {
			t.Errorf("the other call: %s, %s, %v", *other.Result, other.Cause, other.UserData)
		}
		h.house.phone(t, "13900139000").RemoteHangup()
		synctest.Wait()
		if len(h.Calls()) != 0 {
			t.Error("a call is left")
		}
		if _, hung := h.caller.Cause(); !hung {
			t.Error("the caller was not hung up")
		}
		h.mixer.empty(t)
		for _, d := range h.desks {
			if d.freed != 1 {
				t.Errorf("desk %s was freed %d times", d.agent, d.freed)
			}
		}
	})
}

// A telephone whose second call outlives the first one is in use: its desk is
// taken again, and given back when the telephone is free.
func TestSecondCallTakesTheDesk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := keys(t)
		second := h.ownCall(t, "13900139000")
		if len(h.desks) != 1 {
			t.Fatalf("%d desks lent", len(h.desks))
		}
		h.caller.RemoteHangup()
		time.Sleep(time.Second)
		synctest.Wait()
		if len(h.desks) != 2 || !h.desks[0].isFree() || h.desks[1].isFree() || !h.desks[1].picked {
			t.Fatalf("desks %+v", h.desks)
		}
		second.RemoteHangup()
		synctest.Wait()
		if desk := h.desks[1]; desk.freed != 1 || !desk.talked {
			t.Errorf("the desk was freed %d times, talked %t", desk.freed, desk.talked)
		}
		if r := h.ledger.final[len(h.ledger.final)-1]; !r.Times.ACWEnd.IsZero() || r.Agent.Name == "" {
			t.Errorf("wrap-up ended at %v before the desk said so; agent %v", r.Times.ACWEnd, r.Agent)
		}
	})
}

// A transfer that another call cannot serve leaves both as they are; a telephone
// that hung up over it is rung back.
func TestTransferBetweenCallsRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := keys(t)
		phone := h.phones["1001"]
		if err := phone.wish(t, cti.Wish{Kind: cti.WishTransfer, With: "nobody"}); !errors.Is(err, cti.ErrNotFound) {
			t.Errorf("with nobody: %v", err)
		}
		if err := phone.wish(t, cti.Wish{Kind: cti.WishTransfer, With: phone.ID()}); !errors.Is(err, cti.ErrNotFound) {
			t.Errorf("with itself: %v", err)
		}
		h.heard(t, "caller", "1001", "1001", "caller")
		if err := phone.wish(t, cti.Wish{Kind: cti.WishHold}); err != nil {
			t.Fatal(err)
		}
		reply := make(chan error, 1)
		phone.wishes <- cti.Wish{Kind: cti.WishTransfer, With: "nobody", Reply: reply}
		phone.RemoteHangup()
		if n := h.rings("1001"); n != 3 {
			t.Errorf("rung %d times", n)
		}
		h.caller.RemoteHangup()
		h.ends(t)
	})
}

// A call in which somebody is asked gives up nobody.
func TestTransferFromAConsultation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := keys(t)
		first := h.phones["1001"]
		second := h.ownCall(t, "13900139000")
		own := h.Calls()[0].ID
		doc := []byte(`{"to":"1002"}`)
		if _, err := h.Do(t.Context(), own, cti.Command{Name: cti.CmdConsultationCall, By: "1001", Args: doc}); err != nil {
			t.Fatal(err)
		}
		if err := first.wish(t, cti.Wish{Kind: cti.WishTransfer, With: second.ID()}); !errors.Is(err, cti.ErrWrongState) {
			t.Errorf("transfer = %v", err)
		}
		h.heard(t, "caller", "1001")
		h.caller.RemoteHangup()
		h.house.phone(t, "13900139000").RemoteHangup()
		synctest.Wait()
		if len(h.Calls()) != 0 {
			t.Error("a call is left")
		}
	})
}
