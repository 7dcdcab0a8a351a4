package policy

import (
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	certificatesv1 "k8s.io/api/certificates/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

func TestCertificateOf_WhatCannotBeReadIsNoCertificate(t *testing.T) {
	for _, certificate := range []string{"", "hostile", "-----BEGIN CERTIFICATE-----\naG9zdGlsZQ==\n-----END CERTIFICATE-----\n"} {
		object := &certificatesv1.CertificateSigningRequest{Status: certificatesv1.CertificateSigningRequestStatus{
			Certificate: []byte(certificate), Conditions: []certificatesv1.CertificateSigningRequestCondition{{Type: certificatesv1.CertificateApproved}},
		}}
		if one, isThere := CertificateOf(request.Of(object)); isThere || one != nil {
			t.Errorf("%q: %+v", certificate, one)
		}
	}
}

func TestExplained_WhyAPolicyDoesNotApproveIsSaid(t *testing.T) {
	broken := &Compiled{Policy: &Policy{Name: "broken"}, Mistakes: []Mistake{{Field: "spec", Problem: "by the test"}}}
	for about, test := range map[string]struct {
		one  Explained
		says string
	}{
		"broken":             {Explained{Policy: broken}, "it is broken: "},
		"a failing check":    {Explained{Policy: everything(), Checks: []Check{{Name: "a", Passes: true}, {Name: "b", Says: "too long"}}}, "b: too long"},
		"nothing that fails": {Explained{Policy: everything(), Checks: []Check{{Name: "a", Passes: true}}}, "it does not apply"},
	} {
		if got := test.one.why(); !strings.HasPrefix(got, test.says) {
			t.Errorf("%s: %q", about, got)
		}
	}
}

func TestSome_OfALongListTheFirstAreNamed(t *testing.T) {
	for n, want := range map[int]string{0: "", 1: "x", 5: "x, x, x, x, x", 6: "x, x, x, x, x and 1 more", 100: "x, x, x, x, x and 95 more"} {
		if got := some(slices.Repeat([]string{"x"}, n)); got != want {
			t.Errorf("%d: %q", n, got)
		}
	}
}

func TestFloors_AnEmptyNameIsNoIdentity(t *testing.T) {
	for name, says := range map[string]string{"": "the user name is empty", "jane": "", "system:node:a": "is reserved for Kubernetes itself"} {
		problem, err := floorIdentity(&Facts{Review: &request.Review{User: identity.User{Name: name}}})
		if err != nil || says == "" && problem != "" || !strings.Contains(problem, says) {
			t.Errorf("%q: %q, %v", name, problem, err)
		}
	}
	problem, err := floorIdentity(&Facts{Review: &request.Review{User: identity.User{Groups: []string{"system:nodes"}}}})
	if err != nil || !strings.Contains(problem, "system:nodes") {
		t.Errorf("a group of Kubernetes: %q, %v", problem, err)
	}
}

// TestParse_AliasesAreFollowedToTheirPlace has a policy that is written once and named twice.
func TestParse_AliasesAreFollowedToTheirPlace(t *testing.T) {
	indented := "  " + strings.ReplaceAll(strings.TrimSpace(developers), "\n", "\n  ")
	policies, mistakes := Parse([]byte("apiVersion: v1\nkind: List\nanchor: &policy\n" + indented + "\nitems: [*policy]\n"))
	if len(mistakes) != 0 || len(policies) != 1 || policies[0].Name != "developers" {
		t.Errorf("%v, %+v", policies, mistakes)
	}
	_, mistakes = Parse([]byte("apiVersion: v1\nkind: List\nitems:\n- &policy\n" + indented + "\n- *policy\n"))
	if len(mistakes) != 1 || mistakes[0].Field != "metadata.name" || !strings.Contains(mistakes[0].Problem, "is the name of another policy") {
		t.Errorf("twice: %+v", mistakes)
	}
	// The mistake is where the anchor is.
	_, mistakes = Parse([]byte("apiVersion: csr-onboard.github.io/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: a}\nspec:\n  action: Approve\n  subject: &s\n    groups: [dev]\n    unknown: x\n"))
	_, aliased := Parse([]byte("apiVersion: v1\nkind: List\nanchor: &s\n  groups: [dev]\n  unknown: x\nitems:\n- apiVersion: csr-onboard.github.io/v1alpha1\n  kind: ApprovalPolicy\n  metadata: {name: a}\n  spec:\n    action: Approve\n    subject: *s\n"))
	if len(mistakes) != 1 || len(aliased) != 1 || mistakes[0].Line != 8 || aliased[0].Line != 5 || aliased[0].Field != "spec.subject.unknown" {
		t.Errorf("%+v, %+v", mistakes, aliased)
	}
}

func TestParse_WhatIsNotAMappingOfTextIsNamedByItsPlace(t *testing.T) {
	const head = "apiVersion: csr-onboard.github.io/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: a}\n"
	for about, test := range map[string]struct{ text, says string }{
		"a key that is a number":  {head + "spec: {1: x}\n", "it has a key that is not text"},
		"a key that is a list":    {head + "spec: {[a]: x}\n", "invalid YAML: invalid map key"},
		"a key that is a mapping": {head + "spec: {{a: b}: x}\n", "invalid YAML: invalid map key"},
		"a spec that is a text":   {head + "spec: hostile\n", "not object"},
		"a list":                  {"- a\n", "it is not an object"},
	} {
		policies, mistakes := Parse([]byte(test.text))
		if policies != nil || len(mistakes) == 0 || !strings.Contains(mistakes[0].Problem, test.says) {
			t.Errorf("%s: %v, %+v", about, policies, mistakes)
		}
	}
	var scalarNode yaml.Node
	if err := yaml.Unmarshal([]byte("text"), &scalarNode); err != nil {
		t.Fatal(err)
	}
	text := scalarNode.Content[0]
	if child(text, "name") != nil || scalar(text, "name") != "" || find(text, "spec.name") != text {
		t.Error("a text has a field")
	}
}
