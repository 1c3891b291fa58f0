package sip

import (
	"bytes"
	"slices"
)

// scanners are the names, in lower case, by which tools that look for boxes to
// break into call themselves in User-Agent or From. No telephone begins so.
var scanners = [][]byte{
	[]byte("friendly-scanner"), []byte("friendly-request"), []byte("sipvicious"), []byte("sipcli"),
	[]byte("sundayddr"), []byte("pplsip"), []byte("vaxsipuseragent"), []byte("vaxipuseragent"), []byte("siparmyknife"),
	[]byte("sipsscuser"), []byte("sip-scan"), []byte("sivus"), []byte("iwar"), []byte("nm@nm"), []byte("nm2@nm2"),
}

// scannedHead is how much of a message is looked at, in bytes.
const scannedHead = 2048

// isScanner looks for a scanner's name in a message that is not parsed yet.
func isScanner(data []byte) bool {
	head := data[:min(len(data), scannedHead)]
	if end := bytes.Index(head, []byte("\r\n\r\n")); end >= 0 {
		head = head[:end]
	}
	for line := range bytes.Lines(head) {
		name, value, _ := bytes.Cut(line, []byte(":"))
		switch string(bytes.ToLower(bytes.TrimSpace(name))) {
		case "user-agent":
			if isScannerName(value) {
				return true
			}
		case "from", "f":
			if isScannerFrom(value) {
				return true
			}
		}
	}
	return false
}

// isScannerFrom looks at the display name and the user of a From.
func isScannerFrom(value []byte) bool {
	_, uri, _ := bytes.Cut(value, []byte("sip:"))
	return isScannerName(value) || isScannerName(uri)
}

func isScannerName(text []byte) bool {
	text = bytes.ToLower(bytes.TrimLeft(text, " \t\""))
	return slices.ContainsFunc(scanners, func(name []byte) bool { return bytes.HasPrefix(text, name) })
}
