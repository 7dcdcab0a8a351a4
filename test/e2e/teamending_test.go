package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// TestTeamEnding_TheNextCommandGoesOnWithTheSameRequests runs what is printed, word by word.
func TestTeamEnding_TheNextCommandGoesOnWithTheSameRequests(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t))
	s.write("team.csv", "name\nann\nben\n")
	made := s.must("new-user", "-f", "team.csv", "-g", "dev", "-g", "a b", "--expiration", "2h", "--key-algorithm", "ed25519", "--dir", "T", "--server", s.server())
	_, next, found := strings.Cut(made.Stderr, "fetch the kubeconfigs after they are signed:")
	if !found {
		t.Fatalf("no next step:\n%s", made.Stderr)
	}
	before := requestNames(s)
	s.must("approve", "--all", "--yes")
	s.shell(strings.TrimSpace(next))
	if after := requestNames(s); len(after) != len(before) {
		t.Errorf("the next command made other requests: %q, and before %q", after, before)
	}
	for _, name := range []string{"ann", "ben"} {
		if groups := s.certificate("T/" + name + ".kubeconfig").User().Groups; strings.Join(groups, ",") != "a b,dev" {
			t.Errorf("%s is in %q", name, groups)
		}
	}
}

func TestTeamEnding_ADryRunOfATeamPrintsWhatTheServerWouldTake(t *testing.T) {
	s := newSession(t, shared)
	writeTeam(s, "dry", 3)
	checked := s.must("new-user", "-f", "team.yaml", "--dry-run=server", "--dir", "T")
	if lines := strings.Count(checked.Stdout, "(server dry run)"); lines != 3 || !strings.Contains(checked.Stderr, "3 users: 3 checked by the API server") {
		t.Errorf("%s%s", checked.Stdout, checked.Stderr)
	}
	for _, user := range []string{nobody, getter} {
		refused := s.as(user).run("new-user", "-f", "team.yaml", "--dry-run=server", "--dir", "U")
		s.check(refused, expect{1, []string{"forbidden: you cannot create certificate signing requests", "--offline"}})
		if refused.Stdout != "" {
			t.Errorf("as %s: %s", user, refused.Stdout)
		}
	}
	if _, exists := s.readIfThere("U"); exists {
		t.Error("keys were made for who may not submit")
	}
}

// TestTeamEnding_WhoIsLeftIsNamed ends a wait in which one is denied, one has their certificate, and of
// two nothing is heard.
func TestTeamEnding_WhoIsLeftIsNamed(t *testing.T) {
	s := newSession(t, shared)
	s.write("team.csv", "name\nleft-denied\nleft-done\nleft-one\nleft-two\n")
	s.must("new-user", "-f", "team.csv", "--dir", "T")
	s.must("deny", "left-denied", "--yes", "--message", "no")
	s.must("approve", "left-done", "--yes")
	result := s.run("new-user", "-f", "team.csv", "--dir", "T", "--wait", "--timeout", "4s")
	s.check(result, expect{3, []string{
		"not onboarded: left-denied (line 2): ", "not onboarded: left-one (line 4), left-two (line 5): no certificate has come for 4s",
		"waiting for 2 certificates: an administrator approves the requests", "csr-onboard list",
	}})
}

func TestTeamEnding_ADirectoryOfRequestsIsHandedOffToANewDirectory(t *testing.T) {
	s := newSession(t, shared)
	s.write("team.csv", "name\ndirectory-ida\ndirectory-jim\n")
	made := s.must("new-user", "-f", "team.csv", "--offline", "--dir", "keys")
	if want := "kubectl csr-onboard fetch NAME --dir keys --from FILE"; !strings.Contains(made.Stderr, want) {
		t.Errorf("it does not say %q:\n%s", want, made.Stderr)
	}
	if err := os.Mkdir(s.path("requests"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"directory-ida", "directory-jim"} {
		s.write("requests/"+name+".csr", string(s.read("keys", name+".csr")))
	}
	s.write("requests/again.csr", string(s.read("keys", "directory-ida.csr")))

	// Where nothing can be written, nothing is approved.
	s.write("file", "")
	s.check(s.run("approve", "-f", "requests/directory-ida.csr", "--yes", "--out", "file/below/"), expect{1, []string{"could not be written", "name another place: --out FILE, or --out DIR/"}})
	s.check(s.run("approve", "-f", "requests", "--yes", "--out", "/proc/nowhere/"), expect{1, []string{"2 requests were not approved"}})
	for _, name := range requestNames(s) {
		if strings.HasPrefix(name, "directory-ida") {
			if object := s.object("certificatesigningrequest/" + name); len(object.Status.Conditions) > 0 {
				t.Errorf("%s was approved", name)
			}
		}
	}

	handed := s.must("approve", "-f", "requests", "--yes", "--out", "handoffs")
	if !strings.Contains(handed.Stderr, "holds the same request as requests/again.csr") {
		t.Errorf("it does not say that one request appears twice:\n%s", handed.Stderr)
	}
	files, err := filepath.Glob(s.path("handoffs", "*"))
	if err != nil || len(files) != 2 {
		t.Errorf("there are %q, %v", files, err)
	}
}
