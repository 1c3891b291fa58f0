package wav_test

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"callbox/recorder/wav"
)

func create(t testing.TB) (*os.File, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "a.wav")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f, path
}

func parse(t testing.TB, path string) wav.Sound {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s, err := wav.Parse(b)
	if err != nil {
		t.Fatalf("a file of %d bytes: %v", len(b), err)
	}
	return s
}

func TestPlayableAtEveryMoment(t *testing.T) {
	f, path := create(t)
	w, err := wav.NewWriter(f, wav.MuLaw)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for n := range byte(5) {
		piece := slices.Repeat([]byte{n, n + 100}, int(n)*7+1)
		all = append(all, piece...)
		if err := w.Append(piece); err != nil {
			t.Fatal(err)
		}
		s := parse(t, path)
		if s.Format != wav.MuLaw || s.Channels != 2 || s.Rate != 8000 || s.Bits != 8 || !bytes.Equal(s.Data, all) {
			t.Fatalf("after piece %d: %+v", n, s)
		}
	}
	if err := w.Pad(w.Frames() + 20000); err != nil {
		t.Fatal(err)
	}
	if err := w.Replace([]byte{1, 2}, 3); err != nil {
		t.Fatal(err)
	}
	s := parse(t, path)
	got := make([]byte, 2)
	if err := w.ReadFrames(got, 3); err != nil || !bytes.Equal(got, []byte{1, 2}) {
		t.Errorf("ReadFrames = %v, %v", got, err)
	}
	if s.Frames() != len(all)/2+20000 || s.Data[len(all)] != 0xFF || s.Data[6] != 1 {
		t.Errorf("after Pad and Replace: %d frames", s.Frames())
	}
	if err := w.Replace([]byte{1, 2}, w.Frames()); err == nil {
		t.Error("Replace went beyond the end")
	}
	if _, err := wav.NewWriter(f, wav.PCM); err == nil {
		t.Error("a recording in PCM was begun")
	}
}

// TestHeaderBytes compares with a header written by hand from the
// specification (Multimedia Programming Interface 1.0, RFC 2361).
func TestHeaderBytes(t *testing.T) {
	want := []byte("RIFF\x36\x00\x00\x00WAVEfmt \x12\x00\x00\x00\x06\x00\x02\x00\x40\x1f\x00\x00\x80\x3e\x00\x00\x02\x00\x08\x00\x00\x00" +
		"fact\x04\x00\x00\x00\x02\x00\x00\x00data\x04\x00\x00\x00")
	if got := wav.Header(wav.ALaw, 2, 8000, 4); !bytes.Equal(got, want) {
		t.Errorf("header\n% x, want\n% x", got, want)
	}
}

func TestRepairAnyLength(t *testing.T) {
	f, path := create(t)
	rapid.Check(t, func(t *rapid.T) {
		full := slices.Concat(wav.Header(wav.ALaw, 2, 8000, 1<<20), rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "sound"))
		cut := rapid.IntRange(0, len(full)).Draw(t, "cut")
		if cut > wav.HeaderSize && rapid.Bool().Draw(t, "header lost") {
			clear(full[:wav.HeaderSize])
		}
		_ = f.Truncate(0)
		if _, err := f.WriteAt(full[:cut], 0); err != nil {
			t.Fatal(err)
		}
		frames, err := wav.Repair(path, wav.ALaw)
		if err != nil {
			t.Fatal(err)
		}
		want := max(cut-wav.HeaderSize, 0) / 2
		if frames != int64(want) {
			t.Fatalf("%d frames in %d bytes, want %d", frames, cut, want)
		}
		b, _ := os.ReadFile(path)
		s, err := wav.Parse(b)
		if want == 0 && !errors.Is(err, wav.ErrEmpty) || want > 0 && (err != nil || !bytes.Equal(s.Data, full[wav.HeaderSize:wav.HeaderSize+2*want])) {
			t.Fatalf("after repair: %+v, %v", s, err)
		}
	})
	if err := os.WriteFile(path, bytes.Repeat([]byte("text "), 20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := wav.Repair(path, wav.ALaw); !errors.Is(err, wav.ErrFormat) {
		t.Errorf("Repair of a text = %v", err)
	}
	if _, err := wav.Repair(path+"x", wav.ALaw); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("Repair of nothing = %v", err)
	}
}

func TestParseRefuses(t *testing.T) {
	good := slices.Concat(wav.Header(wav.PCM, 1, 16000, 4), []byte{1, 2, 3, 4})
	with := func(at int, v ...byte) []byte {
		b := bytes.Clone(good)
		copy(b[at:], v)
		return b
	}
	for name, tt := range map[string]struct {
		b    []byte
		want error
	}{
		"good":            {good, nil},
		"nothing":         {nil, wav.ErrFormat},
		"no RIFF":         {with(0, 'X'), wav.ErrFormat},
		"AVI":             {with(8, 'A', 'V', 'I', ' '), wav.ErrFormat},
		"no channels":     {with(22, 0), wav.ErrFormat},
		"12 bits":         {with(34, 12), wav.ErrFormat},
		"ADPCM":           {with(20, 2), wav.ErrFormat},
		"1 GHz":           {with(24, 0, 0xCA, 0x9A, 0x3B), wav.ErrFormat},
		"no format":       {with(12, 'j', 'u', 'n', 'k'), wav.ErrFormat},
		"no sound":        {good[:44], wav.ErrEmpty},
		"no size yet":     {slices.Concat(wav.Header(wav.PCM, 1, 16000, 0), []byte{1, 2, 3, 4}), nil},
		"no sizes at all": {slices.Concat(good[:4], make([]byte, 4), good[8:40], make([]byte, 4), good[44:]), nil},
		"none, then LIST": {slices.Concat(good[:4], []byte{44, 0, 0, 0}, good[8:40], make([]byte, 4), []byte("LIST\x00\x00\x00\x00")), wav.ErrEmpty},
		"cut in header":   {good[:30], wav.ErrFormat},
		"no data chunk":   {with(36, 'L', 'I', 'S', 'T'), wav.ErrEmpty},
		"endless size":    {with(40, 0xFF, 0xFF, 0xFF, 0xFF), nil},
		"huge other size": {with(16, 0xFF, 0xFF, 0xFF, 0xFF), wav.ErrEmpty},
	} {
		if _, err := wav.Parse(tt.b); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(slices.Concat(wav.Header(wav.ALaw, 2, 8000, 4), []byte{1, 2, 3, 4}))
	f.Add(slices.Concat(wav.Header(wav.PCM, 1, 44100, 4), []byte{1, 2, 3, 4}))
	f.Add([]byte("RIFF\x00\x00\x00\x00WAVEfmt \x28\x00\x00\x00\xfe\xff\x02\x00"))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := wav.Parse(b)
		if err == nil && (s.Frames() < 1 || s.Seconds() <= 0 || len(s.Data) > len(b)) {
			t.Errorf("%+v", s)
		}
	})
}
