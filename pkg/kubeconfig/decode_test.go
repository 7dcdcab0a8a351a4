package kubeconfig

import (
	"strings"
	"testing"
)

func TestDecode_AMistakeInAKubeconfigIsNamedByItsPlace(t *testing.T) {
	const config = "apiVersion: v1\nkind: Config\n"
	for about, test := range map[string]struct{ data, want string }{
		"a name twice":           {config + "users:\n- {name: jane, user: {token: secret}}\n- {name: jane, user: {token: secret}}\n", `line 5: users "jane": the name is given twice`},
		"a cluster's name twice": {config + "clusters:\n- {name: c, cluster: {server: https://a:secret@h}}\n- {name: c, cluster: {server: https://h}}\n", `line 5: clusters "c": the name is given twice`},
		"a wrong type":           {config + "users:\n- name: jane\n  user:\n    token: [secret]\n", `line 6: users "jane": token must be a string`},
		"a number":               {config + "users:\n- name: jane\n  user: {password: 5}\n", `line 5: users "jane": password must be a string`},
		"no truth value":         {config + "clusters:\n- name: c\n  cluster: {insecure-skip-tls-verify: secret}\n", `line 5: clusters "c": insecure-skip-tls-verify must be true or false`},
		"bad base64":             {config + "users:\n- name: jane\n  user: {client-key-data: secret%}\n", `line 5: users "jane": client-key-data must be base64`},
		"no mapping":             {config + "users:\n- name: jane\n  user: secret\n", `line 5: users "jane": user must be a mapping`},
		"no list":                {config + "users: secret\n", `line 3: users: must be a list`},
		"a name of many words":   {config + "users:\n- name: jane token secret\n  user: {token: []}\n", `line 5: users[0]: token must be a string`},
		"an open quote":          {config + "users:\n- name: jane\n  user: {token: \"secret\n", "invalid YAML or JSON, or not a kubeconfig"},
		"an unknown alias":       {config + "users:\n- name: jane\n  user: {token: *secret}\n", "invalid YAML or JSON, or not a kubeconfig"},
		"a tab":                  {config + "users:\n\t- name: secret\n", "line 4: invalid YAML or JSON, or not a kubeconfig"},
		"no mapping at all":      {"secret", "line 1: a kubeconfig must be a mapping"},
		"another kind":           {"apiVersion: v1\nkind: secret\n", "invalid YAML or JSON, or not a kubeconfig"},
	} {
		t.Run(about, func(t *testing.T) {
			config, err := Decode([]byte(test.data))
			if err == nil {
				t.Fatalf("it was decoded: %v", config)
			}
			if !strings.HasSuffix(err.Error(), test.want) || strings.Contains(strings.ReplaceAll(err.Error(), test.want, ""), "secret") {
				t.Errorf("the error is %q, want %q", err, test.want)
			}
		})
	}
}

// TestDecode_ASyntaxErrorOfAFileWithAliasesHasItsLine is for texts that also could be aliases.
func TestDecode_ASyntaxErrorOfAFileWithAliasesHasItsLine(t *testing.T) {
	_, err := Decode([]byte("apiVersion: v1 # R&D, *all*\nkind: Config\nusers:\n- name: a\n user: b\n"))
	if err == nil || !strings.Contains(err.Error(), "line ") || !strings.Contains(err.Error(), "invalid YAML or JSON") {
		t.Errorf("%v", err)
	}
}
