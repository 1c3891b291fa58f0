package cti

// wrapper is a leg that stands for another one.
type wrapper interface{ under() Leg }

func (k *seeker) under() Leg {
	leg, _ := k.now()
	return leg
}

func (l *deskLeg) under() Leg { return l.Leg }

func (h *handset) under() Leg { return h.Leg }

// as finds what a leg, or the one that it stands for, can do besides.
func as[T any](leg Leg) (can T, ok bool) {
	for leg != nil {
		if can, ok = leg.(T); ok {
			return can, true
		}
		w, stands := leg.(wrapper)
		if !stands {
			break
		}
		leg = w.under()
	}
	return can, false
}
