package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
)

func TestGiven_AnExpirationIsKeptOrRefused(t *testing.T) {
	s := newSession(t, shared)
	manifest := s.must("new-user", "mila", "--dir", "D", "--dry-run=client", "-o", "yaml", "--expiration", "1h").Stdout
	const said = "  expirationSeconds: 3600\n"
	if !strings.Contains(manifest, said) {
		t.Fatalf("the manifest is\n%s", manifest)
	}
	s.write("open.yaml", strings.Replace(manifest, said, "", 1))
	s.write("said.yaml", manifest)
	refused := s.run("approve", "-f", "said.yaml", "--expiration", "8h", "--yes")
	s.check(refused, expect{2, []string{"--expiration asks for 8h", "the manifest asks for 1h itself"}})
	if n := countRequestsOf(s, "mila-"); n != 0 {
		t.Errorf("%d requests were submitted", n)
	}
	if shown := s.must("approve", "-f", "open.yaml", "--dry-run=client").Stdout; !strings.Contains(shown, "not requested: the signer's maximum") {
		t.Errorf("a manifest that says nothing is shown as\n%s", shown)
	}
	if shown := s.must("approve", "-f", "said.yaml", "--expiration", "60m", "--dry-run=client").Stdout; !strings.Contains(shown, "60m") {
		t.Errorf("the review is\n%s", shown)
	}
	approved := s.must("approve", "-f", "open.yaml", "--expiration", "8h", "--yes")
	object := s.object(approved.Stdout)
	if object.Spec.ExpirationSeconds == nil || *object.Spec.ExpirationSeconds != 8*3600 || !strings.Contains(approved.Stderr, "  lifetime     8h\n") {
		t.Errorf("the request asks for %v\n%s", object.Spec.ExpirationSeconds, approved.Stderr)
	}

	// A request that stands on the cluster already cannot be changed.
	s.must("new-user", "milo", "--offline", "--dir", "M")
	s.shell("kubectl csr-onboard new-user milo --dir M --expiration 2h")
	s.check(s.run("approve", "-f", "M/milo.csr", "--expiration", "8h", "--yes"), expect{5, []string{"already exists and asks for 2h, not for the 8h of --expiration"}})
	s.check(s.run("new-user", "milo", "--dir", "M", "--expiration", "1h", "--approve"), expect{5, []string{"already exists and asks for 2h, not for the 1h of --expiration"}})
	s.must("approve", "-f", "M/milo.csr", "--expiration", "2h", "--yes")
}

func TestGiven_AKeyAlgorithmThatIsAskedForIsKeptOrRefused(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "kiki", "--dir", "D")
	before := s.read("D", "kiki.key")
	s.check(s.run("new-user", "kiki", "--dir", "D", "--key-algorithm", "rsa-2048"), expect{2, []string{"already exists and is", "not rsa-2048"}})
	s.must("new-user", "kiki", "--dir", "D", "--key-algorithm", "ecdsa-p256")
	s.write("team.yaml", teamHeader+"- name: kiki\n  keyAlgorithm: ed25519\n")
	s.check(s.run("new-user", "-f", "team.yaml", "--dir", "D"), expect{2, []string{"not onboarded: kiki (line 4): the private key", "not ed25519"}})
	if string(s.read("D", "kiki.key")) != string(before) {
		t.Error("the key was replaced")
	}
}

func TestGiven_ATeamOfflineNamesTheLifetimes(t *testing.T) {
	s := newSession(t, shared)
	s.write("team.csv", "name,expiration\nlia,8h\nleo,\n")
	said := s.must("new-user", "-f", "team.csv", "--offline", "--dir", "T").Stderr
	for _, want := range []string{"the requests of lia, and nothing else", "--expiration 8h\n", "the requests of leo, and nothing else"} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %q:\n%s", want, said)
		}
	}
}

func TestGiven_AFileIsNotTakenForAUser(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "fay", "--offline", "--dir", ".")
	s.write("team.yaml", teamHeader+"- name: fay\n")
	for _, test := range []struct {
		arguments string
		code      int
		hint      string
	}{
		{"approve ./fay.csr --yes", 2, "hint: for the file: kubectl csr-onboard approve -f ./fay.csr\n"},
		{"approve fay.csr --yes", 2, "hint: for the file: kubectl csr-onboard approve -f fay.csr\n"},
		{"approve " + s.path("fay.csr") + " --yes", 2, "approve -f " + s.path("fay.csr")},
		{"approve ./not-there.csr --yes", 2, "approve -f ./not-there.csr\n"},
		{"approve fay.key2 --yes", 4, "list the requests"},
		{"deny fay.csr --yes", 2, "hint: for the file: kubectl csr-onboard show -f fay.csr\n"},
		{"new-user team.yaml", 2, "hint: for the file: kubectl csr-onboard new-user -f team.yaml\n"},
		{"fetch fay.csr", 2, "hint: for the file: kubectl csr-onboard fetch NAME --from fay.csr\n"},
		{"offboard fay.csr", 2, "offboard NAME --certificate fay.csr\n"},
		{"grant ./fay.csr --clusterrole view", 2, "is a path to a file, not the NAME"},
		{"renew ./fay.csr", 2, "renew --kubeconfig ./fay.csr\n"},
	} {
		s.check(s.run(strings.Fields(test.arguments)...), expect{test.code, []string{test.hint}})
	}
	// A user may be called as a file is; only where nobody is, the file is named.
	s.write("fritz", "")
	s.check(s.run("approve", "fritz", "--yes"), expect{4, []string{"hint: there is a file \"fritz\"; for the file: kubectl csr-onboard approve -f fritz\n"}})
	s.must("new-user", "fritz", "--dir", "F")
	s.must("approve", "fritz", "--yes")
	// The command that the hint names works.
	s.must("approve", "-f", "./fay.csr", "--yes")
}

func TestGiven_AGroupIsGrantedARoleByItsName(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "gwen", "-g", "gwen-group", "--approve", "--dir", "D")
	granted := s.must("grant", "--group", "gwen-group", "--clusterrole", "view")
	if strings.Contains(granted.Stderr, "nothing on the cluster") {
		t.Errorf("it warns of a group:\n%s", granted.Stderr)
	}
	if !mayListPods(t, s.path("D", "gwen.kubeconfig"), "default") {
		t.Error("the group did not get the role")
	}
	if again := s.must("grant", "gwen", "--clusterrole", "view", "--to-group"); again.Stdout != strings.Replace(granted.Stdout, " created", " unchanged", 1) {
		t.Errorf("--to-group made %q, and --group %q", again.Stdout, granted.Stdout)
	}
	s.check(s.run("grant", "gwen", "--group", "gwen-group", "--clusterrole", "view"), expect{2, []string{"a NAME and --group exclude each other"}})
	s.check(s.run("grant", "--group", "gwen-group", "--to-group", "--clusterrole", "view"), expect{2, []string{"--group and --to-group exclude each other"}})
	s.check(s.run("grant", "--group", "system:masters", "--clusterrole", "view"), expect{6, []string{"system"}})
	s.check(s.run("grant", "nobody-yet", "--clusterrole", "view", "--to-group"), expect{4, []string{"kubectl csr-onboard grant --group GROUP"}})

	warned := s.must("grant", "nobody-yet", "--clusterrole", "view", "--dry-run=server")
	if !strings.Contains(warned.Stderr, `warning: nothing on the cluster names the user "nobody-yet"`) {
		t.Errorf("of a user whom nothing names it says\n%s", warned.Stderr)
	}
	if known := s.must("grant", "gwen", "--clusterrole", "edit", "--dry-run=server"); strings.Contains(known.Stderr, "nothing on the cluster") {
		t.Errorf("of a user with a request it says\n%s", known.Stderr)
	}
}

func TestGiven_OffboardingANameThatNothingNames(t *testing.T) {
	s := newSession(t, shared)
	for _, flags := range []string{"--yes", "--dry-run=client", "--dry-run=server"} {
		s.check(s.run("offboard", "niemand", flags), expect{4, []string{`nothing on the cluster names the user "niemand"`, "--block"}})
	}
	blocked := s.must("offboard", "niemand", "--block", "--yes")
	if !strings.Contains(blocked.Stderr, "nothing else: nothing on the cluster names the user") {
		t.Errorf("it says\n%s", blocked.Stderr)
	}
	// The record of the first run names the user.
	s.must("offboard", "niemand", "--yes")
	s.must("offboard", "niemand", "--unblock")
	s.check(s.run("offboard", "niemand", "--yes"), expect{4, nil})
	s.must("new-user", "jemand", "--dir", "D")
	s.must("deny", "jemand", "--yes")
	s.must("offboard", "jemand", "--yes")
	if state := request.StateOf(s.object(s.must("list", "-o", "name", "-l", request.UserLabel+"="+request.UserLabelValue("jemand")).Stdout)); state != request.Denied {
		t.Errorf("the request is %s", state)
	}
}

func TestGiven_SignGivesTheLifetimeOfExpiration(t *testing.T) {
	s := newSession(t, shared)
	authority := authorityOf(s)
	s.write("said.yaml", s.must("new-user", "silva", "--dir", "D", "--dry-run=client", "-o", "yaml", "--expiration", "1h").Stdout)
	for flags, want := range map[string]time.Duration{"": time.Hour, "--expiration 8h": 8 * time.Hour} {
		signed := s.must(append(strings.Fields("sign said.yaml --yes "+flags), authority...)...)
		certificate, err := pki.ParseCertificate([]byte(signed.Stdout))
		if err != nil {
			t.Fatal(err)
		}
		if left := time.Until(certificate.Leaf.NotAfter); left > want || left < want-10*time.Minute {
			t.Errorf("with %q it is valid for %s", flags, left)
		}
	}
}

func TestGiven_ARenewalInTheBackgroundAnswersNothing(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "renata", "--approve", "--exec")
	caches, err := filepath.Glob(s.path(".kube", "csr-onboard", "renata", "credential-*"))
	if err != nil || len(caches) != 1 {
		t.Fatalf("the caches are %q, %v", caches, err)
	}
	if answer := s.must("credential", "--cache", caches[0]).Stdout; !strings.Contains(answer, "ExecCredential") {
		t.Errorf("it answers %q", answer)
	}
	if renewed := s.must("credential", "--cache", caches[0], "--renew").Stdout; renewed != "" {
		t.Errorf("a renewal answers %q", renewed)
	}
}
