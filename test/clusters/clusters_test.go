package clusters

import (
	"encoding/json"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program/terminal"
)

// all names all contexts.
const all = "--contexts=dev,prod-*"

// checkLogins checks that a kubeconfig has the contexts of a user on these clusters and no other, and
// that each logs in.
func (s *session) checkLogins(t *testing.T, path, user string, on ...string) {
	t.Helper()
	config, err := clientcmd.LoadFromFile(filepath.Join(s.env.Directory, path))
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, name := range on {
		want = append(want, user+"@"+name)
		if got := s.logsInAs(t, path, user+"@"+name); got != user {
			t.Errorf("on %s, %s logs in as %q", name, user, got)
		}
	}
	if got := slices.Sorted(maps.Keys(config.Contexts)); !slices.Equal(got, want) {
		t.Errorf("contexts %q, want %q", got, want)
	}
}

// keys are the private keys below a directory of the session, by their paths.
func (s *session) keys(t *testing.T, directory string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{filepath.Join("clusters", "*", "*.key"), "*.key"} {
		paths, err := filepath.Glob(filepath.Join(s.env.Directory, directory, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			found[path] = string(text)
		}
	}
	return found
}

// requestsOf counts the requests of a user on each cluster.
func (s *session) requestsOf(t *testing.T, user string) map[string]int {
	t.Helper()
	var list struct {
		Items []struct {
			Cluster string
			User    struct{ Name string }
		}
	}
	if err := json.Unmarshal([]byte(s.runs(t, 0, "list", all, "-o", "json").Stdout), &list); err != nil {
		t.Fatal(err)
	}
	count := map[string]int{}
	for _, item := range list.Items {
		if item.User.Name == user {
			count[item.Cluster]++
		}
	}
	return count
}

func TestClusters_OneCommandOnboardsAUserOnAllClusters(t *testing.T) {
	s := newSession(t)
	result := s.runs(t, 0, "new-user", "jane", "--group", "dev", "--approve", "--clusterrole", "view", all, "--dir", "jane")
	if result.Stdout != filepath.Join("jane", "jane.kubeconfig")+"\n" {
		t.Errorf("got %q", result.Stdout)
	}
	s.checkLogins(t, "jane/jane.kubeconfig", "jane", names...)
	keys := s.keys(t, "jane")
	if len(keys) != 3 || len(slices.Compact(slices.Sorted(maps.Values(keys)))) != 3 {
		t.Errorf("%d keys", len(keys))
	}
	s.runs(t, 0, "new-user", "jane", "--group", "dev", "--approve", "--clusterrole", "view", all, "--dir", "jane", "--merge")
	if got := s.logsInAs(t, "config", "jane@prod-us"); got != "jane" {
		t.Errorf("the merged context logs in as %q", got)
	}
	if !maps.Equal(keys, s.keys(t, "jane")) {
		t.Error("the second run changed a key")
	}
	if got := s.requestsOf(t, "jane"); !maps.Equal(got, map[string]int{"dev": 1, "prod-eu": 1, "prod-us": 1}) {
		t.Errorf("requests: %v", got)
	}
	s.runs(t, 0, "doctor", all)
}

func TestClusters_ACredentialCacheOfEachClusterLogsIn(t *testing.T) {
	s := newSession(t)
	for range 2 {
		s.runs(t, 0, "new-user", "exec", "--approve", "--exec", "--one-key", all, "--dir", "exec")
		s.checkLogins(t, "exec/exec.kubeconfig", "exec", names...)
	}
	s.runs(t, 0, "fetch", "exec", "--exec", all, "--dir", "exec", "--merge")
	if got := s.logsInAs(t, "config", "exec@prod-eu"); got != "exec" {
		t.Errorf("the merged context logs in as %q", got)
	}
}

func TestClusters_AClusterThatIsDownIsNamedAndCompletedLater(t *testing.T) {
	s := newSession(t)
	down := planes["prod-eu"]
	if err := down.StopComponent(controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	onboard := []string{"new-user", "down", "--approve", all, "--dir", "down"}
	result := s.runs(t, 1, onboard...)
	startErr := down.StartComponent(t.Context(), controlplane.APIServer)
	if startErr != nil {
		t.Fatal(startErr)
	}
	if !strings.Contains(result.Stderr, `error: 1 of 3 clusters is not done: "prod-eu": `) {
		t.Errorf("the cluster is not named:\n%s", result.Stderr)
	}
	s.checkLogins(t, "down/down.kubeconfig", "down", "dev", "prod-us")
	keys := s.keys(t, "down")
	s.runs(t, 0, onboard...)
	s.checkLogins(t, "down/down.kubeconfig", "down", names...)
	for path, key := range s.keys(t, "down") {
		if before, existed := keys[path]; existed && before != key {
			t.Errorf("%s was replaced", path)
		}
	}
}

func TestClusters_ApproveAndFetchAndOffboardAcrossClusters(t *testing.T) {
	s := newSession(t)
	s.runs(t, 0, "new-user", "across", "--one-key", all, "--dir", "across")
	if out := s.runs(t, 0, "list", "--pending", all).Stdout; strings.Count(out, "across-") != 3 || !strings.HasPrefix(out, "CLUSTER ") {
		t.Errorf("got\n%s", out)
	}
	screen, code := terminal.Run(t, s.env, []terminal.Turn{{When: "Approve the request of across on dev, prod-eu, prod-us?", Typed: "y\r"}}, "approve", "across", all)
	if code != 0 || strings.Count(screen, "  fingerprint   ") != 1 || strings.Count(screen, " approved\r\n") != 3 {
		t.Errorf("exit code %d:\n%s", code, screen)
	}
	s.runs(t, 0, "fetch", "across", all, "--dir", "across")
	s.checkLogins(t, "across/across.kubeconfig", "across", names...)
	s.runs(t, 0, "grant", "across", "--clusterrole", "view", "--context", "prod-us")
	screen, code = terminal.Run(t, s.env, []terminal.Turn{{When: "Remove this from across on dev, prod-eu, prod-us?", Typed: "y\r"}}, "offboard", "across", "--block", all)
	if code != 0 || !strings.Contains(screen, "[prod-us] deleted ") || strings.Count(screen, "] what across still has:") != 3 || strings.Count(screen, "] blocked the user ") != 3 {
		t.Errorf("exit code %d:\n%s", code, screen)
	}
	result := s.runs(t, 1, "revoke", "across", all)
	for _, name := range names {
		if !strings.Contains(result.Stderr, "not done on "+name+": ") {
			t.Errorf("%s is not named:\n%s", name, result.Stderr)
		}
	}
	if out := s.runs(t, 0, "offboard", "across", "--unblock", all).Stdout; strings.Count(out, "] across unblocked\n") != 3 {
		t.Errorf("got\n%s", out)
	}
}

// handOff has an administrator approve a user's request on all clusters and write one file, and returns
// the command that the user is to run.
func (s *session) handOff(t *testing.T, code int, user string) []string {
	t.Helper()
	result := s.runs(t, code, "approve", "--filename", filepath.Join(user, user+".csr"), all, "--yes", "--out", user+".handoff.yaml")
	shown := regexp.MustCompile(`kubectl csr-onboard (fetch ` + user + ` --from .*)`).FindStringSubmatch(result.Stderr)
	if shown == nil {
		t.Fatalf("no command is shown:\n%s", result.Stderr)
	}
	return append(strings.Fields(shown[1]), "--dir", user)
}

func TestClusters_OneHandoffFileIsForAllClusters(t *testing.T) {
	s := newSession(t)
	// The user has no access to any of the clusters, not even a kubeconfig.
	user := &session{s.env}
	user.env.Kubeconfig = filepath.Join(s.env.Directory, "none")
	user.runs(t, 0, "new-user", "sent", "--offline", "--dir", "sent")
	fetch := s.handOff(t, 0, "sent")
	if got := s.requestsOf(t, "sent"); !maps.Equal(got, map[string]int{"dev": 1, "prod-eu": 1, "prod-us": 1}) {
		t.Errorf("requests: %v", got)
	}
	key := s.keys(t, "sent")
	for range 2 {
		user.runs(t, 0, fetch...)
		s.checkLogins(t, "sent/sent.kubeconfig", "sent", names...)
	}
	user.runs(t, 0, append(slices.Clone(fetch), "--merge")...)
	s.checkLogins(t, "none", "sent", names...)
	for range 2 {
		user.runs(t, 0, append(slices.Clone(fetch), "--exec")...)
		s.checkLogins(t, "sent/sent.kubeconfig", "sent", names...)
	}
	if now := s.keys(t, "sent"); len(key) != 1 || !maps.Equal(key, now) {
		t.Errorf("%d keys, then %d", len(key), len(now))
	}

	// Somebody exchanges the CA of one cluster by that of another.
	text, err := os.ReadFile(filepath.Join(s.env.Directory, "sent.handoff.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	config, err := clientcmd.Load(text)
	if err != nil {
		t.Fatal(err)
	}
	config.Clusters["prod-us"].CertificateAuthorityData = config.Clusters["dev"].CertificateAuthorityData
	if err := clientcmd.WriteToFile(*config, filepath.Join(s.env.Directory, "sent.handoff.yaml")); err != nil {
		t.Fatal(err)
	}
	if result := user.runs(t, 5, fetch...); !strings.Contains(result.Stderr, `cluster "prod-us": `) {
		t.Errorf("the cluster is not named:\n%s", result.Stderr)
	}
}

func TestClusters_AHandoffFileIsCompletedWhenAClusterIsBack(t *testing.T) {
	s := newSession(t)
	s.runs(t, 0, "new-user", "later", "--offline", "--dir", "later")
	down := planes["prod-eu"]
	if err := down.StopComponent(controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	fetch := s.handOff(t, 1, "later")
	s.runs(t, 0, fetch...)
	if err := down.StartComponent(t.Context(), controlplane.APIServer); err != nil {
		t.Fatal(err)
	}
	s.checkLogins(t, "later/later.kubeconfig", "later", "dev", "prod-us")
	s.runs(t, 0, s.handOff(t, 0, "later")...)
	s.checkLogins(t, "later/later.kubeconfig", "later", names...)
	if got := s.requestsOf(t, "later"); !maps.Equal(got, map[string]int{"dev": 1, "prod-eu": 1, "prod-us": 1}) {
		t.Errorf("requests: %v", got)
	}
}

func TestClusters_ATeamIsOnboardedOnAllClusters(t *testing.T) {
	s := newSession(t)
	if err := os.WriteFile(filepath.Join(s.env.Directory, "team.csv"), []byte("name,groups\nteam-jane,dev\nteam-joe,dev\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		out := s.runs(t, 0, "new-user", "--filename", "team.csv", "--approve", "--exec", all, "--dir", "team").Stdout
		if out != "team/team-jane.kubeconfig\nteam/team-joe.kubeconfig\n" {
			t.Errorf("got %q", out)
		}
	}
	for _, user := range []string{"team-jane", "team-joe"} {
		s.checkLogins(t, filepath.Join("team", user+".kubeconfig"), user, names...)
	}
}

// killings is how often the program is killed at a random moment.
func killings() int { return program.Times(100, 15) }

func TestClusters_KilledAtRandomMoments(t *testing.T) {
	s := newSession(t)
	begin := time.Now()
	s.runs(t, 0, "new-user", "probe", "--approve", all, "--dir", "probe", "--merge")
	whole := time.Since(begin)
	before, err := clientcmd.LoadFromFile(s.env.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	killed := 0
	var users []string
	for killed < killings() {
		user := "killed-" + strconv.Itoa(len(users))
		users = append(users, user)
		onboard := []string{"new-user", user, "--approve", all, "--dir", user}
		keys := map[string]string{}
		for i := range 5 {
			arguments := onboard
			if i%2 == 1 {
				arguments = append(slices.Clone(onboard), "--merge")
			}
			if s.env.KillAfter(t, time.Duration(rand.Int64N(int64(whole))), arguments...) { //nolint:gosec // Nothing secret.
				killed++
			}
			now := s.keys(t, user)
			for path, key := range keys {
				if now[path] != key {
					t.Fatalf("%s was replaced or is gone", path)
				}
			}
			keys = now
		}
		s.runs(t, 0, onboard...)
		s.runs(t, 0, append(onboard, "--merge")...)
		s.checkLogins(t, filepath.Join(user, user+".kubeconfig"), user, names...)
		now := s.keys(t, user)
		for path, key := range keys {
			if now[path] != key {
				t.Errorf("%s was replaced or is gone", path)
			}
		}
		if got := s.requestsOf(t, user); !maps.Equal(got, map[string]int{"dev": 1, "prod-eu": 1, "prod-us": 1}) {
			t.Errorf("%s has the requests %v", user, got)
		}
	}
	t.Logf("%d runs of %d users were killed", killed, len(users))
	after, err := clientcmd.LoadFromFile(s.env.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(before.Contexts) + len(names)*len(users); len(after.Contexts) != want {
		t.Errorf("%d contexts, want %d", len(after.Contexts), want)
	}
	for name := range before.Contexts {
		if after.Contexts[name] == nil {
			t.Errorf("the context %q is gone", name)
		}
	}
}
