package completion_test

import (
	"slices"
	"strings"
	"testing"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/completion"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

// names are candidates by what is typed, each with what is told about it.
func names(candidates []completion.Candidate) []string {
	all := []string{}
	for _, candidate := range candidates {
		all = append(all, candidate.Name+": "+candidate.About)
	}
	slices.Sort(all)
	return all
}

func binding(name, role string, subjects ...rbacv1.Subject) *rbacv1.ClusterRoleBinding {
	return &rbacv1.ClusterRoleBinding{ObjectMeta: metav1.ObjectMeta{Name: name}, RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: role}, Subjects: subjects}
}

func TestCandidates_PendingUsersAreNamedWhereTheNameIsOneRequests(t *testing.T) {
	w := onboardtest.New(t)
	one := w.Submit(t, onboardtest.Asked(t, "jane", "dev"))
	w.Submit(t, onboardtest.Asked(t, "sam"))
	w.Submit(t, onboardtest.Asked(t, "sam"))
	w.Server.Decide(w.Submit(t, onboardtest.Asked(t, "joe")).Name, certificatesv1.CertificateDenied)
	w.Server.Put(t, &certificatesv1.CertificateSigningRequest{ObjectMeta: metav1.ObjectMeta{Name: "bad"}, Spec: certificatesv1.CertificateSigningRequestSpec{SignerName: request.Signer, Request: []byte("text")}})
	candidates, err := completion.PendingUsers(t.Context(), w.Program)
	if err != nil || len(candidates) != 3 {
		t.Fatalf("%+v, %v", candidates, err)
	}
	for _, candidate := range candidates {
		isJanes := candidate.Request == one.Name
		if (candidate.Name == "jane") != isJanes || !isJanes && candidate.Name != "" || !strings.Contains(candidate.About, ", asked ") || isJanes && !strings.HasPrefix(candidate.About, "jane (dev)") {
			t.Errorf("%+v", candidate)
		}
	}
}

func TestCandidates_KnownOnesAreInBindingsAndRequests(t *testing.T) {
	w := onboardtest.New(t)
	w.Submit(t, onboardtest.Asked(t, "jane"))
	w.Submit(t, onboardtest.Asked(t, "sam"))
	user := func(name string) rbacv1.Subject { return rbacv1.Subject{Kind: rbacv1.UserKind, Name: name} }
	group := func(name string) rbacv1.Subject { return rbacv1.Subject{Kind: rbacv1.GroupKind, Name: name} }
	w.Server.Put(t, binding("a", "view", user("jane"), user("system:admin"), group("dev"), group("system:masters")),
		binding("b", "edit", group("dev")), binding("c", "admin", group("dev")), binding("d", "more", group("dev")), binding("e", "view", group("dev")))
	users, err := completion.KnownUsers(t.Context(), w.Program)
	if want := []string{"jane: ClusterRole/view everywhere", "sam: request pending"}; err != nil || !slices.Equal(names(users), want) {
		t.Errorf("%q, %v, want %q", names(users), err, want)
	}
	groups, err := completion.KnownGroups(t.Context(), w.Program)
	if want := []string{"dev: ClusterRole/admin everywhere, ClusterRole/edit everywhere, ClusterRole/more everywhere, …"}; err != nil || !slices.Equal(names(groups), want) {
		t.Errorf("%q, %v, want %q", names(groups), err, want)
	}
}

func TestCandidates_OwnUsersAreInDirectories(t *testing.T) {
	home := t.TempDir()
	w := onboardtest.New(t)
	for _, name := range []string{"jane", "sam"} {
		in := onboardtest.Asked(t, name)
		in.Directory, in.DryRun = onboardtest.Directory(t, home, name), onboard.DryRunClient
		w.Submit(t, in)
	}
	if got, want := names(completion.OwnUsers(home, "")), []string{"jane: jane", "sam: sam"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if got := completion.OwnUsers(t.TempDir(), ""); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if got := names(completion.Names([]string{"a", "b"})); !slices.Equal(got, []string{"a: ", "b: "}) {
		t.Errorf("%q", got)
	}
}
