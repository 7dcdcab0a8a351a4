package cmd

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/cluster/clustertest"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/ledger"
)

// faulted is a command line in the middle of which one thing fails.
type faulted struct {
	// before are the command lines that are run before it.
	before []string
	line   string
	// after are command lines that succeed when it has, and says is what the last of them says.
	after []string
	says  string
	// isForSeveral says that it is for the clusters dev and prod-eu, and fails on prod-eu.
	isForSeveral bool
}

// faultedLines are command lines that change something.
var faultedLines = map[string]faulted{
	"new-user": {
		line: "new-user jane -g dev --dir jane", after: []string{"list"}, says: "Pending",
	},
	"new-user --approve": {
		line:  "new-user jane -g dev --approve --clusterrole view --renewable --dir jane",
		after: []string{"grant jane --clusterrole view --renewable", "status --kubeconfig jane/jane.kubeconfig --live"}, says: "yes",
	},
	"new-user --filename": {
		line: "new-user -f team.csv --approve --clusterrole view --dir team", after: []string{"status --kubeconfig team/joe.kubeconfig --live"}, says: "yes",
	},
	"approve": {
		before: []string{"new-user jane --dir jane"},
		line:   "approve jane --yes --clusterrole view", after: []string{"fetch jane --dir jane", "offboard jane --dry-run=client"}, says: "view",
	},
	"approve --all": {
		before: []string{"new-user jane --dir jane", "new-user joe --dir joe"},
		line:   "approve --all --yes", after: []string{"fetch jane --dir jane", "fetch joe --dir joe"}, says: "logged in",
	},
	"approve --filename": {
		before: []string{"new-user jane --offline --dir jane"},
		line:   "approve -f jane/jane.csr --yes --out jane.handoff", after: []string{"fetch jane --from jane.handoff --dir jane"}, says: "logged in",
	},
	"deny": {
		before: []string{"new-user jane --dir jane"}, line: "deny jane --yes", after: []string{"list"}, says: "Denied",
	},
	"fetch": {
		before: []string{"new-user jane --dir jane", "approve jane --yes"},
		line:   "fetch jane --dir jane", after: []string{"status --kubeconfig jane/jane.kubeconfig --live"}, says: "yes",
	},
	"renew": {
		before: []string{"new-user jane --dir jane --approve --renewable", "renew --kubeconfig jane/jane.kubeconfig --wait=false", "approve jane --yes"},
		line:   "renew --kubeconfig jane/jane.kubeconfig", after: []string{"status --kubeconfig jane/jane.kubeconfig --live"}, says: "yes",
	},
	"grant": {
		line: "grant jane --clusterrole view --renewable", after: []string{"offboard jane --dry-run=client"}, says: "view",
	},
	"offboard": {
		before: []string{"new-user jane --dir jane --approve --clusterrole view --renewable"},
		line:   "offboard jane --block --yes", after: []string{"offboard jane --unblock"}, says: "jane unblocked",
	},
	"offboard --unblock": {
		before: []string{"new-user jane --dir jane --approve --clusterrole view", "offboard jane --block --yes"},
		line:   "offboard jane --unblock", after: []string{"grant jane --clusterrole view"}, says: "view",
	},
	"new-user --contexts": {
		line:  "new-user jane --approve --contexts dev,prod-eu --dir jane",
		after: []string{"status --kubeconfig jane/jane.kubeconfig --live"}, says: "jane@cluster-prod-eu", isForSeveral: true,
	},
	"new-user --filename --contexts": {
		line:  "new-user -f team.csv --approve --contexts dev,prod-eu --dir team",
		after: []string{"status --kubeconfig team/joe.kubeconfig --live"}, says: "joe@cluster-prod-eu", isForSeveral: true,
	},
	"approve --filename --contexts": {
		before: []string{"new-user jane --offline --dir jane"},
		line:   "approve -f jane/jane.csr --contexts dev,prod-eu --yes --out jane.handoff", after: []string{"list --context prod-eu"}, says: "Issued", isForSeveral: true,
	},
}

// newFaulted is a desk with a team and a role, after what comes before a command. What its server is
// made to answer is a fault.
func newFaulted(t *testing.T, f faulted) *desk {
	t.Helper()
	var d *desk
	if f.isForSeveral {
		three := newThreeClusters(t)
		d = three.desk
		d.server = three.servers["prod-eu"]
	} else {
		d = newDesk(t)
	}
	d.server.Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}})
	if err := os.WriteFile("team.csv", []byte("name,groups\njane,dev\njoe,dev\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, line := range f.before {
		d.runs(t, 0, line)
	}
	return d
}

// keysHere are the private keys below the current directory, by their paths.
func keysHere(t *testing.T) map[string]string {
	t.Helper()
	keys := map[string]string{}
	err := filepath.WalkDir(".", func(path string, _ os.DirEntry, err error) error {
		if filepath.Ext(path) == ".key" {
			keys[path] = ""
		}
		return err
	})
	for path := range keys {
		if err == nil {
			var text []byte
			text, err = os.ReadFile(path)
			keys[path] = string(text)
		}
	}
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// failAt has one call of a command answered wrongly, and checks that nothing is lost, and that the
// same command, run again, completes. It reports whether there were so many calls.
func (f faulted) failAt(t *testing.T, place int64, answer func(http.ResponseWriter)) bool {
	d := newFaulted(t, f)
	keys := keysHere(t)
	var calls atomic.Int64
	d.server.Answer = func(w http.ResponseWriter, _ *http.Request) bool {
		isFault := calls.Add(1) == place
		if isFault {
			answer(w)
		}
		return isFault
	}
	var out bytes.Buffer
	code, errOut := d.ends(t, &out, f.line)
	d.server.Answer = nil
	if calls.Load() < place {
		if place == 1 {
			t.Errorf("nothing was called:\n%s", errOut)
		}
		return false
	}
	said := fmt.Sprintf("the first run ended with %d:\n%s%s", code, out.String(), errOut)
	if code != 0 && !strings.Contains(errOut, "error: ") {
		t.Errorf("no error is told; %s", said)
	}
	for path, key := range keys {
		if keysHere(t)[path] != key {
			t.Errorf("%s was replaced; %s", path, said)
		}
	}
	f.completes(t, d, said)
	return true
}

// completes runs the command again, which keeps the private keys and succeeds.
func (f faulted) completes(t *testing.T, d *desk, said string) {
	t.Helper()
	made := keysHere(t)
	var out bytes.Buffer
	if again, errAgain := d.ends(t, &out, f.line); again != 0 {
		t.Errorf("the second run ended with %d:\n%s%s\n%s", again, out.String(), errAgain, said)
	}
	kept := keysHere(t)
	for path, key := range made {
		// The key of a renewal that is complete is in the kubeconfig.
		if key != kept[path] && !strings.HasPrefix(f.line, "renew ") {
			t.Errorf("%s was replaced by the second run; %s", path, said)
		}
	}
	for i, line := range f.after {
		after, errAfter := d.runs(t, 0, line)
		if i == len(f.after)-1 && !strings.Contains(after+errAfter, f.says) {
			t.Errorf("%s: %q is missing in\n%s%s\n%s", line, f.says, after, errAfter, said)
		}
	}
}

// pathsHere are the files and directories below the current one, and which of them are directories.
func pathsHere(t *testing.T) map[string]bool {
	t.Helper()
	paths := map[string]bool{}
	err := filepath.WalkDir(".", func(path string, entry os.DirEntry, err error) error {
		if err == nil {
			paths[path] = entry.IsDir()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// obstruct puts a file in the place of a directory, and a directory with a file in that of a file.
func obstruct(t *testing.T, path string, isDirectory bool) (obstacle string) {
	t.Helper()
	obstacle = path
	if !isDirectory {
		obstacle = filepath.Join(path, "obstacle")
	}
	err := os.MkdirAll(filepath.Dir(obstacle), 0o700)
	if err == nil {
		err = os.WriteFile(obstacle, nil, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return obstacle
}

// oneIn is how many cases there are for each that is tried: some of them where somebody waits for the
// result, and all in CI and in make test-long.
func oneIn(few int) int {
	if os.Getenv("CI") != "" || os.Getenv("CSR_ONBOARD_TEST_LONG") != "" {
		return 1
	}
	return few
}

// TestFaults_WhereAFileCannotBeMadeTheSameCommandCompletesLater has something else in the place of each
// file and directory that a command makes, one in each run.
func TestFaults_WhereAFileCannotBeMadeTheSameCommandCompletesLater(t *testing.T) {
	seen := 0
	for _, name := range slices.Sorted(maps.Keys(faultedLines)) {
		f := faultedLines[name]
		d := newFaulted(t, f)
		before := pathsHere(t)
		d.runs(t, 0, f.line)
		made := pathsHere(t)
		for _, path := range slices.Sorted(maps.Keys(made)) {
			isDirectory := made[path]
			if _, isOld := before[path]; isOld || strings.Contains(f.line, "--out "+path) {
				// Into a directory that --out names, a file is written.
				continue
			}
			if seen++; seen%oneIn(4) != 0 {
				continue
			}
			t.Run(name+", "+path, func(t *testing.T) {
				d := newFaulted(t, f)
				keys, obstacle := keysHere(t), obstruct(t, path, isDirectory)
				var out bytes.Buffer
				code, errOut := d.ends(t, &out, f.line)
				said := fmt.Sprintf("the first run ended with %d:\n%s%s", code, out.String(), errOut)
				if code == 0 || !strings.Contains(errOut, "error: ") || !strings.Contains(errOut, filepath.Base(path)) {
					t.Errorf("the obstacle is not told; %s", said)
				}
				if !exists(obstacle) {
					t.Errorf("the obstacle is gone; %s", said)
				}
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
				for path, key := range keys {
					if keysHere(t)[path] != key {
						t.Errorf("%s was replaced; %s", path, said)
					}
				}
				f.completes(t, d, said)
			})
		}
	}
}

// TestFaults_AfterACallThatFailsTheSameCommandCompletes has calls of each command fail, one in each run:
// it is forbidden, or answered with something else, by turns.
func TestFaults_AfterACallThatFailsTheSameCommandCompletes(t *testing.T) {
	answers := []func(http.ResponseWriter){
		func(w http.ResponseWriter) { clustertest.Fail(w, http.StatusForbidden, metav1.StatusReasonForbidden) },
		func(w http.ResponseWriter) {
			clustertest.Respond(w, http.StatusOK, map[string]any{"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "another"}})
		},
	}
	for name, f := range faultedLines {
		// An odd step, so that both answers have their turn.
		for place, isReached := 1, true; isReached; place += oneIn(9) {
			t.Run(fmt.Sprintf("%s, call %d", name, place), func(t *testing.T) {
				isReached = f.failAt(t, int64(place), answers[place%len(answers)])
			})
		}
	}
}

// errFull is what a full disk says.
var errFull = errors.New("no space left on device")

// fullAfter is a disk that takes a number of writes.
type fullAfter struct{ writes, most int }

func (f *fullAfter) Write(text []byte) (int, error) {
	f.writes++
	if f.writes > f.most {
		return 0, errFull
	}
	return len(text), nil
}

// TestFaults_OutputThatCannotBeWrittenIsAnError has the disk full at each write of standard output,
// one in each run.
func TestFaults_OutputThatCannotBeWrittenIsAnError(t *testing.T) {
	d := newThreeClusters(t)
	for _, name := range threeNames {
		d.servers[name].Put(t, &rbacv1.ClusterRole{ObjectMeta: metav1.ObjectMeta{Name: "view"}}, &ledger.ClientCertificate{
			TypeMeta:   metav1.TypeMeta{APIVersion: ledger.GroupVersion.String(), Kind: ledger.Kind},
			ObjectMeta: metav1.ObjectMeta{Name: ledger.NameOf([]byte(name))},
			Spec:       ledger.Spec{User: "jane", NotBefore: metav1.NewTime(time.Now().Add(-time.Hour)), NotAfter: metav1.NewTime(time.Now().Add(time.Hour)), Verified: true},
		})
	}
	certificate, key := d.servers["dev"].AuthorityFiles(t)
	for name, text := range map[string][]byte{"team.csv": []byte("name,groups\nmia,dev\nnoa,dev\n"), "ca.crt": certificate, "ca.key": key} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{
		"new-user jane --dir jane --context dev", "new-user joe --dir joe --context dev", "new-user kim --dir kim --context dev --approve", "new-user lee --dir lee --contexts dev,prod-eu",
	} {
		d.runs(t, 0, line)
	}
	formats := []string{"", " -o yaml", " -o name", " -o jsonpath={.kind}"}
	for i, command := range []string{
		"list --context dev", "status --kubeconfig kim/kim.kubeconfig", "ledger --context dev", "doctor --context dev", "version --context dev", "list --contexts *", "ledger --contexts *", "doctor --contexts dev,prod-eu",
		"new-user joe --dir joe --context dev", "new-user -f team.csv --dir team --context dev", "new-user -f team.csv --dir team --context dev --dry-run=client", "new-user lee --dir lee --contexts dev,prod-eu",
		"new-user -f team.csv --dir several --contexts dev,prod-eu", "show jane joe --context dev", "approve jane --dry-run=client --context dev", "approve lee --dry-run=client --contexts dev,prod-eu",
		"approve lee --yes --contexts dev,prod-eu", "approve joe --yes --context dev", "fetch kim --dir kim --context dev", "fetch kim --dir kim --context dev --certificate-only",
		"grant jane --clusterrole view --context dev", "grant jane --clusterrole view --renewable --dry-run=client --context dev",
		"offboard jane --dry-run=client --context dev", "offboard lee --dry-run=client --contexts dev,prod-eu", "completion bash", "fetch kim --dir kim --context dev --out -", "approve kim --yes --out - --context dev", "revocations --context dev", "revocations --contexts dev,prod-eu", "sign jane/jane.csr --ca-cert ca.crt --ca-key ca.key --yes --out -",
	} {
		for j, format := range formats {
			if (i+j)%oneIn(len(formats)) != 0 {
				continue
			}
			line, disk := command+format, &fullAfter{most: 1 << 20}
			code, errOut := d.ends(t, disk, line)
			if code == 2 && format != "" {
				// Not every command has every format.
				continue
			}
			if code != 0 {
				t.Errorf("%s: exit code %d\n%s", line, code, errOut)
			}
			for most := range disk.writes {
				code, errOut := d.ends(t, &fullAfter{most: most}, line)
				if code != 1 || !strings.Contains(errOut, "error: ") || !strings.Contains(errOut, errFull.Error()) {
					t.Errorf("%s: the write %d failed: exit code %d\n%s", line, most+1, code, errOut)
				}
			}
		}
	}
}
