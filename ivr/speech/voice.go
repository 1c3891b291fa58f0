package speech

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"callbox/cti/media"
	"callbox/recorder/wav"
)

// ErrNoVoice is returned where no speech engine is installed.
var ErrNoVoice = errors.New("speech: no speech engine (espeak-ng) is installed")

// What one text may take.
const (
	sayTime   = 3 * time.Second
	sayBytes  = 5 << 20
	sayText   = 2000 // bytes
	sayLength = 5 * time.Minute
)

// VoiceConfig says who speaks.
type VoiceConfig struct {
	Program string // espeak-ng on PATH when empty
	Voice   string // the engine's name of it; cmn (Mandarin) when empty
	Speed   int    // words a minute; 165 when 0
}

// Voice turns text into prompts by a program that is started for each text: no
// shell, the text on its standard input, 3 s and 5 MB at most.
type Voice struct {
	program string
	args    []string
}

// NewVoice finds the engine; [ErrNoVoice] when there is none.
func NewVoice(cfg VoiceConfig) (*Voice, error) {
	program, err := exec.LookPath(cmp.Or(cfg.Program, "espeak-ng"))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoVoice, err)
	}
	return &Voice{program: program, args: []string{
		"-v", cmp.Or(cfg.Voice, "cmn"), "-s", strconv.Itoa(cmp.Or(cfg.Speed, 165)), "--stdin", "--stdout",
	}}, nil
}

// Say speaks text.
func (v *Voice) Say(ctx context.Context, text string) (media.Prompt, error) {
	if strings.TrimSpace(text) == "" {
		return media.Prompt{}, fmt.Errorf("speaking: %w", ErrEmpty)
	}
	if len(text) > sayText {
		return media.Prompt{}, fmt.Errorf("speaking %d bytes: %w", len(text), ErrTooLong)
	}
	sound, err := v.run(ctx, text)
	if err != nil {
		return media.Prompt{}, fmt.Errorf("speaking: %w", err)
	}
	p, err := Decode(ctx, bytes.NewReader(sound), sayLength)
	if err != nil {
		return media.Prompt{}, fmt.Errorf("speaking: %w", err)
	}
	p.Name = text
	return p, nil
}

// errSlow is why a text was cut off.
var errSlow = fmt.Errorf("the speech engine took longer than %v", sayTime)

func (v *Voice) run(ctx context.Context, text string) ([]byte, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, sayTime, errSlow)
	defer cancel()
	var out, faults bounded
	out.most, faults.most = sayBytes, 1000
	cmd := exec.CommandContext(ctx, v.program, v.args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(text), &out, &faults
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LANG=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return killGroup(cmd) }
	cmd.WaitDelay = time.Second
	err := cmd.Run()
	_ = killGroup(cmd) // what it may have left behind
	switch {
	case out.full:
		return nil, fmt.Errorf("%w: the speech engine wrote more than %d bytes", ErrTooLong, sayBytes)
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, fmt.Errorf("%w: %s", err, bytes.TrimSpace(faults.buf.Bytes()))
	}
	return out.buf.Bytes(), nil
}

// killGroup ends a program and what it started.
func killGroup(cmd *exec.Cmd) error {
	if cmd.Process == nil {
		return os.ErrProcessDone
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL); err != nil {
		return os.ErrProcessDone
	}
	return nil
}

// bounded is a buffer that ends its writer when it is full.
type bounded struct {
	buf  bytes.Buffer // not embedded: its ReadFrom knows no bound
	most int
	full bool
}

var errFull = errors.New("too much output")

// Write implements [io.Writer].
func (b *bounded) Write(p []byte) (int, error) {
	if b.buf.Len()+len(p) > b.most {
		b.full = true
		return 0, errFull
	}
	return b.buf.Write(p)
}

// SayFile speaks text into a WAV file (A-law, 8 kHz, mono) at path, unless it
// is there already. Folders are made; the file appears whole or not at all.
func (v *Voice) SayFile(ctx context.Context, text, path string) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	p, err := v.Say(ctx, text)
	if err != nil {
		return err
	}
	return WriteFile(path, p)
}

// WriteFile stores a prompt as WAV (A-law, 8 kHz, mono). Folders are made; the
// file appears whole or not at all.
func WriteFile(path string, p media.Prompt) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
		return fmt.Errorf("storing a prompt: %w", err)
	}
	file := append(wav.Header(wav.ALaw, 1, media.SampleRate, int64(len(p.PCMA))), p.PCMA...)
	part := path + ".part"
	if err := os.WriteFile(part, file, 0o640); err != nil {
		return fmt.Errorf("storing a prompt: %w", err)
	}
	if err := os.Rename(part, path); err != nil {
		return fmt.Errorf("storing a prompt: %w", err)
	}
	return nil
}
