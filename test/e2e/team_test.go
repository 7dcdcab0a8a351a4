package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program/terminal"
)

const teamHeader = "apiVersion: csr-onboard.github.io/v1alpha1\nkind: Team\nusers:\n"

// teamReport is what -o json says of a team.
type teamReport struct {
	Kind  string
	Users []struct {
		Name, State, Request, Kubeconfig, Error, Hint string
		Groups                                        []string
		Line                                          int
		LoggedIn                                      bool
		NotAfter                                      time.Time
	}
}

func reportOf(t *testing.T, result program.Result) teamReport {
	t.Helper()
	var report teamReport
	if err := json.Unmarshal([]byte(result.Stdout), &report); err != nil || report.Kind != "TeamReport" {
		t.Fatalf("no report: %v\n%s%s", err, result.Stdout, result.Stderr)
	}
	return report
}

func (r teamReport) states() (states []string) {
	for _, user := range r.Users {
		states = append(states, user.Name+" "+user.State)
	}
	return states
}

// requestNames lists the requests on a plane.
func requestNames(s *session) (names []string) {
	s.t.Helper()
	list, err := s.client().CertificatesV1().CertificateSigningRequests().List(s.t.Context(), metav1.ListOptions{})
	if err != nil {
		s.t.Fatal(err)
	}
	for _, object := range list.Items {
		names = append(names, object.Name)
	}
	return names
}

// writeTeam writes team.yaml, with so many users, all in the group dev.
func writeTeam(s *session, prefix string, users int) (names []string) {
	s.t.Helper()
	var text strings.Builder
	text.WriteString(teamHeader)
	for i := range users {
		name := fmt.Sprintf("%s-%d", prefix, i)
		names = append(names, name)
		fmt.Fprintf(&text, "- {name: %s, groups: [dev]}\n", name)
	}
	s.write("team.yaml", text.String())
	return names
}

func TestTeam_ATeamIsOnboardedInOneRun(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t)
	s := newSession(t, plane)
	s.write("team.yaml", teamHeader+`- name: jane
  groups: [dev, ops]
  clusterRoles: [view]
  namespace: default
  expiration: 10m
  keyAlgorithm: ed25519
- name: Zoë Å
- name: bob
  groups: []
  clusterRoles: []
`)
	run := func() teamReport {
		t.Helper()
		return reportOf(t, s.must("new-user", "-f", "team.yaml", "-g", "others", "--clusterrole", "edit", "-n", "kube-public", "--approve", "--dir", "T", "-o", "json"))
	}
	report := run()
	if want := []string{"jane fetched", "Zoë Å fetched", "bob fetched"}; !slices.Equal(report.states(), want) {
		t.Errorf("%q, want %q", report.states(), want)
	}
	for i, want := range []struct {
		groups, may, mayNot string
	}{
		{"dev ops", "default", "kube-public"}, {"others", "kube-public", "default"}, {"", "", "default"},
	} {
		user := report.Users[i]
		if strings.Join(user.Groups, " ") != want.groups {
			t.Errorf("%s is in %q", user.Name, user.Groups)
		}
		if who := whoIs(t, s.path(user.Kubeconfig)); who != user.Name {
			t.Errorf("the kubeconfig of %s logs in as %q", user.Name, who)
		}
		for namespace, allowed := range map[string]string{want.may: "yes", want.mayNot: "no"} {
			if namespace == "" {
				continue
			}
			answer := s.kubectl("auth", "can-i", "get", "pods", "-n", namespace, "--kubeconfig", user.Kubeconfig)
			if strings.TrimSpace(answer.Stdout) != allowed {
				t.Errorf("may %s get pods in %s? %s%s", user.Name, namespace, answer.Stdout, answer.Stderr)
			}
		}
	}
	if left := time.Until(report.Users[0].NotAfter); left > 11*time.Minute {
		t.Errorf("jane asked for ten minutes and has %s", left)
	}

	before := requestNames(s)
	again := run()
	if want := []string{"jane unchanged", "Zoë Å unchanged", "bob unchanged"}; !slices.Equal(again.states(), want) {
		t.Errorf("a second run: %q, want %q", again.states(), want)
	}
	if after := requestNames(s); !slices.Equal(before, after) {
		t.Errorf("a second run made requests: %q, and before %q", after, before)
	}
}

func TestTeam_OneUsersTroubleIsOnlyTheirs(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t)
	s := newSession(t, plane)
	writeTeam(s, "member", 20)
	if err := os.Mkdir(s.path("T"), 0o700); err != nil {
		t.Fatal(err)
	}
	s.write("T/member-7.key", "no key at all")
	result := s.run("new-user", "-f", "team.yaml", "--approve", "--dir", "T", "-o", "json")
	s.check(result, expect{1, []string{"not onboarded: member-7 (line 11): the private key", "20 users: 19 onboarded, 1 not onboarded"}})
	for i, user := range reportOf(t, result).Users {
		if i == 7 {
			if user.State != "failed" || user.Error == "" || user.Hint == "" || user.Kubeconfig != "" {
				t.Errorf("%+v", user)
			}
			continue
		}
		if user.State != "fetched" {
			t.Errorf("%+v", user)
		}
	}
	if err := os.Remove(s.path("T", "member-7.key")); err != nil {
		t.Fatal(err)
	}
	mended := s.must("new-user", "-f", "team.yaml", "--approve", "--dir", "T")
	if lines := strings.Count(mended.Stdout, ".kubeconfig\n"); lines != 20 || !strings.Contains(mended.Stderr, "20 users: 1 onboarded, 19 had a kubeconfig already") {
		t.Errorf("%s%s", mended.Stdout, mended.Stderr)
	}
}

func TestTeam_NothingIsDoneWithAMistakeInTheFile(t *testing.T) {
	s := newSession(t, shared)
	s.write("team.yaml", teamHeader+"- name: nobody-1\n  grups: [dev]\n- name: nobody-2\n- name: nobody-2\n")
	result := s.run("new-user", "-f", "team.yaml", "--approve", "--dir", "T")
	s.check(result, expect{2, []string{
		`team.yaml:5: a user has no field "grups"`, `team.yaml:7: the user "nobody-2" is named in line 6 already`,
		`error: the file "team.yaml" cannot be used: 2 mistakes`, "hint: nothing was done",
	}})
	if _, err := os.Stat(s.path("T")); !os.IsNotExist(err) {
		t.Error("a directory was made")
	}
	for role, want := range map[string]expect{
		"no-such-role": {1, []string{`not onboarded: nobody-3 (line 4): ClusterRole "no-such-role" not found`}},
	} {
		s.write("team.yaml", teamHeader+"- name: nobody-3\n  clusterRoles: ["+role+"]\n")
		s.check(s.run("new-user", "-f", "team.yaml", "--approve", "--dir", "T"), want)
		if _, err := os.Stat(s.path("T")); !os.IsNotExist(err) {
			t.Error("a directory was made")
		}
	}
}

func TestTeam_ATeamsRequestsAreApprovedBySomebodyElse(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t)
	s := newSession(t, plane)
	s.write("team.csv", "name,groups\nmia,dev;ops\nnoa,\n")
	printed := s.must("new-user", "-f", "team.csv", "--dir", "T")
	if lines := strings.Count(printed.Stdout, " created\n"); lines != 2 {
		t.Errorf("%s", printed.Stdout)
	}
	again := s.must("new-user", "-f", "team.csv", "--dir", "T")
	if lines := strings.Count(again.Stdout, " unchanged\n"); lines != 2 {
		t.Errorf("%s", again.Stdout)
	}
	waiting := start(s, "new-user", "-f", "team.csv", "--dir", "T", "--wait")
	s.must("approve", "--all", "--yes")
	if result := waiting.end(); result.Code != 0 || result.Stdout != "T/mia.kubeconfig\nT/noa.kubeconfig\n" {
		t.Errorf("exit code %d\n%s%s", result.Code, result.Stdout, result.Stderr)
	}
	s.write("late.csv", "name\nlate\n")
	s.check(s.run("new-user", "-f", "late.csv", "--dir", "T", "--wait", "--timeout", "1s"),
		expect{124, []string{"no certificate has come for 1s", "run the same command again"}})
	s.must("deny", "late", "--yes", "--message", "not on my watch")
	s.check(s.run("new-user", "-f", "late.csv", "--dir", "T", "--wait"), expect{3, []string{"not on my watch"}})
}

func TestTeam_ATeamIsHandedOffByFiles(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t)
	s := newSession(t, plane)
	names := writeTeam(s, "remote", 12)
	offline := *s
	offline.env.Kubeconfig = s.path("nowhere")
	made := offline.must("new-user", "-f", "team.yaml", "--offline", "--dir", "T")
	if lines := strings.Count(made.Stdout, ".csr\n"); lines != len(names) {
		t.Errorf("%s", made.Stdout)
	}
	s.must("approve", "-f", "T", "--yes", "--out", "handoffs/")
	for _, name := range names {
		offline.must(append([]string{"fetch", name, "--from", filepath.Join("handoffs", name+".handoff.yaml"), "--dir", "T"}, confirmed(t, plane)...)...)
		if who := whoIs(t, s.path("T", name+".kubeconfig")); who != name {
			t.Errorf("%s logs in as %q", name, who)
		}
	}
}

func TestTeam_ATeamFromStandardInput(t *testing.T) {
	s := newSession(t, shared)
	command := s.command("new-user", "-f", "-", "--dry-run=client", "-o", "name", "--dir", "T")
	command.Stdin = strings.NewReader(`{"apiVersion": "csr-onboard.github.io/v1alpha1", "kind": "Team", "users": [{"name": "ina"}, {"name": "ole"}]}`)
	result := program.Run(t, command)
	lines := strings.Split(strings.TrimSpace(result.Stdout), "\n")
	if result.Code != 0 || len(lines) != 2 || !strings.Contains(lines[0], "/ina-") || !strings.Contains(lines[1], "/ole-") {
		t.Errorf("exit code %d\n%s%s", result.Code, result.Stdout, result.Stderr)
	}
}

func TestTeam_WhoMayNotApproveIsToldBeforeAnythingIsMade(t *testing.T) {
	s := newSession(t, shared).as(requester)
	writeTeam(s, "premature", 3)
	s.check(s.run("new-user", "-f", "team.yaml", "--approve", "--dir", "T"), expect{1, []string{"you cannot approve"}})
	if _, err := os.Stat(s.path("T")); !os.IsNotExist(err) {
		t.Error("a directory was made")
	}
}

// listing has a directory's files, a line each.
func (s *session) listing(directory string) string {
	entries, err := os.ReadDir(s.path(directory))
	if err != nil {
		return ""
	}
	var names strings.Builder
	for _, entry := range entries {
		names.WriteString(entry.Name() + "\n")
	}
	return names.String()
}

func TestTeam_ABarShowsHowFarATeamIsAtATerminal(t *testing.T) {
	t.Parallel()
	// Slow enough to be seen.
	s := newSession(t, controlplane.Start(t, controlplane.WithControllerManagerRate(8, 8)))
	var text strings.Builder
	text.WriteString(teamHeader)
	for i := range 24 {
		fmt.Fprintf(&text, "- {name: user-%d}\n", i)
	}
	s.write("team.yaml", text.String())
	screen, code := terminal.Run(t, s.env, nil, "new-user", "-f", "team.yaml", "--approve", "--dir", "D")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, screen)
	}
	bar := regexp.MustCompile(`onboarding +\d+% \|.*\| \(\d+/24, [0-9.]+ users/s\) \[\d+s:\d+s\]`)
	if !bar.MatchString(screen) {
		t.Errorf("there is no bar with rate and remaining time:\n%q", screen)
	}
	last := screen[strings.LastIndex(screen, "onboarding"):]
	if !strings.Contains(last, "24 users: 24 onboarded") {
		t.Errorf("the summary does not come last:\n%q", last)
	}
	plain := s.must("new-user", "-f", "team.yaml", "--approve", "--dir", "E")
	if strings.Contains(plain.Stderr, "\x1b") || strings.Contains(plain.Stderr, "%") {
		t.Errorf("without a terminal there is a bar:\n%q", plain.Stderr)
	}
}

func TestTeam_AServerThatWasNeverThereIsNotWaitedFor(t *testing.T) {
	s := newSession(t, shared)
	s.write("team.csv", "name\njane\nbob\n")
	for _, flags := range [][]string{{"--approve"}, {"--wait"}, {}} {
		result := s.run(append([]string{"new-user", "-f", "team.csv", "--dir", "D", "--server", "https://127.0.0.1:1"}, flags...)...)
		s.check(result, expect{1, []string{"the API server https://127.0.0.1:1 cannot be reached", "hint: nothing listens there: check the address and the port"}})
		if strings.Contains(result.Stderr, "trying again") {
			t.Errorf("%q: it is tried again:\n%s", flags, result.Stderr)
		}
	}
}
