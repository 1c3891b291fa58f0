package cmpp

import (
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// s is an octet string of n bytes in hex, as the tables have it: left-aligned,
// padded with zeros.
func s(text string, n int) string {
	return hex.EncodeToString([]byte(text)) + strings.Repeat("00", n-len(text))
}

// golden are whole frames, written field by field from the tables of
// QB-GF-028-2003, in the order of the wire. The digests are md5sum's.
var golden = []struct {
	name string
	v    Version
	p    PDU
	hex  []string
}{
	{
		"CONNECT", V30,
		&Connect{SourceAddr: "901234", Auth: Authenticator("901234", "secret", 1121204451, false), Version: V30, Timestamp: 1121204451},
		[]string{
			"00000027" + "00000001" + "00000007",
			"393031323334", "ab1fa9f05af303716a90fa9265e7bcab", "30", "42d438e3",
		},
	},
	{
		"CONNECT 2.0", V20,
		&Connect{SourceAddr: "9012", Version: V20, Timestamp: 102030405},
		[]string{
			"00000027" + "00000001" + "00000007",
			"393031320000", "00000000000000000000000000000000", "20", "0614dc45",
		},
	},
	{
		"CONNECT_RESP", V30,
		&ConnectResp{Auth: ISMGAuthenticator(ConnectOK, Authenticator("901234", "secret", 1121204451, false), "secret", V30), Version: V30},
		[]string{"00000021" + "80000001" + "00000007", "00000000", "fe494b6337ffc44a9dd2ddd6a89b8417", "30"},
	},
	{
		"CONNECT_RESP 2.0", V20,
		&ConnectResp{Status: 3, Version: V20, Narrow: true},
		[]string{"0000001e" + "80000001" + "00000007", "03", "00000000000000000000000000000000", "20"},
	},
	{"TERMINATE", V30, &Terminate{}, []string{"0000000c" + "00000002" + "00000007"}},
	{"TERMINATE 2.0", V20, &Terminate{}, []string{"0000000c" + "00000002" + "00000007"}},
	{"TERMINATE_RESP", V30, &TerminateResp{}, []string{"0000000c" + "80000002" + "00000007"}},
	{"TERMINATE_RESP 2.0", V20, &TerminateResp{}, []string{"0000000c" + "80000002" + "00000007"}},
	{
		"SUBMIT", V30, goldenSubmit(V30),
		[]string{
			"000000ed" + "00000004" + "00000007",
			"0000000000000000", "02", "01", "01", "03", s("HELP", 10),
			"03", s("13700137000", 32), "01", "00", "01", "08", s("901234", 6), s("02", 2), s("000010", 6),
			s("260801093000032+", 17), s("000000020000000R", 17), s("1069000012345", 21),
			"02", s("13800138000", 32), s("8613900139000", 32), "01",
			"0a", "050003c80201" + "4e2d6587", s("L123", 20),
		},
	},
	{
		"SUBMIT 2.0", V20, goldenSubmit(V20),
		[]string{
			"000000be" + "00000004" + "00000007",
			"0000000000000000", "02", "01", "01", "03", s("HELP", 10),
			"03", s("13700137000", 21), "00", "01", "08", s("901234", 6), s("02", 2), s("000010", 6),
			s("260801093000032+", 17), s("000000020000000R", 17), s("1069000012345", 21),
			"02", s("13800138000", 21), s("8613900139000", 21),
			"0a", "050003c80201" + "4e2d6587", s("L123", 8),
		},
	},
	{
		"SUBMIT_RESP", V30, &SubmitResp{MsgID: 0x8fdfbeaabcdeffff, Result: 105},
		[]string{"00000018" + "80000004" + "00000007", "8fdfbeaabcdeffff", "00000069"},
	},
	{
		"SUBMIT_RESP 2.0", V20, &SubmitResp{MsgID: 0x8fdfbeaabcdeffff, Result: ResultThrottled},
		[]string{"00000015" + "80000004" + "00000007", "8fdfbeaabcdeffff", "08"},
	},
	{
		"DELIVER", V30, goldenDeliver(V30),
		[]string{
			"0000006f" + "00000005" + "00000007",
			"c234567890abcdef", s("1069000012345", 21), s("HELP", 10), "00", "00", "0f", s("13800138000", 32), "01", "00",
			"02", "b2e2", s("L123", 20),
		},
	},
	{
		"DELIVER 2.0", V20, goldenDeliver(V20),
		[]string{
			"00000057" + "00000005" + "00000007",
			"c234567890abcdef", s("1069000012345", 21), s("HELP", 10), "00", "00", "0f", s("13800138000", 21), "00",
			"02", "b2e2", s("L123", 8),
		},
	},
	{
		"DELIVER with a report", V30, goldenReport(V30),
		[]string{
			"000000b4" + "00000005" + "00000007",
			"c234567890abcdef", s("10690000", 21), s("", 10), "00", "00", "00", s("13800138000", 32), "00", "01",
			"47", "8fdfbeaabcdeffff", s("DELIVRD", 7), s("2608312358", 10), s("2608312359", 10), s("13800138000", 32), "0000002a", s("", 20),
		},
	},
	{
		"DELIVER with a report 2.0", V20, goldenReport(V20),
		[]string{
			"00000091" + "00000005" + "00000007",
			"c234567890abcdef", s("10690000", 21), s("", 10), "00", "00", "00", s("13800138000", 21), "01",
			"3c", "8fdfbeaabcdeffff", s("DELIVRD", 7), s("2608312358", 10), s("2608312359", 10), s("13800138000", 21), "0000002a", s("", 8),
		},
	},
	{
		"DELIVER_RESP", V30, &DeliverResp{MsgID: 0xc234567890abcdef, Result: ResultStructure},
		[]string{"00000018" + "80000005" + "00000007", "c234567890abcdef", "00000001"},
	},
	{
		"DELIVER_RESP 2.0", V20, &DeliverResp{MsgID: 0xc234567890abcdef},
		[]string{"00000015" + "80000005" + "00000007", "c234567890abcdef", "00"},
	},
	{
		"QUERY", V30, &Query{Time: "20260801", Type: QueryService, Code: "HELP"},
		[]string{"00000027" + "00000006" + "00000007", s("20260801", 8), "01", s("HELP", 10), s("", 8)},
	},
	{
		"QUERY 2.0", V20, &Query{Time: "20260801", Reserve: "R"},
		[]string{"00000027" + "00000006" + "00000007", s("20260801", 8), "00", s("", 10), s("R", 8)},
	},
	{"QUERY_RESP", V30, goldenCounts(), goldenCountsHex},
	{"QUERY_RESP 2.0", V20, goldenCounts(), goldenCountsHex},
	{"CANCEL", V30, &Cancel{MsgID: 0x8fdfbeaabcdeffff}, []string{"00000014" + "00000007" + "00000007", "8fdfbeaabcdeffff"}},
	{"CANCEL 2.0", V20, &Cancel{MsgID: 0x8fdfbeaabcdeffff}, []string{"00000014" + "00000007" + "00000007", "8fdfbeaabcdeffff"}},
	{"CANCEL_RESP", V30, &CancelResp{SuccessID: 1}, []string{"00000010" + "80000007" + "00000007", "00000001"}},
	{"CANCEL_RESP 2.0", V20, &CancelResp{SuccessID: 1}, []string{"0000000d" + "80000007" + "00000007", "01"}},
	{"ACTIVE_TEST", V30, &ActiveTest{}, []string{"0000000c" + "00000008" + "00000007"}},
	{"ACTIVE_TEST 2.0", V20, &ActiveTest{}, []string{"0000000c" + "00000008" + "00000007"}},
	{"ACTIVE_TEST_RESP", V30, &ActiveTestResp{}, []string{"0000000d" + "80000008" + "00000007", "00"}},
	{"ACTIVE_TEST_RESP 2.0", V20, &ActiveTestResp{}, []string{"0000000d" + "80000008" + "00000007", "00"}},
}

func goldenSubmit(v Version) *Submit {
	p := &Submit{
		PkTotal: 2, PkNumber: 1, RegisteredDelivery: 1, MsgLevel: 3, ServiceID: "HELP", FeeUserType: 3, FeeTerminalID: "13700137000",
		TPUDHI: 1, MsgFmt: UCS2, MsgSrc: "901234", FeeType: "02", FeeCode: "000010",
		ValidTime: "260801093000032+", AtTime: "000000020000000R", SrcID: "1069000012345",
		DestTerminalID: []string{"13800138000", "8613900139000"},
		MsgContent:     []byte{5, 0, 3, 200, 2, 1, 0x4e, 0x2d, 0x65, 0x87}, LinkID: "L123",
	}
	if v.Wide() {
		p.FeeTerminalType, p.DestTerminalType = 1, 1
	}
	return p
}

func goldenDeliver(v Version) *Deliver {
	p := &Deliver{
		MsgID: 0xc234567890abcdef, DestID: "1069000012345", ServiceID: "HELP", MsgFmt: GBK, SrcTerminalID: "13800138000",
		MsgContent: []byte{0xb2, 0xe2}, LinkID: "L123",
	}
	if v.Wide() {
		p.SrcTerminalType = 1
	}
	return p
}

func goldenReport(v Version) *Deliver {
	report, _ := (&Report{
		MsgID: 0x8fdfbeaabcdeffff, Stat: StatDelivered, SubmitTime: "2608312358", DoneTime: "2608312359",
		DestTerminalID: "13800138000", SMSCSequence: 42,
	}).Append(nil, v)
	return &Deliver{
		MsgID: 0xc234567890abcdef, DestID: "10690000", SrcTerminalID: "13800138000", RegisteredDelivery: 1, MsgContent: report,
	}
}

func goldenCounts() *QueryResp {
	return &QueryResp{
		Time: "20260801", Type: QueryService, Code: "HELP", MTMessages: 1, MTUsers: 2, MTForwarded: 3, MTWaiting: 4, MTFailed: 5,
		MODelivered: 6, MOWaiting: 7, MOFailed: 0xfffffff8,
	}
}

var goldenCountsHex = []string{
	"0000003f" + "80000006" + "00000007", s("20260801", 8), "01", s("HELP", 10),
	"00000001", "00000002", "00000003", "00000004", "00000005", "00000006", "00000007", "fffffff8",
}

func TestGolden(t *testing.T) {
	seen := map[string]bool{}
	for _, tt := range golden {
		t.Run(tt.name, func(t *testing.T) {
			want := strings.Join(tt.hex, "")
			frame, err := Append(nil, tt.v, 7, tt.p)
			if err != nil {
				t.Fatal(err)
			}
			if got := hex.EncodeToString(frame); got != want {
				t.Fatalf("frame\n%s\nwant\n%s", got, want)
			}
			back, err := Decode(tt.v, tt.p.Command(), frame[HeaderLen:])
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(tt.p, back); diff != "" {
				t.Error(diff)
			}
		})
		seen[fmt.Sprint(tt.p.Command(), tt.v)] = true
	}
	for command := range Command(0x20) {
		for _, c := range []Command{command, command.Answer()} {
			for _, v := range []Version{V20, V30} {
				if New(c) != nil && !seen[fmt.Sprint(c, v)] {
					t.Errorf("%v %v has no golden frame", c, v)
				}
			}
		}
	}
}

// TestGoldenReportReads reads the report that stands in the golden DELIVERs.
func TestGoldenReportReads(t *testing.T) {
	for _, size := range []int{32, 21} {
		body, _ := hex.DecodeString("8fdfbeaabcdeffff" + s("MA:0022", 7) + s("2608312358", 10) + s("2608312359", 10) + s("13800138000", size) + "0000002a")
		want := Report{0x8fdfbeaabcdeffff, "MA:0022", "2608312358", "2608312359", "13800138000", 42}
		var got Report
		if err := got.Decode(body); err != nil || got != want {
			t.Errorf("%+v, %v", got, err)
		}
	}
}
