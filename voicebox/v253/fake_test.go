package v253

import (
	"context"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// fake is a scripted modem at the other end of a pipe. It answers from a
// table, OK to what the table does not have, and streams audio after +VTR and
// +VRX until the codes that it heeds come.
type fake struct {
	answers map[string]string        // command: lines of the answer, the result last; "-": none
	late    map[string]time.Duration // command: how long the answer takes
	slow    time.Duration            // how long every answer takes
	forgets bool                     // ATZ brings back ATV0
	dles    int                      // DLEs wanted before a code that ends a data state
	deaf    bool                     // no code ends a data state
	echo    bool
	numeric bool          // ATV0
	lower   bool          // its answers are in lower case
	stuck   bool          // begins in a data state
	width   int           // bytes of a sample
	sound   func() []byte // 20 ms of audio, shielded

	conn net.Conn
	mu   sync.Mutex
	sent []string // commands that came
	got  []byte   // all that came in data states
	data bool
	gate chan struct{} // while there is one, nothing is read
	wait sync.WaitGroup
}

// chip is a modem with published answers.
func chip(answers map[string]string) *fake {
	return &fake{answers: answers, dles: 1, echo: true, width: 1}
}

// plug joins a fake to a pipe and gives the host's end.
func (f *fake) plug(t *testing.T) net.Conn {
	host, there := net.Pipe()
	f.conn, f.data = there, f.stuck
	f.wait.Go(f.run)
	if f.stuck {
		f.wait.Go(f.stream)
	}
	t.Cleanup(func() {
		_ = there.Close()
		_ = host.Close()
		f.wait.Wait()
	})
	return host
}

func (f *fake) run() {
	var line []byte
	dles := 0
	buf := make([]byte, 256)
	for {
		f.mu.Lock()
		gate := f.gate
		f.mu.Unlock()
		if gate != nil {
			<-gate
		}
		n, err := f.conn.Read(buf)
		for _, b := range buf[:n] {
			if f.inData() {
				dles = f.dataByte(b, dles)
				continue
			}
			line = f.textByte(line, b)
		}
		if err != nil {
			return
		}
	}
}

func (f *fake) inData() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.data
}

// dataByte counts DLEs: the wanted number and a code ends the state.
func (f *fake) dataByte(b byte, dles int) int {
	f.mu.Lock()
	f.got = append(f.got, b)
	f.mu.Unlock()
	if b == dle {
		return dles + 1
	}
	if dles != f.dles && (f.dles != 1 || dles%2 == 0) || f.deaf {
		return 0
	}
	switch b {
	case '^', '!', etx:
		f.mu.Lock()
		f.data = false
		f.mu.Unlock()
		f.say("\x10\x03\r\nOK\r\n")
	}
	return 0
}

func (f *fake) textByte(line []byte, b byte) []byte {
	if f.echo {
		f.say(string(b))
	}
	if b != '\r' {
		return append(line, b)
	}
	at := strings.LastIndex(string(line), "AT")
	if at < 0 {
		return line[:0]
	}
	f.command(string(line[at:]))
	return line[:0]
}

func (f *fake) command(text string) {
	f.mu.Lock()
	f.sent = append(f.sent, text)
	f.mu.Unlock()
	time.Sleep(f.slow)
	if d := f.late[text]; d > 0 {
		time.Sleep(d)
	}
	if text == "ATE0Q0V1" {
		f.echo, f.numeric = false, false
	}
	if text == "ATZ" {
		f.echo, f.numeric = true, f.forgets
	}
	answer, ok := f.answers[text]
	switch {
	case answer == "-":
	case ok:
		f.answer(answer)
	case text == "AT+VTR" || text == "AT+VRX":
		f.say("\r\nCONNECT\r\n")
		f.mu.Lock()
		f.data = true
		f.mu.Unlock()
		f.wait.Go(f.stream)
	case strings.HasPrefix(text, "ATI") || strings.HasPrefix(text, "AT+G"):
		f.answer("ERROR")
	default:
		f.answer("OK")
	}
}

func (f *fake) answer(text string) {
	for line := range strings.SplitSeq(text, "\n") {
		if f.numeric {
			f.say(map[string]string{"OK": "0\r", "ERROR": "4\r"}[line])
			continue
		}
		f.say("\r\n" + line + "\r\n")
	}
}

func (f *fake) stream() {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range tick.C {
		frame := make([]byte, Frame*f.width)
		if f.sound != nil {
			frame = f.sound()
		}
		f.mu.Lock()
		going := f.data
		f.mu.Unlock()
		if !going || frame == nil {
			return
		}
		if _, err := f.conn.Write(frame); err != nil {
			return
		}
	}
}

func (f *fake) say(text string) {
	if f.lower {
		text = strings.ToLower(text)
	}
	_, _ = io.WriteString(f.conn, text)
}

// commands are those that came so far, from the first of a name on.
func (f *fake) commands() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]string(nil), f.sent...)
}

func (f *fake) received() []byte {
	f.mu.Lock()
	defer f.mu.Unlock()
	return append([]byte(nil), f.got...)
}

// hang lets the fake read nothing more until it is let go.
func (f *fake) hang() (letGo func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	gate := make(chan struct{})
	f.gate = gate
	return func() { close(gate) }
}

func (f *fake) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.sent, f.got = nil, nil
}

func quietLog() *slog.Logger { return slog.New(slog.DiscardHandler) }

// opened opens a fake; the test closes it.
func opened(t *testing.T, f *fake, profile string) *Modem {
	t.Helper()
	m, err := Open(t.Context(), f.plug(t), Config{Profile: profile, Log: quietLog()})
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	t.Cleanup(func() { _ = m.Close() })
	f.forget()
	return m
}

// What voicebox.md §3 has of chips on the market; not recorded on hardware.
var (
	usr5637 = map[string]string{
		"ATI0": "5601\nOK", "ATI3": "U.S. Robotics 56K FAX USB V1.2.23\nOK", "AT+GMI": "U.S. Robotics\nOK",
		"AT+VSM=?": "128,\"8-BIT LINEAR\",8,0,(7200,8000,11025),(0),(0)\n129,\"16-BIT LINEAR\",16,0,(7200,8000,11025),(0),(0)\n" +
			"130,\"8-BIT ALAW\",8,0,(8000),(0),(0)\n131,\"8-BIT ULAW\",8,0,(8000),(0),(0)\n132,\"IMA ADPCM\",4,0,(8000),(0),(0)\nOK",
		"AT+VTR=?": "ERROR",
	}
	cx93001 = map[string]string{
		"ATI0": "56000\nOK", "ATI3": "CX93001-EIS_V0.2013-V92\nOK", "AT+GMM": "+GMM: V90\nOK",
		"AT+VSM=?": "0,\"SIGNED PCM\",8,0,8000,0,0\n1,\"UNSIGNED PCM\",8,0,8000,0,0\n129,\"IMA ADPCM\",4,0,8000,0,0\n" +
			"130,\"UNSIGNED PCM\",8,0,8000,0,0\n131,\"Mu-Law\",8,0,8000,0,0\n132,\"A-Law\",8,0,8000,0,0\n133,\"14 bit PCM\",14,0,8000,0,0\nOK",
		"AT+VSM=132,8000": "ERROR", "AT+VTR=?": "ERROR", "AT+IFC=2,2": "OK",
	}
	si2457 = map[string]string{
		"ATI0": "C\nOK", "ATI3": "B\nOK", "ATI6": "2457\nOK",
		"AT+VSM=?": "0,\"SIGNED PCM\",8,0,8000,0,0\n1,\"UNSIGNED PCM\",8,0,8000,0,0\n4,\"MU-LAW\",8,0,8000,0,0\n" +
			"5,\"A-LAW\",8,0,8000,0,0\n129,\"G.726 2 BIT\",2,0,8000,0,0\n131,\"G.726 4 BIT\",4,0,8000,0,0\nOK",
		"AT+VTR=?": "ERROR",
	}
	agere = map[string]string{
		"ATI0": "5634\nOK", "ATI3": "LT V.92 Data+Fax Modem Version 8.26\nOK",
		"AT+VSM=?": "0,\"SIGNED PCM\",16,0,(7200,8000,11025),(0),(0)\n5,\"A-Law Companded PCM\",8,0,(8000),(0),(0)\nOK",
	}
)

// within is a context that ends in time.
func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}
