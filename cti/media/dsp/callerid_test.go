package dsp

import (
	"bytes"
	"encoding/hex"
	"strings"
	"testing"
)

// golden is the checked example of a Chinese exchange: 17 March 16:56, 2156430144.
const golden = "80160108303331373136353602 0A32313536343330313434BA"

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	raw, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestCallerIDGolden(t *testing.T) {
	want := CallerID{Number: "2156430144", Time: "03171656", Mode: "fsk"}
	got, err := ParseCallerID(unhex(t, golden))
	if err != nil || got != want {
		t.Errorf("ParseCallerID = %+v, %v, want %+v", got, err, want)
	}
	if made := want.MDMF(); !bytes.Equal(made, unhex(t, golden)) {
		t.Errorf("MDMF = % X, want %s", made, golden)
	}
}
