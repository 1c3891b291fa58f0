package acd

import (
	"errors"
	"testing"

	"callbox/cti"
)

func TestNext(t *testing.T) {
	for name, tt := range map[string]struct {
		from State
		e    Event
		to   State
		err  error
	}{
		"log on":                  {LoggedOff, LogOn, NotReady, nil},
		"ready":                   {NotReady, SetReady, Ready, nil},
		"talk":                    {Ready, TalkEnded, WorkingAfterCall, nil},
		"wrap-up":                 {WorkingAfterCall, WrapUpOver, Ready, nil},
		"cut wrap-up short":       {WorkingAfterCall, SetReady, Ready, nil},
		"missed often":            {Ready, MissedOften, NotReady, nil},
		"ready when gone":         {LoggedOff, SetReady, LoggedOff, ErrRefused},
		"wrap-up of nothing":      {Ready, WrapUpOver, Ready, cti.ErrWrongState},
		"missing while not ready": {NotReady, MissedOften, NotReady, ErrRefused},
	} {
		t.Run(name, func(t *testing.T) {
			to, err := tt.from.Next(tt.e)
			if to != tt.to || !errors.Is(err, tt.err) {
				t.Errorf("%s, %s = %s, %v", tt.from, tt.e, to, err)
			}
		})
	}
}
