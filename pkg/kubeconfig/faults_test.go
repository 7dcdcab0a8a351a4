package kubeconfig

import (
	"strings"
	"testing"
)

// TestDecode_AnEntryWithoutContentIsPassedOver has the mistake behind it, in each list.
func TestDecode_AnEntryWithoutContentIsPassedOver(t *testing.T) {
	for list, test := range map[string]struct{ content, mistake, says string }{
		"users":    {"user", "{token: [secret]}", "token must be a string"},
		"clusters": {"cluster", "{server: [secret]}", "server must be a string"},
		"contexts": {"context", "{namespace: [secret]}", "namespace must be a string"},
	} {
		for about, empty := range map[string]string{"missing": "{name: a}", "null": "{name: a, " + test.content + ": null}", "empty": "{name: a, " + test.content + ": }"} {
			_, err := Decode([]byte("apiVersion: v1\nkind: Config\n" + list + ":\n- " + empty + "\n- {name: b, " + test.content + ": " + test.mistake + "}\n"))
			if want := "line 5: " + list + ` "b": ` + test.says; err == nil || err.Error() != want {
				t.Errorf("%s, %s: %v, want %q", list, about, err, want)
			}
			config, err := Decode([]byte("apiVersion: v1\nkind: Config\n" + list + ":\n- " + empty + "\n"))
			if err != nil || len(config.Clusters)+len(config.AuthInfos)+len(config.Contexts) != 1 {
				t.Errorf("%s, %s, alone: %v", list, about, err)
			}
		}
	}
	if _, err := Decode([]byte("apiVersion: v1\nkind: Config\nusers: null\nclusters:\n- hostile\n")); err == nil || !strings.Contains(err.Error(), "clusters[0]: must be a mapping") || strings.Contains(err.Error(), "hostile") {
		t.Error(err)
	}
}
