package e2e

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/request"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/hostile"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// patience bounds every wait for something that takes milliseconds.
const patience = time.Minute

// waitingRun is a run of the program that is watched while it continues.
type waitingRun struct {
	t       *testing.T
	command *exec.Cmd
	lines   chan string
	seen    strings.Builder
	stdout  strings.Builder
}

func start(s *session, arguments ...string) *waitingRun {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*patience)
	s.t.Cleanup(cancel)
	r := &waitingRun{t: s.t, command: s.env.Command(ctx, program.Name, arguments...), lines: make(chan string, 100)}
	stderr, err := r.command.StderrPipe()
	if err != nil {
		s.t.Fatal(err)
	}
	r.command.Stdout = &r.stdout
	if err := r.command.Start(); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(r.lines)
		for scanner := bufio.NewScanner(stderr); scanner.Scan(); {
			r.lines <- scanner.Text()
		}
		_, _ = io.Copy(io.Discard, stderr)
	}()
	return r
}

// until waits for a line of standard error that holds the text.
func (r *waitingRun) until(text string) {
	r.t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case line, open := <-r.lines:
			r.seen.WriteString(line + "\n")
			if strings.Contains(line, text) {
				return
			}
			if !open {
				r.t.Fatalf("the program ended without saying %q:\n%s", text, r.seen.String())
			}
		case <-timeout:
			r.t.Fatalf("the program did not say %q:\n%s", text, r.seen.String())
		}
	}
}

// end waits for the program's end.
func (r *waitingRun) end() program.Result {
	r.t.Helper()
	for line := range r.lines {
		r.seen.WriteString(line + "\n")
	}
	_ = r.command.Wait()
	return program.Result{Stdout: r.stdout.String(), Stderr: r.seen.String(), Code: r.command.ProcessState.ExitCode()}
}

const waitingForApproval = "waiting for an administrator to approve"

func TestWaiting_AWaitEndsWithTheApproval(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "walt", "--dir", "D")
	fetch := start(s, "fetch", "walt", "--dir", "D")
	fetch.until(waitingForApproval)
	s.must("approve", "walt", "--yes")
	if result := fetch.end(); result.Code != 0 || result.Stdout != "D/walt.kubeconfig\n" {
		t.Errorf("exit code %d, standard output %q\n%s", result.Code, result.Stdout, result.Stderr)
	}
}

func TestWaiting_NewUserWaitsForSomebodyElsesApproval(t *testing.T) {
	s := newSession(t, shared)
	waiting := start(s, "new-user", "wanda", "-g", "dev", "--dir", "D", "--wait", "--context-name", "own")
	waiting.until(waitingForApproval + " wanda-")
	s.must("approve", "wanda", "--yes")
	result := waiting.end()
	if want := "D/wanda.kubeconfig\n"; result.Code != 0 || result.Stdout != want {
		t.Fatalf("exit code %d, standard output %q, want %q\n%s", result.Code, result.Stdout, want, result.Stderr)
	}
	if who := whoIs(t, s.path("D", "wanda.kubeconfig")); who != "wanda" {
		t.Errorf("the kubeconfig logs in as %q", who)
	}
	s.check(s.run("new-user", "wilma", "--dir", "D", "--wait", "--timeout", "1ms"), expect{124, []string{"kubectl csr-onboard fetch wilma --dir D"}})
}

func TestWaiting_AnIdentityThatMayOnlyGetPolls(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "xena", "--dir", "D")
	fetch := start(s.as(getter), "fetch", "xena", "--dir", "D")
	fetch.until(waitingForApproval)
	s.must("approve", "xena", "--yes")
	if result := fetch.end(); result.Code != 0 {
		t.Errorf("exit code %d\n%s", result.Code, result.Stderr)
	}
}

func TestWaiting_TheEndingsOfAWait(t *testing.T) {
	for _, test := range []struct {
		user   string
		happen func(t *testing.T, s *session, name string)
		want   expect
	}{
		{"denied", func(t *testing.T, s *session, name string) { deny(t, s, name, "who is this?") },
			expect{3, []string{"was denied: who is this?", "hint: this cannot be undone"}}},
		{"failed", func(t *testing.T, s *session, name string) { fail(t, s, name, "the signer is on fire") },
			expect{3, []string{"was failed: the signer is on fire"}}},
		{"deleted", remove,
			expect{4, []string{"was deleted while waiting for it", "hint: submit it again with the same key"}}},
	} {
		t.Run(test.user, func(t *testing.T) {
			s := newSession(t, shared)
			name := objectName(s.must("new-user", test.user, "--dir", "D").Stdout)
			fetch := start(s, "fetch", test.user, "--dir", "D")
			fetch.until(waitingForApproval)
			test.happen(t, s, name)
			s.check(fetch.end(), test.want)
			if _, err := os.Stat(s.path("D", test.user+".kubeconfig")); !os.IsNotExist(err) {
				t.Error("a kubeconfig was written")
			}
		})
	}
}

// TestWaiting_AReplacedRequestEndsTheWait has another request of the name be issued when the
// program looks: behind the end of a watch that saw nothing, behind the event of the
// deletion, and in the first event of a watch.
func TestWaiting_AReplacedRequestEndsTheWait(t *testing.T) {
	const requests = "/certificatesigningrequests"
	another := func(object map[string]any) { object["metadata"] = map[string]any{"uid": "another"} }
	for about, late := range map[string]func(name string, hold func()) *hostile.Rule{
		"after-silence": func(_ string, hold func()) *hostile.Rule {
			return &hostile.Rule{When: hostile.IsWatch, Path: requests, Do: hostile.First(hold, hostile.Text(http.StatusOK, "application/json", ""))}
		},
		// The first get is the one by which fetch finds it.
		"after-deletion": func(name string, hold func()) *hostile.Rule {
			return &hostile.Rule{Method: http.MethodGet, Path: requests + "/" + name, After: 1, Do: hostile.First(hold, hostile.Pass)}
		},
		"in-the-watch": func(_ string, hold func()) *hostile.Rule {
			return &hostile.Rule{When: hostile.IsWatch, Path: requests, Do: hostile.First(hold, hostile.Edit(another))}
		},
	} {
		t.Run(about, func(t *testing.T) {
			s := newSession(t, shared)
			user := "replaced-" + about
			name := objectName(s.must("new-user", user, "--dir", "D").Stdout)
			replaced := make(chan struct{})
			s.behindFront(late(name, func() { <-replaced }))
			fetch := start(s, "fetch", user, "--dir", "D", "--timeout", "1m")
			fetch.until(waitingForApproval)

			admin := s.admin()
			remove(t, admin, name)
			create(t, admin, name, identity.User{Name: user})
			admin.must("approve", name, "--yes")
			admin.until("the other request is issued", func() bool { return request.StateOf(admin.object("x/"+name)) == request.Issued })
			close(replaced)
			s.check(fetch.end(), expect{5, []string{"was deleted and recreated"}})
			if listing := s.listing("D"); strings.Contains(listing, ".kubeconfig\n") {
				t.Errorf("a kubeconfig was written:\n%s", listing)
			}
		})
	}
}

func remove(t *testing.T, s *session, name string) {
	t.Helper()
	if err := s.client().CertificatesV1().CertificateSigningRequests().Delete(t.Context(), name, metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
}

func TestWaiting_AWaitThatRunsOutIs124(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "yuri", "--dir", "D")
	s.check(s.run("fetch", "yuri", "--dir", "D", "--timeout", "200ms"),
		expect{124, []string{"timed out while waiting for", "nobody has decided about it yet", "to continue to wait: kubectl csr-onboard fetch yuri --dir D"}})
}

func TestWaiting_AnInterruptedWaitLeavesAllInPlace(t *testing.T) {
	s := newSession(t, shared)
	printed := s.must("new-user", "zara", "--dir", "D")
	key := s.read("D", "zara.key")
	fetch := start(s, "fetch", "zara", "--dir", "D")
	fetch.until(waitingForApproval)
	if err := fetch.command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	s.check(fetch.end(), expect{130, []string{"interrupted while waiting for", "to continue to wait: kubectl csr-onboard fetch zara --dir D"}})
	if string(s.read("D", "zara.key")) != string(key) {
		t.Error("the key changed")
	}
	s.object(printed.Stdout)
	s.must("approve", "zara", "--yes")
	s.must("fetch", "zara", "--dir", "D")
}

func TestWaiting_AnUnsignedRequestIsExplained(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t, controlplane.WithoutControllerManager()))
	s.must("new-user", "adam", "--dir", "D")
	s.must("approve", "adam", "--yes")
	fetch := start(s, "fetch", "adam", "--dir", "D")
	fetch.until("is approved, but no signer has answered yet. That usually means one of:")
	fetch.until("still waiting")
	if err := fetch.command.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	s.check(fetch.end(), expect{130, []string{"it is approved, but no signer has answered"}})
}

func TestWaiting_AShortenedLifetimeIsSaid(t *testing.T) {
	t.Parallel()
	s := newSession(t, controlplane.Start(t, controlplane.WithMaximumLifetime(12*time.Hour)))
	result := s.must("new-user", "beth", "--expiration", "20d", "--approve", "--dir", "D")
	if want := "warning: 20d was asked for, and 12h was given"; !strings.Contains(result.Stderr, want) {
		t.Errorf("standard error does not say %q:\n%s", want, result.Stderr)
	}
}

func TestWaiting_AServerThatIsAwayForAWhileIsWaitedFor(t *testing.T) {
	t.Parallel()
	plane := controlplane.Start(t)
	s := newSession(t, plane)
	s.must("new-user", "cleo", "--dir", "D")
	fetch := start(s, "fetch", "cleo", "--dir", "D")
	fetch.until(waitingForApproval)
	for _, component := range []controlplane.Component{controlplane.APIServer, controlplane.Etcd} {
		if err := plane.StopComponent(component); err != nil {
			t.Fatal(err)
		}
	}
	fetch.until("the API server cannot be reached, trying again")
	for _, component := range []controlplane.Component{controlplane.Etcd, controlplane.APIServer} {
		if err := plane.StartComponent(t.Context(), component); err != nil {
			t.Fatal(err)
		}
	}
	s.must("approve", "cleo", "--yes")
	if result := fetch.end(); result.Code != 0 {
		t.Errorf("exit code %d\n%s", result.Code, result.Stderr)
	}
}

func TestWaiting_ACollectedRequestIsSubmittedAgainWithTheSameKey(t *testing.T) {
	s := newSession(t, shared)
	name := objectName(s.must("new-user", "gone", "--dir", "D").Stdout)
	key := s.read("D", "gone.key")
	remove(t, s, name)
	s.check(s.run("fetch", "gone", "--dir", "D"), expect{4, []string{"certificate signing request " + `"` + name + `"`, "was garbage-collected", "run new-user again"}})
	if again := objectName(s.must("new-user", "gone", "--dir", "D").Stdout); again != name {
		t.Errorf("the second request is %q, the first was %q", again, name)
	}
	if string(s.read("D", "gone.key")) != string(key) {
		t.Error("the key was replaced")
	}
}

// TestWaiting_ConnectionsThatKeepBreakingAreSurvived waits through a relay that cuts
// every connection after a moment.
func TestWaiting_ConnectionsThatKeepBreakingAreSurvived(t *testing.T) {
	s := newSession(t, shared)
	s.must("new-user", "relayed", "--dir", "D")
	relay := newCuttingRelay(t, strings.TrimPrefix(shared.Server, "https://"), 100*time.Millisecond)
	fetch := start(s, "fetch", "relayed", "--dir", "D", "--server", "https://"+relay.address, "--verify-login=false")
	fetch.until(waitingForApproval)
	relay.awaitCuts(5)
	s.must("approve", "relayed", "--yes")
	if result := fetch.end(); result.Code != 0 {
		t.Errorf("exit code %d\n%s", result.Code, result.Stderr)
	}
}

func TestWaiting_TheNextCommandAsksTheSameCluster(t *testing.T) {
	s := newSession(t, shared)
	config, err := clientcmd.LoadFromFile(shared.Kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	kubeconfig := s.path("its own")
	if err := clientcmd.WriteToFile(*config, kubeconfig); err != nil {
		t.Fatal(err)
	}
	chosen := []string{"--kubeconfig", kubeconfig, "--context", config.CurrentContext, "--dir", "D"}
	want := "kubectl csr-onboard fetch yvo --dir D --kubeconfig '" + kubeconfig + "' --context " + config.CurrentContext + "\n"
	if said := s.must(append([]string{"new-user", "yvo"}, chosen...)...); !strings.Contains(said.Stderr, want) {
		t.Errorf("the next command is not %q:\n%s", want, said.Stderr)
	}
	s.check(s.run(append([]string{"fetch", "yvo", "--timeout", "100ms"}, chosen...)...), expect{124, []string{"to continue to wait: " + want}})
}
