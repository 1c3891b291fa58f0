package cmpp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// TestResultsByLength: a gateway that speaks another version than agreed is
// read by the length of its answers.
func TestResultsByLength(t *testing.T) {
	for _, sent := range []Version{V20, V30} {
		for _, agreed := range []Version{V20, V30} {
			for _, want := range []PDU{
				&SubmitResp{1 << 63, ResultThrottled}, &DeliverResp{7, ResultFee}, &CancelResp{1},
			} {
				body, _ := want.AppendBody(nil, sent)
				got, err := Decode(agreed, want.Command(), body)
				if err != nil || !cmp.Equal(want, got) {
					t.Errorf("%v sent as %v, read as %v: %+v, %v", want.Command(), sent, agreed, got, err)
				}
			}
		}
	}
}

// TestReportFrameShort: one vendor's report frames end 11 bytes early, another
// announces 71 bytes over a body of 60.
func TestReportFrameShort(t *testing.T) {
	want := Report{MsgID: 1 << 63, Stat: StatDelivered, SubmitTime: "2608010930", DoneTime: "2608010931", DestTerminalID: "13800138000"}
	for name, v := range map[string]Version{"71 bytes": V30, "60 announced as 71": V20} {
		content, _ := want.Append(nil, v)
		body, _ := (&Deliver{MsgID: 9, RegisteredDelivery: 1, MsgContent: content}).AppendBody(nil, V30)
		if v == V30 {
			body = body[:len(body)-11]
		} else {
			body[76] = reportWide
		}
		var d Deliver
		var got Report
		if err := errors.Join(d.Decode(body, V30), got.Decode(d.MsgContent)); err != nil || got != want || d.MsgID != 9 {
			t.Errorf("%s: %+v of %+v, %v", name, got, d, err)
		}
	}
}

// TestAnswersWithoutReserved: some gateways leave out bytes that mean nothing.
func TestAnswersWithoutReserved(t *testing.T) {
	for command, body := range map[Command]string{
		CmdActiveTestResp: "", CmdActiveTest: "00", CmdTerminate: "00", CmdTerminateResp: "00",
		CmdQuery: s("20260801", 8) + "00" + s("", 10),
	} {
		raw, _ := hex.DecodeString(body)
		if _, err := Decode(V30, command, raw); err != nil {
			t.Errorf("%v of %d bytes: %v", command, len(raw), err)
		}
	}
}

// TestShortBodies cuts every message at every byte: an error or a message, and
// what must be there is missed.
func TestShortBodies(t *testing.T) {
	for _, v := range []Version{V20, V30} {
		for _, p := range samples(v) {
			body, _ := p.AppendBody(nil, v)
			for n := range len(body) {
				_, err := Decode(v, p.Command(), body[:n])
				if err != nil && !errors.Is(err, ErrShort) {
					t.Errorf("%v %v, %d of %d bytes: %v", v, p.Command(), n, len(body), err)
				}
				if n == 0 && err == nil && p.Command()&^answerBit != CmdActiveTest {
					t.Errorf("%v %v: nothing was read as a message", v, p.Command())
				}
			}
		}
	}
}

// TestBlanksAsPadding: some gateways pad strings with blanks, or end them with
// a NUL and leave rubbish behind it.
func TestBlanksAsPadding(t *testing.T) {
	body, _ := (&Deliver{DestID: "1069", SrcTerminalID: "13800138000"}).AppendBody(nil, V30)
	copy(body[8:], "1069                 ")
	copy(body[42:], "13800138000\x00rubbish")
	var p Deliver
	if err := p.Decode(body, V30); err != nil || p.DestID != "1069" || p.SrcTerminalID != "13800138000" {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestLyingLengths: a length inside a body that the body does not have is an
// error, and costs no more than that error.
func TestLyingLengths(t *testing.T) {
	submit, _ := (&Submit{DestTerminalID: []string{"1"}, MsgContent: []byte("1")}).AppendBody(nil, V30)
	deliver, _ := (&Deliver{MsgContent: []byte("1")}).AppendBody(nil, V30)
	with := func(body []byte, at int, b byte) []byte {
		body = slices.Clone(body)
		body[at] = b
		return body
	}
	many := append(with(submit[:129], 128, 110), make([]byte, 110*32+40)...)
	for name, tt := range map[string]struct {
		command Command
		body    []byte
		want    error
	}{
		"DestUsr_tl 255, one number":  {CmdSubmit, with(submit, 128, 255), ErrShort},
		"DestUsr_tl 110, all of them": {CmdSubmit, many, ErrField},
		"DestUsr_tl 0":                {CmdSubmit, with(submit, 128, 0), ErrField},
		"SUBMIT Msg_Length 255":       {CmdSubmit, with(submit, 129+33, 255), ErrShort},
		"DELIVER Msg_Length 255":      {CmdDeliver, with(deliver, 76, 255), ErrShort},
	} {
		if _, err := Decode(V30, tt.command, tt.body); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if n := bytesPerRun(func() { _, _ = Decode(V30, tt.command, tt.body) }); n > 1024 {
			t.Errorf("%s: %d bytes a frame", name, n)
		}
	}
}

// TestHostileHeaders: a length that no frame may have ends the stream; nothing
// is reserved for it, however large it is.
func TestHostileHeaders(t *testing.T) {
	for name, length := range map[string]string{
		"0": "00000000", "11": "0000000b", "4097": "00001001", "2^31-1": "7fffffff", "2^31": "80000000", "2^32-1": "ffffffff",
	} {
		frame, _ := hex.DecodeString(length + "00000005" + "00000001")
		in := bytes.NewReader(nil)
		r := NewReader(in)
		n := bytesPerRun(func() {
			in.Reset(frame)
			r.r.Reset(in)
			if _, _, err := r.Next(); !errors.Is(err, ErrFrameLength) {
				t.Errorf("length %s: %v", name, err)
			}
		})
		if n > 512 {
			t.Errorf("length %s: %d bytes for a header", name, n)
		}
	}
}

// TestReaderReservesNothing: a whole connection's reader takes two frames' worth
// of memory, and a stream of frames no more.
func TestReaderReservesNothing(t *testing.T) {
	frame, _ := Append(nil, V30, 1, &Deliver{MsgContent: make([]byte, 140)})
	stream := bytes.Repeat(frame, 1000)
	n := bytesPerRun(func() {
		r := NewReader(bytes.NewReader(stream))
		for {
			if _, _, err := r.Next(); err != nil {
				if err != io.EOF {
					t.Error(err)
				}
				return
			}
		}
	})
	if n > 3*MaxFrame {
		t.Errorf("%d bytes for a reader", n)
	}
}

// bytesPerRun is what a call reserves.
func bytesPerRun(f func()) uint64 {
	const runs = 100
	var before, after runtime.MemStats
	f()
	runtime.ReadMemStats(&before)
	for range runs {
		f()
	}
	runtime.ReadMemStats(&after)
	return (after.TotalAlloc - before.TotalAlloc) / runs
}

// TestMsgIDMonths: from August on the top bit is set; the parts read the same
// all year, on the wire and as text.
func TestMsgIDMonths(t *testing.T) {
	for month := time.January; month <= time.December; month++ {
		id := NewMsgID(time.Date(2026, month, 28, 23, 59, 59, 0, time.UTC), 0x3fffff, 0xfffe)
		if top := id>>63 == 1; top != (month >= time.August) || id>>60 != MsgID(month) {
			t.Errorf("%v: %v", month, id)
		}
		body, _ := (&SubmitResp{MsgID: id}).AppendBody(nil, V30)
		var p SubmitResp
		back, err := ParseMsgID(id.String())
		if err := errors.Join(err, p.Decode(body, V30)); err != nil || p.MsgID != id || back != id {
			t.Errorf("%v: %v, %v, %v", month, p.MsgID, back, err)
		}
		if int64(id) >= 0 && month >= time.August || MsgID(int64(id)) != id {
			t.Errorf("%v as a bit pattern: %d", month, int64(id))
		}
	}
}

// TestMsgIDRange: the ids of a SUBMIT to several numbers wrap in their 16 bits
// and touch nothing above.
func TestMsgIDRange(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := MsgID(rapid.Uint64().Draw(t, "id"))
		n := rapid.IntRange(0, MaxNumbers-1).Draw(t, "n")
		got := id.Plus(n)
		if got>>16 != id>>16 || got.Sequence() != id.Sequence()+uint16(n) {
			t.Fatalf("%v plus %d is %v", id, n, got)
		}
	})
}

func TestTimes(t *testing.T) {
	beijing := time.FixedZone("", 8*3600)
	at := time.Date(2026, 8, 1, 9, 30, 0, 0, beijing)
	for want, at := range map[string]time.Time{
		"260801093000032+": at,
		"260801013000000+": at.UTC(),
		"260801093000920-": time.Date(2026, 8, 1, 9, 30, 0, 900_000_000, time.FixedZone("", -5*3600)),
		"260801093000023+": time.Date(2026, 8, 1, 9, 30, 0, 0, time.FixedZone("", 5*3600+45*60)),
		"260801093000000+": time.Date(2026, 8, 1, 9, 30, 7, 0, time.FixedZone("", 7)),
	} {
		got := AbsoluteTime(at)
		back, err := ParseTime(got, time.Time{})
		if got != want || err != nil || !back.Equal(at) {
			t.Errorf("%v is %s, want %s; back %v, %v", at, got, want, back, err)
		}
	}
	for want, d := range map[string]time.Duration{
		"000000020000000R": 2 * time.Hour, "000000000001000R": time.Second, "000002030405000R": 51*time.Hour + 4*time.Minute + 5*time.Second + 999,
		"000031000000000R": 31 * 24 * time.Hour,
	} {
		got, err := RelativeTime(d)
		back, fault := ParseTime(got, at)
		if got != want || errors.Join(err, fault) != nil || !back.Equal(at.Add(d.Truncate(time.Second))) {
			t.Errorf("%v is %s, want %s; back %v, %v, %v", d, got, want, back, err, fault)
		}
	}
	if got, err := ParseTime("000100000000000R", at); err != nil || !got.Equal(at.AddDate(0, 1, 0)) {
		t.Errorf("a month: %v, %v", got, err)
	}
	if got, err := ParseTime("", at); err != nil || !got.IsZero() {
		t.Errorf("empty: %v, %v", got, err)
	}
}

func TestTimesThatAreNone(t *testing.T) {
	for _, d := range []time.Duration{0, -time.Hour, time.Second - 1, 32 * 24 * time.Hour} {
		if got, err := RelativeTime(d); !errors.Is(err, ErrField) {
			t.Errorf("%v: %q, %v", d, got, err)
		}
	}
	for _, field := range []string{"2608010930", "260801093000032", "260801093000032?", "261301093000032+", "2608010930000x2+", strings.Repeat("9", 17)} {
		if got, err := ParseTime(field, time.Time{}); !errors.Is(err, ErrField) {
			t.Errorf("%q: %v, %v", field, got, err)
		}
	}
}

// TestUCS2InDisguise reads what gateways send with a phone's data coding.
func TestUCS2InDisguise(t *testing.T) {
	for _, f := range []Format{8, 9, 10, 11, 24, 25, 0x18, 0x1b, 0xe0} {
		if got, err := DecodeText(f, []byte{0x4e, 0x2d}); got != "中" || err != nil {
			t.Errorf("Msg_Fmt %d: %q, %v", f, got, err)
		}
	}
}
