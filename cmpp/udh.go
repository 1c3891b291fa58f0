package cmpp

import "encoding/binary"

// Information elements of a user data header that join long texts
// (GSM 03.40, 9.2.3.24).
const (
	concat8  = 0x00
	concat16 = 0x08
)

// Concat is the part of a user data header that says which part of which long
// text a content is. The zero value stands for a text of its own.
type Concat struct {
	Ref           uint16
	Total, Number uint8 // Number from 1
}

// Append puts a header of 6 bytes with an 8-bit reference behind b.
func (h Concat) Append(b []byte) []byte {
	return append(b, 5, concat8, 3, uint8(h.Ref), h.Total, h.Number)
}

// Append16 puts a header of 7 bytes with a 16-bit reference behind b.
func (h Concat) Append16(b []byte) []byte {
	b = append(b, 6, concat16, 4)
	b = binary.BigEndian.AppendUint16(b, h.Ref)
	return append(b, h.Total, h.Number)
}

// ParseUDH splits a content that starts with a user data header. A header
// without a sane joining element gives the zero Concat. When the header does
// not fit the content, all of it is text and ok is false.
func ParseUDH(content []byte) (h Concat, rest []byte, ok bool) {
	if len(content) == 0 || int(content[0])+1 > len(content) {
		return Concat{}, content, false
	}
	elements, rest := content[1:int(content[0])+1], content[int(content[0])+1:]
	for len(elements) >= 2 {
		id, n := elements[0], int(elements[1])
		if n+2 > len(elements) {
			break
		}
		if found, ok := parseConcat(id, elements[2:n+2]); ok {
			h = found
		}
		elements = elements[n+2:]
	}
	return h, rest, true
}

func parseConcat(id uint8, data []byte) (Concat, bool) {
	var h Concat
	switch {
	case id == concat8 && len(data) == 3:
		h = Concat{Ref: uint16(data[0]), Total: data[1], Number: data[2]}
	case id == concat16 && len(data) == 4:
		h = Concat{Ref: binary.BigEndian.Uint16(data), Total: data[2], Number: data[3]}
	}
	return h, h.Number >= 1 && h.Number <= h.Total
}
