package approve

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "policies.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheck_AFileIsCheckedInPlaceOfTheCluster(t *testing.T) {
	c := shared
	object := c.submit(t, ask{user: "check-jane", lifetime: hour})
	t.Cleanup(func() { c.deleteAfter(t, []*csr{object}) })
	c.apply(t, useAny)
	c.apply(t, policyOf("check-cluster", "Approve", "subject.name == 'nobody'"))
	file := write(t, policyOf("check-file", "Deny", "subject.name == 'check-jane'"))
	for _, output := range []string{"", "json", "yaml"} {
		result := c.runPlugin(t, append([]string{"policy", "check", "--filename", file}, outputFlag(output)...)...)
		if result.Code != 0 || !strings.Contains(result.Stdout, object.Name) || !strings.Contains(result.Stdout, "Denied") || !strings.Contains(result.Stdout, "check-file") || strings.Contains(result.Stdout, "check-cluster") {
			t.Errorf("--output %q: %+v", output, result)
		}
	}
	if result := c.runPlugin(t, "policy", "check"); result.Code != 0 || !strings.Contains(result.Stdout, "check-cluster") || strings.Contains(result.Stdout, "check-file") {
		t.Errorf("%+v", result)
	}
}

func outputFlag(output string) []string {
	if output == "" {
		return nil
	}
	return []string{"--output", output}
}

func TestCheck_MistakesEndWithTheirPosition(t *testing.T) {
	c := shared
	for _, test := range []struct {
		about, text string
		code        int
		says        string
	}{
		{"an unknown field", strings.Replace(policyOf("a", "Approve", "true"), "conditions:", "condition:", 1), 2, "line 7, column 3: spec.condition: unknown field"},
		{"an expression that does not compile", policyOf("a", "Approve", "subject.team == 'x'"), 1, "spec.conditions[0].expression: 1:8: undefined field 'team'"},
		{"a division by zero", policyOf("a", "Approve", "1 / size(findings.filter(f, f == 'none')) == 1"), 1, "1:3: division by zero"},
		{"no such file", "", 2, "cannot be read"},
	} {
		t.Run(test.about, func(t *testing.T) {
			object := c.submit(t, ask{user: "check-mistakes", lifetime: hour})
			t.Cleanup(func() { c.deleteAfter(t, []*csr{object}) })
			file := write(t, test.text)
			if test.text == "" {
				file = filepath.Join(t.TempDir(), "missing")
			}
			result := c.runPlugin(t, "policy", "check", "-f", file)
			if result.Code != test.code || !strings.Contains(result.Stderr, test.says) || strings.Count(result.Stderr, "error: ") != 1 {
				t.Errorf("%+v", result)
			}
		})
	}
}

// TestCheck_AClusterWithoutALedgerSaysSo is also for the approver, which leaves to people what depends on it.
func TestCheck_AClusterWithoutALedgerSaysSo(t *testing.T) {
	c := shared
	restart := func() {
		if err := c.start(); err != nil {
			t.Error(err)
		}
	}
	c.end()
	if err := c.plane.Kubectl(t.Context(), "", "delete", "--wait", "-f", ledgerDefinition); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		c.end()
		// The context of a test ends before its cleanup.
		if err := c.installLedger(context.WithoutCancel(t.Context())); err != nil {
			t.Error(err)
		}
		restart()
	})
	c.apply(t, everything)
	since := len(c.logged(t, 0))
	restart()
	forOther, own := c.submit(t, ask{user: "check-mia", by: "check-eve", lifetime: hour}), c.submit(t, ask{user: "check-noah", lifetime: hour})
	t.Cleanup(func() { c.deleteAfter(t, []*csr{forOther, own}) })
	if got := c.await(t, forOther); got.what != "LeftToPeople" || !strings.Contains(got.says, "the ledger is not installed") {
		t.Errorf("%+v", got)
	}
	if got := c.await(t, own); got.what != "Approved" {
		t.Errorf("%+v", got)
	}
	if strings.Count(c.logged(t, since), "the ledger is not installed: requests for others") != 1 {
		t.Error(c.logged(t, since))
	}
	result := c.runPlugin(t, "policy", "check", "--from-ledger", "--since", "7d")
	if result.Code != 4 || !strings.Contains(result.Stderr, "ledger not found on this cluster") || !strings.Contains(result.Stderr, "guides/ledger.md#install") {
		t.Errorf("%+v", result)
	}
}

func TestCheck_ExplainShowsEachBoundAndCondition(t *testing.T) {
	c := shared
	object := c.submit(t, ask{user: "check-kate", groups: []string{"dev"}, lifetime: 9 * hour})
	t.Cleanup(func() { c.deleteAfter(t, []*csr{object}) })
	file := write(t, example(t, "renewals")+"---\n"+strings.Replace(policyOf("check-bounds", "Approve", "subject.name == 'x'"), "  conditions:", "  maximumLifetime: 8h\n  subject: {groups: [dev]}\n  conditions:", 1))
	result := c.runPlugin(t, "policy", "explain", "check-bounds", object.Name, "--filename", file)
	for _, says := range []string{
		"yes renewal a renewal is for", "yes subject.groups", "no maximumLifetime the lifetime is 9h, and at most 8h is permitted", "no condition condition because", "outcome of all policies: left to people",
	} {
		if !strings.Contains(strings.Join(strings.Fields(result.Stdout), " "), says) {
			t.Errorf("%q is missing: %+v", says, result)
		}
	}
	if result := c.runPlugin(t, "policy", "explain", "check-bounds", object.Name, "--filename", file, "--output", "json"); result.Code != 0 || !strings.Contains(result.Stdout, `"kind": "PolicyExplanation"`) {
		t.Errorf("%+v", result)
	}
	for _, missing := range [][]string{{"check-none", object.Name}, {"check-bounds", "none"}} {
		if result := c.runPlugin(t, append([]string{"policy", "explain", "-f", file}, missing...)...); result.Code != 4 || !strings.Contains(result.Stderr, "not found") {
			t.Errorf("%v: %+v", missing, result)
		}
	}
}

func TestCheck_TheApproverIsNamed(t *testing.T) {
	c := shared
	object := c.submit(t, ask{user: "check-approver", lifetime: hour})
	t.Cleanup(func() { c.deleteAfter(t, []*csr{object}) })
	file := write(t, policyOf("check-all", "Approve", "true"))
	for _, verb := range [][]string{{"check"}, {"explain", "check-all", object.Name}} {
		result := c.runPlugin(t, append(append([]string{"policy"}, verb...), "--filename", file, "--approver", "check-approver")...)
		if result.Code != 0 || !strings.Contains(result.Stdout, "own-request") {
			t.Errorf("%v: %+v", verb, result)
		}
	}
}
