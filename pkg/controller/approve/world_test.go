package approve

import (
	"encoding/json"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
)

// TestWorld_APolicyOfTheSameGenerationIsCompiledAgainWhereItDiffers is for a watch that was open before a
// later version of the definition was applied: it delivers the policy without the field that is new.
func TestWorld_APolicyOfTheSameGenerationIsCompiledAgainWhereItDiffers(t *testing.T) {
	read := func(spec string) []*policy.ApprovalPolicy {
		object := &policy.ApprovalPolicy{}
		if err := json.Unmarshal([]byte(`{"metadata":{"name":"later","uid":"1","generation":1},"spec":{"action":"Approve"`+spec+`}}`), object); err != nil {
			t.Fatal(err)
		}
		return []*policy.ApprovalPolicy{object}
	}
	w, err := newWorld()
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		spec      string
		isOther   bool
		isInvalid bool
	}{{"", true, false}, {"", false, false}, {`,"maximumRisk":1`, true, true}, {`,"maximumRisk":1`, false, true}} {
		_, isOther := w.replacePolicies(read(step.spec))
		if isInvalid := len(w.compiled()[0].Mistakes) > 0; isOther != step.isOther || isInvalid != step.isInvalid {
			t.Errorf("%q: changed %t, invalid %t", step.spec, isOther, isInvalid)
		}
	}
}

func TestWorld_WhatAListDoesNotHaveAnyMoreIsForgotten(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		for _, user := range []string{"jane", "kim"} {
			a.world.setRequest(requestOf(t, user))
		}
		a.world.keepRequests(map[types.UID]bool{"uid-jane": true, "uid-new": true})
		if a.world.get("uid-jane") == nil || a.world.get("uid-kim") != nil || len(a.world.pendingOf("kim")) != 0 || len(a.world.pending()) != 1 {
			t.Errorf("%+v", a.world.requests)
		}
	})
}

func TestWorld_ACertificateIsForgottenAfterItHasExpired(t *testing.T) {
	inTest(t, func(t *testing.T, a *test) {
		begin := time.Now()
		record := recordOf("1", begin, "")
		a.world.setRecord(record)
		later := recordOf("2", begin.Add(time.Hour), "")
		later.Spec.User = "kim"
		a.world.setRecord(later)
		for _, step := range []struct {
			at        time.Time
			jane, kim int
		}{{record.Spec.NotAfter.Time, 1, 1}, {record.Spec.NotAfter.Add(time.Second), 0, 1}, {later.Spec.NotAfter.Add(time.Second), 0, 0}} {
			a.world.forgetExpired(step.at)
			_, isJaneKept := a.world.certificates["jane"]
			if len(a.world.certificates["jane"]) != step.jane || len(a.world.certificates["kim"]) != step.kim || isJaneKept != (step.jane > 0) {
				t.Errorf("at %s: %+v", step.at, a.world.certificates)
			}
		}
	})
}
