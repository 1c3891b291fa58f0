package main

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strings"
	"time"

	"callbox/cti/media/dsp"
)

// generateCmd makes line sounds for detect and for other people's detectors.
type generateCmd struct {
	DTMF     dtmfCmd     `cmd:"" name:"dtmf" help:"Digits."`
	CallerID callerIDCmd `cmd:"" name:"callerid" help:"Who calls, as an exchange sends it: FSK or DTMF."`
	Tone     toneCmd     `cmd:"" help:"A call-progress or fax tone."`
}

// Help gives an example.
func (generateCmd) Help() string {
	return `Writes WAV of 8 kHz, PCM16, one channel. Levels are in dBm0; a sine that just fills 16 bits has +3.14.

Example: callbox generate dtmf 123# -o digits.wav
         callbox generate callerid --mode fsk --number 13812345678 --name 王芳 -o callerid.wav
         callbox generate tone busy --seconds 5 --noise 20 -o busy.wav`
}

// soundFlags are those of every sound.
type soundFlags struct {
	Out   string   `short:"o" required:"" placeholder:"FILE.wav" help:"Where it is written."`
	Level *float64 `placeholder:"dBm0" help:"Level: -9 digits (of each tone before twist), -13.5 caller ID, -10 tones."`
	Noise *float64 `placeholder:"dB" help:"Signal-to-noise ratio of white noise below it; none if not given."`
}

const (
	digitLevel    = -9
	callerIDLevel = -13.5
	toneLevel     = -10
	leastLevel    = -70
	mostNoise     = -10 // signal-to-noise ratio
	leastNoise    = 100
	lead          = 200 * time.Millisecond // of silence around what is made
)

func (f *soundFlags) level(usual float64) float64 {
	if f.Level != nil {
		return *f.Level
	}
	return usual
}

// checkLevel refuses what cannot be made; levels are those of tones that sound together.
func (f *soundFlags) checkLevel(name string, levels ...float64) error {
	peak := 0.0
	for _, l := range levels {
		if !(l >= leastLevel) {
			return usageError(fmt.Sprintf("%s: a level of %v dBm0 is below %d", name, l, leastLevel))
		}
		peak += dsp.Amplitude(l)
	}
	if peak > dsp.Amplitude(dsp.Full)+1 {
		return usageError(fmt.Sprintf("%s: too loud for 16 bits", name))
	}
	if n := f.Noise; n != nil && !(*n >= mostNoise && *n <= leastNoise) {
		return usageError(fmt.Sprintf("%s: a signal-to-noise ratio of %v dB is not from %d to %d", name, *n, mostNoise, leastNoise))
	}
	return nil
}

// write adds noise against a signal of level dBm0 and writes the file.
func (f *soundFlags) write(sound []int16, level float64) error {
	if f.Noise != nil {
		addNoise(sound, level-*f.Noise)
	}
	if err := writeSound(f.Out, sound); err != nil {
		return fmt.Errorf("callbox generate: %w", err)
	}
	return nil
}

// addNoise adds white noise of a level; the same each time.
func addNoise(sound []int16, level float64) {
	sigma := dsp.Amplitude(level) / math.Sqrt2
	source := rand.New(rand.NewPCG(1, 2))
	for i, v := range sound {
		sum := math.Round(float64(v) + sigma*source.NormFloat64())
		sound[i] = int16(max(math.MinInt16, min(math.MaxInt16, sum)))
	}
}

// together is the level of two tones at once.
func together(a, b float64) float64 {
	return 10 * math.Log10(math.Pow(10, a/10)+math.Pow(10, b/10))
}

// twistFlag is for everything made of digits.
type twistFlag struct {
	Twist float64 `placeholder:"dB" default:"2" help:"Twist of digits: high tone minus low."`
}

func (t twistFlag) checkTwist(name string) error {
	if !(math.Abs(t.Twist) <= 30) {
		return usageError(fmt.Sprintf("%s: a twist of %v dB is not from -30 to 30", name, t.Twist))
	}
	return nil
}

func silence() []int16 { return make([]int16, lead*dsp.Rate/time.Second) }

// dtmfCmd makes digits.
type dtmfCmd struct {
	Digits string `arg:"" help:"0-9 * # A-D."`
	soundFlags
	twistFlag
	On  time.Duration `default:"80ms" help:"Length of a digit."`
	Off time.Duration `default:"80ms" help:"Length of a pause."`
}

// Help gives an example.
func (dtmfCmd) Help() string {
	return "Example: callbox generate dtmf 159# --level -25 --twist 4 --noise 15 -o digits.wav"
}

// Run writes the file.
func (c *dtmfCmd) Run() error {
	level := c.level(digitLevel)
	switch {
	case c.Digits == "" || strings.Trim(c.Digits, "0123456789*#ABCDabcd") != "":
		return usageError(fmt.Sprintf("generate dtmf: %q is not made of 0-9 * # A-D", c.Digits))
	case c.On < time.Millisecond || c.Off < 0 || c.On > time.Minute || c.Off > time.Minute:
		return usageError(fmt.Sprintf("generate dtmf: no digits of %v with pauses of %v", c.On, c.Off))
	}
	if err := c.checkTwist("generate dtmf"); err != nil {
		return err
	}
	if err := c.checkLevel("generate dtmf", level, level+c.Twist); err != nil {
		return err
	}
	k := dsp.Keying{Level: level, Twist: c.Twist, On: c.On, Off: c.Off}
	sound := append(dsp.AppendDTMF(silence(), c.Digits, k), silence()...)
	return c.write(sound, together(level, level+c.Twist))
}

// callerIDCmd makes a caller ID.
type callerIDCmd struct {
	soundFlags
	twistFlag
	Mode       string `enum:"fsk,dtmf" default:"fsk" help:"fsk or dtmf."`
	Number     string `help:"The caller's number."`
	Name       string `help:"The caller's name (FSK only), sent as GB2312."`
	Time       string `placeholder:"MMDDHHMM" help:"Month, day, hour, minute; now if not given."`
	Withheld   bool   `help:"The caller does not want to be known: no number."`
	Absent     bool   `help:"The exchange does not know the number."`
	Short      bool   `help:"FSK: the short message (SDMF): no name."`
	Modulation string `enum:"bell202,v23" default:"bell202" help:"FSK: bell202 (China, North America) or v23."`
}

// Help gives an example.
func (callerIDCmd) Help() string {
	return `Example: callbox generate callerid --mode fsk --number 13812345678 --name 王芳 -o callerid.wav
         minimodem --rx callerid -f callerid.wav`
}

// Run writes the file.
func (c *callerIDCmd) Run() error {
	caller := dsp.CallerID{
		Number: c.Number, Name: c.Name, Time: c.Time, Private: c.Withheld, Absent: c.Absent, Mode: c.Mode,
	}
	if caller.Time == "" {
		caller.Time = time.Now().Format("01021504")
	}
	if err := c.checkCaller(caller); err != nil {
		return err
	}
	level := c.level(callerIDLevel)
	if c.Mode == "dtmf" {
		return c.digits(caller, level)
	}
	if err := c.checkLevel("generate callerid", level); err != nil {
		return err
	}
	return c.write(append(c.fsk(caller, level), silence()...), level)
}

func (c *callerIDCmd) fsk(caller dsp.CallerID, level float64) []int16 {
	message, modulation := caller.MDMF(), dsp.Bell202
	if c.Short {
		message = caller.SDMF()
	}
	if c.Modulation == "v23" {
		modulation = dsp.V23
	}
	return dsp.AppendFSK(silence(), message, modulation, level)
}

func (c *callerIDCmd) digits(caller dsp.CallerID, level float64) error {
	if err := c.checkTwist("generate callerid"); err != nil {
		return err
	}
	if err := c.checkLevel("generate callerid", level, level+c.Twist); err != nil {
		return err
	}
	k := dsp.DefaultKeying
	k.Level, k.Twist = level, c.Twist
	sound := dsp.AppendDTMFCallerID(silence(), caller, k)
	for range 3 { // the receiver waits for the end
		sound = append(sound, silence()...)
	}
	return c.write(sound, together(level, level+c.Twist))
}

// checkCaller refuses what would arrive as something else.
func (c *callerIDCmd) checkCaller(caller dsp.CallerID) error {
	wrong := ""
	switch {
	case c.Number == "" && !c.Withheld && !c.Absent:
		wrong = "a number is needed, or --withheld or --absent"
	case c.Number != "" && (c.Withheld || c.Absent) || c.Withheld && c.Absent:
		wrong = "one of --number, --withheld and --absent"
	case (c.Mode == "dtmf" || c.Short) && c.Name != "":
		wrong = "only the long FSK message has a name"
	case c.Mode == "dtmf" && (strings.Trim(c.Number, "0123456789") != "" || len(c.Number) > 20 || len(c.Number) > 0 && len(c.Number) < 3):
		wrong = fmt.Sprintf("DTMF cannot send the number %q", c.Number)
	case c.Mode == "dtmf" && c.Short:
		wrong = "--short is for FSK"
	case c.Mode == "fsk":
		wrong = arrivesAs(caller)
	}
	if wrong == "" {
		return nil
	}
	return usageError("generate callerid: " + wrong)
}

// arrivesAs says what a receiver of the message would read differently.
func arrivesAs(caller dsp.CallerID) string {
	got, err := dsp.ParseCallerID(caller.MDMF())
	switch {
	case err != nil:
		return fmt.Sprintf("number %q and name %q make no message: %v", caller.Number, caller.Name, err)
	case got.Time != caller.Time:
		return fmt.Sprintf("%q is no time MMDDHHMM", caller.Time)
	case got.Number != caller.Number:
		return fmt.Sprintf("the number %q would arrive as %q", caller.Number, got.Number)
	case got.Name != caller.Name:
		return fmt.Sprintf("the name %q would arrive as %q", caller.Name, got.Name)
	}
	return ""
}

// toneCmd makes a tone.
type toneCmd struct {
	Name    string  `arg:"" help:"dial ringback busy congestion vacant … cng ced"`
	Seconds float64 `default:"10" help:"How long."`
	soundFlags
}

// Help gives an example.
func (toneCmd) Help() string {
	return "The tones: " + strings.Join(toneNames(), " ") + ".\n\n" +
		"Example: callbox generate tone busy --seconds 5 --level -25 -o busy.wav"
}

// faxTones are those of ITU-T T.30 §4, beside the plan of an exchange.
var faxTones = dsp.Plan{
	{Name: "cng", Hz: []float64{1100}, Pattern: []time.Duration{500 * time.Millisecond, 3 * time.Second}},
	{Name: "ced", Hz: []float64{2100}},
}

func tones() dsp.Plan { return append(dsp.China(), faxTones...) }

func toneNames() []string {
	var all []string
	for _, t := range tones() {
		all = append(all, t.Name)
	}
	return all
}

// Run writes the file.
func (c *toneCmd) Run() error {
	cadence, ok := tones().Find(c.Name)
	if !ok {
		return usageError(fmt.Sprintf("generate tone: there is no %q; there are %s", c.Name, strings.Join(toneNames(), " ")))
	}
	if !(c.Seconds > 0 && c.Seconds <= 3600) {
		return usageError(fmt.Sprintf("generate tone: %v seconds are not more than 0 and at most 3600", c.Seconds))
	}
	level := c.level(toneLevel)
	if err := c.checkLevel("generate tone", level); err != nil {
		return err
	}
	sound := make([]int16, int(c.Seconds*dsp.Rate))
	dsp.NewSource(cadence, level).Fill(sound)
	return c.write(sound, level)
}
