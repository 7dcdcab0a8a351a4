package condition

import (
	"errors"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

func TestCondition_TheRevokedCertificatesOfTheUserAreKnown(t *testing.T) {
	of := facts(t)
	details := access.Details{User: "jane"}
	changed, err := access.ListOf(nil).Add(now,
		access.Entry{Blocked: access.Blocked{CredentialID: access.CertificateIDPrefix + strings.Repeat("ab", 32)}, Details: details},
		access.Entry{Blocked: access.Blocked{CredentialID: access.CertificateIDPrefix + strings.Repeat("cd", 32)}, Details: access.Details{User: "joe"}})
	if err != nil {
		t.Fatal(err)
	}
	data := map[string]string{}
	for key, value := range changed {
		data[key] = *value
	}
	of.List = access.ListOf(data)
	for expression, want := range map[string]bool{
		"size(revoked) == 1": true, "revoked[0].endsWith('abab')": true, "revoked.exists(r, r.endsWith('cdcd'))": false,
	} {
		if got := compiled(t, expression).Program.Evaluate(of)[0]; got.Err != nil || got.Value != want {
			t.Errorf("%s: %+v", expression, got)
		}
	}
}

// TestEvaluate_WhatIsNeitherTrueNorFalseIsAnError is about what the compiler refuses first.
func TestEvaluate_WhatIsNeitherTrueNorFalseIsAnError(t *testing.T) {
	compiler, err := NewCompiler()
	if err != nil {
		t.Fatal(err)
	}
	checked, issues := compiler.env.Compile("1 + 1")
	if issues.Err() != nil {
		t.Fatal(issues.Err())
	}
	made, err := compiler.env.Program(checked)
	if err != nil {
		t.Fatal(err)
	}
	one := &expression{program: made, info: checked.NativeRep().SourceInfo()}
	if value, _, err := one.evaluate(variablesOf(facts(t))); value || err == nil || !strings.Contains(err.Error(), "1:1: it is neither true nor false") {
		t.Errorf("%v, %v", value, err)
	}
	failed := errors.New("by the test")
	if err := one.located(failed); !errors.Is(err, failed) || !strings.HasPrefix(err.Error(), "1:1: ") {
		t.Errorf("an error without a place: %v", err)
	}
}
