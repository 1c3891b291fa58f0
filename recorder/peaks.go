package recorder

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"callbox/recorder/wav"
)

// Peaks is how loud a recording is along its time.
type Peaks = wav.Peaks

// finePeaks is in how many stretches a recording is measured, once; fewer are
// made of these.
const finePeaks = 8000

// Meter measures recordings, and keeps what it found of closed ones beside them.
type Meter struct {
	root *os.Root // where the files lie
	log  *slog.Logger
	slot chan struct{} // one at a time: it is work for the processor that calls need
}

// NewMeter measures files below root.
func NewMeter(root *os.Root, log *slog.Logger) *Meter {
	return &Meter{root: root, log: log, slot: make(chan struct{}, 1)}
}

// kept is how peaks lie beside their recording. Size is the recording's, by
// which they are known to be its own.
type kept struct {
	Size    int64   `json:"size"`
	Seconds float64 `json:"seconds"`
	Left    []byte  `json:"left"`
	Right   []byte  `json:"right"`
}

// Peaks measures the recording at a path below the root; one that is closed is
// measured once. A recording without sound has none. Errors: fs.ErrNotExist,
// ctx's cause.
func (m *Meter) Peaks(ctx context.Context, path string, closed bool) (Peaks, error) {
	file, err := m.root.Open(path)
	if err != nil {
		return Peaks{}, fmt.Errorf("opening a recording: %w", err)
	}
	defer file.Close()
	stat, err := file.Stat()
	if err != nil {
		return Peaks{}, fmt.Errorf("looking at a recording: %w", err)
	}
	select {
	case m.slot <- struct{}{}:
		defer func() { <-m.slot }()
	case <-ctx.Done():
		return Peaks{}, context.Cause(ctx)
	}
	beside := strings.TrimSuffix(path, ".wav") + ".peaks.json"
	if closed {
		if p, ok := m.kept(beside, stat.Size()); ok {
			return p, nil
		}
	}
	p, err := wav.ReadPeaks(file, stat.Size(), finePeaks)
	switch {
	case errors.Is(err, wav.ErrEmpty):
		return Peaks{}, nil
	case err != nil:
		return p, fmt.Errorf("measuring %s: %w", path, err)
	case closed:
		m.keep(beside, kept{stat.Size(), p.Seconds, p.Left, p.Right})
	}
	return p, nil
}

func (m *Meter) kept(path string, size int64) (Peaks, bool) {
	file, err := m.root.Open(path)
	if err != nil {
		return Peaks{}, false
	}
	defer file.Close()
	var k kept
	err = json.NewDecoder(io.LimitReader(file, 1<<20)).Decode(&k)
	if err != nil || k.Size != size || len(k.Left) == 0 || len(k.Left) != len(k.Right) {
		return Peaks{}, false
	}
	return Peaks{Seconds: k.Seconds, Left: k.Left, Right: k.Right}, true
}

// keep writes peaks beside their recording. Where it cannot, they are measured
// again the next time.
func (m *Meter) keep(path string, k kept) {
	body, err := json.Marshal(k)
	if err == nil {
		err = m.root.WriteFile(path+".new", body, 0o600)
	}
	if err == nil {
		err = m.root.Rename(path+".new", path)
	}
	if err != nil {
		m.log.Warn("peaks not kept", "path", path, "err", err)
	}
}
