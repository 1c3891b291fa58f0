package cti

import (
	"errors"
	"testing"

	"callbox/internal/stamp"

	"github.com/google/go-cmp/cmp"
)

func TestJudge(t *testing.T) {
	boxAnswered := CDR{Times: Times{Answer: stamp.Now()}}
	talked := CDR{Times: Times{Answer: stamp.Now(), AgentAnswer: stamp.Now()}}
	message := CDR{Times: boxAnswered.Times, Recording: Recording{Voicemail: &VoiceMessage{Seconds: 2}}}
	begun := CDR{Times: boxAnswered.Times, Recording: Recording{Voicemail: &VoiceMessage{From: 3}}}
	ours := CDR{Direction: Out, Times: talked.Times}
	for name, tt := range map[string]struct {
		outcome Outcome
		record  CDR
		where   string
		gone    error
		want    verdict
	}{
		"caller gives up before the answer": {
			Outcome{}, CDR{}, WhereIVR, ErrRemoteHangup, verdict{ResultAbandoned, WhereIVR, CauseCanceled, CallerSide},
		},
		"agent takes a call back": {
			Outcome{Kind: Failed, Side: AgentSide, Cause: CauseCanceled},
			CDR{Direction: Out},
			WhereIVR, errAgentGone,
			verdict{ResultFailed, "", CauseCanceled, AgentSide},
		},
		"agent dials on the own telephone and puts it down": {
			Outcome{Kind: Gone}, CDR{Direction: Out}, WhereIVR, ErrRemoteHangup, verdict{ResultFailed, "", CauseCanceled, AgentSide},
		},
		"caller gives up in the menu": {
			Outcome{Kind: Gone}, boxAnswered, WhereIVR, ErrRemoteHangup, verdict{ResultAbandoned, WhereIVR, CauseNormal, CallerSide},
		},
		"caller gives up in the queue": {
			Outcome{Kind: Gone}, boxAnswered, WhereQueue, ErrRemoteHangup, verdict{ResultAbandoned, WhereQueue, CauseNormal, CallerSide},
		},
		"caller gives up while an agent rings": {
			Outcome{}, boxAnswered, WhereRinging, ErrRemoteHangup, verdict{ResultAbandoned, WhereRinging, CauseNormal, CallerSide},
		},
		"caller leaves a message": {
			Outcome{Kind: Gone}, message, WhereIVR, ErrRemoteHangup, verdict{ResultVoicemail, "", CauseNormal, CallerSide},
		},
		"caller left a message, and the flow goes on": {
			Outcome{Kind: Completed}, message, WhereIVR, nil, verdict{ResultVoicemail, "", CauseNormal, BoxSide},
		},
		"caller says nothing": {
			Outcome{Kind: Gone}, begun, WhereIVR, ErrRemoteHangup, verdict{ResultAbandoned, WhereIVR, CauseNormal, CallerSide},
		},
		"caller ends the talk": {
			Outcome{Kind: Talked, Side: CallerSide}, talked, WhereIVR, ErrRemoteHangup, verdict{ResultAnswered, "", CauseNormal, CallerSide},
		},
		"agent ends the talk": {
			Outcome{Kind: Talked, Side: AgentSide, Cause: CauseNormal}, talked, WhereIVR, nil, verdict{ResultAnswered, "", CauseNormal, AgentSide},
		},
		"flow ends the call": {
			Outcome{Kind: Completed}, boxAnswered, WhereIVR, nil, verdict{ResultCompleted, "", CauseNormal, BoxSide},
		},
		"ended by command in the menu": {
			Outcome{Kind: Gone}, boxAnswered, WhereIVR, ErrCanceled, verdict{ResultCompleted, "", CauseNormal, BoxSide},
		},
		"ended by command before anybody answers": {
			Outcome{}, CDR{Direction: Out}, WhereIVR, ErrCanceled, verdict{ResultFailed, "", CauseCanceled, BoxSide},
		},
		"no route": {
			Outcome{Kind: Refused, Side: BoxSide, Cause: CauseNotFound}, CDR{}, WhereIVR, nil, verdict{ResultRejected, "", CauseNotFound, BoxSide},
		},
		"blocked caller": {
			Outcome{}, CDR{}, WhereIVR, ErrBlocked, verdict{ResultRejected, "", CauseBusy, BoxSide},
		},
		"line lost in the talk": {
			Outcome{Kind: Talked, Side: CallerSide}, talked, WhereIVR, ErrLineLost, verdict{ResultAnswered, "", CauseLineLost, LineSide},
		},
		"box shuts down in the queue": {
			Outcome{}, boxAnswered, WhereQueue, ErrShutdown, verdict{ResultFailed, "", CauseNormal, BoxSide},
		},
		"handler failed": {
			Outcome{Kind: Failed, Side: BoxSide, Cause: CauseError}, boxAnswered, WhereIVR, nil, verdict{ResultFailed, "", CauseError, BoxSide},
		},
		"customer did not answer our call": {
			Outcome{Kind: Failed, Side: CallerSide, Cause: CauseBusy},
			CDR{Direction: Out, Times: Times{AgentAnswer: stamp.Now()}},
			WhereIVR, nil,
			verdict{ResultFailed, "", CauseBusy, CallerSide},
		},
		"customer ends our call": {
			Outcome{Kind: Talked, Side: CallerSide}, ours, WhereIVR, ErrRemoteHangup, verdict{ResultAnswered, "", CauseNormal, CallerSide},
		},
		"box shuts down while it dials": {
			Outcome{Kind: Failed, Side: AgentSide, Cause: CauseCanceled},
			CDR{Direction: Out, Times: Times{AgentAnswer: stamp.Now()}},
			WhereIVR, ErrShutdown,
			verdict{ResultFailed, "", CauseNormal, BoxSide},
		},
		"agent puts down the own telephone": {
			Outcome{Kind: Talked, Side: AgentSide, Cause: CauseNormal},
			talked, WhereIVR, ErrRemoteHangup,
			verdict{ResultAnswered, "", CauseNormal, AgentSide},
		},
		"nobody lifts the own telephone": {
			Outcome{Kind: Gone, Side: CallerSide, Cause: CauseNormal},
			CDR{},
			WhereRinging, ErrRemoteHangup,
			verdict{ResultAbandoned, WhereRinging, CauseCanceled, CallerSide},
		},
		"unknown outcome": {
			Outcome{Kind: "what"}, boxAnswered, WhereIVR, nil, verdict{ResultFailed, "", CauseNormal, BoxSide},
		},
		"wrapped cause": {
			Outcome{}, boxAnswered, WhereIVR, errors.Join(errors.New("BYE"), ErrRemoteHangup), verdict{ResultAbandoned, WhereIVR, CauseNormal, CallerSide},
		},
	} {
		t.Run(name, func(t *testing.T) {
			got := judge(tt.outcome, tt.record, tt.where, tt.gone)
			if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(verdict{})); diff != "" {
				t.Error(diff)
			}
		})
	}
}
