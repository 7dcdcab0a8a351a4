package request

import (
	"testing"
)

func TestLifetimes_FormatLifetimeIsReadBack(t *testing.T) {
	for _, text := range []string{"10m", "8h", "30d", "1d12h", "90d", "1h30m15s", "24855d"} {
		lifetime, err := ParseLifetime(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := FormatLifetime(lifetime); got != text {
			t.Errorf("%s is written as %s", text, got)
		}
	}
	if got := FormatLifetime(0); got != "0s" {
		t.Errorf("nothing is written as %s", got)
	}
}
