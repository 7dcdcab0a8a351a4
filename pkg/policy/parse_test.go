package policy

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
)

func reachOf(verbs ...string) access.Reach {
	return access.ReachOf([]rbacv1.PolicyRule{{APIGroups: []string{"*"}, Resources: []string{"*"}, Verbs: verbs}})
}

const developers = `apiVersion: csr-onboard.github.io/v1alpha1
kind: ApprovalPolicy
metadata: {name: developers}
spec:
  action: Approve                     # or Deny
  subject: {groups: [dev, ops]}       # the user's groups must be among these
  maximumLifetime: 24h                # a request without a lifetime is never approved
  keyAlgorithms: [ECDSA-P256, Ed25519]
  accept: [requested-by-other]
  conditions:
  - {name: team-lead, expression: "'leads' in requester.groups", message: "only team leads may request"}
`

// TestParse_AnObjectWithAFieldOfALaterVersionCannotBeEvaluated reads it as clients do, which drop what
// they do not know.
func TestParse_AnObjectWithAFieldOfALaterVersionCannotBeEvaluated(t *testing.T) {
	text := `{"apiVersion": "csr-onboard.github.io/v1alpha1", "kind": "ApprovalPolicy", "metadata": {"name": "later"},
		"spec": {"action": "Approve", "maximumRisk": 1, "subject": {"groups": ["dev"], "tenants": ["a"]}, "conditions": [{"name": "a", "expression": "true", "weight": 2}]}}`
	object := &ApprovalPolicy{}
	if err := json.Unmarshal([]byte(text), object); err != nil {
		t.Fatal(err)
	}
	copied, _ := object.DeepCopyObject().(*ApprovalPolicy)
	for about, one := range map[string]*ApprovalPolicy{"as read": object, "a copy": copied} {
		read, mistakes := Of(one)
		var fields []string
		for _, mistake := range mistakes {
			fields = append(fields, mistake.Field)
		}
		if want := []string{"spec.maximumRisk", "spec.subject.tenants", "spec.conditions[0].weight"}; read != nil || !slices.Equal(fields, want) {
			t.Errorf("%s: %+v, %q", about, read, fields)
		}
	}
	if err := json.Unmarshal([]byte(strings.NewReplacer(`, "maximumRisk": 1`, "", `, "tenants": ["a"]`, "", `, "weight": 2`, "").Replace(text)), object); err != nil {
		t.Fatal(err)
	}
	if read, mistakes := Of(object); read == nil {
		t.Errorf("read again: %+v", mistakes)
	}
}

func TestParse_TheForm(t *testing.T) {
	policies, mistakes := Parse([]byte(developers))
	if len(mistakes) > 0 || len(policies) != 1 {
		t.Fatal(mistakes)
	}
	p := policies[0]
	if p.Name != "developers" || p.Action != Approve || strings.Join(p.Groups, " ") != "dev ops" || p.MaximumLifetime != 24*time.Hour ||
		strings.Join(p.KeyAlgorithms, " ") != "ECDSA-P256 Ed25519" || strings.Join(p.Accept, " ") != "requested-by-other" ||
		len(p.Conditions) != 1 || p.Conditions[0].Expression != "'leads' in requester.groups" || len(p.Hash) != 64 {
		t.Errorf("%+v", p)
	}
	if at := p.Located(Mistake{Field: "spec.conditions[0].expression"}); at.Line != 11 || at.Column != 35 {
		t.Errorf("%+v", at)
	}
}

func TestParse_MistakesHavePositions(t *testing.T) {
	policy := func(spec string) string {
		return "apiVersion: csr-onboard.github.io/v1alpha1\nkind: ApprovalPolicy\nmetadata:\n  name: a\nspec:\n" + spec
	}
	for _, test := range []struct{ about, text, want string }{
		{"nothing", "", "it contains no object of apiVersion csr-onboard.github.io/v1alpha1 and kind ApprovalPolicy"},
		{"other objects alone", "apiVersion: v1\nkind: ConfigMap\n", "it contains no object of apiVersion"},
		{"no object", "- a\n", "line 1, column 1: it is not an object"},
		{"another version", "apiVersion: csr-onboard.github.io/v1\nkind: ApprovalPolicy\n", `line 1, column 13: apiVersion: unknown version "csr-onboard.github.io/v1"`},
		{"no YAML", "a: [\n", "invalid YAML"},
		{"an unknown field", policy("  action: Approve\n  maxLifetime: 1h\n"), "line 7, column 16: spec.maxLifetime: unknown field"},
		{"a field of another case", policy("  action: Approve\n  MaximumLifetime: 1h\n"), "line 7, column 20: spec.MaximumLifetime: unknown field"},
		{"an unknown field of a condition", policy("  action: Approve\n  conditions:\n  - name: a\n    expr: 'true'\n"), "line 9, column 11: spec.conditions[0].expr: unknown field"},
		{"a field twice", policy("  action: Approve\n  action: Deny\n"), "line 7, column 1: invalid YAML"},
		{"no action", policy("  subject: {users: [jane]}\n"), "line 6, column 3: spec.action: required: Approve or Deny"},
		{"an unknown action", policy("  action: approve\n"), `line 6, column 11: spec.action: invalid action "approve"`},
		{"a list that is text", policy("  action: Approve\n  accept: all\n"), "line 7, column 11: spec.accept: it is of type string, not list"},
		{"text that is a number", policy("  action: Approve\n  maximumLifetime: 24\n"), "line 7, column 20: spec.maximumLifetime: it is of type number, not string"},
		{"a duration", policy("  action: Approve\n  maximumLifetime: 1 day\n"), `line 7, column 20: spec.maximumLifetime: invalid duration "1 day"`},
		{"no duration", policy("  action: Approve\n  maximumChainAge: 0h\n"), `spec.maximumChainAge: invalid duration "0h": it must be longer than zero`},
		{"a finding that nobody can accept", policy("  action: Approve\n  accept: [requested-by-other, system-user]\n"), `line 7, column 32: spec.accept[1]: invalid value "system-user": use one of requested-by-other`},
		{"an unknown algorithm", policy("  action: Approve\n  keyAlgorithms: [DSA]\n"), `spec.keyAlgorithms[0]: invalid value "DSA"`},
		{"an empty list", policy("  action: Approve\n  subject: {groups: []}\n"), "spec.subject.groups: an empty list permits nothing"},
		{"an empty name", policy("  action: Approve\n  subject: {groups: ['']}\n"), "spec.subject.groups[0]: it is empty"},
		{"a name twice", policy("  action: Approve\n  subject: {users: [a, a]}\n"), `spec.subject.users[1]: "a" is named more than once`},
		{"a rate of zero", policy("  action: Approve\n  rate: {requests: 0, period: 1h}\n"), "spec.rate.requests: invalid number 0"},
		{"a rate without a period", policy("  action: Approve\n  rate: {requests: 1}\n"), "spec.rate.period: required"},
		{"a rate of a day", policy("  action: Approve\n  rate: {requests: 1, period: 1d}\n"), "spec.rate.period: invalid period"},
		{"no certificates", policy("  action: Approve\n  maximumCertificates: 0\n"), "spec.maximumCertificates: invalid number 0"},
		{"a condition without a name", policy("  action: Approve\n  conditions: [{expression: 'true'}]\n"), "spec.conditions[0].name: required"},
		{"a condition without an expression", policy("  action: Approve\n  conditions: [{name: a, expression: ' '}]\n"), "spec.conditions[0].expression: required"},
		{"two conditions of a name", policy("  action: Approve\n  conditions: [{name: a, expression: 'true'}, {name: a, expression: 'true'}]\n"), "spec.conditions[1].name: "},
		{"a long expression", policy("  action: Approve\n  conditions: [{name: a, expression: '" + strings.Repeat("1", longestExpression+1) + "'}]\n"), "at most 4096 are permitted"},
		{"a denial of everything", policy("  action: Deny\n"), "spec.conditions: required in a policy that denies"},
		{"a bound of a denial", policy("  action: Deny\n  subject: {users: [jane]}\n  maximumLifetime: 8h\n"), "spec.maximumLifetime: it bounds approvals, and this policy denies"},
		{"no name", "apiVersion: csr-onboard.github.io/v1alpha1\nkind: ApprovalPolicy\nspec: {action: Approve}\n", "metadata.name: invalid name"},
		{"two of a name", developers + "---\n" + developers, `"developers" is the name of another policy of the file`},
		{"neither apiVersion nor kind", "a: b\n", "line 1, column 1: apiVersion and kind are required"},
		{"a key that is not text", policy("  action: Approve\n  conditions: [{[a]: b}]\n"), ""},
		{"an object that is text", policy("  action: Approve\n  rate: often\n"), "spec.rate: it is of type string, not object"},
		{"a number that is text", policy("  action: Approve\n  maximumCertificates: many\n"), "spec.maximumCertificates: it is of type string, not number"},
		{"an invalid time", "apiVersion: csr-onboard.github.io/v1alpha1\nkind: ApprovalPolicy\nmetadata: {name: a, creationTimestamp: now}\nspec: {action: Approve}\n", "it cannot be read: "},
		{"two bounds of a denial", policy("  action: Deny\n  maximumLifetime: 8h\n  accept: [requested-by-other]\n"), "spec.accept: it bounds approvals"},
		{"many names", policy("  action: Approve\n  subject: {users: [" + strings.Repeat("a, ", mostListed+1) + "]}\n"), fmt.Sprintf("it has %d items; at most %d are permitted", mostListed+1, mostListed)},
		{"many conditions", policy("  action: Approve\n  conditions: [" + strings.Repeat("{name: a, expression: 'true'}, ", mostConditions+1) + "]\n"), fmt.Sprintf("spec.conditions: it has %d items", mostConditions+1)},
		{"a condition with a name of two words", policy("  action: Approve\n  conditions: [{name: a b, expression: 'true'}]\n"), `spec.conditions[0].name: invalid name "a b"`},
		{"a long message", policy("  action: Approve\n  conditions: [{name: a, expression: 'true', message: " + strings.Repeat("m", longestMessage+1) + "}]\n"), fmt.Sprintf("it has %d bytes; at most %d are permitted", longestMessage+1, longestMessage)},
		{"an alias of nothing", "a: &a [x]\nb: [*a, *missing]\n", "invalid YAML: unknown anchor referenced"},
	} {
		t.Run(test.about, func(t *testing.T) {
			policies, mistakes := Parse([]byte(test.text))
			if len(policies) > 0 || len(mistakes) == 0 || !strings.Contains(mistakes[0].String(), test.want) {
				t.Errorf("%d policies; %v", len(policies), mistakes)
			}
		})
	}
}

func TestParse_OtherObjectsAreLeftOutAndListsRead(t *testing.T) {
	item := "  " + strings.ReplaceAll(strings.TrimSuffix(developers, "\n"), "\n", "\n  ")
	text := "# a comment\n---\napiVersion: rbac.authorization.k8s.io/v1\nkind: ClusterRole\nmetadata: {name: use}\n---\n" +
		"apiVersion: v1\nkind: List\nitems:\n- " + strings.TrimPrefix(item, "  ") + "\n"
	policies, mistakes := Parse([]byte(text))
	if len(policies) != 1 || len(mistakes) > 0 {
		t.Errorf("%v, %v", policies, mistakes)
	}
}

func TestParse_TheHashIsOfWhatAPolicySays(t *testing.T) {
	first, _ := Parse([]byte(developers))
	same, _ := Parse([]byte(strings.Replace(developers, "action: Approve   ", "action: \"Approve\"", 1)))
	other, _ := Parse([]byte(strings.Replace(developers, "24h", "25h", 1)))
	if first[0].Hash != same[0].Hash || first[0].Hash == other[0].Hash {
		t.Error(first[0].Hash, same[0].Hash, other[0].Hash)
	}
}
