package approve

import (
	"encoding/json"
	"testing"

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
