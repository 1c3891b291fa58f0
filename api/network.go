package api

import (
	"context"
	"net/netip"

	"callbox/cti"
)

// Trunk is a carrier as it stands.
type Trunk struct {
	Name       string   `json:"name"`
	State      string   `json:"state" enum:"inService,outOfService"`
	Since      cti.Time `json:"since"`
	Why        string   `json:"why"` // it is out of service, or not registered
	Registered bool     `json:"registered"`
	Calls      int      `json:"calls"` // at the moment
}

// Ban is an address that is not heard for a while.
type Ban struct {
	Address string   `json:"address"` // or a network of IPv6
	Since   cti.Time `json:"since"`
	Until   cti.Time `json:"until"`
	Why     string   `json:"why"`
	Unheard uint64   `json:"unheard"` // messages since it began
}

// listTrunks gives the trunks in their order.
func (a *API) listTrunks(context.Context, *struct{}) (*rows[Trunk], error) {
	if a.deps.Network == nil {
		return pageOf[Trunk](nil, ""), nil
	}
	return pageOf(a.deps.Network.Trunks(), ""), nil
}

// listBans gives the addresses that are banned now.
func (a *API) listBans(context.Context, *struct{}) (*rows[Ban], error) {
	if a.deps.Network == nil {
		return pageOf[Ban](nil, ""), nil
	}
	return pageOf(a.deps.Network.Bans(), ""), nil
}

type byAddress struct {
	Address string `path:"address" maxLength:"64"`
}

// deleteBan hears an address again.
func (a *API) deleteBan(ctx context.Context, in *byAddress) (*struct{}, error) {
	address, err := netip.ParseAddr(in.Address)
	if err != nil {
		return nil, unprocessable(at("path.address", "is no IP address", in.Address))
	}
	if a.deps.Network == nil || !a.deps.Network.Unban(address) {
		return nil, notFound("ban")
	}
	return nil, a.noted(ctx, "ban.lift", address.String(), "")
}
