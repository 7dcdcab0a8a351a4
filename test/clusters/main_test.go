// Package clusters tests commands for several clusters as their users run them: the plugin, and three
// real control planes, whose contexts are in one kubeconfig.
package clusters

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// names are the contexts of the control planes.
var names = []string{"dev", "prod-eu", "prod-us"}

var (
	// plugin is the directory of the program under test.
	plugin string
	// planes are the control planes by their contexts.
	planes = map[string]*controlplane.Plane{}
)

func TestMain(m *testing.M) {
	os.Exit(program.RunTests(m, "clusters", []string{program.Name}, func(ctx context.Context, directory string) (end func(int), err error) {
		plugin = directory
		if err := launch(ctx); err != nil {
			stop()
			return nil, err
		}
		return func(int) { stop() }, nil
	}))
}

// launch starts the control planes at the same time. They are built once, before.
func launch(ctx context.Context) error {
	if _, err := controlplane.Build(ctx, os.Stderr); err != nil {
		return err
	}
	var starting sync.WaitGroup
	started, errs := make([]*controlplane.Plane, len(names)), make([]error, len(names))
	for i := range names {
		starting.Go(func() { started[i], errs[i] = controlplane.Launch(ctx) })
	}
	starting.Wait()
	for i, plane := range started {
		if plane != nil {
			planes[names[i]] = plane
		}
	}
	return errors.Join(errs...)
}

func stop() {
	for _, plane := range planes {
		_ = plane.Stop()
	}
}

// writeKubeconfig writes the kubeconfig of an administrator of all clusters.
func writeKubeconfig(path string) error {
	all := clientcmdapi.NewConfig()
	for _, name := range names {
		if err := controlplane.AddContext(all, name, planes[name].Kubeconfig, ""); err != nil {
			return err
		}
	}
	return clientcmd.WriteToFile(*all, path)
}

// session is a machine of an administrator of all clusters.
type session struct {
	env program.Environment
}

func newSession(t *testing.T) *session {
	t.Helper()
	home := t.TempDir()
	s := &session{program.Environment{
		Path: []string{plugin, filepath.Dir(planes[names[0]].Binary(controlplane.Kubectl))}, Home: home, Directory: home,
		Kubeconfig: filepath.Join(home, "config"),
	}}
	if err := writeKubeconfig(s.env.Kubeconfig); err != nil {
		t.Fatal(err)
	}
	return s
}

// runs runs the plugin, which has to end with a code.
func (s *session) runs(t *testing.T, code int, arguments ...string) program.Result {
	t.Helper()
	result := program.Run(t, s.env.Command(t.Context(), program.Name, arguments...))
	if result.Code != code {
		t.Fatalf("%q: exit code %d, want %d\n%s%s", arguments, result.Code, code, result.Stdout, result.Stderr)
	}
	return result
}

// logsInAs is the user that a context of a kubeconfig logs in as, through kubectl; "" if it does not.
func (s *session) logsInAs(t *testing.T, kubeconfig, name string) string {
	t.Helper()
	result := program.Run(t, s.env.Command(t.Context(), "kubectl", "--kubeconfig", kubeconfig, "--context", name, "auth", "whoami", "-o", "jsonpath={.status.userInfo.username}"))
	return result.Stdout
}
