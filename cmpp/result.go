package cmpp

import "fmt"

// Result is the outcome in a SubmitResp or DeliverResp. 100 to 199 are the
// gateway's own.
type Result uint32

// The results that the protocol names.
const (
	ResultOK             Result = 0
	ResultStructure      Result = 1
	ResultCommand        Result = 2
	ResultDuplicate      Result = 3
	ResultLength         Result = 4
	ResultFee            Result = 5
	ResultTooLong        Result = 6
	ResultService        Result = 7
	ResultThrottled      Result = 8
	ResultNotServed      Result = 9
	ResultSrcID          Result = 10
	ResultMsgSrc         Result = 11
	ResultFeeTerminalID  Result = 12
	ResultDestTerminalID Result = 13
)

var resultTexts = [...]string{
	"ok", "wrong message structure", "wrong command", "duplicate sequence", "wrong message length",
	"wrong fee code", "over the maximum length", "wrong service code", "flow control", "fee number not served",
	"wrong Src_Id", "wrong Msg_src", "wrong Fee_terminal_Id", "wrong Dest_terminal_Id",
}

// Text gives the meaning in words, "" for a gateway's own code.
func (r Result) Text() string {
	if int64(r) < int64(len(resultTexts)) {
		return resultTexts[r]
	}
	return ""
}

// String gives number and meaning.
func (r Result) String() string {
	if t := r.Text(); t != "" {
		return fmt.Sprintf("%d (%s)", uint32(r), t)
	}
	return fmt.Sprintf("%d", uint32(r))
}
