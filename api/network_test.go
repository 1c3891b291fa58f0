package api

import (
	"net/netip"
	"strings"
	"testing"
)

// carriers is a SIP side with a trunk that is down and one ban.
type carriers struct{ banned bool }

func (c *carriers) Trunks() []Trunk {
	return []Trunk{{Name: "carrier", State: "outOfService", Why: "no answer", Calls: 2}}
}

func (c *carriers) Bans() []Ban {
	if !c.banned {
		return nil
	}
	return []Ban{{Address: "192.0.2.1", Why: "wrong passwords"}}
}

func (c *carriers) Unban(a netip.Addr) bool {
	was := c.banned && a.String() == "192.0.2.1"
	c.banned = c.banned && !was
	return was
}

func TestTrunksAndBans(t *testing.T) {
	w := newWorld(t, func(_ *Config, d *Deps) { d.Network = &carriers{banned: true} })
	boss, agent := w.login("supervisor"), w.login("1001")
	for _, tt := range []struct {
		from         *browser
		method, path string
		status       int
		words        string
	}{
		{boss, "GET", "/api/v1/trunks", 200, `"name":"carrier","state":"outOfService"`},
		{agent, "GET", "/api/v1/trunks", 403, ""},
		{boss, "GET", "/api/v1/bans", 200, `"address":"192.0.2.1"`},
		{agent, "DELETE", "/api/v1/bans/192.0.2.1", 403, ""},
		{boss, "DELETE", "/api/v1/bans/nowhere", 422, "address"},
		{boss, "DELETE", "/api/v1/bans/192.0.2.2", 404, ""},
		{boss, "DELETE", "/api/v1/bans/192.0.2.1", 204, ""},
		{boss, "GET", "/api/v1/bans", 200, `{"items":[],"next":""}`},
	} {
		status, body := tt.from.do(tt.method, tt.path, nil)
		if status != tt.status || !strings.Contains(body, tt.words) {
			t.Errorf("%s %s = %d %s, want %d %s", tt.method, tt.path, status, body, tt.status, tt.words)
		}
	}
	if n := len(w.audit); n != 1 || !strings.Contains(w.audit[0], "ban.lift 192.0.2.1") {
		t.Errorf("audit = %v", w.audit)
	}
}
