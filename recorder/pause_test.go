package recorder_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti/media"
	"callbox/recorder"
	"callbox/recorder/wav"
)

// speak lets both sides talk from now on, 20 ms at a time, in their places.
func (p *port) speak(began time.Time, lasts time.Duration, left, right byte) {
	for range int(lasts / media.Frame) {
		at := int64(time.Since(began) / (125 * time.Microsecond))
		p.say(media.Received, at, fill(left))
		p.say(media.Sent, at, fill(right))
		time.Sleep(media.Frame)
	}
}

// A card number is read out for 30 s: silence stands in its place, to the byte,
// all else is where it was.
func TestPause(t *testing.T) {
	for name, tt := range map[string]struct {
		law   media.Law
		file  wav.Format
		quiet byte
	}{
		"A-law":  {media.PCMA, wav.ALaw, 0xD5},
		"mu-law": {media.PCMU, wav.MuLaw, 0xFF},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b, p, began := newBench(t, nil), &port{law: tt.law}, time.Now()
				stop := b.record(t, "x", p)
				p.speak(began, 10*time.Second, 1, 2)
				for range 2 {
					if !b.shelf.Pause("x", true) {
						t.Error("not paused")
					}
				}
				p.speak(began, 30*time.Second, 3, 4)
				for range 2 {
					if !b.shelf.Pause("x", false) {
						t.Error("not resumed")
					}
				}
				p.speak(began, 10*time.Second, 5, 6)
				r := stop(t.Context())
				if r.State != recorder.Complete || r.Seconds != 50 || r.MissingSeconds != 0 || r.Pauses != 1 || r.PausedSeconds != 30 {
					t.Errorf("Result = %+v", r)
				}
				left, right := b.channels(t, "x", tt.file)
				want := func(side []byte, first, second byte) []byte {
					return slices.Concat(
						bytes.Repeat([]byte{first}, 80_000), bytes.Repeat([]byte{tt.quiet}, 240_000), bytes.Repeat([]byte{second}, 80_000))
				}
				if !bytes.Equal(left, want(left, 1, 5)) || !bytes.Equal(right, want(right, 2, 6)) {
					t.Error("the file holds something else")
				}
				b.checkRow(t, "x", r)
			})
		})
	}
}

// What counts is the place of a sound, not when it came.
func TestPauseAndLateSound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p := newBench(t, nil), &port{law: media.PCMA}
		stop := b.record(t, "x", p)
		early := int64(2*8000 - frame/2)
		time.Sleep(1990 * time.Millisecond)
		p.say(media.Received, early, fill(1)) // comes before, half of it belongs behind
		time.Sleep(10 * time.Millisecond)
		b.shelf.Pause("x", true)
		p.say(media.Received, 2*8000-4*frame, fill(2)) // late, from before
		p.say(media.Received, 3*8000, fill(3))         // within
		p.say(media.Sent, 4*8000-frame/2, fill(4))     // early, half of it belongs behind the pause
		time.Sleep(2 * time.Second)
		b.shelf.Pause("x", false)
		time.Sleep(2 * time.Second)
		p.say(media.Received, 8000, fill(5))      // very late, from before
		p.say(media.Received, 3*8000+80, fill(6)) // very late, within
		p.say(media.Received, 4*8000-80, fill(7)) // and across both ends
		p.say(media.Received, 2*8000-80, fill(8)) // of the pause
		p.say(media.Received, 5*8000, fill(9))    // from behind it
		time.Sleep(time.Second)
		b.shelf.Pause("x", true) // and the call ends in another one
		time.Sleep(time.Second)
		r := stop(t.Context())
		if r.State != recorder.Complete || r.Seconds != 8 || r.Pauses != 2 || r.PausedSeconds != 3 {
			t.Errorf("Result = %+v", r)
		}
		left, right := b.channels(t, "x", wav.ALaw)
		wantLeft, wantRight := bytes.Repeat([]byte{0xD5}, 8*8000), bytes.Repeat([]byte{0xD5}, 8*8000)
		put := func(to []byte, at, n int, b byte) { copy(to[at:], bytes.Repeat([]byte{b}, n)) }
		put(wantLeft, 2*8000-4*frame, frame, 2)
		put(wantLeft, 8000, frame, 5)
		put(wantLeft, 4*8000, 80, 7)
		put(wantLeft, 2*8000-80, 80, 8)
		put(wantLeft, 5*8000, frame, 9)
		put(wantRight, 4*8000, 80, 4)
		if !bytes.Equal(left, wantLeft) || !bytes.Equal(right, wantRight) {
			for i := range left {
				if left[i] != wantLeft[i] || right[i] != wantRight[i] {
					t.Fatalf("frame %d holds %d and %d, want %d and %d", i, left[i], right[i], wantLeft[i], wantRight[i])
				}
			}
		}
	})
}

func TestPauseOfNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, nil)
		if b.shelf.Pause("x", true) {
			t.Error("paused what is not recorded")
		}
		stop := b.record(t, "x", &port{})
		if !b.shelf.Pause("x", false) {
			t.Error("going on is an error while it goes on")
		}
		b.shelf.Pause("x", true)
		time.Sleep(time.Second)
		if r := stop(t.Context()); r.Pauses != 1 || r.PausedSeconds != 1 {
			t.Errorf("Result = %+v", r)
		}
		if b.shelf.Pause("x", false) {
			t.Error("a recording that is over goes on")
		}
	})
}

// A disk that stalls over the pause brings nothing of it to the file; what finds
// no room meanwhile is missed by nobody.
func TestPauseWhileTheDiskStalls(t *testing.T) {
	for name, tt := range map[string]struct {
		stall, paused time.Duration
		state         string
	}{
		"5 s":  {5 * time.Second, 3 * time.Second, recorder.Complete},
		"45 s": {45 * time.Second, 46 * time.Second, recorder.Complete},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d := &disk{}
				b := newBench(t, func(c *recorder.Config) { c.Disk = d })
				p, began := &port{law: media.PCMA}, time.Now()
				stop := b.record(t, "x", p)
				p.speak(began, time.Second, 1, 1)
				d.set(func() error { time.Sleep(tt.stall); d.set(nil); return nil })
				p.speak(began, time.Second, 1, 1)
				b.shelf.Pause("x", true)
				p.speak(began, tt.paused, 3, 3)
				b.shelf.Pause("x", false)
				p.speak(began, 10*time.Second, 5, 5)
				r := stop(t.Context())
				if r.State != tt.state || r.Seconds != (12*time.Second+tt.paused).Seconds() || r.PausedSeconds != tt.paused.Seconds() {
					t.Errorf("Result = %+v", r)
				}
				sound := d.file().b[wav.HeaderSize:]
				if bytes.Contains(sound, []byte{3}) {
					t.Error("what was said in the pause is in the file")
				}
				if n := bytes.Count(sound, []byte{0xD5}); n < int(tt.paused.Seconds())*16_000 {
					t.Errorf("%d bytes of silence", n)
				}
			})
		})
	}
}

// A crash in the pause leaves a file that is mended as any other.
func TestCrashInAPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b, p, began := newBench(t, nil), &port{law: media.PCMA}, time.Now()
		b.record(t, "x", p)
		p.speak(began, time.Second, 1, 1)
		b.shelf.Pause("x", true)
		p.speak(began, 2*time.Second, 3, 3)
		synctest.Wait()
		dir, rows := t.TempDir(), b.index.snapshot()
		if err := os.CopyFS(dir, os.DirFS(b.dir)); err != nil {
			t.Fatal(err)
		}
		again, err := recorder.New(recorder.Config{Dir: dir, Log: quiet()}, &index{rows: rows})
		if err != nil {
			t.Fatal(err)
		}
		if err := again.Recover(context.Background()); err != nil {
			t.Fatal(err)
		}
		all, err := os.ReadFile(filepath.Join(dir, filepath.FromSlash(rows["x"].Path)))
		if err != nil {
			t.Fatal(err)
		}
		s, err := wav.Parse(all)
		if err != nil || s.Seconds() < 2.7 || bytes.Contains(s.Data, []byte{3}) || !bytes.Contains(s.Data[:16_000], []byte{1}) {
			t.Errorf("%v s, %v", s.Seconds(), err)
		}
	})
}
