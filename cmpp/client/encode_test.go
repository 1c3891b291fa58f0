package client

import (
	"strings"
	"testing"

	"callbox/cmpp"
	"callbox/cmpp/cmpptest"
	"callbox/internal/segment"
	"callbox/sms"
)

// TestAlphabets: a text is cut by the account's style and leaves as it was
// cut: alphabet, header, number of parts.
func TestAlphabets(t *testing.T) {
	han := func(n int) string { return strings.Repeat("单", n) }
	auto, ucs2 := segment.Style{}, segment.Style{Alphabet: segment.UCS2}
	gbk, wide := segment.Style{Alphabet: segment.GBK}, segment.Style{RefBits: 16}
	for name, tt := range map[string]struct {
		style  segment.Style
		text   string
		format cmpp.Format
		sizes  []int // of the contents, header included
	}{
		"ASCII":            {auto, "go to 3F", cmpp.ASCII, []int{8}},
		"159 ASCII":        {auto, strings.Repeat("a", 159), cmpp.ASCII, []int{159}},
		"160 ASCII":        {auto, strings.Repeat("a", 160), cmpp.UCS2, []int{140, 140, 58}},
		"ASCII as UCS2":    {ucs2, "go", cmpp.UCS2, []int{4}},
		"70":               {auto, han(70), cmpp.UCS2, []int{140}},
		"71":               {auto, han(71), cmpp.UCS2, []int{140, 14}},
		"71, wide":         {wide, han(71), cmpp.UCS2, []int{139, 17}},
		"71 GBK":           {gbk, han(71), cmpp.GBK, []int{140, 14}},
		"GBK":              {gbk, "工单A", cmpp.GBK, []int{5}},
		"GBK, odd":         {gbk, "a" + han(100), cmpp.GBK, []int{139, 74}},
		"GBK with emoji":   {gbk, "工单😀", cmpp.UCS2, []int{8}},
		"pair at a border": {auto, han(66) + "😀" + han(10), cmpp.UCS2, []int{138, 30}},
	} {
		t.Run(name, func(t *testing.T) {
			inBubble(t, func(c *Config) { c.Style = tt.style; still(c) }, func(t *testing.T, b *bubble) {
				e := b.accept()
				alphabet, parts := tt.style.Cut(tt.text, 0)
				done := make(chan error, 1)
				b.group.Go("submit", func() {
					_, err := b.client.Submit(t.Context(), sms.Submission{ID: "m", To: "13800138000", Parts: parts, Alphabet: alphabet, Reference: 200})
					done <- err
				})
				text, refs := "", map[uint16]bool{}
				for i, size := range tt.sizes {
					f, p := next[*cmpp.Submit](e)
					e.answer(f, cmpp.ResultOK)
					if p.MsgFmt != tt.format || len(p.MsgContent) != size || int(p.PkNumber) != i+1 || int(p.PkTotal) != len(tt.sizes) {
						t.Errorf("part %d/%d: format %d, %d octets, want %d, %d", p.PkNumber, p.PkTotal, p.MsgFmt, len(p.MsgContent), tt.format, size)
					}
					content := p.MsgContent
					if p.HasUDH() {
						var h cmpp.Concat
						h, content, _ = cmpp.ParseUDH(content)
						refs[h.Ref] = true
						if uint8(h.Ref) != 200 || (h.Ref > 255) != tt.style.Wide() || h.Number != p.PkNumber {
							t.Errorf("%+v", h)
						}
					}
					text += decode(p.MsgFmt, content)
				}
				if err := <-done; err != nil || text != tt.text || len(refs) > 1 {
					t.Errorf("%q under %v, %v", text, refs, err)
				}
				e.quiet()
			})
		})
	}
}

// TestAlphabetNotOfTheParts is refused here, not cut off.
func TestAlphabetNotOfTheParts(t *testing.T) {
	c, err := New(Config{Name: "a", Address: "h:1", SPID: "1"})
	if err != nil {
		t.Fatal(err)
	}
	for alphabet, text := range map[segment.Alphabet]string{segment.ASCII: "单", segment.GBK: "😀", "klingon": "a"} {
		_, err := c.Submit(t.Context(), sms.Submission{To: "1", Parts: []string{text}, Alphabet: alphabet})
		if !isRejected(err) {
			t.Errorf("%s: %v", alphabet, err)
		}
	}
}

// TestCentreReadsWhatIsSent in every style and version.
func TestCentreReadsWhatIsSent(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("您有新工单 No. 4711。", 20)
	for _, v := range []cmpp.Version{cmpp.V20, cmpp.V30} {
		for _, alphabet := range []segment.Alphabet{segment.Auto, segment.UCS2, segment.GBK} {
			for _, bits := range []int{8, 16} {
				style := segment.Style{Alphabet: alphabet, RefBits: bits}
				p := connect(t, Config{Style: style, Version: v}, cmpptest.Config{})
				a, parts := style.Cut(text, 0)
				receipt, err := p.client.Submit(t.Context(), sms.Submission{ID: "x", To: "13800138000", Parts: parts, Alphabet: a})
				if err != nil {
					t.Fatal(err)
				}
				texts := p.centre.Submits()
				if len(texts) != 1 || texts[0].Text != text || texts[0].Parts != len(parts) || len(receipt.Parts) != len(parts) {
					t.Errorf("%v %+v: %+v", v, style, texts)
				}
			}
		}
	}
}
