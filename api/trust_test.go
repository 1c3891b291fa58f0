package api

import (
	"bytes"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"encoding/xml"
	"io"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"callbox/internal/localca"
)

func trustWorld(t *testing.T) (*world, *x509.Certificate) {
	t.Helper()
	ca, err := localca.Open(t.TempDir(), "box", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return newWorld(t, func(c *Config, _ *Deps) { c.Way = Way{TLS: true, Authority: ca.Certificate()} }), ca.Certificate()
}

func TestTrustFile(t *testing.T) {
	w, ca := trustWorld(t)
	resp := w.browser().send("GET", "/ca.crt", nil)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	block, rest := pem.Decode(text)
	if block == nil || !bytes.Equal(block.Bytes, ca.Raw) || len(rest) > 0 || resp.Header.Get("Content-Type") != "application/x-x509-ca-cert" {
		t.Errorf("%s: %s", resp.Header.Get("Content-Type"), text)
	}
}

// TestTrustProfile: well-formed, with the certificate as DER in it, and the same
// each time.
func TestTrustProfile(t *testing.T) {
	w, ca := trustWorld(t)
	resp := w.browser().send("GET", "/ca.mobileconfig", nil)
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got := resp.Header.Get("Content-Type"); got != "application/x-apple-aspen-config" {
		t.Errorf("type %s", got)
	}
	var plist struct {
		Data string `xml:"dict>array>dict>data"`
	}
	if err := xml.Unmarshal(text, &plist); err != nil {
		t.Fatal(err)
	}
	if der, err := base64.StdEncoding.DecodeString(plist.Data); err != nil || !bytes.Equal(der, ca.Raw) {
		t.Errorf("certificate %q: %v", plist.Data, err)
	}
	if _, again := w.browser().do("GET", "/ca.mobileconfig", nil); again != string(text) {
		t.Error("another profile the second time: both would be installed")
	}
}

func TestTrustPage(t *testing.T) {
	w, ca := trustWorld(t)
	for name, tt := range map[string]struct{ query, accept, lang, words string }{
		"nothing said":     {"", "", "zh-Hans", "信任这台 callbox"},
		"Chinese":          {"", "zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans", "受信任的根证书颁发机构"},
		"English":          {"", "en-GB,en;q=0.9", "en", "Trusted Root Certification Authorities"},
		"asked for":        {"?lang=en", "zh-CN", "en", "Compare the fingerprint"},
		"asked for, other": {"?lang=zh", "en", "zh-Hans", "核对指纹"},
		"nonsense":         {"?lang=%00%3Cx", "en", "zh-Hans", "核对指纹"},
	} {
		t.Run(name, func(t *testing.T) {
			resp := w.browser().send("GET", "/ca"+tt.query, nil, "Accept-Language", tt.accept)
			defer resp.Body.Close()
			text, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			for _, want := range []string{`<html lang="` + tt.lang + `">`, tt.words, localca.Fingerprint(ca), "/ca.crt", "/ca.mobileconfig"} {
				if !strings.Contains(string(text), want) {
					t.Errorf("lacks %q", want)
				}
			}
			if inline := regexp.MustCompile(`(?i)<script|<style|\sstyle=|\son[a-z]+=`).Find(text); inline != nil {
				t.Errorf("has %q, which its policy forbids", inline)
			}
			if p := resp.Header.Get("Content-Security-Policy"); p != trustPolicy || strings.Contains(p, "unsafe") {
				t.Errorf("policy %q", p)
			}
		})
	}
	if _, css := w.browser().do("GET", "/ca.css", nil); !strings.Contains(css, ":root") {
		t.Errorf("style %q", css)
	}
}

// TestTrustWordsAreWhole: no text is missing in a language, and both know the
// same systems and commands.
func TestTrustWordsAreWhole(t *testing.T) {
	for _, words := range []trustWords{trustChinese, trustEnglish} {
		v := reflect.ValueOf(words)
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("%s lacks %s", words.Lang, v.Type().Field(i).Name)
			}
		}
	}
	if len(trustChinese.Steps) != len(trustEnglish.Steps) {
		t.Fatal("one language has more systems")
	}
	for i, zh := range trustChinese.Steps {
		en := trustEnglish.Steps[i]
		if zh.ID != en.ID || len(zh.Steps) != len(en.Steps) {
			t.Errorf("%s and %s differ", zh.ID, en.ID)
			continue
		}
		for j := range zh.Steps {
			if zh.Steps[j].Code != en.Steps[j].Code {
				t.Errorf("%s, step %d: %q and %q", zh.ID, j+1, zh.Steps[j].Code, en.Steps[j].Code)
			}
		}
	}
}

func TestWithoutAnAuthority(t *testing.T) {
	b := newWorld(t).browser()
	for _, path := range []string{"/ca", "/ca.crt", "/ca.css", "/ca.mobileconfig"} {
		if code, body := b.do("GET", path, nil); code != 404 || strings.Contains(body, "page") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}
