// Package e2e tests the program as its users run it, on a real control plane.
//
// One control plane is shared by the tests of the package; each works with users
// of its own on it, so that none depends on another. Tests that need a cluster
// of another kind start their own.
package e2e

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// The users of the shared control plane who can do less than everything.
const (
	// nobody may log in and nothing else.
	nobody = "nobody"
	// requester may create and read requests, and not approve them.
	requester = "requester"
	// approver may do all that the documentation says it takes to approve.
	approver = "approver"
	// binder may approve and make role bindings, and little else.
	binder = "binder"
	// decider may get and decide requests, and not list them.
	decider = "decider"
	// sender may submit, get and decide requests, and not list them.
	sender = "sender"
	// getter may get requests by name, and neither list nor watch them.
	getter = "getter"
)

var (
	// shared is the control plane of the package's tests.
	shared *controlplane.Plane
	// binary is the program under test.
	binary string
)

func TestMain(m *testing.M) {
	os.Exit(program.RunTests(m, "e2e", []string{program.Name}, func(ctx context.Context, directory string) (end func(int), err error) {
		binary = filepath.Join(directory, program.Name)
		if shared, err = launch(ctx); err != nil {
			return nil, err
		}
		// The keeper ends with this process at the latest.
		return func(int) { _ = shared.Stop() }, nil
	}))
}

// launch starts the control plane of the package's tests.
func launch(ctx context.Context) (*controlplane.Plane, error) {
	deciding := []rbacv1.PolicyRule{
		requestRule("get", "list", "watch"),
		{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"certificatesigningrequests/approval"}, Verbs: []string{"update"}},
		{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"signers"}, ResourceNames: []string{"kubernetes.io/kube-apiserver-client"}, Verbs: []string{"approve"}},
	}
	binding := rbacv1.PolicyRule{APIGroups: []string{rbacv1.GroupName}, Resources: []string{"rolebindings", "clusterrolebindings"}, Verbs: []string{"get", "list", "create", "update", "patch", "delete"}}
	return controlplane.Launch(ctx,
		controlplane.WithProgress(os.Stderr),
		controlplane.WithUser(nobody, nil),
		controlplane.WithUser(requester, nil, requestRule("create", "get", "list", "watch")),
		controlplane.WithUser(getter, nil, requestRule("get")),
		controlplane.WithUser(approver, nil, deciding...),
		controlplane.WithUser(decider, nil, append([]rbacv1.PolicyRule{requestRule("get")}, deciding[1:]...)...),
		controlplane.WithUser(sender, nil, append([]rbacv1.PolicyRule{requestRule("create", "get")}, deciding[1:]...)...),
		controlplane.WithUser(binder, nil, append(deciding, binding)...),
	)
}

// requestRule permits verbs on certificate signing requests.
func requestRule(verbs ...string) rbacv1.PolicyRule {
	return rbacv1.PolicyRule{APIGroups: []string{"certificates.k8s.io"}, Resources: []string{"certificatesigningrequests"}, Verbs: verbs}
}
