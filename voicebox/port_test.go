package voicebox

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

// usb makes a sysfs tree in which ports hang on USB devices: path below
// devices, the device's serial number two or three steps up.
func usb(t *testing.T, ports map[string]string, serials map[string]string) string {
	t.Helper()
	sys := t.TempDir()
	for at, serial := range serials {
		write(t, filepath.Join(sys, "devices", at, "serial"), serial+"\n")
	}
	for name, at := range ports {
		device := filepath.Join(sys, "devices", at)
		tty := filepath.Join(device, "tty", name)
		for _, dir := range []string{tty, filepath.Join(sys, "class/tty")} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		link(t, device, filepath.Join(tty, "device"))
		link(t, tty, filepath.Join(sys, "class/tty", name))
	}
	return sys
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func link(t *testing.T, to, at string) {
	t.Helper()
	if err := os.Symlink(to, at); err != nil {
		t.Fatal(err)
	}
}

func TestFindBySerialNumber(t *testing.T) {
	sys := usb(t, map[string]string{
		"ttyACM0": "usb1/1-1/1-1:1.0",
		"ttyACM7": "usb1/1-2/1-2:1.0",
		"ttyACM3": "usb1/1-2/1-2:1.2",
		"ttyACM1": "usb1/1-2/1-2:1.10",
		"ttyUSB0": "usb1/1-3/1-3:1.0/ttyUSB0", // an adapter: one step more
		"ttyS0":   "platform/serial8250",
	}, map[string]string{"usb1": "0000:00:14.0", "usb1/1-1": "USR1", "usb1/1-2": "BOX42", "usb1/1-3": "FTDI"})
	if err := os.MkdirAll(filepath.Join(sys, "class/tty/tty0"), 0o755); err != nil { // without hardware
		t.Fatal(err)
	}
	for serial, want := range map[string]string{
		"USR1": "/dev/ttyACM0", "BOX42": "/dev/ttyACM7", "BOX42:1": "/dev/ttyACM7", "BOX42:2": "/dev/ttyACM3",
		"BOX42:3": "/dev/ttyACM1", "FTDI": "/dev/ttyUSB0",
	} {
		if got, err := findPort(sys, serial); got != want || err != nil {
			t.Errorf("findPort(%s) = %q, %v, want %q", serial, got, err, want)
		}
	}
	for _, serial := range []string{"BOX42:4", "NOBODY", "USR"} {
		if got, err := findPort(sys, serial); !errors.Is(err, errAbsent) {
			t.Errorf("findPort(%s) = %q, %v, want absent", serial, got, err)
		}
	}
	for _, serial := range []string{"BOX42:0", "BOX42:x", "BOX42:"} {
		if got, err := findPort(sys, serial); err == nil || errors.Is(err, errAbsent) {
			t.Errorf("findPort(%s) = %q, %v, want a fault of the setting", serial, got, err)
		}
	}
	if _, err := findPort(t.TempDir(), "USR1"); err == nil {
		t.Error("no fault without sysfs")
	}
}

// terminal is a pty: the box's end and the name of ours.
func terminal(t *testing.T) (far *os.File, name string) {
	t.Helper()
	far, near, err := pty.Open()
	if err != nil {
		t.Skipf("no pty here: %v", err)
	}
	t.Cleanup(func() { _ = far.Close() })
	if err := near.Close(); err != nil {
		t.Fatal(err)
	}
	return far, near.Name()
}

func TestPort(t *testing.T) {
	far, name := terminal(t)
	p, err := openPort(name)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	buf := make([]byte, 16)
	if n, err := p.Read(buf); n != 0 || err != nil {
		t.Errorf("Read of nothing = %d, %v, want 0, nil", n, err)
	}
	if _, err := far.Write([]byte("OK\r\n\x11\x13\x03")); err != nil {
		t.Fatal(err)
	}
	if n, err := p.Read(buf); string(buf[:n]) != "OK\r\n\x11\x13\x03" || err != nil {
		t.Errorf("Read = %q, %v, want what was sent, byte for byte", buf[:n], err)
	}
	if _, err := p.Write([]byte("AT\r")); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(far, buf[:3]); err != nil || string(buf[:3]) != "AT\r" {
		t.Errorf("the box got %q, %v", buf[:3], err)
	}
	if _, err := openPort(name); !errors.Is(err, errTaken) {
		t.Errorf("a second open = %v, want that it is taken", err)
	}
	if got := strings.Join(Check(name), "; "); !strings.Contains(got, "busy") {
		t.Errorf("Check = %q, want busy", got)
	}
}

// TestPortIsUnplugged: the reader learns it at once.
func TestPortIsUnplugged(t *testing.T) {
	far, name := terminal(t)
	p, err := openPort(name)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if err := far.Close(); err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	if n, err := p.Read(make([]byte, 16)); err == nil {
		t.Errorf("Read = %d, nil, want an error", n)
	}
	if took := time.Since(begin); took > time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestPortOpensAgain(t *testing.T) {
	_, name := terminal(t)
	p, err := openPort(name)
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Errorf("Close = %v", err)
	}
	if q, err := openPort(name); err != nil {
		t.Errorf("open after close = %v", err)
	} else {
		_ = q.Close()
	}
	if _, err := openPort(filepath.Join(t.TempDir(), "ttyACM0")); !errors.Is(err, errAbsent) {
		t.Errorf("open = %v, want absent", err)
	}
}

func TestCheck(t *testing.T) {
	_, name := terminal(t)
	file := filepath.Join(t.TempDir(), "file")
	write(t, file, "")
	for port, want := range map[string]string{
		name:                                  "",
		filepath.Join(t.TempDir(), "ttyACM0"): "absent",
		file:                                  "no serial port",
	} {
		if got := openable(port); (want == "") != (got == "") || !strings.Contains(got, want) {
			t.Errorf("openable(%s) = %q, want %q", port, got, want)
		}
	}
}

func TestPortWithoutPermission(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root may open everything: run the tests as another user")
	}
	_, name := terminal(t)
	if err := os.Chmod(name, 0); err != nil {
		t.Fatal(err)
	}
	if got := openable(name); !strings.Contains(got, "dialout") {
		t.Errorf("openable = %q, want a hint at dialout", got)
	}
}

func TestModemManager(t *testing.T) {
	_, port := terminal(t)
	var st unix.Stat_t
	if err := unix.Stat(port, &st); err != nil {
		t.Fatal(err)
	}
	record := filepath.Join("run/udev/data", "c"+fmt.Sprint(unix.Major(st.Rdev))+":"+fmt.Sprint(unix.Minor(st.Rdev)))
	rule, err := os.ReadFile("../docs/example/99-callbox-voicebox.rules")
	if err != nil {
		t.Fatal(err)
	}
	runs := map[string]string{"proc/1/comm": "systemd\n", "proc/77/comm": "ModemManager\n"}
	for name, tt := range map[string]struct {
		files    map[string]string
		troubles int
	}{
		"it does not run":           {map[string]string{"proc/1/comm": "systemd\n"}, 0},
		"it runs":                   {runs, 1},
		"it runs with its own rule": {with(runs, "usr/lib/udev/rules.d/77-mm-usb.rules", `ENV{ID_MM_DEVICE_IGNORE}="1"`), 1},
		"our rule":                  {with(runs, "etc/udev/rules.d/99-callbox-voicebox.rules", string(rule)), 0},
		"our packaged rule":         {with(runs, "usr/lib/udev/rules.d/99-callbox-voicebox.rules", string(rule)), 0},
		"udev has marked the port":  {with(runs, record, "I:1\nE:ID_MM_DEVICE_IGNORE=1\n"), 0},
	} {
		root := t.TempDir()
		for path, text := range tt.files {
			write(t, filepath.Join(root, path), text)
		}
		if got := managed(root, port); len(got) != tt.troubles {
			t.Errorf("%s: %q, want %d", name, got, tt.troubles)
		}
	}
}

func with(files map[string]string, path, text string) map[string]string {
	all := map[string]string{path: text}
	for p, f := range files {
		all[p] = f
	}
	return all
}
