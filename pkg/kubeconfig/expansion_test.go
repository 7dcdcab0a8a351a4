package kubeconfig

import (
	"strings"
	"testing"
)

// bomb is a kubeconfig of some kilobytes with one anchor.
func bomb() []byte {
	return []byte("apiVersion: v1\nkind: Config\nusers:\n- {name: a, user: {token: &a '" + strings.Repeat("x", 64<<10) + "'}}\n" +
		strings.Repeat("- {name: b, user: {token: *a}}\n", 1_000))
}

func TestExpansion_AKubeconfigDoesNotExpandWithoutBound(t *testing.T) {
	for about, decode := range map[string]func([]byte) error{
		"a kubeconfig": func(data []byte) error { _, err := Decode(data); return err },
		"a handoff":    func(data []byte) error { _, err := DecodeHandoff(data); return err },
		"a cache":      func(data []byte) error { _, _, _, err := DecodeOwn(data); return err },
	} {
		if err := decode(bomb()); err == nil || !strings.Contains(err.Error(), "more than 16 MiB") {
			t.Errorf("%s: %v", about, err)
		}
	}
}
