package sip

import (
	"errors"
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	leastExpires = time.Minute
	leastHealth  = time.Second
	leastTimer   = 90 * time.Second // RFC 4028 §5
)

var (
	servedPrefix = regexp.MustCompile(`^\+?[0-9*#]{0,31}$`)
	dialPrefix   = regexp.MustCompile(`^[0-9*#+]{0,16}$`)
	callerBlock  = regexp.MustCompile(`^\+?[0-9]{1,31}\*?$`)
)

// Validate gives every fault of the section, each beginning with its key, as
// one joined error.
func (c Config) Validate() error {
	var faults faultList
	for i, l := range c.Listen {
		_, err := parseListen(l)
		faults.add(err, "listen[%d]", i)
	}
	c.TLS.validate(&faults, c.listens("tls"))
	faults.add(checkSRTP(c.SRTP), "srtp")
	faults.add(checkExternal(c.ExternalIP), "external_ip")
	_, _, err := c.PortRange()
	faults.add(err, "rtp_ports")
	faults.add(notNegative(c.MaxContacts), "max_contacts")
	faults.add(notBelow(c.SessionTimer, leastTimer), "session_timer")
	faults.add(notNegative(c.Limits.CallsPerSecond), "limits.calls_per_second")
	faults.add(notNegative(c.Limits.Calls), "limits.calls")
	c.validateTrunks(&faults)
	return errors.Join(faults...)
}

func (c Config) validateTrunks(faults *faultList) {
	seen := map[string]bool{}
	for i, t := range c.Trunks {
		at := fmt.Sprintf("trunks[%d]", i)
		t.validate(faults, at)
		if seen[t.Name] {
			faults.add(fmt.Errorf("%q is there twice", t.Name), "%s.name", at)
		}
		seen[t.Name] = true
		if _, known := services[t.transport()]; known && t.Address != "" && len(c.Listen) > 0 && !c.listens(t.transport()) {
			faults.add(fmt.Errorf("%s needs a listener %s://", t.transport(), t.transport()), "%s.transport", at)
		}
	}
}

type faultList []error

func (f *faultList) add(err error, key string, args ...any) {
	if err != nil {
		*f = append(*f, fmt.Errorf("%s: %w", fmt.Sprintf(key, args...), err))
	}
}

func (t Trunk) validate(faults *faultList, at string) {
	if !trunkName.MatchString(t.Name) {
		faults.add(fmt.Errorf("%q is no name (letters, digits, _ . -)", t.Name), "%s.name", at)
	}
	for i, n := range t.From {
		_, err := parseNetwork(n)
		faults.add(err, "%s.from[%d]", at, i)
	}
	if t.Address == "" && len(t.From) == 0 {
		faults.add(errors.New("a trunk needs an address, or from, or both"), "%s", at)
	}
	t.validateWay(faults, at)
	t.validateLogin(faults, at)
	t.validateNumbers(faults, at)
	t.validateTerms(faults, at)
}

func (t Trunk) validateWay(faults *faultList, at string) {
	if t.Address != "" {
		_, _, err := splitAddress(t.Address)
		faults.add(err, "%s.address", at)
	}
	if t.Proxy != "" {
		_, _, err := splitAddress(t.Proxy)
		faults.add(err, "%s.proxy", at)
		if t.Address == "" {
			faults.add(errors.New("a proxy leads to an address, and there is none"), "%s.proxy", at)
		}
	}
	faults.add(oneOf(strings.ToLower(t.Transport), "udp", "tcp", "tls"), "%s.transport", at)
	faults.add(notBelow(t.Health, leastHealth), "%s.health", at)
}

func (t Trunk) validateLogin(faults *faultList, at string) {
	for _, of := range [][2]string{{"username", t.Username}, {"password", t.Password}, {"realm", t.Realm}} {
		if key, text := of[0], of[1]; !plain(text) {
			faults.add(errors.New("may not hold control characters"), "%s.%s", at, key)
		}
	}
	if t.Expires != 0 && (t.Expires < leastExpires || t.Expires > longestExpires) {
		faults.add(fmt.Errorf("%v is not from %v to %v", t.Expires, leastExpires, longestExpires), "%s.expires", at)
	}
	if t.Register && (t.Address == "" || t.Username == "" || t.Password == "") {
		faults.add(errors.New("needs address, username and password"), "%s.register", at)
	}
}

func (t Trunk) validateNumbers(faults *faultList, at string) {
	if t.CallerID != "" && !dialable.MatchString(t.CallerID) {
		faults.add(fmt.Errorf("%q is no number", t.CallerID), "%s.caller_id", at)
	}
	for i, n := range t.CallerIDs {
		if !callerBlock.MatchString(n) {
			faults.add(fmt.Errorf("%q is neither a number nor the beginning of some with * behind", n), "%s.caller_ids[%d]", at, i)
		}
	}
	if len(t.CallerIDs) > 0 && t.CallerID == "" {
		faults.add(errors.New("needs caller_id, for the calls whose number is none of them"), "%s.caller_ids", at)
	}
	for i, n := range t.Numbers {
		if n == "" || !servedPrefix.MatchString(strings.TrimSuffix(n, "*")) {
			faults.add(fmt.Errorf("%q is no beginning of numbers", n), "%s.numbers[%d]", at, i)
		}
	}
	if !dialPrefix.MatchString(t.Prefix) {
		faults.add(fmt.Errorf("%q cannot be dialled", t.Prefix), "%s.prefix", at)
	}
	faults.add(oneOf(t.NumberFormat, formatE164, formatNational, formatPlain), "%s.number_format", at)
	faults.add(oneOf(t.Identity, identityFrom, identityPAI, identityBoth), "%s.identity", at)
}

func (t Trunk) validateTerms(faults *faultList, at string) {
	faults.add(notNegative(t.MaxCalls), "%s.max_calls", at)
	_, err := t.laws()
	faults.add(err, "%s.codecs", at)
	faults.add(checkSRTP(t.SRTP), "%s.srtp", at)
	faults.add(oneOf(t.DTMF, "auto", "rfc4733", "info", "inband"), "%s.dtmf", at)
	faults.add(oneOf(t.PRACK, "on", "required", "off"), "%s.prack", at)
}

// transport is how the trunk is reached: udp, tcp or tls.
func (t Trunk) transport() string {
	if t.Transport == "" {
		return "udp"
	}
	return strings.ToLower(t.Transport)
}

// oneOf accepts an empty value, which is the usual one.
func oneOf(value string, known ...string) error {
	if value == "" || slices.Contains(known, value) {
		return nil
	}
	return fmt.Errorf("%q is none of %s", value, strings.Join(known, ", "))
}

func notNegative(n int) error {
	if n < 0 {
		return fmt.Errorf("%d is less than 0", n)
	}
	return nil
}

// notBelow accepts 0, which is the usual time, and negative ones, which turn
// the thing off.
func notBelow(d, least time.Duration) error {
	if d > 0 && d < least {
		return fmt.Errorf("%v is less than %v", d, least)
	}
	return nil
}

func checkExternal(ip string) error {
	if ip == "" {
		return nil
	}
	if _, err := netip.ParseAddr(ip); err != nil {
		return fmt.Errorf("%q is no IP address", ip)
	}
	return nil
}
