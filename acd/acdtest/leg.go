package acdtest

import (
	"context"
	"time"

	"callbox/cti"
	"callbox/cti/ctitest"
	"callbox/cti/media"
)

// over waits until a leg is over, at most so long.
func over(l *ctitest.Leg, limit time.Duration) bool {
	select {
	case <-l.Done():
		return true
	default:
	}
	if limit == 0 {
		return false
	}
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-l.Done():
		return true
	case <-timer.C:
		return false
	}
}

type engine struct{ media.Engine }

func (engine) Bridge(media.Port, media.Port) func() { return func() {} }

func (engine) Room() media.Room { return room{} }

type room struct{}

func (room) Hear(media.Port, ...media.Port) {}
func (room) Leave(media.Port)               {}
func (room) Close()                         {}

type recorder struct{}

func (recorder) Record(_ context.Context, _ string, outside media.Port) (func(context.Context) cti.Recording, error) {
	m, ok := outside.(interface{ Mixed() bool })
	done := cti.Recording{State: cti.RecordingComplete, Mixed: ok && m.Mixed()}
	return func(context.Context) cti.Recording { return done }, nil
}

func (recorder) Pause(string, bool) error { return nil }
