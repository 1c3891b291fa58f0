package wav_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"callbox/recorder/wav"
)

const (
	quietA, loudA = 0xD5, 0xAA // A-law: nothing, and the loudest
	quietU, loudU = 0xFF, 0x80 // µ-law
)

// fileOf is a whole file of these frames.
func fileOf(f wav.Format, frames []byte) []byte {
	return append(wav.Header(f, 2, 8000, int64(len(frames))), frames...)
}

func peaksOf(t testing.TB, file []byte, n int) wav.Peaks {
	t.Helper()
	p, err := wav.ReadPeaks(bytes.NewReader(file), int64(len(file)), n)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestPeaks(t *testing.T) {
	for name, tt := range map[string]struct {
		law         wav.Format
		quiet, loud byte
	}{"A-law": {wav.ALaw, quietA, loudA}, "µ-law": {wav.MuLaw, quietU, loudU}} {
		t.Run(name, func(t *testing.T) {
			frames := bytes.Repeat([]byte{tt.quiet, tt.quiet}, 16000)
			frames[2*4000] = tt.loud      // left, at half a second
			frames[2*15999+1] = tt.loud   // right, the last of all
			frames[2*8000] = tt.loud ^ 16 // a segment less: half as loud
			p := peaksOf(t, fileOf(tt.law, frames), 4)
			if p.Seconds != 2 {
				t.Errorf("%v s", p.Seconds)
			}
			if p.Left[1] != 255 || p.Left[0] > 1 || p.Left[3] > 1 || p.Left[2] < 120 || p.Left[2] > 130 {
				t.Errorf("left %v", p.Left)
			}
			if p.Right[3] != 255 || slices.Max(p.Right[:3]) > 1 {
				t.Errorf("right %v", p.Right)
			}
			whole := p.Resample(2)
			if !slices.Equal(whole.Left, []byte{255, p.Left[2]}) || whole.Right[1] != 255 || whole.Seconds != 2 {
				t.Errorf("in two %+v", whole)
			}
		})
	}
}

// Whatever the number of stretches, each frame is in one of them.
func TestEveryFrameIsInAPeak(t *testing.T) {
	const frames = 131*1024 + 77 // more than is read at a time
	for _, n := range []int{1, 3, 100, 997, 8000} {
		for _, at := range []int{0, 1, frames / 3, min(frames/n+1, frames-1), frames - 1} {
			sound := bytes.Repeat([]byte{quietA}, 2*frames)
			sound[2*at] = loudA
			p := peaksOf(t, fileOf(wav.ALaw, sound), n)
			if i := slices.Index(p.Left, 255); len(p.Left) != n || i != at*n/frames {
				t.Errorf("of %d, frame %d is in %d", n, at, i)
			}
			if less := p.Resample(n/2 + 1); slices.Max(less.Left) != 255 {
				t.Errorf("of %d, frame %d is lost in fewer", n, at)
			}
		}
	}
}

func TestPeaksOfLittle(t *testing.T) {
	if p := peaksOf(t, fileOf(wav.MuLaw, []byte{loudU, quietU, quietU, quietU, 0}), 1000); len(p.Left) != 2 || p.Left[0] != 255 {
		t.Errorf("two frames and a half have %+v", p)
	}
	for name, tt := range map[string]struct {
		file []byte
		want error
	}{
		"no sound":   {fileOf(wav.ALaw, nil), wav.ErrEmpty},
		"half":       {fileOf(wav.ALaw, nil)[:30], wav.ErrFormat},
		"no file":    {nil, wav.ErrFormat},
		"other file": {wav.Header(wav.PCM, 2, 8000, 1000), wav.ErrFormat},
	} {
		if _, err := wav.ReadPeaks(bytes.NewReader(tt.file), int64(len(tt.file)), 10); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// BenchmarkPeaks is the file of an hour.
func BenchmarkPeaks(b *testing.B) {
	frames := make([]byte, 2*8000*3600)
	for i := range frames {
		frames[i] = byte(i * 7)
	}
	file := fileOf(wav.ALaw, frames)
	for b.Loop() {
		peaksOf(b, file, 8000)
	}
}
