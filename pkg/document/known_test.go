package document

import (
	"slices"
	"testing"
)

func TestKnown_FieldsThatAreUnknownOrTwiceAreNamed(t *testing.T) {
	var read struct {
		Key struct {
			Kind string `json:"kind"`
		} `json:"key"`
	}
	unknown, err := DecodeKnown([]byte(`{"key": {"kind": "a", "origin": {"x": 1}, "kind": "b"}, "device": 1}`), &read)
	if want := []string{"key.origin", "key.kind", "device"}; err != nil || !slices.Equal(unknown, want) || read.Key.Kind != "b" {
		t.Errorf("%q, %v, %+v, want %q", unknown, err, read, want)
	}
	if unknown, err := DecodeKnown([]byte(`{"key": {"kind": "a"}}`), &read); err != nil || len(unknown) > 0 {
		t.Errorf("%q, %v", unknown, err)
	}
	if _, err := DecodeKnown([]byte(`{"key": 1}`), &read); err == nil {
		t.Error("a number is taken for an object")
	}
}
