package enforce

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/yaml"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

func setUp(t *testing.T, arguments ...string) program.Result {
	t.Helper()
	return program.Run(t, exec.CommandContext(t.Context(), controller, append([]string{"enforce", "init"}, arguments...)...))
}

func TestSetup_InitReadsWhatTheAPIServerHas(t *testing.T) {
	directory := t.TempDir()
	manifest := filepath.Join(directory, "kube-apiserver.yaml")
	podWith := func(image string, flags ...string) string {
		text := "apiVersion: v1\nkind: Pod\nmetadata: {name: kube-apiserver}\nspec:\n  containers:\n  - name: kube-apiserver\n    image: " + image + "\n    command:\n    - kube-apiserver\n"
		for _, flag := range flags {
			text += "    - " + flag + "\n"
		}
		return text
	}
	const image = "registry.k8s.io/kube-apiserver:v1.33.1"
	for about, test := range map[string]struct {
		text string
		code int
		says string
	}{
		"modes":             {podWith(image, "--authorization-mode=Node,RBAC"), 0, "authorizers: revocation, Node, RBAC"},
		"neither":           {podWith(image), 2, "permits everything"},
		"too old":           {podWith("registry.k8s.io/kube-apiserver:v1.31.9", "--authorization-mode=Node,RBAC"), 2, "1.32 or later"},
		"a mode with flags": {podWith(image, "--authorization-mode=Node,RBAC,Webhook"), 2, "--authorization-config FILE"},
		"another file":      {"kind: Service\n", 2, "not the manifest of a pod"},
	} {
		write(t, manifest, test.text)
		into := filepath.Join(t.TempDir(), "D")
		expect(t, setUp(t, "--directory", into, "--manifest", manifest), test.code, test.says)
		info, err := os.Stat(into)
		if (err == nil) != (test.code == 0) || err == nil && info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v %v", about, info, err)
		}
	}
	expect(t, setUp(t, "--directory", filepath.Join(directory, "a b"), "--authorization-mode", "RBAC"), 2, "letters")
	expect(t, setUp(t, "--directory", filepath.Join(directory, "D")), 2, "exactly one of")
}

func TestSetup_InitTwiceChangesNothing(t *testing.T) {
	into := filepath.Join(t.TempDir(), "D")
	expect(t, setUp(t, "--directory", into, "--authorization-mode", "Node,RBAC"), 0, "set up")
	before := read(t, filepath.Join(into, "authorization.yaml"))
	expect(t, setUp(t, "--directory", into, "--authorization-mode", "Node,RBAC"), 0, "already set up")
	expect(t, setUp(t, "--directory", into, "--authorization-mode", "RBAC"), 6, "other authorizers already")
	if read(t, filepath.Join(into, "authorization.yaml")) != before {
		t.Error("the file was changed")
	}
	// An existing configuration is taken over, and not added to twice.
	again := filepath.Join(t.TempDir(), "D")
	expect(t, setUp(t, "--directory", again, "--authorization-config", filepath.Join(into, "authorization.yaml")), 0, "authorizers: revocation, Node, RBAC")
}

// TestSetup_KubeadmMakesTheDocumentedManifest runs the real kubeadm with the configuration of the
// guide.
func TestSetup_KubeadmMakesTheDocumentedManifest(t *testing.T) {
	binaries, err := controlplane.Build(t.Context(), os.Stderr, controlplane.Kubeadm)
	if err != nil {
		t.Fatal(err)
	}
	guide := read(t, filepath.Join("..", "..", "docs", "guides", "revocation.md"))
	_, rest, _ := strings.Cut(guide, "```yaml\n")
	documented, _, _ := strings.Cut(rest, "```\n")
	root := t.TempDir()
	config := filepath.Join(root, "config.yaml")
	write(t, config, documented+"kubernetesVersion: v1.37.2\ncertificatesDir: "+filepath.Join(root, "pki")+
		"\n---\napiVersion: kubeadm.k8s.io/v1beta4\nkind: InitConfiguration\nlocalAPIEndpoint: {advertiseAddress: 192.0.2.1}\n")
	dry := filepath.Join(root, "dry")
	if err := os.Mkdir(dry, 0o700); err != nil {
		t.Fatal(err)
	}
	// A dry run writes into a directory of its own.
	command := exec.CommandContext(t.Context(), binaries.Path(controlplane.Kubeadm), "init", "phase", "control-plane", "apiserver", "--config", config, "--dry-run")
	command.Env = append(os.Environ(), "KUBEADM_INIT_DRYRUN_DIR="+dry)
	if result := program.Run(t, command); result.Code != 0 {
		t.Fatalf("%s%s", result.Stdout, result.Stderr)
	}
	found, _ := filepath.Glob(filepath.Join(dry, "*", "kube-apiserver.yaml"))
	if len(found) == 0 {
		found = []string{filepath.Join(dry, "kube-apiserver.yaml")}
	}
	var pod corev1.Pod
	if err := yaml.Unmarshal([]byte(read(t, found[0])), &pod); err != nil {
		t.Fatal(err)
	}
	container := pod.Spec.Containers[0]
	hasFlag := slices.Contains(container.Command, "--authorization-config=/etc/kubernetes/csr-onboard/authorization.yaml")
	hasMode := slices.ContainsFunc(container.Command, func(word string) bool { return strings.HasPrefix(word, "--authorization-mode") })
	hasMount := slices.ContainsFunc(container.VolumeMounts, func(mount corev1.VolumeMount) bool {
		return mount.MountPath == "/etc/kubernetes/csr-onboard" && mount.ReadOnly
	})
	if !hasFlag || hasMode || !hasMount {
		t.Errorf("flag %v, mode %v, mount %v: %q %+v", hasFlag, hasMode, hasMount, container.Command, container.VolumeMounts)
	}
}

func TestSetup_WhereTheClusterCannotRevokeItIsSaid(t *testing.T) {
	plane := controlplane.Start(t)
	c := &cluster{plane: plane}
	expect(t, c.run(t, plane.Kubeconfig, "revoke", "jane"), 1, `cannot revoke the user "jane": no enforcer reports on this cluster`, "offboard jane --block")
	if data := c.listData(t); data != nil {
		t.Errorf("the list was changed: %q", data)
	}
	expect(t, c.run(t, plane.Kubeconfig, "revocations"), 0, "no enforcer reports, so users and certificates cannot be revoked until enforcers are set up")
	expect(t, c.run(t, plane.Kubeconfig, "doctor"), 0, "revocation: no enforcer reports")
	// An enforcer next to an API server that does not read its file.
	n := &node{name: "node-1", directory: filepath.Join(t.TempDir(), "D"), kubeconfig: plane.Kubeconfig}
	expect(t, setUp(t, "--directory", n.directory, "--authorization-mode", "Node,RBAC"), 0, "set up")
	expect(t, n.once(t, plane.Kubeconfig), 1, "the API server does not use "+n.file("authorization.yaml"))
	expect(t, c.run(t, plane.Kubeconfig, "revoke", "jane", "--timeout", "1s"), 1, "not in force at node-1: not proven: the API server does not use")
}

func TestSetup_DoctorSaysWhetherTheClusterRevokes(t *testing.T) {
	result := shared.run(t, shared.plane.Kubeconfig, "doctor")
	if !strings.Contains(result.Stdout, "revocation: ") || !strings.Contains(result.Stdout, "in force at 3 of 3 API servers") {
		t.Errorf("%s%s", result.Stdout, result.Stderr)
	}
}
