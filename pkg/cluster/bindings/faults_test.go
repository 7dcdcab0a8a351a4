package bindings_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	corev1 "k8s.io/api/core/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/bindings"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome/outcometest"
)

// fails answers calls with a method and of a resource with an error.
func fails(method, resource string, code int, reason metav1.StatusReason) func(http.ResponseWriter, *http.Request) bool {
	return func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != method || !strings.Contains(r.URL.Path+"/", "/"+resource+"/") {
			return false
		}
		clustertest.Fail(w, code, reason)
		return true
	}
}

func view(namespace string) access.Grant {
	return access.Grant{Role: access.Role{IsCluster: true, Name: "view"}, Namespace: namespace}
}

func TestBindings_EachCallThatFailsIsNamed(t *testing.T) {
	type call func(ctx context.Context, c *bindings.Client) error
	wanted := access.Wanted{Holder: access.Holder{Name: "jane"}, Grant: view("")}
	for about, test := range map[string]struct {
		method, resource string
		code             int
		reason           metav1.StatusReason
		call             call
		says             []string
	}{
		"list namespaces": {
			http.MethodGet, "namespaces", http.StatusBadRequest, metav1.StatusReasonBadRequest,
			func(ctx context.Context, c *bindings.Client) error { _, err := c.Namespaces(ctx); return err }, []string{"list namespaces", "by the test"},
		},
		"list ClusterRoles": {
			http.MethodGet, "clusterroles", http.StatusBadRequest, metav1.StatusReasonBadRequest,
			func(ctx context.Context, c *bindings.Client) error { _, err := c.ClusterRoles(ctx); return err }, []string{"list clusterroles", "by the test"},
		},
		"list Roles": {
			http.MethodGet, "roles", http.StatusBadRequest, metav1.StatusReasonBadRequest,
			func(ctx context.Context, c *bindings.Client) error { _, err := c.Roles(ctx, "team"); return err }, []string{"list roles", "by the test"},
		},
		"look for a role": {
			http.MethodGet, "clusterroles", http.StatusBadRequest, metav1.StatusReasonBadRequest,
			func(ctx context.Context, c *bindings.Client) error {
				_, err := c.Missing(ctx, view("team"))
				return err
			}, []string{`look for the ClusterRole "view"`},
		},
		"look for a namespace": {
			http.MethodGet, "namespaces", http.StatusBadRequest, metav1.StatusReasonBadRequest,
			func(ctx context.Context, c *bindings.Client) error {
				_, err := c.Missing(ctx, view("team"))
				return err
			}, []string{`look for the namespace "team"`},
		},
		"a binding that somebody else changed": {
			http.MethodPatch, "clusterrolebindings", http.StatusConflict, metav1.StatusReasonConflict,
			func(ctx context.Context, c *bindings.Client) error { return c.ApplyGrant(ctx, wanted) },
			[]string{"could not give", "somebody else changed", wanted.Name(), "name another role"},
		},
		"the role for renewals that somebody else changed": {
			http.MethodPatch, "clusterroles", http.StatusConflict, metav1.StatusReasonConflict,
			func(ctx context.Context, c *bindings.Client) error {
				return c.ApplyGrant(ctx, access.Wanted{Holder: access.Holder{Name: "jane"}, Grant: access.Grant{Role: access.Renewable}})
			},
			[]string{"create the ClusterRole", "somebody else changed it", "kubectl get clusterrole " + access.Renewable.Name},
		},
		"follow": {
			http.MethodGet, "clusterrolebindings", http.StatusBadRequest, metav1.StatusReasonBadRequest,
			func(ctx context.Context, c *bindings.Client) error {
				return c.ClusterBindings().Watch(ctx, "1", func(bindings.Given, bool) {})
			},
			[]string{"follow what role bindings give"},
		},
	} {
		server := clustertest.New(t)
		server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})
		server.Answer = fails(test.method, test.resource, test.code, test.reason)
		outcometest.Says(t, about, test.call(t.Context(), server.Admin(t).Bindings()), test.says...)
		if made := slices.Concat(server.Names("clusterrolebindings"), server.Names("rolebindings")); len(made) > 0 {
			t.Errorf("%s: it leaves %q", about, made)
		}
	}
}

// TestBindings_ChangesThatTheServerHasDroppedAreListedAgain has the server refuse a watch, and break off one.
func TestBindings_ChangesThatTheServerHasDroppedAreListedAgain(t *testing.T) {
	expired := metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: metav1.StatusFailure, Code: http.StatusGone, Reason: metav1.StatusReasonExpired,
	}
	refused := expired
	refused.Code, refused.Reason, refused.Message = http.StatusBadRequest, metav1.StatusReasonBadRequest, "by the test"
	role := rbacv1.ClusterRole{TypeMeta: metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRole"}, ObjectMeta: metav1.ObjectMeta{Name: "view"}}
	type event struct {
		Type   string `json:"type"`
		Object any    `json:"object"`
	}
	for about, test := range map[string]struct {
		code   int
		events []event
		seen   []string
		says   string
	}{
		"refused as expired":     {http.StatusGone, nil, nil, ""},
		"broken off as expired":  {http.StatusOK, []event{{"ADDED", role}, {"DELETED", role}, {"ERROR", expired}, {"ADDED", role}}, []string{"view", "-view"}, ""},
		"broken off":             {http.StatusOK, []event{{"ADDED", role}, {"ERROR", refused}, {"ADDED", role}}, []string{"view"}, "by the test"},
		"ended":                  {http.StatusOK, []event{{"ADDED", role}}, []string{"view"}, ""},
		"of another kind, ended": {http.StatusOK, []event{{"ADDED", rbacv1.ClusterRoleBinding{TypeMeta: metav1.TypeMeta{APIVersion: "rbac.authorization.k8s.io/v1", Kind: "ClusterRoleBinding"}}}, {"ADDED", role}}, nil, "could not"},
	} {
		server := clustertest.New(t)
		server.Answer = func(w http.ResponseWriter, r *http.Request) bool {
			if !r.URL.Query().Has("watch") {
				return false
			}
			if test.code != http.StatusOK {
				clustertest.Fail(w, test.code, metav1.StatusReasonExpired)
				return true
			}
			for _, one := range test.events {
				_ = json.NewEncoder(w).Encode(one)
			}
			return true
		}
		var seen []string
		err := server.Admin(t).Bindings().RoleReaches().Watch(t.Context(), "1", func(given bindings.Given, isDeleted bool) {
			if isDeleted {
				given.Key = "-" + given.Key
			}
			seen = append(seen, given.Key)
		})
		if test.says == "" && err != nil {
			t.Errorf("%s: %v", about, err)
		}
		if test.says != "" {
			outcometest.Says(t, about, err, test.says)
		}
		if !slices.Equal(seen, test.seen) {
			t.Errorf("%s: %q is seen, want %q", about, seen, test.seen)
		}
	}
}

func TestGrants_ASubjectOfAnUnknownKindHoldsNothing(t *testing.T) {
	server := clustertest.New(t)
	server.Put(t, &rbacv1.ClusterRoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "several"},
		Subjects: []rbacv1.Subject{
			{Kind: "Robot", Name: "jane"}, {Kind: rbacv1.UserKind, Name: "jane"}, {Kind: rbacv1.GroupKind, Name: "jane"},
			{Kind: rbacv1.ServiceAccountKind, Namespace: "team", Name: "jane"},
		},
		RoleRef: rbacv1.RoleRef{Kind: "ClusterRole", Name: "view"},
	})
	grants, unread, err := server.Admin(t).Bindings().Grants(t.Context())
	if err != nil || unread != "" || len(grants) != 3 {
		t.Fatalf("%v, %q, %v", grants, unread, err)
	}
	for _, holder := range []access.Holder{{Name: "jane"}, {IsGroup: true, Name: "jane"}, {Name: "system:serviceaccount:team:jane"}} {
		if got := grants[holder]; !slices.Equal(got, []access.Grant{view("")}) {
			t.Errorf("%v holds %v", holder, got)
		}
	}
}

func TestMissing_TheRoleForRenewalsIsNotLookedFor(t *testing.T) {
	server := clustertest.New(t)
	var calls atomic.Int32
	server.Answer = func(http.ResponseWriter, *http.Request) bool { calls.Add(1); return false }
	client := server.Admin(t).Bindings()
	if missing, err := client.Missing(t.Context(), access.Grant{Role: access.Renewable, Namespace: "team"}); missing != nil || err != nil || calls.Load() != 0 {
		t.Errorf("%v, %v after %d calls", missing, err, calls.Load())
	}
	if version := client.Version(t.Context(), &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "view"}}); version != "" || calls.Load() != 0 {
		t.Errorf("a pod has the version %q after %d calls", version, calls.Load())
	}
	missing, err := client.Missing(t.Context(), view("team"))
	if err != nil || len(missing) != 2 {
		t.Fatalf("%v, %v", missing, err)
	}
	outcometest.Says(t, "the role", missing[0], `ClusterRole "view" not found`, "kubectl get clusterroles")
	outcometest.Says(t, "the namespace", missing[1], `namespace "team" not found`, "kubectl get namespaces")
}

// TestTakeAway_ABindingThatIsNotAsItWasSeenStays has somebody else change or delete it in between.
func TestTakeAway_ABindingThatIsNotAsItWasSeenStays(t *testing.T) {
	own := access.Wanted{Holder: access.Holder{Name: "jane"}, Grant: view("team")}
	shared := func(namespace string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Name: "shared", Namespace: namespace}
	}
	subjects := []rbacv1.Subject{{Kind: rbacv1.UserKind, Name: "jane"}, {Kind: rbacv1.UserKind, Name: "joe"}}
	role := rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"}
	for about, binding := range map[string]metav1.Object{
		"of csr-onboard":                own.Binding().(metav1.Object),
		"of csr-onboard, for the whole": access.Wanted{Holder: own.Holder, Grant: view("")}.Binding().(metav1.Object),
		"shared":                        &rbacv1.RoleBinding{ObjectMeta: shared("team"), Subjects: subjects, RoleRef: role},
		"shared, for the whole":         &rbacv1.ClusterRoleBinding{ObjectMeta: shared(""), Subjects: subjects, RoleRef: role},
	} {
		resource := "rolebindings"
		if binding.GetNamespace() == "" {
			resource = "clusterrolebindings"
		}
		for _, isDeleted := range []bool{false, true} {
			server := clustertest.New(t)
			binding.SetUID("one")
			server.Put(t, binding)
			client := server.Admin(t).Bindings()
			held, err := client.HeldBy(t.Context(), "jane")
			if err != nil || len(held) != 1 {
				t.Fatalf("%s: %v, %v", about, held, err)
			}
			if isDeleted {
				server.Remove(resource, binding.GetNamespace(), binding.GetName())
			} else {
				server.Put(t, binding)
			}
			err = client.TakeAway(t.Context(), held[0], "jane", false)
			outcometest.Says(t, about, err, "was changed by somebody else in the meantime", held[0].String(), "run the same command again")
			if !errors.Is(err, outcome.ErrChanged) {
				t.Errorf("%s: %v", about, err)
			}
			if isThere := len(server.Names(resource)) == 1; isThere == isDeleted {
				t.Errorf("%s: it was deleted: %v; it is there: %v", about, isDeleted, isThere)
			}
			if isDeleted {
				continue
			}
			if held, err = client.HeldBy(t.Context(), "jane"); err != nil || len(held) != 1 {
				t.Fatalf("%s: %v, %v", about, held, err)
			}
			if err := client.TakeAway(t.Context(), held[0], "jane", false); err != nil {
				t.Errorf("%s, as it was seen: %v", about, err)
			}
			if held, err = client.HeldBy(t.Context(), "jane"); err != nil || len(held) != 0 {
				t.Errorf("%s: jane still has %v, %v", about, held, err)
			}
		}
	}
}
