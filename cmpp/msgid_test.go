package cmpp

import (
	"encoding/json"
	"testing"
	"time"
)

func TestMsgIDParts(t *testing.T) {
	at := time.Date(2026, time.August, 31, 23, 59, 58, 0, time.UTC)
	id := NewMsgID(at, 1<<22|0x2ABCDE, 0xffff)
	if id>>63 != 1 {
		t.Error("an August id has no top bit")
	}
	if id.Gateway() != 0x2ABCDE || id.Sequence() != 0xffff || id.String() != "8fdfbeaabcdeffff" {
		t.Errorf("%v: gateway %x, sequence %x", id, id.Gateway(), id.Sequence())
	}
	if next := id.Plus(2); next.Sequence() != 1 || next>>16 != id>>16 {
		t.Errorf("%v plus 2 is %v", id, next)
	}
	if id.Swapped().Swapped() != id {
		t.Error("swapping twice changes the id")
	}
}

func TestMsgIDText(t *testing.T) {
	for _, id := range []MsgID{0, 1, 1 << 63, 0xC234567890ABCDEF} {
		b, err := json.Marshal(id)
		if err != nil || len(b) != 18 || b[0] != '"' {
			t.Fatalf("%s, %v", b, err)
		}
		var back MsgID
		if err := json.Unmarshal(b, &back); err != nil || back != id {
			t.Errorf("%s came back as %v, %v", b, back, err)
		}
	}
	for _, s := range []string{"", "12", "g000000000000000", "00000000000000000", "+000000000000001"} {
		if id, err := ParseMsgID(s); err == nil {
			t.Errorf("%q read as %v", s, id)
		}
	}
}
