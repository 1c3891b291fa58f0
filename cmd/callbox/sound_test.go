package main

import (
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"callbox/recorder/wav"
)

// made generates a sound and gives what detect finds in it, as kind=value.
func made(t *testing.T, args ...string) []string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.wav")
	if code, _, errs := call("", append(append([]string{"generate"}, args...), "-o", file)...); code != 0 {
		t.Fatalf("generate %v = %d %s", args, code, errs)
	}
	return detected(t, file)
}

func detected(t *testing.T, file string) []string {
	t.Helper()
	code, out, errs := call("", "detect", file)
	if code != 0 {
		t.Fatalf("detect = %d %s", code, errs)
	}
	var all []string
	for l := range strings.Lines(out) {
		var h struct {
			T     *float64        `json:"t"`
			Kind  string          `json:"kind"`
			Value json.RawMessage `json:"value"`
		}
		if err := json.Unmarshal([]byte(l), &h); err != nil || h.T == nil || *h.T < 0 {
			t.Fatalf("%q: %v", l, err)
		}
		all = append(all, h.Kind+"="+strings.Trim(string(h.Value), `"`))
	}
	return all
}

func dtmf(digits string) []string {
	var all []string
	for _, d := range digits {
		all = append(all, "dtmf="+string(d))
	}
	return all
}

func same(got, want []string) bool { return fmt.Sprint(got) == fmt.Sprint(want) }

// long says whether the whole grid is gone through.
func long() bool { return os.Getenv("CALLBOX_LONG") != "" }

// noises are signal-to-noise ratios down to the worst that must do; without
// CALLBOX_LONG=1 that one alone.
func noises(worst int) []string {
	hard := fmt.Sprintf("--noise=%d", worst)
	if !long() {
		return []string{hard}
	}
	return []string{"--noise=100", "--noise=30", hard}
}

// some is the whole grid with CALLBOX_LONG=1, else its ends.
func some(all ...string) []string {
	if long() || len(all) < 3 {
		return all
	}
	return []string{all[0], all[len(all)-1]}
}

// With CALLBOX_LONG=1 these go through the whole grid.
func TestDetectFindsTheDigitsThatWereGenerated(t *testing.T) {
	t.Parallel()
	const digits = "0123456789*#ABCD"
	for _, level := range some("-3", "-9", "-20", "-30") {
		for _, twist := range some("-8", "-4", "0", "4") {
			for _, noise := range noises(15) {
				for _, on := range []string{"80ms", "40ms"} {
					if level == "-3" && twist == "4" {
						continue // it does not fit 16 bits
					}
					args := []string{"dtmf", digits, "--level", level, "--twist", twist, "--on", on, "--off", on, noise}
					if got := made(t, args...); !same(got, dtmf(digits)) {
						t.Errorf("%v: %v", args, got)
					}
				}
			}
		}
	}
}

func TestDetectFindsTheCallerIDThatWasGenerated(t *testing.T) {
	t.Parallel()
	const when = "03171656"
	for _, level := range some("-3", "-13.5", "-35") {
		for _, noise := range noises(7) {
			for _, modulation := range []string{"bell202", "v23"} {
				args := []string{"callerid", "--number", "013812345678", "--name", "王芳 A&B", "--time", when, "--level", level, "--modulation", modulation, noise}
				want := []string{`callerid={"number":"013812345678","name":"王芳 A&B","time":"03171656","mode":"fsk"}`}
				if got := made(t, args...); !same(got, want) {
					t.Errorf("%v: %v", args, got)
				}
			}
		}
	}
	for _, twist := range some("-8", "0", "4") {
		for _, noise := range noises(15) {
			args := []string{"callerid", "--mode", "dtmf", "--number", "13812345678", "--twist", twist, noise}
			want := []string{`callerid={"number":"13812345678","name":"","time":"","mode":"dtmf"}`}
			if got := made(t, args...); !same(got, want) {
				t.Errorf("%v: %v", args, got)
			}
		}
	}
	for args, want := range map[string]string{
		"--withheld":               `{"number":"","name":"","time":"03171656","mode":"fsk","private":true}`,
		"--absent":                 `{"number":"","name":"","time":"03171656","mode":"fsk","absent":true}`,
		"--number 114 --short":     `{"number":"114","name":"","time":"03171656","mode":"fsk"}`,
		"--withheld --mode dtmf":   `{"number":"","name":"","time":"","mode":"dtmf","private":true}`,
		"--number 110 --mode=dtmf": `{"number":"110","name":"","time":"","mode":"dtmf"}`,
	} {
		got := made(t, append([]string{"callerid", "--time", when}, strings.Fields(args)...)...)
		if !same(got, []string{"callerid=" + want}) {
			t.Errorf("%s: %v", args, got)
		}
	}
}

func TestDetectFindsTheToneThatWasGenerated(t *testing.T) {
	t.Parallel()
	levels := []string{"-30"}
	if long() {
		levels = []string{"-6", "-10", "-30"}
	}
	for name, kind := range map[string]string{
		"dial": "tone", "ringback": "tone", "busy": "tone", "congestion": "tone", "vacant": "tone", "cng": "fax", "ced": "fax",
	} {
		for _, level := range levels {
			for _, noise := range noises(15) {
				args := []string{"tone", name, "--level", level, "--seconds", "8", noise}
				if got := made(t, args...); !same(got, []string{kind + "=" + name}) {
					t.Errorf("%v: %v", args, got)
				}
			}
		}
	}
	for _, name := range []string{"toll", "howler", "callwaiting", "reminder"} {
		if got := made(t, "tone", name); len(got) != 0 {
			t.Errorf("%s: %v, which is not among what is told", name, got)
		}
	}
}

func TestMinimodemReadsOurCallerID(t *testing.T) {
	t.Parallel()
	program, err := exec.LookPath("minimodem")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no minimodem: scripts/tools test installs it")
		}
		t.Skip("no minimodem: scripts/tools test installs it")
	}
	file := filepath.Join(t.TempDir(), "x.wav")
	if code, _, errs := call("", "generate", "callerid", "--number", "13812345678", "--name", "WANG", "--time", "03171656", "-o", file); code != 0 {
		t.Fatal(errs)
	}
	out, err := exec.Command(program, "--rx", "callerid", "-f", file).Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"03/17 16:56", "13812345678", "WANG"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("%q lacks %q", out, want)
		}
	}
}

func TestLevelsOfWhatIsGenerated(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "x.wav")
	if code, _, errs := call("", "generate", "tone", "dial", "--level", "-20", "--seconds", "2", "-o", file); code != 0 {
		t.Fatal(errs)
	}
	sound, err := readSound(file, 0)
	if err != nil || len(sound) != 16000 {
		t.Fatalf("%d samples, %v", len(sound), err)
	}
	sum := 0.0
	for _, v := range sound {
		sum += float64(v) * float64(v)
	}
	const full = 32768 / math.Sqrt2 // +3.14 dBm0
	if got := 20*math.Log10(math.Sqrt(sum/float64(len(sound)))/full) + 3.14; math.Abs(got+20) > 0.05 {
		t.Errorf("%.2f dBm0, want -20", got)
	}
}

// write makes a WAV file of any shape.
func writeWAV(t *testing.T, f wav.Format, channels, rate int, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "x.wav")
	if err := os.WriteFile(file, append(wav.Header(f, channels, rate, int64(len(data))), data...), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

func TestDetectSaysWhatItCannotRead(t *testing.T) {
	t.Parallel()
	sound := make([]byte, 3200)
	text := filepath.Join(t.TempDir(), "x.txt")
	if err := os.WriteFile(text, []byte("not a sound"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args  []string
		code  int
		words string
	}{
		{[]string{writeWAV(t, wav.PCM, 1, 16000, sound)}, exitFailed, "16000 samples a second; it must be 8000"},
		{[]string{writeWAV(t, wav.PCM, 2, 8000, sound)}, exitFailed, "2 channels; it must be one"},
		{[]string{writeWAV(t, wav.PCM, 2, 8000, sound), "--channel", "3"}, exitFailed, "no channel 3 of 2"},
		{[]string{writeWAV(t, wav.PCM, 1, 8000, nil)}, exitFailed, "no sound in it"},
		{[]string{text}, exitFailed, "not a sound file"},
		{[]string{"nothing.wav"}, exitFailed, "nothing.wav: no such file"},
		{nil, exitUsage, "<file>"},
		{[]string{text, "--channel", "-1"}, exitUsage, "channels are counted from 1"},
		{[]string{writeWAV(t, wav.ALaw, 1, 8000, sound)}, 0, ""},
		{[]string{writeWAV(t, wav.MuLaw, 2, 8000, sound), "--channel", "2"}, 0, ""},
	} {
		code, out, errs := call("", append([]string{"detect"}, tt.args...)...)
		if code != tt.code || !strings.Contains(errs, tt.words) || out != "" {
			t.Errorf("detect %v = %d %q %q, want %d with %q", tt.args, code, out, errs, tt.code, tt.words)
		}
	}
}

func TestGenerateRefusesWhatCannotBe(t *testing.T) {
	t.Parallel()
	for args, words := range map[string]string{
		"dtmf 12x":                       "12x",
		"dtmf":                           "<digits>",
		"dtmf 1 --level 0":               "too loud",
		"dtmf 1 --level -80":             "below -70",
		"dtmf 1 --level NaN":             "NaN",
		"dtmf 1 --twist 99":              "twist of 99",
		"dtmf 1 --noise 200":             "200 dB",
		"dtmf 1 --on 0s":                 "0s",
		"tone beep":                      "there are dial ringback busy congestion vacant",
		"tone busy --seconds 0":          "0 seconds",
		"tone busy --level 4":            "too loud",
		"callerid":                       "a number is needed",
		"callerid --number 1 --withheld": "one of",
		"callerid --number 1x":           `"1x"`,
		"callerid --mode dtmf --number 1 --name x":  "only the long FSK message",
		"callerid --mode dtmf --number +86":         "+86",
		"callerid --mode dtmf --number 12":          "12",
		"callerid --mode dtmf --number 114 --short": "--short",
		"callerid --number 114 --time 99999999":     "99999999",
		"callerid --number 114 --name ☎":            "☎",
		"callerid --mode pigeon --number 1":         "pigeon",
	} {
		file := filepath.Join(t.TempDir(), "x.wav")
		code, _, errs := call("", append(append([]string{"generate"}, strings.Fields(args)...), "-o", file)...)
		if code != exitUsage || !strings.Contains(errs, words) {
			t.Errorf("generate %s = %d %q, want %d with %q", args, code, errs, exitUsage, words)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("generate %s wrote a file", args)
		}
	}
	if code, _, errs := call("", "generate", "dtmf", "1"); code != exitUsage || !strings.Contains(errs, "--out") {
		t.Errorf("no -o: %d %q", code, errs)
	}
	if code, _, errs := call("", "generate", "dtmf", "1", "-o", "/nowhere/x.wav"); code != exitFailed || !strings.Contains(errs, "/nowhere") {
		t.Errorf("nowhere to write: %d %q", code, errs)
	}
}
