package sip

import (
	"context"
	"fmt"
	"slices"

	"callbox/cti"

	wire "github.com/emiago/sipgo/sip"
)

// ringsAt remembers a place where the leg rings.
func (l *outLeg) ringsAt(d *dialog) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !slices.Contains(l.ringers, d) {
		l.ringers = append(l.ringers, d)
	}
}

// Lift asks the phones that ring to answer by themselves: [cti.Lifter]. It is
// NOTIFY with Event talk within the early dialog, as desk phones have it for
// answering by a click; one that does not know it says so.
func (l *outLeg) Lift(ctx context.Context) error {
	l.mu.Lock()
	ringers, rings := slices.Clone(l.ringers), l.state == ringing && l.trunk == nil
	l.mu.Unlock()
	if !rings || len(ringers) == 0 {
		return fmt.Errorf("no phone rings: %w", cti.ErrWrongState)
	}
	why := "it does not answer"
	for _, d := range ringers {
		if d.isOver() {
			continue
		}
		res, err := l.s.inDialog(ctx, d, nil, wire.NOTIFY, talkEvent)
		switch {
		case err != nil:
			why = err.Error()
		case res.IsSuccess():
			return nil
		default:
			why = fmt.Sprintf("the phone says %d %s", res.StatusCode, shown(res.Reason))
		}
	}
	return fmt.Errorf("%s: %w", why, cti.ErrWrongState)
}

func talkEvent(req *wire.Request) {
	req.AppendHeader(wire.NewHeader("Event", "talk"))
	req.AppendHeader(wire.NewHeader("Subscription-State", "active"))
}
