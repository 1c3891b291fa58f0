package v253

import (
	"errors"
	"maps"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// Golden traces of the opening, from published answers (not run on hardware).
func TestProfileTraces(t *testing.T) {
	find := "ATE0Q0V1 ATI0 " // resync
	ask := "ATI0 ATI3 ATI6 AT+GMI AT+GMM AT+GMR AT+GSN "
	voice := func(silence string) string {
		return "ATZ ATE0Q0V1 ATS0=0 AT+FCLASS=8 AT+VCID=1 AT+VDR=0 AT+VIT=0 AT+VSD=" + silence + " AT+IFC=2,2 "
	}
	for name, tt := range map[string]struct {
		answers   map[string]string
		profile   string
		trace     string
		coding    coding
		number    int
		threeDLEs bool
	}{
		"USR5637": {
			answers: usr5637, profile: "usr5637", coding: aLaw, number: 130,
			trace: find + ask + voice("128,0") + "AT+VTD=8 AT+VSM=? AT+VSM=130,8000 AT+VLS=0",
		},
		"CX93001": {
			answers: cx93001, profile: "cx930xx", coding: aLaw, number: 132, threeDLEs: true,
			trace: find + ask + voice("0,0") + "AT+VTD=8 AT+VSM=? AT+VSM=132,8000 AT+VSM=132,8000,0,0 AT+VLS=0",
		},
		"Si2457": {
			answers: si2457, profile: "si24xx", coding: aLaw, number: 5,
			trace: find + ask + voice("128,0") + "AT+VTD=8 AT+VSM=? AT+VSM=5,8000 AT+VLS=0",
		},
		"Agere, no profile's": {
			answers: agere, profile: "generic", coding: aLaw, number: 5,
			trace: find + ask + voice("128,0") + "AT+VSM=? AT+VSM=5,8000 AT+VLS=0",
		},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := chip(tt.answers)
				m, err := Open(t.Context(), f.plug(t), Config{Profile: "auto", Log: quietLog()})
				if err != nil {
					t.Fatal(err)
				}
				defer m.Close()
				if got := strings.Join(f.commands(), " "); got != tt.trace {
					t.Errorf("commands\n got %s\nwant %s", got, tt.trace)
				}
				if m.Identity().Profile != tt.profile || m.coding != tt.coding || m.set.number != tt.number {
					t.Errorf("%+v, codec %d (%v)", m.Identity(), m.set.number, m.coding)
				}
				if three := strings.HasPrefix(m.profile.ends.talk[0], threeDLE); three != tt.threeDLEs {
					t.Errorf("three DLEs first: %v", three)
				}
				if slices.Contains(f.commands(), "AT+VTR=?") {
					t.Error("+VTR was probed")
				}
			})
		})
	}
}

func TestIdentityFromAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := opened(t, chip(cx93001), "").Identity()
		want := Identity{Profile: "cx930xx", Model: "V90", Version: "CX93001-EIS_V0.2013-V92"}
		if got != want {
			t.Errorf("got %+v, want %+v", got, want)
		}
	})
}

func TestProfileByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		if got := opened(t, chip(usr5637), "si24xx").Identity().Profile; got != "si24xx" {
			t.Errorf("profile %s", got)
		}
		_, err := Open(t.Context(), chip(usr5637).plug(t), Config{Profile: "usr", Log: quietLog()})
		if err == nil || !strings.Contains(err.Error(), `"usr"`) {
			t.Errorf("unknown profile: %v", err)
		}
	})
}

func TestNoVoice(t *testing.T) {
	for name, answers := range map[string]map[string]string{
		"no class 8": {"ATI0": "336\nOK", "AT+FCLASS=8": "ERROR"},
		"no codec":   {"ATI0": "336\nOK", "AT+VSM=?": "140,\"2 BIT ADPCM\",2,0,7200,0,0\nOK"},
		"no codecs":  {"ATI0": "336\nOK", "AT+VSM=?": "ERROR"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				_, err := Open(t.Context(), chip(answers).plug(t), Config{Log: quietLog()})
				if !errors.Is(err, ErrNoVoice) {
					t.Errorf("Open: %v", err)
				}
			})
		})
	}
}

// TestLowerCase: a box that whispers is understood.
func TestLowerCase(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := chip(agere)
		f.lower = true
		m := opened(t, f, "auto")
		s, err := m.Talk(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		<-s.Frames()
		if err := s.End(t.Context()); err != nil {
			t.Error(err)
		}
		f.say("\r\nRING\r\n")
		if e := <-m.Events(); e.Kind != Ring {
			t.Errorf("%+v, want a ring", e)
		}
	})
}

// TestListensByTheBook: a box without the device that listens is asked for the
// sound all the same, unless its family is known to have none.
func TestListensByTheBook(t *testing.T) {
	for name, tt := range map[string]struct {
		answers  map[string]string
		vrx      string
		want     error
		commands string
	}{
		"it hears":    {agere, "", nil, "AT+VLS=20 AT+VRX"},
		"it does not": {agere, "ERROR", ErrRefused, "AT+VLS=20 AT+VRX"},
		"its family":  {usr5637, "", ErrRefused, ""},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := maps.Clone(tt.answers)
				answers["AT+VLS=20"] = "ERROR"
				if tt.vrx != "" {
					answers["AT+VRX"] = tt.vrx
				}
				f := chip(answers)
				m := opened(t, f, "auto")
				if _, err := m.Listen(t.Context()); !errors.Is(err, tt.want) {
					t.Errorf("Listen = %v, want %v", err, tt.want)
				}
				if got := strings.Join(f.commands(), " "); got != tt.commands {
					t.Errorf("commands %q, want %q", got, tt.commands)
				}
			})
		})
	}
}

// TestSlowBox answers late, so that the search asks again and again, and after
// each reset in digits: it is set up all the same, each answer to its question.
func TestSlowBox(t *testing.T) {
	for _, slow := range []time.Duration{250, 350, 550, 650, 750, 850} {
		synctest.Test(t, func(t *testing.T) {
			f := chip(agere)
			f.slow, f.numeric, f.forgets, f.lower = slow*time.Millisecond, true, true, true
			m := opened(t, f, "auto")
			if m.set.number != 5 || m.coding != aLaw || m.Identity().Version == "" {
				t.Errorf("answers after %v: codec %d (%v), %+v", f.slow, m.set.number, m.coding, m.Identity())
			}
			if err := m.Reset(t.Context()); err != nil {
				t.Errorf("answers after %v: %v", f.slow, err)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	for line, want := range map[string]struct {
		number int
		coding coding
	}{
		`0,"SIGNED PCM",16,0,(8000),(0),(0)`:                     {0, signed16},
		`1,"UNSIGNED PCM",8,0,(8000),(0),(0)`:                    {1, unsigned8},
		`4,"MU-LAW",8,0,(8000),(0),(0)`:                          {4, muLaw},
		`132,"A-Law",8,0,8000,0,0`:                               {132, aLaw},
		`5,"A-Law Companded PCM",8,0,(8000),(0),(0)`:             {5, aLaw},
		`129,"IMA ADPCM",4,0,8000,0,0`:                           {129, noCoding},
		`0,"SIGNED PCM",8,0,8000,0,0`:                            {0, signed8},
		`133,"14 bit PCM",14,0,8000,0,0`:                         {133, signed16},
		`+VSM: 130,UNSIGNED PCM,8,0,(7200,8000),(0),(0)`:         {130, unsigned8},
		`+VSM: 131,ULAW,8,0,(7200-11025),(0),(0)`:                {131, muLaw},
		`129,"16-BIT LINEAR",16,0,(7200,8000,11025),(0),(0)`:     {129, signed16},
		`1;CELP;1;0;(9600)`:                                      {1, noCoding},
		`0,"SIGNED PCM",16,0,(7200,11025),(0),(0)`:               {0, noCoding},
		`128,"8-BIT LINEAR",(7200,8000,11025)`:                   {128, unsigned8},
		`129,"16-BIT LINEAR",(7200,8000,11025)`:                  {129, signed16},
		`130,"8-BIT ALAW",(8000),(0),(0)`:                        {130, aLaw},
		`132,"IMA ADPCM",(7200,8000,11025)`:                      {132, noCoding},
		`5,"A-LAW, COMPANDED (G.711)",8,0,(8000),(0-31),(0-255)`: {5, aLaw},
	} {
		m, ok := readMethod(line)
		if !ok || m.number != want.number || m.coding() != want.coding {
			t.Errorf("%s: %+v is %v, want %+v", line, m, m.coding(), want)
		}
	}
	for _, line := range []string{"", "OK", "a,b,c,d", `"`, "(((((", ",,,,,,"} {
		if m, ok := readMethod(line); ok {
			t.Errorf("%q was read as %+v", line, m)
		}
	}
}

func FuzzMethod(f *testing.F) {
	f.Add(`0,"SIGNED PCM",16,0,(8000),(0),(0)`)
	f.Fuzz(func(_ *testing.T, line string) {
		if m, ok := readMethod(line); ok {
			m.coding()
		}
	})
}
