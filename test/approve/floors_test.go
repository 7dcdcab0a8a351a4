package approve

import (
	"slices"
	"strings"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/fixture"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// TestFloors_NoHostileRequestIsApprovedByTheMostPermissivePolicy submits the requests of the fixture
// that the API server accepts: those in which a review refuses something, or of which another floor
// does not hold, are never approved.
func TestFloors_NoHostileRequestIsApprovedByTheMostPermissivePolicy(t *testing.T) {
	c := shared
	c.apply(t, everything)
	every := program.Times(1, 4)
	left, approved := 0, 0
	for i, entry := range fixture.Load(t) {
		if entry.RefusedByAPI || entry.Terminating || entry.SignerName != "" || i%every != 0 {
			continue
		}
		object := entry.Object("fixture-"+strings.ToLower(strings.Map(onlyLetters, entry.File)), time.Now())
		if object.Spec.Username == "" {
			continue
		}
		object.UID, object.CreationTimestamp = "", metav1.Time{}
		client := c.as(t, object.Spec.Username, object.Spec.Groups, "")
		// Who requests is for the API server to say.
		object.Spec.Username, object.Spec.Groups = "", nil
		stored, err := client.CertificatesV1().CertificateSigningRequests().Create(t.Context(), object, metav1.CreateOptions{})
		if err != nil {
			// Such as a user name that cannot be impersonated, or that the API server refuses.
			continue
		}
		got := c.await(t, stored)
		isHostile := slices.ContainsFunc(entry.Findings, isRefusedFinding) ||
			stored.Spec.ExpirationSeconds == nil || identity.IsSystem(stored.Spec.Username)
		switch {
		case got.what != "Approved":
			left++
		case isHostile:
			t.Errorf("%s with %v was approved", entry.File, entry.Findings)
		default:
			approved++
		}
		c.delete(t, stored)
	}
	if left < 20 || approved < 5 {
		t.Errorf("%d were left to people, and %d approved", left, approved)
	}
}

// isRefusedFinding reports whether a finding is one that no policy can accept.
func isRefusedFinding(name string) bool {
	return name != request.UnexpectedExtension && slices.ContainsFunc(request.Catalogue(), func(kind request.KindOfFinding) bool {
		return kind.Name == name && kind.Severity == identity.Refused
	})
}

func onlyLetters(r rune) rune {
	if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
		return r
	}
	return '-'
}

// TestFloors_EachIsAttackedWithTheMostPermissivePolicy is for what the fixture has not.
func TestFloors_EachIsAttackedWithTheMostPermissivePolicy(t *testing.T) {
	c := shared
	c.apply(t, everything)
	c.apply(t, boundToClusterAdmin)
	renewed, _ := c.issued(t, "floor-renewed", "dev")
	reused, key := c.issued(t, "floor-reused", "dev")
	c.issued(t, "floor-known", "dev")
	revoked, _ := c.issued(t, "floor-revoked", "dev")
	if result := c.runPlugin(t, "offboard", "floor-revoked", "--yes"); result.Code != 0 {
		t.Fatalf("%+v", result)
	}
	var objects []*certificatesv1.CertificateSigningRequest
	t.Cleanup(func() { c.deleteAfter(t, objects) })
	// The approver follows role bindings and the list of who left.
	for _, test := range []struct {
		floor string
		ask   ask
	}{
		{"administrators", ask{user: "floor-admin", groups: []string{"floor-admins"}, lifetime: hour}},
		{"administrators", ask{user: "floor-root", lifetime: hour}},
		{"administrators", ask{user: "floor-kubeadm", groups: []string{"kubeadm:cluster-admins"}, lifetime: hour}},
		{"identity", ask{user: "system:kube-controller-manager", by: "floor-mallory", lifetime: hour}},
		{"usages", ask{user: "floor-usages", lifetime: hour, change: func(o *certificatesv1.CertificateSigningRequest) {
			o.Spec.Usages = []certificatesv1.KeyUsage{certificatesv1.UsageServerAuth}
		}}},
		{"lifetime", ask{user: "floor-forever"}},
		{"standing", ask{user: "floor-revoked", groups: []string{"dev"}, with: revoked, lifetime: hour}},
		{"known-user", ask{user: "floor-known", by: "floor-mallory", lifetime: hour}},
		{"renewal", ask{user: "floor-renewed", groups: []string{"dev", "ops"}, with: renewed, lifetime: hour}},
		{"renewal", ask{user: "floor-reused", groups: []string{"dev"}, with: reused, key: key, lifetime: hour}},
		{"own-request", ask{user: "floor-approver", by: "system:serviceaccount:csr-onboard-system:approver", lifetime: hour}},
	} {
		object := c.submit(t, test.ask)
		objects = append(objects, object)
		if got := c.await(t, object); got.what != "LeftToPeople" || !strings.HasPrefix(got.says, test.floor+": ") {
			t.Errorf("%+v: %+v", test, got)
		}
	}
}

const boundToClusterAdmin = `apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {name: test-floor-admins}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: cluster-admin}
subjects:
- {apiGroup: rbac.authorization.k8s.io, kind: Group, name: floor-admins}
- {apiGroup: rbac.authorization.k8s.io, kind: User, name: floor-root}
`

// TestFloors_TwoPendingKeysOfOneUserAreLeftToPeople has both submitted while no approver runs.
func TestFloors_TwoPendingKeysOfOneUserAreLeftToPeople(t *testing.T) {
	c := shared
	c.end()
	c.apply(t, everything)
	first, second := c.submit(t, ask{user: "floor-two", lifetime: hour}), c.submit(t, ask{user: "floor-two", lifetime: hour})
	t.Cleanup(func() { c.deleteAfter(t, []*csr{first, second}) })
	if err := c.start(); err != nil {
		t.Fatal(err)
	}
	for _, object := range []*csr{first, second} {
		if got := c.await(t, object); got.what != "LeftToPeople" || !strings.HasPrefix(got.says, "one-key: ") {
			t.Errorf("%+v", got)
		}
	}
	// Without the one, the other is as good as any.
	c.delete(t, first)
	until(t, "an approval of the other", func() bool { return c.outcomeOf(t, second).what == "Approved" })
}
