package ledger

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// recorderRole is the name of the recorder's ClusterRole, and of its Roles.
const recorderRole = "csr-onboard-recorder"

// permission is one verb on one resource that deploy/ gives to the recorder, in a namespace or, with
// "", in the ClusterRole.
type permission struct{ namespace, group, resource, verb, name string }

// isIn reports whether a rule gives the permission.
func (p permission) isIn(rule rbacv1.PolicyRule) bool {
	return slices.Contains(rule.APIGroups, p.group) && slices.Contains(rule.Resources, p.resource) && slices.Contains(rule.Verbs, p.verb) &&
		(p.name == "" && len(rule.ResourceNames) == 0 || slices.Contains(rule.ResourceNames, p.name))
}

// without are rules that give everything but the permission.
func (p permission) without(rules []rbacv1.PolicyRule) (rest []rbacv1.PolicyRule) {
	for _, rule := range rules {
		if !p.isIn(rule) {
			rest = append(rest, rule)
			continue
		}
		others, same := *rule.DeepCopy(), *rule.DeepCopy()
		others.Resources = slices.DeleteFunc(others.Resources, func(resource string) bool { return resource == p.resource })
		same.Resources, same.Verbs = []string{p.resource}, slices.DeleteFunc(same.Verbs, func(verb string) bool { return verb == p.verb })
		for _, part := range []rbacv1.PolicyRule{others, same} {
			if len(part.Resources) > 0 && len(part.Verbs) > 0 {
				rest = append(rest, part)
			}
		}
	}
	return rest
}

// recorderRules are the rules of the recorder by namespace, as deploy/ has installed them.
func recorderRules(t *testing.T) map[string][]rbacv1.PolicyRule {
	t.Helper()
	role, err := shared.admin.RbacV1().ClusterRoles().Get(t.Context(), recorderRole, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	all := map[string][]rbacv1.PolicyRule{"": role.Rules}
	roles, err := shared.admin.RbacV1().Roles("").List(t.Context(), metav1.ListOptions{FieldSelector: "metadata.name=" + recorderRole})
	if err != nil {
		t.Fatal(err)
	}
	for _, role := range roles.Items {
		all[role.Namespace] = role.Rules
	}
	return all
}

// permissionsIn are all permissions in rules.
func permissionsIn(all map[string][]rbacv1.PolicyRule) (found []permission) {
	for namespace, rules := range all {
		for _, rule := range rules {
			for _, group := range rule.APIGroups {
				for _, resource := range rule.Resources {
					for _, verb := range rule.Verbs {
						for _, name := range append(rule.ResourceNames, "")[:max(1, len(rule.ResourceNames))] {
							found = append(found, permission{namespace, group, resource, verb, name})
						}
					}
				}
			}
		}
	}
	slices.SortFunc(found, func(a, b permission) int { return strings.Compare(fmt.Sprint(a), fmt.Sprint(b)) })
	return found
}

// setRules gives the recorder other rules in a namespace.
func setRules(t *testing.T, namespace string, rules []rbacv1.PolicyRule) {
	t.Helper()
	patch, err := json.Marshal(map[string]any{"rules": rules})
	if err != nil {
		t.Fatal(err)
	}
	if namespace == "" {
		_, err = shared.admin.RbacV1().ClusterRoles().Patch(t.Context(), recorderRole, types.MergePatchType, patch, metav1.PatchOptions{})
	} else {
		_, err = shared.admin.RbacV1().Roles(namespace).Patch(t.Context(), recorderRole, types.MergePatchType, patch, metav1.PatchOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// awaitPermitted waits until the API server permits, or forbids, what is asked.
func awaitPermitted(t *testing.T, p permission, isPermitted bool) {
	t.Helper()
	resource, subresource, _ := strings.Cut(p.resource, "/")
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: "system:serviceaccount:" + ledger.Namespace + ":recorder",
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Namespace: p.namespace, Verb: p.verb, Group: p.group, Resource: resource, Subresource: subresource, Name: p.name,
		},
	}}
	until(t, fmt.Sprintf("%+v permitted: %v", p, isPermitted), func() bool {
		answer, err := shared.admin.AuthorizationV1().SubjectAccessReviews().Create(t.Context(), review, metav1.CreateOptions{})
		return err == nil && answer.Status.Allowed == isPermitted
	})
}

// refusal is what an API server says of something that RBAC does not permit.
var refusal = regexp.MustCompile(`cannot (\w+) resource \\*"([\w./]+)\\*"`)

// TestRBAC_TheRecorderNeedsExactlyWhatIsDeployed takes each verb away, and sees the recorder report
// just that. What there is to do that needs the verb is prepared while no recorder runs.
func TestRBAC_TheRecorderNeedsExactlyWhatIsDeployed(t *testing.T) {
	shared.stopped(t)
	rules := recorderRules(t)
	all := permissionsIn(rules)
	if len(all) != 17 {
		t.Errorf("the recorder has %d permissions: %+v", len(all), all)
	}
	var prepared []string
	number := 0
	next := func(t *testing.T) string {
		t.Helper()
		number++
		name := fmt.Sprintf("rbac-%d", number)
		submit(t, shared.admin, name, name)
		prepared = append(prepared, name)
		return name
	}
	work := map[string]func(*testing.T){
		"patch certificatesigningrequests": func(t *testing.T) {
			name := next(t)
			if !shared.stamps {
				// The recorder has to add the finalizer.
				return
			}
			if err := shared.admin.CertificatesV1().CertificateSigningRequests().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
				t.Fatal(err)
			}
		},
		"create clientcertificates": func(t *testing.T) {
			name := next(t)
			decide(t, shared.admin, name, certificatesv1.CertificateApproved)
			shared.issued(t, name)
		},
		"get clientcertificates": func(t *testing.T) {
			shared.user(t, "rbac-renewing", requester...)
			key := newKey(t)
			client := shared.withCertificate(t, shared.clientAuthority(t).sign(t, "rbac-renewing", key.Public()), key)
			submit(t, client, "rbac-renewal", "rbac-renewing")
			prepared = append(prepared, "rbac-renewal")
			decide(t, shared.admin, "rbac-renewal", certificatesv1.CertificateApproved)
			shared.issued(t, "rbac-renewal")
		},
		"delete clientcertificates": func(t *testing.T) {
			shared.put(t, 1, func(record *ledger.ClientCertificate) {
				record.Spec.NotBefore, record.Spec.NotAfter = metav1.NewTime(time.Now().Add(-60*24*time.Hour).UTC()), metav1.NewTime(time.Now().Add(-50*24*time.Hour).UTC())
			})
		},
		"update clientcertificates/status": func(t *testing.T) {
			record := shared.put(t, 2, func(record *ledger.ClientCertificate) { record.Spec.User = "rbac-revoked" })
			shared.block(t, "credential:X509SHA256="+record.Name)
		},
		"create events": func(t *testing.T) {
			name := next(t)
			patch := fmt.Appendf(nil, `{"status":{"certificate":%s}}`, asJSON(t, encode(shared.clientAuthority(t).sign(t, name, newKey(t).Public()))))
			if _, err := shared.admin.CertificatesV1().CertificateSigningRequests().Patch(t.Context(), name, types.MergePatchType, patch, metav1.PatchOptions{}, "status"); err != nil {
				t.Fatal(err)
			}
		},
	}
	leases := shared.admin.CoordinationV1().Leases(ledger.Namespace)
	for _, removed := range all {
		t.Run(fmt.Sprintf("without %s %s", removed.verb, removed.resource), func(t *testing.T) {
			if prepare := work[removed.verb+" "+removed.resource]; prepare != nil {
				prepare(t)
			}
			if err := leases.Delete(t.Context(), ledger.RecorderLease, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
				t.Fatal(err)
			}
			setRules(t, removed.namespace, removed.without(rules[removed.namespace]))
			awaitPermitted(t, removed, false)
			log := filepath.Join(t.TempDir(), "log")
			command, err := program.StartLogged(log, controller, "run", "--debug", "--controllers=ledger", "--kubeconfig", shared.kubeconfig, "--metrics-address", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				program.End(command, program.Patience)
				setRules(t, removed.namespace, rules[removed.namespace])
				awaitPermitted(t, removed, true)
			}()
			var text string
			until(t, "a report", func() bool {
				text, err = readFile(log)
				return err != nil || refusal.MatchString(text)
			})
			for _, found := range refusal.FindAllStringSubmatch(text, -1) {
				if found[1] != removed.verb || found[2] != removed.resource {
					t.Errorf("it reports that it cannot %s %s:\n%s", found[1], found[2], text)
				}
			}
		})
	}
	// With all of them, everything is done that was left.
	if err := shared.start(); err != nil {
		t.Fatal(err)
	}
	for _, name := range prepared {
		if err := shared.admin.CertificatesV1().CertificateSigningRequests().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil && !apierrors.IsNotFound(err) {
			t.Error(err)
		}
		shared.gone(t, name)
	}
}
