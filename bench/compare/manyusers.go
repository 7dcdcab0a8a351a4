package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// The controller manager's own limit of the calls that it makes: by default, and raised
// far above what is measured.
const (
	defaultRate = 20
	raisedRate  = 500
)

// manyUsers is a team on a cluster as it is, where the controller manager signs no more
// than its limit lets it.
func manyUsers(b *bench) (*comparison, error) {
	_, env, stop, err := b.plane()
	if err != nil {
		return nil, err
	}
	defer stop()
	figures, err := measureOnce(1, b.team(env, b.users))
	if err != nil {
		return nil, err
	}
	limit := time.Duration(b.users) * time.Second / defaultRate
	c := &comparison{
		About: fmt.Sprintf("%d users, each with a kubeconfig, where the controller manager makes %d calls a second (its limit: %s)", b.users, defaultRate, limit), Figures: figures,
	}
	c.atMost(1.03, float64(figures[0].Median)/float64(limit), fmt.Sprintf("time of %q in %s", figures[0].Name, limit))
	return c, nil
}

// manyUsersFast is the same where nothing but the API server is in the way, which has to
// share its processors with the client.
func manyUsersFast(b *bench) (*comparison, error) {
	plane, env, stop, err := b.plane(controlplane.WithControllerManagerRate(raisedRate, 2*raisedRate))
	if err != nil {
		return nil, err
	}
	defer stop()
	c, err := b.teamAndLeast(plane, env)
	if err != nil {
		return nil, err
	}
	c.About = fmt.Sprintf("%d users, each with a kubeconfig, where the controller manager makes %d calls a second, on the processors of the control plane", b.users, raisedRate)
	return c, nil
}

// errOneProcessor is the error of a machine that cannot be parted.
var errOneProcessor = errors.New("this machine has one processor, or cannot be told which to use")

// manyUsersApart is manyUsersFast where the clients have processors of their own, as on a
// machine of their own.
func manyUsersApart(b *bench) (_ *comparison, err error) {
	plane, env, stop, err := b.plane(controlplane.WithControllerManagerRate(raisedRate, 2*raisedRate))
	if err != nil {
		return nil, err
	}
	defer stop()
	undo, err := apart(plane)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, undo()) }()
	c, err := b.teamAndLeast(plane, env)
	if err != nil {
		return nil, err
	}
	c.About = fmt.Sprintf("%d users, each with a kubeconfig, where the controller manager makes %d calls a second, and clients and control plane have processors of their own", b.users, raisedRate)
	c.timeAtMost(1/0.85, 1, 0)
	return c, nil
}

// teamAndLeast measures a team next to the least possible client.
func (b *bench) teamAndLeast(plane *controlplane.Plane, env program.Environment) (*comparison, error) {
	figures, err := measure(b.few(),
		contender{"least possible client", func(n int) *exec.Cmd {
			return env.Command(b.ctx, b.least, plane.Kubeconfig, fmt.Sprintf("least-%d", n), fmt.Sprint(b.users))
		}},
		b.team(env, b.users),
	)
	if err != nil {
		return nil, err
	}
	return &comparison{Figures: figures}, nil
}

// team onboards so many users, others in each run.
func (b *bench) team(env program.Environment, users int) contender {
	return contender{fmt.Sprintf("new-user -f TEAM --approve (%d)", users), func(n int) *exec.Cmd {
		name := fmt.Sprintf("team-%d-%d", users, n)
		path := filepath.Join(env.Directory, name+".yaml")
		var text strings.Builder
		text.WriteString("apiVersion: csr-onboard.github.io/v1alpha1\nkind: Team\nusers:\n")
		for i := range users {
			fmt.Fprintf(&text, "- {name: %s-%d, groups: [dev]}\n", name, i)
		}
		if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
			return exec.Command("false")
		}
		return env.Command(b.ctx, program.Name, "new-user", "-f", path, "--approve", "--dir", name)
	}}
}
