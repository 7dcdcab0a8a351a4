package e2e

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
)

func TestStatusSaysOfEveryContextUntilWhen(t *testing.T) {
	s := ending(t, "status")
	config := s.load("config")
	context := config.Contexts["status@csr-onboard"]
	add := func(name string, user *clientcmdapi.AuthInfo) {
		config.AuthInfos[name] = user
		config.Contexts[name] = &clientcmdapi.Context{Cluster: context.Cluster, AuthInfo: name}
	}
	key, certificate := config.AuthInfos["status@csr-onboard"].ClientKeyData, s.certificate("config")
	issue := func(notAfter time.Time) *clientcmdapi.AuthInfo {
		return &clientcmdapi.AuthInfo{ClientKeyData: key, ClientCertificateData: authorityFor(t, shared).sign(t,
			identity.User{Name: "status", Groups: []string{"dev"}}, certificate.Leaf.PublicKey, time.Now().Add(-time.Hour), notAfter)}
	}
	add("ended", issue(time.Now().Add(-time.Minute)))
	add("long", issue(time.Now().Add(100*24*time.Hour)))
	add("token", &clientcmdapi.AuthInfo{Token: "wrong"})
	add("plugin", &clientcmdapi.AuthInfo{Exec: &clientcmdapi.ExecConfig{
		APIVersion: "client.authentication.k8s.io/v1", Command: "/bin/false", InteractiveMode: clientcmdapi.NeverExecInteractiveMode,
	}})
	add("away", issue(time.Now().Add(100*24*time.Hour)))
	config.Clusters["away"] = &clientcmdapi.Cluster{Server: "https://127.0.0.1:1"}
	config.Contexts["away"].Cluster = "away"
	if err := clientcmd.WriteToFile(*config, s.path("config")); err != nil {
		t.Fatal(err)
	}
	s.must("renew", "--wait=false")

	var list struct {
		Kind  string
		Items []struct {
			Context, Login, Live string
			Current              bool
			User                 *struct {
				Name   string
				Groups []string
			}
			SecondsLeft *int64
			Renewal     *struct{ State string }
		}
	}
	if err := json.Unmarshal([]byte(s.must("status", "-o", "json").Stdout), &list); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, item := range list.Items {
		text := item.Live
		if item.Current {
			text = "current, " + text
		}
		if item.User != nil {
			text += ", " + item.User.Name + " in " + strings.Join(item.User.Groups, ",")
		}
		if item.SecondsLeft != nil && *item.SecondsLeft <= 0 {
			text += ", ended"
		}
		if item.Renewal != nil {
			text += ", renewal " + item.Renewal.State
		}
		got[item.Context] = text
	}
	want := map[string]string{
		"status@csr-onboard": "current, yes, status in dev, renewal Pending",
		"ended":              "no, status in dev, ended",
		"long":               "yes, status in dev",
		"token":              "no",
		"plugin":             "not tried",
		"away":               "unreachable, status in dev",
	}
	if diff := cmp.Diff(want, got); diff != "" || list.Kind != "ContextStatusList" {
		t.Errorf("%s:\n%s", list.Kind, diff)
	}

	table := s.must("status")
	for _, text := range []string{"CURRENT ", "CONTEXT ", "USER ", "GROUPS ", "KEY ", "UNTIL ", "LEFT ", "RENEWAL ", "LIVE", "exec /bin/false", "pending"} {
		if !strings.Contains(table.Stdout, text) {
			t.Errorf("the table does not say %q:\n%s", text, table.Stdout)
		}
	}
	if strings.Contains(table.Stdout, "\x1b") {
		t.Error("there are colours where there is no terminal")
	}
	s.check(s.run("status", "--fail-within", "7d"), expect{1, []string{`2 of 6 contexts`, `"ended"`, `"status@csr-onboard"`}})
	s.must("status", "--context", "long", "--fail-within", "7d")
	s.check(s.run("status", "--fail-within", "7"), expect{2, []string{"--fail-within"}})
	s.check(s.run("status", "-o", "xml"), expect{2, []string{`"xml"`}})
	s.check(s.run("status", "--context", "nowhere"), expect{2, []string{"nowhere"}})
}

func TestStatusColoursWhatEndsSoonOnATerminal(t *testing.T) {
	s := ending(t, "colours")
	screen, code := dialogue(t, s, nil, "status")
	if code != 0 || !strings.Contains(screen, "\x1b[33m") {
		t.Errorf("exit code %d\n%q", code, screen)
	}
}
