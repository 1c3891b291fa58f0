package ctitest

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"callbox/cti/media"
)

var errNoSound = errors.New("ctitest: no usable audio in the SDP")

// agreement is what a peer's SDP means to us.
type agreement struct {
	law    media.Law
	events uint8          // payload type of telephone-event, 0 for none
	remote netip.AddrPort // where the peer hears
	way    string         // the peer's direction: sendrecv, sendonly, recvonly, inactive
	sealed bool           // RTP/SAVP
	crypto *cryptoLine    // the peer's key; nil for RTP in the clear
}

// opposite is our direction for the peer's (RFC 3264 §6.1).
func opposite(way string) string {
	switch way {
	case "sendonly":
		return "recvonly"
	case "recvonly":
		return "sendonly"
	}
	return way
}

// offer is our SDP with every law.
func (s *sound) offer(way string) string {
	s.mu.Lock()
	lines := s.seal.lines(nil)
	s.mu.Unlock()
	return s.describe(s.laws, eventType, way, lines)
}

// answerTo is our SDP with the first law of offer that we take.
func (s *sound) answerTo(offer string) string {
	a, err := s.agree(offer)
	if err != nil {
		return s.describe(s.laws[:1], eventType, "sendrecv", "")
	}
	lines := ""
	if a.crypto != nil {
		s.mu.Lock()
		lines = s.seal.lines(a.crypto)
		s.mu.Unlock()
	}
	return s.describe([]media.Law{a.law}, a.events, opposite(a.way), lines)
}

// describe is our SDP; with crypto lines its sound is sealed.
func (s *sound) describe(laws []media.Law, events uint8, way, crypto string) string {
	s.mu.Lock()
	s.version++
	version := s.version
	s.mu.Unlock()
	at := s.RTP()
	profile := "RTP/AVP"
	if crypto != "" {
		profile = "RTP/SAVP"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "v=0\r\no=phone 1 %d IN IP4 %s\r\ns=-\r\nc=IN IP4 %s\r\nt=0 0\r\nm=audio %d %s",
		version, at.Addr(), at.Addr(), at.Port(), profile)
	for _, l := range laws {
		fmt.Fprintf(&b, " %d", l)
	}
	if events != 0 {
		fmt.Fprintf(&b, " %d", events)
	}
	b.WriteString("\r\n")
	for _, l := range laws {
		fmt.Fprintf(&b, "a=rtpmap:%d %s/8000\r\n", l, l)
	}
	if events != 0 {
		fmt.Fprintf(&b, "a=rtpmap:%d telephone-event/8000\r\na=fmtp:%d 0-15\r\n", events, events)
	}
	fmt.Fprintf(&b, "%sa=ptime:20\r\na=%s\r\n", crypto, way)
	return b.String()
}

// agree reads the peer's SDP.
func (s *sound) agree(text string) (agreement, error) {
	a := agreement{way: "sendrecv"}
	var host string
	var port int
	var formats []string
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		fields := strings.Fields(line)
		switch {
		case strings.HasPrefix(line, "c=") && len(fields) == 3:
			host = fields[2]
		case strings.HasPrefix(line, "m=audio ") && len(fields) > 3 && formats == nil:
			port, _ = strconv.Atoi(fields[1])
			a.sealed, formats = strings.HasPrefix(fields[2], "RTP/SAVP"), fields[3:]
		case strings.HasPrefix(line, "a=crypto:") && a.sealed && a.crypto == nil:
			if c, ok := s.seal.parseCrypto(line); ok {
				a.crypto = &c
			}
		case strings.HasPrefix(line, "a=rtpmap:") && strings.Contains(strings.ToLower(line), "telephone-event/8000"):
			n, _ := strconv.ParseUint(strings.TrimPrefix(fields[0], "a=rtpmap:"), 10, 7)
			a.events = uint8(n)
		case slices.Contains([]string{"a=sendrecv", "a=sendonly", "a=recvonly", "a=inactive"}, line):
			a.way = line[2:]
		}
	}
	ip, err := netip.ParseAddr(host)
	if err != nil || port <= 0 || port > 65535 {
		return a, errNoSound
	}
	if a.sealed && a.crypto == nil {
		return a, errSealed
	}
	a.remote = netip.AddrPortFrom(ip, uint16(port))
	for _, f := range formats {
		n, err := strconv.ParseUint(f, 10, 7)
		if err == nil && slices.Contains(s.laws, media.Law(n)) {
			a.law = media.Law(n)
			return a, nil
		}
	}
	return a, errNoSound
}
