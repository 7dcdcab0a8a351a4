// Package ledger tests the ledger as its users run it: the plugin, and recorders with exactly the
// permissions of deploy/, on a real control plane.
//
// One control plane with one recorder is shared. A test that stops the recorder starts it again;
// tests do not run at the same time.
package ledger

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

var (
	// plugin and controller are the programs under test.
	plugin, controller string
	// shared is the control plane.
	shared *cluster
)

func TestMain(m *testing.M) {
	os.Exit(program.RunTests(m, "ledger", []string{program.Name, program.Controller}, func(ctx context.Context, directory string) (end func(int), err error) {
		plugin, controller = filepath.Join(directory, program.Name), filepath.Join(directory, program.Controller)
		if shared, err = launch(ctx, directory); err != nil {
			return nil, err
		}
		return func(code int) {
			shared.stop()
			program.PrintEnd(code, "recorder", shared.log)
		}, nil
	}))
}

// cluster is a control plane with what deploy/ installs.
type cluster struct {
	plane *controlplane.Plane
	admin kubernetes.Interface
	any   dynamic.Interface
	// stamps reports that the API server serves MutatingAdmissionPolicies.
	stamps bool
	// kubeconfig is that of the recorder, and log where it writes.
	directory, kubeconfig, log string

	recorder *exec.Cmd
}

// launch starts a control plane, installs deploy/ and starts a recorder.
func launch(ctx context.Context, directory string, options ...controlplane.Option) (_ *cluster, err error) {
	c := &cluster{directory: directory, log: filepath.Join(directory, "recorder.log")}
	if c.plane, err = controlplane.Launch(ctx, append(options, controlplane.WithProgress(os.Stderr), controlplane.WithControllerManagerRate(400, 600))...); err != nil {
		return nil, err
	}
	if err := c.prepare(ctx); err != nil {
		_ = c.plane.Stop()
		return nil, err
	}
	return c, nil
}

func (c *cluster) prepare(ctx context.Context) error {
	config, err := c.plane.RESTConfig()
	if err != nil {
		return err
	}
	config.QPS = -1
	if c.admin, err = kubernetes.NewForConfig(config); err != nil {
		return err
	}
	if c.any, err = dynamic.NewForConfig(config); err != nil {
		return err
	}
	served, err := c.admin.Discovery().ServerResourcesForGroupVersion("admissionregistration.k8s.io/v1")
	if err != nil {
		return err
	}
	for _, resource := range served.APIResources {
		c.stamps = c.stamps || resource.Name == "mutatingadmissionpolicies"
	}
	if err := c.apply(ctx); err != nil {
		return err
	}
	token, err := c.admin.CoreV1().ServiceAccounts("csr-onboard-system").CreateToken(ctx, "recorder", &authenticationv1.TokenRequest{}, metav1.CreateOptions{})
	if err != nil {
		return err
	}
	c.kubeconfig = filepath.Join(c.directory, "recorder.kubeconfig")
	if err := program.WriteWithToken(c.kubeconfig, c.plane.Kubeconfig, token.Status.Token); err != nil {
		return err
	}
	if err := c.awaitPolicies(ctx); err != nil {
		return err
	}
	return c.start()
}

// apply installs what deploy/ has for the release, as its users do. The custom resources have to
// be known before objects of theirs can be applied, so that it is tried again.
func (c *cluster) apply(ctx context.Context) error {
	directory := filepath.Join("..", "..", "deploy")
	if !c.stamps {
		directory = filepath.Join(directory, "before-1.36")
	}
	return c.plane.Kubectl(ctx, "", "apply", "-k", directory)
}

// awaitPolicies waits until the API server applies what was installed: it compiles policies a
// moment after they are stored.
func (c *cluster) awaitPolicies(ctx context.Context) error {
	for begin := time.Now(); ; {
		isHeld, isGuarded, err := c.probe(ctx)
		switch {
		case err != nil:
			return err
		case isGuarded && (isHeld || !c.stamps):
			return nil
		case time.Since(begin) > 30*time.Second:
			return fmt.Errorf("the policies are not in force: held %v, guarded %v", isHeld, isGuarded)
		}
	}
}

// start starts the recorder.
func (c *cluster) start() error {
	command, err := c.startAnother()
	c.recorder = command
	return err
}

func (c *cluster) startAnother() (*exec.Cmd, error) {
	return program.StartLogged(c.log, controller, "run", "--controllers=ledger", "--kubeconfig", c.kubeconfig, "--metrics-address", "127.0.0.1:0")
}

// end ends the recorder, if it runs.
func (c *cluster) end() {
	if c.recorder != nil {
		program.End(c.recorder, program.Patience)
		c.recorder = nil
	}
}

// kill ends the recorder with SIGKILL, if it runs.
func (c *cluster) kill() {
	if c.recorder != nil {
		_ = c.recorder.Process.Kill()
		_ = c.recorder.Wait()
		c.recorder = nil
	}
}

func (c *cluster) stop() {
	c.end()
	_ = c.plane.Stop()
}

// stopped runs a test without a recorder, and starts one again at its end.
func (c *cluster) stopped(t *testing.T) {
	t.Helper()
	c.end()
	t.Cleanup(func() {
		if c.recorder == nil {
			if err := c.start(); err != nil {
				t.Error(err)
			}
		}
	})
}

// address is where the recorder serves metrics and health.
func (c *cluster) address(t *testing.T) string {
	t.Helper()
	log, err := os.ReadFile(c.log)
	if err != nil {
		t.Fatal(err)
	}
	_, after, isServed := bytesCutLast(log, "address=")
	if !isServed {
		t.Fatal("the recorder does not say where it serves metrics")
	}
	address, _, _ := strings.Cut(after, "\n")
	return strings.TrimSpace(address)
}

func bytesCutLast(text []byte, separator string) (before, after string, isThere bool) {
	at := bytes.LastIndex(text, []byte(separator))
	if at < 0 {
		return "", "", false
	}
	return string(text[:at]), string(text[at+len(separator):]), true
}

// until waits for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); !is(); <-tick.C {
		if time.Since(begin) > 60*time.Second {
			t.Fatalf("not seen within a minute: %s", what)
		}
	}
}

// kubernetesFor is a client with the credentials of a kubeconfig.
func kubernetesFor(kubeconfig string) (kubernetes.Interface, error) {
	config, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		return nil, err
	}
	config.QPS = -1
	return kubernetes.NewForConfig(config)
}

// clientOf is kubernetesFor in a test.
func clientOf(t *testing.T, kubeconfig string) kubernetes.Interface {
	t.Helper()
	client, err := kubernetesFor(kubeconfig)
	if err != nil {
		t.Fatal(err)
	}
	return client
}
