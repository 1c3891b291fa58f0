//go:build e2e

package e2e

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestDiskFull fills the file system under the data: jobs are refused with 503
// and a word, the log tells once, and what was taken before and after goes out.
func TestDiskFull(t *testing.T) {
	_, address, _ := newCentre(t)
	dir := smallDisk(t)
	b := &box{t: t, dir: dir}
	layout{smsc: address}.write(t, dir)
	b.key, _, _ = strings.Cut(b.command("key", "add", "test", "--scope", "sms"), " ")
	b.start()
	post := func() int {
		body := map[string]any{"to": []string{"13800138000"}, "text": "x", "class": "notice"}
		return b.call("POST", "/api/v1/sms/jobs", body, nil)
	}
	if status := post(); status != http.StatusAccepted {
		t.Fatalf("before: %d", status)
	}
	wait(t, "the first text at the carrier", func() bool { return b.waitingFor() == 0 })
	fill := filepath.Join(dir, "fill")
	put(t, fill, nil)
	grow(t, fill)
	wait(t, "a refusal", func() bool { return post() == http.StatusServiceUnavailable })
	refused := 0
	for range 20 {
		if post() == http.StatusServiceUnavailable {
			refused++
		}
	}
	if refused < 10 {
		t.Errorf("%d of 20 jobs were refused on a full disk", refused)
	}
	problem := b.problem("POST", "/api/v1/sms/jobs", map[string]any{"to": []string{"13800138000"}, "text": "x"})
	if !strings.Contains(problem, `"status":503`) || !strings.Contains(problem, "cannot write") {
		t.Errorf("problem = %s", problem)
	}
	if err := os.Remove(fill); err != nil {
		t.Fatal(err)
	}
	wait(t, "jobs are taken again", func() bool { return post() == http.StatusAccepted })
	wait(t, "what was taken leaves", func() bool { return b.waitingFor() == 0 })
	log := b.output()
	t.Logf("%d refused; the log:\n%s", refused, log)
	if n := strings.Count(log, "level=ERROR"); n > 5 {
		t.Errorf("%d errors in the log for one full disk", n)
	}
	for _, line := range []string{"commits fail", "commits work again"} {
		if strings.Count(log, line) == 0 {
			t.Errorf("the log does not say %q", line)
		}
	}
}

// waitingFor counts messages that did not leave yet.
func (b *box) waitingFor() (n int) {
	for _, status := range []string{"queued", "submitting", "unknown"} {
		var list struct{ Items []any }
		b.call("GET", "/api/v1/sms/messages?limit=100&status="+status, nil, &list)
		n += len(list.Items)
	}
	return n
}

// smallDisk is a folder on a file system of 40 MB, which takes root to make.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=40m,mode=700")
	if err != nil && os.Getenv("CI") == "" && os.Getuid() != 0 {
		t.Skip("a small file system needs root: ", err)
	}
	if err != nil {
		t.Fatal("a small file system: ", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

// grow writes to a file until the disk is full.
func grow(t *testing.T, file string) {
	t.Helper()
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for size := 1 << 20; size > 0; {
		if _, err := f.Write(make([]byte, size)); err != nil {
			size /= 2
		}
	}
}
