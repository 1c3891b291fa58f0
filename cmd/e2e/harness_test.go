//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/http/cookiejar"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gorilla/websocket"
)

// program is what is tested: $CALLBOX, or what `make build` made.
var program = or(os.Getenv("CALLBOX"), "../../bin/callbox")

// patience is how long a test waits for something that comes within a second
// on a quiet machine.
const patience = 20 * time.Second

// process is a program that a test started and ends.
type process struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.WriteCloser

	mu    sync.Mutex
	lines []string
	ended chan struct{}
}

func launch(t *testing.T, dir, name string, args ...string) *process {
	t.Helper()
	p := &process{t: t, cmd: exec.Command(name, args...), ended: make(chan struct{})}
	p.cmd.Dir = dir
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, w := io.Pipe()
	p.cmd.Stdout, p.cmd.Stderr = w, w
	in, err := p.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.in = in
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("start %s: %v", name, err)
	}
	go p.read(out)
	go func() {
		_ = p.cmd.Wait() // how it ended is read from ProcessState
		w.Close()
		close(p.ended)
	}()
	end := syscall.SIGKILL                                                 // peers have nothing to lose
	if name == absolute(t, program) || filepath.Base(name) == "kamailio" { // which has children
		end = syscall.SIGTERM
	}
	t.Cleanup(func() { p.end(end) })
	return p
}

func (p *process) read(out io.Reader) {
	for s := bufio.NewScanner(out); s.Scan(); {
		p.mu.Lock()
		p.lines = append(p.lines, s.Text())
		p.mu.Unlock()
	}
}

func (p *process) output() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return strings.Join(p.lines, "\n")
}

// end sends sig and waits; a program that does not end is killed.
func (p *process) end(sig syscall.Signal) {
	_ = p.cmd.Process.Signal(sig) // one that has ended does not mind
	select {
	case <-p.ended:
	case <-time.After(patience):
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	if out := p.output(); strings.Contains(out, "DATA RACE") || strings.Contains(out, "ended by a panic") {
		p.t.Errorf("%s raced or fell", filepath.Base(p.cmd.Path))
	}
	if p.t.Failed() {
		p.t.Logf("output of %s:\n%s", filepath.Base(p.cmd.Path), p.output())
	}
}

// line waits for a line of output that matches and gives its groups.
func (p *process) line(pattern string) []string {
	p.t.Helper()
	re := regexp.MustCompile(pattern)
	var found []string
	wait(p.t, "output "+pattern, func() bool {
		select {
		case <-p.ended:
			if found = re.FindStringSubmatch(p.output()); found == nil {
				p.t.Fatalf("%s ended without %q:\n%s", filepath.Base(p.cmd.Path), pattern, p.output())
			}
		default:
		}
		found = re.FindStringSubmatch(p.output())
		return found != nil
	})
	return found
}

// wait polls until done; it fails the test when patience is over.
func wait(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s did not come within %v", what, patience)
		}
	}
}

// box is a running daemon in a folder of its own.
type box struct {
	*process
	t    *testing.T
	dir  string
	http string // http://127.0.0.1:PORT
	sip  string // 127.0.0.1:PORT, UDP
	tcp  string
	key  string
}

// layout says what a test's box is made of beside the defaults.
type layout struct {
	smsc    string // address of the SMS centre
	lookup  string
	webhook string
	trunk   string // where the carrier is reached
	sip     string // instead of the usual section
	extra   string // more of callbox.yaml
	site    string // instead of the usual site
}

const usualSite = `
agents:
  - {id: "1001", name: 王芳, role: agent, password: "secret-1001", extension: "1001", sip_password: "sip-1001", skills: {repair: 5}, queues: [repair]}
  - {id: "1002", name: 李强, role: agent, password: "secret-1002", extension: "1002", sip_password: "sip-1002", skills: {repair: 3}, queues: [repair]}
  - {id: "boss", name: 张主管, role: supervisor, password: "secret-boss"}
queues:
  - {id: repair, name: 报修, strategy: longest_idle, ring_timeout: 5s, wrap_up: 2s, max_wait: 60s}
routes:
  - {number: "4001234567", flow: hotline}
  - {number: "057188880001", flow: direct}
flows:
  - id: hotline
    start: welcome
    nodes:
      welcome: {play: welcome.wav, next: menu}
      menu: {menu: {prompt: {play: menu.wav}, keys: {"1": repair, "2": bye}, timeout: 3s, retries: 1, otherwise: repair}}
      repair: {queue: repair, no_agent: bye, timeout: bye}
      bye: {hangup: {}}
  - id: direct
    start: repair
    nodes:
      repair: {queue: repair, no_agent: bye, timeout: bye}
      bye: {hangup: {}}
customers:
  - id: c1
    name: 安顺物业
    vip: true
    numbers: ["+8613800138000"]
    devices: [{id: d1, model: KONE 3000, serial: SN-77, place: 3号楼}]
    open_tickets: [{ref: T-9, title: 电梯异响, status: open, url: "http://127.0.0.1/t/9"}]
    history: [{time: "2026-10-01", kind: 维修, title: 更换门机}]
templates:
  - {id: work_order, class: dispatch, replies: {"1": 接单, "2": 到达, "3": 完成}, text: "{engineer},您有新工单{ref}:{customer} {address} {fault}。回复1接单 2到达 3完成"}
`

func (l layout) write(t *testing.T, dir string) {
	t.Helper()
	text := `data: ./data
site: ./site.yaml
area_code: "0571"
drain: 3s
http: {listen: 127.0.0.1:0}
sip:` + or(l.sip, `
  listen: [udp://127.0.0.1:0, tcp://127.0.0.1:0]
  rtp_ports: 20000-29999
  trunks:
    - {name: carrier, address: "`+or(l.trunk, "127.0.0.1:5080")+`", from: [127.0.0.1/32], caller_id: "4001234567"}
`)
	if l.smsc != "" {
		text += `sms:
  accounts:
    - {name: cmcc, address: "` + l.smsc + `", sp_id: "901234", secret: "shared", service_id: HELP, src_id: "10690000", signature: "【安顺维保】", rate: 5000, active_test: 5s}
`
	}
	if l.lookup != "" {
		text += "lookup: {url: \"" + l.lookup + "\", timeout: 800ms}\n"
	}
	if l.webhook != "" {
		text += "webhooks:\n  - {url: \"" + l.webhook + "\", secret: hook-secret, events: [\"call.*\", \"sms.*\", \"notice.*\"]}\n"
	}
	put(t, filepath.Join(dir, "callbox.yaml"), []byte(text+l.extra))
	put(t, filepath.Join(dir, "site.yaml"), []byte(or(l.site, usualSite)))
	put(t, filepath.Join(dir, "welcome.wav"), toneWAV(1000, time.Second))
	put(t, filepath.Join(dir, "menu.wav"), toneWAV(800, 3*time.Second))
}

func or(s, def string) string {
	if s == "" {
		return def
	}
	return s
}

func put(t *testing.T, file string, content []byte) {
	t.Helper()
	if err := os.WriteFile(file, content, 0o600); err != nil {
		t.Fatal(err)
	}
}

// newBox writes the files, makes a key and starts the daemon.
func newBox(t *testing.T, l layout) *box {
	t.Helper()
	b := &box{t: t, dir: t.TempDir()}
	l.write(t, b.dir)
	b.key, _, _ = strings.Cut(b.command("key", "add", "test", "--scope", "sms,calls,recordings,reports,config,metrics"), " ")
	b.start()
	return b
}

var readyLine = `ready http=(http://\S+) sip=udp://([0-9.:]+),tcp://([0-9.:]+)`

func (b *box) start() {
	b.t.Helper()
	b.process = launch(b.t, b.dir, absolute(b.t, program), "serve", "-c", "callbox.yaml")
	m := b.line(readyLine)
	b.http, b.sip, b.tcp = m[1], m[2], m[3]
}

// pin makes the next start listen where this one does, as a real box would.
func (b *box) pin() {
	b.t.Helper()
	file := filepath.Join(b.dir, "callbox.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		b.t.Fatal(err)
	}
	put(b.t, file, []byte(strings.NewReplacer(
		"udp://127.0.0.1:0", "udp://"+b.sip, "tcp://127.0.0.1:0", "tcp://"+b.tcp,
		"{listen: 127.0.0.1:0}", "{listen: "+strings.TrimPrefix(b.http, "http://")+"}",
	).Replace(string(text))))
}

func absolute(t *testing.T, path string) string {
	t.Helper()
	abs, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	return abs
}

// command runs one callbox command in the box's folder and gives its stdout.
func (b *box) command(args ...string) string {
	b.t.Helper()
	cmd := exec.Command(absolute(b.t, program), args...)
	cmd.Dir = b.dir
	var errs bytes.Buffer
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		b.t.Fatalf("callbox %v: %v\n%s", args, err, errs.String())
	}
	return strings.TrimSpace(string(out))
}

// call sends one API request with the key and decodes the answer into out.
func (b *box) call(method, path string, body, out any) int {
	b.t.Helper()
	return b.as(http.DefaultClient, "Bearer "+b.key, method, path, body, out)
}

func (b *box) as(client *http.Client, auth, method, path string, body, out any) int {
	b.t.Helper()
	var payload io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			b.t.Fatal(err)
		}
		payload = bytes.NewReader(raw)
	}
	req, err := http.NewRequest(method, b.http+path, payload)
	if err != nil {
		b.t.Fatal(err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	if auth != "" {
		req.Header.Set("Authorization", auth)
	}
	resp, err := client.Do(req)
	if err != nil {
		b.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	raw, err := io.ReadAll(resp.Body)
	if err != nil {
		b.t.Fatal(err)
	}
	if out != nil && resp.StatusCode < 300 {
		if err := json.Unmarshal(raw, out); err != nil {
			b.t.Fatalf("%s %s: %v in %s", method, path, err, raw)
		}
	} else if problem, ok := out.(*string); ok {
		*problem = string(raw)
	}
	return resp.StatusCode
}

// agent is a logged-in agent's browser: a cookie and a WebSocket.
type agent struct {
	t      *testing.T
	box    *box
	id     string
	client *http.Client
	conn   *websocket.Conn

	mu     sync.Mutex
	frames []map[string]any
	next   int
	closed error
}

func (b *box) login(id string) *agent {
	b.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		b.t.Fatal(err)
	}
	a := &agent{t: b.t, box: b, id: id, client: &http.Client{Jar: jar, Timeout: patience}}
	body := map[string]string{"user": id, "password": "secret-" + id}
	var problem string
	if status := b.as(a.client, "", "POST", "/api/v1/login", body, &problem2{&problem}); status != 200 {
		b.t.Fatalf("login %s: %d %s", id, status, problem)
	}
	return a
}

// problem2 takes any JSON and forgets it.
type problem2 struct{ text *string }

func (p *problem2) UnmarshalJSON(raw []byte) error { *p.text = string(raw); return nil }

// connect opens the agent's WebSocket; since is 0 for a snapshot.
func (a *agent) connect(since int64) {
	a.t.Helper()
	target := strings.Replace(a.box.http, "http://", "ws://", 1) + "/api/v1/ws"
	if since > 0 {
		target += fmt.Sprintf("?since=%d", since)
	}
	dialer := websocket.Dialer{Jar: a.client.Jar, Subprotocols: []string{"callbox.v1"}}
	conn, resp, err := dialer.Dial(target, http.Header{"Origin": {a.box.http}})
	if err != nil {
		a.t.Fatalf("websocket: %v (%v)", err, resp)
	}
	a.mu.Lock()
	a.conn, a.closed, a.frames, a.next = conn, nil, nil, 0
	a.mu.Unlock()
	a.t.Cleanup(func() { conn.Close() })
	go a.listen(conn)
}

func (a *agent) listen(conn *websocket.Conn) {
	for {
		var frame map[string]any
		err := conn.ReadJSON(&frame)
		a.mu.Lock()
		if err != nil {
			if a.conn == conn {
				a.closed = err
			}
			a.mu.Unlock()
			return
		}
		frame["_at"] = time.Now()
		if a.conn == conn {
			a.frames = append(a.frames, frame)
		}
		a.mu.Unlock()
	}
}

// event waits for the next frame of a type, after those already taken.
func (a *agent) event(kind string) map[string]any {
	a.t.Helper()
	return a.frame("event "+kind, func(f map[string]any) bool { return f["type"] == kind })
}

func (a *agent) frame(what string, is func(map[string]any) bool) map[string]any {
	a.t.Helper()
	var got map[string]any
	wait(a.t, a.id+": "+what, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for ; a.next < len(a.frames); a.next++ {
			if is(a.frames[a.next]) {
				got = a.frames[a.next]
				a.next++
				return true
			}
		}
		return false
	})
	return got
}

// do sends a command and gives its reply.
func (a *agent) do(cmd string, args map[string]any) map[string]any {
	a.t.Helper()
	id := float64(time.Now().UnixNano() % 1e9)
	if err := a.conn.WriteJSON(map[string]any{"id": id, "cmd": cmd, "args": args}); err != nil {
		a.t.Fatalf("%s: %v", cmd, err)
	}
	var got map[string]any
	wait(a.t, "reply to "+cmd, func() bool {
		a.mu.Lock()
		defer a.mu.Unlock()
		for _, f := range a.frames {
			if f["re"] == id {
				got = f
				return true
			}
		}
		return false
	})
	return got
}

// ready logs the agent's state in, with its socket open.
func (a *agent) ready() {
	a.t.Helper()
	if reply := a.do("setAgentState", map[string]any{"state": "ready"}); reply["ok"] != true {
		a.t.Fatalf("setAgentState: %v", reply)
	}
}

// ports are given out one after the other, from somewhere: no two the same, and
// four apart, since SIPp takes those behind its port for sound too.
var ports atomic.Int64

func init() { ports.Store(rand.Int64N(portsInAll)) }

const portsInAll = 2500

// freePort is a port that nobody uses now, neither by UDP nor by TCP, below
// those that systems give out by themselves.
func freePort(t *testing.T) int {
	t.Helper()
	for range 100 {
		port := int(10000 + 4*(ports.Add(1)%portsInAll))
		address := "127.0.0.1:" + strconv.Itoa(port)
		udp, err := net.ListenPacket("udp", address)
		if err != nil {
			continue
		}
		tcp, err := net.Listen("tcp", address)
		udp.Close()
		if err == nil {
			tcp.Close()
			return port
		}
	}
	t.Fatal("no port is free")
	return 0
}

// lastCall is the id of the newest call that the agent was told of.
func (a *agent) lastCall() any {
	a.mu.Lock()
	defer a.mu.Unlock()
	for i := len(a.frames) - 1; i >= 0; i-- {
		if id := a.frames[i]["call_id"]; id != nil {
			return id
		}
	}
	return nil
}
