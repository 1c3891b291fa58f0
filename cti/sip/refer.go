package sip

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"callbox/cti"

	wire "github.com/emiago/sipgo/sip"
)

// transferLimit is how long a transfer may take until the phone is told that
// nothing came of it.
const transferLimit = 3 * time.Minute

// lastWord is how long a phone that we hang up, because its transfer is done, is
// told so first.
const lastWord = 500 * time.Millisecond

// referral is a REFER as we can serve it.
type referral struct {
	wish    cti.Wish
	failed  error // known before anybody was asked
	silent  bool  // Refer-Sub: false: nothing is told (RFC 4488)
	event   string
	replies chan error
}

// onRefer takes a phone's wish to hand its other party on (RFC 3515, RFC 5589).
// Whoever serves the call decides; a trunk may wish for nothing, since that
// would let a stranger make calls.
func (s *Server) onRefer(d *dialog, req *wire.Request, tx *wire.ServerTx) {
	if d.leg.extension() == "" || !d.isConfirmed() {
		s.respond(tx, response(req, 403, "Forbidden", ""))
		return
	}
	ref, f := s.readRefer(d, req)
	if f != nil {
		s.respond(tx, response(req, f.code, f.reason, ""))
		return
	}
	headers := []wire.Header{allow(), s.contact(d.ep, d.hop().Addr())}
	if ref.silent {
		headers = append(headers, wire.NewHeader("Refer-Sub", "false"))
	}
	s.respond(tx, response(req, 202, "Accepted", "", headers...))
	told := d.leg.refers()
	s.work.Go("REFER", func() {
		defer close(told)
		s.serveRefer(d, ref)
	})
}

// refers notes that the phone is to be told how a REFER went; it was when the
// channel is closed.
func (l *leg) refers() chan struct{} {
	told := make(chan struct{})
	l.mu.Lock()
	defer l.mu.Unlock()
	l.told = told
	return told
}

// letTell waits, for a moment, until the phone was told how its REFER went: a
// BYE before that would end the dialog in which it is told.
func (l *leg) letTell() {
	l.mu.Lock()
	told := l.told
	l.mu.Unlock()
	if told == nil {
		return
	}
	limit, cancel := context.WithTimeout(l.s.life, lastWord)
	defer cancel()
	select {
	case <-told:
	case <-limit.Done():
	}
}

// readRefer reads whom a REFER names: a number, or another call of the same
// telephone. The host of the URI is of no account, there is no other box.
func (s *Server) readRefer(d *dialog, req *wire.Request) (*referral, *fault) {
	if len(req.GetHeaders("refer-to")) != 1 {
		return nil, bad("Refer-To must stand once")
	}
	uri, err := referTo(req)
	if err != nil {
		return nil, bad(err.Error())
	}
	ref := &referral{event: d.referEvent(req), replies: make(chan error, 1)}
	if h := req.GetHeader("refer-sub"); h != nil {
		value, _, _ := strings.Cut(h.Value(), ";")
		ref.silent = strings.EqualFold(strings.TrimSpace(value), "false")
	}
	ref.wish = cti.Wish{Kind: cti.WishTransfer, Reply: ref.replies}
	if replaces, ok := headerIn(uri, "replaces"); ok {
		ref.wish.With, ref.failed = s.replaced(d, replaces)
		return ref, nil
	}
	if ref.wish.To = userOf(uri); !phoneDials.MatchString(ref.wish.To) {
		return nil, bad("Refer-To names no number")
	}
	return ref, nil
}

// referTo is the URI in Refer-To, with or without brackets.
func referTo(req *wire.Request) (*wire.Uri, error) {
	var uri wire.Uri
	var params wire.HeaderParams
	value := req.GetHeader("refer-to")
	if value == nil {
		return nil, errors.New("no Refer-To")
	}
	if _, err := wire.ParseAddressValue(value.Value(), &uri, &params); err != nil {
		return nil, errors.New("unreadable Refer-To")
	}
	method := uri.UriParams.GetOr("method", "INVITE")
	if uri.Scheme != "sip" && uri.Scheme != "sips" && uri.Scheme != "tel" || !strings.EqualFold(method, "INVITE") {
		return nil, errors.New("Refer-To asks for no call")
	}
	return &uri, nil
}

// headerIn is a header that a URI carries, unescaped.
func headerIn(uri *wire.Uri, name string) (string, bool) {
	for _, p := range uri.Headers {
		if strings.EqualFold(p.K, name) {
			value, err := url.PathUnescape(p.V)
			return value, err == nil
		}
	}
	return "", false
}

// replaced is the leg of the same extension in the dialog that a Replaces header
// (RFC 3891 §3) names, in either order of the tags: phones differ in whose view
// they take.
func (s *Server) replaced(d *dialog, replaces string) (leg string, err error) {
	callID, _, _ := strings.Cut(replaces, ";")
	other := s.dialogs.named(strings.TrimSpace(callID), parameter(replaces, "to-tag"), parameter(replaces, "from-tag"))
	if other == nil || other == d || other.isOver() || other.leg.extension() != d.leg.extension() {
		return "", fmt.Errorf("%w: no such call of this telephone", errGone)
	}
	return other.leg.ID(), nil
}

// referEvent is the Event of the notices about a REFER: the second one in a
// dialog and those after it are told apart by their CSeq (RFC 3515 §2.4.6).
func (d *dialog) referEvent(req *wire.Request) string {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refers++
	if d.refers == 1 {
		return "refer"
	}
	return "refer;id=" + strconv.FormatUint(uint64(req.CSeq().SeqNo), 10)
}

// serveRefer asks for the transfer and tells the phone how it went.
func (s *Server) serveRefer(d *dialog, ref *referral) {
	l := d.leg
	if ref.failed == nil {
		l.wish(ref.wish)
	}
	s.tellReferrer(d, ref, "100 Trying", "active;expires="+strconv.Itoa(int(transferLimit/time.Second)))
	err := ref.failed
	if err == nil {
		err = l.replyTo(ref.replies)
	}
	if l.Err() != nil {
		return // the phone has gone, as it may
	}
	if err != nil {
		l.log.Info("the transfer did not come about", "err", err)
	}
	s.tellReferrer(d, ref, statusOf(err), "terminated;reason=noresource")
}

// replyTo waits for the answer to a wish, as long as the leg lives; a transfer
// ends it just before.
func (l *leg) replyTo(replies <-chan error) error {
	limit := time.NewTimer(transferLimit)
	defer limit.Stop()
	select {
	case err := <-replies:
		return err
	case <-limit.C:
		return cti.ErrNoAnswer
	case <-l.life.Done():
	}
	select {
	case err := <-replies:
		return err
	case <-time.After(lastWord):
		return context.Cause(l.life)
	}
}

// statuses tell a phone why a transfer did not come about.
var statuses = []struct {
	err    error
	status string
}{
	{errGone, "481 Call/Transaction Does Not Exist"},
	{cti.ErrBusy, "486 Busy Here"},
	{cti.ErrNoAnswer, "480 Temporarily Unavailable"},
	{cti.ErrNotFound, "404 Not Found"},
	{cti.ErrBadNumber, "484 Address Incomplete"},
	{cti.ErrRejected, "603 Decline"},
	{cti.ErrBarred, "403 Forbidden"},
	{cti.ErrNotServed, "501 Not Implemented"},
}

func statusOf(err error) string {
	if err == nil {
		return "200 OK"
	}
	for _, s := range statuses {
		if errors.Is(err, s.err) {
			return s.status
		}
	}
	return "503 Service Unavailable"
}

// tellReferrer tells the phone how its REFER stands, as a piece of a SIP message
// (RFC 3420).
func (s *Server) tellReferrer(d *dialog, ref *referral, status, state string) {
	if ref.silent {
		return
	}
	ctx, cancel := d.leg.patience()
	if d.leg.isOver() {
		cancel()
		ctx, cancel = context.WithTimeout(s.life, lastWord)
	}
	defer cancel()
	_, err := s.inDialog(ctx, d, d.leg.trunk, wire.NOTIFY, func(req *wire.Request) {
		req.AppendHeader(s.contact(d.ep, d.hop().Addr()))
		req.AppendHeader(wire.NewHeader("Event", ref.event))
		req.AppendHeader(wire.NewHeader("Subscription-State", state))
		req.AppendHeader(wire.NewHeader("Content-Type", "message/sipfrag;version=2.0"))
		req.SetBody([]byte("SIP/2.0 " + status + "\r\n"))
	})
	if err != nil && d.leg.life.Err() == nil {
		d.leg.log.Info("NOTIFY without an answer", "err", err)
	}
}
