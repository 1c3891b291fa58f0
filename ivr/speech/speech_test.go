package speech_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"pgregory.net/rapid"

	"callbox/cti/media"
	"callbox/ivr/speech"
	"callbox/recorder/wav"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const limit = 15 * time.Minute

func TestDecodeEveryKind(t *testing.T) {
	for name, tt := range map[string]struct {
		file      []byte
		amplitude float64
	}{
		"PCM16 8 kHz mono":     {pcm(16, 1, 8000, 1000, 9000), 9000},
		"PCM16 16 kHz mono":    {pcm(16, 1, 16000, 1000, 9000), 9000},
		"PCM16 44.1 kHz":       {pcm(16, 2, 44100, 1000, 9000), 9000},
		"PCM16 48 kHz":         {pcm(16, 2, 48000, 1000, 9000), 9000},
		"PCM16 6 kHz":          {pcm(16, 1, 6000, 1000, 9000), 9000},
		"PCM16 22051 Hz":       {pcm(16, 1, 22051, 1000, 9000), 9000},
		"PCM8 11 kHz":          {pcm(8, 1, 11025, 1000, 9000), 9000},
		"PCM24 32 kHz":         {pcm(24, 2, 32000, 1000, 9000), 9000},
		"PCM32 8 kHz":          {pcm(32, 1, 8000, 1000, 9000), 9000},
		"A-law":                {law(media.PCMA), 9000},
		"µ-law":                {law(media.PCMU), 9000},
		"MP3 22 kHz mono":      {read(t, "tone-22k-mono.mp3"), 9000},
		"MP3 44 kHz left only": {read(t, "tone-44k-stereo.mp3"), 4500},
	} {
		t.Run(name, func(t *testing.T) {
			p, err := speech.Decode(t.Context(), bytes.NewReader(tt.file), limit)
			if err != nil {
				t.Fatal(err)
			}
			if d := p.Duration(); d < 480*time.Millisecond || d > 620*time.Millisecond {
				t.Errorf("half a second became %v", d)
			}
			for _, l := range []media.Law{media.PCMA, media.PCMU} {
				if got := level(sound(p, l), 1000); math.Abs(got-tt.amplitude) > tt.amplitude/10 {
					t.Errorf("%v: 1000 Hz at %.0f, want %.0f", l, got, tt.amplitude)
				}
			}
		})
	}
}

// TestNothingFoldsBack feeds tones above 4 kHz, which 8 kHz cannot carry.
func TestNothingFoldsBack(t *testing.T) {
	for _, hz := range []float64{4400, 6000, 7000, 15000} {
		p, err := speech.Decode(t.Context(), bytes.NewReader(pcm(16, 1, 44100, hz, 9000)), limit)
		if err != nil {
			t.Fatal(err)
		}
		alias := math.Abs(hz - 8000*math.Round(hz/8000))
		if got := level(sound(p, media.PCMA), alias); got > 40 {
			t.Errorf("%v Hz is heard as %v Hz at %.0f", hz, alias, got)
		}
	}
	p, err := speech.Decode(t.Context(), bytes.NewReader(pcm(16, 1, 44100, 3300, 9000)), limit)
	if got := level(sound(p, media.PCMA), 3300); err != nil || got < 8500 {
		t.Errorf("3300 Hz passes at %.0f of 9000 (%v)", got, err)
	}
}

func TestDecodeRefuses(t *testing.T) {
	long := pcm(16, 1, 8000, 1000, 9000)
	for name, tt := range map[string]struct {
		file []byte
		want error
	}{
		"empty":      {nil, speech.ErrEmpty},
		"text":       {[]byte("hello, this is no sound"), speech.ErrCorrupt},
		"no samples": {long[:44], speech.ErrEmpty},
		"cut header": {long[:20], speech.ErrCorrupt},
		"ID3 only":   {append([]byte("ID3\x03\x00\x00\x00\x00\x00\x05"), 1, 2, 3, 4, 5), speech.ErrCorrupt},
		"sync only":  {[]byte{0xFF, 0xFB, 0x90, 0x00}, speech.ErrCorrupt},
		"too long":   {long, speech.ErrTooLong},
	} {
		most := limit
		if tt.want == speech.ErrTooLong {
			most = 100 * time.Millisecond
		}
		if _, err := speech.Decode(t.Context(), bytes.NewReader(tt.file), most); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	gone := errors.New("gone")
	cancel(gone)
	if _, err := speech.Decode(ctx, bytes.NewReader(long), limit); !errors.Is(err, gone) {
		t.Errorf("after the end: %v", err)
	}
}

// TestDamagedFiles changes good files at random: there is an error or sound,
// within a second.
func TestDamagedFiles(t *testing.T) {
	good := [][]byte{read(t, "tone-22k-mono.mp3"), read(t, "tone-44k-stereo.mp3"), pcm(16, 2, 44100, 500, 9000), law(media.PCMU)}
	rapid.Check(t, func(t *rapid.T) {
		file := bytes.Clone(rapid.SampledFrom(good).Draw(t, "file"))
		file = file[:rapid.IntRange(0, len(file)).Draw(t, "cut")]
		for range rapid.IntRange(0, 30).Draw(t, "changes") {
			if len(file) > 0 {
				file[rapid.IntRange(0, len(file)-1).Draw(t, "at")] = rapid.Byte().Draw(t, "to")
			}
		}
		checkDecode(t, file)
	})
}

func FuzzDecode(f *testing.F) {
	for _, name := range []string{"tone-22k-mono.mp3", "tone-44k-stereo.mp3"} {
		f.Add(read(f, name)[:1500])
	}
	f.Add(pcm(16, 1, 44100, 500, 9000)[:600])
	f.Add(law(media.PCMA)[:200])
	f.Fuzz(func(t *testing.T, file []byte) { checkDecode(t, file) })
}

func checkDecode(t interface{ Errorf(string, ...any) }, file []byte) {
	begin := time.Now()
	p, err := speech.Decode(context.Background(), bytes.NewReader(file), limit)
	if took := time.Since(begin); took > time.Second {
		t.Errorf("%d bytes took %v", len(file), took)
	}
	if (err == nil) != (len(p.PCMA) > 0) || len(p.PCMA) != len(p.PCMU) {
		t.Errorf("%d bytes: %d samples and %v", len(file), len(p.PCMA), err)
	}
}

func TestLibrary(t *testing.T) {
	first, second, outside := t.TempDir(), t.TempDir(), t.TempDir()
	l, err := speech.New(speech.Config{Dirs: []string{first, filepath.Join(first, "missing"), second}, MaxBytes: 100_000})
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(first, "sub", "a.wav"), pcm(16, 1, 8000, 500, 9000))
	write(t, filepath.Join(second, "b.mp3"), read(t, "tone-22k-mono.mp3"))
	write(t, filepath.Join(second, "big.wav"), make([]byte, 100_001))
	write(t, filepath.Join(second, "bad.wav"), []byte("RIFF????WAVE"))
	write(t, filepath.Join(outside, "c.wav"), law(media.PCMA))
	_ = os.Symlink(filepath.Join(outside, "c.wav"), filepath.Join(first, "link.wav"))
	for name, want := range map[string]error{
		"sub/a.wav": nil, "b.mp3": nil, "none.wav": speech.ErrNotFound, "big.wav": speech.ErrTooLong, "bad.wav": speech.ErrEmpty,
		"sub": speech.ErrCorrupt, "../x.wav": speech.ErrNotFound, "link.wav": speech.ErrNotFound, "a\x00b": speech.ErrNotFound,
		filepath.Join(outside, "c.wav"): speech.ErrNotFound, "": speech.ErrNotFound,
	} {
		for range 2 {
			p, err := l.Load(t.Context(), name)
			if !errors.Is(err, want) {
				t.Errorf("Load(%q) = %v, want %v", name, err, want)
			}
			if err == nil && p.Name != name {
				t.Errorf("Load(%q) is named %q", name, p.Name)
			}
		}
	}
	if _, err := speech.New(speech.Config{}); err == nil {
		t.Error("a library without folders")
	}
	open, _ := speech.New(speech.Config{Outside: true})
	if _, err := open.Load(t.Context(), filepath.Join(outside, "c.wav")); err != nil {
		t.Errorf("Load of an absolute name: %v", err)
	}
}

func TestLibraryFollowsTheFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.wav")
	l, _ := speech.New(speech.Config{Dirs: []string{dir}, CacheBytes: 10_000})
	write(t, path, pcm(16, 1, 8000, 500, 9000))
	a, err := l.Load(t.Context(), "a.wav")
	if err != nil {
		t.Fatal(err)
	}
	b, _ := l.Load(t.Context(), "a.wav")
	if &a.PCMA[0] != &b.PCMA[0] {
		t.Error("it was decoded twice")
	}
	write(t, path, pcm(16, 1, 8000, 700, 9000))
	_ = os.Chtimes(path, time.Time{}, time.Now().Add(time.Hour))
	c, err := l.Load(t.Context(), "a.wav")
	if err != nil || level(sound(c, media.PCMA), 700) < 8000 {
		t.Errorf("the old sound is heard after a change (%v)", err)
	}
	for _, name := range []string{"x", "y", "z"} { // each fills the cache
		write(t, filepath.Join(dir, name), pcm(16, 1, 8000, 500, 9000))
		if _, err := l.Load(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	again, _ := l.Load(t.Context(), "a.wav")
	if &again.PCMA[0] == &c.PCMA[0] {
		t.Error("the cache has no bound")
	}
}

func TestLibraryWhenTheFirstGivesUp(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "a.wav"), pcm(16, 1, 8000, 500, 9000))
	l, _ := speech.New(speech.Config{Dirs: []string{dir}})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := l.Load(ctx, "a.wav"); !errors.Is(err, context.Canceled) {
		t.Errorf("Load = %v", err)
	}
	if _, err := l.Load(t.Context(), "a.wav"); err != nil {
		t.Errorf("Load after somebody gave up = %v", err)
	}
}

func TestMusic(t *testing.T) {
	p := speech.Music()
	s := sound(p, media.PCMA)
	if p.Duration() != 12800*time.Millisecond || !p.Loop || len(p.PCMU) != len(p.PCMA) {
		t.Errorf("%s: %v, loop %v", p.Name, p.Duration(), p.Loop)
	}
	if most := slices.Max(s); most < 2000 || most > 16000 {
		t.Errorf("it peaks at %d", most)
	}
	for i := range s { // round the seam, too
		if d := int(s[i]) - int(s[(i+len(s)-1)%len(s)]); d > 8000 || d < -8000 {
			t.Errorf("it clicks at %d", i)
		}
	}
	for i := 0; i+4000 <= len(s); i += 4000 {
		if rms(s[i:i+4000]) < 300 {
			t.Errorf("it is silent at %v", time.Duration(i)*time.Second/8000)
		}
	}
}

func TestTone(t *testing.T) {
	s := sound(speech.Tone("beep", 1000, -13, 500*time.Millisecond, 500*time.Millisecond), media.PCMA)
	if on, off := level(s[:4000], 1000), level(s[4000:], 1000); len(s) != 8000 || on < 4000 || off > 10 {
		t.Errorf("%d samples, 1000 Hz at %.0f, then %.0f", len(s), on, off)
	}
}

func TestVoice(t *testing.T) {
	v, err := speech.NewVoice(speech.VoiceConfig{})
	if errors.Is(err, speech.ErrNoVoice) {
		if os.Getenv("CI") == "true" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	p, err := v.Say(t.Context(), "您好,报修请按1")
	if err != nil {
		t.Fatal(err)
	}
	if p.Duration() < time.Second || p.Duration() > 10*time.Second || rms(sound(p, media.PCMA)) < 300 {
		t.Errorf("a greeting of %v at %.0f", p.Duration(), rms(sound(p, media.PCMA)))
	}
	path := filepath.Join(t.TempDir(), "prompts", "hello.wav")
	for range 2 {
		if err := v.SayFile(t.Context(), "$(touch x); `id` --help", path); err != nil {
			t.Fatal(err)
		}
	}
	l, _ := speech.New(speech.Config{Dirs: []string{filepath.Dir(path)}})
	if _, err := l.Load(t.Context(), "hello.wav"); err != nil {
		t.Error(err)
	}
	for text, want := range map[string]error{" ": speech.ErrEmpty, strings.Repeat("长", 2000): speech.ErrTooLong} {
		if _, err := v.Say(t.Context(), text); !errors.Is(err, want) {
			t.Errorf("Say = %v, want %v", err, want)
		}
	}
}

// TestBadVoices runs engines that fail in each way there is.
func TestBadVoices(t *testing.T) {
	for name, tt := range map[string]struct {
		script, want string
		most         time.Duration
	}{
		"exits 1":       {"echo no such voice >&2; exit 1", "no such voice", time.Second},
		"writes no end": {"cat /dev/zero", "more than", 2 * time.Second},
		"hangs":         {"sleep 60 & sleep 60", "longer than", 4500 * time.Millisecond},
		"says nothing":  {"exit 0", "no sound", time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			program := filepath.Join(t.TempDir(), "voice")
			if err := os.WriteFile(program, []byte("#!/bin/sh\n"+tt.script+"\n"), 0o700); err != nil {
				t.Fatal(err)
			}
			t.Parallel() // all are written by then: a fork in between would keep one open, and busy
			v, err := speech.NewVoice(speech.VoiceConfig{Program: program})
			if err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			if _, err = v.Say(t.Context(), "hello"); err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("Say = %v, want %q", err, tt.want)
			}
			if took := time.Since(begin); took > tt.most {
				t.Errorf("it took %v", took)
			}
		})
	}
	if _, err := speech.NewVoice(speech.VoiceConfig{Program: "no-such-engine"}); !errors.Is(err, speech.ErrNoVoice) {
		t.Errorf("NewVoice = %v", err)
	}
}

func BenchmarkDecode44100(b *testing.B) {
	file := pcm(16, 2, 44100, 1000, 9000)
	b.SetBytes(int64(len(file)))
	for b.Loop() {
		if _, err := speech.Decode(b.Context(), bytes.NewReader(file), limit); err != nil {
			b.Fatal(err)
		}
	}
}

// pcm is half a second of a tone as a WAV file.
func pcm(bits, channels, rate int, hz, amplitude float64) []byte {
	n := rate / 2
	h := wav.Header(wav.PCM, channels, rate, int64(n*channels*bits/8))
	binary.LittleEndian.PutUint32(h[28:], uint32(rate*channels*bits/8))
	binary.LittleEndian.PutUint16(h[32:], uint16(channels*bits/8))
	binary.LittleEndian.PutUint16(h[34:], uint16(bits))
	for i := range n {
		v := int32(amplitude * 65536 * math.Sin(2*math.Pi*hz*float64(i)/float64(rate)))
		if bits == 8 {
			v += math.MinInt32 // offset binary; wraps
		}
		for range channels {
			h = append(h, binary.LittleEndian.AppendUint32(nil, uint32(v))[4-bits/8:]...)
		}
	}
	return h
}

func law(l media.Law) []byte {
	s := make([]int16, 4000)
	for i := range s {
		s[i] = int16(9000 * math.Sin(2*math.Pi*1000*float64(i)/8000))
	}
	p, f := media.NewPrompt("", s), wav.ALaw
	body := p.PCMA
	if l == media.PCMU {
		f, body = wav.MuLaw, p.PCMU
	}
	return append(wav.Header(f, 1, 8000, int64(len(body))), body...)
}

func read(t testing.TB, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func write(t *testing.T, path string, b []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
}

func sound(p media.Prompt, l media.Law) []int16 {
	b := p.PCMA
	if l == media.PCMU {
		b = p.PCMU
	}
	s := make([]int16, len(b))
	media.Decode(l, s, b)
	return s
}

// level is a tone's amplitude in the middle of a sound (Goertzel).
func level(s []int16, hz float64) float64 {
	s = s[len(s)/4 : len(s)*3/4/80*80]
	w := 2 * math.Pi * hz / 8000
	var a, b float64
	for _, v := range s {
		a, b = float64(v)+2*math.Cos(w)*a-b, a
	}
	return 2 * math.Sqrt(a*a+b*b-2*math.Cos(w)*a*b) / float64(len(s))
}

func rms(s []int16) float64 {
	sum := 0.0
	for _, v := range s {
		sum += float64(v) * float64(v)
	}
	return math.Sqrt(sum / float64(len(s)))
}
