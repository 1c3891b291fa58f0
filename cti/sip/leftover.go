package sip

import (
	"fmt"
	"net/netip"
)

// byeRow ends a dialog of a run that did not end by itself.
func (s *Server) byeRow(row DialogRow) {
	d, err := s.revive(row)
	if err != nil {
		s.log.Error("no BYE to a kept dialog", "dialog", row.ID, "err", err)
		s.deps.Dialogs.Closed(row.ID)
		return
	}
	s.bye(d, nil)
}

func (s *Server) revive(row DialogRow) (*dialog, error) {
	to, err := netip.ParseAddrPort(row.To)
	if err != nil {
		return nil, fmt.Errorf("kept address: %w", err)
	}
	for _, ep := range s.endpoints {
		if ep.transport == row.Transport && ep.addr.String() == row.From {
			return revived(row, ep)
		}
	}
	ep, err := s.endpointFor(row.Transport, to)
	if err != nil {
		return nil, err
	}
	return revived(row, ep)
}
