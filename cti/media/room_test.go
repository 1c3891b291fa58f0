package media

import (
	"fmt"
	"log/slog"
	"math"
	"testing"
	"time"

	"callbox/cti/media/dsp"
)

// hall is a room of pipes whose beat a test keeps.
type hall struct {
	engine *Plain
	room   *mixer
	ports  []*pipe
	says   []func(i int) int16 // nil: nothing
	hears  [][]int16
	outs   []chan []byte
	now    int64
	n      int64 // frames said
	laws   []Law
}

func newHall(t testing.TB, laws ...Law) *hall {
	t.Helper()
	e, err := New(Config{Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	h := &hall{engine: e, laws: laws, now: e.clock.now() + FrameSamples, room: newMixer(e)}
	for _, law := range laws {
		out := make(chan []byte, 8)
		h.outs = append(h.outs, out)
		h.ports = append(h.ports, newPipe(e, law, nil, out))
	}
	h.says, h.hears = make([]func(int) int16, len(laws)), make([][]int16, len(laws))
	return h
}

// beat lets everybody say a frame, and hear one.
func (h *hall) beat(times int) {
	for range times {
		for i, p := range h.ports {
			if h.says[i] != nil {
				h.say(p, h.says[i])
			}
		}
		h.n++
		h.now += FrameSamples
		h.engine.mix(h.engine.mixers(nil), h.now)
		for i, p := range h.ports {
			p.beat(h.now)
			for len(h.outs[i]) > 0 {
				h.hears[i] = append(h.hears[i], linearOf(h.laws[i], <-h.outs[i])...)
			}
		}
	}
}

func (h *hall) say(p *pipe, f func(int) int16) {
	var frame [FrameSamples]int16
	for i := range frame {
		frame[i] = f(int(h.n)*FrameSamples + i)
	}
	coded := make([]byte, FrameSamples)
	Encode(p.Law(), coded, frame[:])
	p.in.mu.Lock()
	defer p.in.mu.Unlock()
	p.in.sound(&heard{arrival: h.now, law: p.Law(), payload: coded}, uint32(h.n*FrameSamples), p.out.ids)
}

func linearOf(law Law, b []byte) []int16 {
	s := make([]int16, len(b))
	Decode(law, s, b)
	return s
}

func sine(hz, peak float64) func(int) int16 {
	return func(i int) int16 { return int16(peak * math.Sin(2*math.Pi*hz*float64(i)/SampleRate)) }
}

// others are all ports but i.
func (h *hall) others(i int) (all []Port) {
	for j, p := range h.ports {
		if j != i {
			all = append(all, p)
		}
	}
	return all
}

// peakAt is the amplitude of one frequency in the last 100 ms.
func peakAt(sound []int16, hz float64) float64 {
	var re, im float64
	last := sound[len(sound)-800:]
	for i, v := range last {
		sin, cos := math.Sincos(2 * math.Pi * hz * float64(i) / SampleRate)
		re, im = re+float64(v)*cos, im+float64(v)*sin
	}
	return 2 * math.Hypot(re, im) / float64(len(last))
}

// TestEverybodyHearsTheOthers does so for rooms of 2 to 50, of both laws.
func TestEverybodyHearsTheOthers(t *testing.T) {
	for _, n := range []int{2, 3, 5, 50} {
		laws := make([]Law, n)
		for i := range laws {
			laws[i] = []Law{PCMA, PCMU}[i%2]
		}
		h := newHall(t, laws...)
		pitch := func(i int) float64 { return 300 + 60*float64(i) }
		for i, p := range h.ports {
			h.says[i] = sine(pitch(i), 400)
			h.room.Hear(p, h.others(i)...)
		}
		h.beat(20)
		for i := range h.ports {
			for j := range h.ports {
				want := 400.0
				if i == j {
					want = 0
				}
				if got := peakAt(h.hears[i], pitch(j)); math.Abs(got-want) > 60 {
					t.Fatalf("of %d, %d hears %d at %.0f, want %.0f", n, i, j, got, want)
				}
			}
		}
	}
}

// TestWhoHearsWhom goes through what a supervisor does: listen, whisper, barge
// in, take over.
func TestWhoHearsWhom(t *testing.T) {
	h := newHall(t, PCMA, PCMU, PCMA) // caller, agent, supervisor
	for i := range h.ports {
		h.says[i] = sine(400+300*float64(i), 3000)
	}
	for _, tt := range []struct {
		name  string
		hears [3]string // by number
	}{
		{"listen", [3]string{"1", "0", "01"}},
		{"whisper", [3]string{"1", "02", "01"}},
		{"barge", [3]string{"12", "02", "01"}},
		{"take over", [3]string{"2", "", "0"}},
		{"nobody", [3]string{"", "", ""}},
	} {
		for i, who := range tt.hears {
			var from []Port
			for _, d := range who {
				from = append(from, h.ports[d-'0'])
			}
			h.room.Hear(h.ports[i], from...)
		}
		h.beat(12)
		for i, who := range tt.hears {
			got := ""
			for j := range 3 {
				if peakAt(h.hears[i], 400+300*float64(j)) > 1000 {
					got += fmt.Sprint(j)
				}
			}
			if got != who {
				t.Errorf("%s: %d hears %q, want %q", tt.name, i, got, who)
			}
		}
	}
}

// TestNoClicks: nobody's coming or going makes a step in what others hear.
func TestNoClicks(t *testing.T) {
	const hz, peak = 200, 8000
	const steepest = 2513 + 2*2*peak/FrameSamples + 1024 // two tones, their fade, µ-law's coarsest step
	for name, change := range map[string]func(h *hall){
		"one comes":         func(h *hall) { h.room.Hear(h.ports[0], h.ports[1], h.ports[2]) },
		"one is not heard":  func(h *hall) { h.room.Hear(h.ports[0], h.ports[3], h.ports[2]) },
		"one leaves":        func(h *hall) { h.room.Leave(h.ports[1]) },
		"one is taken away": func(h *hall) { h.engine.Bridge(h.ports[2], h.ports[1])() },
		"one ends":          func(h *hall) { h.ports[1].shut() },
		"nothing":           func(*hall) {},
	} {
		most := 0
		for phase := 0; phase < SampleRate/hz; phase += 5 { // one of them is at its crest on the beat
			h := newHall(t, PCMU, PCMU, PCMU, PCMU)
			for i := range 3 {
				h.says[1+i] = func(k int) int16 { return sine(hz, peak)(k + phase) }
			}
			h.room.Hear(h.ports[0], h.ports[1], h.ports[3])
			h.beat(12)
			h.hears[0] = h.hears[0][:0]
			h.beat(2)
			change(h)
			h.beat(4)
			most = max(most, steepestOf(h.hears[0]))
		}
		if most > steepest {
			t.Errorf("%s: a step of %d, want at most %d", name, most, steepest)
		}
	}
}

func steepestOf(sound []int16) (most int) {
	for i := 1; i < len(sound); i++ {
		d := int(sound[i]) - int(sound[i-1])
		most = max(most, d, -d)
	}
	return most
}

// TestRoomIsLeft: who is in a bridge, in another room, gone, or in a room that
// is closed needs no ear, and an empty room has no beat.
func TestRoomIsLeft(t *testing.T) {
	for name, leave := range map[string]func(h *hall){
		"leave": func(h *hall) {
			for _, p := range h.ports {
				h.room.Leave(p)
			}
		},
		"close": func(h *hall) { h.room.Close(); h.room.Close(); h.room.Hear(h.ports[0], h.ports[1]) },
		"end": func(h *hall) {
			for _, p := range h.ports {
				p.shut()
			}
			h.room.Hear(h.ports[0], h.ports[1])
		},
		"bridge": func(h *hall) { h.engine.Bridge(h.ports[0], h.ports[1]); h.engine.Bridge(h.ports[2], h.ports[3]) },
		"another room": func(h *hall) {
			other := h.engine.Room()
			other.Hear(h.ports[0], h.others(0)...)
			other.Close()
		},
	} {
		h := newHall(t, PCMA, PCMA, PCMA, PCMA)
		for i, p := range h.ports {
			h.says[i] = sine(500, 1000)
			h.room.Hear(p, h.others(i)...)
		}
		h.beat(5)
		leave(h)
		h.beat(2)
		for i, p := range h.ports {
			if p.in.ear != nil || p.in.hearers != nil || p.room != nil || p.out.room.source != 0 {
				t.Errorf("%s: port %d is still in the room", name, i)
			}
		}
		if len(h.engine.rooms) > 0 {
			t.Errorf("%s: the room still has beats", name)
		}
	}
}

// TestRoomAndBridgeInTurn: a port hears its bridge after a room, and a room
// after its bridge.
func TestRoomAndBridgeInTurn(t *testing.T) {
	h := newHall(t, PCMA, PCMA, PCMA)
	h.says[1], h.says[2] = sine(400, 3000), sine(700, 3000)
	for range 3 {
		undo := h.engine.Bridge(h.ports[0], h.ports[1])
		h.beat(15)
		if peakAt(h.hears[0], 400) < 2000 || peakAt(h.hears[0], 700) > 500 {
			t.Error("the bridge is not heard alone")
		}
		h.room.Hear(h.ports[0], h.ports[2])
		h.beat(15)
		if peakAt(h.hears[0], 700) < 2000 || peakAt(h.hears[0], 400) > 500 {
			t.Error("the room is not heard alone")
		}
		undo()
		h.beat(10)
		if peakAt(h.hears[0], 700) < 2000 {
			t.Error("the end of a bridge that was over ended the room")
		}
	}
}

// TestRoomIsFull: a room has 64 places; the rest hear nothing, and nothing falls.
func TestRoomIsFull(t *testing.T) {
	h := newHall(t, make([]Law, mostSeats+3)...)
	for i, p := range h.ports {
		h.says[i] = sine(500, 300)
		h.room.Hear(p, h.others(i)...)
	}
	h.beat(10)
	if peakAt(h.hears[mostSeats-1], 500) < 3000 || len(h.room.seats) != mostSeats {
		t.Error("who had a place does not hear")
	}
}

// TestRoomAllocatesNothing: a beat of a room in which all talk.
func TestRoomAllocatesNothing(t *testing.T) {
	h := newHall(t, PCMA, PCMU, PCMA, PCMU, PCMA)
	frames := make([][FrameSamples]byte, len(h.ports))
	for i, p := range h.ports {
		h.says[i] = sine(300+100*float64(i), 2000)
		h.room.Hear(p, h.others(i)...)
		p.out.to = &rtpOutOfNothing{}
		h.say(p, h.says[i])
		fill(frames[i][:], byte(17*i))
	}
	h.beat(10)
	if n := testing.AllocsPerRun(200, func() {
		for i, p := range h.ports {
			p.in.sound(&heard{arrival: h.now, law: h.laws[i], payload: frames[i][:]}, uint32(h.n*FrameSamples), p.out.ids)
		}
		h.n++
		h.now += FrameSamples
		h.room.beat(h.now)
		for _, p := range h.ports {
			p.beat(h.now)
		}
	}); n > 0 {
		t.Errorf("%v allocations a beat", n)
	}
}

// rtpOutOfNothing sends nowhere.
type rtpOutOfNothing struct{}

func (rtpOutOfNothing) sound(uint16, int64, bool, Law, []byte) {}
func (rtpOutOfNothing) event(uint16, int64, bool, []byte)      {}
func (rtpOutOfNothing) events() bool                           { return true }

// BenchmarkRoom is a beat of a room of n, all of whom talk.
func BenchmarkRoom(b *testing.B) {
	for _, n := range []int{3, 10, 50} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			h := newHall(b, make([]Law, n)...)
			frames := make([][FrameSamples]byte, n)
			for i, p := range h.ports {
				h.room.Hear(p, h.others(i)...)
				p.out.to = &rtpOutOfNothing{}
				for k := range frames[i] {
					frames[i][k] = byte(17*i + k)
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				for i, p := range h.ports {
					p.in.sound(&heard{arrival: h.now, law: PCMU, payload: frames[i][:]}, uint32(h.n*FrameSamples), p.out.ids)
				}
				h.n++
				h.now += FrameSamples
				h.room.beat(h.now)
				for _, p := range h.ports {
					p.beat(h.now)
				}
			}
		})
	}
}

// BenchmarkListen is what a port costs that is only listened to, a frame.
func BenchmarkListen(b *testing.B) {
	for name, want := range map[string]Detect{"decoded": 0, "keys": DetectKeys, "fax": DetectFax, "keys and fax": DetectKeys | DetectFax} {
		b.Run(name, func(b *testing.B) {
			h := newHall(b, PCMA)
			p := &h.ports[0].port
			p.in.need()
			p.detect(want, make(chan string, 1))
			frame := make([]byte, FrameSamples)
			Encode(PCMA, frame, speechlike(2 * time.Second)[8000:])
			b.ReportAllocs()
			for b.Loop() {
				if p.in.ear.fax != nil {
					p.in.ear.fax.left = faxSpan
				}
				p.in.sound(&heard{arrival: h.now, law: PCMA, payload: frame}, uint32(h.n*FrameSamples), p.out.ids)
				h.n++
				h.now += FrameSamples
				p.in.listen(h.now)
			}
		})
	}
}

// TestLimitInRoom: two who shout are loud, and no wrap-around.
func TestLimitInRoom(t *testing.T) {
	h := newHall(t, PCMU, PCMU, PCMU)
	for i, p := range h.ports {
		h.says[i] = sine(300, 30000)
		h.room.Hear(p, h.others(i)...)
	}
	h.beat(12)
	last := h.hears[0][len(h.hears[0])-800:]
	if d := steepestOf(last); d > 16000 {
		t.Errorf("a step of %d", d)
	}
	if got := dsp.Level(last); got < -1 {
		t.Errorf("%.1f dBm0", got)
	}
}
