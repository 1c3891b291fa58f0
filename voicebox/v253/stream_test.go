package v253

import (
	"bytes"
	"errors"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"callbox/cti/media/dsp"
)

func talk(t *testing.T, m *Modem) *Stream {
	t.Helper()
	s, err := m.Talk(t.Context())
	if err != nil {
		t.Fatalf("Talk: %v", err)
	}
	return s
}

// numbered is frames of A-law whose first byte is their number.
func numbered() func() []byte {
	n := byte(0)
	return func() []byte {
		plain := make([]byte, Frame)
		plain[0] = n
		n++
		return AppendShielded(nil, plain)
	}
}

func TestFramesInOrder(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		f.sound = numbered()
		s := talk(t, m)
		want := make([]int16, 1)
		for n := range 300 {
			frame := <-s.Frames()
			aLaw.decode(want, []byte{byte(n)})
			if len(frame) != Frame || frame[0] != want[0] {
				t.Fatalf("frame %d has %d samples and begins with %d", n, len(frame), frame[0])
			}
		}
	})
}

func TestFramesNobodyReads(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		f.sound = numbered()
		s := talk(t, m)
		time.Sleep(2*time.Second + 10*time.Millisecond)
		if unread, _, _ := s.Counts(); unread != 100-frameRoom {
			t.Errorf("%d frames unread, want %d", unread, 100-frameRoom)
		}
		if err := m.OnHook(t.Context()); err != nil {
			t.Errorf("OnHook: %v", err)
		}
	})
}

// What is written arrives, shielded, whatever its bytes.
func TestWriteShields(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		s := talk(t, m)
		all := make([]int16, Frame) // every A-law code, so byte 10 hex too
		for i := range all {
			all[i] = int16(i-Frame/2) * 400
		}
		if err := s.Write(all); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		want := make([]byte, Frame)
		dsp.EncodeALaw(want, all)
		if got := f.received(); !bytes.Equal(got, AppendShielded(nil, want)) {
			t.Errorf("the box got %x", got)
		}
	})
}

// More than 200 ms ahead of the line is not sent: Write waits 100 ms and drops.
func TestWriteIsBounded(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		f.sound = func() []byte { time.Sleep(time.Second); return make([]byte, Frame) } // a frame a second
		s := talk(t, m)
		frame := make([]int16, Frame)
		for range streamRoom {
			if err := s.Write(frame); err != nil {
				t.Fatal(err)
			}
		}
		start := time.Now()
		if err := s.Write(frame); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(start); took != writeLimit {
			t.Errorf("Write took %v, want exactly %v", took, writeLimit)
		}
		if _, unsent, _ := s.Counts(); unsent != 1 {
			t.Errorf("%d frames unsent", unsent)
		}
	})
}

// A port that takes nothing (the box hangs) does not hold Write either.
func TestWriteToAStuckPort(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		s := talk(t, m)
		defer f.hang()()
		start := time.Now()
		for range 20 {
			_ = s.Write(make([]int16, Frame))
		}
		if took := time.Since(start); took > 20*writeLimit {
			t.Errorf("20 frames took %v", took)
		}
	})
}

// The pace of a real call: one frame written a frame read, for ten minutes,
// while one byte in 5000 of what comes is lost.
func TestPaceSurvivesLoss(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		r := rand.New(rand.NewPCG(3, 3))
		f.sound = func() []byte {
			frame := make([]byte, Frame)
			if r.IntN(31) == 0 {
				return frame[1:]
			}
			return frame
		}
		s := talk(t, m)
		for range HeadStart {
			_ = s.Write(make([]int16, Frame))
		}
		for range 30000 {
			<-s.Frames()
			_ = s.Write(make([]int16, Frame))
		}
		if _, unsent, _ := s.Counts(); unsent > 5 {
			t.Errorf("%d of 30000 frames unsent", unsent)
		}
	})
}

func TestEnd(t *testing.T) {
	for name, tt := range map[string]struct {
		answers map[string]string
		dles    int
		limit   time.Duration
	}{
		"one DLE":                       {usr5637, 1, 50 * time.Millisecond},
		"three DLEs, known":             {cx93001, 3, 50 * time.Millisecond},
		"one DLE where three are usual": {cx93001, 1, 50 * time.Millisecond},
		"three DLEs, not expected":      {usr5637, 3, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := chip(tt.answers)
				f.dles = tt.dles
				m := opened(t, f, "auto")
				s := talk(t, m)
				<-s.Frames()
				start := time.Now()
				if err := s.End(t.Context()); err != nil {
					t.Fatal(err)
				}
				if took := time.Since(start); took > tt.limit {
					t.Errorf("took %v", took)
				}
				for range s.Frames() {
				}
				if err := s.Write(make([]int16, Frame)); !errors.Is(err, ErrEnded) {
					t.Errorf("Write: %v", err)
				}
				if err := errors.Join(m.Check(t.Context()), s.End(t.Context())); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// Whatever is asked of a talking box, the stream ends first; then the next.
func TestCommandsLeaveTheStream(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		s := talk(t, m)
		if err := m.Check(t.Context()); err != nil || s.Err() != nil {
			t.Errorf("Check: %v, stream %v", err, s.Err())
		}
		if err := m.OnHook(t.Context()); err != nil {
			t.Fatal(err)
		}
		if !errors.Is(s.Err(), ErrEnded) {
			t.Errorf("stream: %v", s.Err())
		}
		again := talk(t, m)
		if frame, ok := <-again.Frames(); !ok || len(frame) != Frame {
			t.Error("no sound in the second stream")
		}
	})
}

// A box that heeds no code is given up, in time.
func TestEndOfADeafBox(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		s := talk(t, m)
		f.deaf = true
		start := time.Now()
		if err := s.End(within(t, 10*time.Second)); !errors.Is(err, ErrSilent) {
			t.Errorf("End: %v", err)
		}
		t.Logf("given up after %v", time.Since(start))
		if _, open := <-s.Frames(); open {
			for range s.Frames() {
			}
		}
	})
}

func TestBoxFallsSilent(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		left := 5
		f.sound = func() []byte {
			if left--; left < 0 {
				return nil
			}
			return make([]byte, Frame)
		}
		s := talk(t, m)
		for range s.Frames() {
		}
		if !errors.Is(s.Err(), ErrSilent) {
			t.Errorf("Err = %v", s.Err())
		}
	})
}

// The box ends the stream by itself; what was on its way to it is half a line
// there, so the next command finds out first.
func TestBoxEndsTheStream(t *testing.T) {
	bubble(t, usr5637, func(t *testing.T, f *fake, m *Modem) {
		s := talk(t, m)
		<-s.Frames()
		f.dataByte('^', 1)
		for range s.Frames() {
		}
		if err := m.OnHook(t.Context()); err != nil {
			t.Fatal(err)
		}
		got := f.commands()
		if want := "AT+VTR ATE0Q0V1 ATI0 AT+VLS=0"; strings.Join(got, " ") != want {
			t.Errorf("commands %q", got)
		}
	})
}

func TestTalkIsRefused(t *testing.T) {
	answers := map[string]string{"AT+VTR": "ERROR"}
	for k, v := range usr5637 {
		answers[k] = v
	}
	bubble(t, answers, func(t *testing.T, _ *fake, m *Modem) {
		if _, err := m.Talk(t.Context()); !errors.Is(err, ErrRefused) {
			t.Errorf("Talk: %v", err)
		}
		if err := m.Check(t.Context()); err != nil {
			t.Error(err)
		}
		if _, err := m.Listen(t.Context()); !errors.Is(err, ErrRefused) {
			t.Errorf("Listen on a chip that cannot: %v", err)
		}
	})
}

// speech is a tone that swells, with noise: what a line carries.
func speech(n int) []int16 {
	r := rand.New(rand.NewPCG(7, 7))
	s := make([]int16, n)
	for i := range s {
		at := float64(i) / dsp.Rate
		swell := math.Abs(math.Sin(2 * math.Pi * 2 * at))
		s[i] = int16(6000*swell*math.Sin(2*math.Pi*350*at) + 2000*swell*math.Sin(2*math.Pi*1900*at) + 20*r.NormFloat64())
	}
	return s
}

// A byte lost inside 16-bit audio would make noise for the rest of the call.
func TestLostByteIsMended(t *testing.T) {
	sound := speech(2 * dsp.Rate)
	plain := make([]byte, 2*len(sound))
	signed16.encode(plain, sound)
	for _, at := range []int{1000, 16001, 23456} {
		m := newModem(nil, quietLog())
		m.coding = signed16
		s := newStream(m, true)
		s.begin()
		s.watch.Stop()
		s.take(plain[:at])
		s.take(plain[at+1:])
		_, _, slips := s.Counts()
		if slips == 0 {
			t.Fatalf("lost byte %d was not noticed", at)
		}
		worst := 0
		for i := range frameRoom {
			frame := <-s.frames
			// Two frames behind the loss all is as sent, one sample earlier.
			if i*2*Frame > at+4*Frame {
				for k, v := range frame {
					worst = max(worst, abs(int(v)-int(sound[i*Frame+k+1])))
				}
			}
		}
		if worst > 0 {
			t.Errorf("byte %d lost: off by %d two frames later", at, worst)
		}
	}
}

// What is whole is left alone: silence, loud, clipped, square, noise, digits.
func TestNothingToMend(t *testing.T) {
	r := rand.New(rand.NewPCG(9, 9))
	square, loud, noise := make([]int16, dsp.Rate), make([]int16, dsp.Rate), make([]int16, dsp.Rate)
	for i := range square {
		square[i] = 32767
		if i/4%2 == 0 {
			square[i] = -32768
		}
		loud[i] = int16(max(-32768, min(32767, 60000*math.Sin(2*math.Pi*1000*float64(i)/dsp.Rate))))
		noise[i] = int16(r.Uint32())
	}
	eight := make([]int16, dsp.Rate)
	for i, v := range speech(dsp.Rate) {
		eight[i] = v &^ 0xFF
	}
	law := make([]int16, dsp.Rate)
	codes := make([]byte, dsp.Rate)
	dsp.EncodeALaw(codes, loud)
	dsp.DecodeALaw(law, codes)
	for name, sound := range map[string][]int16{
		"silence": make([]int16, dsp.Rate), "speech": speech(dsp.Rate), "square": square, "clipped": loud, "noise": noise,
		"A-law": law, "8 bits": eight, "digits": dsp.AppendDTMF(nil, "1234567890*#", dsp.DefaultKeying),
	} {
		plain := make([]byte, 2*len(sound))
		signed16.encode(plain, sound)
		m := newModem(nil, quietLog())
		m.coding = signed16
		s := newStream(m, true)
		s.begin()
		s.watch.Stop()
		s.take(plain)
		if _, _, slips := s.Counts(); slips != 0 {
			t.Errorf("%s: whole audio was mended %d times", name, slips)
		}
	}
}

func TestCodings(t *testing.T) {
	sound := speech(Frame)
	for c, worst := range map[coding]int{signed16: 0, aLaw: 512, muLaw: 512, unsigned8: 128, signed8: 128} {
		plain, back := make([]byte, Frame*c.width()), make([]int16, Frame)
		c.encode(plain, sound)
		c.decode(back, plain)
		for i := range sound {
			if abs(int(back[i])-int(sound[i])) > worst {
				t.Errorf("coding %v: %d comes back as %d", c, sound[i], back[i])
				break
			}
		}
	}
	still := make([]byte, 1)
	unsigned8.encode(still, make([]int16, 1))
	if still[0] != 0x80 {
		t.Errorf("silence in unsigned 8 bits is %#x", still[0])
	}
}

func BenchmarkStreamTake(b *testing.B) {
	for name, c := range map[string]coding{"s16": signed16, "alaw": aLaw} {
		b.Run(name, func(b *testing.B) {
			m := newModem(nil, quietLog())
			m.coding = c
			s := newStream(m, true)
			s.begin()
			plain := make([]byte, Frame*c.width())
			c.encode(plain, speech(Frame))
			b.SetBytes(int64(len(plain)))
			b.ReportAllocs()
			for b.Loop() {
				s.take(plain)
				<-s.frames
			}
			s.watch.Stop()
		})
	}
}

func BenchmarkStreamWrite(b *testing.B) {
	m := newModem(nil, quietLog())
	m.coding = signed16
	s := newStream(m, true)
	frame := speech(Frame)
	b.SetBytes(2 * Frame)
	b.ReportAllocs()
	for b.Loop() {
		_ = s.Write(frame)
		m.giveBack(<-m.voice)
		s.ahead.Store(0)
	}
}
