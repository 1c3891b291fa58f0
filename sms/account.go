package sms

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"callbox/internal/number"
	"callbox/internal/segment"
)

// What to do with a message whose outcome is unknown.
const (
	OnUnknownResend = "resend"
	OnUnknownHold   = "hold"
	OnUnknownDrop   = "drop"
)

// Who puts the signature into a text.
const (
	SignedByUs      = "us"
	SignedByGateway = "gateway"
)

// Account is what the gateway knows of one account at a carrier.
type Account struct {
	Name            string
	SrcID           string        // access number
	Numbers         []string      // what it serves: *, prefixes, mobile unicom telecom
	Signature       string        // 【…】, counted in every text
	SignatureBy     string        // us when empty
	OnUnknown       string        // resend when empty
	ExtensionDigits int           // behind SrcID, so that replies find their job
	ReportWait      time.Duration // 72 h when 0
	LongWait        time.Duration // for all parts of an incoming text; 10 min when 0
	LateAfter       time.Duration // not delivered by then: it is told; 0: never
	Style           segment.Style // how texts are cut, and in which alphabet
}

const (
	defaultReportWait = 72 * time.Hour
	defaultLongWait   = 10 * time.Minute
	maxSignature      = 40 // units: a part must have room for words
	maxExtension      = 8
)

var carrierNames = []string{"mobile", "unicom", "telecom"}

func (a Account) withDefaults() Account {
	if a.SignatureBy == "" {
		a.SignatureBy = SignedByUs
	}
	if a.OnUnknown == "" {
		a.OnUnknown = OnUnknownResend
	}
	if a.ReportWait == 0 {
		a.ReportWait = defaultReportWait
	}
	if a.LongWait == 0 {
		a.LongWait = defaultLongWait
	}
	if len(a.Numbers) == 0 {
		a.Numbers = []string{"*"}
	}
	return a
}

// Validate gives every fault of the account.
func (a Account) Validate() error {
	a = a.withDefaults()
	var errs []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			errs = append(errs, fmt.Errorf("account "+a.Name+": "+format, args...))
		}
	}
	fault(a.Name == "", "name is missing")
	fault(!slices.Contains([]string{SignedByUs, SignedByGateway}, a.SignatureBy), "signature_by: %q is neither us nor gateway", a.SignatureBy)
	fault(!slices.Contains([]string{OnUnknownResend, OnUnknownHold, OnUnknownDrop}, a.OnUnknown), "on_unknown: %q is none of resend, hold, drop", a.OnUnknown)
	fault(Units(a.Signature) > maxSignature, "signature: longer than %d", maxSignature)
	fault(a.ExtensionDigits < 0 || a.ExtensionDigits > maxExtension, "extension.digits: not 0 to %d", maxExtension)
	fault(a.ReportWait < 0 || a.LongWait < 0 || a.LateAfter < 0, "report_wait, long_mo_timeout, late_after: negative")
	fault(segment.Style{Alphabet: a.Style.Alphabet}.Validate() != nil, "alphabet: %q is none of auto, gbk, ucs2", a.Style.Alphabet)
	fault(segment.Style{RefBits: a.Style.RefBits}.Validate() != nil, "reference_bits: %d is neither 8 nor 16", a.Style.RefBits)
	for i, n := range a.Numbers {
		fault(!isPattern(n), "numbers[%d]: %q is neither *, digits nor mobile, unicom, telecom", i, n)
	}
	return errors.Join(errs...)
}

func isPattern(p string) bool {
	return p == "*" || slices.Contains(carrierNames, carrierName(p)) || number.Clean(p) != ""
}

func carrierName(pattern string) string {
	return strings.TrimSpace(strings.TrimPrefix(pattern, "carrier:"))
}

// serves says whether a number (E.164) is this account's.
func (a Account) serves(to string) bool {
	return slices.ContainsFunc(a.Numbers, func(p string) bool {
		switch {
		case p == "*":
			return true
		case slices.Contains(carrierNames, carrierName(p)):
			return number.Carrier(to) == carrierName(p)
		}
		prefix := number.Clean(p)
		return strings.HasPrefix(to, prefix) || strings.HasPrefix(number.National(to), prefix)
	})
}

// word puts the signature to text, or keeps room for it: what is stored and
// how many units the carrier's gateway adds.
func (a Account) word(text string) (signed string, reserve int) {
	if a.SignatureBy == SignedByGateway {
		return strings.TrimPrefix(text, a.Signature), Units(a.Signature)
	}
	return Sign(text, a.Signature), 0
}
