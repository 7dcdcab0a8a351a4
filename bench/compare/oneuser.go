package main

import (
	_ "embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// recipe is what people copy from Kubernetes' documentation (Certificates and
// Certificate Signing Requests, "Issue a certificate for a Kubernetes API client using
// a CertificateSigningRequest"), with the same kind of key as the program's, and with
// a wait in place of the reader's.
//
//go:embed recipe.sh
var recipe string

// clusterConfiguration is what kubeadm has to know.
const clusterConfiguration = `apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
clusterName: bench
controlPlaneEndpoint: %q
certificatesDir: %q
`

// oneUser is one user from their name to a kubeconfig.
func oneUser(b *bench) (*comparison, error) {
	plane, env, stop, err := b.plane(controlplane.WithProgram(controlplane.Kubeadm))
	if err != nil {
		return nil, err
	}
	defer stop()
	configuration, err := b.kubeadmConfiguration(plane)
	if err != nil {
		return nil, err
	}
	figures, err := measure(b.runs,
		contender{"least possible client", func(n int) *exec.Cmd {
			return env.Command(b.ctx, b.least, plane.Kubeconfig, fmt.Sprintf("least-%d", n))
		}},
		contender{"new-user --approve", func(n int) *exec.Cmd {
			return env.Command(b.ctx, program.Name, "new-user", fmt.Sprintf("user-%d", n), "--group", "dev", "--approve", "--dir", "users")
		}},
		contender{"kubeadm kubeconfig user", func(n int) *exec.Cmd {
			return env.Command(b.ctx, plane.Binary(controlplane.Kubeadm), "kubeconfig", "user",
				"--config", configuration, "--client-name", fmt.Sprintf("node-%d", n), "--org", "dev")
		}},
		contender{"openssl and kubectl", func(n int) *exec.Cmd {
			return recipeCommand(b, plane, env, plane.Server, fmt.Sprintf("recipe-%d", n))
		}},
	)
	if err != nil {
		return nil, err
	}
	c := &comparison{About: "one user from a name to a kubeconfig, whole process", Figures: figures}
	c.timeAtMost(2.2, 1, 0)
	c.timeAtMost(1, 1, 2)
	c.timeAtMost(0.1, 1, 3)
	return c, nil
}

// kubeadmConfiguration describes the plane, with its authority under the names that
// kubeadm looks for.
func (b *bench) kubeadmConfiguration(plane *controlplane.Plane) (string, error) {
	directory := filepath.Join(b.home, "kubeadm")
	if err := os.Mkdir(directory, 0o700); err != nil {
		return "", err
	}
	authority := plane.CertificateAuthority[:len(plane.CertificateAuthority)-len(".crt")]
	for _, extension := range []string{".crt", ".key"} {
		if err := os.Symlink(authority+extension, filepath.Join(directory, "ca"+extension)); err != nil {
			return "", err
		}
	}
	path := filepath.Join(directory, "configuration.yaml")
	text := fmt.Sprintf(clusterConfiguration, plane.Server[len("https://"):], directory)
	return path, os.WriteFile(path, []byte(text), 0o600)
}
