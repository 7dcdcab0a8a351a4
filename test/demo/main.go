// Command demo shows csr-onboard on a real control plane that it starts and stops: an
// administrator onboards jane with three commands, and then what jane can and cannot do. It
// leaves only the cached binaries of the control plane.
//
// With -record FILE, asciinema records the three commands into FILE.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

func main() {
	recording := flag.String("record", "", "record the first three commands into this file, with asciinema")
	isTyped := flag.Bool("typed", false, "only run the first three commands, in this environment, as if somebody typed them")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	var err error
	if *isTyped {
		err = typeCommands(ctx, os.Stdout)
	} else {
		err = run(ctx, os.Stdout, *recording)
	}
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer, recording string) (err error) {
	home, err := os.MkdirTemp("", "csr-onboard-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()

	s := &stage{ctx: ctx, out: out}
	s.say("Building kubectl csr-onboard …")
	// go run builds this command elsewhere, but runs it where it was called: in the test
	// module, in the repository's root.
	binary, err := program.Build(ctx, "..", filepath.Join(home, "bin"))
	if err != nil {
		return err
	}
	s.say("Starting a temporary control plane: etcd, kube-apiserver, kube-controller-manager.")
	plane, err := controlplane.Launch(ctx, controlplane.WithProgress(out))
	if err != nil {
		return err
	}
	defer func() {
		s.say("Stopping the control plane.")
		err = errors.Join(err, plane.Stop())
	}()
	s.env = program.Environment{
		Path:       []string{filepath.Dir(binary), filepath.Dir(plane.Binary(controlplane.Kubectl))},
		Home:       home,
		Kubeconfig: plane.Kubeconfig,
		Directory:  home,
	}
	if recording != "" {
		return record(ctx, s.env, recording)
	}
	return s.play()
}

// stage is where the commands run.
type stage struct {
	ctx context.Context
	env program.Environment
	out io.Writer
}

// scene is one command, and what there is to say about it.
type scene struct {
	about   string
	command string
	refused bool
}

// recorded is how many of the scenes a recording has: from nothing to a kubeconfig.
const recorded = 3

func scenes() []scene {
	return []scene{
		{"Jane joins the team dev. One command creates a private key, which stays in the\n" +
			"directory, and a certificate signing request with the user name and the group.",
			"kubectl csr-onboard new-user jane --group dev --dir jane", false},
		{"An administrator reviews the request and approves it. At a terminal, leave out --yes\n" +
			"to be asked.",
			"kubectl csr-onboard approve jane --yes", false},
		{"The cluster has signed the certificate. fetch checks it against the key, logs in\n" +
			"with it, and then writes the kubeconfig.",
			"kubectl csr-onboard fetch jane --dir jane", false},
		{"Now jane can log in. The cluster knows the user:",
			"kubectl --kubeconfig jane/jane.kubeconfig auth whoami", false},
		{"A certificate says who the user is, not what the user can do. Jane has no role yet:",
			"kubectl --kubeconfig jane/jane.kubeconfig get configmaps", true},
		{"The administrator permits the group to view the namespace default:",
			"kubectl create rolebinding dev-view --clusterrole=view --group=dev", false},
		{"Now jane can view it,",
			"kubectl --kubeconfig jane/jane.kubeconfig get configmaps", false},
		{"but not its secrets:",
			"kubectl --kubeconfig jane/jane.kubeconfig get secrets", true},
		{"An administrator can also do all of it with one command:",
			"kubectl csr-onboard new-user bob --group dev --approve --dir bob", false},
	}
}

func (s *stage) play() error {
	for _, scene := range scenes() {
		s.say(scene.about)
		err := s.run(scene.command)
		var exit *exec.ExitError
		switch {
		case scene.refused && err == nil:
			return fmt.Errorf("%q should have been refused", scene.command)
		case scene.refused && errors.As(err, &exit):
		case err != nil:
			return fmt.Errorf("%q: %w", scene.command, err)
		}
	}
	return nil
}

// say writes what happens next.
func (s *stage) say(text string) {
	_, _ = fmt.Fprintf(s.out, "\n# %s\n", strings.ReplaceAll(text, "\n", "\n# "))
}

// run shows a command as somebody would type it, and its output.
func (s *stage) run(line string) error {
	_, _ = fmt.Fprintf(s.out, "$ %s\n", line)
	words := strings.Fields(line)
	command := s.env.Command(s.ctx, words[0], words[1:]...)
	command.Stdout, command.Stderr = s.out, s.out
	return command.Run()
}
