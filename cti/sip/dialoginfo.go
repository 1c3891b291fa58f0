package sip

import (
	"cmp"
	"encoding/xml"
	"slices"

	"callbox/cti"
)

// watchLegs has the watchers of an extension told when one of its legs begins,
// rings, is answered or ends.
func (s *Server) watchLegs(l *leg) {
	if l.device.Scheme() == "sip" {
		s.subscriptions.changed(news{event: dialogPackage, extension: l.device.Address()})
	}
}

// of are the legs of a device, the oldest first.
func (ls *legs) of(d cti.Device) []*leg {
	ls.mu.Lock()
	defer ls.mu.Unlock()
	var found []*leg
	for l := range ls.all {
		if l.device == d {
			found = append(found, l)
		}
	}
	slices.SortFunc(found, func(a, b *leg) int { return cmp.Compare(a.id, b.id) }) // UUIDv7
	return found
}

// lamp is one call of an extension as its watchers see it.
type lamp struct {
	id     string
	state  string // RFC 4235 §4.1.3: trying, early, confirmed, terminated
	calls  bool   // the extension calls; else it is called
	remote cti.Number
}

// lamp shows l as a call of its extension.
func (l *leg) lamp() lamp {
	shows := lamp{id: l.id, state: "trying", remote: l.origin.From}
	if l.origin.To.Raw != l.device.Address() {
		shows.calls, shows.remote = true, l.origin.To
	}
	l.mu.Lock()
	state := l.state
	l.mu.Unlock()
	switch state {
	case talking:
		shows.state = "confirmed"
	case over:
		shows.state = "terminated"
	case ringing:
		select {
		case <-l.alerting:
			shows.state = "early"
		default:
		}
	}
	return shows
}

// lamps are the calls of the watched extension, with those that ended since the
// subscriber was last told.
func (s *Server) lamps(sub *subscription) []lamp {
	var now []lamp
	for _, l := range s.legs.of(cti.Device("sip:" + sub.extension)) {
		now = append(now, l.lamp())
	}
	var ended []lamp
	for _, old := range sub.told {
		if old.state != "terminated" && !slices.ContainsFunc(now, func(n lamp) bool { return n.id == old.id }) {
			old.state = "terminated"
			ended = append(ended, old)
		}
	}
	sub.told = append(ended, now...)
	return sub.told
}

// The document of RFC 4235 §4.
type (
	dialogDocument struct {
		XMLName xml.Name     `xml:"urn:ietf:params:xml:ns:dialog-info dialog-info"`
		Version int          `xml:"version,attr"`
		State   string       `xml:"state,attr"`
		Entity  string       `xml:"entity,attr"`
		Dialogs []dialogElem `xml:"dialog"`
	}
	dialogElem struct {
		ID        string    `xml:"id,attr"`
		Direction string    `xml:"direction,attr"`
		State     string    `xml:"state"`
		Local     partyElem `xml:"local"`
		Remote    partyElem `xml:"remote"`
	}
	partyElem struct {
		Identity identityElem `xml:"identity"`
		Target   targetElem   `xml:"target"`
	}
	identityElem struct {
		Display string `xml:"display,attr,omitempty"`
		URI     string `xml:",chardata"`
	}
	targetElem struct {
		URI string `xml:"uri,attr"`
	}
)

// dialogInfo is what the watched extension does, whole (RFC 4235 §3.9).
func (s *Server) dialogInfo(sub *subscription) []byte {
	self := s.extensionURI(sub, sub.extension)
	doc := dialogDocument{Version: sub.version, State: "full", Entity: self}
	sub.version++
	for _, l := range s.lamps(sub) {
		e := dialogElem{ID: l.id, State: l.state, Direction: "recipient", Local: party(self, ""), Remote: s.partyOf(sub, l.remote)}
		if l.calls {
			e.Direction = "initiator"
		}
		doc.Dialogs = append(doc.Dialogs, e)
	}
	body, err := xml.Marshal(doc)
	if err != nil { // strings always marshal
		s.log.Error("dialog-info not made", "err", err)
	}
	return append([]byte(xml.Header), body...)
}

func (s *Server) partyOf(sub *subscription, n cti.Number) partyElem {
	return party(s.extensionURI(sub, shown(cmp.Or(n.Raw, n.E164, "anonymous"))), shown(n.Name))
}

func party(uri, name string) partyElem {
	return partyElem{Identity: identityElem{Display: name, URI: uri}, Target: targetElem{URI: uri}}
}
