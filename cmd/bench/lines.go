package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"callbox/cti/ctitest"
	"callbox/cti/media"
	"callbox/cti/media/dsp"
	"callbox/recorder/wav"
)

const (
	hybrid      = "12" // dB of echo return loss on the lines
	agentPitch  = 190  // Hz; the simulator's callers have 140
	leastSpeech = -40  // dBm0 of either side's recording
	settling    = 5 * time.Second
)

// The two sides of line i of a simulated box, in its folder.
func serialSide(i int) string   { return fmt.Sprintf("line%d", i+1) }
func analogueSide(i int) string { return fmt.Sprintf("analog%d", i+1) }

// wires are the voice boxes in one process, and telephone networks with
// callers in a process a line, so that the daemon's processor time is its own.
type wires struct {
	program string
	dir     string
	boxes   *process
	far     []*process
}

func newWires(ctx context.Context, program, dir string, lines int) (*wires, error) {
	program, err := filepath.Abs(program)
	if err != nil {
		return nil, fmt.Errorf("voice boxes: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("voice boxes: %w", err)
	}
	w := &wires{program: program, dir: dir}
	w.boxes, err = launch(dir, filepath.Join(dir, "boxes.log"), program, "sim", "box", "--dir", dir, "--lines", fmt.Sprint(lines))
	if err != nil {
		return nil, fmt.Errorf("voice boxes: %w", err)
	}
	err = w.boxes.shows(ctx, func([]byte) bool {
		_, err := os.Stat(filepath.Join(dir, analogueSide(lines-1)))
		return err == nil
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("voice boxes: %w", err), w.boxes.stop())
	}
	return w, nil
}

// connect puts telephone networks on the first n lines; callers of them ring at
// once and talk until part.
func (w *wires) connect(n int, calls bool) error {
	for i := range n {
		args := []string{
			"sim", "line", "--connect", filepath.Join(w.dir, analogueSide(i)), "--hybrid", hybrid,
			"--number", fmt.Sprintf("138000000%02d", i), "--callerid", []string{"fsk", "dtmf"}[i%2], "--calls", "0",
		}
		if calls {
			args[len(args)-1] = "1"
		}
		p, err := launch(w.dir, filepath.Join(w.dir, analogueSide(i)+".log"), w.program, args...)
		if err != nil {
			return fmt.Errorf("line %d: %w", i+1, err)
		}
		w.far = append(w.far, p)
	}
	return nil
}

// part lets the callers hang up and takes their networks away.
func (w *wires) part() (err error) {
	for _, p := range w.far {
		err = errors.Join(err, p.stop())
	}
	w.far = nil
	return err
}

func (w *wires) close() error { return errors.Join(w.part(), w.boxes.stop()) }

// shares are the processor times of who takes part in lines over some time.
type shares struct {
	daemon, boxes, far time.Duration
	reads              int // of the daemon
	kB                 int // the daemon's memory at the end
	span               time.Duration
}

func (s shares) percent(d time.Duration) float64 { return 100 * d.Seconds() / s.span.Seconds() }

// minute is the processor time, in seconds, of a minute of one of n lines.
func (s shares) minute(d time.Duration, n int) float64 {
	return d.Seconds() / (float64(n) * s.span.Minutes())
}

// watch counts over d.
func (w *wires) watch(ctx context.Context, daemon *process, d time.Duration) (shares, error) {
	before, err := w.spent(daemon)
	if err != nil {
		return shares{}, err
	}
	began := time.Now()
	if err := pause(ctx, d); err != nil {
		return shares{}, err
	}
	s, err := w.spent(daemon)
	s.span = time.Since(began)
	s.daemon -= before.daemon
	s.boxes -= before.boxes
	s.far -= before.far
	s.reads -= before.reads
	return s, err
}

// spent is what was used since the processes began.
func (w *wires) spent(daemon *process) (s shares, err error) {
	var errs [4]error
	s.daemon, errs[0] = daemon.cpu()
	s.reads, errs[1] = daemon.reads()
	s.kB, errs[2] = daemon.rss()
	s.boxes, errs[3] = w.boxes.cpu()
	err = errors.Join(errs[:]...)
	for _, p := range w.far {
		used, failed := p.cpu()
		s.far += used
		err = errors.Join(err, failed)
	}
	return s, err
}

// analogue measures lines that are idle, that ring together, and that talk.
func (b *bench) analogue(ctx context.Context, dir string) (rows []row, err error) {
	w, err := newWires(ctx, b.program, filepath.Join(dir, "boxes"), b.lines)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, w.close()) }()
	rows, err = b.idleLines(ctx, w, dir)
	if err != nil {
		return rows, err
	}
	talks, err := b.talkingLines(ctx, w, filepath.Join(dir, "talks"))
	return append(rows, talks...), err
}

// idleLines compares a daemon that has lines with one that has none.
func (b *bench) idleLines(ctx context.Context, w *wires, dir string) ([]row, error) {
	if err := w.connect(b.lines, false); err != nil {
		return nil, err
	}
	none, err := b.idle(ctx, w, filepath.Join(dir, "none"), files{})
	if err != nil {
		return nil, err
	}
	all, err := b.idle(ctx, w, filepath.Join(dir, "idle"), files{lines: b.lines, ports: w.dir})
	if err != nil {
		return nil, err
	}
	return []row{{
		fmt.Sprintf("%d idle lines for %v: CPU", b.lines, b.lineTalk),
		fmt.Sprintf("%.2f %% of a core, %.0f reads/s (without lines %.2f %%, %.0f/s; their boxes %.2f %% a line)",
			all.percent(all.daemon), float64(all.reads)/all.span.Seconds(),
			none.percent(none.daemon), float64(none.reads)/none.span.Seconds(),
			all.percent(all.boxes)/float64(b.lines)),
		"<= 1 % of a core",
	}, {
		"memory an idle line",
		fmt.Sprintf("%d kB", (all.kB-none.kB)/b.lines), "",
	}}, w.part()
}

func (b *bench) idle(ctx context.Context, w *wires, dir string, f files) (s shares, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return s, fmt.Errorf("idle: %w", err)
	}
	daemon, err := newBox(ctx, b.program, dir, f)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, daemon.stop()) }()
	if err := daemon.inService(ctx, f.lines); err != nil {
		return s, err
	}
	if err := pause(ctx, settling); err != nil {
		return s, err
	}
	return w.watch(ctx, daemon.process, b.lineTalk)
}

// inService waits until n lines are.
func (b *box) inService(ctx context.Context, n int) error {
	in := 0
	err := until(ctx, startLimit, func() (bool, error) {
		var ready struct {
			Parts map[string]struct {
				OK bool `json:"ok"`
			} `json:"parts"`
		}
		err := b.api().do(ctx, http.MethodGet, "/readyz", http.StatusOK, nil, &ready)
		in = 0
		for i := range n {
			if ready.Parts[fmt.Sprintf("line line %d", i+1)].OK {
				in++
			}
		}
		return in == n && err == nil, nil // it is not ready before
	})
	if err != nil {
		return fmt.Errorf("%d of %d lines are in service: %w", in, n, err)
	}
	return nil
}

// talkingLines lets a quarter of the lines talk, and then all.
func (b *bench) talkingLines(ctx context.Context, w *wires, dir string) (rows []row, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("lines: %w", err)
	}
	s, err := newStaff(ctx, b.program, dir, files{agents: b.lines, lines: b.lines, ports: w.dir})
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	if err := s.inService(ctx, b.lines); err != nil {
		return nil, err
	}
	for _, n := range []int{max(1, b.lines/4), b.lines} {
		got, delays, err := b.lineTalks(ctx, w, s, n)
		if err != nil {
			return rows, fmt.Errorf("%d lines: %w", n, err)
		}
		rows = append(rows, row{
			fmt.Sprintf("%d lines in talk with agents, recorded, echo at %s dB, for %v: CPU a line-minute", n, hybrid, b.lineTalk),
			fmt.Sprintf("%.3f s (%.2f %% of a core a line; box %.2f %%, simulated exchange %.2f %%)",
				got.minute(got.daemon, n), got.percent(got.daemon)/float64(n),
				got.percent(got.boxes)/float64(b.lines), got.percent(got.far)/float64(n)),
			"<= 2 % of a core a line",
		})
		if n == b.lines {
			rows = append(rows, row{
				fmt.Sprintf("%d lines that ring together: from the number to off hook", n),
				spread(delays, 0.5, 0.99), "<= 1 s",
			})
		}
	}
	return rows, nil
}

// lineTalks has n callers talk with agents; it gives what that costs and how
// long each line took from its caller's number to off hook.
func (b *bench) lineTalks(ctx context.Context, w *wires, s *staff, n int) (got shares, delays []time.Duration, err error) {
	s.behave(ctitest.Plan{})
	s.babble(agentPitch)
	began := time.Now().Truncate(time.Second).Add(time.Second)
	if err := pause(ctx, time.Until(began)); err != nil {
		return got, nil, err
	}
	if err := w.connect(n, true); err != nil {
		return got, nil, err
	}
	if err := until(ctx, startLimit, func() (bool, error) { return len(s.answers()) == n, nil }); err != nil {
		return got, nil, fmt.Errorf("%d calls came to an agent: %w", len(s.answers()), err)
	}
	if err := pause(ctx, settling); err != nil {
		return got, nil, err
	}
	got, err = w.watch(ctx, s.process, b.lineTalk)
	if err != nil {
		return got, nil, err
	}
	if err := w.part(); err != nil {
		return got, nil, err
	}
	records, err := s.api().answered(ctx, n, began)
	if err != nil {
		return got, nil, err
	}
	for _, r := range records {
		delays = append(delays, r.Times.Answer.Sub(r.Times.CallerID))
		if err := s.api().spoken(ctx, r.ID); err != nil {
			return got, nil, err
		}
	}
	return got, delays, nil
}

// spoken says whether both sides of a call are in its recording.
func (c *client) spoken(ctx context.Context, call string) error {
	file, err := c.fetch(ctx, http.MethodGet, "/api/v1/recordings/"+call+"/audio", http.StatusOK, nil)
	if err != nil {
		return err
	}
	sound, err := wav.Parse(file)
	if err != nil || sound.Channels != 2 || sound.Bits != 8 {
		return fmt.Errorf("recording of call %s: %d channels of %d bits: %w", call, sound.Channels, sound.Bits, err)
	}
	for i, name := range []string{"caller", "agent"} {
		var side []byte
		for at := i; at < len(sound.Data); at += 2 {
			side = append(side, sound.Data[at])
		}
		linear := make([]int16, len(side))
		media.Decode(media.PCMA, linear, side)
		if level := dsp.Level(linear); level < leastSpeech {
			return fmt.Errorf("the %s of call %s is recorded at %.1f dBm0", name, call, level)
		}
	}
	return nil
}
