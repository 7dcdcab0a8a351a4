package screen

import "testing"

func TestColumns_TextsAreCutInTheMiddle(t *testing.T) {
	for _, test := range []struct {
		text    string
		columns int
		want    string
	}{
		{"jane", 4, "jane"}, {"jane-doe", 7, "jan…doe"}, {"jane-doe", 6, "jan…oe"}, {"jane-doe", 1, "…"},
		{"世界世界", 6, "世…界"}, {"e\u0301e\u0301e\u0301e\u0301", 3, "e\u0301…e\u0301"},
	} {
		if got := CutInMiddle(test.text, test.columns); got != test.want {
			t.Errorf("%q in %d columns is %q, want %q", test.text, test.columns, got, test.want)
		}
	}
}
