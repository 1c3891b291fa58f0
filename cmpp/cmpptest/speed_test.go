package cmpptest

import (
	"encoding/binary"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"callbox/cmpp"
	"callbox/internal/guard"
)

// BenchmarkSubmits drives a centre over loopback with clients that do as little
// as they can: frames made before, answers counted by their headers. One
// operation is a SUBMIT, its answer, its report and that one's answer.
func BenchmarkSubmits(b *testing.B) {
	for name, cfg := range map[string]Config{"kept": {Window: 64}, "counted": {Window: 64, Keep: -1}} {
		b.Run(name, func(b *testing.B) {
			_, addr := serve(b, cfg)
			d := &drill{b: b}
			d.left.Store(int64(b.N))
			d.open.Store(2 * int64(b.N))
			for range 4 {
				d.conns = append(d.conns, drilled(b, addr))
			}
			var group guard.Group
			for _, conn := range d.conns {
				group.Go("driver", func() { d.drive(conn, 64) })
			}
			group.Wait()
		})
	}
}

// drill is what the clients have in common.
type drill struct {
	b     *testing.B
	conns []net.Conn
	left  atomic.Int64 // SUBMITs to be sent
	open  atomic.Int64 // answers and reports to come, over any connection
}

func (d *drill) came() {
	if d.open.Add(-1) == 0 {
		for _, conn := range d.conns {
			_ = conn.SetReadDeadline(time.Now())
		}
	}
}

// drilled is a connection that is logged in.
func drilled(b *testing.B, addr string) net.Conn {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(time.Minute))
	frame, _ := cmpp.Append(nil, cmpp.V30, 1, &cmpp.Connect{SourceAddr: "901234", Version: cmpp.V30})
	if _, err := conn.Write(frame); err != nil {
		b.Fatal(err)
	}
	return conn
}

// drive keeps window SUBMITs open until none are left, and answers reports
// until all have come.
func (d *drill) drive(conn net.Conn, window int) {
	one, _ := cmpp.Append(nil, cmpp.V30, 0, submit("工单 WO-1234 已派给您,请尽快处理"))
	var out []byte
	sequence := uint32(1)
	send := func() {
		if d.left.Add(-1) < 0 {
			return
		}
		sequence++
		at := len(out)
		out = append(out, one...)
		binary.BigEndian.PutUint32(out[at+8:], sequence)
	}
	for r := cmpp.NewReader(conn); ; {
		h, body, err := r.Next()
		if err != nil {
			if d.open.Load() > 0 {
				d.b.Error(err)
			}
			return
		}
		switch h.Command {
		case cmpp.CmdConnectResp:
			for range window {
				send()
			}
		case cmpp.CmdSubmitResp:
			d.came()
			send()
		case cmpp.CmdDeliver:
			d.came()
			resp := cmpp.DeliverResp{MsgID: cmpp.MsgID(binary.BigEndian.Uint64(body))}
			out, _ = cmpp.Append(out, cmpp.V30, h.Sequence, &resp)
		}
		if len(out) > 0 && (r.Buffered() == 0 || len(out) > 1<<14) {
			if _, err := conn.Write(out); err != nil {
				d.b.Error(err)
				return
			}
			out = out[:0]
		}
	}
}
