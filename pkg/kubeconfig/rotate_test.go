package kubeconfig

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

// embedded is rich with jane, whose pair is in the kubeconfig.
func embedded(t *testing.T) (*clientcmdapi.Config, Pair) {
	t.Helper()
	pair := Pair{Certificate: []byte("old certificate"), Key: []byte("old key")}
	config := decode(t, rich)
	config.AuthInfos["jane"] = &clientcmdapi.AuthInfo{ClientCertificateData: pair.Certificate, ClientKeyData: pair.Key, Impersonate: "somebody"}
	return config, pair
}

func TestRotate_RotateChangesOnePairAndNothingElse(t *testing.T) {
	for name, to := range map[string]Pair{
		"in the kubeconfig": {Certificate: []byte("certificate"), Key: []byte("key")},
		"in files":          {CertificateFile: "jane.crt", KeyFile: "jane.key"},
	} {
		t.Run(name, func(t *testing.T) {
			config, from := embedded(t)
			untouched := config.DeepCopy()
			rotated, err := Rotate(config, "jane", from, to)
			if err != nil {
				t.Fatal(err)
			}
			if pair, has := PairOf(rotated.AuthInfos["jane"]); !has || !pair.equal(to) {
				t.Errorf("the pair is %v, %v", pair, has)
			}
			if diff := cmp.Diff(untouched, config); diff != "" {
				t.Errorf("what was given was changed:\n%s", diff)
			}
			want := untouched.DeepCopy()
			want.AuthInfos["jane"].ClientCertificateData, want.AuthInfos["jane"].ClientKeyData = to.Certificate, to.Key
			want.AuthInfos["jane"].ClientCertificate, want.AuthInfos["jane"].ClientKey = to.CertificateFile, to.KeyFile
			if diff := cmp.Diff(want, rotated); diff != "" {
				t.Errorf("something else was changed:\n%s", diff)
			}
			again, err := Rotate(rotated, "jane", from, to)
			if err != nil || again != rotated {
				t.Errorf("a second time: %v", err)
			}
		})
	}
}

func TestRotate_RotateLeavesWhatSomebodyElseChanged(t *testing.T) {
	for name, change := range map[string]func(*clientcmdapi.Config){
		"another certificate": func(c *clientcmdapi.Config) { c.AuthInfos["jane"].ClientCertificateData = []byte("another") },
		"a token":             func(c *clientcmdapi.Config) { c.AuthInfos["jane"] = &clientcmdapi.AuthInfo{Token: "t"} },
		"no entry":            func(c *clientcmdapi.Config) { delete(c.AuthInfos, "jane") },
	} {
		t.Run(name, func(t *testing.T) {
			config, from := embedded(t)
			change(config)
			to := Pair{Certificate: []byte("certificate"), Key: []byte("key")}
			if _, err := Rotate(config, "jane", from, to); !errors.Is(err, outcome.ErrChanged) {
				t.Errorf("rotated: %v", err)
			}
			if _, err := UseExec(config, "jane", from, Plugin, "/cache"); !errors.Is(err, outcome.ErrChanged) {
				t.Errorf("made to run the plugin: %v", err)
			}
		})
	}
}

func TestRotate_UseExecTakesThePairOut(t *testing.T) {
	config, from := embedded(t)
	changed, err := UseExec(config, "jane", from, Plugin, "/cache")
	if err != nil {
		t.Fatal(err)
	}
	user := changed.AuthInfos["jane"]
	if _, has := PairOf(user); has {
		t.Error("the pair is still there")
	}
	if CacheOf(user) != "/cache" || user.Impersonate != "somebody" || user.Exec.InteractiveMode != clientcmdapi.NeverExecInteractiveMode {
		t.Errorf("%+v", user)
	}
	if again, err := UseExec(changed, "jane", from, Plugin, "/cache"); err != nil || again != changed {
		t.Errorf("a second time: %v", err)
	}
}

func TestRotate_OnlyTheProgramsOwnEntriesHaveACache(t *testing.T) {
	for _, command := range []string{Plugin, "/usr/local/bin/" + Plugin, `C:\bin\` + Plugin + ".exe"} {
		if CacheOf(ExecUser(command, "/cache")) != "/cache" {
			t.Errorf("%q has no cache", command)
		}
	}
	for name, change := range map[string]func(*clientcmdapi.ExecConfig){
		"another program": func(e *clientcmdapi.ExecConfig) { e.Command = "/usr/bin/not-" + Plugin },
		"more arguments":  func(e *clientcmdapi.ExecConfig) { e.Args = append(e.Args, "--renew") },
		"another command": func(e *clientcmdapi.ExecConfig) { e.Args[0] = "version" },
		"another flag":    func(e *clientcmdapi.ExecConfig) { e.Args[1] = "--kubeconfig" },
	} {
		user := ExecUser(Plugin, "/cache")
		change(user.Exec)
		if cache := CacheOf(user); cache != "" {
			t.Errorf("%s has the cache %q", name, cache)
		}
	}
	if cache := CacheOf(clientcmdapi.NewAuthInfo()); cache != "" {
		t.Errorf("an entry without a program has the cache %q", cache)
	}
}

func TestRotate_MergeExecRenewsItsOwnEntryOnly(t *testing.T) {
	addition := janes(t)
	entry := addition.Contexts[addition.CurrentContext].AuthInfo
	user := ExecUser(Plugin, "/cache")
	existing := decode(t, rich)
	merged, err := MergeExec(existing, existing, addition, user, false)
	if err != nil {
		t.Fatal(err)
	}
	if CacheOf(merged.AuthInfos[entry]) != "/cache" {
		t.Errorf("%+v", merged.AuthInfos[entry])
	}
	if _, err := MergeExec(merged, merged, janes(t), user, false); err != nil {
		t.Errorf("a second time: %v", err)
	}
	for name, other := range map[string]*clientcmdapi.AuthInfo{
		"another cache": ExecUser(Plugin, "/other"),
		"a token":       {Token: "t"},
	} {
		there := merged.DeepCopy()
		there.AuthInfos[entry] = other
		if _, err := MergeExec(there, there, janes(t), user, false); err == nil {
			t.Errorf("%s was replaced", name)
		}
	}
}
