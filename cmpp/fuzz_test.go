package cmpp

import (
	"bytes"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// FuzzDecode feeds bodies to every decoder. What decodes and encodes again
// must then be stable.
func FuzzDecode(f *testing.F) {
	for _, v := range []Version{V20, V30} {
		for _, p := range samples(v) {
			body, _ := p.AppendBody(nil, v)
			f.Add(uint8(v), uint32(p.Command()), body)
		}
	}
	f.Fuzz(func(t *testing.T, version uint8, command uint32, body []byte) {
		v := Version(version)
		p, err := Decode(v, Command(command), body)
		if err != nil {
			return
		}
		again, err := p.AppendBody(nil, v)
		if err != nil {
			return // read leniently, not written
		}
		q, err := Decode(v, Command(command), again)
		if err != nil {
			t.Fatal(err)
		}
		if resp, ok := p.(*ConnectResp); ok {
			resp.Narrow = q.(*ConnectResp).Narrow
		}
		if diff := cmp.Diff(p, q); diff != "" {
			t.Error(diff)
		}
	})
}

// FuzzReader feeds a stream: it ends in an error and never in a panic.
func FuzzReader(f *testing.F) {
	var stream []byte
	for _, p := range samples(V30) {
		stream, _ = Append(stream, V30, 1, p)
	}
	f.Add(stream)
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 1})
	f.Fuzz(func(t *testing.T, in []byte) {
		r, read := NewReader(bytes.NewReader(in)), 0
		for {
			h, body, err := r.Next()
			if err != nil {
				break
			}
			read += HeaderLen + len(body)
			_, _ = Decode(V30, h.Command, body)
		}
		if read > len(in) {
			t.Errorf("%d bytes of frames from %d", read, len(in))
		}
	})
}

// FuzzContent feeds contents of DELIVERs to everything that reads them.
func FuzzContent(f *testing.F) {
	report, _ := (&Report{Stat: StatDelivered, DestTerminalID: "13800138000"}).Append(nil, V30)
	f.Add(uint8(8), report)
	f.Add(uint8(25), Concat{Ref: 1, Total: 2, Number: 1}.Append16(nil))
	f.Fuzz(func(t *testing.T, format uint8, content []byte) {
		var r Report
		_ = r.Decode(content)
		h, rest, _ := ParseUDH(content)
		if h.Number > h.Total || len(rest) > len(content) {
			t.Errorf("%+v, %d of %d bytes", h, len(rest), len(content))
		}
		_, _ = DecodeText(Format(format), rest)
	})
}

func BenchmarkSubmit(b *testing.B) {
	p := samples(V30)[4]
	var frame []byte
	b.ReportAllocs()
	for b.Loop() {
		var err error
		if frame, err = Append(frame[:0], V30, 1, p); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkDecodeDeliver(b *testing.B) {
	body, _ := samples(V30)[6].AppendBody(nil, V30)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Decode(V30, CmdDeliver, body); err != nil {
			b.Fatal(err)
		}
	}
}

// FuzzParseTime reads time fields; an absolute one that reads is written as it
// was.
func FuzzParseTime(f *testing.F) {
	f.Add("260801093000032+")
	f.Add("000000020000000R")
	f.Fuzz(func(t *testing.T, field string) {
		at, err := ParseTime(field, time.Unix(0, 0))
		if err != nil || field == "" || field[timeLength-1] == 'R' {
			return
		}
		back, err := ParseTime(AbsoluteTime(at), time.Time{})
		if err != nil || !back.Equal(at) {
			t.Errorf("%q is %v, then %v, %v", field, at, back, err)
		}
	})
}
