package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// The contenders of manyClusters, in this order.
const (
	oneNewUser = iota
	threeNewUsers
	oneList
	threeLists
)

// manyClusters is one user on three clusters that are far away, in one command.
func manyClusters(b *bench) (*comparison, error) {
	contexts := []string{"a", "b", "c"}
	config := clientcmdapi.NewConfig()
	var env program.Environment
	for _, name := range contexts {
		plane, administrator, stop, err := b.plane()
		if err != nil {
			return nil, err
		}
		defer stop()
		link, err := newLink(b.ctx, plane.Server, near)
		if err != nil {
			return nil, err
		}
		defer link.close()
		if err := controlplane.AddContext(config, name, plane.Kubeconfig, link.address()); err != nil {
			return nil, err
		}
		env = administrator
	}
	env.Kubeconfig = filepath.Join(env.Home, "clusters.kubeconfig")
	if err := clientcmd.WriteToFile(*config, env.Kubeconfig); err != nil {
		return nil, err
	}
	all := strings.Join(contexts, ",")
	figures, err := measure(max(3, b.runs/3),
		contender{"new-user --approve, one cluster", func(n int) *exec.Cmd {
			return env.Command(b.ctx, program.Name, "new-user", fmt.Sprintf("one-%d", n), "--approve", "--dir", "users", "--context", contexts[0])
		}},
		contender{"new-user --approve, three clusters", func(n int) *exec.Cmd {
			return env.Command(b.ctx, program.Name, "new-user", fmt.Sprintf("three-%d", n), "--approve", "--dir", fmt.Sprintf("three-%d", n), "--contexts", all)
		}},
		contender{"list, one cluster", func(int) *exec.Cmd {
			return env.Command(b.ctx, program.Name, "list", "--context", contexts[0])
		}},
		contender{"list, three clusters", func(int) *exec.Cmd { return env.Command(b.ctx, program.Name, "list", "--contexts", all) }},
	)
	if err != nil {
		return nil, err
	}
	c := &comparison{About: fmt.Sprintf("one user on three clusters in one command, each %s away", near), Figures: figures}
	c.timeAtMost(1.4, threeNewUsers, oneNewUser)
	c.timeAtMost(1.4, threeLists, oneList)
	return c, nil
}
