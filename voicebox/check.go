package voicebox

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// Check says in words what troubles a serial port: that it is absent, may not
// be opened, is used by another program, or that ModemManager would take it.
// It must not be asked of a port that a running line uses: that one is busy.
func Check(port string) []string {
	var troubles []string
	if t := openable(port); t != "" {
		troubles = append(troubles, t)
	}
	return append(troubles, managed("/", port)...)
}

// CheckLine is Check for a line, whose box may be known by its serial number.
func CheckLine(l Line) []string {
	if l.Serial == "" {
		return Check(l.Port)
	}
	port, err := findPort("/sys", l.Serial)
	if err != nil {
		return []string{err.Error()}
	}
	return Check(port)
}

// There says whether a line's box is plugged in.
func There(l Line) bool {
	port := l.Port
	if l.Serial != "" {
		var err error
		if port, err = findPort("/sys", l.Serial); err != nil {
			return !errors.Is(err, errAbsent)
		}
	}
	_, err := os.Stat(port)
	return !errors.Is(err, os.ErrNotExist)
}

func openable(port string) string {
	info, err := os.Stat(port)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return port + " is absent: is the box plugged in?"
	case err != nil:
		return fmt.Sprintf("%s: %v", port, err)
	case info.Mode()&os.ModeCharDevice == 0:
		return port + " is no serial port"
	}
	lock, err := lockPort(port)
	switch {
	case errors.Is(err, errTaken):
		return port + " is busy: another program has it open"
	case errors.Is(err, os.ErrPermission):
		return port + " may not be opened: add the daemon's user to the group dialout"
	case err != nil:
		return fmt.Sprintf("%s: %v", port, err)
	}
	_, wrong := unix.IoctlGetTermios(int(lock.Fd()), unix.TCGETS)
	if err := lock.Close(); err != nil {
		return fmt.Sprintf("%s: %v", port, err)
	}
	if wrong != nil {
		return port + " is no serial port"
	}
	return ""
}

// ignore is what tells ModemManager to leave a device alone.
const ignore = "ID_MM_DEVICE_IGNORE"

// managed says that ModemManager runs and was not told to leave the port alone.
func managed(root, port string) []string {
	if !running(root, "ModemManager") || ruled(root) || marked(root, port) {
		return nil
	}
	return []string{"ModemManager runs and would send its own commands to " + port +
		": install 99-callbox-voicebox.rules in /etc/udev/rules.d and plug the box in again"}
}

// running says whether a program of that name runs.
func running(root, name string) bool {
	names, _ := filepath.Glob(filepath.Join(root, "proc/[0-9]*/comm")) // the pattern is good
	for _, path := range names {
		if b, err := os.ReadFile(path); err == nil && strings.TrimSpace(string(b)) == name {
			return true
		}
	}
	return false
}

// ruled says whether somebody has written a rule; those that come with
// ModemManager are about other devices.
func ruled(root string) bool {
	for _, dir := range []string{"etc/udev/rules.d", "run/udev/rules.d", "usr/lib/udev/rules.d", "lib/udev/rules.d"} {
		rules, _ := filepath.Glob(filepath.Join(root, dir, "*.rules"))
		for _, path := range rules {
			own := strings.HasPrefix(dir, "etc") || strings.Contains(filepath.Base(path), "callbox")
			if b, err := os.ReadFile(path); own && err == nil && strings.Contains(string(b), ignore) {
				return true
			}
		}
	}
	return false
}

// marked says whether udev's own record of the port has the mark.
func marked(root, port string) bool {
	var st unix.Stat_t
	if unix.Stat(port, &st) != nil {
		return false
	}
	name := fmt.Sprintf("run/udev/data/c%d:%d", unix.Major(st.Rdev), unix.Minor(st.Rdev))
	b, err := os.ReadFile(filepath.Join(root, name))
	return err == nil && strings.Contains(string(b), "E:"+ignore+"=1")
}
