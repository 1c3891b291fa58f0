package config

import (
	"errors"
	"fmt"
	"time"

	"callbox/cti"
)

// shortestHangup is the least that a party may be silent before its call ends.
const shortestHangup = 10 * time.Second

// Calls are the rules of all calls.
type Calls struct {
	NoAudio NoAudio `yaml:"no_audio"`
	Dialing Dialing `yaml:"dialing"`
}

// NoAudio is what becomes of a call in which a party is not heard. Negative
// times are never.
type NoAudio struct {
	Notice time.Duration `yaml:"notice"`
	Hangup time.Duration `yaml:"hangup"`
}

// Dialing says which numbers may be called from here, and how often.
type Dialing struct {
	Allow []string `yaml:"allow"`
	Deny  []string `yaml:"deny"`
	Agent Quota    `yaml:"agent"`
	Box   Quota    `yaml:"box"`
}

// Quota limits calls; 0 is the default, a negative value no limit.
type Quota struct {
	CallsPerMinute int `yaml:"calls_per_minute"`
	MinutesPerDay  int `yaml:"minutes_per_day"`
}

// Rules are the section as calls know it.
func (c Calls) Rules() (cti.NoAudio, cti.Dialing) {
	d := cti.Dialing{Allow: c.Dialing.Allow, Deny: c.Dialing.Deny, Agent: cti.Quota(c.Dialing.Agent), Box: cti.Quota(c.Dialing.Box)}
	return cti.NoAudio(c.NoAudio), d
}

// validate gives the faults, each beginning with its key.
func (c Calls) validate() error {
	_, rules := c.Rules()
	var faults []error
	for _, err := range rules.Validate() {
		faults = append(faults, fmt.Errorf("dialing.%w", err))
	}
	if h := c.NoAudio.Hangup; h > 0 && h < shortestHangup {
		faults = append(faults, fmt.Errorf("no_audio.hangup: %v is less than %v", h, shortestHangup))
	}
	return errors.Join(faults...)
}
