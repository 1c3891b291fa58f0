package config

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// pair writes a certificate and its key into dir.
func pair(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	form := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	cert, err := x509.CreateCertificate(rand.Reader, form, form, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	for name, block := range map[string]*pem.Block{"box.crt": {Type: "CERTIFICATE", Bytes: cert}, "box.key": {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestHTTPS(t *testing.T) {
	for name, text := range map[string]string{
		"plain":            `{listen: 127.0.0.1:0}`,
		"empty":            `{tls: {cert_file: "", key_file: "", self_signed: false, acme: {domain: ""}}}`,
		"own":              `{listen: 0.0.0.0:443, tls: {self_signed: true}, redirect: 0.0.0.0:80}`,
		"two ports of any": `{listen: 127.0.0.1:0, tls: {self_signed: true}, redirect: 127.0.0.1:0}`,
		"files":            `{tls: {cert_file: box.crt, key_file: box.key}}`,
		"acme":             `{tls: {acme: {domain: box.example.com, email: ops@example.com}}}`,
		"acme of a house":  `{tls: {acme: {domain: box.lan, ca: "https://ca.lan/acme/directory", ca_file: box.crt}}}`,
		"behind a proxy":   `{public_url: "https://box.example.com", trusted_proxies: [127.0.0.1/32, 10.0.0.0/8, "fd00::/8"]}`,
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, "callbox.yaml", "http: "+text+"\n")
			dir := filepath.Dir(file)
			pair(t, dir)
			box, err := Load(file)
			if err != nil {
				t.Fatal(err)
			}
			if tls := box.HTTP.TLS; tls.On() == slices.Contains([]string{"plain", "empty", "behind a proxy"}, name) {
				t.Errorf("tls on: %v", tls.On())
			}
			for _, path := range box.HTTP.paths() {
				if *path != "" && filepath.Dir(*path) != dir {
					t.Errorf("%s does not lie beside the file that names it", *path)
				}
			}
		})
	}
}

// TestHTTPSFaults: each key at its place, all of them at once.
func TestHTTPSFaults(t *testing.T) {
	for name, tt := range map[string]struct {
		text string
		want []string
	}{
		"certificate without key": {`{tls: {cert_file: box.crt}}`, []string{`:1:14: http.tls.cert_file: stands without key_file`}},
		"key without certificate": {`{tls: {key_file: box.key}}`, []string{`http.tls.key_file: stands without cert_file`}},
		"two ways":                {`{tls: {self_signed: true, cert_file: box.crt, key_file: box.key}}`, []string{`:1:8: http.tls: is one of self_signed, cert_file with key_file, and acme`}},
		"no such file":            {`{tls: {cert_file: no.crt, key_file: box.key}}`, []string{`http.tls.cert_file: open `}},
		"key as certificate":      {`{tls: {cert_file: box.key, key_file: box.key}}`, []string{`http.tls.cert_file: tls: failed to find certificate PEM data`}},
		"no domain":               {`{tls: {acme: {email: a@b.cn}}}`, []string{`http.tls.acme: wants a domain`}},
		"address as domain":       {`{tls: {acme: {domain: 192.168.1.5}}}`, []string{`http.tls.acme.domain: "192.168.1.5" is an address`}},
		"IPv6 as domain":          {`{tls: {acme: {domain: "[fd00::1]"}}}`, []string{`is an address`}},
		"star":                    {`{tls: {acme: {domain: "*.example.com"}}}`, []string{`not yet supported`}},
		"no name":                 {`{tls: {acme: {domain: "box example.com"}}}`, []string{`is no domain such as`}},
		"private name":            {`{tls: {acme: {domain: box.local}}}`, []string{`"box.local" is no public name`}},
		"acme's small print": {
			`{tls: {acme: {domain: box.example.com, email: nobody, ca: "http://ca/dir", ca_file: no.pem}}}`,
			[]string{`acme.email: "nobody" is no mail address`, `acme.ca: "http://ca/dir" is no https URL`, `acme.ca_file: open `},
		},
		"root without directory":  {`{tls: {acme: {domain: box.example.com, ca_file: box.crt}}}`, []string{`acme.ca_file: stands without ca`}},
		"redirect to nowhere":     {`{redirect: "0.0.0.0:80"}`, []string{`http.redirect: has no https to lead to`}},
		"redirect to itself":      {`{listen: "0.0.0.0:443", redirect: "0.0.0.0:443", tls: {self_signed: true}}`, []string{`http.redirect: 0.0.0.0:443 is http.listen's address`}},
		"redirect nowhere at all": {`{redirect: "80", tls: {self_signed: true}}`, []string{`http.redirect: "80" is no host:port`}},
		"everybody is a proxy":    {`{trusted_proxies: [0.0.0.0/0]}`, []string{`http.trusted_proxies: 0.0.0.0/0 is everybody`}},
		"no network":              {`{trusted_proxies: [proxy]}`, []string{`http.trusted_proxies[0]: `}},
		"many at once": {
			`{tls: {key_file: k, self_signed: true, acme: {domain: 10.0.0.1}}, redirect: x}`,
			[]string{`http.tls: is one of`, `stands without cert_file`, `is an address`, `http.redirect: "x" is no host:port`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			file := write(t, "callbox.yaml", "http: "+tt.text+"\n")
			pair(t, filepath.Dir(file))
			_, err := Load(file)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("faults lack %q:\n%v", want, err)
				}
			}
			if got := strings.Count(err.Error(), "\n") + 1; got != len(tt.want) {
				t.Errorf("%d faults, want %d:\n%v", got, len(tt.want), err)
			}
		})
	}
}
