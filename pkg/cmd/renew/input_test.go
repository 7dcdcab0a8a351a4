package renew

import (
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli/clitest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/renewal"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

func TestInput_TheInputOfARenewalIsWhatWasTyped(t *testing.T) {
	third, err := request.ParseWithin("1/3")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		arguments []string
		context   string
		want      renewal.Input
	}{
		{nil, "", renewal.Input{Timeout: 10 * time.Minute}},
		{[]string{"x", "--timeout", "1m", "--force"}, "x", renewal.Input{Timeout: time.Minute, Force: true}},
		{[]string{"--context", "x", "--move-cache"}, "x", renewal.Input{Timeout: 10 * time.Minute, MoveCache: true}},
		{[]string{"--all", "--wait=false", "--within", "1/3"}, "", renewal.Input{Within: third}},
		{[]string{"--approve", "--allow", "sans-present", "--expiration", "8h"}, "", renewal.Input{Timeout: 10 * time.Minute, Approve: true, Allow: []string{"sans-present"}, Lifetime: 8 * time.Hour}},
	} {
		o, err := clitest.Run[*renewOptions](t, New, test.arguments...)
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
		} else if !reflect.DeepEqual(o.input, test.want) || o.context != test.context {
			t.Errorf("%q:\n got %+v of %q\nwant %+v of %q", test.arguments, o.input, o.context, test.want, test.context)
		}
	}
}

func TestInput_TheInputOfAnAnswerIsWhatWasTyped(t *testing.T) {
	t.Setenv(answer.InfoVariable, "")
	directory := t.TempDir()
	o, err := clitest.Run[*credentialOptions](t, NewCredential, "--cache", directory)
	if err != nil {
		t.Fatal(err)
	}
	version, err := kubeconfig.WantedVersion("")
	if err != nil {
		t.Fatal(err)
	}
	got := o.input()
	if got.Cache.Directory() != directory || got.APIVersion != version || got.StartRenewal == nil {
		t.Errorf("%+v", got)
	}
}

// TestInput_StatusConnectsOnlyAsTheChosenContext is for what is sent to a server that nobody chose.
func TestInput_StatusConnectsOnlyAsTheChosenContext(t *testing.T) {
	path := filepath.Join(t.TempDir(), "config")
	const text = `apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://127.0.0.1:1"}}]
users:
- {name: token, user: {token: t}}
- {name: plugin, user: {exec: {apiVersion: client.authentication.k8s.io/v1, command: nowhere, interactiveMode: Never}}}
contexts:
- {name: one, context: {cluster: c, user: token}}
- {name: other, context: {cluster: c, user: token}}
- {name: plugin, context: {cluster: c, user: plugin}}
current-context: one
`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		arguments []string
		want      map[string]bool
		notAsked  int
	}{
		{nil, map[string]bool{"one": true, "other": false, "plugin": false}, 1},
		{[]string{"--live"}, map[string]bool{"one": true, "other": true, "plugin": false}, 0},
		{[]string{"--context", "other"}, map[string]bool{"other": true}, 0},
	} {
		o, err := clitest.Run[*statusOptions](t, NewStatus, append(test.arguments, "--kubeconfig", path)...)
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
			continue
		}
		all, err := o.Contexts(statusTimeout)
		if err != nil {
			t.Fatal(err)
		}
		inputs, notAsked, err := o.inputs(all)
		got := map[string]bool{}
		for _, in := range inputs {
			got[in.Name] = in.Connect != nil
			if in.IsCurrent != (in.Name == "one") {
				t.Errorf("%q: %s is current: %v", test.arguments, in.Name, in.IsCurrent)
			}
		}
		if err != nil || !reflect.DeepEqual(got, test.want) || notAsked != test.notAsked {
			t.Errorf("%q: connects as %v, and not as %d (%v), want %v, %d", test.arguments, got, notAsked, err, test.want, test.notAsked)
		}
	}
}
