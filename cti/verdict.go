package cti

import (
	"context"
	"errors"
)

// verdict is how a call went, in the words of its record.
type verdict struct {
	result, where, cause, side string
}

func (v verdict) write(r *CDR) {
	r.Result, r.Where, r.Cause, r.HangupSide = &v.result, v.where, v.cause, v.side
}

// judge says what a call's end means: o is what its handler returned, r the
// record so far, where the caller stood and gone why the call's context ended
// (nil when it did not).
func judge(o Outcome, r CDR, where string, gone error) verdict {
	v := verdict{side: o.Side, cause: o.Cause}
	if v.side == "" {
		v.side = BoxSide
	}
	if v.cause == "" {
		v.cause = CauseNormal
	}
	v.blame(gone, r)
	v.result = result(o, r, gone)
	if v.result == ResultAbandoned {
		v.where = where
	}
	return v
}

// blame writes who ended the call and why, where that was not the handler.
func (v *verdict) blame(gone error, r CDR) {
	switch {
	case gone == nil:
	case errors.Is(gone, errCeded):
		v.side, v.cause = AgentSide, CauseNormal
	case errors.Is(gone, ErrLineLost):
		v.side, v.cause = LineSide, CauseLineLost
	case errors.Is(gone, errAgentGone), unreached(gone, r):
		v.side, v.cause = AgentSide, CauseCanceled
	case errors.Is(gone, ErrCanceled): // by command
		v.side, v.cause = BoxSide, CauseCanceled
		if !r.Times.Answer.IsZero() {
			v.cause = CauseNormal
		}
	case errors.Is(gone, ErrShutdown), errors.Is(gone, context.Canceled):
		v.side, v.cause = BoxSide, CauseNormal
	case errors.Is(gone, ErrBlocked):
		v.side, v.cause = BoxSide, CauseBusy
	case errors.Is(gone, ErrNoAudio), errors.Is(gone, ErrNoAnswer):
		v.side, v.cause = BoxSide, CauseTimeout
	case v.side == AgentSide && r.Talked(): // who noticed it first
	default:
		v.side, v.cause = CallerSide, CauseNormal
		if r.Times.Answer.IsZero() {
			v.cause = CauseCanceled
		}
	}
}

// unreached says that an agent put down the own telephone before anybody
// answered there.
func unreached(gone error, r CDR) bool {
	return r.Direction == Out && r.Times.Answer.IsZero() && errors.Is(gone, ErrRemoteHangup)
}

var results = map[string]string{
	Completed: ResultCompleted,
	TimedOut:  ResultCompleted,
	Full:      ResultCompleted,
	NoAgents:  ResultCompleted,
	Voicemail: ResultVoicemail,
	Refused:   ResultRejected,
	Failed:    ResultFailed,
	Gone:      ResultAbandoned,
}

func result(o Outcome, r CDR, gone error) string {
	switch {
	case r.Talked():
		return ResultAnswered
	case errors.Is(gone, ErrBlocked):
		return ResultRejected
	case o.Kind == Voicemail, r.Recording.Left():
		return ResultVoicemail
	case unreached(gone, r):
		return ResultFailed
	case errors.Is(gone, ErrRemoteHangup):
		return ResultAbandoned
	case errors.Is(gone, ErrCanceled) && !r.Times.Answer.IsZero():
		return ResultCompleted
	case gone != nil:
		return ResultFailed
	}
	if known, ok := results[o.Kind]; ok {
		return known
	}
	return ResultFailed
}
