package approve

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// permission is one verb on one resource of a role of deploy/approver.
type permission struct{ namespace, resource, verb string }

// withoutPermission is what the approver's log says without each of its permissions. Those that are
// in short are tried in each run of the tests, the others where program.LongVariable is set.
var withoutPermission = []struct {
	permission
	says  string
	short bool
}{
	{permission{"", "certificatesigningrequests", "get"}, `cannot get resource \"certificatesigningrequests\"`, false},
	{permission{"", "certificatesigningrequests", "list"}, "cannot follow certificate signing requests", false},
	{permission{"", "certificatesigningrequests", "watch"}, "cannot follow certificate signing requests", true},
	{permission{"", "certificatesigningrequests/approval", "update"}, "not decided", true},
	{permission{"", "signers", "approve"}, "not decided", false},
	{permission{"", "approvalpolicies", "list"}, "cannot follow approval policies", false},
	{permission{"", "approvalpolicies", "watch"}, "cannot follow approval policies", false},
	{permission{"", "clientcertificates", "list"}, "cannot follow the ledger's records", false},
	{permission{"", "clientcertificates", "watch"}, "cannot follow the ledger's records", false},
	{permission{"", "approvalpolicies/status", "update"}, "the status of a policy cannot be written", false},
	{permission{"", "clusterrolebindings", "list"}, "cannot follow cluster role bindings", false},
	{permission{"", "clusterrolebindings", "watch"}, "cannot follow cluster role bindings", false},
	{permission{"", "rolebindings", "list"}, "cannot follow role bindings", false},
	{permission{"", "rolebindings", "watch"}, "cannot follow role bindings", false},
	{permission{"", "clusterroles", "list"}, "cannot follow cluster roles", false},
	{permission{"", "clusterroles", "watch"}, "cannot follow cluster roles", false},
	{permission{"", "subjectaccessreviews", "create"}, "can use the policy could not be checked", true},
	{permission{"kube-system", "configmaps", "list"}, "cannot follow the list of who is revoked", true},
	{permission{"kube-system", "configmaps", "watch"}, "cannot follow the list of who is revoked", false},
	{permission{"kube-system", "events", "create"}, "an outcome cannot be reported", false},
	{permission{"kube-system", "events", "update"}, "an outcome cannot be reported", false},
	{permission{"kube-system", "events", "list"}, "earlier outcomes cannot be read", false},
	{permission{"csr-onboard-system", "leases", "create"}, "the Lease by which replicas elect a leader cannot be read or written", false},
	{permission{"csr-onboard-system", "leases", "get"}, "the Lease by which replicas elect a leader cannot be read or written", false},
	{permission{"csr-onboard-system", "leases", "update"}, "the Lease by which replicas elect a leader cannot be read or written", false},
}

// permitAuthenticated leaves to every user, of whom the approver is one, so many of the verbs that the
// tests permit them, until the end of a test.
func (c *cluster) permitAuthenticated(t *testing.T, verbs ...string) {
	t.Helper()
	roles := c.admin.RbacV1().ClusterRoles()
	role, err := roles.Get(t.Context(), "test-requesters", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	change := func(ctx context.Context, verbs []string) error {
		role := role.DeepCopy()
		role.Rules[0].Verbs, role.ResourceVersion = verbs, ""
		_, err := roles.Update(ctx, role, metav1.UpdateOptions{})
		return err
	}
	if err := change(t.Context(), verbs); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The context of a test ends before its cleanup.
		if err := change(context.WithoutCancel(t.Context()), role.Rules[0].Verbs); err != nil {
			t.Error(err)
		}
	})
}

// roles are the rules of deploy/approver by the namespaces of the roles; "" is the ClusterRole's.
func (c *cluster) roles(t *testing.T) map[string][]rbacv1.PolicyRule {
	t.Helper()
	of := map[string][]rbacv1.PolicyRule{}
	role, err := c.admin.RbacV1().ClusterRoles().Get(t.Context(), "csr-onboard-approver", metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	of[""] = role.Rules
	for _, namespace := range []string{"kube-system", "csr-onboard-system"} {
		role, err := c.admin.RbacV1().Roles(namespace).Get(t.Context(), "csr-onboard-approver", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		of[namespace] = role.Rules
	}
	return of
}

// setRole gives a role other rules.
func (c *cluster) setRole(ctx context.Context, namespace string, rules []rbacv1.PolicyRule) error {
	meta := metav1.ObjectMeta{Namespace: namespace, Name: "csr-onboard-approver"}
	if namespace == "" {
		_, err := c.admin.RbacV1().ClusterRoles().Update(ctx, &rbacv1.ClusterRole{ObjectMeta: meta, Rules: rules}, metav1.UpdateOptions{})
		return err
	}
	_, err := c.admin.RbacV1().Roles(namespace).Update(ctx, &rbacv1.Role{ObjectMeta: meta, Rules: rules}, metav1.UpdateOptions{})
	return err
}

// without are rules without a permission: each rule is split into one for each resource.
func without(rules []rbacv1.PolicyRule, removed permission) (rest []rbacv1.PolicyRule) {
	for _, rule := range rules {
		for _, resource := range rule.Resources {
			split := *rule.DeepCopy()
			split.Resources = []string{resource}
			if resource == removed.resource {
				split.Verbs = slices.DeleteFunc(split.Verbs, func(verb string) bool { return verb == removed.verb })
			}
			if len(split.Verbs) > 0 {
				rest = append(rest, split)
			}
		}
	}
	return rest
}

// is reports whether the approver has a permission, as the API server says.
func (c *cluster) is(t *testing.T, permitted permission, rules []rbacv1.PolicyRule) bool {
	t.Helper()
	attributes := &authorizationv1.ResourceAttributes{Namespace: permitted.namespace, Verb: permitted.verb}
	attributes.Resource, attributes.Subresource, _ = strings.Cut(permitted.resource, "/")
	for _, rule := range rules {
		if slices.Contains(rule.Resources, permitted.resource) {
			attributes.Group = rule.APIGroups[0]
			if len(rule.ResourceNames) > 0 {
				attributes.Name = rule.ResourceNames[0]
			}
		}
	}
	review, err := c.admin.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), &authorizationv1.SubjectAccessReview{
		Spec: authorizationv1.SubjectAccessReviewSpec{
			User: "system:serviceaccount:csr-onboard-system:approver", Groups: []string{"system:authenticated"}, ResourceAttributes: attributes,
		},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// exercise has the approver do everything that it ever does: approve, leave to people for one reason
// and then for another, write the status of a policy, and decide about a request that changes
// meanwhile.
func (c *cluster) exercise(t *testing.T, round int) (objects []*csr) {
	t.Helper()
	name := fmt.Sprintf("rbac-%d", round)
	if err := c.plane.Kubectl(t.Context(), strings.Replace(policyOf("rbac-left", "Approve", "subject.name == 'nobody'"), "because", name, 1), "apply", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	objects = append(objects, c.submit(t, ask{user: "left-" + name, lifetime: hour}))
	for i := range 5 {
		object := c.submit(t, ask{user: fmt.Sprintf("%s-%d", name, i), lifetime: hour})
		objects = append(objects, object)
		patch := fmt.Appendf(nil, `{"metadata":{"labels":{"test":%q}}}`, name)
		if _, err := c.admin.CertificatesV1().CertificateSigningRequests().Patch(t.Context(), object.Name, types.MergePatchType, patch, metav1.PatchOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	return objects
}

// logged is what the approver has logged since it had logged so many bytes.
func (c *cluster) logged(t *testing.T, since int) string {
	t.Helper()
	text, err := os.ReadFile(c.log)
	if err != nil {
		t.Fatal(err)
	}
	return string(text[min(since, len(text)):])
}

// TestRBAC_TheApproverSaysWhatItLacks removes each permission of deploy/approver, one at a time.
func TestRBAC_TheApproverSaysWhatItLacks(t *testing.T) {
	c := shared
	roles := c.roles(t)
	var deployed, tried []string
	for namespace, rules := range roles {
		for _, rule := range rules {
			for _, resource := range rule.Resources {
				for _, verb := range rule.Verbs {
					deployed = append(deployed, fmt.Sprint(permission{namespace, resource, verb}))
				}
			}
		}
	}
	for _, one := range withoutPermission {
		tried = append(tried, fmt.Sprint(one.permission))
	}
	slices.Sort(deployed)
	slices.Sort(tried)
	if !slices.Equal(deployed, tried) {
		t.Fatalf("the roles permit %q,\nand the table has %q", deployed, tried)
	}
	c.permitAuthenticated(t, "create")
	c.apply(t, policyOf("rbac-approve", "Approve", "subject.name.startsWith('rbac-')")+useAny)
	c.apply(t, policyOf("rbac-left", "Approve", "false"))
	t.Cleanup(func() {
		c.end()
		if err := c.start(); err != nil {
			t.Error(err)
		}
	})
	isLong := program.Times(1, 0) == 1
	for i, one := range withoutPermission {
		if !one.short && !isLong {
			continue
		}
		t.Run(fmt.Sprintf("without %v", one.permission), func(t *testing.T) {
			t.Cleanup(func() {
				// The context of a test ends before its cleanup.
				if err := c.setRole(context.WithoutCancel(t.Context()), one.namespace, roles[one.namespace]); err != nil {
					t.Error(err)
				}
			})
			c.end()
			if err := c.setRole(t.Context(), one.namespace, without(roles[one.namespace], one.permission)); err != nil {
				t.Fatal(err)
			}
			// API servers learn of roles by a watch.
			until(t, "the permission is gone", func() bool { return !c.is(t, one.permission, roles[one.namespace]) })
			since := len(c.logged(t, 0))
			if err := c.start(); err != nil {
				t.Fatal(err)
			}
			var objects []*csr
			t.Cleanup(func() { c.deleteAfter(t, objects) })
			round := 100 * i
			until(t, "it is said", func() bool {
				if said := c.logged(t, since); strings.Contains(said, one.says) && strings.Contains(said, "forbidden") {
					return true
				}
				round++
				objects = append(objects, c.exercise(t, round)...)
				return false
			})
			for line := range strings.Lines(c.logged(t, since)) {
				if strings.Contains(line, one.says) && strings.Contains(line, "forbidden") {
					t.Log(strings.TrimSpace(line))
					break
				}
			}
			if one.verb == "list" && one.resource != "events" {
				for _, object := range objects {
					if got := c.outcomeOf(t, object); got.what == "Approved" || got.what == "Denied" {
						t.Errorf("decided without having read everything: %+v", got)
					}
				}
			}
		})
	}
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
