package v253

import "strings"

// profile is what a family of chips does differently. All but callbox come
// from published traces and manuals (Conexant 102752C and REM-201692C, USR5637
// OEM guide, Silicon Labs AN93) and were not run on hardware.
type profile struct {
	name   string
	signs  []string // any of these in an answer to ATI… or +GM… names the family; digits are the whole line
	setup  []step   // after the resync, in this order; +VSM follows
	wide   bool     // carries 16-bit samples both ways at once
	ends   ends
	hooks  hooks
	dialVT bool // +VTS sends digits; else ATDT…;
	clears bool // DLE CAN throws away what +VTR has yet to play
}

// step is one command of the setup; without voice mode there is no box.
type step struct {
	command string
	must    bool
}

// ends are the codes that end the data states, tried in turn: first the
// family's, then what its cousins want.
type ends struct {
	talk, listen []string
}

// hooks are the commands that close and open the loop; listen hears the line
// on hook ("" where a chip cannot).
type hooks struct {
	off, on, listen string
	flash           string // with the time in 10 ms; "" is off and on by the host's clock
}

const (
	endTalk   = "\x10^"
	endSend   = "\x10\x03"
	endListen = "\x10!"
	threeDLE  = "\x10\x10" // before a code: Zoom 3095 wants three DLEs
)

// initial is the usual sequence; silence is the argument of +VSD that turns
// silence detection off: Conexant accepts 128,n and ignores n. +VCID comes
// after every ATZ because many chips forget it there.
func initial(silence string, more ...step) []step {
	steps := []step{
		{reset, false},
		{hello, true},
		{"ATS0=0", false},
		{"AT+FCLASS=8", true},
		{"AT+VCID=1", false},
		{"AT+VDR=0", false},
		{"AT+VIT=0", false},
		{"AT+VSD=" + silence, false},
		{"AT+IFC=2,2", false},
	}
	return append(steps, more...)
}

var (
	plainHooks = hooks{off: "AT+VLS=1", on: "AT+VLS=0"}
	oneDLE     = ends{
		talk:   []string{endTalk, threeDLE + endTalk, endSend + endListen},
		listen: []string{endListen, "\x10\x1b", threeDLE + endListen},
	}
	threeDLEs = ends{
		talk:   []string{threeDLE + endTalk, endTalk, threeDLE + endSend + threeDLE + endListen},
		listen: []string{threeDLE + endListen, endListen, "\x10\x1b"},
	}
)

// generic is a box that no profile knows: V.253 by the book.
var generic = profile{
	name:  "generic",
	setup: initial("128,0"), ends: oneDLE, dialVT: true,
	hooks: hooks{off: "AT+VLS=1", on: "AT+VLS=0", listen: "AT+VLS=20"},
}

var profiles = []profile{
	{
		name: "callbox", signs: []string{"callbox"},
		setup: initial("0,0", step{"AT+VDR=1,0", false}, step{"AT+VTD=8", false}),
		wide:  true, ends: oneDLE, dialVT: true, clears: true,
		hooks: hooks{off: "AT+VLS=1", on: "AT+VLS=0", listen: "AT+VLS=20", flash: "AT+VTS={!,%d}"},
	},
	{
		name: "usr5637", signs: []string{"5601", "USR5637", "U.S. ROBOTICS 56K FAX USB"},
		setup: initial("128,0", step{"AT+VTD=8", false}), ends: oneDLE, dialVT: true,
		hooks: plainHooks,
	},
	{
		name: "cx930xx", signs: []string{"CX930", "56000", "CONEXANT"},
		setup: initial("0,0", step{"AT+VTD=8", false}), ends: threeDLEs, dialVT: true,
		hooks: hooks{off: "AT+VLS=1", on: "AT+VLS=0", listen: "AT+VLS=20"},
	},
	{
		name: "si24xx", signs: []string{"SI24", "SILICON LAB", "2493", "2457", "2434", "2415", "2404"},
		setup: initial("128,0", step{"AT+VTD=8", false}), ends: oneDLE, dialVT: true,
		hooks: plainHooks,
	},
}

// findProfile gives the profile of a name.
func findProfile(name string) (profile, bool) {
	for _, p := range profiles {
		if p.name == name {
			return p, true
		}
	}
	return generic, name == generic.name
}

// recognise gives the profile whose signs stand in the answers to ATI….
func recognise(answers []string) profile {
	for _, p := range profiles {
		for _, sign := range p.signs {
			for _, line := range answers {
				if shows(line, sign) {
					return p
				}
			}
		}
	}
	return generic
}

func shows(line, sign string) bool {
	line = strings.ToUpper(strings.TrimSpace(line))
	if strings.Trim(sign, "0123456789") == "" {
		return line == sign
	}
	return strings.Contains(line, strings.ToUpper(sign))
}
