package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"callbox/internal/guard"
)

// startLimit is how long the daemon may take to be ready, and to end.
const startLimit = 20 * time.Second

// ticksPerSecond is the kernel's USER_HZ, by which /proc counts processor time;
// it is 100 on every Linux that Go runs on.
const ticksPerSecond = 100

var readyLine = regexp.MustCompile(`ready http=(http://\S+) sip=udp://([0-9.:]+)`)

// box is the daemon under measurement, in a folder of its own.
type box struct {
	program string
	dir     string
	key     string
	http    string // http://127.0.0.1:PORT
	sip     string // 127.0.0.1:PORT

	cmd   *exec.Cmd
	ended chan struct{}
}

// newBox writes the files into dir, makes a key and starts the daemon.
func newBox(ctx context.Context, program, dir string, f files) (*box, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, fmt.Errorf("box: %w", err)
	}
	b := &box{program: program, dir: dir}
	if err := f.write(dir); err != nil {
		return nil, err
	}
	out, err := b.command(ctx, "key", "add", "bench", "--scope", "sms,calls,recordings,reports,config,metrics")
	if err != nil {
		return nil, err
	}
	b.key, _, _ = strings.Cut(strings.TrimSpace(out), " ")
	return b, b.start(ctx)
}

// command runs one callbox command in the box's folder and gives its stdout.
func (b *box) command(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, b.program, args...)
	cmd.Dir = b.dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("callbox %s: %w\n%s", args[0], err, errs.String())
	}
	return string(out), nil
}

func (b *box) logFile() string { return filepath.Join(b.dir, "daemon.log") }

// start runs the daemon and waits until it is ready.
func (b *box) start(ctx context.Context) error {
	file, err := os.Create(b.logFile())
	if err != nil {
		return fmt.Errorf("box: %w", err)
	}
	defer file.Close()
	b.cmd = exec.Command(b.program, "serve", "-c", "callbox.yaml")
	b.cmd.Dir, b.cmd.Stdout, b.cmd.Stderr = b.dir, file, file
	b.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := b.cmd.Start(); err != nil {
		return fmt.Errorf("box: %w", err)
	}
	ended := make(chan struct{})
	b.ended = ended
	cmd := b.cmd
	guard.Go("daemon", nil, func() {
		defer close(ended)
		_ = cmd.Wait() // its exit code is in ProcessState
	})
	err = until(ctx, startLimit, func() (bool, error) {
		select {
		case <-ended:
			return false, fmt.Errorf("the daemon ended: %v\n%s", cmd.ProcessState, b.tail())
		default:
		}
		text, err := os.ReadFile(b.logFile())
		m := readyLine.FindSubmatch(text)
		if m != nil {
			b.http, b.sip = string(m[1]), string(m[2])
		}
		return m != nil, err
	})
	if err != nil {
		return errors.Join(fmt.Errorf("the daemon is not ready: %w", err), b.stop())
	}
	return nil
}

// stop ends the daemon; one that does not end is killed, and that is an error.
func (b *box) stop() error {
	if b.cmd == nil || b.cmd.Process == nil {
		return nil
	}
	_ = b.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	timer := time.NewTimer(startLimit)
	defer timer.Stop()
	select {
	case <-b.ended:
		if code := b.cmd.ProcessState.ExitCode(); code != 0 {
			return fmt.Errorf("the daemon ended with %d\n%s", code, b.tail())
		}
		return nil
	case <-timer.C:
		_ = b.cmd.Process.Kill() // it may end just now
		<-b.ended
		return fmt.Errorf("the daemon did not end within %v\n%s", startLimit, b.tail())
	}
}

// tail is the end of the daemon's log.
func (b *box) tail() string {
	text, err := os.ReadFile(b.logFile())
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// cpu is the processor time that the daemon has used, in steps of 10 ms.
func (b *box) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", b.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("processor time: %w", err)
	}
	// Behind the name in parentheses utime and stime are fields 12 and 13.
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	if len(fields) < 13 {
		return 0, fmt.Errorf("processor time: %d fields in stat", len(fields))
	}
	user, err := strconv.Atoi(fields[11])
	system, err2 := strconv.Atoi(fields[12])
	return time.Duration(user+system) * time.Second / ticksPerSecond, errors.Join(err, err2)
}

// rss is the daemon's resident memory in kB.
func (b *box) rss() (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", b.cmd.Process.Pid))
	if err != nil {
		return 0, fmt.Errorf("memory: %w", err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			return strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
		}
	}
	return 0, errors.New("memory: no VmRSS in status")
}

// until asks done again and again until it says yes.
func until(ctx context.Context, limit time.Duration, done func() (bool, error)) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for {
		if ok, err := done(); ok || err != nil {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("not within %v: %w", limit, context.Cause(ctx))
		}
	}
}

// pause waits for d.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
