package e2e

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"sigs.k8s.io/yaml"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// formsOf are the commands that print data, with what comes before each.
var formsOf = []struct {
	about  string
	before [][]string
	words  []string
	kind   string
}{
	{"version", nil, []string{"version", "--client"}, "Version"},
	{"both versions", nil, []string{"version"}, "Version"},
	{"doctor", nil, []string{"doctor"}, "Examination"},
	{"no requests", nil, []string{"list"}, "RequestReviewList"},
	{"an object that is not sent", nil, []string{"new-user", "forms", "--dir", "D", "--dry-run=client"}, "CertificateSigningRequest"},
	{"an object that is not stored", nil, []string{"new-user", "forms", "--dir", "D", "--dry-run=server"}, "CertificateSigningRequest"},
	{"a request", nil, []string{"new-user", "forms", "--dir", "D"}, "CertificateSigningRequest"},
	{"requests", nil, []string{"list"}, "RequestReviewList"},
	{"a user's requests", nil, []string{"show", "forms"}, "RequestReviewList"},
	{"a file", nil, []string{"show", "-f", "D/forms.csr"}, "RequestReview"},
	{"a review", nil, []string{"approve", "forms", "--dry-run=client"}, "RequestReview"},
	{"an approval", nil, []string{"approve", "forms", "--yes"}, "CertificateSigningRequest"},
	{"a kubeconfig", nil, []string{"fetch", "forms", "--dir", "D", "--external-server", "https://example.com:6443", "--verify-login=false"}, "FetchedCertificate"},
	{"onboarding", nil, []string{"new-user", "forms-two", "--dir", "E", "--approve"}, "FetchedCertificate"},
	{"a team", nil, []string{"new-user", "-f", "team.yaml", "--dir", "T", "--approve"}, "TeamReport"},
	{"contexts", nil, []string{"status", "--kubeconfig", "E/forms-two.kubeconfig"}, "ContextStatusList"},
	{"a renewal", nil, []string{"renew", "--kubeconfig", "E/forms-two.kubeconfig", "--within", "1m"}, "RenewalReport"},
	{"renewals", nil, []string{"renew", "--all", "--kubeconfig", "E/forms-two.kubeconfig", "--within", "1m"}, "RenewalReportList"},
	{"a binding that is not sent", nil, []string{"grant", "forms", "--clusterrole", "view", "-n", "default", "--dry-run=client"}, "RoleBinding"},
	{"a binding", nil, []string{"grant", "forms", "--clusterrole", "view", "-n", "default"}, "RoleBinding"},
	{"a denial", [][]string{{"new-user", "forms-three", "--dir", "F"}}, []string{"deny", "forms-three", "--yes"}, "CertificateSigningRequest"},
	{"offboarding that is not done", nil, []string{"offboard", "forms", "--dry-run=client"}, "OffboardingReport"},
	{"offboarding", nil, []string{"offboard", "forms-two", "--yes"}, "OffboardingReport"},
}

func TestForms_EveryFormOfEveryCommandParses(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	s.write("team.yaml", teamHeader+"- name: forms-member\n")
	kindIn := map[string]func(t *testing.T, printed string) string{
		"json": func(t *testing.T, printed string) string {
			var form struct{ APIVersion, Kind string }
			if err := json.Unmarshal([]byte(printed), &form); err != nil || form.APIVersion == "" {
				t.Errorf("%v: apiVersion %q", err, form.APIVersion)
			}
			if strings.HasPrefix(form.APIVersion, "csr-onboard.github.io/") {
				validate(t, form.Kind, []byte(printed))
			}
			return form.Kind
		},
		"jsonpath={.kind}":         func(_ *testing.T, printed string) string { return printed },
		"go-template={{.kind}}":    func(_ *testing.T, printed string) string { return printed },
		"jsonpath-as-json={.kind}": func(_ *testing.T, printed string) string { return strings.Trim(printed, "[]\" \n") },
	}
	for _, form := range []string{"yaml", "kyaml"} {
		kindIn[form] = func(t *testing.T, printed string) string {
			var form struct{ Kind string }
			if err := yaml.Unmarshal([]byte(printed), &form); err != nil {
				t.Error(err)
			}
			return form.Kind
		}
	}
	for _, test := range formsOf {
		for _, before := range test.before {
			s.must(before...)
		}
		for format, kind := range kindIn {
			t.Run(test.about+", "+format, func(t *testing.T) {
				result := s.run(append(test.words, "--output", format)...)
				if result.Code != 0 {
					t.Fatalf("exit code %d: %s", result.Code, result.Stderr)
				}
				if got := kind(t, result.Stdout); got != test.kind {
					t.Errorf("its kind is %q, want %q:\n%s", got, test.kind, result.Stdout)
				}
			})
		}
		s.check(s.run(append(test.words, "-o", "nonsense")...), expect{2, []string{"nonsense"}})
		s.check(s.run(append(test.words, "-o", "jsonpath={.a[}")...), expect{2, []string{"jsonpath"}})
	}
}

// validate compares what was printed with the schema of its kind.
func validate(t *testing.T, kind string, printed []byte) {
	t.Helper()
	compiler := jsonschema.NewCompiler()
	schema, err := compiler.Compile(filepath.Join("..", "..", "docs", "schema", strings.ToLower(kind)+".json"))
	if err != nil {
		t.Fatal(err)
	}
	instance, err := jsonschema.UnmarshalJSON(bytes.NewReader(printed))
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(instance); err != nil {
		t.Errorf("%v:\n%s", err, printed)
	}
}

func TestForms_TheSchemaOfATeamKnowsTheFieldsOfTheGuide(t *testing.T) {
	guide, err := os.ReadFile(filepath.Join("..", "..", "docs", "guides", "teams.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(guide), "cat > team.yaml <<'END'\n")
	example, _, _ := strings.Cut(rest, "END\n")
	if !strings.HasPrefix(example, "# yaml-language-server: $schema=https://raw.githubusercontent.com/csr-onboard/kubectl-csr-onboard/main/docs/schema/team.json\n") {
		t.Errorf("the example begins otherwise:\n%s", example)
	}
	team, err := yaml.YAMLToJSON([]byte(example))
	if err != nil {
		t.Fatal(err)
	}
	validate(t, "Team", team)
	s := newSession(t, shared)
	s.write("team.yaml", example)
	s.must("new-user", "-f", "team.yaml", "--approve", "--dry-run=server", "--dir", "T")
}

func TestForms_ASignedCertificateHasAReport(t *testing.T) {
	ca := withoutCluster(t, shared)
	authorityOf(ca)
	ca.must("new-user", "forms-signed", "--offline", "--dir", ".")
	sign := []string{"sign", "forms-signed.csr", "--ca-cert", "ca.crt", "--ca-key", "ca.key", "--yes"}
	kind := ca.must(append(sign, "--out", "forms-signed.crt", "--output", "jsonpath={.kind} {.user.name} {.file}")...).Stdout
	if kind != "SignedCertificate forms-signed forms-signed.crt" {
		t.Errorf("the report is %q", kind)
	}
	ca.check(ca.run(append(sign, "-o", "json")...), expect{2, []string{"--output and --out - both want standard output", "--out FILE"}})
}
