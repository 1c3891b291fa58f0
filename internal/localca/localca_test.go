package localca

import (
	"crypto/elliptic"
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

var (
	start = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	names = Names{DNS: []string{"box", "box.local"}, IPs: []netip.Addr{netip.MustParseAddr("192.168.1.5"), netip.MustParseAddr("fd00::5")}}
)

func open(t *testing.T, dir string, now time.Time) *Authority {
	t.Helper()
	a, err := Open(dir, "box", now)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func leafOf(t *testing.T, a *Authority, n Names, now time.Time) (*x509.Certificate, bool) {
	t.Helper()
	leaf, made, err := a.Leaf(n, now)
	if err != nil {
		t.Fatal(err)
	}
	return leaf.Leaf, made
}

func TestAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "ca")
	c := open(t, dir, start).Certificate()
	if !c.IsCA || !c.MaxPathLenZero || c.MaxPathLen != 0 || c.KeyUsage&x509.KeyUsageCertSign == 0 {
		t.Errorf("it is no authority of path length 0: %+v", c)
	}
	if c.PublicKey.(interface{ Params() *elliptic.CurveParams }).Params().Name != "P-256" {
		t.Errorf("key %T, want P-256", c.PublicKey)
	}
	if want := start.AddDate(10, 0, 0); !c.NotAfter.Equal(want) {
		t.Errorf("ends %v, want %v", c.NotAfter, want)
	}
	for file, want := range map[string]os.FileMode{"ca.key": 0o600, "ca.crt": 0o644, ".": 0o700} {
		if info, err := os.Stat(filepath.Join(dir, file)); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %v", file, info.Mode(), err, want)
		}
	}
	if again := open(t, dir, start.AddDate(9, 0, 0)).Certificate(); !again.Equal(c) {
		t.Error("another authority after a restart")
	}
	if other := open(t, t.TempDir(), start).Certificate(); other.Subject.CommonName == c.Subject.CommonName {
		t.Errorf("two authorities are called %q", c.Subject.CommonName)
	}
	if over := open(t, dir, start.AddDate(10, 0, 1)).Certificate(); over.Equal(c) {
		t.Error("an authority that is over is used")
	}
}

func TestAuthorityIsNotReplacedByMistake(t *testing.T) {
	for name, spoil := range map[string]func(dir string) error{
		"key gone":    func(dir string) error { return os.Remove(filepath.Join(dir, "ca.key")) },
		"key cut off": func(dir string) error { return os.WriteFile(filepath.Join(dir, "ca.key"), []byte("x"), 0o600) },
		"cert cut off": func(dir string) error {
			return os.WriteFile(filepath.Join(dir, "ca.crt"), []byte("x"), 0o600)
		},
		"leaf for an authority": func(dir string) error {
			text, err := os.ReadFile(filepath.Join(dir, "leaf.pem"))
			if err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(dir, "ca.key"), text, 0o600); err != nil {
				return err
			}
			return os.WriteFile(filepath.Join(dir, "ca.crt"), text, 0o600)
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			leafOf(t, open(t, dir, start), names, start)
			if err := spoil(dir); err != nil {
				t.Fatal(err)
			}
			if _, err := Open(dir, "box", start); err == nil {
				t.Error("opened")
			}
		})
	}
}

func TestLeaf(t *testing.T) {
	a := open(t, t.TempDir(), start)
	c, made := leafOf(t, a, names, start)
	if !made {
		t.Error("the first one was there already")
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(a.PEM()) {
		t.Fatal("ca.crt is no PEM")
	}
	for _, host := range []string{"box", "box.local", "192.168.1.5", "fd00::5"} {
		if _, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: host, CurrentTime: start}); err != nil {
			t.Errorf("for %s: %v", host, err)
		}
	}
	if _, err := c.Verify(x509.VerifyOptions{Roots: roots, DNSName: "192.168.1.6", CurrentTime: start}); err == nil {
		t.Error("good for an address that is not its own")
	}
	if life := c.NotAfter.Sub(c.NotBefore); life != 397*24*time.Hour {
		t.Errorf("holds %v, want 397 days", life)
	}
	if c.IsCA || c.KeyUsage != x509.KeyUsageDigitalSignature || !slices.Equal(c.ExtKeyUsage, []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}) {
		t.Errorf("may be used for %v %v", c.KeyUsage, c.ExtKeyUsage)
	}
}

func TestLeafIsIssuedAgain(t *testing.T) {
	more := Names{DNS: names.DNS, IPs: append(slices.Clone(names.IPs), netip.MustParseAddr("10.0.0.7"))}
	fewer := Names{DNS: names.DNS[:1], IPs: names.IPs[:1]}
	renamed := Names{DNS: []string{"other"}, IPs: names.IPs}
	end := start.Add(leafLife - skew)
	for name, tt := range map[string]struct {
		names Names
		now   time.Time
		want  bool
	}{
		"nothing new":       {names, start.Add(time.Hour), false},
		"an address came":   {more, start.Add(time.Hour), true},
		"an address went":   {fewer, start.Add(time.Hour), false},
		"another name":      {renamed, start.Add(time.Hour), true},
		"31 days left":      {names, end.Add(-renewBefore - 1), false},
		"30 days left":      {names, end.Add(-renewBefore), true},
		"the clock is back": {names, start.Add(-skew - time.Second), true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			a := open(t, dir, start.Add(-48*time.Hour)) // older than its first leaf
			first, _ := leafOf(t, a, names, start)
			second, made := leafOf(t, open(t, dir, tt.now), tt.names, tt.now)
			if made != tt.want || made == second.Equal(first) {
				t.Errorf("issued again: %v, another one: %v, want %v", made, !second.Equal(first), tt.want)
			}
		})
	}
}

// TestLeafOfAnotherAuthority: who replaces the authority gets a leaf of it.
func TestLeafOfAnotherAuthority(t *testing.T) {
	dir := t.TempDir()
	leafOf(t, open(t, dir, start), names, start)
	for _, file := range []string{"ca.crt", "ca.key"} {
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
	a := open(t, dir, start)
	c, made := leafOf(t, a, names, start)
	if !made || c.CheckSignatureFrom(a.Certificate()) != nil {
		t.Error("the old authority's certificate is shown")
	}
}

// TestLeafEndsWithItsAuthority: in the authority's last days no new one is
// issued each minute.
func TestLeafEndsWithItsAuthority(t *testing.T) {
	a := open(t, t.TempDir(), start)
	last := start.AddDate(10, 0, -10)
	c, _ := leafOf(t, a, names, last)
	if !c.NotAfter.Equal(a.Certificate().NotAfter) {
		t.Errorf("ends %v, its authority %v", c.NotAfter, a.Certificate().NotAfter)
	}
	if _, made := leafOf(t, a, names, last.Add(time.Minute)); made {
		t.Error("issued again a minute later")
	}
}

func TestHere(t *testing.T) {
	n, err := Here("Callbox.Corp", "10.9.8.7", "not a name", "fe80::1")
	if err != nil {
		t.Fatal(err)
	}
	host, _, _ := strings.Cut(Host(), ".")
	for _, name := range []string{host, host + ".local", "localhost", "callbox.corp"} {
		if !slices.Contains(n.DNS, name) {
			t.Errorf("%v lacks %s", n.DNS, name)
		}
	}
	for _, ip := range []string{"127.0.0.1", "10.9.8.7"} {
		if !slices.Contains(n.IPs, netip.MustParseAddr(ip)) {
			t.Errorf("%v lacks %s", n.IPs, ip)
		}
	}
	if slices.ContainsFunc(n.IPs, netip.Addr.IsLinkLocalUnicast) || len(slices.Compact(slices.Clone(n.DNS))) != len(n.DNS) || slices.Contains(n.DNS, "not a name") {
		t.Errorf("names = %v", n)
	}
}

func TestFingerprint(t *testing.T) {
	got := Fingerprint(open(t, t.TempDir(), start).Certificate())
	if len(got) != 32*3-1 || strings.Trim(got, "0123456789ABCDEF:") != "" {
		t.Errorf("fingerprint %q", got)
	}
}
