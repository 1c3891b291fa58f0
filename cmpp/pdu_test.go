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

func TestGoldenSubmit(t *testing.T) {
	p := &Submit{
		PkTotal: 1, PkNumber: 1, RegisteredDelivery: 1, MsgLevel: 1, ServiceID: "HELP", FeeUserType: 2, MsgFmt: UCS2,
		MsgSrc: "901234", FeeType: "01", FeeCode: "000000", SrcID: "10690000", DestTerminalID: []string{"13800138000"},
		MsgContent: []byte{0x4e, 0x2d},
	}
	frame, err := Append(nil, V30, 1, p)
	if err != nil {
		t.Fatal(err)
	}
	want := "000000c5" + "00000004" + "00000001" + "0000000000000000" + "01010101" +
		"48454c50000000000000" + "02" + strings.Repeat("00", 32) + "00" + "00" + "00" + "08" + "393031323334" + "3031" + "303030303030" +
		strings.Repeat("00", 34) + "3130363930303030" + strings.Repeat("00", 13) + "01" +
		"3133383030313338303030" + strings.Repeat("00", 21) + "00" + "02" + "4e2d" + strings.Repeat("00", 20)
	if got := hex.EncodeToString(frame); got != want {
		t.Errorf("frame\n%s\nwant\n%s", got, want)
	}
}

func TestAuthenticator(t *testing.T) {
	got := Authenticator("901234", "secret", 1121204451, false)
	if h := hex.EncodeToString(got[:]); h != "ab1fa9f05af303716a90fa9265e7bcab" {
		t.Errorf("AuthenticatorSource %s", h)
	}
	if Authenticator("901234", "secret", 1, true) != Authenticator("901234", "secret", 1, false) {
		t.Error("padding changes an SP_Id of full length")
	}
	if Authenticator("9012", "secret", 1, true) == Authenticator("9012", "secret", 1, false) {
		t.Error("unpadded and padded digests are equal")
	}
	if ISMGAuthenticator(0, got, "secret", V30) == ISMGAuthenticator(0, got, "secret", V20) {
		t.Error("the width of Status does not enter AuthenticatorISMG")
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

func TestUnknownCommand(t *testing.T) {
	if _, err := Decode(V30, 0x17, nil); !errors.Is(err, ErrCommand) {
		t.Error(err)
	}
	if s := Command(0x17).String(); s != "command 0x00000017" {
		t.Error(s)
	}
}
