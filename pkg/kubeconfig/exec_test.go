package kubeconfig_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
)

func TestExec_WantedVersion(t *testing.T) {
	for info, want := range map[string]string{
		"": answer.V1,
		`{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"}`: answer.V1beta1,
		// As PHP writes it.
		`{"apiVersion":"client.authentication.k8s.io\/v1beta1"}`: answer.V1beta1,
		`{
			"apiVersion" : "client.authentication.k8s.io/v1",
			"spec": {"cluster": {"config": {"apiVersion": "example/v7"}}}
		}`: answer.V1,
	} {
		if got, err := kubeconfig.WantedVersion(info); err != nil || got != want {
			t.Errorf("%s: %q and %v, want %q", info, got, err, want)
		}
	}
	for info, want := range map[string]string{
		`nonsense`: "cannot be read as JSON",
		`{"apiVersion":"client.authentication.k8s.io/v1alpha1"}`: `"client.authentication.k8s.io/v1alpha1"`,
		`{"kind":"ExecCredential"}`:                              `the version ""`,
	} {
		got, err := kubeconfig.WantedVersion(info)
		if got != "" || !errors.Is(err, outcome.ErrUsage) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q and %v, want an error with %q", info, got, err, want)
		}
	}
}
