// Package enforce tests revocation as its users run it: the plugin, the enforcers, and real
// control planes whose API servers read an authorization file each.
//
// One control plane with three API servers and their enforcers is shared by the tests that
// only revoke users of their own. Tests that damage something start one of their own.
package enforce

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

var (
	// plugin and controller are the programs under test.
	plugin, controller string
	// shared is the control plane of three API servers.
	shared *cluster
)

func TestMain(m *testing.M) {
	os.Exit(program.RunTests(m, "enforce", []string{program.Name, program.Controller}, func(ctx context.Context, directory string) (end func(int), err error) {
		plugin, controller = filepath.Join(directory, program.Name), filepath.Join(directory, program.Controller)
		if shared, err = launch(ctx, directory, 3); err != nil {
			return nil, err
		}
		return func(int) { shared.stop() }, nil
	}))
}

// cluster is a control plane with an enforcer for each API server.
type cluster struct {
	plane *controlplane.Plane
	nodes []*node
	stop  func()
}

// node is one API server, its directory and its enforcer.
type node struct {
	name, server, directory, kubeconfig, log string
	// arguments are further ones of the enforcer.
	arguments []string

	enforcer *exec.Cmd
}

// launch starts a control plane of so many API servers, and an enforcer for each.
func launch(ctx context.Context, directory string, servers int) (_ *cluster, err error) {
	c := &cluster{}
	var files []string
	for i := range servers {
		n := &node{name: "node-" + strconv.Itoa(i+1), directory: filepath.Join(directory, "node-"+strconv.Itoa(i+1))}
		n.log = n.directory + ".log"
		output, err := exec.CommandContext(ctx, controller, "enforce", "init", "--directory", n.directory, "--authorization-mode", "Node,RBAC").CombinedOutput()
		if err != nil {
			return nil, fmt.Errorf("%w: %s", err, output)
		}
		c.nodes = append(c.nodes, n)
		files = append(files, filepath.Join(n.directory, "authorization.yaml"))
	}
	if c.plane, err = controlplane.Launch(ctx, controlplane.WithProgress(os.Stderr), controlplane.WithAuthorizationConfigs(files...)); err != nil {
		return nil, err
	}
	c.stop = func() {
		for _, n := range c.nodes {
			n.end()
		}
		_ = c.plane.Stop()
	}
	for i, n := range c.nodes {
		n.server = c.plane.ServerOf(i + 1)
		n.kubeconfig = filepath.Join(directory, n.name+".kubeconfig")
		err = errors.Join(withServer(c.plane.Kubeconfig, n.kubeconfig, n.server), n.start())
		if err != nil {
			c.stop()
			return nil, err
		}
	}
	if err := c.awaitReports(ctx); err != nil {
		c.stop()
		return nil, err
	}
	return c, nil
}

// awaitReports waits until every enforcer has reported.
func (c *cluster) awaitReports(ctx context.Context) error {
	config, err := c.plane.RESTConfig()
	if err != nil {
		return err
	}
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return err
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for begin := time.Now(); ; <-tick.C {
		leases, err := client.CoordinationV1().Leases(revocation.ReportNamespace).List(ctx, metav1.ListOptions{LabelSelector: revocation.ReportLabel + "=" + revocation.ReportValue})
		switch {
		case err != nil:
			return err
		case len(leases.Items) == len(c.nodes):
			return nil
		case time.Since(begin) > patience:
			return fmt.Errorf("%d of %d enforcers report", len(leases.Items), len(c.nodes))
		}
	}
}

// start starts the enforcer.
func (n *node) start() (err error) {
	n.enforcer, err = program.StartLogged(n.log, controller,
		append([]string{"enforce", "--directory", n.directory, "--kubeconfig", n.kubeconfig, "--node", n.name}, n.arguments...)...)
	return err
}

// end ends the enforcer, if it runs.
func (n *node) end() {
	if n.enforcer != nil && n.enforcer.Process != nil {
		program.End(n.enforcer, program.Patience)
		n.enforcer = nil
	}
}

// kill ends the enforcer with SIGKILL, if it runs.
func (n *node) kill() {
	if n.enforcer != nil && n.enforcer.Process != nil {
		_ = n.enforcer.Process.Kill()
		_ = n.enforcer.Wait()
		n.enforcer = nil
	}
}
