package cmpp

import (
	"bytes"
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestWiresharkReadsTheSame has another maker's decoder read the golden frames
// of 3.0 (it knows no 2.x; its gateway code has 16 bits of the 22).
func TestWiresharkReadsTheSame(t *testing.T) {
	tshark, err := exec.LookPath("tshark")
	if err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatal("no tshark: scripts/tools test installs it")
		}
		t.Skip("no tshark: scripts/tools test installs it")
	}
	var frames [][]byte
	var commands []Command
	for _, g := range golden {
		if g.v == V30 {
			frame, _ := Append(nil, g.v, 7, g.p)
			frames, commands = append(frames, frame), append(commands, g.p.Command())
		}
	}
	file := filepath.Join(t.TempDir(), "golden.pcap")
	if err := os.WriteFile(file, capture(frames), 0o600); err != nil {
		t.Fatal(err)
	}
	fields := []string{
		"cmpp.Total_Length", "cmpp.Msg_Id", "cmpp.Msg_Id.timestamp", "cmpp.Dest_terminal_Id", "cmpp.submit.Src_Id", "cmpp.submit.At_time",
		"cmpp.LinkID", "cmpp.submit_resp.Result", "cmpp.deliver.Src_terminal_Id", "cmpp.deliver.Dest_Id", "cmpp.deliver.Report.Status",
		"cmpp.deliver.Report.Done_time", "cmpp.Report.SMSC_sequence", "cmpp.deliver_resp.Result", "_ws.malformed",
	}
	args := []string{"-r", file, "-d", "tcp.port==7890,cmpp", "-T", "fields", "-E", "separator=|"}
	for _, f := range fields {
		args = append(args, "-e", f)
	}
	out, err := exec.Command(tshark, args...).Output()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || len(lines) != len(frames) {
		t.Fatalf("%d lines for %d frames, %v\n%s", len(lines), len(frames), err, out)
	}
	want := map[Command]string{
		CmdSubmit:      "237|0x0000000000000000|00/00 00:00:00|13800138000,8613900139000|1069000012345|000000020000000R|L123||||||||",
		CmdSubmitResp:  "24|0x8fdfbeaabcdeffff|08/31 23:59:58|||||105|||||||",
		CmdDeliverResp: "24|0xc234567890abcdef|12/04 13:05:25|||||||||||1|",
	}
	const report = "180|0xc234567890abcdef,0x8fdfbeaabcdeffff|12/04 13:05:25,08/31 23:59:58|13800138000|||||13800138000|10690000|DELIVRD|2608312359|42||"
	for i, line := range lines {
		if !strings.HasSuffix(line, "|") {
			t.Errorf("%v: %s", commands[i], line)
		}
		if w, ok := want[commands[i]]; ok && line != w {
			t.Errorf("%v reads\n%s, want\n%s", commands[i], line, w)
		}
	}
	if !strings.Contains(string(out), report) {
		t.Errorf("no report\n%s in\n%s", report, out)
	}
}

// capture makes a pcap file of frames to port 7890, one a TCP segment on IPv4.
func capture(frames [][]byte) []byte {
	var b bytes.Buffer
	put := func(order binary.ByteOrder, values ...any) {
		for _, v := range values {
			_ = binary.Write(&b, order, v)
		}
	}
	put(binary.LittleEndian, uint32(0xa1b2c3d4), uint16(2), uint16(4), uint32(0), uint32(0), uint32(1<<16), uint32(101)) // raw IP
	next := uint32(1)
	for _, frame := range frames {
		size := uint32(40 + len(frame))
		put(binary.LittleEndian, uint32(0), uint32(0), size, size)
		put(binary.BigEndian, uint16(0x4500), uint16(size), uint32(0), uint16(64<<8|6), uint16(0), uint32(0x0a000001), uint32(0x0a000002))
		put(binary.BigEndian, uint16(40000), uint16(7890), next, uint32(1), uint16(5<<12|0x18), uint16(65535), uint32(0))
		b.Write(frame)
		next += uint32(len(frame))
	}
	return b.Bytes()
}
