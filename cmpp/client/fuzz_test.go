package client

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cmpp"
	"callbox/internal/guard"
	"callbox/sms"
)

// FuzzGateway has a gateway say anything after the log-in while a message is
// on its way. The message gets an outcome, and nothing panics.
func FuzzGateway(f *testing.F) {
	frames := func(ps ...cmpp.PDU) (out []byte) {
		for i, p := range ps {
			out, _ = cmpp.Append(out, cmpp.V30, uint32(i+2), p)
		}
		return out
	}
	f.Add(frames(&cmpp.SubmitResp{MsgID: 1}))
	f.Add(frames(&cmpp.SubmitResp{Result: cmpp.ResultThrottled}, &cmpp.Terminate{}, &cmpp.TerminateResp{}))
	f.Add(frames(&cmpp.Connect{}, &cmpp.ConnectResp{}, &cmpp.ActiveTest{}, &cmpp.ActiveTestResp{}, &cmpp.DeliverResp{}))
	f.Add(frames(&cmpp.Deliver{RegisteredDelivery: 1, MsgContent: make([]byte, 71)}, &cmpp.Deliver{TPUDHI: 1, MsgContent: []byte{9}}))
	f.Add([]byte{0, 0, 0, 9, 0, 0, 0, 4, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, said []byte) {
		before := guard.Panics()
		inBubble(t, nil, func(t *testing.T, b *bubble) {
			e := b.accept()
			done := b.submit("一", "二")
			synctest.Wait()
			_ = e.conn.SetWriteDeadline(time.Now().Add(time.Second))
			_, _ = e.conn.Write(said)
			_ = e.conn.Close()
			err := (<-done).err
			for _, known := range []error{nil, sms.ErrUncertain, sms.ErrThrottled, sms.ErrNotSent} {
				if errors.Is(err, known) {
					return
				}
			}
			if !isRejected(err) || errors.Is(err, context.Canceled) {
				t.Errorf("%v", err)
			}
		})
		if guard.Panics() != before {
			t.Error("a goroutine panicked")
		}
	})
}
