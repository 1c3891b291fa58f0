package sip

import "time"

// TrunkState is how a trunk is.
type TrunkState struct {
	Name       string
	Up         bool // calls can be sent there
	Since      time.Time
	Why        string // it is down
	Registered bool
	Calls      int // at the moment
}

// Trunks are the trunks in their order.
func (s *Server) Trunks() []TrunkState {
	all := make([]TrunkState, len(s.trunks))
	for i, t := range s.trunks {
		all[i] = TrunkState{Name: t.Name, Up: true, Calls: int(t.active.Load())}
	}
	return all
}
