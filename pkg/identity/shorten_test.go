package identity

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestShorten_CutsBetweenCharactersAndSaysSo(t *testing.T) {
	for _, test := range []struct {
		about, text string
		most        int
		want        string
	}{
		{"nothing", "", 10, ""},
		{"what fits", "0123456789", 10, "0123456789"},
		{"a byte too many", "0123456789a", 10, "0123456..."},
		{"within a character of two bytes", "012345é789", 10, "012345..."},
		{"behind a character of two bytes", "01234é7890", 10, "01234é..."},
		{"within a character of four bytes", "01234😀90123", 10, "01234..."},
		{"bytes that are not UTF-8", "a\xffb", 10, "a�b"},
		{"bytes that are not UTF-8, which grow", "\xff0\xff1\xff2", 10, "�0�..."},
	} {
		if got := Shorten(test.text, test.most); got != test.want {
			t.Errorf("%s: %q", test.about, got)
		}
	}
	for most := 3; most < 40; most++ {
		if got := Shorten(strings.Repeat("aé€😀", 10), most); len(got) > most || !utf8.ValidString(got) {
			t.Errorf("%d: %q", most, got)
		}
	}
}
