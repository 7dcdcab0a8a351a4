package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// withLease has the controller manager hold a lease, as every real one does.
const withLease = "--leader-elect=true"

func TestDoctor_DoctorTellsApart(t *testing.T) {
	t.Parallel()
	otherAuthority := withoutCluster(t, shared)
	authorityOf(otherAuthority)
	for _, test := range []struct {
		about   string
		options []controlplane.Option
		// what a failing check says; "" if nothing fails.
		check, says string
	}{
		{"a cluster where everything is fine", []controlplane.Option{controlplane.WithControllerManagerFlags(withLease)}, "", ""},
		{"no controller manager", []controlplane.Option{controlplane.WithoutControllerManager()},
			"signer", "no controller manager is running, as its lease says"},
		{"a controller manager without an authority's key", []controlplane.Option{controlplane.WithControllerManagerFlags(withLease, "--cluster-signing-cert-file=", "--cluster-signing-key-file=")},
			"signer", "the controller manager runs, so it has no CA key to sign with"},
		{"a controller manager without service accounts of its controllers", []controlplane.Option{controlplane.WithControllerManagerFlags(withLease, "--use-service-account-credentials=false")},
			"signer", "the controller manager runs without --use-service-account-credentials"},
		{"an authority that the API server does not know", []controlplane.Option{controlplane.WithControllerManagerFlags(withLease,
			"--cluster-signing-cert-file="+otherAuthority.path("ca.crt"), "--cluster-signing-key-file="+otherAuthority.path("ca.key"))},
			"client-authority", "the API server does not accept what the signer signs"},
	} {
		t.Run(test.about, func(t *testing.T) {
			t.Parallel()
			s := newSession(t, controlplane.Start(t, test.options...))
			before := s.run("doctor")
			if before.Code != 0 || !strings.Contains(before.Stdout, "unknown  signer: ") || !strings.Contains(before.Stdout, "unknown  client-authority: ") {
				t.Errorf("nothing tells whether requests are signed, and without a probe it says, with exit code %d:\n%s", before.Code, before.Stdout)
			}
			result := s.run("doctor", "--probe", "--timeout", "5s", "-o", "json")
			verdicts, sentences := verdictsOf(t, result.Stdout)
			if test.check == "" {
				s.check(result, expect{0, nil})
				for _, name := range []string{"certificates-api", "may-create", "may-read", "may-approve", "may-bind", "managed-cloud", "clock", "signer", "client-authority", "lifetimes"} {
					if verdicts[name] != "pass" {
						t.Errorf("%s is %q: %s", name, verdicts[name], sentences[name])
					}
				}
			} else {
				s.check(result, expect{1, []string{"checks failed: " + test.check}})
				if verdicts[test.check] != "fail" || !strings.Contains(sentences[test.check], test.says) {
					t.Errorf("%s is %q: %s", test.check, verdicts[test.check], sentences[test.check])
				}
			}
			if left := s.must("list", "-o", "name").Stdout; left != "" {
				t.Errorf("the probe is left: %s", left)
			}
		})
	}
}

func TestDoctor_DoctorSaysWhatSomebodyMayNot(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "dorle", "--approve", "--dir", "D")
	result := s.as(requester).run("doctor", "-o", "json")
	s.check(result, expect{1, []string{"checks failed: may-approve"}})
	verdicts, sentences := verdictsOf(t, result.Stdout)
	for name, want := range map[string]string{
		"may-create": "pass", "may-read": "pass", "may-approve": "fail", "may-bind": "warn",
		// They may not read whose certificates the API server takes.
		"client-authority": "unknown", "signer": "pass", "server-address": "warn",
	} {
		if verdicts[name] != want {
			t.Errorf("%s is %q, want %q: %s", name, verdicts[name], want, sentences[name])
		}
	}
	nothing, _ := verdictsOf(t, s.as(nobody).run("doctor", "-o", "json").Stdout)
	for _, name := range []string{"signer", "client-authority", "lifetimes", "clock"} {
		if nothing[name] != "unknown" {
			t.Errorf("nobody is told that %s is %q", name, nothing[name])
		}
	}
}

// verdictsOf reads what doctor found.
func verdictsOf(t *testing.T, text string) (verdicts, sentences map[string]string) {
	t.Helper()
	var found struct {
		APIVersion, Kind string
		Checks           []struct{ Name, Verdict, Sentence string }
	}
	if err := json.Unmarshal([]byte(text), &found); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if found.APIVersion != "csr-onboard.github.io/v1alpha1" || found.Kind != "Examination" {
		t.Errorf("it is a %s of %s", found.Kind, found.APIVersion)
	}
	verdicts, sentences = map[string]string{}, map[string]string{}
	for _, check := range found.Checks {
		verdicts[check.Name], sentences[check.Name] = check.Verdict, check.Sentence
	}
	return verdicts, sentences
}
