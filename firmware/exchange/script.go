package exchange

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Step is one line of a script.
type Step struct {
	Line int    // in the file, from 1
	Verb string // one of the words of [Steps]
	Text string // the file, the digits, or a word
	N    int    // bursts
	For  time.Duration
}

// Script is what caller, exchange and telephone do, one step after the other.
type Script []Step

// needs is what stands behind a verb.
type needs uint8

const (
	bare     needs = iota
	count          // [N]
	span           // DURATION
	maySpan        // [DURATION]
	file           // FILE [DURATION]
	keys           // DIGITS
	mayKeys        // [DIGITS] [DURATION]
	outcome        // DIGITS, hangup or flash, then [DURATION]
	manner         // [silent]
	maxTime  = 24 * time.Hour
	maxCount = 1000
)

var verbs = map[string]needs{
	"ring": count, "wait": span, "play": file, "record": file, "digits": keys, "expect": outcome,
	"flash": maySpan, "hangup": manner, "polarity": bare,
	"lift": bare, "replace": bare, "say": file, "dial": keys, "drop": maySpan,
	"await": mayKeys, "ringback": maySpan, "busy": bare, "congestion": bare, "vacant": bare, "pickup": bare,
}

// Steps explains the words of a script, for who writes one.
const Steps = `One step a line; a # at a line's begin or after a blank begins a comment. Durations: 500ms 2s 1m30s.
The caller:
  ring [N]             call, as soon as the line is free, until somebody answers; N: give up after so
                       many bursts. Where lift follows, the telephone is lifted after N bursts (1)
  wait 500ms           let so much time pass
  play F.wav [5s]      speak: in the background, until the file's end or the next play, digits or
                       hangup; with a duration: so long, and only then the next step. Where play,
                       digits or hangup follow at once, the file is heard to its end first
  record F.wav [5s]    write what the caller hears: in the background, until the next record or the
                       script's end (where it is the last step: until the box hangs up); with a
                       duration: so long, and only then the next step
  digits 159#          press keys
  expect 159# [10s]    these keys, and no others, come from the box (10 s if not said)
  expect hangup [10s]  the box hangs up
  expect flash [10s]   the box makes a hook flash
  hangup [silent]      hang up: busy tone follows; silent: none does
The line:
  polarity             turn the polarity round
  flash [100ms]        break the feed for so long; where the telephone is lifted: its own flash
  drop [500ms]         take the feed away for so long
The ordinary telephone beside the box:
  lift, replace        lift it (which answers a call), put it down
  say F.wav [5s]       speak into it; like play
  dial 88880001        press its keys
Calls that the box (or the telephone) makes; without await every number is answered after 5 s:
  await [NUMBER] [30s] wait until it has dialled this number (another fails), or any
  ringback [3s]        ringback tone follows, for so long before the next step
  busy, congestion, vacant
                       refuse the call with this tone
  pickup               answer it`

// ParseScript reads a script. The error joins every fault, each with its line.
func ParseScript(text string) (Script, error) {
	var script Script
	var faults []error
	for i, line := range strings.Split(strings.TrimPrefix(text, "\ufeff"), "\n") {
		step, err := parseStep(line)
		if err != nil {
			faults = append(faults, fmt.Errorf("line %d: %w", i+1, err))
		} else if step.Verb != "" {
			step.Line = i + 1
			script = append(script, step)
		}
	}
	if len(faults) > 0 {
		return nil, errors.Join(faults...)
	}
	return script, nil
}

// parseStep reads a line; without a step in it the verb is empty.
func parseStep(line string) (Step, error) {
	words := strings.Fields(line)
	if len(words) == 0 || words[0][0] == '#' {
		return Step{}, nil
	}
	s := Step{Verb: words[0]}
	need, ok := verbs[s.Verb]
	if !ok {
		return s, fmt.Errorf("%q is no step; there are %s", s.Verb, strings.Join(vocabulary(), " "))
	}
	words = uncomment(words[1:], need == keys || need == outcome)
	rest, err := s.arguments(need, words)
	if err == nil && len(rest) > 0 {
		err = fmt.Errorf("%s: %q is too much", s.Verb, strings.Join(rest, " "))
	}
	return s, err
}

func vocabulary() []string {
	var all []string
	for v := range verbs {
		all = append(all, v)
	}
	slices.Sort(all)
	return all
}

// uncomment leaves out what stands behind a word that begins with #. Where
// digits must stand, the first word is digits, #21# too.
func uncomment(words []string, digits bool) []string {
	for i, w := range words {
		if w[0] == '#' && (i > 0 || !digits) {
			return words[:i]
		}
	}
	return words
}

// arguments takes what the verb needs and gives what is left.
func (s *Step) arguments(need needs, words []string) (rest []string, err error) {
	switch need {
	case count:
		return s.count(words)
	case span:
		if len(words) == 0 {
			return nil, fmt.Errorf("%s: how long? such as 500ms", s.Verb)
		}
		return s.span(words)
	case maySpan:
		return s.span(words)
	case file:
		return s.file(words)
	case keys, mayKeys:
		return s.keys(words, need == mayKeys)
	case outcome:
		return s.outcome(words)
	case manner:
		if len(words) > 0 && words[0] == "silent" {
			s.Text, words = words[0], words[1:]
		}
	}
	return words, nil
}

func (s *Step) count(words []string) ([]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	n, err := strconv.Atoi(words[0])
	if err != nil || n < 1 || n > maxCount {
		return nil, fmt.Errorf("%s: %q is no number from 1 to %d", s.Verb, words[0], maxCount)
	}
	s.N = n
	return words[1:], nil
}

// span takes a duration where there is one.
func (s *Step) span(words []string) ([]string, error) {
	if len(words) == 0 {
		return nil, nil
	}
	d, err := time.ParseDuration(words[0])
	if err != nil || d <= 0 || d > maxTime {
		return nil, fmt.Errorf("%s: %q is no duration such as 500ms, 2s or 1m30s", s.Verb, words[0])
	}
	s.For = d
	return words[1:], nil
}

// file takes a file's name, which may have blanks, and a duration at the end.
func (s *Step) file(words []string) ([]string, error) {
	if n := len(words); n > 1 {
		if d, err := time.ParseDuration(words[n-1]); err == nil {
			if d <= 0 || d > maxTime {
				return nil, fmt.Errorf("%s: %q is no duration such as 500ms, 2s or 1m30s", s.Verb, words[n-1])
			}
			s.For, words = d, words[:n-1]
		}
	}
	if len(words) == 0 {
		return nil, fmt.Errorf("%s: which file?", s.Verb)
	}
	s.Text = strings.Join(words, " ")
	return nil, nil
}

func (s *Step) keys(words []string, optional bool) ([]string, error) {
	if len(words) == 0 {
		if optional {
			return nil, nil
		}
		return nil, fmt.Errorf("%s: which digits?", s.Verb)
	}
	if !dialable(words[0]) {
		if optional {
			return s.span(words)
		}
		return nil, fmt.Errorf("%s: %q is not made of 0-9 * # A-D", s.Verb, words[0])
	}
	s.Text = strings.ToUpper(words[0])
	if optional {
		return s.span(words[1:])
	}
	return words[1:], nil
}

func (s *Step) outcome(words []string) ([]string, error) {
	if len(words) > 0 && (words[0] == "hangup" || words[0] == "flash") {
		s.Text = words[0]
		return s.span(words[1:])
	}
	rest, err := s.keys(words, false)
	if err != nil {
		return nil, err
	}
	return s.span(rest)
}

func dialable(digits string) bool {
	return strings.Trim(digits, "0123456789*#ABCDabcd") == ""
}
