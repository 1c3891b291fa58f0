package sip

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"callbox/cti/media"

	wire "github.com/emiago/sipgo/sip"
	"github.com/pion/sdp/v3"
)

// Why an offer or answer (RFC 3264) cannot be taken.
var (
	errBadSDP   = errors.New("unreadable SDP")
	errNoCodec  = errors.New("no common codec")
	errSRTP     = errors.New("SRTP is not yet supported")
	errNoStream = errors.New("no audio stream")
)

// dtmfOffered is the payload type of telephone-event in our own offers.
const dtmfOffered = 101

// directions as seen by the one who answers.
var mirrored = map[string]string{
	"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive",
}

// described is what one side's SDP says about the audio stream that we take.
type described struct {
	stream    media.Stream
	direction string
	line      int // index of the m-line
	lines     []*sdp.MediaDescription
	held      bool // the address is 0.0.0.0 (RFC 2543 hold)
}

// bodySDP is the SDP of a message, also out of a multipart body; nil for none.
func bodySDP(m wire.Message) []byte {
	body := m.Body()
	if len(body) == 0 || contentType(m) != "multipart/mixed" {
		return body
	}
	h, _ := m.(interface {
		ContentType() *wire.ContentTypeHeader
	})
	_, params, err := mime.ParseMediaType(h.ContentType().Value())
	if err != nil {
		return nil
	}
	parts := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	for {
		part, err := parts.NextPart()
		if err != nil {
			return nil
		}
		if strings.HasPrefix(part.Header.Get("Content-Type"), "application/sdp") {
			text, _ := io.ReadAll(io.LimitReader(part, messageLimit))
			return text
		}
	}
}

// read finds the first audio stream with one of laws in body, in the order of
// the body: the offerer's preference.
func read(body []byte, laws []media.Law) (described, error) {
	var session sdp.SessionDescription
	if err := session.Unmarshal(body); err != nil {
		return described{}, fmt.Errorf("%w: %w", errBadSDP, err)
	}
	failed := errNoStream
	for i, m := range session.MediaDescriptions {
		if m.MediaName.Media != "audio" || m.MediaName.Port.Value == 0 {
			continue
		}
		d, err := readStream(&session, m, laws)
		if err == nil {
			d.line, d.lines = i, session.MediaDescriptions
			return d, nil
		}
		failed = err
	}
	return described{}, failed
}

func readStream(session *sdp.SessionDescription, m *sdp.MediaDescription, laws []media.Law) (described, error) {
	if slices.Contains(m.MediaName.Protos, "SAVP") || slices.Contains(m.MediaName.Protos, "SAVPF") {
		return described{}, errSRTP
	}
	law, ok := firstLaw(m, laws)
	if !ok {
		return described{}, errNoCodec
	}
	remote, err := streamAddress(session, m)
	if err != nil {
		return described{}, err
	}
	return described{
		stream:    media.Stream{Remote: remote, Law: law, DTMF: eventType(m), Symmetric: true},
		direction: direction(session, m),
		held:      remote.Addr().IsUnspecified(),
	}, nil
}

func streamAddress(session *sdp.SessionDescription, m *sdp.MediaDescription) (netip.AddrPort, error) {
	c := m.ConnectionInformation
	if c == nil {
		c = session.ConnectionInformation
	}
	if c == nil || c.Address == nil {
		return netip.AddrPort{}, fmt.Errorf("%w: no connection address", errBadSDP)
	}
	ip, err := netip.ParseAddr(c.Address.Address)
	if err != nil || ip.IsMulticast() {
		return netip.AddrPort{}, fmt.Errorf("%w: connection address %q", errBadSDP, c.Address.Address)
	}
	port := m.MediaName.Port.Value
	if port < 0 || port > 65535 {
		return netip.AddrPort{}, fmt.Errorf("%w: port %d", errBadSDP, port)
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)), nil
}

// firstLaw is the first format of the stream that is one of laws. Payload
// types 0 and 8 need no rtpmap; a law under a dynamic type is not taken.
func firstLaw(m *sdp.MediaDescription, laws []media.Law) (media.Law, bool) {
	for _, f := range m.MediaName.Formats {
		n, err := strconv.ParseUint(f, 10, 7)
		if err == nil && slices.Contains(laws, media.Law(n)) {
			return media.Law(n), true
		}
	}
	return 0, false
}

// eventType is the payload type of telephone-event/8000 (RFC 4733 §2.5.1.1), 0
// for none.
func eventType(m *sdp.MediaDescription) uint8 {
	for _, a := range m.Attributes {
		pt, name, ok := strings.Cut(a.Value, " ")
		if a.Key != "rtpmap" || !ok || !strings.EqualFold(strings.TrimSpace(name), "telephone-event/8000") {
			continue
		}
		if n, err := strconv.ParseUint(pt, 10, 7); err == nil && slices.Contains(m.MediaName.Formats, pt) {
			return uint8(n)
		}
	}
	return 0
}

func direction(session *sdp.SessionDescription, m *sdp.MediaDescription) string {
	for _, list := range [][]sdp.Attribute{m.Attributes, session.Attributes} {
		for _, a := range list {
			if _, ok := mirrored[a.Key]; ok {
				return a.Key
			}
		}
	}
	return "sendrecv"
}

// origin is the o= line's identity of our side of one session.
type sdpOrigin struct {
	id      uint64
	version uint64
	addr    netip.AddrPort // what the peer is told
}

// offer is our own proposal.
func (o sdpOrigin) offer(laws []media.Law) []byte {
	var b strings.Builder
	o.head(&b)
	o.audio(&b, laws, dtmfOffered, "sendrecv", "")
	return []byte(b.String())
}

// answer takes the stream that was chosen and turns the others down.
func (o sdpOrigin) answer(d described) []byte {
	var b strings.Builder
	o.head(&b)
	for i, m := range d.lines {
		if i == d.line {
			o.audio(&b, []media.Law{d.stream.Law}, d.stream.DTMF, mirrored[d.direction], midOf(m))
			continue
		}
		fmt.Fprintf(&b, "m=%s 0 %s %s\r\n", m.MediaName.Media, strings.Join(m.MediaName.Protos, "/"), strings.Join(m.MediaName.Formats, " "))
	}
	return []byte(b.String())
}

func (o sdpOrigin) head(b *strings.Builder) {
	family := "IP4"
	if o.addr.Addr().Is6() {
		family = "IP6"
	}
	ip := o.addr.Addr()
	fmt.Fprintf(b, "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n", o.id, o.version, family, ip, family, ip)
}

var lawNames = map[media.Law]string{media.PCMU: "PCMU", media.PCMA: "PCMA"}

func (o sdpOrigin) audio(b *strings.Builder, laws []media.Law, dtmf uint8, direction, mid string) {
	fmt.Fprintf(b, "m=audio %d RTP/AVP", o.addr.Port())
	for _, l := range laws {
		fmt.Fprintf(b, " %d", l)
	}
	if dtmf != 0 {
		fmt.Fprintf(b, " %d", dtmf)
	}
	b.WriteString("\r\n")
	for _, l := range laws {
		fmt.Fprintf(b, "a=rtpmap:%d %s/8000\r\n", l, lawNames[l])
	}
	if dtmf != 0 {
		fmt.Fprintf(b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n", dtmf, dtmf)
	}
	if mid != "" {
		fmt.Fprintf(b, "a=mid:%s\r\n", mid)
	}
	fmt.Fprintf(b, "a=ptime:20\r\na=%s\r\n", direction)
}

func midOf(m *sdp.MediaDescription) string {
	mid, _ := m.Attribute("mid")
	return mid
}
