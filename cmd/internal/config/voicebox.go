package config

import (
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"callbox/cti/media/dsp"
	"callbox/storage"
)

// Voicebox is one analogue line.
type Voicebox struct {
	Port     string `yaml:"port"`
	Serial   string `yaml:"serial"`
	Label    string `yaml:"label"`
	Number   string `yaml:"number"`
	Mode     string `yaml:"mode"`
	Desk     string `yaml:"desk"`
	Profile  string `yaml:"profile"`
	Tones    any    `yaml:"tones"` // cn, or tones that differ from it, see tonesOf
	Polarity bool   `yaml:"polarity"`

	plan dsp.Plan
}

// Modes of a line: callbox takes its calls, or sits beside a telephone.
const (
	ModeAnswer = "answer"
	ModeAttend = "attend"
)

const maxLines = 16

// Plan is the call-progress tones of the line's exchange.
func (v Voicebox) Plan() dsp.Plan { return v.plan }

func fillVoicebox(v *Voicebox, n int) {
	fill(&v.Label, fmt.Sprintf("line %d", n))
	fill(&v.Mode, ModeAnswer)
	fill(&v.Profile, "auto")
}

func (b *Box) checkVoicebox(d *document) {
	if len(b.Voicebox) > maxLines {
		d.reject("voicebox", "%d lines are more than %d", len(b.Voicebox), maxLines)
	}
	taken := map[string]bool{}
	for i := range b.Voicebox {
		v, path := &b.Voicebox[i], fmt.Sprintf("voicebox[%d]", i)
		for _, unique := range []struct{ key, value string }{{"label", v.Label}, {"port", portKey(v.Port)}, {"serial", v.Serial}} {
			if unique.value != "" && taken[unique.key+unique.value] {
				d.reject(join(path, unique.key), "%q is there twice", unique.value)
			}
			taken[unique.key+unique.value] = true
		}
		v.check(d, path)
	}
}

func portKey(port string) string {
	if port == "" {
		return ""
	}
	return filepath.Clean(port)
}

func (v *Voicebox) check(d *document, path string) {
	switch {
	case v.Port == "" && v.Serial == "":
		d.reject(path, "wants a port such as /dev/ttyACM0, or the serial number of a box")
	case v.Port != "" && v.Serial != "":
		d.reject(path+".serial", "stands beside port: give one of them")
	}
	if strings.ContainsAny(v.Label, "/:") {
		d.reject(path+".label", "%q holds / or :", v.Label)
	}
	if !digits(strings.TrimPrefix(v.Number, "+")) {
		d.reject(path+".number", "%q is not made of digits", v.Number)
	}
	v.checkMode(d, path)
	switch v.Profile {
	case "auto", "callbox", "usr5637", "cx930xx", "si24xx":
	default:
		d.reject(path+".profile", "%q is none of auto, callbox, usr5637, cx930xx, si24xx", v.Profile)
	}
	v.plan = tonesOf(d, path+".tones", v.Tones)
}

func (v *Voicebox) checkMode(d *document, path string) {
	switch {
	case v.Mode != ModeAnswer && v.Mode != ModeAttend:
		d.reject(path+".mode", "%q is neither answer nor attend", v.Mode)
	case v.Mode == ModeAttend && v.Desk == "":
		d.reject(path+".mode", "attend wants desk: the agent whose telephone hangs on the line")
	case v.Mode == ModeAnswer && v.Desk != "":
		d.reject(path+".desk", "is for mode attend; a line in mode answer follows its number's route")
	}
}

// tonesOf reads a line's tones: cn, or a table of those that differ from it,
// each as on and off times (busy: [350ms, 350ms]) or as {hz: 450, pattern: […]}.
func tonesOf(d *document, path string, free any) dsp.Plan {
	plan := dsp.China()
	switch tones := free.(type) {
	case nil:
	case string:
		if tones != "" && tones != "cn" {
			d.reject(path, "%q is neither cn nor a table of tones", tones)
		}
	case map[string]any:
		for name, value := range tones {
			replaceTone(d, join(path, name), plan, name, value)
		}
	default:
		d.reject(path, "is neither cn nor a table of tones")
	}
	return plan
}

func replaceTone(d *document, path string, plan dsp.Plan, name string, value any) {
	for i := range plan {
		if plan[i].Name == name {
			plan[i] = toneOf(d, path, plan[i], value)
			return
		}
	}
	names := make([]string, len(plan))
	for i, c := range plan {
		names[i] = c.Name
	}
	d.reject(path, "is no tone; there are %s", strings.Join(names, ", "))
}

func toneOf(d *document, path string, c dsp.Cadence, value any) dsp.Cadence {
	table, ok := value.(map[string]any)
	if !ok {
		c.Pattern = patternOf(d, path, value)
		return c
	}
	for key, v := range table {
		switch key {
		case "hz":
			c.Hz = hertzOf(d, path+".hz", v)
		case "pattern":
			c.Pattern = patternOf(d, path+".pattern", v)
		default:
			d.reject(join(path, key), "is no key of a tone")
		}
	}
	return c
}

// hertzOf reads one frequency or a list of those that sound together.
func hertzOf(d *document, path string, value any) (hz []float64) {
	list, ok := value.([]any)
	if !ok {
		list = []any{value}
	}
	for _, v := range list {
		f, err := strconv.ParseFloat(fmt.Sprint(v), 64)
		if err != nil || f < 50 || f > 3800 {
			d.reject(path, "%v is no frequency from 50 to 3800 Hz", v)
			continue
		}
		hz = append(hz, f)
	}
	return hz
}

func patternOf(d *document, path string, value any) (pattern []time.Duration) {
	list, ok := value.([]any)
	if !ok || len(list)%2 != 0 {
		d.reject(path, "wants on and off times in pairs, such as [350ms, 350ms]; [] is a continuous tone")
		return nil
	}
	for _, v := range list {
		span, err := time.ParseDuration(fmt.Sprint(v))
		if err != nil || span < 20*time.Millisecond || span > time.Minute {
			d.reject(path, "%v is no time from 20ms to 1m", v)
		}
		pattern = append(pattern, span)
	}
	return pattern
}

// strangers are the desks of lines that are no agents of a site which names its
// agents.
func strangers(file string, site *Site) Faults {
	box, d := read(file)
	if box == nil || !site.Sections["agents"] {
		return nil
	}
	d.faults = nil
	for i, v := range box.Voicebox {
		if v.Desk != "" && !slices.ContainsFunc(site.Agents, func(a storage.Agent) bool { return a.ID == v.Desk }) {
			d.reject(fmt.Sprintf("voicebox[%d].desk", i), "there is no agent %q", v.Desk)
		}
	}
	return d.faults
}

// PortTroubles are the troubles of the lines' ports, each at its place in file.
// find names those of one line.
func PortTroubles(file string, find func(Voicebox) []string) Faults {
	box, d := read(file)
	if box == nil {
		return nil
	}
	d.faults = nil
	for i, v := range box.Voicebox {
		key := "port"
		if v.Port == "" {
			key = "serial"
		}
		for _, trouble := range find(v) {
			d.reject(fmt.Sprintf("voicebox[%d].%s", i, key), "%s", trouble)
		}
	}
	return d.faults
}
