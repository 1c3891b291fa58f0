package cmpp

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// samples has one filled message of each kind.
func samples(v Version) []PDU {
	p := []PDU{
		&Connect{SourceAddr: "901234", Auth: [16]byte{1, 2, 3}, Version: V30, Timestamp: 1121204451},
		&ConnectResp{Status: ConnectAuth, Auth: [16]byte{9}, Version: v, Narrow: !v.Wide()},
		&Terminate{},
		&TerminateResp{},
		&Submit{
			MsgID: 1, PkTotal: 2, PkNumber: 1, RegisteredDelivery: 1, MsgLevel: 1, ServiceID: "HELP", FeeUserType: 2,
			TPUDHI: 1, MsgFmt: UCS2, MsgSrc: "901234", FeeType: "01", FeeCode: "000000", SrcID: "10690000123",
			DestTerminalID: []string{"13800138000", "13900139000"}, MsgContent: []byte{5, 0, 3, 1, 2, 1, 0x4e, 0x2d}, LinkID: "link",
		},
		&SubmitResp{MsgID: 0xC234567890ABCDEF, Result: ResultThrottled},
		&Deliver{
			MsgID: 7, DestID: "10690000", ServiceID: "HELP", MsgFmt: ASCII, SrcTerminalID: "13800138000",
			MsgContent: []byte("1"), LinkID: "x",
		},
		&DeliverResp{MsgID: 7, Result: ResultOK},
		&ActiveTest{},
		&ActiveTestResp{},
		&Query{Time: "20260801", Type: QueryService, Code: "HELP"},
		goldenCounts(),
		&Cancel{MsgID: 1 << 63},
		&CancelResp{SuccessID: 1},
	}
	return p
}

func TestRoundTrip(t *testing.T) {
	for _, v := range []Version{V20, V21, V30} {
		for _, want := range samples(v) {
			t.Run(fmt.Sprintf("%v %v", v, want.Command()), func(t *testing.T) {
				frame, err := Append([]byte("before"), v, 42, want)
				if err != nil {
					t.Fatal(err)
				}
				frame = bytes.TrimPrefix(frame, []byte("before"))
				h, err := ParseHeader(frame)
				if err != nil || int(h.Length) != len(frame) || h.Sequence != 42 || h.Command != want.Command() {
					t.Fatalf("header %+v of %d bytes, %v", h, len(frame), err)
				}
				got, err := Decode(v, h.Command, frame[HeaderLen:])
				if err != nil {
					t.Fatal(err)
				}
				if diff := cmp.Diff(want, got); diff != "" {
					t.Error(diff)
				}
			})
		}
	}
}

// TestSizes holds the body sizes of the protocol's command table.
func TestSizes(t *testing.T) {
	content := []byte("0123456789")
	submit := &Submit{DestTerminalID: []string{"1", "2", "3"}, MsgContent: content}
	for name, tt := range map[string]struct {
		p            PDU
		wide, narrow int
	}{
		"connect":          {&Connect{}, 27, 27},
		"connect resp":     {&ConnectResp{}, 21, 18},
		"terminate":        {&Terminate{}, 0, 0},
		"submit":           {submit, 151 + 3*32 + 10, 126 + 3*21 + 10},
		"submit resp":      {&SubmitResp{}, 12, 9},
		"deliver":          {&Deliver{MsgContent: content}, 97 + 10, 73 + 10},
		"deliver resp":     {&DeliverResp{}, 12, 9},
		"query":            {&Query{}, 27, 27},
		"query resp":       {&QueryResp{}, 51, 51},
		"cancel":           {&Cancel{}, 8, 8},
		"cancel resp":      {&CancelResp{}, 4, 1},
		"active test":      {&ActiveTest{}, 0, 0},
		"active test resp": {&ActiveTestResp{}, 1, 1},
	} {
		for v, want := range map[Version]int{V30: tt.wide, V20: tt.narrow} {
			body, err := tt.p.AppendBody(nil, v)
			if err != nil || len(body) != want {
				t.Errorf("%s %v: %d bytes, want %d (%v)", name, v, len(body), want, err)
			}
		}
	}
}

// TestAuthenticator holds digests that md5sum made.
func TestAuthenticator(t *testing.T) {
	full := Authenticator("901234", "secret", 1121204451, false)
	for name, tt := range map[string]struct {
		got  [16]byte
		want string
	}{
		"full SP_Id":           {full, "ab1fa9f05af303716a90fa9265e7bcab"},
		"full SP_Id, unpadded": {Authenticator("901234", "secret", 1121204451, true), "ab1fa9f05af303716a90fa9265e7bcab"},
		"short SP_Id":          {Authenticator("9012", "secret", 1121204451, false), "bb91c1b1a357c1c5d24ee88b39b26b87"},
		"short, unpadded":      {Authenticator("9012", "secret", 102030405, true), "fdba3f6a537d0470b567fc659cbe4f8a"},
		"gateway, 3.0":         {ISMGAuthenticator(ConnectOK, full, "secret", V30), "fe494b6337ffc44a9dd2ddd6a89b8417"},
		"gateway, 2.0":         {ISMGAuthenticator(ConnectOK, full, "secret", V20), "d3a5746b27d6993dd2160ef0ed9913ef"},
		"gateway, 2.1":         {ISMGAuthenticator(ConnectOK, full, "secret", V21), "d3a5746b27d6993dd2160ef0ed9913ef"},
	} {
		if got := hex.EncodeToString(tt.got[:]); got != tt.want {
			t.Errorf("%s: %s, want %s", name, got, tt.want)
		}
	}
}

func TestConnectRespByLength(t *testing.T) {
	for _, sent := range []Version{V20, V30} {
		body, _ := (&ConnectResp{Status: 4, Version: V20}).AppendBody(nil, sent)
		var p ConnectResp
		if err := p.Decode(body, V30); err != nil || p.Status != ConnectTooHigh || p.Version != V20 || p.Narrow == sent.Wide() {
			t.Errorf("layout %v: %+v, %v", sent, p, err)
		}
	}
}

func TestReportByLength(t *testing.T) {
	want := Report{
		MsgID: 1 << 63, Stat: StatDelivered, SubmitTime: "2608010930", DoneTime: "2608010931",
		DestTerminalID: "13800138000", SMSCSequence: 5,
	}
	for v, size := range map[Version]int{V30: 71, V20: 60} {
		b, err := want.Append(nil, v)
		if err != nil || len(b) != size {
			t.Fatalf("%v: %d bytes, %v", v, len(b), err)
		}
		var got Report
		if err := got.Decode(b); err != nil || got != want {
			t.Errorf("%v: %+v, %v", v, got, err)
		}
		if err := got.Decode(b[:59]); !errors.Is(err, ErrShort) {
			t.Errorf("59 bytes: %v", err)
		}
	}
}

func TestShortLinkID(t *testing.T) {
	want := &Deliver{RegisteredDelivery: 1, MsgContent: make([]byte, 71), LinkID: "12345"}
	body, _ := want.AppendBody(nil, V30)
	var got Deliver
	if err := got.Decode(body[:len(body)-11], V30); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, &got); diff != "" {
		t.Error(diff)
	}
}

func TestUDHIBits(t *testing.T) {
	for b, want := range map[uint8]bool{0: false, 1: true, 0x40: true, 0x41: true, 2: false, 0x80: false} {
		if got := (&Deliver{TPUDHI: b}).HasUDH(); got != want {
			t.Errorf("TP_udhi 0x%02x: %v", b, got)
		}
	}
}

func TestFieldsThatDoNotFit(t *testing.T) {
	one := []string{"1"}
	for name, p := range map[string]PDU{
		"SP_Id of 7":         &Connect{SourceAddr: "1234567"},
		"no number":          &Submit{},
		"100 numbers":        &Submit{DestTerminalID: make([]string, 100)},
		"number of 33":       &Submit{DestTerminalID: []string{strings.Repeat("1", 33)}},
		"NUL in Src_Id":      &Submit{DestTerminalID: one, SrcID: "1\x002"},
		"160 ASCII":          &Submit{DestTerminalID: one, MsgContent: make([]byte, 160)},
		"141 UCS2":           &Submit{DestTerminalID: one, MsgFmt: UCS2, MsgContent: make([]byte, 141)},
		"deliver of 256":     &Deliver{MsgContent: make([]byte, 256)},
		"result of two byte": &SubmitResp{Result: 256},
	} {
		v := V30
		if name == "result of two byte" {
			v = V20
		}
		b, err := Append([]byte("kept"), v, 1, p)
		if !errors.Is(err, ErrField) || string(b) != "kept" {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
}

func TestLargestSubmitFits(t *testing.T) {
	p := &Submit{DestTerminalID: make([]string, MaxNumbers), MsgContent: make([]byte, 159)}
	frame, err := Append(nil, V30, 1, p)
	if err != nil || len(frame) != 3490 {
		t.Errorf("%d bytes, %v", len(frame), err)
	}
}

func TestReaderBounds(t *testing.T) {
	for name, tt := range map[string]struct {
		in   string
		want error
	}{
		"nothing":        {"", io.EOF},
		"half a header":  {"000000", io.ErrUnexpectedEOF},
		"11 bytes":       {"0000000b" + "00000008" + "00000001", ErrFrameLength},
		"4097 bytes":     {"00001001" + "00000008" + "00000001", ErrFrameLength},
		"largest number": {"ffffffff" + "00000008" + "00000001", ErrFrameLength},
		"half a body":    {"0000000e" + "00000008" + "00000001" + "00", io.ErrUnexpectedEOF},
		"whole":          {"0000000c" + "00000008" + "00000001", nil},
	} {
		raw, _ := hex.DecodeString(tt.in)
		if _, _, err := NewReader(bytes.NewReader(raw)).Next(); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
	}
}

func TestReaderFollowsFrames(t *testing.T) {
	var stream []byte
	for i := range 5000 {
		stream, _ = Append(stream, V30, uint32(i), &Deliver{MsgContent: make([]byte, i%256)})
	}
	r := NewReader(io.MultiReader(bytes.NewReader(stream[:777]), bytes.NewReader(stream[777:])))
	for i := range 5000 {
		h, body, err := r.Next()
		if err != nil || h.Sequence != uint32(i) || len(body) != 97+i%256 {
			t.Fatalf("frame %d: %+v, %d bytes, %v", i, h, len(body), err)
		}
	}
	if _, _, err := r.Next(); err != io.EOF {
		t.Errorf("end: %v", err)
	}
}

// TestUnknownCommand: what the protocol has between gateways, or not at all, is
// skipped and leaves the stream in step.
func TestUnknownCommand(t *testing.T) {
	var stream []byte
	names := map[Command]string{
		0x09: "FWD", 0x80000009: "FWD_RESP", 0x10: "MT_ROUTE", 0x80000017: "GET_MO_ROUTE_RESP", 0x03: "command 0x00000003",
		0x18: "command 0x00000018", 0x80000018: "command 0x80000018", 0xffffffff: "command 0xffffffff",
		CmdQueryResp: "QUERY_RESP",
	}
	for c := range names {
		stream = Header{Length: HeaderLen + 5, Command: c, Sequence: 9}.Append(stream)
		stream = append(stream, "body!"...)
		stream, _ = Append(stream, V30, 10, &Cancel{MsgID: 11})
	}
	r := NewReader(bytes.NewReader(stream))
	for range names {
		h, body, err := r.Next()
		if err != nil || names[h.Command] != h.Command.String() {
			t.Fatalf("%v %q, %v", h, h.Command, err)
		}
		if _, err := Decode(V30, h.Command, body); !errors.Is(err, ErrCommand) && h.Command != CmdQueryResp {
			t.Errorf("%v: %v", h.Command, err)
		}
		h, body, err = r.Next()
		if p, fault := Decode(V30, h.Command, body); err != nil || fault != nil || p.(*Cancel).MsgID != 11 {
			t.Fatalf("behind it: %+v %v %v", h, err, fault)
		}
	}
	if _, _, err := r.Next(); err != io.EOF {
		t.Errorf("end: %v", err)
	}
}

// TestRoundTripOfAnything writes and reads the two messages with the most
// fields, filled at random.
func TestRoundTripOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		v := rapid.SampledFrom([]Version{V20, V21, V30}).Draw(t, "version")
		text := func(name string, n int) string {
			return rapid.StringMatching(`[!-~]{0,`+fmt.Sprint(n)+`}`).Draw(t, name)
		}
		octet := func(name string) uint8 { return rapid.Uint8().Draw(t, name) }
		content := func(n int) []byte { return rapid.SliceOfN(rapid.Byte(), 1, n).Draw(t, "content") }
		submit := &Submit{
			MsgID: MsgID(rapid.Uint64().Draw(t, "id")), PkTotal: octet("total"), PkNumber: octet("number"),
			RegisteredDelivery: octet("report"), MsgLevel: octet("level"), ServiceID: text("service", 10), FeeUserType: octet("user type"),
			FeeTerminalID: text("fee", v.number()), TPPID: octet("pid"), TPUDHI: octet("udhi"), MsgFmt: Format(octet("format")),
			MsgSrc: text("source", 6), FeeType: text("fee type", 2), FeeCode: text("fee code", 6), ValidTime: text("valid", 17),
			AtTime: text("at", 17), SrcID: text("src", 21), LinkID: text("link", v.link()), MsgContent: content(maxBinary),
		}
		for range rapid.IntRange(1, MaxNumbers).Draw(t, "numbers") {
			submit.DestTerminalID = append(submit.DestTerminalID, text("to", v.number()))
		}
		deliver := &Deliver{
			MsgID: MsgID(rapid.Uint64().Draw(t, "id")), DestID: text("dest", 21), ServiceID: text("service", 10), TPPID: octet("pid"),
			TPUDHI: octet("udhi"), MsgFmt: Format(octet("format")), SrcTerminalID: text("from", v.number()),
			RegisteredDelivery: octet("report"), MsgContent: content(255), LinkID: text("link", v.link()),
		}
		if v.Wide() {
			submit.FeeTerminalType, submit.DestTerminalType, deliver.SrcTerminalType = octet("a"), octet("b"), octet("c")
		}
		for _, want := range []PDU{submit, deliver} {
			frame, err := Append(nil, v, 1, want)
			if err != nil {
				t.Fatal(err)
			}
			got, err := Decode(v, want.Command(), frame[HeaderLen:])
			if err != nil || !cmp.Equal(want, got) {
				t.Fatalf("%v, %s", err, cmp.Diff(want, got))
			}
		}
	})
}
