package cti

import (
	"context"
	"fmt"
	"strings"
)

const mostDigits = 64

// digits lets the outside party, or another one, hear keys.
func (v *conversation) digits(_ context.Context, _ *member, a args) (any, error) {
	if a.Digits == "" || len(a.Digits) > mostDigits || strings.Trim(a.Digits, "0123456789*#ABCD") != "" {
		return nil, fmt.Errorf("%w: digits are 1 to %d of 0-9 * # A-D", ErrBadArgs, mostDigits)
	}
	p := v.outside
	if a.ConnectionID != "" {
		p = v.byLeg(a.ConnectionID)
	}
	if p == nil || p.kind == supervisorLeg {
		return nil, fmt.Errorf("connection %s: %w", a.ConnectionID, ErrNotFound)
	}
	p.leg.Media().Send(a.Digits)
	return nil, nil
}
