package sample

import "testing"

func TestSample_Check(t *testing.T) {
	for words, want := range map[*[]string]bool{{"a"}: true, {"a", "b", "c", "d"}: false, {"a", ""}: false} {
		if n, err := Check(*words); (err == nil) != want || err == nil && n != len(*words) {
			t.Errorf("%q: %d, %v", *words, n, err)
		}
	}
	if Safely(func() {}) || !Safely(func() { panic("x") }) {
		t.Error("it does not know whether it panicked")
	}
}
