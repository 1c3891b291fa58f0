// Package config reads callbox.yaml and site.yaml: strictly, whole, with all
// faults at once and each at its line and column.
//
// It runs no goroutine, opens nothing but the files named in them, and does not
// know how the parts use what it read.
package config

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"
	_ "time/tzdata" // the box may have no zone files

	"callbox/cmpp"
	"callbox/cmpp/client"
	"callbox/cti/sip"
	"callbox/internal/segment"
	"callbox/sms"
	"callbox/sms/door"
)

// Box is callbox.yaml: addresses, lines, carriers, secrets. Paths are absolute
// after Load.
type Box struct {
	Data          string        `yaml:"data"`
	Site          string        `yaml:"site"`
	Timezone      string        `yaml:"timezone"`
	AreaCode      string        `yaml:"area_code"`
	Drain         time.Duration `yaml:"drain"`
	SecretKeyFile string        `yaml:"secret_key_file"`
	HTTP          HTTP          `yaml:"http"`
	SIP           sip.Config    `yaml:"sip"`
	Calls         Calls         `yaml:"calls"`
	WebRTC        WebRTC        `yaml:"webrtc"`
	Voicebox      []Voicebox    `yaml:"voicebox"`
	SMS           SMS           `yaml:"sms"`
	Lookup        Lookup        `yaml:"lookup"`
	DatabaseDoor  []door.Config `yaml:"database_door"`
	Outbound      Outbound      `yaml:"outbound"`
	Webhooks      []Webhook     `yaml:"webhooks"`

	location *time.Location
}

// Location is the box's time zone.
func (b *Box) Location() *time.Location { return b.location }

// SMS are the carriers of texts.
type SMS struct {
	Accounts []Account `yaml:"accounts"`
}

// Account is one account at a carrier's SMS gateway.
type Account struct {
	Name            string         `yaml:"name"`
	Protocol        string         `yaml:"protocol"`
	Address         string         `yaml:"address"`
	SPID            string         `yaml:"sp_id"`
	Secret          string         `yaml:"secret"`
	ServiceID       string         `yaml:"service_id"`
	SrcID           string         `yaml:"src_id"`
	Extension       Extension      `yaml:"extension"`
	Signature       string         `yaml:"signature"`
	SignatureBy     string         `yaml:"signature_by"`
	Window          int            `yaml:"window"`
	Rate            int            `yaml:"rate"`
	Connections     int            `yaml:"connections"`
	ReportWait      time.Duration  `yaml:"report_wait"`
	Numbers         []string       `yaml:"numbers"`
	OnUnknown       string         `yaml:"on_unknown"`
	ActiveTest      time.Duration  `yaml:"active_test"`
	ResponseTimeout time.Duration  `yaml:"response_timeout"`
	LongMOTimeout   time.Duration  `yaml:"long_mo_timeout"`
	LateAfter       *time.Duration `yaml:"late_after"`
	AuthUnpadded    bool           `yaml:"auth_unpadded"`
	BindAddress     string         `yaml:"bind_address"`
	Alphabet        string         `yaml:"alphabet"`
	ReferenceBits   int            `yaml:"reference_bits"`
}

// Carrier is the account as its client knows it.
func (a Account) Carrier() client.Config {
	version := cmpp.V30
	if a.Protocol == "cmpp2" {
		version = cmpp.V20
	}
	return client.Config{
		Name: a.Name, Address: a.Address, SPID: a.SPID, Secret: a.Secret, Unpadded: a.AuthUnpadded,
		Version: version, ServiceID: a.ServiceID, SrcID: a.SrcID, BindAddress: a.BindAddress,
		Connections: a.Connections, Window: a.Window, Rate: a.Rate, ActiveTest: a.ActiveTest,
		ResponseTimeout: a.ResponseTimeout, Style: a.style(),
	}
}

// Gateway is the account as the SMS gateway knows it.
func (a Account) Gateway() sms.Account {
	return sms.Account{
		Name: a.Name, SrcID: a.SrcID, Numbers: a.Numbers, Signature: a.Signature, SignatureBy: a.SignatureBy,
		OnUnknown: a.OnUnknown, ExtensionDigits: a.Extension.Digits, ReportWait: a.ReportWait, LongWait: a.LongMOTimeout, LateAfter: a.lateAfter(),
		Style: a.style(),
	}
}

// style says how the account's texts are cut. Where the gateway adds a
// signature no text is ASCII in the end.
func (a Account) style() segment.Style {
	s := segment.Style{Alphabet: segment.Alphabet(a.Alphabet), RefBits: a.ReferenceBits}
	if s.Alphabet == segment.Auto && a.SignatureBy == sms.SignedByGateway {
		s.Alphabet = segment.UCS2
	}
	return s
}

// defaultLateAfter is how long a message may take until somebody is told.
const defaultLateAfter = 10 * time.Minute

// lateAfter is late_after; 0, which is off, is not the same as nothing written.
func (a Account) lateAfter() time.Duration {
	if a.LateAfter == nil {
		return defaultLateAfter
	}
	return *a.LateAfter
}

// Extension is how many digits are put behind the access number.
type Extension struct {
	Digits int `yaml:"digits"`
}

// Lookup is where unknown callers are looked up.
type Lookup struct {
	URL     string        `yaml:"url"`
	Timeout time.Duration `yaml:"timeout"`
}

// Outbound allows private networks as targets of URLs given over the API.
type Outbound struct {
	Allow []netip.Prefix `yaml:"allow"`
}

// Webhook is one receiver of notices.
type Webhook struct {
	URL    string   `yaml:"url"`
	Secret string   `yaml:"secret"`
	Events []string `yaml:"events"`
	Format string   `yaml:"format"`
}

// Default is callbox.yaml with nothing written in it.
func Default() Box {
	return Box{
		Data:     "./data",
		Timezone: "Asia/Shanghai",
		Drain:    30 * time.Second,
		HTTP:     HTTP{Listen: "127.0.0.1:8080"},
		SIP: sip.Config{
			Listen:   []string{"udp://127.0.0.1:5060", "tcp://127.0.0.1:5060"},
			RTPPorts: "20000-29999",
		},
		WebRTC: WebRTC{Port: 5004, TCP: true},
		Lookup: Lookup{Timeout: 800 * time.Millisecond},
	}
}

func defaultAccount() Account {
	return Account{
		Protocol: "cmpp3", SignatureBy: "us", OnUnknown: "resend", Window: 16, Rate: 100, Connections: 1,
		ReportWait: 72 * time.Hour, ActiveTest: 30 * time.Second, ResponseTimeout: time.Minute,
		LongMOTimeout: 10 * time.Minute, Numbers: []string{"*"}, Alphabet: string(segment.Auto), ReferenceBits: 8,
	}
}

// Load reads and checks callbox.yaml. The error is [Faults], all of them.
func Load(file string) (*Box, error) {
	box, faults := load(file)
	if err := faults.Err(); err != nil {
		return nil, err
	}
	return box, nil
}

// load gives what could be read beside the faults, so that the site's faults
// can be shown together with the box's.
func load(file string) (*Box, Faults) {
	box, d := read(file)
	return box, d.faults
}

func read(file string) (*Box, *document) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, &document{faults: Faults{unreadable(file, err)}}
	}
	box := Default()
	d := decode(file, src, &box)
	for i := range box.SMS.Accounts {
		fillAccount(&box.SMS.Accounts[i])
	}
	for i := range box.Voicebox {
		fillVoicebox(&box.Voicebox[i], i+1)
	}
	box.check(d)
	if err := box.resolve(file); err != nil {
		d.faults = append(d.faults, Fault{File: file, Text: err.Error()})
	}
	box.HTTP.TLS.checkFiles(d)
	return &box, d
}

func unreadable(file string, err error) Fault {
	var path *os.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return Fault{File: file, Text: fmt.Sprintf("cannot be read: %v", err)}
}

// fillAccount writes the defaults of what the file left out.
func fillAccount(a *Account) {
	def := defaultAccount()
	fill(&a.Protocol, def.Protocol)
	fill(&a.SignatureBy, def.SignatureBy)
	fill(&a.OnUnknown, def.OnUnknown)
	fill(&a.Window, def.Window)
	fill(&a.Rate, def.Rate)
	fill(&a.Connections, def.Connections)
	fill(&a.ReportWait, def.ReportWait)
	fill(&a.ActiveTest, def.ActiveTest)
	fill(&a.ResponseTimeout, def.ResponseTimeout)
	fill(&a.LongMOTimeout, def.LongMOTimeout)
	fill(&a.Alphabet, def.Alphabet)
	fill(&a.ReferenceBits, def.ReferenceBits)
	if a.Numbers == nil {
		a.Numbers = def.Numbers
	}
}

func fill[T comparable](v *T, def T) {
	var zero T
	if *v == zero {
		*v = def
	}
}

// resolve makes paths absolute, relative to the file's folder.
func (b *Box) resolve(file string) error {
	dir, err := filepath.Abs(filepath.Dir(file))
	if err != nil {
		return fmt.Errorf("folder of %s: %w", file, err)
	}
	paths := []*string{&b.Data, &b.Site, &b.SecretKeyFile, &b.SIP.TLS.CertFile, &b.SIP.TLS.KeyFile, &b.SIP.TLS.CAFile}
	for i := range b.Voicebox {
		paths = append(paths, &b.Voicebox[i].Port)
	}
	for _, path := range append(paths, b.HTTP.paths()...) {
		if *path != "" && !filepath.IsAbs(*path) {
			*path = filepath.Join(dir, *path)
		}
	}
	return nil
}
