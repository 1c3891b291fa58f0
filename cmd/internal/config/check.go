package config

import (
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

const notYet = "not yet supported"

// check adds a fault for every value that cannot be worked with.
func (b *Box) check(d *document) {
	if b.Data == "" {
		d.reject("data", "is empty")
	}
	zone, err := time.LoadLocation(b.Timezone)
	if err != nil {
		d.reject("timezone", "%q is no time zone", b.Timezone)
		zone = time.UTC
	}
	b.location = zone
	if !digits(b.AreaCode) || len(b.AreaCode) > 4 {
		d.reject("area_code", "%q is no area code such as 0571", b.AreaCode)
	}
	b.HTTP.check(d)
	b.SIP.check(d)
	if len(b.Voicebox) > 0 {
		d.reject("voicebox", notYet)
	}
	if len(b.DatabaseDoor) > 0 {
		d.reject("database_door", notYet)
	}
	b.checkAccounts(d)
	if b.Lookup.URL != "" {
		d.checkURL("lookup.url", b.Lookup.URL)
	}
	for i, w := range b.Webhooks {
		w.check(d, fmt.Sprintf("webhooks[%d]", i))
	}
}

func digits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

func (d *document) checkURL(path, text string) {
	u, err := url.Parse(text)
	if err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
		d.reject(path, "%q is no http or https URL", text)
	}
}

func (d *document) checkAddress(path, text string) {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		d.reject(path, "%q is no host:port", text)
		return
	}
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n > 65535 {
		d.reject(path, "%q has no port from 0 to 65535", text)
	}
	if strings.ContainsAny(host, " /\t") {
		d.reject(path, "%q is no host", host)
	}
}

func (h HTTP) check(d *document) {
	d.checkAddress("http.listen", h.Listen)
	if h.PublicURL != "" {
		d.checkURL("http.public_url", h.PublicURL)
	}
	if h.TLS != (TLS{}) {
		d.reject("http.tls", notYet)
	}
}

func (s SIP) check(d *document) {
	for i, address := range s.Listen {
		d.checkListener(fmt.Sprintf("sip.listen[%d]", i), address)
	}
	if _, _, err := s.PortRange(); err != nil {
		d.reject("sip.rtp_ports", "%v", err)
	}
	if s.ExternalIP != "" {
		if _, err := netip.ParseAddr(s.ExternalIP); err != nil {
			d.reject("sip.external_ip", "%q is no IP address", s.ExternalIP)
		}
	}
	names := map[string]bool{}
	for i, t := range s.Trunks {
		path := fmt.Sprintf("sip.trunks[%d]", i)
		if names[t.Name] {
			d.reject(path+".name", "%q is taken by another trunk", t.Name)
		}
		names[t.Name] = true
		t.check(d, path)
	}
}

func (d *document) checkListener(path, address string) {
	scheme, rest, _ := strings.Cut(address, "://")
	switch scheme {
	case "udp", "tcp":
	case "tls":
		d.reject(path, "tls is "+notYet)
		return
	default:
		d.reject(path, "%q does not begin with udp://, tcp:// or tls://", address)
		return
	}
	d.checkAddress(path, rest)
	if host, _, err := net.SplitHostPort(rest); err == nil {
		if ip, err := netip.ParseAddr(host); err != nil || ip.IsUnspecified() {
			d.reject(path, "wants the concrete IP address of this machine, not %q", host)
		}
	}
}

// PortRange is rtp_ports as its first and last port.
func (s SIP) PortRange() (first, last uint16, err error) {
	low, high, ok := strings.Cut(s.RTPPorts, "-")
	a, errA := strconv.ParseUint(strings.TrimSpace(low), 10, 16)
	z, errZ := strconv.ParseUint(strings.TrimSpace(high), 10, 16)
	if !ok || errA != nil || errZ != nil || a < 1024 || z < a+3 {
		return 0, 0, fmt.Errorf("%q is no range of at least 4 ports above 1023, such as 20000-29999", s.RTPPorts)
	}
	return uint16(a), uint16(z), nil
}

var codecs = []string{"PCMA", "PCMU", "G722"}

func (t Trunk) check(d *document, path string) {
	if t.Name == "" {
		d.reject(path+".name", "is missing")
	}
	if t.Address != "" {
		d.checkAddress(path+".address", withPort(t.Address))
	}
	if t.Register {
		d.reject(path+".register", notYet)
	}
	if t.MaxCalls < 0 {
		d.reject(path+".max_calls", "%d is below 0", t.MaxCalls)
	}
	g711 := len(t.Codecs) == 0
	for i, c := range t.Codecs {
		if !slices.Contains(codecs, c) {
			d.reject(fmt.Sprintf("%s.codecs[%d]", path, i), "%q is none of PCMA, PCMU, G722", c)
		}
		g711 = g711 || c == "PCMA" || c == "PCMU"
	}
	if !g711 {
		d.reject(path+".codecs", "a trunk without PCMA and PCMU is "+notYet)
	}
}

func withPort(address string) string {
	if _, _, err := net.SplitHostPort(address); err != nil {
		return net.JoinHostPort(address, "5060")
	}
	return address
}

func (b *Box) checkAccounts(d *document) {
	names := map[string]bool{}
	for i, a := range b.SMS.Accounts {
		path := fmt.Sprintf("sms.accounts[%d]", i)
		if names[a.Name] {
			d.reject(path+".name", "%q is taken by another account", a.Name)
		}
		names[a.Name] = true
		a.check(d, path)
	}
}

func (a Account) check(d *document, path string) {
	if a.Name == "" {
		d.reject(path+".name", "is missing")
	}
	d.checkAddress(path+".address", a.Address)
	switch a.Protocol {
	case "cmpp3":
	case "cmpp2":
		d.reject(path+".protocol", "cmpp2 is "+notYet)
	default:
		d.reject(path+".protocol", "%q is neither cmpp3 nor cmpp2", a.Protocol)
	}
	if len(a.SPID) == 0 || len(a.SPID) > 6 {
		d.reject(path+".sp_id", "wants 1 to 6 characters")
	}
	if len(a.SrcID)+a.Extension.Digits > 20 {
		d.reject(path+".src_id", "is longer than 20 digits with its extension")
	}
	if a.Extension.Digits < 0 || a.Extension.Digits > 8 {
		d.reject(path+".extension.digits", "is not from 0 to 8")
	}
	a.checkLimits(d, path)
}

func (a Account) checkLimits(d *document, path string) {
	oneOf := func(key, value string, allowed ...string) {
		if !slices.Contains(allowed, value) {
			d.reject(path+"."+key, "%q is none of %s", value, strings.Join(allowed, ", "))
		}
	}
	oneOf("signature_by", a.SignatureBy, "us", "gateway")
	oneOf("on_unknown", a.OnUnknown, "resend", "hold", "drop")
	within := func(key string, value, low, high int) {
		if value < low || value > high {
			d.reject(path+"."+key, "%d is not from %d to %d", value, low, high)
		}
	}
	within("window", a.Window, 1, 1024)
	within("rate", a.Rate, 1, 100000)
	within("connections", a.Connections, 1, 32)
	if a.BindAddress != "" {
		if _, err := netip.ParseAddr(a.BindAddress); err != nil {
			d.reject(path+".bind_address", "%q is no IP address", a.BindAddress)
		}
	}
}

func (w Webhook) check(d *document, path string) {
	d.checkURL(path+".url", w.URL)
	if w.Format != "" {
		d.reject(path+".format", "%q is "+notYet, w.Format)
	}
	for i, glob := range w.Events {
		if glob == "" || strings.Trim(glob, "abcdefghijklmnopqrstuvwxyz.*_") != "" {
			d.reject(fmt.Sprintf("%s.events[%d]", path, i), "%q is no event such as call.new or sms.*", glob)
		}
	}
}
