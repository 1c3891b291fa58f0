package config

import (
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbox/storage"
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
	d.rejectAll("sip", b.SIP.Validate())
	d.rejectAll("calls", b.Calls.validate())
	d.rejectAll("webrtc", b.Pages().Validate())
	b.checkVoicebox(d)
	b.checkDoors(d)
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

// rejectAll adds the faults that a part found in its own section: each begins
// with its key below path.
func (d *document) rejectAll(path string, err error) {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, one := range joined.Unwrap() {
			d.rejectAll(path, one)
		}
		return
	}
	if err == nil {
		return
	}
	words := err.Error()
	if strings.HasPrefix(words, "account ") { // sms names the account first
		_, words, _ = strings.Cut(words, ": ")
	}
	key, text, ok := strings.Cut(words, ": ")
	if !ok || strings.ContainsAny(key, ` "`) {
		d.reject(path, "%v", err)
		return
	}
	d.reject(join(path, key), "%s", text)
}

func (b *Box) checkAccounts(d *document) {
	names, owners := map[string]bool{}, map[[2]string]string{}
	for i, a := range b.SMS.Accounts {
		path := fmt.Sprintf("sms.accounts[%d]", i)
		if names[a.Name] {
			d.reject(path+".name", "%q is taken by another account", a.Name)
		}
		names[a.Name] = true
		at := [2]string{strings.ToLower(a.Address), a.SPID}
		if owner, taken := owners[at]; taken && a.SPID != "" {
			d.reject(path+".sp_id", "%q at %s is account %s already: reports and answers would go to either", a.SPID, a.Address, owner)
		}
		owners[at] = a.Name
		a.check(d, path)
	}
}

// longest is the most that an account's times may be: no report comes later.
const longest = 30 * 24 * time.Hour

func (a Account) check(d *document, path string) {
	if a.Protocol != "cmpp3" && a.Protocol != "cmpp2" {
		d.reject(path+".protocol", "%q is neither cmpp3 nor cmpp2", a.Protocol)
	}
	if a.Address != "" {
		d.checkAddress(path+".address", a.Address)
	}
	if !digits(a.SrcID) {
		d.reject(path+".src_id", "%q is not made of digits", a.SrcID)
	}
	for _, limit := range []struct {
		key string
		is  time.Duration
	}{
		{"active_test", a.ActiveTest},
		{"response_timeout", a.ResponseTimeout},
		{"report_wait", a.ReportWait},
		{"long_mo_timeout", a.LongMOTimeout},
	} {
		if limit.is < time.Second || limit.is > longest {
			d.reject(join(path, limit.key), "%v is not from 1s to %v", limit.is, longest)
		}
	}
	if late := a.lateAfter(); late != 0 && (late < time.Second || late > longest) {
		d.reject(path+".late_after", "%v is neither 0 (off) nor from 1s to %v", late, longest)
	}
	d.rejectAll(path, a.Carrier().Validate())
	d.rejectAll(path, a.Gateway().Validate())
}

func (w Webhook) check(d *document, path string) {
	d.checkURL(path+".url", w.URL)
	if !slices.Contains(storage.Formats, w.Format) {
		d.reject(path+".format", "%q is neither empty nor twilio nor zammad", w.Format)
	}
	for i, glob := range w.Events {
		if glob == "" || strings.Trim(glob, "abcdefghijklmnopqrstuvwxyz.*_") != "" {
			d.reject(fmt.Sprintf("%s.events[%d]", path, i), "%q is no event such as call.new or sms.*", glob)
		}
	}
}
