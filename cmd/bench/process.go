package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"callbox/internal/guard"
)

// ticksPerSecond is the kernel's USER_HZ, by which /proc counts processor time;
// it is 100 on every Linux that Go runs on.
const ticksPerSecond = 100

// process is a program that runs beside the bench, and what it writes.
type process struct {
	cmd   *exec.Cmd
	log   string
	ended chan struct{}
}

// launch starts a program in dir; both its outputs go to the file log.
func launch(dir, log, program string, args ...string) (*process, error) {
	file, err := os.Create(log)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	p := &process{cmd: exec.Command(program, args...), log: log, ended: make(chan struct{})}
	p.cmd.Dir, p.cmd.Stdout, p.cmd.Stderr = dir, file, file
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	guard.Go("process", nil, func() {
		defer close(p.ended)
		_ = p.cmd.Wait() // its exit code is in ProcessState
	})
	return p, nil
}

// shows waits until what the program has written is as wanted.
func (p *process) shows(ctx context.Context, wanted func(log []byte) bool) error {
	return until(ctx, startLimit, func() (bool, error) {
		select {
		case <-p.ended:
			return false, fmt.Errorf("%s ended: %v\n%s", p.cmd, p.cmd.ProcessState, p.tail())
		default:
		}
		text, err := os.ReadFile(p.log)
		return wanted(text), err
	})
}

// stop ends the program; one that does not end is killed, and that is an error.
func (p *process) stop() error {
	if p == nil {
		return nil
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	timer := time.NewTimer(startLimit)
	defer timer.Stop()
	select {
	case <-p.ended:
		if code := p.cmd.ProcessState.ExitCode(); code != 0 {
			return fmt.Errorf("%s ended with %d\n%s", p.cmd, code, p.tail())
		}
		return nil
	case <-timer.C:
		_ = p.cmd.Process.Kill() // it may end just now
		<-p.ended
		return fmt.Errorf("%s did not end within %v\n%s", p.cmd, startLimit, p.tail())
	}
}

// tail is the end of what the program has written.
func (p *process) tail() string {
	text, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}

// cpu is the processor time that the program has used, in steps of 10 ms.
func (p *process) cpu() (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.cmd.Process.Pid))
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

// rss is the program's resident memory in kB.
func (p *process) rss() (int, error) { return p.number("status", "VmRSS:") }

// reads is how often it has asked the kernel for bytes of a file or a device.
func (p *process) reads() (int, error) { return p.number("io", "syscr:") }

// number is what stands behind a word in one of the files in /proc.
func (p *process) number(file, word string) (int, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", p.cmd.Process.Pid, file))
	if err != nil {
		return 0, fmt.Errorf("%s %w", word, err)
	}
	for line := range strings.Lines(string(text)) {
		if value, ok := strings.CutPrefix(line, word); ok {
			return strconv.Atoi(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")))
		}
	}
	return 0, fmt.Errorf("no %s in %s", word, file)
}
