package sip

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbox/cti/media"
)

// Config is the section sip of callbox.yaml.
type Config struct {
	Listen       []string      `yaml:"listen"`        // udp://HOST:PORT, tcp://HOST:PORT, tls://HOST:PORT; port 0 is allowed
	ExternalIP   string        `yaml:"external_ip"`   // what peers with public addresses are told, behind NAT
	RTPPorts     string        `yaml:"rtp_ports"`     // FIRST-LAST; 20000-29999 when empty
	MaxContacts  int           `yaml:"max_contacts"`  // phones an extension may register; 2 when 0
	TLS          TLS           `yaml:"tls"`           // for tls:// listeners and TLS trunks
	SRTP         string        `yaml:"srtp"`          // phones' sound: off, on (where they offer it, offered to phones registered by TLS), required; off when empty
	SessionTimer time.Duration `yaml:"session_timer"` // RFC 4028, of calls with trunks and phones; 30 min when 0, off when negative
	Keepalive    time.Duration `yaml:"keepalive"`     // OPTIONS to phones behind NAT; 25 s when 0, off when negative
	Limits       Limits        `yaml:"limits"`
	Trunks       []Trunk       `yaml:"trunks"`

	timers timers
	names  resolver
}

// TLS is what our tls:// listeners show and whom TLS trunks are believed.
type TLS struct {
	CertFile   string `yaml:"cert_file"` // PEM; both files, or self_signed
	KeyFile    string `yaml:"key_file"`
	SelfSigned bool   `yaml:"self_signed"` // a certificate made at each start, for phones that do not check
	CAFile     string `yaml:"ca_file"`     // who signs the trunks' certificates; the system's authorities when empty
	Insecure   bool   `yaml:"insecure"`    // trunks' certificates are not checked
}

// Limits guard the box against floods; zero values are the defaults.
type Limits struct {
	CallsPerSecond int `yaml:"calls_per_second"` // INVITEs taken from all trunks and phones; more get 503 with Retry-After; 300
	Calls          int `yaml:"calls"`            // at a time, legs of both directions; 4000
}

// Trunk is one carrier.
type Trunk struct {
	Name         string        `yaml:"name"`
	Address      string        `yaml:"address"`       // where outbound calls go: HOST or HOST:PORT
	Proxy        string        `yaml:"proxy"`         // outbound proxy, HOST or HOST:PORT: all requests go there first, with a Route
	Transport    string        `yaml:"transport"`     // udp, tcp or tls; udp when empty
	From         []string      `yaml:"from"`          // networks whose INVITEs belong to this trunk
	Register     bool          `yaml:"register"`      // keeps a registration at Address
	Username     string        `yaml:"username"`      // answers a challenge of this trunk
	Password     string        `yaml:"password"`      //
	Realm        string        `yaml:"realm"`         // the only realm that is answered; empty: any that is no other trunk's
	Expires      time.Duration `yaml:"expires"`       // asked for in a registration; 5 min when 0
	Numbers      []string      `yaml:"numbers"`       // which destinations go out here, by prefix in E.164 or as dialled; all when empty
	MaxCalls     int           `yaml:"max_calls"`     // both directions; 0: no limit
	Codecs       []string      `yaml:"codecs"`        // PCMA, PCMU, G722; in the order they are offered
	CallerID     string        `yaml:"caller_id"`     // shown when a call brings no number of its own
	CallerIDs    []string      `yaml:"caller_ids"`    // numbers that may be shown besides, with * at the end for a block; any other becomes caller_id
	Identity     string        `yaml:"identity"`      // where the number stands: from, pai (From has the username), both; from when empty
	NumberFormat string        `yaml:"number_format"` // of dialled numbers: e164 (+86…), national (0571…, mobiles as they are), plain (86…); e164 when empty
	Prefix       string        `yaml:"prefix"`        // put before a dialled number
	Health       time.Duration `yaml:"health"`        // between two OPTIONS; 10 s when 0, off when negative
	SRTP         string        `yaml:"srtp"`          // off, on (offered, and once more without where it is refused), required; off when empty
	DTMF         string        `yaml:"dtmf"`          // auto (RFC 4733, tones where the peer takes none), rfc4733, info, inband
	PRACK        string        `yaml:"prack"`         // on (where the peer supports it), required, off; on when empty
}

const (
	defaultPorts    = "20000-29999"
	defaultContacts = 2
)

var (
	errNotYet = errors.New("not yet supported")
	trunkName = regexp.MustCompile(`^[A-Za-z0-9_.-]{1,64}$`)
)

// laws are the codecs of the trunk that are served, in order.
func (t Trunk) laws() ([]media.Law, error) {
	if len(t.Codecs) == 0 {
		return []media.Law{media.PCMA, media.PCMU}, nil
	}
	var laws []media.Law
	for _, name := range t.Codecs {
		switch strings.ToUpper(name) {
		case "PCMA":
			laws = append(laws, media.PCMA)
		case "PCMU":
			laws = append(laws, media.PCMU)
		case "G722":
		default:
			return nil, fmt.Errorf("%q is none of PCMA, PCMU, G722", name)
		}
	}
	if len(laws) == 0 {
		return nil, fmt.Errorf("G722 alone is %w", errNotYet)
	}
	return slices.Compact(laws), nil
}

// PortRange is the first and the last UDP port for RTP.
func (c Config) PortRange() (first, last uint16, err error) {
	text := c.RTPPorts
	if text == "" {
		text = defaultPorts
	}
	a, b, ok := strings.Cut(text, "-")
	lo, err1 := strconv.ParseUint(strings.TrimSpace(a), 10, 16)
	hi, err2 := strconv.ParseUint(strings.TrimSpace(b), 10, 16)
	if !ok || err1 != nil || err2 != nil || lo < 1 || lo >= hi {
		return 0, 0, fmt.Errorf("%q is no range of ports (20000-29999)", text)
	}
	return uint16(lo), uint16(hi), nil
}

// parseNetwork reads a CIDR network or a single address.
func parseNetwork(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(addr.Unmap(), addr.Unmap().BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return netip.Prefix{}, fmt.Errorf("%q is no network (like 192.0.2.0/24)", text)
	}
	return p.Masked(), nil
}

// splitAddress reads HOST or HOST:PORT; port 0 means that none was given.
func splitAddress(text string) (host string, port uint16, err error) {
	if strings.Contains(text, "://") {
		return "", 0, fmt.Errorf("%q is not like HOST or HOST:PORT (how to get there says transport)", text)
	}
	host, rest, err := net.SplitHostPort(text)
	if err != nil {
		host, rest = strings.Trim(text, "[]"), "0"
	}
	n, err := strconv.ParseUint(rest, 10, 16)
	if err != nil || !hostName.MatchString(host) {
		return "", 0, fmt.Errorf("%q is not like HOST or HOST:PORT", text)
	}
	return host, uint16(n), nil
}

var hostName = regexp.MustCompile(`^[A-Za-z0-9.:_-]{1,255}$`)
