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
	errSRTP     = errors.New("SRTP is not wanted here")
	errPlain    = errors.New("only SRTP is taken here")
	errNoStream = errors.New("no audio stream")
	errAddress  = errors.New("no usable address")
	errStreams  = errors.New("too many streams")
)

const (
	dtmfOffered = 101 // payload type of telephone-event in our own offers
	streamLimit = 32  // m-lines that are looked at
)

// directions as seen by the one who answers.
var mirrored = map[string]string{
	"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive",
}

// profiles are the transports of sound that we speak; true for SRTP with keys
// in the SDP. The feedback of AVPF (RFC 4585) is taken and not sent.
var profiles = map[string]bool{"RTP/AVP": false, "RTP/AVPF": false, "RTP/SAVP": true, "RTP/SAVPF": true}

// described is what one side's SDP says about the audio stream that we take.
type described struct {
	stream    media.Stream // without our key, see sdpOrigin.sealed
	direction string
	line      int // index of the m-line
	lines     []*sdp.MediaDescription
	held      bool     // the address is 0.0.0.0 (RFC 2543 hold)
	key       *sealKey // the peer's, nil for plain RTP
	mux       bool     // RTCP on the port of sound (RFC 5761)
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

// read finds the audio stream in body that has one of laws and the sealing that
// srtp asks for: the first sealed one unless that is off, else the first.
func read(body []byte, laws []media.Law, srtp string) (described, error) {
	session, err := parse(body)
	if err != nil {
		return described{}, fmt.Errorf("%w: %w", errBadSDP, err)
	}
	if len(session.MediaDescriptions) > streamLimit {
		return described{}, errStreams
	}
	var found *described
	failed := errNoStream
	for i, m := range session.MediaDescriptions {
		if m.MediaName.Media != "audio" || m.MediaName.Port.Value == 0 {
			continue
		}
		d, err := readStream(session, m, laws, srtp)
		if err != nil {
			failed = err
			continue
		}
		d.line, d.lines = i, session.MediaDescriptions
		if found == nil || found.key == nil && d.key != nil {
			found = &d
		}
	}
	if found == nil {
		return described{}, failed
	}
	return *found, nil
}

// parse reads an SDP (RFC 4566). The library refuses a whole description for
// one stream of a kind that it does not know, fax (m=image) among them: streams
// that we do not take are shown to it as another kind.
func parse(body []byte) (*sdp.SessionDescription, error) {
	var text bytes.Buffer
	foreign := map[int][]string{} // the fields of such m-lines
	streams := 0
	if !bytes.HasSuffix(body, []byte("\n")) { // a part of several ends before the line break
		body = append(bytes.Clone(body), "\r\n"...)
	}
	for line := range bytes.Lines(body) {
		m, ok := bytes.CutPrefix(line, []byte("m="))
		if fields := strings.Fields(string(m)); ok {
			if len(fields) >= 4 && !ourKind(fields) {
				foreign[streams] = fields
				line = []byte("m=application " + fields[1] + " TCP *\r\n")
			}
			streams++
		}
		text.Write(line)
	}
	var session sdp.SessionDescription
	if err := session.Unmarshal(text.Bytes()); err != nil {
		return nil, err
	}
	for i, m := range session.MediaDescriptions {
		if f, ok := foreign[i]; ok {
			m.MediaName.Media, m.MediaName.Protos, m.MediaName.Formats = f[0], strings.Split(f[2], "/"), f[3:]
		}
	}
	return &session, nil
}

// ourKind says whether an m-line's fields are of sound that we may take.
func ourKind(fields []string) bool {
	_, known := profiles[fields[2]]
	return fields[0] == "audio" && known
}

func readStream(session *sdp.SessionDescription, m *sdp.MediaDescription, laws []media.Law, srtp string) (described, error) {
	key, err := streamKey(m, srtp)
	if err != nil {
		return described{}, err
	}
	law, ok := firstLaw(m, laws)
	if !ok {
		return described{}, errNoCodec
	}
	remote, err := streamAddress(session, m)
	if err != nil {
		return described{}, err
	}
	way := direction(session, m)
	control, mux := controlAddress(m, remote), hasFlag(m, "rtcp-mux")
	if mux {
		control = remote
	}
	return described{
		stream: media.Stream{
			Remote: remote, Law: law, DTMF: eventType(m), Symmetric: true, Control: control,
			Mute: way == "sendonly" || way == "inactive", Deaf: way == "recvonly" || way == "inactive",
		},
		direction: way,
		held:      remote.Addr().IsUnspecified(),
		key:       key,
		mux:       mux,
	}, nil
}

// streamKey is the key of a sealed stream, nil for a plain one; what srtp does
// not take is an error. Crypto lines on a plain stream mean nothing.
func streamKey(m *sdp.MediaDescription, srtp string) (*sealKey, error) {
	sealed, ok := profiles[profileOf(m)]
	switch {
	case !ok:
		return nil, fmt.Errorf("%w: profile %s", errNoStream, profileOf(m))
	case !sealed && srtp == srtpRequired:
		return nil, errPlain
	case !sealed:
		return nil, nil
	case srtp == "" || srtp == srtpOff:
		return nil, errSRTP
	}
	key, ok := best(sealKeys(m))
	if !ok {
		return nil, errKeys
	}
	return &key, nil
}

func profileOf(m *sdp.MediaDescription) string { return strings.Join(m.MediaName.Protos, "/") }

func streamAddress(session *sdp.SessionDescription, m *sdp.MediaDescription) (netip.AddrPort, error) {
	c := m.ConnectionInformation
	if c == nil {
		c = session.ConnectionInformation
	}
	if c == nil || c.Address == nil {
		return netip.AddrPort{}, fmt.Errorf("%w: no connection address", errBadSDP)
	}
	ip, err := netip.ParseAddr(c.Address.Address)
	if err != nil || ip.IsMulticast() || ip.Zone() != "" {
		return netip.AddrPort{}, errAddress // host names too: nothing is resolved for a caller
	}
	port := m.MediaName.Port.Value
	if port < 0 || port > 65535 {
		return netip.AddrPort{}, fmt.Errorf("%w: port %d", errBadSDP, port)
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(port)), nil
}

// controlAddress is where the party takes RTCP: what a=rtcp says (RFC 3605), if
// that is usable; zero for the port above.
func controlAddress(m *sdp.MediaDescription, remote netip.AddrPort) netip.AddrPort {
	value, _ := m.Attribute("rtcp")
	fields := strings.Fields(value)
	if len(fields) != 1 && len(fields) != 4 {
		return netip.AddrPort{}
	}
	port, err := strconv.ParseUint(fields[0], 10, 16)
	if err != nil || port == 0 {
		return netip.AddrPort{}
	}
	ip := remote.Addr()
	if len(fields) == 4 {
		if ip, err = netip.ParseAddr(fields[3]); err != nil || ip.IsMulticast() || ip.IsUnspecified() || ip.Zone() != "" {
			return netip.AddrPort{}
		}
	}
	return netip.AddrPortFrom(ip.Unmap(), uint16(port))
}

func hasFlag(m *sdp.MediaDescription, name string) bool {
	_, ok := m.Attribute(name)
	return ok
}

// firstLaw is the first format of the stream that is one of laws. Payload
// types 0 and 8 need no rtpmap; a law under a dynamic type is not taken, nor is
// something else under its type.
func firstLaw(m *sdp.MediaDescription, laws []media.Law) (media.Law, bool) {
	for _, f := range m.MediaName.Formats {
		n, err := strconv.ParseUint(f, 10, 7)
		if err == nil && slices.Contains(laws, media.Law(n)) && mapsTo(m, f, lawNames[media.Law(n)]) {
			return media.Law(n), true
		}
	}
	return 0, false
}

// mapsTo says whether the rtpmap of format, if there is one, is name at 8 kHz.
func mapsTo(m *sdp.MediaDescription, format, name string) bool {
	for _, a := range m.Attributes {
		pt, codec, ok := strings.Cut(a.Value, " ")
		if a.Key != "rtpmap" || !ok || pt != format {
			continue
		}
		codec = strings.TrimSuffix(strings.TrimSpace(codec), "/1")
		return strings.EqualFold(codec, name+"/8000")
	}
	return true
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

// sdpOrigin is our side of one session: the o= line's identity, and our keys.
type sdpOrigin struct {
	id      uint64
	version uint64
	addr    netip.AddrPort // what the peer is told
	seal    seal
}

// offered reads an offer of the peer within the session.
func (o *sdpOrigin) offered(body []byte, laws []media.Law) (described, error) {
	d, err := read(body, laws, o.seal.wanted())
	if err == nil {
		o.seal.renew(d.key)
	}
	return d, err
}

// answered reads the answer to our offer. We never offer a=rtcp-mux, so it
// means nothing there.
func (o *sdpOrigin) answered(body []byte, laws []media.Law) (described, error) {
	d, err := read(body, laws, o.seal.wanted())
	switch {
	case err != nil:
		return described{}, err
	case d.key != nil && !o.seal.answers(*d.key):
		return described{}, errKeys
	case d.mux:
		d.mux, d.stream.Control = false, controlAddress(d.lines[d.line], d.stream.Remote)
	}
	return d, nil
}

// sealed is the stream of d with the keys of both sides.
func (o *sdpOrigin) sealed(d described) media.Stream {
	d.stream.Crypto = o.seal.agreed(d.key)
	return d.stream
}

// offer is our own proposal, with SRTP where that was asked for (RFC 4568 §5.1.1).
func (o *sdpOrigin) offer(laws []media.Law) []byte {
	var b strings.Builder
	o.head(&b)
	o.audio(&b, audioLine{
		profile: "RTP/AVP", laws: laws, dtmf: dtmfOffered, direction: "sendrecv", crypto: o.seal.lines(),
	})
	return []byte(b.String())
}

// answer takes the stream that was chosen and turns the others down, in the
// order of the offer (RFC 3264 §6).
func (o *sdpOrigin) answer(d described) []byte {
	var b strings.Builder
	o.head(&b)
	for i, m := range d.lines {
		if i == d.line {
			o.audio(&b, audioLine{
				profile: profileOf(m), laws: []media.Law{d.stream.Law}, dtmf: d.stream.DTMF,
				direction: mirrored[d.direction], mid: midOf(m), mux: d.mux, crypto: o.seal.reply(d.key),
			})
			continue
		}
		fmt.Fprintf(&b, "m=%s 0 %s %s\r\n", m.MediaName.Media, profileOf(m), strings.Join(m.MediaName.Formats, " "))
	}
	return []byte(b.String())
}

func (o *sdpOrigin) head(b *strings.Builder) {
	family := "IP4"
	if o.addr.Addr().Is6() {
		family = "IP6"
	}
	ip := o.addr.Addr()
	fmt.Fprintf(b, "v=0\r\no=- %d %d IN %s %s\r\ns=-\r\nc=IN %s %s\r\nt=0 0\r\n", o.id, o.version, family, ip, family, ip)
}

var lawNames = map[media.Law]string{media.PCMU: "PCMU", media.PCMA: "PCMA"}

// audioLine is our stream of sound in an offer or answer.
type audioLine struct {
	profile   string
	laws      []media.Law
	dtmf      uint8 // payload type of telephone-event, 0 for none
	direction string
	mid       string
	mux       bool
	crypto    []string // whole a=crypto lines; with them a plain profile becomes SRTP's
}

func (o *sdpOrigin) audio(b *strings.Builder, l audioLine) {
	if len(l.crypto) > 0 {
		l.profile = strings.Replace(l.profile, "/AVP", "/SAVP", 1)
	}
	fmt.Fprintf(b, "m=audio %d %s", o.addr.Port(), l.profile)
	for _, law := range l.laws {
		fmt.Fprintf(b, " %d", law)
	}
	if l.dtmf != 0 {
		fmt.Fprintf(b, " %d", l.dtmf)
	}
	b.WriteString("\r\n")
	for _, law := range l.laws {
		fmt.Fprintf(b, "a=rtpmap:%d %s/8000\r\n", law, lawNames[law])
	}
	if l.dtmf != 0 {
		fmt.Fprintf(b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n", l.dtmf, l.dtmf)
	}
	b.WriteString(strings.Join(l.crypto, ""))
	if l.mux {
		b.WriteString("a=rtcp-mux\r\n")
	}
	if l.mid != "" {
		fmt.Fprintf(b, "a=mid:%s\r\n", l.mid)
	}
	fmt.Fprintf(b, "a=ptime:20\r\na=%s\r\n", l.direction)
}

func midOf(m *sdp.MediaDescription) string {
	mid, _ := m.Attribute("mid")
	return mid
}
