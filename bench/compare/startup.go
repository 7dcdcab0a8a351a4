package main

import (
	"io"
	"os/exec"
	"path/filepath"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// startUp is what every command costs before it does anything.
func startUp(b *bench) (*comparison, error) {
	binaries, err := controlplane.Build(b.ctx, io.Discard)
	if err != nil {
		return nil, err
	}
	kubectl := binaries.Path(controlplane.Kubectl)
	env := program.Environment{Path: []string{filepath.Dir(b.ours)}, Home: b.home, Directory: b.home}
	figures, err := measure(2*b.runs,
		contender{"kubectl version --client", func(int) *exec.Cmd { return env.Command(b.ctx, kubectl, "version", "--client") }},
		contender{"version --client", func(int) *exec.Cmd { return env.Command(b.ctx, program.Name, "version", "--client") }},
	)
	if err != nil {
		return nil, err
	}
	c := &comparison{About: "a command that does nothing", Figures: figures}
	c.timeAtMost(1, 1, 0)
	return c, nil
}
