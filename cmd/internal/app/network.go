package app

import (
	"callbox/api"
	"callbox/cti"
	"callbox/cti/sip"
	"callbox/internal/stamp"
)

var _ api.Network = network{}

// network is the SIP side as the API shows it.
type network struct{ *sip.Server }

// Trunks gives them in their order.
func (n network) Trunks() []api.Trunk {
	states := n.Server.Trunks()
	shown := make([]api.Trunk, len(states))
	for i, s := range states {
		shown[i] = api.Trunk{
			Name: s.Name, State: cti.OutOfService, Since: stamp.At(s.Since), Why: s.Why, Registered: s.Registered, Calls: s.Calls,
		}
		if s.Up {
			shown[i].State = cti.InService
		}
	}
	return shown
}

// Bans gives the addresses that are not heard now.
func (n network) Bans() []api.Ban {
	bans := n.Banned()
	shown := make([]api.Ban, len(bans))
	for i, b := range bans {
		shown[i] = api.Ban{Address: b.Address, Since: stamp.At(b.Since), Until: stamp.At(b.Until), Why: b.Why, Unheard: b.Unheard}
	}
	return shown
}
