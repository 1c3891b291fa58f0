package webrtc

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"callbox/cti/media"

	"github.com/pion/sdp/v3"
)

const mostSDP = 32 << 10

// readOffer checks a page's offer before anything is made for it: one audio
// section that is sent and received, with our law. Its candidates are taken out:
// a lite agent learns where the page is from its checks, and names in an offer
// are not looked up.
func readOffer(text string, law media.Law) (string, error) {
	if len(text) > mostSDP {
		return "", fmt.Errorf("%d bytes are too many", len(text))
	}
	var d sdp.SessionDescription
	if err := d.UnmarshalString(text); err != nil {
		return "", fmt.Errorf("cannot be read: %w", err)
	}
	if len(d.MediaDescriptions) != 1 {
		return "", fmt.Errorf("has %d sections, want one of audio", len(d.MediaDescriptions))
	}
	m := d.MediaDescriptions[0]
	if m.MediaName.Media != "audio" {
		return "", fmt.Errorf("offers %q, want audio", m.MediaName.Media)
	}
	for _, way := range []string{"sendonly", "recvonly", "inactive"} {
		if _, has := m.Attribute(way); has {
			return "", fmt.Errorf("is %s: a phone sends and receives", way)
		}
	}
	if !offers(m, law) {
		return "", fmt.Errorf("does not offer %s", law)
	}
	if _, lite := d.Attribute("ice-lite"); lite {
		return "", errors.New("is of a lite agent, as the box is one")
	}
	m.Attributes = slices.DeleteFunc(m.Attributes, func(a sdp.Attribute) bool {
		return a.IsICECandidate() || a.Key == "end-of-candidates"
	})
	out, err := d.Marshal()
	return string(out), err
}

// offers says whether a section has a law, by its number or by name.
func offers(m *sdp.MediaDescription, law media.Law) bool {
	if slices.Contains(m.MediaName.Formats, fmt.Sprint(int(law))) {
		return true
	}
	return slices.ContainsFunc(m.Attributes, func(a sdp.Attribute) bool {
		_, name, _ := strings.Cut(a.Value, " ")
		return a.Key == "rtpmap" && strings.EqualFold(strings.TrimSuffix(name, "/1"), law.String()+"/8000")
	})
}
