// Command demo plays the program's story on a control plane of its own: an
// administrator and jane, three commands, and what jane may and may not do
// afterwards. It leaves nothing behind but the cached binaries of the control
// plane.
package main

import (
	"context"
	"errors"
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
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) (err error) {
	home, err := os.MkdirTemp("", "csr-onboard-demo-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(home)) }()

	s := &stage{ctx: ctx, out: out}
	s.say("Building kubectl csr-onboard …")
	// go run puts this program elsewhere, but leaves it where it was called: in
	// the test module, beside the repository's root.
	binary, err := program.Build(ctx, "..", filepath.Join(home, "bin"))
	if err != nil {
		return err
	}
	s.say("Starting a throw-away control plane: etcd, kube-apiserver, kube-controller-manager.")
	plane, err := controlplane.Launch(ctx, controlplane.WithProgress(out))
	if err != nil {
		return err
	}
	defer func() {
		s.say("Stopping the control plane. Nothing of it is left.")
		err = errors.Join(err, plane.Stop())
	}()
	s.env = program.Environment{
		Path:       []string{filepath.Dir(binary), filepath.Dir(plane.Binary(controlplane.Kubectl))},
		Home:       home,
		Kubeconfig: plane.Kubeconfig,
		Directory:  home,
	}
	return s.play()
}

// stage is where the story is played.
type stage struct {
	ctx context.Context
	env program.Environment
	out io.Writer
}

func (s *stage) play() error {
	for _, scene := range []struct {
		about   string
		command string
		refused bool
	}{
		{"Jane joins the team dev. One command makes her private key, which stays in her\n" +
			"folder, and a certificate signing request with her name and her group.",
			"kubectl csr-onboard new-user jane --group dev --dir jane", false},
		{"The administrator looks at what is inside before she approves it. At a terminal\n" +
			"she would be asked; --yes is for scripts, and for this demonstration.",
			"kubectl csr-onboard approve jane --yes", false},
		{"The cluster has signed. fetch checks the certificate against the key, logs in with\n" +
			"it, and only then writes the kubeconfig.",
			"kubectl csr-onboard fetch jane --dir jane", false},
		{"From here on jane is herself. The cluster knows her:",
			"kubectl --kubeconfig jane/jane.kubeconfig auth whoami", false},
		{"A certificate says who she is, not what she may do. Nobody has given her anything:",
			"kubectl --kubeconfig jane/jane.kubeconfig get configmaps", true},
		{"The administrator lets her group look at the namespace default:",
			"kubectl create rolebinding dev-view --clusterrole=view --group=dev", false},
		{"Now she may look there,",
			"kubectl --kubeconfig jane/jane.kubeconfig get configmaps", false},
		{"and still not at its secrets:",
			"kubectl --kubeconfig jane/jane.kubeconfig get secrets", true},
		{"An administrator can also do the whole of it in one command:",
			"kubectl csr-onboard new-user bob --group dev --approve --dir bob", false},
	} {
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

// say writes what is about to happen.
func (s *stage) say(text string) {
	_, _ = fmt.Fprintf(s.out, "\n# %s\n", strings.ReplaceAll(text, "\n", "\n# "))
}

// run shows a command as it would be typed and what it prints.
func (s *stage) run(line string) error {
	_, _ = fmt.Fprintf(s.out, "$ %s\n", line)
	words := strings.Fields(line)
	command := s.env.Command(s.ctx, words[0], words[1:]...)
	command.Stdout, command.Stderr = s.out, s.out
	return command.Run()
}
