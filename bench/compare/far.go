package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// near and distant are the round-trip times at which commands are measured. What a command
// takes longer at the second tells how many round trips it waits for, whatever else it does.
const (
	near    = 50 * time.Millisecond
	distant = 200 * time.Millisecond
)

// The contenders of far, in this order.
const (
	farLeast = iota
	farNewUser
	farRecipe
	farApprove
	farFetch
	farList
	farKubectl
)

// far is one user, from an API server that is far away.
func far(b *bench) (*comparison, error) {
	plane, env, stop, err := b.plane()
	if err != nil {
		return nil, err
	}
	defer stop()
	here, err := measureFar(b, plane, env, near, max(3, b.runs/3))
	if err != nil {
		return nil, err
	}
	there, err := measureFar(b, plane, env, distant, max(3, b.few()))
	if err != nil {
		return nil, err
	}
	c := &comparison{About: fmt.Sprintf("one user, %s from the API server, and %s", near, distant), Figures: append(here, there...)}
	c.timeAtMost(1.3, farNewUser, farLeast)
	c.timeAtMost(1, farNewUser, farRecipe)
	c.timeAtMost(1, farList, farKubectl)
	for _, command := range []struct {
		contender int
		atMost    float64
	}{{farLeast, 5.5}, {farNewUser, 6.5}, {farApprove, 4.5}, {farFetch, 4.5}, {farList, 3.5}, {farKubectl, 3.5}} {
		further := there[command.contender].Median - here[command.contender].Median
		c.atMost(command.atMost, float64(further)/float64(distant-near), fmt.Sprintf("round trips of %q", here[command.contender].Name))
	}
	return c, nil
}

// measureFar measures the contenders through a link.
func measureFar(b *bench, plane *controlplane.Plane, env program.Environment, roundTrip time.Duration, runs int) ([]figure, error) {
	link, err := newLink(b.ctx, plane.Server, roundTrip)
	if err != nil {
		return nil, err
	}
	defer link.close()
	away := env
	if away.Kubeconfig, err = through(link, plane.Kubeconfig, env.Home); err != nil {
		return nil, err
	}
	// Users of one round-trip time are not those of another.
	user := func(who string, n int) string { return fmt.Sprintf("%s-%d-%d", who, roundTrip.Milliseconds(), n) }
	var prepareErr error
	prepare := func(commands ...*exec.Cmd) {
		for _, command := range commands {
			if text, err := command.CombinedOutput(); err != nil && prepareErr == nil {
				prepareErr = fmt.Errorf("%q: %w\n%s", command.Args, err, text)
			}
		}
	}
	figures, err := measure(runs,
		contender{"least possible client", func(n int) *exec.Cmd {
			return env.Command(b.ctx, b.least, away.Kubeconfig, user("least", n))
		}},
		contender{"new-user --approve", func(n int) *exec.Cmd {
			return away.Command(b.ctx, program.Name, "new-user", user("user", n), "--group", "dev", "--approve", "--dir", "users")
		}},
		contender{"openssl and kubectl", func(n int) *exec.Cmd { return recipeCommand(b, plane, away, link.address(), user("recipe", n)) }},
		contender{"approve NAME", func(n int) *exec.Cmd {
			name := user("approved", n)
			prepare(env.Command(b.ctx, program.Name, "new-user", name, "--group", "dev", "--dir", "users"))
			return away.Command(b.ctx, program.Name, "approve", name, "--yes")
		}},
		contender{"fetch", func(n int) *exec.Cmd {
			name := user("fetched", n)
			prepare(
				env.Command(b.ctx, program.Name, "new-user", name, "--group", "dev", "--dir", "users"),
				env.Command(b.ctx, program.Name, "approve", name, "--yes"))
			return away.Command(b.ctx, program.Name, "fetch", name, "--dir", "users")
		}},
		contender{"list", func(int) *exec.Cmd { return away.Command(b.ctx, program.Name, "list") }},
		contender{"kubectl get csr", func(int) *exec.Cmd { return away.Command(b.ctx, controlplane.Kubectl, "get", "csr") }},
	)
	if err == nil {
		err = prepareErr
	}
	for i := range figures {
		figures[i].Name += ", " + roundTrip.String()
	}
	return figures, err
}

// through writes a kubeconfig of the same user for the other end of a link.
func through(link *link, kubeconfig, directory string) (string, error) {
	config, err := clientcmd.LoadFromFile(kubeconfig)
	if err != nil {
		return "", err
	}
	for _, cluster := range config.Clusters {
		cluster.Server = link.address()
	}
	path := filepath.Join(directory, fmt.Sprintf("away-%s.kubeconfig", link.roundTrip))
	return path, clientcmd.WriteToFile(*config, path)
}

// recipeCommand is what people copy, for a user, with kubectl talking to a server.
func recipeCommand(b *bench, plane *controlplane.Plane, env program.Environment, server, user string) *exec.Cmd {
	command := env.Command(b.ctx, "sh", "-euc", recipe, "sh", user)
	command.Env = append(command.Env, "PATH="+filepath.Dir(plane.Binary(controlplane.Kubectl))+string(os.PathListSeparator)+os.Getenv("PATH"),
		"SERVER="+server, "AUTHORITY="+plane.CertificateAuthority)
	return command
}
