package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
)

// mainVariable has the test binary be the command, also when up starts it again.
const mainVariable = "CLUSTER_TEST_MAIN"

func TestMain(m *testing.M) {
	if os.Getenv(mainVariable) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// patience bounds every wait here.
const patience = 30 * time.Second

// result is how a run of the command went.
type result struct {
	stdout, stderr string
	code           int
}

// newCache makes a cache that shares the binaries with the user's own and holds
// no cluster, so that nobody's cluster is stopped by a test.
func newCache(t *testing.T) string {
	t.Helper()
	if runtime.GOOS != "linux" {
		t.Skip("the place of the cache can be chosen on Linux only")
	}
	if _, err := controlplane.Build(t.Context(), os.Stderr); err != nil {
		t.Fatal(err)
	}
	users, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	cache := t.TempDir()
	const ours = "kubectl-csr-onboard"
	if err := os.Mkdir(filepath.Join(cache, ours), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(users, ours, "controlplane"), filepath.Join(cache, ours, "controlplane")); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := command(ctx, cache, "down").Run(); err != nil {
			t.Errorf("stopping what was started: %v", err)
		}
	})
	return cache
}

func command(ctx context.Context, cache string, arguments ...string) *exec.Cmd {
	command := exec.CommandContext(ctx, os.Args[0], arguments...)
	command.Env = append(os.Environ(), mainVariable+"=1", "XDG_CACHE_HOME="+cache)
	return command
}

func runIn(t *testing.T, cache string, arguments ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	var stdout, stderr bytes.Buffer
	c := command(ctx, cache, arguments...)
	c.Stdout, c.Stderr = &stdout, &stderr
	var exit *exec.ExitError
	if err := c.Run(); err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return result{stdout.String(), stderr.String(), c.ProcessState.ExitCode()}
}

// leftovers are the files of the cluster that still exist, but for the lock.
func leftovers(t *testing.T, cache string) []string {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(cache, "kubectl-csr-onboard", "cluster"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	var names []string
	for _, entry := range entries {
		if entry.Name() != "lock" {
			names = append(names, entry.Name())
		}
	}
	return names
}

func TestCluster_UpAndDown(t *testing.T) {
	cache := newCache(t)

	// Everybody who asks at once gets the same one.
	const several = 3
	results := make([]result, several)
	var group sync.WaitGroup
	for i := range results {
		group.Go(func() { results[i] = runIn(t, cache, "up") })
	}
	group.Wait()
	first := results[0]
	for _, r := range append(results, runIn(t, cache, "up")) {
		if r.code != 0 || r.stdout != first.stdout {
			t.Errorf("up: exit %d, %q, where another said %q\n%s", r.code, r.stdout, first.stdout, r.stderr)
		}
	}
	kubeconfig, found := strings.CutPrefix(strings.TrimSuffix(first.stdout, "\n"), "export KUBECONFIG=")
	if !found || strings.Contains(kubeconfig, "\n") {
		t.Fatalf("stdout is %q", first.stdout)
	}
	binaries, err := controlplane.Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(binaries.Path(controlplane.Kubectl), "--kubeconfig", kubeconfig, "auth", "whoami").CombinedOutput(); err != nil || !strings.Contains(string(out), "administrator") {
		t.Errorf("kubectl auth whoami: %v: %s", err, out)
	}
	if !strings.Contains(first.stderr, "export PATH=") {
		t.Errorf("stderr does not tell where kubectl is:\n%s", first.stderr)
	}

	if r := runIn(t, cache, "down"); r.code != 0 || r.stdout != "" || r.stderr != "stopped\n" {
		t.Errorf("down: %+v", r)
	}
	if left := leftovers(t, cache); len(left) > 0 {
		t.Errorf("down left %q", left)
	}
	if r := runIn(t, cache, "down"); r.code != 0 || r.stderr != "no control plane is running\n" {
		t.Errorf("down again: %+v", r)
	}
}

// awaitUnlock returns when nobody holds the cluster's lock any more: a killed
// process does for a moment, even as a zombie, until its last thread is gone.
func awaitUnlock(t *testing.T, cache string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	lock := flock.New(filepath.Join(cache, "kubectl-csr-onboard", "cluster", "lock"))
	if _, err := lock.TryLockContext(ctx, pollInterval); err != nil {
		t.Fatal(err)
	}
	if err := lock.Unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestCluster_UpAfterItsClusterWasKilledStartsAnother(t *testing.T) {
	cache := newCache(t)
	first := runIn(t, cache, "up")
	data, err := os.ReadFile(filepath.Join(cache, "kubectl-csr-onboard", "cluster", "state.json"))
	if err != nil {
		t.Fatal(err)
	}
	var s state
	if err := json.Unmarshal(data, &s); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(s.ProcessID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	awaitUnlock(t, cache)
	second := runIn(t, cache, "up")
	if second.code != 0 || second.stdout == first.stdout {
		t.Fatalf("up: %+v, after %q", second, first.stdout)
	}
	kubeconfig := strings.TrimSpace(strings.TrimPrefix(second.stdout, "export KUBECONFIG="))
	if out, err := exec.Command(s.Kubectl, "--kubeconfig", kubeconfig, "auth", "whoami").CombinedOutput(); err != nil {
		t.Errorf("kubectl auth whoami: %v: %s", err, out)
	}
	if r := runIn(t, cache, "down"); r.stderr != "stopped\n" {
		t.Errorf("down: %+v", r)
	}
	if left := leftovers(t, cache); len(left) > 0 {
		t.Errorf("down left %q", left)
	}
}

func TestCluster_UpThatIsInterruptedStopsWhatItStarted(t *testing.T) {
	cache := newCache(t)
	up := command(t.Context(), cache, "up")
	if err := up.Start(); err != nil {
		t.Fatal(err)
	}
	deadline := time.After(patience)
	tick := time.NewTicker(pollInterval)
	defer tick.Stop()
	logs := filepath.Join(cache, "kubectl-csr-onboard", "cluster", dataPrefix+"*", "*.log")
	for {
		if found, err := filepath.Glob(logs); err != nil {
			t.Fatal(err)
		} else if len(found) > 0 {
			break
		}
		select {
		case <-deadline:
			t.Fatal("nothing was started")
		case <-tick.C:
		}
	}
	if err := up.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := up.Wait(); err == nil {
		t.Error("it succeeded")
	}
	if found, _ := filepath.Glob(logs); len(found) > 0 {
		t.Errorf("it left %q", found)
	}
	if r := runIn(t, cache, "down"); r.stderr != "no control plane is running\n" {
		t.Errorf("down: %+v", r)
	}
}

func TestCluster_Usage(t *testing.T) {
	for _, arguments := range [][]string{{}, {"sideways"}, {"up", "down"}} {
		r := runIn(t, t.TempDir(), arguments...)
		if r.code != 2 || r.stdout != "" || !strings.Contains(r.stderr, "usage: cluster up | down | build") {
			t.Errorf("%q: %+v", arguments, r)
		}
	}
}

func TestCluster_Quote(t *testing.T) {
	for path, want := range map[string]string{
		"/home/jane/.cache/x":    "/home/jane/.cache/x",
		"/Users/Jane Doe/Caches": "'/Users/Jane Doe/Caches'",
		"/it's/$HOME":            `'/it'\''s/$HOME'`,
	} {
		if got := quote(path); got != want {
			t.Errorf("quote(%q) is %s, not %s", path, got, want)
		}
	}
}
