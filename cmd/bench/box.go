package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// startLimit is how long the daemon may take to be ready, and to end.
const startLimit = 20 * time.Second

var readyLine = regexp.MustCompile(`ready http=(http://\S+) sip=udp://([0-9.:]+)`)

// box is the daemon under measurement, in a folder of its own.
type box struct {
	program string
	dir     string
	key     string
	http    string // http://127.0.0.1:PORT
	sip     string // 127.0.0.1:PORT
	flags   []string

	*process
}

// newBox writes the files into dir, makes a key and starts the daemon.
func newBox(ctx context.Context, program, dir string, f files) (*box, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, fmt.Errorf("box: %w", err)
	}
	b := &box{program: program, dir: dir, flags: f.flags}
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

// start runs the daemon and waits until it is ready.
func (b *box) start(ctx context.Context) error {
	var err error
	args := append([]string{"serve", "-c", "callbox.yaml"}, b.flags...)
	b.process, err = launch(b.dir, filepath.Join(b.dir, "daemon.log"), b.program, args...)
	if err != nil {
		return fmt.Errorf("box: %w", err)
	}
	err = b.shows(ctx, func(log []byte) bool {
		m := readyLine.FindSubmatch(log)
		if m != nil {
			b.http, b.sip = string(m[1]), string(m[2])
		}
		return m != nil
	})
	if err != nil {
		return errors.Join(fmt.Errorf("the daemon is not ready: %w", err), b.stop())
	}
	return nil
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
