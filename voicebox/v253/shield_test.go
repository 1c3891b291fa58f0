package v253

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// unshielded is what an Unshielder finds: audio and codes in their order.
func unshielded(u *Unshielder, in []byte) (audio []byte, codes string) {
	room := make([]byte, len(in)+1)
	for len(in) > 0 {
		n, used, code := u.Next(room, in)
		audio = append(audio, room[:n]...)
		if code != 0 {
			codes += string(rune(code))
		}
		in = in[used:]
	}
	return audio, codes
}

func TestUnshieldGolden(t *testing.T) {
	for name, tt := range map[string]struct{ in, audio, codes string }{
		"plain":                {"abc", "abc", ""},
		"a byte 10 hex":        {"a\x10\x10b", "a\x10b", ""},
		"two of them":          {"a\x10\x1ab", "a\x10\x10b", ""},
		"all of it shielded":   {"\x10\x10\x10\x10\x10\x1a", "\x10\x10\x10\x10", ""},
		"an event between":     {"ab\x10Rcd", "abcd", "R"},
		"two events":           {"\x10/\x105ab\x10~", "ab", "/5~"},
		"unknown codes":        {"a\x10\x7fb\x10\x01c", "abc", "\x7f\x01"},
		"volume is no audio":   {"a\x10ub\x10dc", "abc", "ud"},
		"XON and XOFF as data": {"a\x10Qb\x10S", "a\x11b\x13", ""},
		"nothing":              {"a\x10\x00b", "ab", ""},
		"end":                  {"ab\x10\x03", "ab", "\x03"},
		"three DLEs and ETX":   {"ab\x10\x10\x10\x03", "ab\x10", "\x03"},
		"a lone DLE is kept":   {"ab\x10", "ab", ""},
		"DLE before a number":  {"\x10\x10" + "5", "\x105", ""},
	} {
		t.Run(name, func(t *testing.T) {
			audio, codes := unshielded(&Unshielder{}, []byte(tt.in))
			if string(audio) != tt.audio || codes != tt.codes {
				t.Errorf("audio %q codes %q, want %q %q", audio, codes, tt.audio, tt.codes)
			}
		})
	}
}

func TestShieldGolden(t *testing.T) {
	for in, want := range map[string]string{
		"": "", "abc": "abc", "\x10": "\x10\x10", "a\x10b\x10\x10": "a\x10\x10b\x10\x10\x10\x10",
	} {
		if got := AppendShielded([]byte("x"), []byte(in)); string(got) != "x"+want {
			t.Errorf("%q becomes %q, want %q", in, got, "x"+want)
		}
	}
}

// However reads fall, the same comes out.
func FuzzUnshieldSplits(f *testing.F) {
	f.Add([]byte("a\x10\x10b\x10\x1ac\x10Rd\x10\x03"), uint64(1))
	f.Add([]byte("\x10\x10\x10\x10\x10\x1a\x10"), uint64(2))
	f.Fuzz(func(t *testing.T, in []byte, seed uint64) {
		audio, codes := unshielded(&Unshielder{}, in)
		r := rand.New(rand.NewPCG(seed, 0))
		var u Unshielder
		var audio2 []byte
		codes2 := ""
		for rest := in; len(rest) > 0; {
			n := 1 + r.IntN(min(len(rest), 7))
			a, c := unshielded(&u, rest[:n])
			audio2, codes2, rest = append(audio2, a...), codes2+c, rest[n:]
		}
		if !bytes.Equal(audio, audio2) || codes != codes2 {
			t.Errorf("whole %q %q, in parts %q %q", audio, codes, audio2, codes2)
		}
	})
}

func FuzzShieldRoundTrip(f *testing.F) {
	f.Add([]byte("a\x10b\x10\x10"))
	f.Fuzz(func(t *testing.T, in []byte) {
		audio, codes := unshielded(&Unshielder{}, AppendShielded(nil, in))
		if !bytes.Equal(audio, in) || codes != "" {
			t.Errorf("%q comes back as %q with codes %q", in, audio, codes)
		}
	})
}

func TestShieldingAllocatesNothing(t *testing.T) {
	plain := bytes.Repeat([]byte{1, 2, 0x10, 4}, 80)
	shielded := make([]byte, 0, 2*len(plain))
	audio := make([]byte, 2*len(plain))
	var u Unshielder
	n := testing.AllocsPerRun(100, func() {
		shielded = AppendShielded(shielded[:0], plain)
		u.Next(audio, shielded)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// heard is what a parser told.
type heard struct {
	told  []string
	voice []byte
}

func (h *heard) line(text []byte) { h.told = append(h.told, string(text)) }
func (h *heard) event(code byte)  { h.told = append(h.told, "DLE "+string(rune(code))) }
func (h *heard) begun()           { h.told = append(h.told, "begun") }
func (h *heard) ended()           { h.told = append(h.told, "ended") }
func (h *heard) audio(b []byte)   { h.voice = append(h.voice, b...) }
func (h *heard) reported(text []byte) {
	if text == nil {
		h.told = append(h.told, "report ends")
		return
	}
	h.told = append(h.told, "report "+string(text))
}

func TestParser(t *testing.T) {
	for name, tt := range map[string]struct {
		in, want, audio string
		armed           bool
	}{
		"answer":                          {in: "\r\nOK\r\n", want: "OK"},
		"several":                         {in: "\r\n8\r\n\r\nOK\r\n", want: "8|OK"},
		"event before an answer":          {in: "\x10R\r\nOK\r\n", want: "DLE R|OK"},
		"event inside an answer":          {in: "\r\nO\x10RK\r\n", want: "DLE R|OK"},
		"report":                          {in: "\x10XDATE=0317\r\nNMBR=138\r\n\x10.\r\nOK\r\n", want: "report DATE=0317|report NMBR=138|report ends|OK"},
		"report with a line first":        {in: "\x10X\r\nNMBR = P\r\n\x10.", want: "report NMBR = P|report ends"},
		"report whose end is lost":        {in: "\x10XNMBR=138\r\n\x10R", want: "report NMBR=138|report ends|DLE R"},
		"a name in GB2312":                {in: "\x10XNAME=\xd5\xc5\xc8\xfd\r\n\x10.", want: "report NAME=\xd5\xc5\xc8\xfd|report ends"},
		"a plain name in GB2312":          {in: "\r\nNAME = \xd5\xc5\xc8\xfd\r\n", want: "NAME = \xd5\xc5\xc8\xfd"},
		"data":                            {in: "\r\nCONNECT\r\nab\x10\x10c\x10\x03\r\nOK\r\n", want: "begun|ended|OK", audio: "ab\x10c", armed: true},
		"data that begins with LF":        {in: "\r\nCONNECT\r\n\nab", want: "begun", audio: "\nab", armed: true},
		"CONNECT not asked for":           {in: "\r\nCONNECT\r\nab\r\n", want: "CONNECT|ab"},
		"event in data":                   {in: "\r\nCONNECT\r\na\x10/\x105b\x10~", want: "begun|DLE /|DLE 5|DLE ~", audio: "ab", armed: true},
		"report in data":                  {in: "\r\nCONNECT\r\na\x10XNMBR=5\r\n\x10.b", want: "begun|report NMBR=5|report ends", audio: "ab", armed: true},
		"no report in data":               {in: "\r\nCONNECT\r\na\x10X\x01bc", want: "begun|report ends", audio: "abc", armed: true},
		"an end that a lost byte made up": {in: "\r\nCONNECT\r\na\x10\x03bc", want: "begun", audio: "abc", armed: true},
		"end by ESC":                      {in: "\r\nCONNECT\r\na\x10\x1b\r\nOK\r\n", want: "begun|ended|OK", audio: "a", armed: true},
		"noise, then an answer":           {in: "\x01\x02\xff\x80xyz\r\nOK\r\n", want: "OK"},
		"noise, then an event":            {in: "\x01\x02\x10R\x10b\xff\r\n\x10R", want: "DLE R"},
		"a line without end":              {in: strings.Repeat("A", 300) + "\x10R\r\n\r\nOK\r\n", want: "OK"},
		"end of a state nobody remembers": {in: "\x10\x03\r\nOK\r\n", want: "OK"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, size := range []int{1, 2, 3, 1000} {
				h, p := &heard{}, &parser{armed: tt.armed}
				for part := range slices.Chunk([]byte(tt.in), size) {
					p.feed(part, h)
				}
				if got := strings.Join(h.told, "|"); got != tt.want || string(h.voice) != tt.audio {
					t.Errorf("in parts of %d: %q audio %q, want %q %q", size, got, h.voice, tt.want, tt.audio)
				}
			}
		})
	}
}

// Random bytes in a data state and outside: no ring, nothing kept, and what
// comes behind them is understood at once.
func TestNoise(t *testing.T) {
	const size = 1 << 20
	for name, armed := range map[string]bool{"text": false, "data": true} {
		t.Run(name, func(t *testing.T) {
			r := rand.New(rand.NewPCG(253, 1))
			noise := make([]byte, size)
			for i := range noise {
				noise[i] = byte(r.Uint32())
			}
			h, p := &heard{}, &parser{armed: armed}
			if armed {
				p.feed([]byte("\r\nCONNECT\r\n"), h)
			}
			var tell teller
			rings := 0
			for part := range slices.Chunk(noise, 333) {
				p.feed(part, h)
				for _, told := range h.told {
					if code, ok := strings.CutPrefix(told, "DLE "); ok {
						for _, e := range tell.tell(nil, code[0], p.data, now()) {
							if e.Kind == Ring {
								rings++
							}
						}
					}
				}
				h.told, h.voice = h.told[:0], h.voice[:0]
			}
			if rings > 0 {
				t.Errorf("%d false rings", rings)
			}
			if armed != p.data {
				t.Fatalf("data state %v, want %v", p.data, armed)
			}
			if armed { // a whole frame behind the noise is heard whole
				p.feed([]byte{'x', 'x', dle, 0}, h) // whatever the noise left open
				h.voice = nil
				p.feed(AppendShielded(nil, bytes.Repeat([]byte{0x10, 7}, 160)), h)
				if len(h.voice) != 320 {
					t.Errorf("%d bytes of a frame of 320", len(h.voice))
				}
				return
			}
			p.pause()
			p.feed([]byte("\x10R\r\nOK\r\n"), h)
			if got := strings.Join(h.told, "|"); got != "DLE R|OK" {
				t.Errorf("behind the noise: %q", got)
			}
		})
	}
}

func FuzzParser(f *testing.F) {
	f.Add([]byte("\r\nCONNECT\r\nab\x10\x10c\x10\x03\r\nOK\r\n"), true)
	f.Add([]byte("\x10XNMBR=138\r\n\x10."), false)
	f.Fuzz(func(t *testing.T, in []byte, armed bool) {
		whole, one := &heard{}, &heard{}
		p, q := &parser{armed: armed}, &parser{armed: armed}
		p.feed(in, whole)
		for _, b := range in {
			q.feed([]byte{b}, one)
		}
		if !slices.Equal(whole.told, one.told) || !bytes.Equal(whole.voice, one.voice) {
			t.Errorf("whole %q %q, in bytes %q %q", whole.told, whole.voice, one.told, one.voice)
		}
	})
}

func BenchmarkParserAudio(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	plain := make([]byte, 4096)
	for i := range plain {
		plain[i] = byte(r.Uint32())
	}
	in := AppendShielded(nil, plain)
	p, to := &parser{data: true}, mute{}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		p.feed(in, to)
	}
}

func BenchmarkParserText(b *testing.B) {
	in := bytes.Repeat([]byte("\r\n0,\"SIGNED PCM\",16,0,(8000),(0),(0)\r\n\x10R"), 100)
	p, to := &parser{}, mute{}
	b.SetBytes(int64(len(in)))
	b.ReportAllocs()
	for b.Loop() {
		p.feed(in, to)
	}
}

// mute hears nothing.
type mute struct{}

func (mute) line([]byte)     {}
func (mute) event(byte)      {}
func (mute) reported([]byte) {}
func (mute) begun()          {}
func (mute) audio([]byte)    {}
func (mute) ended()          {}
