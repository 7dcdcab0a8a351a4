// Package revocation tests the files that pkg/revocation renders with the API server's own
// loader, validation and evaluation (k8s.io/apiserver), as kube-apiserver calls them
// (k8s.io/kubernetes pkg/kubeapiserver/authorizer, LoadAndValidateData).
package revocation

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	"k8s.io/apimachinery/pkg/util/sets"
	"k8s.io/apiserver/pkg/apis/apiserver"
	"k8s.io/apiserver/pkg/apis/apiserver/load"
	"k8s.io/apiserver/pkg/apis/apiserver/validation"
	authorizationcel "k8s.io/apiserver/pkg/authorization/cel"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// compiler compiles expressions as the API server does. It is made once: that takes longer
// than a test.
var compiler = authorizationcel.NewDefaultCompiler()

func kubeconfigIn(t testing.TB) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "denier.kubeconfig")
	text, err := revocation.DenierKubeconfig("127.0.0.1:1", []byte("x"), "")
	if err == nil {
		err = os.WriteFile(path, text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// loaded is the file as the API server has it, or the error with which it would not start.
func loaded(text []byte) (*apiserver.AuthorizationConfiguration, error) {
	configuration, err := load.LoadFromData(text)
	if err != nil {
		return nil, err
	}
	errs := validation.ValidateAuthorizationConfiguration(compiler, nil, configuration,
		sets.New("AlwaysAllow", "AlwaysDeny", "ABAC", "Webhook", "RBAC", "Node"), sets.New("Webhook"))
	if err := errs.ToAggregate(); err != nil {
		return nil, err
	}
	for _, authorizer := range configuration.Authorizers {
		if authorizer.Type != "Webhook" && authorizer.Name != strings.ToLower(string(authorizer.Type)) {
			return nil, fmt.Errorf("the authorizer %s is called %q", authorizer.Type, authorizer.Name)
		}
	}
	return configuration, nil
}

// identity is who a request is from.
type identity struct {
	user string
	ids  []string
	// groups are those besides system:authenticated.
	groups []string
}

// refused evaluates the authorizers of a file that come before the base's, as the API
// server's webhook authorizer does: an identity is refused where no condition is false.
func refused(t testing.TB, configuration *apiserver.AuthorizationConfiguration) func(identity) bool {
	t.Helper()
	var matchers []*authorizationcel.CELMatcher
	for _, authorizer := range configuration.Authorizers {
		if authorizer.Type != "Webhook" {
			continue
		}
		matcher, errs := validation.ValidateAndCompileMatchConditions(compiler, authorizer.Webhook.MatchConditions)
		if len(errs) > 0 {
			t.Fatal(errs)
		}
		matchers = append(matchers, matcher)
	}
	return func(who identity) bool {
		review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
			User: who.user, Groups: append([]string{"system:authenticated"}, who.groups...),
			ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: "get", Resource: "pods"},
		}}
		if who.ids != nil {
			review.Spec.Extra = map[string]authorizationv1.ExtraValue{access.CredentialIDKey: who.ids}
		}
		for _, matcher := range matchers {
			matches, err := matcher.Eval(t.Context(), review)
			if matches || err != nil && !strings.Contains(err.Error(), revocation.Message) {
				t.Fatalf("%+v: %v, %v", who, matches, err)
			}
			if err != nil {
				return true
			}
		}
		return false
	}
}

func id(i int) string { return fmt.Sprintf("X509SHA256=%064x", i) }

func user(name string) access.Entry {
	return access.Entry{Blocked: access.Blocked{User: name}}
}

func credential(id string) access.Entry {
	return access.Entry{Blocked: access.Blocked{CredentialID: id}}
}

func pin(name, group string) access.Entry {
	return access.Entry{Blocked: access.Blocked{User: name, IsPin: true}, Details: access.Details{User: name, PinGroup: group}}
}

func render(t testing.TB, kubeconfig string, entries ...access.Entry) revocation.File {
	t.Helper()
	base, err := revocation.BaseOfModes("Node,RBAC")
	if err != nil {
		t.Fatal(err)
	}
	file, err := revocation.Render(base, entries, revocation.Options{Kubeconfig: kubeconfig})
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func loadedOf(t testing.TB, entries ...access.Entry) func(identity) bool {
	t.Helper()
	configuration, err := loaded(render(t, kubeconfigIn(t), entries...).Text)
	if err != nil {
		t.Fatal(err)
	}
	return refused(t, configuration)
}

func TestLoaded_TheAPIServerRefusesExactlyWhoIsOnTheList(t *testing.T) {
	hostile := "a'] || true || request.user in ['\\\n\x00\u202e佐藤😀"
	group, other := access.PinGroup([16]byte{1}), access.PinGroup([16]byte{2})
	marked := "jane csr-onboard:proof:" + strings.Repeat("0", 32)
	isRefused := loadedOf(t, user("jane"), user(hostile), user(marked), user("system:node:lost"), credential(id(1)), credential("JTI=one"), pin("kim", group), pin("kai", other), pin("lee", ""))
	for about, test := range map[string]struct {
		who  identity
		want bool
	}{
		"a revoked user":                               {identity{"jane", []string{id(7)}, nil}, true},
		"without a certificate":                        {identity{"jane", nil, nil}, true},
		"a name that only begins like it":              {identity{"jane2", nil, nil}, false},
		"another spelling":                             {identity{"Jane", nil, nil}, false},
		"a hostile name":                               {identity{hostile, nil, nil}, true},
		"a name with a mark in it":                     {identity{marked, nil, nil}, true},
		"another name with a mark in it":               {identity{marked[5:], nil, nil}, false},
		"somebody else":                                {identity{"bob", []string{id(7)}, nil}, false},
		"nobody":                                       {identity{"", nil, nil}, false},
		"no credential":                                {identity{"bob", []string{}, nil}, false},
		"a revoked certificate":                        {identity{"bob", []string{id(1)}, nil}, true},
		"one among others, of an impersonator":         {identity{"bob", []string{id(7), id(1)}, nil}, true},
		"a pinned user with the group":                 {identity{"kim", []string{id(3)}, []string{"dev", group}}, false},
		"without it":                                   {identity{"kim", []string{id(2)}, []string{"dev"}}, true},
		"with the group of another pin":                {identity{"kim", []string{id(2)}, []string{other}}, true},
		"with a group that only begins like it":        {identity{"kim", []string{id(2)}, []string{group + "0", "kim " + group}}, true},
		"without any group":                            {identity{"kim", nil, nil}, true},
		"with the group and a revoked certificate":     {identity{"kim", []string{id(1)}, []string{group}}, true},
		"somebody else with that group":                {identity{"bob", []string{id(2)}, []string{group}}, false},
		"pinned without a group":                       {identity{"lee", []string{id(2)}, []string{group, ""}}, true},
		"a revoked token":                              {identity{"system:serviceaccount:default:robot", []string{"JTI=one"}, nil}, true},
		"another token of the service account":         {identity{"system:serviceaccount:default:robot", []string{"JTI=two"}, nil}, false},
		"a lost kubelet":                               {identity{"system:node:lost", []string{id(7)}, nil}, true},
		"another kubelet":                              {identity{"system:node:other", []string{id(7)}, nil}, false},
		"a kubelet with a revoked certificate":         {identity{"system:node:other", []string{id(1)}, nil}, true},
		"the control plane with a revoked certificate": {identity{"system:kube-controller-manager", []string{id(1)}, nil}, false},
		"the control plane with a revoked token's id":  {identity{"system:kube-scheduler", []string{"JTI=one"}, nil}, false},
		"the API server itself":                        {identity{"system:apiserver", nil, nil}, false},
	} {
		if got := isRefused(test.who); got != test.want {
			t.Errorf("%s: refused: %v", about, got)
		}
	}
}

func TestLoaded_ALongListIsLoadedAndRefusesEverybodyOnIt(t *testing.T) {
	var entries []access.Entry
	for i := range 5000 {
		entries = append(entries, credential(id(i)))
	}
	for i := range 5000 {
		entries = append(entries, user(fmt.Sprintf("user-%d-%s", i, strings.Repeat("\x01", i%90))))
	}
	isRefused := loadedOf(t, entries...)
	for i, entry := range entries {
		who := identity{user: entry.Blocked.User}
		if who.user == "" {
			who = identity{"somebody", []string{entry.Blocked.CredentialID}, nil}
		}
		if i%97 == 0 && !isRefused(who) {
			t.Errorf("%s is not refused", entry.Blocked)
		}
	}
	if isRefused(identity{"somebody", []string{id(5000)}, nil}) || isRefused(identity{"system:kube-controller-manager", []string{id(1)}, nil}) {
		t.Error("who is not on the list is refused")
	}
}

func TestLoaded_OnlyTheFileThatWasLoadedRefusesItsMark(t *testing.T) {
	kubeconfig := kubeconfigIn(t)
	one, other := render(t, kubeconfig, user("jane")), render(t, kubeconfig, user("jane"), user("bob"))
	configuration, err := loaded(one.Text)
	if err != nil {
		t.Fatal(err)
	}
	isRefused := refused(t, configuration)
	if !isRefused(identity{user: one.Mark}) || isRefused(identity{user: other.Mark}) {
		t.Error("the mark does not tell one file from another")
	}
}

// FuzzRender attacks the renderer with lists of any content: what it renders, the API server
// loads; everybody who is listed is refused, and the control plane is not.
func FuzzRender(f *testing.F) {
	f.Add("user-6a616e65", "user:jane", "details-user-6a616e65", `{"user":"jane"}`)
	f.Add("anything", "credential:"+id(1), "pin-6b", "pin:k")
	f.Add("x", "user:a'] || true", "credential-4a54493d61", "credential:JTI=a")
	f.Add("details-pin-6b", `{"pinGroup":"`+access.PinGroup([16]byte{1})+`"}`, "pin-6b", "pin:k")
	f.Add("user-73797374656d3a78", "user:system:x", "y", "user:\x00\u2028\U0001f600\\\"")
	mark := "csr-onboard:proof:" + strings.Repeat("0", 32)
	f.Add("x", "user:jane "+mark, "y", "user:mallory")
	f.Add("x", "user:"+mark, "y", "pin:0 "+mark)
	base, err := revocation.BaseOfModes("Node,RBAC")
	if err != nil {
		f.Fatal(err)
	}
	kubeconfig := kubeconfigIn(f)
	f.Fuzz(func(t *testing.T, key1, value1, key2, value2 string) {
		entries, _ := revocation.Entries(access.ListOf(map[string]string{key1: value1, key2: value2}), now)
		file, err := revocation.Render(base, entries, revocation.Options{Kubeconfig: kubeconfig})
		if err != nil {
			t.Fatalf("what was read cannot be rendered: %v", err)
		}
		configuration, err := loaded(file.Text)
		if err != nil {
			t.Fatalf("the API server would not start with\n%s\n%v", file.Text, err)
		}
		isRefused := refused(t, configuration)
		for _, entry := range entries {
			who := identity{user: entry.Blocked.User}
			switch {
			case revocation.IsToken(entry.Blocked):
				who = identity{"system:serviceaccount:a:b", []string{entry.Blocked.CredentialID}, nil}
			case entry.Blocked.CredentialID != "":
				who = identity{"somebody", []string{entry.Blocked.CredentialID}, nil}
			}
			if !isRefused(who) {
				t.Errorf("%s is not refused by\n%s", entry.Blocked, file.Text)
			}
		}
		for _, name := range []string{"system:kube-controller-manager", "system:kube-scheduler", "system:apiserver", "system:anonymous"} {
			if isRefused(identity{name, []string{id(1)}, nil}) {
				t.Errorf("%s is refused by\n%s", name, file.Text)
			}
		}
	})
}
