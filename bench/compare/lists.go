package main

import (
	"fmt"
	"os"
	"os/exec"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// lists is reading, and finding one user, among many requests.
func lists(b *bench) (*comparison, error) {
	plane, env, stop, err := b.plane()
	if err != nil {
		return nil, err
	}
	defer stop()
	fmt.Fprintf(os.Stderr, "making %d requests\n", b.requests)
	if err := populate(b.ctx, plane, b.requests); err != nil {
		return nil, err
	}
	figures, err := measure(min(b.few(), b.requests-1),
		contender{"kubectl get csr", func(int) *exec.Cmd { return env.Command(b.ctx, controlplane.Kubectl, "get", "csr") }},
		contender{"list", func(int) *exec.Cmd { return env.Command(b.ctx, program.Name, "list") }},
		contender{"approve NAME --yes", func(n int) *exec.Cmd { return env.Command(b.ctx, program.Name, "approve", waiting(n), "--yes") }},
	)
	if err != nil {
		return nil, err
	}
	c := &comparison{About: fmt.Sprintf("among %d requests", b.requests), Figures: figures}
	c.timeAtMost(1, 1, 0)
	c.memoryAtMost(1, 1, 0)
	c.timeAtMost(1, 2, 0)
	return c, nil
}
