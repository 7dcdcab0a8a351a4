package e2e

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

const renewableRole = "csr-onboard-renewable"

// may says what the holder of a kubeconfig may do with requests and everything else.
func may(t *testing.T, kubeconfig string, asked authorizationv1.ResourceAttributes) bool {
	t.Helper()
	review, err := clientOf(t, kubeconfig).AuthorizationV1().SelfSubjectAccessReviews().Create(t.Context(), &authorizationv1.SelfSubjectAccessReview{
		Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &asked},
	}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return review.Status.Allowed
}

// rolesAndBindings is what there is of the role and of bindings to it, with versions.
func rolesAndBindings(s *session) string {
	s.t.Helper()
	var versions strings.Builder
	roles, err := s.client().RbacV1().ClusterRoles().List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, role := range roles.Items {
		if role.Name == renewableRole {
			versions.WriteString(role.Name + " " + role.ResourceVersion + "\n")
		}
	}
	bindings, err := s.client().RbacV1().ClusterRoleBindings().List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, binding := range bindings.Items {
		if binding.RoleRef.Name == renewableRole {
			versions.WriteString(binding.Name + " " + binding.ResourceVersion + " " + binding.Subjects[0].Kind + " " + binding.Subjects[0].Name + "\n")
		}
	}
	return versions.String()
}

func TestRenewable_ThePermissionToRenewIsThatAndNothingElse(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t)
	s := newSession(t, plane)
	s.must("new-user", "rena", "-g", "dev", "--approve", "--renewable", "--dir", "D", "--expiration", "10m")
	kubeconfig := s.path("D", "rena.kubeconfig")
	for _, test := range []struct {
		verb, resource, subresource string
		want                        bool
	}{
		{"create", "certificatesigningrequests", "", true},
		{"get", "certificatesigningrequests", "", true},
		{"watch", "certificatesigningrequests", "", true},
		{"list", "certificatesigningrequests", "", false},
		{"delete", "certificatesigningrequests", "", false},
		{"update", "certificatesigningrequests", "", false},
		{"update", "certificatesigningrequests", "approval", false},
		{"update", "certificatesigningrequests", "status", false},
		{"approve", "signers", "", false},
		{"*", "*", "", false},
	} {
		asked := authorizationv1.ResourceAttributes{Group: "certificates.k8s.io", Verb: test.verb, Resource: test.resource, Subresource: test.subresource}
		if is := may(t, kubeconfig, asked); is != test.want {
			t.Errorf("may the user %s %s/%s? %v", test.verb, test.resource, test.subresource, is)
		}
	}
	before := rolesAndBindings(s)
	s.must("grant", "rena", "--renewable")
	s.must("new-user", "rena", "-g", "dev", "--approve", "--renewable", "--dir", "D", "--expiration", "10m")
	if after := rolesAndBindings(s); after != before {
		t.Errorf("running it again changed\n%s to\n%s", before, after)
	}

	// They renew with that and nothing else, and an administrator sees that they do.
	own := *s
	own.env.Kubeconfig = kubeconfig
	own.must("renew", "--wait=false")
	old := s.certificate("D/rena.kubeconfig")
	review := s.must("approve", "rena", "--dry-run=client")
	id := "X509SHA256=" + hex.EncodeToString(old.SHA256())
	if !strings.Contains(review.Stdout, "self-renewal  logged in with "+id) {
		t.Errorf("the review does not say %q:\n%s%s", id, review.Stdout, review.Stderr)
	}
	if !strings.Contains(s.must("approve", "rena", "--dry-run=client", "-o", "json").Stdout, `"credentialID": "`+id+`"`) {
		t.Error("the review in JSON does not say it")
	}
	if !strings.Contains(s.must("list", "-o", "wide").Stdout, id) {
		t.Error("the list does not say it")
	}
	for _, finding := range []string{"requested-by-other", "more-than-requester", "self-approved"} {
		if strings.Contains(review.Stdout, finding) {
			t.Errorf("the review finds %s:\n%s", finding, review.Stdout)
		}
	}
	s.must("approve", "rena", "--yes")
	own.must("renew")

	// And no more, once it is taken away.
	s.must("offboard", "rena", "--yes")
	if left := rolesAndBindings(s); !strings.HasPrefix(left, renewableRole+" ") || strings.Contains(left, "rena\n") {
		t.Errorf("left is\n%s", left)
	}
	own.check(own.run("renew"), expect{1, []string{"you cannot create", "kubectl csr-onboard grant rena --renewable"}})
}

func TestRenewable_ThePermissionToRenewInOtherForms(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t, controlplane.WithUser("binder", nil,
		rbacv1.PolicyRule{APIGroups: []string{"rbac.authorization.k8s.io"}, Resources: []string{"clusterrolebindings"}, Verbs: []string{"create", "get", "patch"}},
		rbacv1.PolicyRule{APIGroups: []string{"rbac.authorization.k8s.io"}, Resources: []string{"clusterroles"}, Verbs: []string{"get", "bind"}}))
	s := newSession(t, plane)
	t.Run("what it would be", func(*testing.T) {
		s.must("grant", "dora", "--renewable", "--dry-run=server")
		printed := s.must("grant", "dora", "--renewable", "--dry-run=client", "-o", "name").Stdout
		if !strings.HasPrefix(printed, "clusterrole.rbac.authorization.k8s.io/"+renewableRole+"\nclusterrolebinding.rbac.authorization.k8s.io/csr-onboard-dora-") {
			t.Errorf("%s", printed)
		}
		if made := rolesAndBindings(s); made != "" {
			t.Errorf("a dry run made\n%s", made)
		}
	})
	t.Run("who may only bind is told what to ask for", func(*testing.T) {
		s.check(s.as("binder").run("grant", "dora", "--renewable"), expect{1, []string{`you cannot create the ClusterRole "csr-onboard-renewable"`, "it is created once for all users"}})
	})
	t.Run("by another tool", func(*testing.T) {
		s.shell("kubectl csr-onboard grant dora --renewable --dry-run=client -o yaml | kubectl apply -f -")
		if made := rolesAndBindings(s); strings.Count(made, "\n") != 2 || !strings.HasSuffix(made, " User dora\n") {
			t.Errorf("made is\n%s", made)
		}
	})
	t.Run("once the role is there, who may bind it gives it", func(*testing.T) {
		s.as("binder").must("grant", "emil", "--renewable")
	})
	t.Run("to a group", func(*testing.T) {
		s.must("new-user", "gus", "-g", "dev", "--approve", "--renewable", "--to-group", "--dir", "D")
		if made := rolesAndBindings(s); !strings.Contains(made, " Group dev\n") {
			t.Errorf("made is\n%s", made)
		}
	})
	t.Run("an older role is brought up to date", func(*testing.T) {
		s.write("older.json", `{"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRole",
			"metadata": {"name": "csr-onboard-renewable", "labels": {"app.kubernetes.io/managed-by": "kubectl-csr-onboard"}},
			"rules": [{"apiGroups": ["certificates.k8s.io"], "resources": ["certificatesigningrequests"], "verbs": ["create", "get"]}]}`)
		s.shell("kubectl apply --server-side --force-conflicts --field-manager=kubectl-csr-onboard -f older.json")
		if role := s.kubectl("get", "clusterrole", renewableRole, "-o", "jsonpath={.rules[0].verbs}").Stdout; role != `["create","get"]` {
			t.Fatalf("the older one permits %s", role)
		}
		s.must("grant", "dora", "--renewable")
		role := s.kubectl("get", "clusterrole", renewableRole, "-o", "jsonpath={.rules[0].verbs}").Stdout
		if role != `["create","get","watch"]` {
			t.Errorf("it permits %s", role)
		}
	})
	t.Run("somebody else's role is left alone", func(*testing.T) {
		s.kubectl("label", "clusterrole", renewableRole, "app.kubernetes.io/managed-by-")
		before := rolesAndBindings(s)
		s.must("new-user", "hugo", "--dir", "D")
		s.check(s.run("approve", "hugo", "--yes", "--renewable"), expect{1, []string{"csr-onboard has not created it"}})
		if state := s.kubectl("get", "csr", "-o", "jsonpath={.items[*].metadata.name}").Stdout; !strings.Contains(state, "hugo-") {
			t.Errorf("the requests are %s", state)
		}
		if after := rolesAndBindings(s); after != before {
			t.Errorf("it changed\n%s to\n%s", before, after)
		}
		s.must("deny", "hugo", "--yes")
	})
}

func TestRenewable_MoreThanSheHasIsNoRenewal(t *testing.T) {
	s := holder(t, shared, identity.User{Name: "greedy", Groups: []string{"dev"}}, time.Now().Add(-time.Hour), time.Now().Add(time.Hour))
	s.must("new-user", "greedy", "-g", "dev", "-g", "ops", "--dir", "D")
	review := s.admin().must("approve", "greedy", "--dry-run=client")
	if strings.Contains(review.Stdout, "self-renewal") || !strings.Contains(review.Stdout, "more-than-requester") {
		t.Errorf("%s", review.Stdout)
	}
}
