package main

import (
	"os/exec"
	"path/filepath"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/answer"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/test/fixture"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// cachedAnswer is what kubectl waits for before every command of a kubeconfig that
// renews itself.
func cachedAnswer(b *bench) (*comparison, error) {
	directory := filepath.Join(b.home, "credential")
	now := time.Now()
	if err := fixture.CredentialCache(directory, identity.User{Name: "jane", Groups: []string{"dev"}}, now.Add(-time.Hour), now.Add(24*time.Hour)); err != nil {
		return nil, err
	}
	env := program.Environment{Path: []string{filepath.Dir(b.ours)}, Home: b.home, Directory: b.home}
	ours := func(int) *exec.Cmd {
		return env.Command(b.ctx, program.Name, answer.Command, answer.CacheFlag, directory)
	}
	// The first answer is kept, and the others are it.
	if err := ours(0).Run(); err != nil {
		return nil, err
	}
	figures, err := measure(10*b.runs,
		contender{"smallest program", func(int) *exec.Cmd { return env.Command(b.ctx, b.smallest, filepath.Join(directory, answer.File)) }},
		contender{"credential --cache", ours},
	)
	if err != nil {
		return nil, err
	}
	c := &comparison{About: "the credential plugin's kept answer, next to a program that prints a file", Figures: figures}
	c.moreTimeAtMost(time.Millisecond, 1, 0)
	return c, nil
}
