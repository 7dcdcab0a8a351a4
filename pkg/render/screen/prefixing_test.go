package screen

import (
	"bytes"
	"io"
	"testing"
)

func TestPrefixing_EachLineBeginsWithThePrefix(t *testing.T) {
	var shown bytes.Buffer
	out := Prefixing(&shown, "[a] ")
	for _, text := range []string{"one\ntwo\n", "th", "ree", "\n\n", "four\n"} {
		if n, err := io.WriteString(out, text); n != len(text) || err != nil {
			t.Errorf("%q: %d, %v", text, n, err)
		}
	}
	if want := "[a] one\n[a] two\n[a] three\n[a] \n[a] four\n"; shown.String() != want {
		t.Errorf("got %q, want %q", shown.String(), want)
	}
	if _, err := io.WriteString(Prefixing(full{}, "[a] "), "text"); err == nil {
		t.Error("a full disk is not reported")
	}
}
