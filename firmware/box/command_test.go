package box

import (
	"strings"
	"testing"
)

func TestCommands(t *testing.T) {
	const okay, refused = "\r\nOK\r\n", "\r\nERROR\r\n"
	tests := []struct{ line, answer string }{
		{"AT", okay},
		{"at", okay},
		{"aT e0 v1", okay},
		{"noise before AT", okay},
		{"ATE0V1Q0&C1&D2X4L2M1", okay},
		{"ATI0", "\r\ncallbox\r\n" + okay},
		{"ATI3", "\r\ncallbox voice box 1.0\r\n" + okay},
		{"ATI7", refused},
		{"AT+GMI;+GMM;+GMR;+GSN", "\r\ncallbox\r\n\r\ncallbox voice box 1.0\r\n\r\n1.0\r\n\r\nT1\r\n" + okay},
		{"AT+FCLASS=?", "\r\n0,8\r\n" + okay},
		{"AT+FCLASS?", "\r\n0\r\n" + okay},
		{"AT+FCLASS=1", refused},
		{"AT+VCID=1", okay}, // works in every class
		{"AT+VCID?", "\r\n1\r\n" + okay},
		{"AT+VCID=3", refused},
		{"AT+VSM?", refused}, // voice commands do not
		{"AT+VLS=1", refused},
		{"AT+VTR", refused},
		{"ATD123", refused}, // no data modem
		{"AT+IFC=2,2;+GCI=26;S0=0;S7=90;S7?", "\r\n090\r\n" + okay},
		{"ATS0=1", refused}, // it never answers by itself
		{"ATS99=1", refused},
		{"AT+FCLASS=8", okay},
		{"AT+FCLASS?;+VIT?", "\r\n8\r\n\r\n0\r\n" + okay},
		{"AT+VSM=?", "\r\n0,\"SIGNED PCM\",16,0,(8000),(0),(0)\r\n1,\"UNSIGNED PCM\",8,0,(8000),(0),(0)\r\n" +
			"4,\"MU-LAW\",8,0,(8000),(0),(0)\r\n5,\"A-LAW\",8,0,(8000),(0),(0)\r\n" + okay},
		{"AT+VSM=1,8000;+VSM?", "\r\n1,8000,0,0\r\n" + okay},
		{"AT+VSM=0,8000,0,0", okay},
		{"AT+VSM=3,8000", refused},
		{"AT+VSM=5,11025", refused},
		{"AT+VDR=1,0;+VDR?", "\r\n1,0\r\n" + okay},
		{"AT+VSD=128,50;+VSD?", "\r\n128,50\r\n" + okay},
		{"AT+VSD=,20;+VSD?", "\r\n128,20\r\n" + okay},
		{"AT+VGT=?;+VGR=121;+VGR?", "\r\n(0-255)\r\n\r\n121\r\n" + okay},
		{"AT+VGT=256", refused},
		{"AT+VEM=\"00000000\";+VEM?", "\r\n00000000\r\n" + okay},
		{"AT+VIP;+VEM?", "\r\nFFFFFFFF\r\n" + okay},
		{"AT+VTR=?", refused}, // no test form
		{"AT+VTR?", refused},
		{"AT+VTX", refused}, // on hook
		{"AT+VRX", refused},
		{"AT+VTS=1", refused},
		{"AT+VLS=2", refused},
		{"AT+VLS=1;+VLS?;+VLS=0", "\r\n1\r\n" + okay},
		{"AT+VLS=20;+VLS?;+VLS=0", "\r\n20\r\n" + okay},
		{"AT+VTS=[1,2", refused},
		{"AT+VSP=1", refused},
		{"AT+NONSENSE", refused},
		{"AT!", refused},
		{"ATS", refused},
		{"ATS7", refused},
		{"AT&", refused},
		{"AT+VLS=", refused},
		{"AT" + strings.Repeat(" ", 600), refused}, // overlong
		{"AT", okay},
	}
	b := newBench(t)
	b.say("ATE0")
	for _, test := range tests {
		b.want(test.line, test.answer)
	}
}

func TestAnErrorEndsTheLine(t *testing.T) {
	b := inVoice(t)
	b.want("AT+VCID=9;+VSM=1", "\r\nERROR\r\n")
	b.want("AT+VSM?", "\r\n5,8000,0,0\r\n\r\nOK\r\n")
}

func TestRepeatAndEditing(t *testing.T) {
	b := newBench(t)
	b.say("ATE0")
	b.want("ATI0", "\r\ncallbox\r\n\r\nOK\r\n")
	if got := b.raw("A/"); got != "\r\ncallbox\r\n\r\nOK\r\n" {
		t.Errorf("A/ answers %q", got)
	}
	b.want("ATI8\b0", "\r\ncallbox\r\n\r\nOK\r\n")
	b.want("AT\b\b\b\b", "\r\nOK\r\n")
}

func TestFormats(t *testing.T) {
	b := newBench(t)
	b.want("ATV0", "ATV0\r0\r")
	b.want("ATE0", "ATE0\r0\r")
	b.want("ATI0", "callbox\r\n0\r")
	b.want("ATX9", "4\r")
	b.want("ATQ1", "")
	b.want("AT", "")
	b.want("ATQ0V1", "\r\nOK\r\n")
}

// A command is the same however its bytes are cut.
func TestBytesAreCut(t *testing.T) {
	b := inVoice(t)
	got := ""
	for _, c := range "AT+VLS=1;+VTR\r" {
		got += b.raw(string(c))
	}
	if got != "\r\nCONNECT\r\n" {
		t.Fatalf("answers %q", got)
	}
}

func TestResetAndClass(t *testing.T) {
	b := inVoice(t)
	b.ok("AT+VLS=1")
	b.frames(1)
	if !b.out.OffHook {
		t.Fatal("still on hook")
	}
	b.ok("AT+VNH=1", "AT+FCLASS=0")
	if b.frames(1); !b.out.OffHook {
		t.Error("+VNH=1 hung up")
	}
	b.ok("AT+FCLASS=8", "AT+VNH=2", "ATH")
	if b.frames(1); !b.out.OffHook {
		t.Error("ATH hung up in spite of +VNH=2")
	}
	b.ok("AT+VNH=0", "AT+FCLASS=0")
	if b.frames(1); b.out.OffHook {
		t.Error("leaving class 8 did not hang up")
	}
	b.ok("AT+FCLASS=8", "ATA")
	if b.frames(1); !b.out.OffHook {
		t.Error("ATA did not answer")
	}
	b.ok("ATZ")
	if b.frames(1); b.out.OffHook {
		t.Error("ATZ did not hang up")
	}
	b.want("AT+FCLASS?;+VCID?", "AT+FCLASS?;+VCID?\r\r\n0\r\n\r\n0\r\n\r\nOK\r\n") // echo and class are as at first
}

func TestSelfTest(t *testing.T) {
	b := inVoice(t)
	got := b.say("ATI9")
	if strings.Count(got, ": ok\r\n") != 6 || !strings.HasSuffix(got, "\r\n\r\nOK\r\n") {
		t.Fatalf("answers %q", got)
	}
}
