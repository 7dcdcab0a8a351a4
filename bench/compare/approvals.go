package main

import (
	"fmt"
	"os/exec"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// approvals is approving many pending requests: half as many as there are users in a
// team. kubectl's takes minutes.
func approvals(b *bench) (*comparison, error) {
	many := max(1, b.users/2)
	plane, env, stop, err := b.plane(controlplane.WithoutControllerManager())
	if err != nil {
		return nil, err
	}
	defer stop()
	if err := populate(b.ctx, plane, many); err != nil {
		return nil, err
	}
	ours, err := measureOnce(1, contender{"approve --all --yes", func(int) *exec.Cmd { return env.Command(b.ctx, program.Name, "approve", "--all", "--yes") }})
	if err != nil {
		return nil, err
	}
	// As many once more, undecided.
	if text, err := env.Command(b.ctx, controlplane.Kubectl, "delete", "csr", "--all").CombinedOutput(); err != nil {
		return nil, fmt.Errorf("kubectl delete: %w\n%s", err, text)
	}
	if err := populate(b.ctx, plane, many); err != nil {
		return nil, err
	}
	objects, err := env.Command(b.ctx, controlplane.Kubectl, "get", "csr", "-o", "jsonpath={.items[*].metadata.name}").Output()
	if err != nil {
		return nil, err
	}
	theirs, err := measureOnce(1, contender{"kubectl certificate approve", func(int) *exec.Cmd {
		return env.Command(b.ctx, "sh", "-c", `exec "$0" certificate approve $1`, plane.Binary(controlplane.Kubectl), string(objects))
	}})
	if err != nil {
		return nil, err
	}
	c := &comparison{About: fmt.Sprintf("approving %d pending requests", many), Figures: append(theirs, ours...)}
	c.Figures[1].Ratio = float64(c.Figures[1].Median) / float64(c.Figures[0].Median)
	c.timeAtMost(1.0/50, 1, 0)
	return c, nil
}
