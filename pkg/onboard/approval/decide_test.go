package approval_test

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/requests"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/approval"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/onboardtest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/requestfile"
)

// approving is an approval of named requests to which an administrator says yes.
func approving(names ...string) approval.Input {
	var called []approval.Name
	for _, name := range names {
		called = append(called, approval.Name{Text: name})
	}
	return approval.Input{
		Decision: request.Approval(), Selection: approval.Selection{Names: called}, DryRun: onboard.DryRunNone,
		Confirm: func(context.Context, *request.Review) error { return nil },
	}
}

// unasked is an approval about which nobody is asked, as with --yes.
func unasked(names ...string) approval.Input {
	in := approving(names...)
	in.Unasked = true
	return in
}

func TestDecide_ARequestIsFoundByItsNameAndItsUser(t *testing.T) {
	for _, byUser := range []bool{true, false} {
		w := onboardtest.New(t)
		name := w.Submit(t, onboardtest.Asked(t, "jane", "dev")).Name
		meant := name
		if byUser {
			meant = "jane"
		}
		decided, err := approval.Run(t.Context(), w.Program, approving(meant))
		if err != nil || len(decided) != 1 || decided[0].Object.Name != name || !slices.Equal(w.States(t), []request.State{request.Issued}) {
			t.Errorf("%s: %v, %v, %v", meant, decided, w.States(t), err)
		}
		if condition := w.Stored(t, name).Status.Conditions[0]; !strings.Contains(condition.Message, `"admin"`) && !strings.Contains(condition.Message, "admin") {
			t.Errorf("the approval does not say who approved: %q", condition.Message)
		}
	}
}

func TestDecide_ADenialIsForTheUserToRead(t *testing.T) {
	w := onboardtest.New(t)
	name := w.Submit(t, onboardtest.Asked(t, "jane")).Name
	in := approving("jane")
	in.Decision, in.Message = request.Denial(), "ask first"
	if _, err := approval.Run(t.Context(), w.Program, in); err != nil {
		t.Fatal(err)
	}
	if condition := w.Stored(t, name).Status.Conditions[0]; condition.Type != certificatesv1.CertificateDenied || !strings.Contains(condition.Message, "ask first") {
		t.Errorf("%+v", condition)
	}
	// Denied again, it is told; approved, it is refused.
	if _, err := approval.Run(t.Context(), w.Program, in); err != nil || len(onboardtest.Told[approval.AlreadyDecided](w)) != 1 {
		t.Errorf("%v", err)
	}
	if _, err := approval.Run(t.Context(), w.Program, approving("jane")); !errors.Is(err, outcome.ErrChanged) {
		t.Errorf("a denied request is approved: %v", err)
	}
}

// TestDecide_WhatIsRefusedStaysUndecided is for each check between a command and an approval.
func TestDecide_WhatIsRefusedStaysUndecided(t *testing.T) {
	otherFingerprint := "SHA256:" + strings.Repeat("A", 43)
	for about, test := range map[string]struct {
		user    string
		groups  []string
		in      approval.Input
		change  func(*approval.Input)
		prepare func(*testing.T, *onboardtest.World)
		want    error
		says    string
	}{
		"another key":     {in: approving("jane"), change: func(in *approval.Input) { in.Fingerprint = otherFingerprint }, want: outcome.ErrChanged, says: "is for the key"},
		"a finding":       {groups: []string{"system:masters"}, in: approving("jane"), want: outcome.ErrRefused, says: "system-group"},
		"another finding": {groups: []string{"system:masters"}, in: approving("jane"), change: func(in *approval.Input) { in.Allow = []string{"system-user"} }, want: outcome.ErrRefused, says: "system-group"},
		"not found":       {in: approving("sam"), want: outcome.ErrNotFound, says: `of the user "sam"`},
		"declined":        {in: approving("jane"), change: func(in *approval.Input) { in.Confirm = declines }, want: approval.ErrDeclined},
		"a check fails":   {in: approving("jane"), change: func(in *approval.Input) { in.Check = func(*request.Review) error { return errFull } }, want: errFull},
		"a missing role": {in: approving("jane"), change: func(in *approval.Input) {
			in.Grants.Grants = []access.Grant{{Role: access.Role{IsCluster: true, Name: "no"}}}
		}, says: `ClusterRole "no" not found`},
		"several claim it":       {in: approving("jane"), prepare: submitAgain("jane"), want: outcome.ErrUsage, says: `2 pending requests claim the name "jane"`},
		"all, and several":       {in: approving(), prepare: submitAgain("jane"), want: outcome.ErrUsage, says: "several pending ones"},
		"approving is forbidden": {in: approving("jane"), prepare: refuse("update", "certificatesigningrequests/approval"), says: "forbidden: you cannot approve"},
		"approving is forbidden late": {in: approving("jane"), change: func(in *approval.Input) {
			in.Confirm = func(context.Context, *request.Review) error { return context.Canceled }
		}, want: context.Canceled},
		"bindings fail":        {in: approving("jane"), prepare: failing("/rolebindings"), says: "read what role bindings give"},
		"the list fails":       {in: approving("jane"), prepare: failing("/certificatesigningrequests"), says: "list certificate signing requests"},
		"the block list fails": {in: approving("jane"), prepare: failing("/configmaps/"), says: "read the list of who is blocked"},
		"who it is fails":      {in: approving("jane"), prepare: failing("/selfsubjectreviews"), says: "ask the server who this is"},
	} {
		t.Run(about, func(t *testing.T) {
			w := onboardtest.New(t)
			name := w.Submit(t, onboardtest.Asked(t, "jane", test.groups...)).Name
			if test.prepare != nil {
				test.prepare(t, w)
			}
			if test.change != nil {
				test.change(&test.in)
			}
			_, err := approval.Run(t.Context(), w.Program, test.in)
			if err == nil || test.want != nil && !errors.Is(err, test.want) || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%v, want %q", err, test.says)
			}
			w.Server.Answer = nil
			if state := request.StateOf(w.Stored(t, name)); state != request.Pending {
				t.Errorf("the request is %s", state)
			}
		})
	}
}

var errFull = errors.New("the disk is full")

func TestDecide_WhereAnotherApproverIsRequiredNobodyApprovesTheirOwn(t *testing.T) {
	w := onboardtest.New(t)
	own, _, err := w.NewUser(t.Context(), onboardtest.Asked(t, "jane"))
	if err != nil {
		t.Fatal(err)
	}
	in := approving(own.Name)
	in.RequireOtherApprover, in.Allow = true, []string{request.SelfApproved}
	if _, err := approval.Run(t.Context(), w.Program, in); !errors.Is(err, outcome.ErrRefused) || !strings.Contains(err.Error(), request.SelfApproved) {
		t.Errorf("%v", err)
	}
	if state := request.StateOf(w.Stored(t, own.Name)); state != request.Pending {
		t.Errorf("the request is %s", state)
	}
	other := w.Submit(t, onboardtest.Asked(t, "sam"))
	in = approving(other.Name)
	in.RequireOtherApprover = true
	if _, err := approval.Run(t.Context(), w.Program, in); err != nil {
		t.Errorf("that of another user: %v", err)
	}
}

func TestDecide_AFindingThatIsAllowedByNameIsApproved(t *testing.T) {
	w := onboardtest.New(t)
	name := w.Submit(t, onboardtest.Asked(t, "jane", "system:authenticated")).Name
	in := approving("jane")
	in.Allow = []string{"system-group"}
	if _, err := approval.Run(t.Context(), w.Program, in); err != nil {
		t.Fatal(err)
	}
	if state := request.StateOf(w.Stored(t, name)); state == request.Pending {
		t.Errorf("the request is %s", state)
	}
}

func declines(context.Context, *request.Review) error { return approval.ErrDeclined }

func submitAgain(name string) func(*testing.T, *onboardtest.World) {
	return func(t *testing.T, w *onboardtest.World) {
		t.Helper()
		w.Submit(t, onboardtest.Asked(t, name))
	}
}

func refuse(verb, resource string) func(*testing.T, *onboardtest.World) {
	return func(_ *testing.T, w *onboardtest.World) { w.Server.Refuse(verb, resource) }
}

// failing has the server fail at every path with a part that the administrator asks for.
func failing(part string) func(*testing.T, *onboardtest.World) {
	return func(_ *testing.T, w *onboardtest.World) {
		w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
			isMeant := strings.Contains(r.URL.Path+"/", part) && (part != "/certificatesigningrequests" || strings.HasSuffix(r.URL.Path, part))
			if isMeant {
				clustertest.Fail(rw, http.StatusBadRequest, metav1.StatusReasonBadRequest)
			}
			return isMeant
		}
	}
}

// TestDecide_ANameThatIsKnownIsNotApprovedUnseen is for somebody who asks for the name of a user.
func TestDecide_ANameThatIsKnownIsNotApprovedUnseen(t *testing.T) {
	w := onboardtest.New(t)
	w.Server.Put(t, &rbacv1.RoleBinding{
		ObjectMeta: metav1.ObjectMeta{Name: "b", Namespace: "dev"}, RoleRef: rbacv1.RoleRef{APIGroup: rbacv1.GroupName, Kind: "ClusterRole", Name: "view"},
		Subjects: []rbacv1.Subject{{APIGroup: rbacv1.GroupName, Kind: rbacv1.UserKind, Name: "jane"}},
	})
	if _, _, err := w.As(t, "mallory").NewUser(t.Context(), onboardtest.Asked(t, "jane")); err != nil {
		t.Fatal(err)
	}
	_, err := approval.Run(t.Context(), w.Program, unasked("jane"))
	if err == nil || !strings.Contains(err.Error(), request.KnownUser) || w.States(t)[0] != request.Pending {
		t.Errorf("%v, %v", err, w.States(t))
	}
	if _, err := approval.Run(t.Context(), w.Program, approving("jane")); err != nil {
		t.Errorf("an administrator who was shown it cannot approve it: %v", err)
	}
}

// TestDecide_AnApprovalIsOfWhatWasShown is for somebody who acts behind the question.
func TestDecide_AnApprovalIsOfWhatWasShown(t *testing.T) {
	for about, test := range map[string]struct {
		behind func(*testing.T, *onboardtest.World, *request.Request)
		want   error
	}{
		"decided": {func(_ *testing.T, w *onboardtest.World, o *request.Request) {
			w.Server.Decide(o.Name, certificatesv1.CertificateDenied)
		}, outcome.ErrChanged},
		"deleted": {func(_ *testing.T, w *onboardtest.World, o *request.Request) {
			w.Server.Remove("certificatesigningrequests", "", o.Name)
		}, outcome.ErrChanged},
		"replaced": {func(t *testing.T, w *onboardtest.World, o *request.Request) {
			t.Helper()
			w.Server.Remove("certificatesigningrequests", "", o.Name)
			again := o.DeepCopy()
			again.UID = ""
			w.Server.Put(t, again)
		}, outcome.ErrChanged},
		"labeled": {func(t *testing.T, w *onboardtest.World, o *request.Request) {
			t.Helper()
			labeled := w.Stored(t, o.Name).DeepCopy()
			labeled.Labels = map[string]string{"a": "b"}
			w.Server.Put(t, labeled)
		}, nil},
	} {
		t.Run(about, func(t *testing.T) {
			w := onboardtest.New(t)
			w.Server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})
			object := w.Submit(t, onboardtest.Asked(t, "jane"))
			in := approving("jane")
			in.Grants = onboard.GrantInput{Grants: []access.Grant{{Role: access.Role{IsCluster: true, Name: "view"}}}}
			in.Confirm = func(context.Context, *request.Review) error { test.behind(t, w, object); return nil }
			_, err := approval.Run(t.Context(), w.Program, in)
			if test.want == nil && err != nil || !errors.Is(err, test.want) {
				t.Errorf("%v, want %v", err, test.want)
			}
			if given := w.Server.Names("clusterrolebindings"); (len(given) > 0) != (test.want == nil) {
				t.Errorf("given: %q", given)
			}
		})
	}
}

func TestDecide_WhatIsGivenIsGivenAfterTheApproval(t *testing.T) {
	w := onboardtest.New(t)
	w.Submit(t, onboardtest.Asked(t, "jane", "dev"))
	in := approving("jane")
	in.Grants = onboard.GrantInput{Grants: []access.Grant{access.RenewableGrant}, ToGroup: true}
	if _, err := approval.Run(t.Context(), w.Program, in); err != nil {
		t.Fatal(err)
	}
	var binding rbacv1.ClusterRoleBinding
	if names := w.Server.Names("clusterrolebindings"); len(names) != 1 || !w.Server.Find(t, names[0], &binding) || binding.Subjects[0].Name != "dev" {
		t.Errorf("%q: %+v", names, binding)
	}
	if shown := onboardtest.Told[approval.ToBeGiven](w); len(shown) != 1 {
		t.Errorf("%+v", shown)
	}
	// Approved already, the rest is given again without a question about the approval.
	if _, err := approval.Run(t.Context(), w.Program, in); err != nil || len(onboardtest.Told[approval.AlreadyDecided](w)) != 1 {
		t.Errorf("%v", err)
	}
}

func TestDecide_ADryRunDecidesNothing(t *testing.T) {
	for _, dryRun := range []onboard.DryRun{onboard.DryRunClient, onboard.DryRunServer} {
		w := onboardtest.New(t)
		w.Submit(t, onboardtest.Asked(t, "jane"))
		in := approving("jane")
		in.DryRun, in.Confirm = dryRun, func(context.Context, *request.Review) error { t.Error("a dry run asks"); return nil }
		decided, err := approval.Run(t.Context(), w.Program, in)
		if err != nil || len(decided) != 1 || w.States(t)[0] != request.Pending {
			t.Errorf("%s: %v, %v, %v", dryRun, decided, w.States(t), err)
		}
	}
}

func TestDecide_ADryRunShowsWhatCannotBeApproved(t *testing.T) {
	w := onboardtest.New(t)
	w.Submit(t, onboardtest.Asked(t, "jane", "system:masters"))
	w.Server.Refuse("update", "certificatesigningrequests/approval")
	in := approving("jane")
	in.DryRun = onboard.DryRunClient
	decided, err := approval.Run(t.Context(), w.Program, in)
	if err == nil || !strings.Contains(err.Error(), "forbidden: you cannot approve") || len(decided) != 1 || decided[0].Review.Count("refused") == 0 {
		t.Errorf("%v, %v", decided, err)
	}
}

func TestDecide_AllAreDecidedAndOneFailureIsOneFailure(t *testing.T) {
	for _, isUnasked := range []bool{true, false} {
		w := onboardtest.New(t)
		for _, name := range []string{"jane", "sam", "joe"} {
			w.Submit(t, onboardtest.Asked(t, name))
		}
		var failed atomic.Bool
		w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
			isMeant := strings.HasSuffix(r.URL.Path, "/approval") && !failed.Swap(true)
			if isMeant {
				clustertest.Fail(rw, http.StatusBadRequest, metav1.StatusReasonBadRequest)
			}
			return isMeant
		}
		in := approving()
		in.Unasked = isUnasked
		decided, err := approval.Run(t.Context(), w.Program, in)
		states := w.States(t)
		slices.Sort(states)
		if err == nil || len(decided) != 2 || !slices.Equal(states, []request.State{request.Issued, request.Issued, request.Pending}) {
			t.Errorf("unasked %v: %d decided, %v, %v", isUnasked, len(decided), states, err)
		}
		if told := onboardtest.Told[onboard.NotDecided](w); len(told) != 1 {
			t.Errorf("%d failures were told", len(told))
		}
	}
}

func TestDecide_AllThatFailAreCounted(t *testing.T) {
	w := onboardtest.New(t)
	w.Submit(t, onboardtest.Asked(t, "jane"))
	w.Submit(t, onboardtest.Asked(t, "sam"))
	in := approving()
	in.Confirm = declines
	if _, err := approval.Run(t.Context(), w.Program, in); err == nil || !strings.Contains(err.Error(), "2 requests were not approved; the first: declined") {
		t.Errorf("%v", err)
	}
}

func TestDecide_NothingPendingIsTold(t *testing.T) {
	w := onboardtest.New(t)
	if _, err := approval.Run(t.Context(), w.Program, approving()); err != nil || len(onboardtest.Told[approval.NothingPending](w)) != 1 {
		t.Errorf("%v", err)
	}
}

func TestDecide_OnlyWhatIsChosenIsDecided(t *testing.T) {
	for about, change := range map[string]func(*approval.Input){
		"by a person": func(in *approval.Input) {
			in.Choose = func(all []*request.Review) ([]*request.Review, error) {
				return slices.DeleteFunc(all, func(r *request.Review) bool { return r.User.Name != "jane" }), nil
			}
		},
		"by a label": func(in *approval.Input) {
			in.Labels = labels.SelectorFromSet(labels.Set{request.UserLabel: request.UserLabelValue("jane")})
		},
	} {
		w := onboardtest.New(t)
		w.Submit(t, onboardtest.Asked(t, "jane"))
		w.Submit(t, onboardtest.Asked(t, "sam"))
		in := approving()
		change(&in)
		decided, err := approval.Run(t.Context(), w.Program, in)
		if err != nil || len(decided) != 1 || decided[0].Review.User.Name != "jane" {
			t.Errorf("%s: %v, %v", about, decided, err)
		}
	}
}

// TestDecide_ANameIsNotAnotherUsers is for a request whose object is called as another user.
func TestDecide_ANameIsNotAnotherUsers(t *testing.T) {
	w := onboardtest.New(t)
	in := onboardtest.Asked(t, "mallory")
	in.RequestName = "jane"
	w.Submit(t, in)
	if _, err := approval.Run(t.Context(), w.Program, unasked("jane")); !errors.Is(err, outcome.ErrUsage) || !strings.Contains(err.Error(), `"jane" is the name of a request for another user`) {
		t.Errorf("%v", err)
	}
	w.Submit(t, onboardtest.Asked(t, "jane"))
	if _, err := approval.Run(t.Context(), w.Program, approving("jane")); !errors.Is(err, outcome.ErrUsage) {
		t.Errorf("%v", err)
	}
	if candidates := onboardtest.Told[approval.CandidatesFound](w); len(candidates) != 1 || len(candidates[0].Reviews) != 2 {
		t.Errorf("%+v", candidates)
	}
}

// TestDecide_AnObjectsNameIsNoUsers is for csr/NAME, which tells a request and a user of the same
// name apart, and which no request of another name is found by.
func TestDecide_AnObjectsNameIsNoUsers(t *testing.T) {
	w := onboardtest.New(t)
	in := onboardtest.Asked(t, "sam")
	in.RequestName = "jane"
	w.Submit(t, in)
	w.Submit(t, onboardtest.Asked(t, "jane"))
	called := func(name string, isUnasked bool) approval.Input {
		in := approving()
		in.Names, in.Unasked = []approval.Name{{Text: name, IsObject: true}}, isUnasked
		return in
	}
	decided, err := approval.Run(t.Context(), w.Program, called("jane", true))
	if err != nil || len(decided) != 1 || decided[0].Review.User.Name != "sam" {
		t.Errorf("%+v, %v", decided, err)
	}
	if _, err := approval.Run(t.Context(), w.Program, called("sam", false)); !errors.Is(err, outcome.ErrNotFound) {
		t.Errorf("a user is taken for a request: %v", err)
	}
	reviews, err := approval.Show(t.Context(), w.Program, approval.ShowInput{Names: []approval.Name{{Text: "jane", IsObject: true}, {Text: "jane"}}})
	if err != nil || len(reviews) != 2 || reviews[0].User.Name != "sam" || reviews[1].User.Name != "jane" {
		t.Errorf("%+v, %v", reviews, err)
	}
	if _, err := approval.Show(t.Context(), w.Program, approval.ShowInput{Names: []approval.Name{{Text: "sam", IsObject: true}}}); !errors.Is(err, outcome.ErrNotFound) {
		t.Errorf("a user is shown in place of a request: %v", err)
	}

	// Whether a user is called so cannot be known without permission to list, and does not matter.
	in.RequestName = "kim"
	w.Submit(t, in)
	w.Server.Refuse("list", "certificatesigningrequests")
	if _, err := approval.Run(t.Context(), w.Program, called("kim", false)); err != nil {
		t.Error(err)
	}
}

// TestDecide_OfDecidedRequestsTheOneThatWasApprovedIsMeant: a user who was denied once may have a certificate.
func TestDecide_OfDecidedRequestsTheOneThatWasApprovedIsMeant(t *testing.T) {
	w := onboardtest.New(t)
	for _, group := range []string{"a", "b", "c"} {
		decision := certificatesv1.CertificateDenied
		if group == "b" {
			decision = certificatesv1.CertificateApproved
		}
		w.Server.Decide(w.Submit(t, onboardtest.Asked(t, "jane", group)).Name, decision)
	}
	if _, err := approval.Run(t.Context(), w.Program, approving("jane")); err != nil {
		t.Errorf("it is approved already: %v", err)
	}
	denying := approving("jane")
	denying.Decision = request.Denial()
	if _, err := approval.Run(t.Context(), w.Program, denying); !errors.Is(err, outcome.ErrChanged) || !strings.Contains(err.Error(), "is decided already: issued") {
		t.Errorf("%v", err)
	}
}

// TestDecide_RequestsForOneKeyAreToldApartByTheirNames: their fingerprints are the same.
func TestDecide_RequestsForOneKeyAreToldApartByTheirNames(t *testing.T) {
	w := onboardtest.New(t)
	in := onboardtest.Asked(t, "jane", "a")
	w.Submit(t, in)
	in.User.Groups = []string{"b"}
	name := w.Submit(t, in).Name
	_, err := approval.Run(t.Context(), w.Program, approving("jane"))
	if !errors.Is(err, outcome.ErrUsage) || !strings.Contains(outcome.Hint(err), "name the request: kubectl csr-onboard approve csr/jane-") {
		t.Errorf("%v, %q", err, outcome.Hint(err))
	}
	in2 := approving()
	in2.Names = []approval.Name{{Text: name, IsObject: true}}
	if decided, err := approval.Run(t.Context(), w.Program, in2); err != nil || len(decided) != 1 || decided[0].Object.Name != name {
		t.Errorf("%+v, %v", decided, err)
	}
}

// file is the PKCS#10 request of a user, as a file that somebody sent.
func file(t *testing.T, w *onboardtest.World, name string) approval.Imported {
	t.Helper()
	in := onboardtest.Asked(t, name)
	in.DryRun = onboard.DryRunClient
	object, _, err := w.NewUser(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	imported, err := requestfile.Parse(object.Spec.Request, time.Hour)
	if err != nil {
		t.Fatal(err)
	}
	return approval.Imported{Source: name + ".csr", Object: imported[0]}
}

func importing(files ...approval.Imported) approval.Input {
	in := approving()
	in.Files = files
	return in
}

func TestDecide_AFileIsSubmittedAndApproved(t *testing.T) {
	w := onboardtest.New(t)
	one, two := file(t, w, "jane"), file(t, w, "sam")
	again := one
	again.Source = "copy.csr"
	decided, err := approval.Run(t.Context(), w.Program, importing(one, again, two, approval.Imported{Source: "bad.csr", Err: errFull}))
	if !errors.Is(err, errFull) || len(decided) != 2 || !slices.Equal(w.States(t), []request.State{request.Issued, request.Issued}) {
		t.Errorf("%v, %v, %v", decided, w.States(t), err)
	}
	if twice := onboardtest.Told[approval.RequestGivenTwice](w); len(twice) != 1 || twice[0].First != "jane.csr" || twice[0].Source != "copy.csr" {
		t.Errorf("%+v", twice)
	}
	// Again, what is there is used.
	if decided, err := approval.Run(t.Context(), w.Program, importing(one)); err != nil || len(decided) != 1 {
		t.Errorf("%v, %v", decided, err)
	}
}

func TestDecide_AFileIsNotSubmittedUnlessItIsMeant(t *testing.T) {
	for about, test := range map[string]struct {
		change func(*testing.T, *onboardtest.World, *approval.Input)
		want   error
	}{
		"another key": {func(_ *testing.T, _ *onboardtest.World, in *approval.Input) {
			in.Fingerprint = "SHA256:" + strings.Repeat("A", 43)
		}, outcome.ErrChanged},
		"declined":           {func(_ *testing.T, _ *onboardtest.World, in *approval.Input) { in.Confirm = declines }, approval.ErrDeclined},
		"a damaged one":      {func(_ *testing.T, _ *onboardtest.World, in *approval.Input) { in.Files[0].Err = errFull }, errFull},
		"a server's dry run": {func(_ *testing.T, _ *onboardtest.World, in *approval.Input) { in.DryRun = onboard.DryRunServer }, nil},
	} {
		w := onboardtest.New(t)
		in := importing(file(t, w, "jane"))
		test.change(t, w, &in)
		if _, err := approval.Run(t.Context(), w.Program, in); !errors.Is(err, test.want) || len(w.States(t)) != 0 {
			t.Errorf("%s: %v, %v", about, err, w.States(t))
		}
	}
}

func TestDecide_AFileUnderWhoseNameAnotherStandsIsRefused(t *testing.T) {
	for about, change := range map[string]func(*certificatesv1.CertificateSigningRequest){
		"another key":    func(o *certificatesv1.CertificateSigningRequest) { o.Spec.Request = otherRequest(t) },
		"another signer": func(o *certificatesv1.CertificateSigningRequest) { o.Spec.SignerName = "example.com/other" },
		"another usage": func(o *certificatesv1.CertificateSigningRequest) {
			o.Spec.Usages = append(o.Spec.Usages, certificatesv1.UsageServerAuth)
		},
		"another lifetime": func(o *certificatesv1.CertificateSigningRequest) {
			seconds := int32(7200)
			o.Spec.ExpirationSeconds = &seconds
		},
		"denied": func(o *certificatesv1.CertificateSigningRequest) {
			o.Status.Conditions = []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateDenied, Status: "True"}}
		},
	} {
		w := onboardtest.New(t)
		in := importing(file(t, w, "jane"))
		in.Files[0].Lifetime = time.Hour
		ready, err := request.Submittable(in.Files[0].Object)
		if err != nil {
			t.Fatal(err)
		}
		stored := ready.DeepCopy()
		change(stored)
		w.Server.Put(t, stored)
		if _, err := approval.Run(t.Context(), w.Program, in); err == nil || !errors.Is(err, outcome.ErrChanged) && !errors.Is(err, outcome.ErrRejected) {
			t.Errorf("%s: %v", about, err)
		}
		if state := w.States(t)[0]; state == request.Approved || state == request.Issued {
			t.Errorf("%s: the request is %s", about, state)
		}
	}
}

func otherRequest(t *testing.T) []byte {
	t.Helper()
	return file(t, onboardtest.New(t), "jane").Object.Spec.Request
}

// TestDecide_ALifetimeThatTheClusterChangedIsNotApproved is for a mutating admission policy.
func TestDecide_ALifetimeThatTheClusterChangedIsNotApproved(t *testing.T) {
	w := onboardtest.New(t)
	in := importing(file(t, w, "jane"))
	in.Confirm = func(_ context.Context, review *request.Review) error {
		w.Server.Answer = func(rw http.ResponseWriter, r *http.Request) bool {
			if r.Method != http.MethodPost || !strings.HasSuffix(r.URL.Path, "/certificatesigningrequests") {
				return false
			}
			ready, err := request.Submittable(review.Object)
			if err != nil {
				t.Error(err)
				return false
			}
			seconds := int32(7200)
			changed := ready.DeepCopy()
			changed.Spec.ExpirationSeconds = &seconds
			w.Server.Put(t, changed)
			changed.APIVersion, changed.Kind = "certificates.k8s.io/v1", "CertificateSigningRequest"
			clustertest.Respond(rw, http.StatusCreated, changed)
			return true
		}
		return nil
	}
	_, err := approval.Run(t.Context(), w.Program, in)
	if !errors.Is(err, outcome.ErrChanged) || !strings.Contains(err.Error(), "asks for 2h, not for the 1h that was shown") {
		t.Errorf("%v", err)
	}
	if !slices.Equal(w.States(t), []request.State{request.Pending}) {
		t.Errorf("%v", w.States(t))
	}
}

func TestList_OnlyPendingOnesAreListedAndFollowed(t *testing.T) {
	w := onboardtest.New(t)
	pending := w.Submit(t, onboardtest.Asked(t, "jane"))
	w.Server.Decide(w.Submit(t, onboardtest.Asked(t, "sam")).Name, certificatesv1.CertificateDenied)
	in := approval.ListInput{Query: requests.Query{}, Pending: true}
	listed, version, err := approval.List(t.Context(), w.Program, in)
	if err != nil || len(listed) != 1 || listed[0].User.Name != "jane" {
		t.Fatalf("%v, %v", listed, err)
	}
	var seen []string
	w.Server.Decide(pending.Name, certificatesv1.CertificateDenied)
	w.Submit(t, onboardtest.Asked(t, "joe"))
	w.Server.Remove("certificatesigningrequests", "", w.Server.Names("certificatesigningrequests")[1])
	err = approval.Follow(t.Context(), w.Program, in, listed, version, func(review *request.Review, deleted bool) error {
		seen = append(seen, review.User.Name+" "+string(review.State))
		if deleted || len(seen) == 3 {
			return errFull
		}
		return nil
	})
	if !errors.Is(err, errFull) || !slices.Equal(seen[:2], []string{"jane Denied", "joe Pending"}) {
		t.Errorf("%q, %v", seen, err)
	}
}

// TestDecide_TheCertificateIsOfTheRequest is that what was approved is what was asked.
func TestDecide_TheCertificateIsOfTheRequest(t *testing.T) {
	w := onboardtest.New(t)
	name := w.Submit(t, onboardtest.Asked(t, "jane", "dev")).Name
	if _, err := approval.Run(t.Context(), w.Program, unasked("jane")); err != nil {
		t.Fatal(err)
	}
	block, _ := pem.Decode(w.Stored(t, name).Status.Certificate)
	certificate, err := x509.ParseCertificate(block.Bytes)
	if err != nil || certificate.Subject.CommonName != "jane" || !slices.Equal(certificate.Subject.Organization, []string{"dev"}) {
		t.Errorf("%v, %v", certificate.Subject, err)
	}
}
