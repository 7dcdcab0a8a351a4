package fetch

import (
	"path/filepath"
	"reflect"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cmd/cli/clitest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/destination"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestInput_TheInputOfAFetchIsWhatWasTyped(t *testing.T) {
	const resume = "kubectl csr-onboard fetch jane"
	for _, test := range []struct {
		arguments []string
		want      onboard.FetchInput
		key       string
	}{
		{[]string{"jane"}, onboard.FetchInput{Resume: resume}, filepath.Join(clitest.Home, ".kube", "csr-onboard", "jane", "jane.key")},
		{[]string{"jane", "--dir", "d", "--timeout", "1h"}, onboard.FetchInput{Timeout: time.Hour, Resume: resume + " --dir d"}, filepath.Join("d", "jane.key")},
		{
			[]string{"jane", "--out", "f", "--verify-login=false", "--overwrite"},
			onboard.FetchInput{Kubeconfig: destination.Input{Path: "f", Overwrite: true}, Resume: resume}, "",
		},
		{
			[]string{"jane", "--certificate-only"},
			onboard.FetchInput{Kubeconfig: destination.Input{CertificateOnly: true}, Resume: resume + " --certificate-only", VerifyLogin: true}, "",
		},
		{
			[]string{"jane", "--cluster-name", "c", "--context-name", "x", "--default-namespace", "n", "--external-server", "https://k.example.com:6443"},
			onboard.FetchInput{Kubeconfig: destination.Input{ClusterName: "c", ContextName: "x", Namespace: "n", ExternalServer: "https://k.example.com:6443"}, Resume: resume, VerifyLogin: true}, "",
		},
		{
			[]string{"jane", "--key", "k.pem", "--request-name", "r"},
			onboard.FetchInput{KeyFile: "k.pem", RequestName: "r", Resume: resume + " --key k.pem --request-name r", VerifyLogin: true}, "",
		},
	} {
		o, err := clitest.Run[*fetchOptions](t, New, test.arguments...)
		if err != nil {
			t.Errorf("%q: %v", test.arguments, err)
			continue
		}
		got := o.input()
		if test.key != "" {
			directory, err := got.DirectoryOf("jane")
			if err != nil || directory.KeyPath() != test.key {
				t.Errorf("%q: the key is in %q (%v), not in %q", test.arguments, directory.KeyPath(), err, test.key)
			}
			test.want.VerifyLogin = true
		}
		got.DirectoryOf = nil
		test.want.Name = "jane"
		if test.want.Timeout == 0 {
			test.want.Timeout = 10 * time.Minute
		}
		if !reflect.DeepEqual(got, test.want) {
			t.Errorf("%q:\n got %+v\nwant %+v", test.arguments, got, test.want)
		}
	}
}

func TestInput_TheNameOfARequestIsNotThatOfAUser(t *testing.T) {
	o, err := clitest.Run[*fetchOptions](t, New, "certificatesigningrequest.certificates.k8s.io/jane-0123456789")
	if in := o.input(); err != nil || in.Name != "jane-0123456789" || !in.IsObject || in.Resume != "kubectl csr-onboard fetch csr/jane-0123456789" {
		t.Errorf("%v, %+v", err, o)
	}
	for _, flag := range []string{"--key=k.pem", "--from=f", "--request-name=r", "--contexts=prod"} {
		if _, err := clitest.Run[*fetchOptions](t, New, "csr/jane", flag); outcome.ExitCode(err) != 2 {
			t.Errorf("%s: %v", flag, err)
		}
	}
}

func TestInput_EachClusterHasADirectoryAndOneKubeconfigHasAll(t *testing.T) {
	clitest.Contexts(t)
	o, err := clitest.Run[*fetchOptions](t, New, "jane", "--dir", "d", "--contexts", "prod,dev", "--out", "f", "--exec=false")
	if err != nil || len(o.clusters.Each) != 2 || o.flags.Out != "f" {
		t.Fatalf("%v, %+v", err, o)
	}
	for i, name := range []string{"prod", "dev"} {
		in := o.inputOn(o.clusters.Each[i])
		directory, err := in.DirectoryOf("jane")
		if want := filepath.Join("d", "clusters", name, "jane.key"); err != nil || directory.KeyPath() != want {
			t.Errorf("%s: the key is in %q (%v), not in %q", name, directory.KeyPath(), err, want)
		}
		if in.Kubeconfig.Path != "" || in.Kubeconfig.Merge || in.Resume != "kubectl csr-onboard fetch jane --dir d --contexts "+name {
			t.Errorf("%s: %+v", name, in)
		}
		if _, err := in.DirectoryOf("another"); outcome.ExitCode(err) != 2 {
			t.Errorf("the request of another is fetched: %v", err)
		}
	}
}
