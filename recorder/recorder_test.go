package recorder_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"callbox/cti/media"
	"callbox/recorder"
	"callbox/recorder/wav"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// frame is 20 ms in samples.
const frame = media.FrameSamples

func TestFileHoldsBothSides(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		port := &port{law: media.PCMU}
		stop := b.record(t, "call-1", port)
		for n := range 50 {
			at := int64(n * frame)
			port.say(media.Received, at, fill(byte(n)))
			if n >= 25 {
				port.say(media.Sent, at, fill(byte(100+n)))
			}
			time.Sleep(media.Frame)
			b.checkPlayable(t, "call-1", n)
		}
		time.Sleep(500 * time.Millisecond)
		r := stop(t.Context())
		if r.State != recorder.Complete || r.Seconds != 1.5 || r.MissingSeconds != 0 || r.Why != "" {
			t.Errorf("Result = %+v", r)
		}
		if again := stop(t.Context()); again != r {
			t.Errorf("a second stop says %+v", again)
		}
		left, right := b.channels(t, "call-1", wav.MuLaw)
		for n := range 75 {
			wantLeft, wantRight := byte(n), byte(100+n)
			if n >= 50 {
				wantLeft = 0xFF
			}
			if n < 25 || n >= 50 {
				wantRight = 0xFF
			}
			if l, r := left[n*frame:(n+1)*frame], right[n*frame:(n+1)*frame]; !bytes.Equal(l, fill(wantLeft)) || !bytes.Equal(r, fill(wantRight)) {
				t.Fatalf("frame %d holds %d and %d, want %d and %d", n, l[0], r[0], wantLeft, wantRight)
			}
		}
		b.checkRow(t, "call-1", r)
		if b.shelf.Active() != 0 || b.shelf.Errors() != 0 || b.shelf.Lag() != 0 {
			t.Errorf("Active %d, Errors %d, Lag %v", b.shelf.Active(), b.shelf.Errors(), b.shelf.Lag())
		}
	})
}

// mixed is a port on which both people are received.
type mixed struct{ *port }

func (mixed) Mixed() bool { return true }

func TestMixedIsSaidFromTheStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		both := b.record(t, "both", mixed{&port{law: media.PCMA}})
		apart := b.record(t, "apart", &port{law: media.PCMA})
		time.Sleep(time.Second)
		if rows := b.index.snapshot(); !rows["both"].Mixed || rows["apart"].Mixed {
			t.Errorf("rows while it records: %+v", rows)
		}
		if r := both(t.Context()); !r.Mixed || !b.index.snapshot()["both"].Mixed {
			t.Errorf("Result = %+v", r)
		}
		if r := apart(t.Context()); r.Mixed {
			t.Errorf("Result = %+v", r)
		}
	})
}

func TestFolderFollowsTheDateOfAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the bubble begins at 2000-01-01 00:00 UTC
		b := newBench(t, func(c *recorder.Config) { c.Location = time.FixedZone("west", -3600) })
		stop := b.record(t, "abc", &port{})
		if r := stop(t.Context()); r.Path != "recordings/1999/12/31/abc.wav" || r.State != recorder.Complete {
			t.Errorf("Result = %+v", r)
		}
	})
}

// TestAnyOrder says pieces in any order and lateness; what was said last for a
// place is what the file holds.
func TestAnyOrder(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type piece struct {
			Side  media.Side
			At    int64
			N     int
			Pause time.Duration
		}
		pieces := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) piece {
			return piece{
				media.Side(rapid.IntRange(0, 1).Draw(t, "side")), rapid.Int64Range(0, 30000).Draw(t, "at"),
				rapid.IntRange(1, 400).Draw(t, "n"), time.Duration(rapid.IntRange(0, 300).Draw(t, "ms")) * time.Millisecond,
			}
		}), 1, 30).Draw(rt, "pieces")
		synctest.Test(t, func(t *testing.T) {
			b := newBench(t, nil)
			port := &port{law: media.PCMA}
			stop := b.record(t, "x", port)
			begin := time.Now()
			want := [2][]byte{slices.Repeat([]byte{0xD5}, 1<<17), slices.Repeat([]byte{0xD5}, 1<<17)}
			for i, p := range pieces {
				sound := slices.Repeat([]byte{byte(i + 1)}, p.N)
				port.say(p.Side, p.At, sound)
				copy(want[p.Side][p.At:], sound)
				time.Sleep(p.Pause)
			}
			total := int(time.Since(begin) / 125 / time.Microsecond)
			if r := stop(t.Context()); r.State != recorder.Complete {
				t.Fatalf("Result = %+v", r)
			}
			if total == 0 {
				return
			}
			left, right := b.channels(t, "x", wav.ALaw)
			if !bytes.Equal(left, want[0][:total]) || !bytes.Equal(right, want[1][:total]) {
				rt.Fatalf("%d frames, want %d; or they differ", len(left), total)
			}
		})
	})
}

func TestSlowDisk(t *testing.T) {
	for name, tt := range map[string]struct {
		stall   time.Duration
		state   string
		missing float64
	}{
		"5 s are bridged":  {5 * time.Second, recorder.Complete, 0},
		"40 s lose a part": {40 * time.Second, recorder.Partial, 10},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &disk{}
				b := newBench(t, func(c *recorder.Config) { c.Disk = d })
				port := &port{}
				stop := b.record(t, "x", port)
				time.Sleep(time.Second)
				d.set(func() error { time.Sleep(tt.stall); d.set(nil); return nil })
				for n := range 50 * 60 {
					port.say(media.Received, int64(8000+n*frame), fill(1))
					time.Sleep(media.Frame)
				}
				r := stop(t.Context())
				if r.State != tt.state || r.Seconds != 61 || r.MissingSeconds < tt.missing-0.5 || r.MissingSeconds > tt.missing+0.5 {
					t.Errorf("Result = %+v", r)
				}
				if (r.Why != "") != (tt.missing > 0) {
					t.Errorf("Why = %q", r.Why)
				}
			})
		})
	}
}

func TestFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{}
		b := newBench(t, func(c *recorder.Config) { c.Disk = d })
		short, long := b.record(t, "short", &port{}), b.record(t, "long", &port{})
		time.Sleep(2 * time.Second)
		d.set(func() error { return syscall.ENOSPC })
		time.Sleep(2 * time.Second)
		r := short(t.Context())
		if r.State != recorder.Partial || !strings.Contains(r.Why, "no space") || r.Seconds > 2 || r.Seconds+r.MissingSeconds != 4 {
			t.Errorf("Result = %+v", r)
		}
		if lag := b.shelf.Lag(); lag < 2*time.Second {
			t.Errorf("Lag = %v", lag)
		}
		d.set(nil)
		time.Sleep(time.Second)
		if r := long(t.Context()); r.State != recorder.Complete || r.Seconds != 5 || r.MissingSeconds != 0 {
			t.Errorf("a fault that was overcome: %+v", r)
		}
		if b.shelf.Errors() != 2 {
			t.Errorf("Errors = %d, want 2", b.shelf.Errors())
		}
	})
}

func TestNoDiskAtAll(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, func(c *recorder.Config) { c.Disk = &disk{create: syscall.EROFS} })
		stop := b.record(t, "x", &port{})
		time.Sleep(3 * time.Second)
		r := stop(t.Context())
		if r.State != recorder.None || r.MissingSeconds != 3 || !strings.Contains(r.Why, "read-only") {
			t.Errorf("Result = %+v", r)
		}
		b.checkRow(t, "x", r)
	})
}

func TestSyncFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &disk{sync: syscall.EIO}
		b := newBench(t, func(c *recorder.Config) { c.Disk = d })
		stop := b.record(t, "x", &port{})
		time.Sleep(3 * time.Second)
		if r := stop(t.Context()); r.State != recorder.Partial || r.Seconds != 3 || !strings.Contains(r.Why, "syncing") {
			t.Errorf("Result = %+v", r)
		}
	})
}

func TestIndexFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		b.index.set(errors.New("locked"))
		begin := time.Now()
		stop := b.record(t, "x", &port{})
		if time.Since(begin) > 0 {
			t.Error("Record waited for the index")
		}
		time.Sleep(5*time.Second + time.Millisecond)
		if _, err := os.Stat(filepath.Join(b.dir, "recordings")); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a file without a row: %v", err)
		}
		b.index.set(nil)
		time.Sleep(5 * time.Second)
		b.index.set(errors.New("locked again"))
		limited, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if r := stop(limited); r.State != recorder.Running {
			t.Errorf("Result while the index is locked = %+v", r)
		}
		b.index.set(nil)
		if r := stop(t.Context()); r.State != recorder.Complete || r.Seconds < 10 {
			t.Errorf("Result = %+v", r)
		}
	})
}

func TestRecordRefuses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		stop := b.record(t, "x", &port{})
		for _, id := range []string{"x", "", "../x", "a/b", "a\x00", ".", strings.Repeat("a", 200)} {
			if _, err := b.shelf.Record(t.Context(), id, &port{}); err == nil {
				t.Errorf("Record took the id %q", id)
			}
		}
		stop(t.Context())
		if r := b.record(t, "x", &port{})(t.Context()); r.State != recorder.None {
			t.Errorf("a finished recording was begun again: %+v", r)
		}
	})
}

func TestStopOfTheShelf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		port := &port{}
		stop := b.record(t, "x", port)
		time.Sleep(time.Second)
		b.stop()
		port.say(media.Received, 9000, fill(1))
		if r := stop(t.Context()); r.State != recorder.Partial || r.Seconds != 1 || !strings.Contains(r.Why, "stopped") {
			t.Errorf("Result = %+v", r)
		}
		if _, err := b.shelf.Record(t.Context(), "y", port); !errors.Is(err, recorder.ErrClosed) {
			t.Errorf("Record = %v, want ErrClosed", err)
		}
	})
}

// TestCrash copies the files of a shelf in the middle of its work, as a kill
// leaves them, and mends the copy.
func TestCrash(t *testing.T) {
	b := newBench(t, nil)
	b.record(t, "lost", &port{})
	stop := b.record(t, "whole", &port{})
	time.Sleep(time.Second)
	b.record(t, "young", &port{})
	stop(t.Context())
	killed := time.Now()
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
		t.Fatal(err)
	}
	rows := b.index.snapshot()
	lost := rows["lost"]
	copied := filepath.Join(dir, filepath.FromSlash(lost.Path))
	if stat, err := os.Stat(filepath.Join(b.dir, filepath.FromSlash(lost.Path))); err == nil {
		_ = os.Chtimes(copied, time.Time{}, stat.ModTime())
	}
	tear(t, copied)
	rows["gone"] = recorder.Row{ID: "gone", Path: "recordings/2026/01/01/gone.wav", State: recorder.Running, Started: killed}
	rows["evil"] = recorder.Row{ID: "evil", Path: "../../etc/passwd", State: recorder.Running, Started: killed}

	again := &index{rows: rows}
	shelf, err := recorder.New(recorder.Config{Dir: dir, Log: quiet()}, again)
	if err != nil {
		t.Fatal(err)
	}
	if err := shelf.Recover(t.Context()); err != nil {
		t.Fatal(err)
	}
	rows = again.snapshot()
	got, lived := rows["lost"], killed.Sub(lost.Started).Seconds()
	if got.State != recorder.Partial || got.Why != "crash" || lived-got.Seconds > 0.3 || got.Missing < 0.1 || got.Missing > 0.5 {
		t.Errorf("lived %.3f s, row = %+v", lived, got)
	}
	whole, err := os.ReadFile(copied)
	if err != nil || hash(whole) != got.SHA256 {
		t.Errorf("hash differs: %v", err)
	}
	if s, err := wav.Parse(whole); err != nil || s.Seconds() != got.Seconds {
		t.Errorf("mended file: %v s, %v; the row says %v", s.Seconds(), err, got.Seconds)
	}
	if rows["whole"].State != recorder.Complete || rows["gone"].State != recorder.None || rows["evil"].State != recorder.None {
		t.Errorf("rows = %+v", rows)
	}
	if left, _ := again.Unfinished(t.Context()); len(left) > 0 {
		t.Errorf("left: %+v", left)
	}
}

// tear leaves a header that tells another length and half a frame at the end.
func tear(t *testing.T, path string) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	stat, _ := f.Stat()
	_, _ = f.WriteAt(wav.Header(wav.ALaw, 2, 8000, 1<<30), 0)
	_, _ = f.WriteAt([]byte{1}, stat.Size())
	_ = os.Chtimes(path, time.Time{}, stat.ModTime())
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	_ = os.Chtimes(path, time.Time{}, stat.ModTime())
}

func TestRecoverLeavesLiveOnesAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		stop := b.record(t, "x", &port{})
		time.Sleep(time.Second)
		if err := b.shelf.Recover(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := stop(t.Context()); r.State != recorder.Complete {
			t.Errorf("Result = %+v", r)
		}
		b.index.set(errors.New("locked"))
		if err := b.shelf.Recover(t.Context()); err == nil {
			t.Error("Recover hides the index's error")
		}
		b.index.set(nil)
	})
}

// TestEngine records a pipe of the real engine.
func TestEngine(t *testing.T) {
	b := newBench(t, nil)
	engine, err := media.New(media.Config{Log: quiet()})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error)
	go func() { done <- engine.Run(ctx) }()
	in := make(chan []byte, 15) // room for all that is said, should the engine end first
	p := engine.Pipe(media.PCMA, in, nil)
	stop := b.record(t, "x", p)
	go func() {
		for range 15 {
			in <- fill(7)
			time.Sleep(media.Frame)
		}
	}()
	if err := p.Play(t.Context(), media.Prompt{PCMA: slices.Repeat([]byte{9}, 2000)}); err != nil {
		t.Fatal(err)
	}
	time.Sleep(150 * time.Millisecond)
	r := stop(t.Context())
	cancel()
	<-done
	left, right := b.channels(t, "x", wav.ALaw)
	l, rt := bytes.Count(left, []byte{7}), bytes.Count(right, []byte{9})
	if r.State != recorder.Complete || l < 15*frame-2*frame || rt != 2000 {
		t.Errorf("%d samples left, %d right, %+v", l, rt, r)
	}
}

// bench is a running shelf in a folder of its own.
type bench struct {
	dir   string
	shelf *recorder.Shelf
	index *index
	stop  func()
}

func newBench(t *testing.T, change func(*recorder.Config)) *bench {
	t.Helper()
	b := &bench{dir: t.TempDir(), index: &index{rows: map[string]recorder.Row{}}}
	cfg := recorder.Config{Dir: b.dir, Log: quiet()}
	if change != nil {
		change(&cfg)
	}
	b.index.file = func(path string) bool {
		_, err := os.Stat(filepath.Join(b.dir, filepath.FromSlash(path)))
		return err == nil
	}
	var err error
	if b.shelf, err = recorder.New(cfg, b.index); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- b.shelf.Run(ctx) }()
	b.stop = sync.OnceFunc(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Run = %v", err)
		}
	})
	t.Cleanup(b.stop)
	return b
}

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func (b *bench) record(t *testing.T, id string, p media.Port) func(context.Context) recorder.Result {
	t.Helper()
	stop, err := b.shelf.Record(t.Context(), id, p)
	if err != nil {
		t.Fatal(err)
	}
	return stop
}

func (b *bench) path(id string) string {
	return filepath.Join(b.dir, filepath.FromSlash(b.index.snapshot()[id].Path))
}

func (b *bench) channels(t *testing.T, id string, want wav.Format) (left, right []byte) {
	t.Helper()
	all, err := os.ReadFile(b.path(id))
	if err != nil {
		t.Fatal(err)
	}
	s, err := wav.Parse(all)
	if err != nil || s.Format != want || s.Channels != 2 || s.Rate != 8000 {
		t.Fatalf("%+v, %v", s, err)
	}
	for i := 0; i < len(s.Data); i += 2 {
		left, right = append(left, s.Data[i]), append(right, s.Data[i+1])
	}
	return left, right
}

// checkPlayable checks that the file holds the call up to a moment ago.
func (b *bench) checkPlayable(t *testing.T, id string, n int) {
	t.Helper()
	synctest.Wait()
	all, err := os.ReadFile(b.path(id))
	if err != nil || n < 15 {
		return
	}
	s, err := wav.Parse(all)
	if lag := (n+1)*frame - s.Frames(); err != nil || lag > 1600 {
		t.Fatalf("after frame %d the file lacks %d samples (%v)", n, lag, err)
	}
}

func (b *bench) checkRow(t *testing.T, id string, r recorder.Result) {
	t.Helper()
	row := b.index.snapshot()[id]
	if row.State != r.State || row.Seconds != r.Seconds || row.Missing != r.MissingSeconds || row.SHA256 != r.SHA256 || row.Why != r.Why {
		t.Errorf("row %+v, result %+v", row, r)
	}
	if r.State == recorder.None {
		return
	}
	all, err := os.ReadFile(b.path(id))
	if err != nil || hash(all) != r.SHA256 {
		t.Errorf("hash %s does not fit (%v)", r.SHA256, err)
	}
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}

func fill(b byte) []byte { return slices.Repeat([]byte{b}, frame) }

// port is a media.Port that a test speaks for.
type port struct {
	media.Port
	law media.Law
	mu  sync.Mutex
	to  media.Sink
}

func (p *port) Law() media.Law { return p.law }

func (p *port) Tap(s media.Sink) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.to = s
}

func (p *port) say(side media.Side, at int64, sound []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.to != nil {
		p.to.Sound(side, at, sound)
	}
}

// index keeps rows in memory and fails on demand.
type index struct {
	mu   sync.Mutex
	rows map[string]recorder.Row
	fail error
	file func(path string) bool
}

func (x *index) set(err error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.fail = err
}

func (x *index) snapshot() map[string]recorder.Row {
	x.mu.Lock()
	defer x.mu.Unlock()
	rows := map[string]recorder.Row{}
	for id, r := range x.rows {
		rows[id] = r
	}
	return rows
}

func (x *index) Opened(_ context.Context, r recorder.Row) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.fail != nil {
		return x.fail
	}
	if x.file(r.Path) && x.rows[r.ID].State == recorder.Running {
		return errors.New("the file was there before the row")
	}
	if _, old := x.rows[r.ID]; !old {
		x.rows[r.ID] = r
	}
	return nil
}

func (x *index) Closed(_ context.Context, r recorder.Row) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.fail == nil {
		x.rows[r.ID] = r
	}
	return x.fail
}

func (x *index) Unfinished(context.Context) ([]recorder.Row, error) {
	x.mu.Lock()
	defer x.mu.Unlock()
	var rows []recorder.Row
	for _, r := range x.rows {
		if r.State == recorder.Running {
			rows = append(rows, r)
		}
	}
	return rows, x.fail
}

// disk is in memory and does what a test wants before each write.
type disk struct {
	create, sync error
	mu           sync.Mutex
	before       func() error
	last         *memory
}

func (d *disk) set(before func() error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.before = before
}

func (d *disk) Create(string) (recorder.File, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = &memory{disk: d}
	return d.last, d.create
}

// file is the one made last.
func (d *disk) file() *memory {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.last
}

func (d *disk) Sync() error { return d.sync }

type memory struct {
	disk *disk
	b    []byte
}

func (m *memory) WriteAt(p []byte, at int64) (int, error) {
	m.disk.mu.Lock()
	before := m.disk.before
	m.disk.mu.Unlock()
	if before != nil {
		if err := before(); err != nil {
			return 0, err
		}
	}
	m.b = append(m.b, make([]byte, max(int(at)+len(p)-len(m.b), 0))...)
	return copy(m.b[at:], p), nil
}

func (m *memory) ReadAt(p []byte, at int64) (int, error) {
	if at >= int64(len(m.b)) {
		return 0, io.EOF
	}
	n := copy(p, m.b[at:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

func (m *memory) Sync() error  { return nil }
func (m *memory) Close() error { return nil }
