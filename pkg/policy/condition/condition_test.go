package condition

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apiserver/pkg/authorization/authorizer"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

var now = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

const ownID = "X509SHA256=0123"

// facts are those of jane, who renews a certificate.
func facts(t *testing.T) *policy.Facts {
	t.Helper()
	key, err := pki.NewKey(pki.DefaultKeyAlgorithm)
	if err != nil {
		t.Fatal(err)
	}
	made, err := pki.NewRequest(key, identity.User{Name: "jane", Groups: []string{"dev"}})
	if err != nil {
		t.Fatal(err)
	}
	object := request.Build(made, request.Terms{Lifetime: 8 * time.Hour, Name: "chosen"}).CertificateSigningRequest
	object.UID, object.CreationTimestamp = "uid-1", metav1.NewTime(now.Add(-time.Minute))
	object.Spec.Username, object.Spec.Groups = "jane", []string{"dev", "leads"}
	object.Spec.Extra = map[string]certificatesv1.ExtraValue{access.CredentialIDKey: {ownID}}
	return &policy.Facts{
		Review: request.ReviewOf(request.Of(object)), Now: now,
		Grants: access.Grants{{IsGroup: true, Name: "dev"}: {{Role: access.Role{IsCluster: true, Name: "view"}}}},
		Certificates: policy.Certificates{ownID: {
			CredentialID: ownID, User: identity.User{Name: "jane", Groups: []string{"dev"}}, NotBefore: now.Add(-time.Hour), NotAfter: now.Add(time.Hour),
		}},
		Authorizer: Authorizer(func(asked authorizer.Attributes) (bool, error) {
			if asked.GetResource() == "broken" {
				return true, errors.New("no answer")
			}
			return asked.GetUser().GetName() == "jane" && asked.GetResource() == "pods" && asked.GetVerb() == "get", nil
		}),
	}
}

func compiled(t *testing.T, expressions ...string) *policy.Compiled {
	t.Helper()
	of := &policy.Policy{Name: "test", Action: policy.Approve}
	for _, expression := range expressions {
		of.Conditions = append(of.Conditions, policy.Condition{Name: "c", Expression: expression})
	}
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	return compiler.Compile(of)
}

func TestCondition_Variables(t *testing.T) {
	for expression, want := range map[string]bool{
		"'leads' in requester.groups":                                     true,
		"'admins' in requester.groups":                                    false,
		"requester.name == subject.name":                                  true,
		"subject.groups.all(g, g in ['dev', 'ops'])":                      true,
		"request.lifetime <= duration('8h')":                              true,
		"request.lifetime < duration('8h')":                               false,
		"request.created < now":                                           true,
		"request.usages == ['client auth']":                               true,
		"request.signerName.startsWith('kubernetes.io/')":                 true,
		"key.algorithm == 'ECDSA-P256'":                                   true,
		"key.fingerprint.startsWith('SHA256:')":                           true,
		"renewal.isRenewal && has(renewal.chainStart)":                    true,
		"now - renewal.chainStart < duration('2h')":                       true,
		"size(findings) == 0":                                             true,
		"bound.groups['dev'].exists(g, g.role == 'ClusterRole/view')":     true,
		"size(bound.user) == 0":                                           true,
		"size(certificates) == 1 && certificates[0].groups == ['dev']":    true,
		"size(revoked) == 0":                                              true,
		"now.getHours('UTC') >= 8 && now.getHours('UTC') < 18":            true,
		"now.getDayOfWeek('UTC') == 5":                                    true,
		"'" + access.CredentialIDKey + "' in requester.extra":             true,
		"authorizer.group('').resource('pods').check('get').allowed()":    true,
		"authorizer.group('').resource('secrets').check('get').allowed()": false,
		"authorizer.group('').resource('broken').check('get').errored()":  true,
		"subject.name.matches('^[a-z]+$')":                                true,
		"sets.contains(['dev', 'ops'], subject.groups)":                   true,
	} {
		t.Run(expression, func(t *testing.T) {
			one := compiled(t, expression)
			if one.Program == nil {
				t.Fatal(one.Mistakes)
			}
			if got := one.Program.Evaluate(facts(t))[0]; got.Err != nil || got.Value != want {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestCondition_WhatIsBrokenSaysWhere is for mistakes that are found before there is a request.
func TestCondition_WhatIsBrokenSaysWhere(t *testing.T) {
	for _, test := range []struct{ about, expression, at, says string }{
		{"a syntax error", "'leads' in (requester.groups", "1:29", "Syntax error"},
		{"an unknown variable", "true && user == 'jane'", "1:9", "undeclared reference to 'user'"},
		{"a missing field", "subject.name == 'a' || requester.team == 'x'", "1:33", "undefined field 'team'"},
		{"a label, which is not there", "request.labels['x'] == 'y'", "1:8", "undefined field 'labels'"},
		{"the name of the object, which is not there", "request.name == 'y'", "1:8", "undefined field 'name'"},
		{"text compared with a number", "subject.name == 1", "1:14", "no matching overload"},
		{"what is not true or false", "subject.name", "1:1", "must be true or false"},
		{"a bad pattern", "subject.name.matches('[')", "1:22", "invalid matches argument"},
		{"a mistake in the second line", "true &&\nunknown", "2:1", "undeclared reference"},
		{"too expensive whatever the request", expensive, "1:1", "too expensive"},
	} {
		t.Run(test.about, func(t *testing.T) {
			one := compiled(t, "true", test.expression)
			if one.Program != nil || len(one.Mistakes) != 1 || one.Mistakes[0].Field != "spec.conditions[1].expression" ||
				one.Mistakes[0].At != test.at || !strings.Contains(one.Mistakes[0].Problem, test.says) {
				t.Errorf("%+v", one.Mistakes)
			}
			decision := policy.Decide(ready(t), []*policy.Compiled{one})
			if decision.Outcome != policy.Failed || !strings.Contains(decision.Why, test.at+": ") {
				t.Errorf("%s: %s", decision.Outcome, decision.Why)
			}
		})
	}
}

// expensive runs a million times.
const expensive = "[1,2,3,4,5,6,7,8,9,10].all(a, [1,2,3,4,5,6,7,8,9,10].all(b, [1,2,3,4,5,6,7,8,9,10].all(c, [1,2,3,4,5,6,7,8,9,10].all(d, " +
	"[1,2,3,4,5,6,7,8,9,10].all(e, [1,2,3,4,5,6,7,8,9,10].all(f, a + b + c + d + e + f > 0))))))"

// TestCondition_WhatFailsSaysWhere is for what is found with a request only. In a bubble of package
// synctest, what is expensive is ended by its cost and never by its time, however slow the machine is.
func TestCondition_WhatFailsSaysWhere(t *testing.T) {
	for _, test := range []struct{ about, expression, at, says string }{
		{"a division by zero", "1 / size(findings) == 1", "1:3", "division by zero"},
		{"a key that is missing", "'x' in requester.extra['team']", "1:23", "no such key: team"},
		{"a field that is absent", "renewal.notAfter > now || bound.groups['ops'].size() > 0", "", ""},
		{"an index outside", "subject.groups[7] == 'dev'", "1:15", "index out of bounds"},
		{"too expensive for many groups", "requester.groups.all(a, requester.groups.all(b, requester.groups.all(c, a + b + c != '')))", "1:1", "too expensive"},
	} {
		inBubble := func(t *testing.T) {
			one := compiled(t, test.expression)
			if one.Program == nil {
				t.Fatal(one.Mistakes)
			}
			asked := ready(t)
			for range 120 {
				asked.Review.Object.Spec.Groups = append(asked.Review.Object.Spec.Groups, "another-group")
			}
			got := one.Program.Evaluate(asked)[0]
			if test.at == "" {
				if got.Err != nil {
					t.Error(got.Err)
				}
				return
			}
			if got.Err == nil || !strings.HasPrefix(got.Err.Error(), test.at+": ") || !strings.Contains(got.Err.Error(), test.says) {
				t.Errorf("%v", got.Err)
			}
			if decision := policy.Decide(asked, []*policy.Compiled{one}); decision.Outcome != policy.Failed {
				t.Errorf("%+v", decision)
			}
			one.Action = policy.Deny
			approves := &policy.Compiled{Policy: &policy.Policy{Name: "all", Action: policy.Approve}, Program: one.Program}
			if decision := policy.Decide(asked, []*policy.Compiled{one, approves}); decision.Outcome != policy.Failed {
				t.Errorf("%+v", decision)
			}
		}
		t.Run(test.about, func(t *testing.T) { synctest.Test(t, inBubble) })
	}
}

// ready are the facts of a request that passes all floors.
func ready(t *testing.T) *policy.Facts {
	t.Helper()
	asked := facts(t)
	asked.Approver = "approver"
	asked.List = access.ListOf(nil)
	asked.MayUse = func(string) (bool, error) { return true, nil }
	asked.CanApprove = func() (bool, error) { return false, nil }
	return asked
}

func TestCondition_AllTogetherCostNoMoreThanOneEvaluationCanCost(t *testing.T) {
	// Each costs a little less than one can cost.
	asked := ready(t)
	asked.Review.Object.Spec.Groups = nil
	for range 30 {
		asked.Review.Object.Spec.Groups = append(asked.Review.Object.Spec.Groups, "another-group")
	}
	var many []string
	for range 32 {
		many = append(many, "requester.groups.all(a, requester.groups.all(b, requester.groups.filter(c, c == a).size() > 0))")
	}
	one := compiled(t, many...)
	results := one.Program.Evaluate(asked)
	if first, last := results[0], results[31]; first.Err != nil || last.Err == nil || !errors.Is(last.Err, errCost) {
		t.Errorf("%v, %v", first.Err, last.Err)
	}
}

func TestCondition_WhatDependsOnTheTimeIsKnown(t *testing.T) {
	for expression, want := range map[string]bool{
		"now.getHours('UTC') > 8": true, "subject.name == 'now'": false, "request.created == request.created": false,
		"authorizer.path('/healthz').check('get').allowed()": true, "['a'].all(now, now == 'a')": true,
	} {
		if one := compiled(t, "true", expression); one.Program == nil || one.Program.DependsOnTime() != want {
			t.Errorf("%s: %+v", expression, one)
		}
	}
}

func TestCondition_PositionsInAFileAreThoseOfTheExpression(t *testing.T) {
	policies, mistakes := policy.Parse([]byte("apiVersion: csr-onboard.github.io/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: a}\nspec:\n  action: Approve\n  conditions:\n  - name: a\n    expression: nothing\n"))
	if len(policies) != 1 {
		t.Fatal(mistakes)
	}
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	one := compiler.Compile(policies[0])
	if len(one.Mistakes) != 1 || one.Mistakes[0].String() != "line 8, column 17: spec.conditions[0].expression: 1:1: undeclared reference to 'nothing' (in container '')" {
		t.Errorf("%v", one.Mistakes)
	}
}
