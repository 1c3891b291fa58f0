package sip_test

import (
	"fmt"
	"net"
	"strings"
	"testing"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
)

// ear is a UDP socket for RTP.
type ear struct {
	t    testing.TB
	conn *net.UDPConn
}

func soundSocket(t testing.TB) *ear {
	t.Helper()
	conn, err := net.ListenUDP("udp", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	return &ear{t: t, conn: conn}
}

func (e *ear) port() int { return e.conn.LocalAddr().(*net.UDPAddr).Port }

// packets counts what comes within d, by payload type.
func (e *ear) packets(d time.Duration) map[byte]int {
	got := map[byte]int{}
	buf := make([]byte, 2000)
	_ = e.conn.SetReadDeadline(time.Now().Add(d))
	for {
		n, err := e.conn.Read(buf)
		if err != nil {
			return got
		}
		if n > 12 {
			got[buf[1]&0x7f]++
		}
	}
}

func (e *ear) drain() { e.packets(time.Millisecond) }

func (e *ear) hears(what string) {
	e.t.Helper()
	_ = e.conn.SetReadDeadline(time.Now().Add(patience))
	if _, err := e.conn.Read(make([]byte, 2000)); err != nil {
		e.t.Fatalf("no sound to %s: %v", what, err)
	}
}

// sdpAt describes sound at a port; version is that of the o= line.
func sdpAt(port int, formats, way string, version int) string {
	return fmt.Sprintf("v=0\r\no=- 1 %d IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"+
		"m=audio %d RTP/AVP %s\r\na=rtpmap:101 telephone-event/8000\r\na=%s\r\n", version, port, formats, way)
}

func heldSDP(way string, version int) string { return sdpAt(40000, "8 0 101", way, version) }

// describe answers the box's INVITE with a description of e, nil for none.
func (w *raw) describe(invite *ctitest.Message, code int, tag string, e *ear) {
	w.t.Helper()
	res := invite.Reply(code, "Reason", tag)
	res.Add("Contact", "<sip:"+tag+"@"+w.addr()+">")
	if e != nil {
		res.Add("Content-Type", "application/sdp")
		res.Body = strings.Replace(sdpAt(e.port(), "8 101", "sendrecv", 1), "o=- 1", fmt.Sprintf("o=- %d", e.port()), 1)
	}
	to, err := net.ResolveUDPAddr("udp", strings.Split(strings.TrimPrefix(invite.Get("Via"), "SIP/2.0/UDP "), ";")[0])
	if err != nil {
		w.t.Fatal(err)
	}
	if _, err := w.conn.WriteTo(res.Bytes(), to); err != nil {
		w.t.Fatal(err)
	}
}

// offer is a re-INVITE or UPDATE with a description.
func (w *raw) offer(method string, seq int, ok *ctitest.Message, sdp string) string {
	return w.within(method, seq, ok, "Content-Length", "Content-Type: application/sdp\r\nContent-Length", "\r\n\r\n", "\r\n\r\n"+sdp)
}

func (w *raw) reinvite(seq int, ok *ctitest.Message, sdp string) *ctitest.Message {
	w.t.Helper()
	w.send(w.offer("INVITE", seq, ok, sdp))
	for {
		if res := w.expect("INVITE", 200, 488, 491, 400); res.Seq() == seq {
			w.send(w.within("ACK", seq, ok))
			return res
		}
	}
}

func wished(t *testing.T, leg cti.Leg) string {
	t.Helper()
	select {
	case w := <-leg.(cti.Wisher).Wishes():
		return w.Kind
	case <-time.After(50 * time.Millisecond):
		return ""
	}
}

// Hold in its three ways, and back.
func TestHoldVariants(t *testing.T) {
	zero := func(sdp string) string { return strings.ReplaceAll(sdp, "c=IN IP4 127.0.0.1", "c=IN IP4 0.0.0.0") }
	r := start(t)
	w, e := r.raw("127.0.0.1"), soundSocket(t)
	ok := w.call("variants", "{sdp}", sdpAt(e.port(), "8 0 101", "sendrecv", 1))
	leg := r.leg()
	e.hears("the caller")
	seq := 1
	for _, tt := range []struct {
		name, offer, answer, wish string
		onHold, silent            bool
	}{
		{"sendonly", sdpAt(e.port(), "8 0 101", "sendonly", 2), "recvonly", "hold", true, true},
		{"sendonly again", sdpAt(e.port(), "8 0 101", "sendonly", 2), "recvonly", "", true, true},
		{"back", sdpAt(e.port(), "8 0 101", "sendrecv", 3), "sendrecv", "retrieve", false, false},
		{"inactive", sdpAt(e.port(), "8 0 101", "inactive", 4), "inactive", "hold", true, true},
		{"back to listening", sdpAt(e.port(), "8 0 101", "recvonly", 5), "sendonly", "retrieve", true, false},
		{"by address", zero(sdpAt(e.port(), "8 0 101", "sendrecv", 6)), "recvonly", "hold", true, true},
		{"and back", sdpAt(e.port(), "8 0 101", "sendrecv", 7), "sendrecv", "retrieve", false, false},
		{"no new version", sdpAt(e.port(), "8 0 101", "sendonly", 7), "sendrecv", "", false, false},
	} {
		seq++
		res := w.reinvite(seq, ok, tt.offer)
		if res.Code() != 200 || !strings.Contains(res.Body, "a="+tt.answer+"\r\n") {
			t.Errorf("%s: %s\n%s", tt.name, res.Start, res.Body)
		}
		if got := wished(t, leg); got != tt.wish {
			t.Errorf("%s: wish %q, want %q", tt.name, got, tt.wish)
		}
		if got := leg.(cti.Holder).OnHold(); got != tt.onHold {
			t.Errorf("%s: OnHold %v", tt.name, got)
		}
		e.drain()
		if n := e.packets(60 * time.Millisecond)[8]; (n == 0) != tt.silent {
			t.Errorf("%s: %d packets were sent", tt.name, n)
		}
	}
}

// Wishes that nobody takes go, the oldest first, and are refused.
func TestWishesAreNeverWaitedFor(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	ok := w.call("wishes")
	for i := range 24 {
		w.reinvite(2+i, ok, heldSDP([]string{"sendonly", "sendrecv"}[i%2], 2+i))
	}
	wishes := r.leg().(cti.Wisher).Wishes()
	last := ""
	for len(wishes) > 0 {
		last = (<-wishes).Kind
	}
	if last != cti.WishRetrieve {
		t.Errorf("the last wish is %q", last)
	}
}

// Codec, port and address may change within a call.
func TestReinviteChangesTheStream(t *testing.T) {
	r := start(t)
	w, first, second := r.raw("127.0.0.1"), soundSocket(t), soundSocket(t)
	ok := w.call("change", "{sdp}", sdpAt(first.port(), "8 101", "sendrecv", 1))
	first.hears("the first place")
	res := w.reinvite(2, ok, sdpAt(second.port(), "0 101", "sendrecv", 2))
	if !strings.Contains(res.Body, "RTP/AVP 0 101") {
		t.Errorf("answer\n%s", res.Body)
	}
	second.hears("the second place")
	second.drain()
	if got := second.packets(100 * time.Millisecond); got[0] == 0 || got[8] != 0 {
		t.Errorf("payload types %v, want PCMU", got)
	}
	res = w.reinvite(3, ok, sdpAt(second.port(), "8 0 101", "sendrecv", 3))
	if !strings.Contains(res.Body, "RTP/AVP 0 101") {
		t.Errorf("the codec in use was given up:\n%s", res.Body)
	}
}

// What cannot be taken is refused, and everything stays: sound, contact,
// description.
func TestRefusedOfferChangesNothing(t *testing.T) {
	r := start(t)
	w, e := r.raw("127.0.0.1"), soundSocket(t)
	ok := w.call("refused", "{sdp}", sdpAt(e.port(), "8 101", "sendrecv", 1))
	leg := r.leg()
	fax := "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=image 40000 udptl t38\r\n"
	g729 := sdpAt(40000, "18", "sendrecv", 3)
	for i, sdp := range []string{fax, g729} {
		text := strings.Replace(w.offer("INVITE", 2+i, ok, sdp), "<sip:caller@", "<sip:elsewhere@", 1)
		w.send(text)
		w.expect("INVITE", 488)
		w.send(strings.NewReplacer("INVITE sip", "ACK sip", fmt.Sprintf("%d INVITE", 2+i), fmt.Sprintf("%d ACK", 2+i)).Replace(text))
	}
	w.send(w.offer("UPDATE", 5, ok, "rubbish"))
	w.expect("UPDATE", 400)
	e.drain()
	e.hears("the caller still")
	again := w.reinvite(6, ok, sdpAt(e.port(), "8 101", "sendrecv", 1))
	if again.Body != ok.Body {
		t.Errorf("answer to the same offer\n%s\nat first\n%s", again.Body, ok.Body)
	}
	leg.Hangup(cti.CauseNormal)
	if bye := w.request("BYE"); !strings.HasPrefix(bye.URI(), "sip:caller@") {
		t.Errorf("BYE to %q", bye.URI())
	}
}

// An offer beside an image keeps the sound and turns the image down.
func TestFaxStreamIsTurnedDown(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	ok := w.call("image", "{sdp}", plainSDP+"m=image 40002 udptl t38\r\n")
	if !strings.Contains(ok.Body, "m=image 0 udptl t38") {
		t.Errorf("answer\n%s", ok.Body)
	}
}

// A re-INVITE without a description gets our offer; its answer is in the ACK.
func TestLateOfferWithinTheCall(t *testing.T) {
	r := start(t)
	w, e := r.raw("127.0.0.1"), soundSocket(t)
	ok := w.call("again", "{sdp}", sdpAt(40000, "8 101", "sendrecv", 1))
	w.send(w.within("INVITE", 2, ok))
	var res *ctitest.Message
	for res = w.expect("INVITE", 200); res.Seq() != 2; res = w.expect("INVITE", 200) {
	}
	if !strings.Contains(res.Body, "RTP/AVP 8 0 101") || res.Body == ok.Body {
		t.Errorf("our offer\n%s", res.Body)
	}
	w.send(w.within("INVITE", 3, ok))
	w.expect("INVITE", 491)
	w.send(w.offer("ACK", 2, ok, sdpAt(e.port(), "0 101", "sendrecv", 2)))
	e.hears("the new place")
	if got := e.packets(100 * time.Millisecond); got[byte(media.PCMU)] == 0 {
		t.Errorf("payload types %v, want PCMU", got)
	}
}

// Requests that the library's goroutines turned around are put in order.
func TestRequestsInOrder(t *testing.T) {
	r := start(t)
	w := r.raw("127.0.0.1")
	ok := w.call("order")
	for i := range 40 {
		w.send(w.within("OPTIONS", 2+2*i, ok))
		w.send(w.within("INFO", 3+2*i, ok))
		for range 2 {
			if m := w.next(patience); m == nil || m.Code() != 200 {
				t.Fatalf("round %d: %+v", i, m)
			}
		}
	}
}
