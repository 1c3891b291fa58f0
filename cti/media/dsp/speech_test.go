package dsp

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// long says whether tests that take minutes run; others say how to run them.
func long() bool { return os.Getenv("CALLBOX_LONG") != "" }

func needLong(t *testing.T) {
	t.Helper()
	if !long() {
		t.Skip("takes minutes: CALLBOX_LONG=1 go test ./cti/media/dsp")
	}
}

const (
	hanzi = "的一是不了在人有我他这个们中来上大为和国地到以说时要就出会可也你对生能而子那得于着下自之年过发后作里用道行所然家种事成方多经么去法学如都同现当没动面起看定天分还进好小部其些主样理心她本前开但因只从想实日军者意无力它与长把机十民第公此已工使情明性知全三又关点正业外将两高间由问很最重并物手应战向头文体政美相见被利什二等产或新己制身果加西斯月话合回特代内信表化老给世位次度门任常先海通教儿原东声提立及比员解水名真论处走义各入几口认条平系气题活尔更别打女变四神总何电数安少报才结反受目太量再感建务做接必场件计管期市直德资命山金指克许统区保至队形社便空决治展马科司五基眼书非则听白却界达光放强即像难且权思王象完设式色路记南品住告类求据程北边死张该交规万取拉格望觉术领共确传师观清今切院让识候带导争运笔八六七九零号您请拨按键转接谢稍等"
	words = "the of and a to in is you that it he was for on are as with his they I at be this have from or one had by word but not what all were we when your can said there use an each which she do how their if will up other about out many then them these so some her would make like him into time has look two more write go see number no way could people my than first water been call who oil its now find long down day did get come made may part queue agent telephone please hold line operator extension zero three four five six seven eight nine transfer moment morning evening service thank hello goodbye movie mean lean moon you're room mauve noon we're lemon yellow million opinion"
)

var voices = []string{
	"cmn", "en", "cmn+f2", "en+f3", "cmn+m3", "en-us+m5", "cmn+f4", "en+f5", "cmn+m7", "en-us+klatt", "cmn+croak", "en+whisper",
	"yue", "en-us+f1", "cmn+f1", "en+m1", "cmn+klatt3", "en-us+Annie", "cmn+Alicia", "en+grandpa",
}

// sayMuch makes about a minute of speech of the i-th kind: another voice, pitch,
// pace and text each time.
func sayMuch(t *testing.T, i int) (name string, sound []int16) {
	t.Helper()
	random := rand.New(rand.NewPCG(uint64(i), 7))
	voice := voices[i%len(voices)]
	var text strings.Builder
	for n := 0; n < 230; n++ {
		if strings.HasPrefix(voice, "en") {
			all := strings.Fields(words)
			fmt.Fprint(&text, all[random.IntN(len(all))], " ")
		} else {
			all := []rune(hanzi)
			fmt.Fprint(&text, string(all[random.IntN(len(all))]))
		}
		if random.IntN(11) == 0 {
			text.WriteString(", ")
		}
	}
	pitch, pace := 15+random.IntN(75), 120+random.IntN(100)
	name = fmt.Sprintf("%s, pitch %d, pace %d, text %d", voice, pitch, pace, i)
	return name, say(t, voice, pitch, pace, text.String())
}

// someSpeech is four minutes of it, made once.
func someSpeech(t *testing.T) []utterance {
	t.Helper()
	madeOnce.Lock()
	defer madeOnce.Unlock()
	for i := len(made); i < 3; i++ {
		name, sound := sayMuch(t, i)
		made = append(made, utterance{name, sound})
	}
	return made
}

type utterance struct {
	name  string
	sound []int16
}

var (
	madeOnce sync.Mutex
	made     []utterance
)

// muchSpeech goes through four minutes of speech, or an hour.
func muchSpeech(t *testing.T) iter.Seq[utterance] {
	t.Helper()
	return func(yield func(utterance) bool) {
		for _, s := range someSpeech(t) {
			if !yield(utterance{s.name, slices.Clone(s.sound)}) {
				return
			}
		}
		for i := 3; long() && i < 55; i++ {
			name, sound := sayMuch(t, i)
			if !yield(utterance{name, sound}) {
				return
			}
		}
	}
}

// say is speech of espeak-ng at 8 kHz, -16 dBm0 over all.
func say(t *testing.T, voice string, pitch, pace int, text string) []int16 {
	t.Helper()
	cmd := exec.Command(tool(t, "espeak-ng"), "-v", voice, "-p", fmt.Sprint(pitch), "-s", fmt.Sprint(pace), "--stdin", "--stdout")
	cmd.Stdin = strings.NewReader(text)
	wav, err := cmd.Output()
	if err != nil || len(wav) < 1000 {
		t.Fatalf("espeak-ng -v %s: %d bytes, %v", voice, len(wav), err)
	}
	rate := int(binary.LittleEndian.Uint32(wav[24:]))
	in := make([]int16, (len(wav)-44)/2)
	for i := range in {
		in[i] = int16(binary.LittleEndian.Uint16(wav[44+2*i:]))
	}
	sound := rerate(in, rate, Rate)
	amplify(sound, -16-Level(sound))
	return sound
}

// rerate brings sound from one rate to another by a windowed sinc.
func rerate(in []int16, from, to int) []int16 {
	const reach = 30
	steps := to / gcd(from, to)
	taps := make([][2 * reach]float64, steps) // of each place between two samples
	cut := 0.9 * min(1, float64(to)/float64(from))
	for i := range taps {
		for k := range taps[i] {
			x := float64(i)/float64(steps) + reach - 1 - float64(k)
			taps[i][k] = (0.5 + 0.5*math.Cos(math.Pi*x/reach)) * sinc(cut*x) * cut
		}
	}
	out := make([]int16, len(in)*to/from)
	for i := range out {
		at := i * from / to
		sum := 0.0
		for k, tap := range taps[i*from%to*steps/to] {
			if j := at + k - reach + 1; j >= 0 && j < len(in) {
				sum += float64(in[j]) * tap
			}
		}
		out[i] = fit(sum)
	}
	return out
}

func gcd(a, b int) int {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

func sinc(x float64) float64 {
	if x == 0 {
		return 1
	}
	return math.Sin(math.Pi*x) / (math.Pi * x)
}

func amplify(sound []int16, db float64) {
	by := math.Pow(10, db/20)
	for i, v := range sound {
		sound[i] = fit(float64(v) * by)
	}
}

func seconds(sound []int16) time.Duration {
	return time.Duration(len(sound)) * time.Second / Rate
}
