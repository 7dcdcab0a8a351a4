package approve

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/policy"
)

// condition is a condition of a policy's status: its status and message.
func (c *cluster) condition(t *testing.T, name, kind string) (status, message string) {
	t.Helper()
	object, err := c.any.Resource(policy.GroupVersion.WithResource(policy.Resource)).Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	conditions, _, _ := unstructured.NestedSlice(object.Object, "status", "conditions")
	for _, one := range conditions {
		if fields, isObject := one.(map[string]any); isObject && fields["type"] == kind {
			return fmt.Sprint(fields["status"]), fmt.Sprint(fields["message"])
		}
	}
	return "", ""
}

func TestBroken_APolicyThatCannotBeEvaluatedDecidesNothingAndSaysWhere(t *testing.T) {
	c := shared
	c.apply(t, useAny)
	digits := "[1,2,3,4,5,6,7,8,9,10]"
	expensive := "a + b + c + d + e + f > 0"
	for _, name := range []string{"f", "e", "d", "c", "b", "a"} {
		expensive = digits + ".all(" + name + ", " + expensive + ")"
	}
	for i, test := range []struct{ about, expression, condition, at string }{
		{"does not compile", "subject.name ==", policy.CompiledCondition, "spec.conditions[0].expression: 1:16: "},
		{"names a missing field", "subject.team == 'x'", policy.CompiledCondition, "spec.conditions[0].expression: 1:8: undefined field"},
		{"is too expensive", expensive, policy.CompiledCondition, "spec.conditions[0].expression: 1:1: it is too expensive"},
		{"divides by zero", "1 / size(findings.filter(f, f == 'none')) == 1", policy.EvaluatedCondition, "spec.conditions[0].expression: 1:3: division by zero"},
		{"names a missing key", "'x' in requester.extra['team']", policy.EvaluatedCondition, "spec.conditions[0].expression: 1:23: no such key"},
	} {
		for _, action := range []string{"Approve", "Deny"} {
			t.Run(action+" "+test.about, func(t *testing.T) {
				name := fmt.Sprintf("broken-%d-%s", i, strings.ToLower(action))
				c.apply(t, policyOf(name, action, test.expression))
				if action == "Deny" {
					// Nothing else denies, and this would approve.
					c.apply(t, policyOf(name+"-approve", "Approve", "true"))
				}
				object := c.submit(t, ask{user: name, lifetime: hour})
				t.Cleanup(func() { c.deleteAfter(t, []*csr{object}) })
				until(t, "an error", func() bool {
					got := c.outcomeOf(t, object)
					if got.what == "Approved" || got.what == "Denied" {
						t.Fatalf("%+v", got)
					}
					return got.what == "Error" && strings.Contains(got.says, name)
				})
				until(t, "the condition", func() bool {
					status, message := c.condition(t, name, test.condition)
					return status == "False" && strings.HasPrefix(message, test.at)
				})
			})
		}
	}
}

// TestBroken_ADenyPolicyThatIsFixedStopsNothing is for the end of what a broken one stops.
func TestBroken_ADenyPolicyThatIsFixedStopsNothing(t *testing.T) {
	c := shared
	c.apply(t, everything)
	c.apply(t, policyOf("broken-fixed", "Deny", "nothing"))
	object := c.submit(t, ask{user: "broken-fixed", lifetime: hour})
	t.Cleanup(func() { c.deleteAfter(t, []*csr{object}) })
	until(t, "an error", func() bool { return c.outcomeOf(t, object).what == "Error" })
	result := c.runPlugin(t, "show", object.Name)
	if result.Code != 0 || !strings.Contains(result.Stdout, `error, left to people: the Deny policy "broken-fixed" is broken, and nothing is approved until`) {
		t.Errorf("%+v", result)
	}
	c.apply(t, policyOf("broken-fixed", "Deny", "subject.name == 'nobody'"))
	until(t, "an approval", func() bool { return c.outcomeOf(t, object).what == "Approved" })
	if status, _ := c.condition(t, "broken-fixed", policy.CompiledCondition); status != "True" {
		until(t, "the condition", func() bool {
			status, _ := c.condition(t, "broken-fixed", policy.CompiledCondition)
			return status == "True"
		})
	}
}

// TestBroken_TheFourOutcomesAreListedAndShown is what people see.
func TestBroken_TheFourOutcomesAreListedAndShown(t *testing.T) {
	c := shared
	c.apply(t, useAny)
	c.apply(t, policyOf("seen-approve", "Approve", "subject.name == 'seen-approved' || 1 / size(findings.filter(f, subject.name != 'seen-error')) > 0"))
	c.apply(t, policyOf("seen-deny", "Deny", "subject.name == 'seen-denied'"))
	for user, want := range map[string][2]string{
		"seen-approved": {"approved by policy", `policy "seen-approve"`},
		"seen-denied":   {"denied by policy", `because (denied by policy "seen-deny"`},
		"seen-error":    {"error, left to people", "division by zero"},
		"system:seen":   {"left to people", "is reserved for Kubernetes itself"},
	} {
		object := c.submit(t, ask{user: user, lifetime: hour})
		t.Cleanup(func() { c.deleteAfter(t, []*csr{object}) })
		c.await(t, object)
		for _, arguments := range [][]string{{"show", object.Name}, {"list", "-o", "wide"}, {"show", object.Name, "-o", "json"}} {
			result := c.runPlugin(t, arguments...)
			line := result.Stdout
			for one := range strings.Lines(result.Stdout) {
				if arguments[0] == "list" && strings.Contains(one, object.Name) {
					line = one
				}
			}
			if result.Code != 0 || !strings.Contains(strings.ToLower(line), want[0]) || !strings.Contains(strings.ReplaceAll(line, `\"`, `"`), want[1]) {
				t.Errorf("%s, %q: %+v", user, arguments, result)
			}
		}
	}
}

// TestBroken_AFieldOfALaterVersionApprovesNothing has a later version of the ApprovalPolicy on the
// cluster, with a bound that this version does not know.
func TestBroken_AFieldOfALaterVersionApprovesNothing(t *testing.T) {
	c := shared
	crd := readFile(t, filepath.Join("..", "..", "deploy", "approver", "crd.yaml"))
	later := strings.Replace(crd, "              keyAlgorithms:\n", "              maximumRisk: {type: integer}\n              keyAlgorithms:\n", 1)
	if err := c.plane.Kubectl(t.Context(), later, "apply", "-f", "-"); err != nil || later == crd {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		// The context of a test ends before its cleanup.
		if err := c.plane.Kubectl(context.WithoutCancel(t.Context()), crd, "apply", "-f", "-"); err != nil {
			t.Error(err)
		}
	})
	c.apply(t, useAny)
	text := strings.Replace(policyOf("later", "Approve", "true"), "spec:\n", "spec:\n  maximumRisk: 1\n", 1)
	// API servers take in a definition a moment after it was stored.
	until(t, "the later version is served", func() bool {
		if err := c.plane.Kubectl(t.Context(), text, "apply", "-f", "-"); err != nil {
			return false
		}
		object, err := c.any.Resource(policy.GroupVersion.WithResource(policy.Resource)).Get(t.Context(), "later", metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		_, isThere, _ := unstructured.NestedInt64(object.Object, "spec", "maximumRisk")
		return isThere
	})
	c.apply(t, text)
	const says = "spec.maximumRisk: unknown field: it may be of a later version of csr-onboard"
	// The approver's watch may still be one of the version before, which leaves the field out.
	object := c.submit(t, ask{user: "later-version", lifetime: hour})
	t.Cleanup(func() { c.deleteAfter(t, []*csr{object}) })
	until(t, "the request is left to people", func() bool {
		got := c.outcomeOf(t, object)
		if got.what == "Approved" {
			t.Fatalf("%+v", got)
		}
		return got.what == "Error" && strings.Contains(got.says, says)
	})
	until(t, "the status says so", func() bool {
		status, message := c.condition(t, "later", policy.CompiledCondition)
		return status == "False" && strings.Contains(message, says)
	})
	if result := c.runPlugin(t, "policy", "check"); result.Code != 1 || !strings.Contains(result.Stderr, says) {
		t.Errorf("%+v", result)
	}
}
