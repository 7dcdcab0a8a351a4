package enforce

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/access"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// problemsOf waits until the enforcer reports a problem that holds a text.
func (c *cluster) untilProblem(t *testing.T, text string) {
	t.Helper()
	until(t, "the problem "+text, func() bool {
		for _, report := range c.reports(t) {
			if strings.Contains(strings.Join(report.Problems, "\n"), text) {
				return true
			}
		}
		return false
	})
}

// untilWell waits until the enforcers report the list as it is, and no problem.
func (c *cluster) untilWell(t *testing.T) {
	t.Helper()
	until(t, "no problem", func() bool {
		list, reports := access.ListOf(c.listData(t)), c.reports(t)
		for _, report := range reports {
			if len(report.Problems) > 0 {
				return false
			}
		}
		return len(reports) == len(c.nodes) && revocation.InForce(revocation.Coverage(list, reports, nil, time.Now())) == len(c.nodes)
	})
}

func (n *node) file(name string) string { return filepath.Join(n.directory, name) }

func read(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// TestDamage_WhatWasInForceStaysInForce damages the list and the files one after the other, while
// a revoked user tries all the time to get in.
func TestDamage_WhatWasInForceStaysInForce(t *testing.T) {
	c := on(t, 1)
	n := c.nodes[0]
	revoked, free := c.user(t, "lena"), c.user(t, "max")
	c.untilWell(t)
	c.must(t, "revoke", "lena")
	ended := c.watchFor(t, revoked)
	maps := c.admin(t).CoreV1().ConfigMaps(access.BlockNamespace)
	change := func(do func(data map[string]string)) {
		t.Helper()
		stored, err := maps.Get(t.Context(), access.BlockName, metav1.GetOptions{})
		if err != nil {
			t.Fatal(err)
		}
		do(stored.Data)
		if _, err := maps.Update(t.Context(), stored, metav1.UpdateOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	check := func(about string) {
		t.Helper()
		if !isRefusedAt(t, revoked, n.server) || isRefusedAt(t, free, n.server) {
			t.Errorf("%s: revoked %v, free %v", about, isRefusedAt(t, revoked, n.server), isRefusedAt(t, free, n.server))
		}
	}

	change(func(data map[string]string) {
		data["user-zz"], data["credential-00"], data["pin-6a"] = "\x1b[2J']", "credential:'] || true", "else"
		data["user-73797374656d3a6b7562652d7363686564756c6572"] = "user:system:kube-scheduler"
		data["user."+strings.Repeat("x", 200)] = "user:a'] || true || request.user in ['\n\x00\u2028"
		data["details-user-6c656e61"] = "{"
	})
	c.untilProblem(t, "names nobody")
	check("invalid entries")
	expect(t, c.run(t, c.plane.Kubeconfig, "revocations"), 1, "names nobody", "never refused", `the user "lena"`)
	change(func(data map[string]string) {
		for key := range data {
			if key != "user-6c656e61" {
				delete(data, key)
			}
		}
	})
	c.untilWell(t)

	change(func(data map[string]string) { data["user-6c656e61"] = "garbled" })
	c.untilProblem(t, "do not name the same identity")
	check("a garbled value")
	change(func(data map[string]string) { data["user-6c656e61"] = "user:lena" })
	c.untilWell(t)

	stored, err := maps.Get(t.Context(), access.BlockName, metav1.GetOptions{})
	if err == nil {
		err = maps.Delete(t.Context(), access.BlockName, metav1.DeleteOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	c.untilProblem(t, "does not exist; what the last one refused stays refused")
	check("a list that was deleted")
	// Also after a restart.
	n.end()
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	c.untilProblem(t, "does not exist; what the last one refused stays refused")
	check("a list that was deleted, and a restart")
	stored.ResourceVersion, stored.UID = "", ""
	if _, err := maps.Create(t.Context(), stored, metav1.CreateOptions{}); err != nil {
		t.Fatal(err)
	}
	c.untilWell(t)

	good := read(t, n.file("authorization.yaml"))
	for about, text := range map[string]string{
		"cut off": good[:len(good)/2], "empty": "", "not YAML": "\x00",
	} {
		write(t, n.file("authorization.yaml"), text)
		until(t, "a file that is "+about+" put right", func() bool { return read(t, n.file("authorization.yaml")) == good })
		until(t, "the list in force again", func() bool { return isRefusedAt(t, revoked, n.server) })
	}
	kubeconfig := read(t, n.file("denier.kubeconfig"))
	write(t, n.file("denier.kubeconfig"), "garbled")
	c.must(t, "revoke", "somebody else")
	if read(t, n.file("denier.kubeconfig")) != kubeconfig {
		t.Error("the kubeconfig is still garbled")
	}
	check("a garbled kubeconfig")

	// The API server finds all files as they are to be when it starts.
	n.end()
	write(t, n.file("authorization.yaml"), "garbled")
	if err := n.start(); err != nil {
		t.Fatal(err)
	}
	until(t, "the last good file in place", func() bool { return read(t, n.file("authorization.yaml")) != "garbled" })
	c.untilWell(t)
	if passed := ended(); passed > 0 {
		t.Errorf("the revoked user passed %d times", passed)
	}

	// Root can replace the file by a valid one, and it is put back.
	good = read(t, n.file("authorization.yaml"))
	write(t, n.file("authorization.yaml"), strings.Replace(good, "'lena'", "'x'", 1))
	until(t, "the file put back", func() bool { return read(t, n.file("authorization.yaml")) == good })
	until(t, "the list in force again", func() bool { return isRefusedAt(t, revoked, n.server) })
}

// watchFor calls as a revoked user all the time, and returns how often that passed.
func (c *cluster) watchFor(t *testing.T, kubeconfig string) func() int64 {
	t.Helper()
	client := clientFor(t, kubeconfig)
	var passed, calls atomic.Int64
	done, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-done:
				return
			default:
			}
			status, _, err := tryCall(t.Context(), client, c.nodes[0].server, http.MethodGet, configMaps, "")
			if err == nil && status == http.StatusOK {
				passed.Add(1)
			}
			calls.Add(1)
			if err != nil {
				// The API server is down.
				<-time.After(20 * time.Millisecond)
			}
		}
	}()
	return func() int64 {
		close(done)
		<-ended
		t.Logf("%d calls", calls.Load())
		return passed.Load()
	}
}

func TestDamage_AnEnforcerThatIsKilledLosesNothing(t *testing.T) {
	c := on(t, 1)
	n := c.nodes[0]
	revoked := c.user(t, "nora")
	c.untilWell(t)
	c.must(t, "revoke", "nora")
	ended := c.watchFor(t, revoked)
	for i := range program.Times(300, 40) {
		// The list changes, so that files are being written at any moment.
		c.list(t, entryOf(fmt.Sprintf("another-%d", i)))
		pause := time.Duration(rand.IntN(60_000)) * time.Microsecond //nolint:gosec // Any moment.
		<-time.After(pause)
		n.kill()
		if err := revocation.CheckFile([]byte(read(t, n.file("authorization.yaml")))); err != nil {
			t.Fatalf("after %s: %v", pause, err)
		}
		if err := n.start(); err != nil {
			t.Fatal(err)
		}
	}
	c.untilWell(t)
	if passed := ended(); passed > 0 {
		t.Errorf("the revoked user passed %d times", passed)
	}
	leftovers, _ := filepath.Glob(n.file(".*"))
	if len(leftovers) > 1 {
		t.Errorf("left: %v", leftovers)
	}
}

func TestDamage_AnAPIServerThatIsKilledStartsAgain(t *testing.T) {
	c := on(t, 1)
	revoked := c.user(t, "olaf")
	c.untilWell(t)
	c.must(t, "revoke", "olaf")
	ended := c.watchFor(t, revoked)
	for i := range program.Times(100, 8) {
		c.list(t, entryOf(fmt.Sprintf("another-%d", i)))
		<-time.After(time.Duration(rand.IntN(40_000)) * time.Microsecond) //nolint:gosec // Any moment.
		killProcess(t, c.nodes[0].server)
		_ = c.plane.StopComponent(controlplane.APIServer)
		if err := c.plane.StartComponent(t.Context(), controlplane.APIServer); err != nil {
			t.Fatal(err)
		}
	}
	c.untilWell(t)
	if passed := ended(); passed > 0 {
		t.Errorf("the revoked user passed %d times", passed)
	}
}

// killProcess ends the API server at an address with SIGKILL.
func killProcess(t *testing.T, server string) {
	t.Helper()
	port := server[strings.LastIndex(server, ":")+1:]
	found := program.Processes("kube-apiserver", "\x00--secure-port="+port+"\x00")
	if len(found) != 1 {
		t.Fatalf("API servers on port %s: %v", port, found)
	}
	process, err := os.FindProcess(found[0])
	if err == nil {
		err = process.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
}
