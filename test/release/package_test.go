package release

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strings"
	"testing"

	"github.com/csr-onboard/kubectl-csr-onboard/test/controlplane"
	"github.com/csr-onboard/kubectl-csr-onboard/test/program"
)

// dpkg runs dpkg on a system of its own, which is a directory.
func dpkg(t *testing.T, system string, arguments ...string) {
	t.Helper()
	path, err := exec.LookPath("dpkg")
	if err != nil || os.Geteuid() != 0 {
		t.Skip("installing a package takes dpkg and root")
	}
	if err := os.MkdirAll(filepath.Join(system, "var", "lib", "dpkg", "info"), 0o700); err != nil {
		t.Fatal(err)
	}
	command := exec.CommandContext(t.Context(), path, append([]string{"--root=" + system, "--force-script-chrootless", "--force-architecture", "--log=/dev/null"}, arguments...)...)
	if result := program.Run(t, command); result.Code != 0 {
		t.Fatalf("dpkg %q: exit code %d\n%s%s", arguments, result.Code, result.Stdout, result.Stderr)
	}
}

// filesOf are the files of a system outside dpkg's own directory.
func filesOf(t *testing.T, system string) (files []string) {
	t.Helper()
	err := filepath.WalkDir(system, func(path string, _ fs.DirEntry, err error) error {
		relative, _ := filepath.Rel(system, path)
		if relative == "var" {
			return filepath.SkipDir
		}
		if err == nil && relative != "." {
			files = append(files, "/"+filepath.ToSlash(relative))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func debianPackage(t *testing.T, name string) string {
	t.Helper()
	return filepath.Join(dist(t), name+"_"+strings.TrimPrefix(version, "v")+"_"+runtime.GOARCH+".deb")
}

func TestPackage_DebianInstallsWhatRunsAndRemovesItWhole(t *testing.T) {
	system := t.TempDir()
	dpkg(t, system, "--install", debianPackage(t, "kubectl-csr-onboard"), debianPackage(t, "csr-onboard-controller"))
	installed := strings.Join(filesOf(t, system), "\n") + "\n"
	for _, path := range []string{
		"/usr/bin/kubectl-csr_onboard", "/usr/bin/kubectl_complete-csr_onboard", "/usr/share/man/man1/kubectl-csr-onboard-approve.1.gz",
		"/usr/share/bash-completion/completions/kubectl-csr_onboard", "/usr/share/zsh/vendor-completions/_kubectl-csr_onboard",
		"/usr/share/fish/vendor_completions.d/kubectl-csr_onboard.fish", "/usr/share/doc/kubectl-csr-onboard/copyright",
		"/usr/bin/csr-onboard-controller", "/usr/lib/systemd/system/csr-onboard-enforcer.service", "/usr/lib/systemd/system/csr-onboard-controller@.service", "/usr/share/man/man1/csr-onboard-controller-run.1.gz", "/usr/share/doc/csr-onboard-controller/copyright",
	} {
		if !strings.Contains(installed, path+"\n") {
			t.Errorf("%s was not installed", path)
		}
	}
	binaries, err := controlplane.Build(t.Context(), os.Stderr)
	if err != nil {
		t.Fatal(err)
	}
	user := program.Environment{
		Path: []string{filepath.Join(system, "usr", "bin"), filepath.Dir(binaries.Path(controlplane.Kubectl)), "/bin"}, Home: t.TempDir(), Directory: t.TempDir(), Kubeconfig: os.DevNull,
	}
	for line, want := range map[string]string{
		"kubectl csr-onboard version --client": "kubectl csr-onboard " + version + " (" + commit + " of " + date + ")",
		// What kubectl's completion asks, in every shell.
		"kubectl __complete csr-onboard rev": "revocations\t",
		"csr-onboard-controller --version":   "csr-onboard-controller version " + version,
	} {
		words := strings.Fields(line)
		if says := program.Run(t, user.Command(t.Context(), words[0], words[1:]...)); !strings.HasPrefix(says.Stdout, want) {
			t.Errorf("%s says %q, want %q\n%s", line, says.Stdout, want, says.Stderr)
		}
	}
	dpkg(t, system, "--remove", "kubectl-csr-onboard", "csr-onboard-controller")
	if left := filesOf(t, system); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

// TestPackage_TheUnitsRunWhatTheControllerHas is for a flag that is renamed without its unit.
func TestPackage_TheUnitsRunWhatTheControllerHas(t *testing.T) {
	directory := t.TempDir()
	binary, err := program.BuildNamed(t.Context(), program.Controller, checkout, directory)
	if err != nil {
		t.Fatal(err)
	}
	units, err := filepath.Glob(filepath.Join(checkout, "deploy", "systemd", "*.service"))
	if err != nil || len(units) != 2 {
		t.Fatalf("%v, %q", err, units)
	}
	for _, path := range units {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		_, line, _ := strings.Cut(strings.ReplaceAll(string(text), "\\\n", " "), "\nExecStart=")
		line, _, _ = strings.Cut(line, "\n")
		for _, instance := range []string{"ledger", "approver"} {
			// As systemd replaces them.
			words := strings.Fields(strings.NewReplacer("%i", instance, "${CREDENTIALS_DIRECTORY}", directory, "${METRICS_ADDRESS}", "0").Replace(line))
			if words[0] != "/usr/bin/"+program.Controller {
				t.Errorf("the unit runs %q", words[0])
			}
			// Neither the directory of the API server's file nor a kubeconfig is there; a usage error would
			// have another hint.
			ran := program.Run(t, exec.CommandContext(t.Context(), binary, words[1:]...))
			if ran.Code == 0 || strings.Contains(ran.Stderr, "unknown") || strings.Contains(ran.Stderr, "--help") || strings.Contains(ran.Stderr, "choose of") {
				t.Errorf("%q: exit code %d\n%s", words[1:], ran.Code, ran.Stderr)
			}
		}
	}
}

// TestPackage_TheEnforcerIsStartedToRestoreAFileThatIsMissing: the API server of the node does not start without its
// authorization file, so a unit that waits for that file would wait for ever.
func TestPackage_TheEnforcerIsStartedToRestoreAFileThatIsMissing(t *testing.T) {
	binary, err := program.BuildNamed(t.Context(), program.Controller, checkout, t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(checkout, "deploy", "systemd", "csr-onboard-enforcer.service"))
	if err != nil {
		t.Fatal(err)
	}
	conditions := regexp.MustCompile(`(?m)^Condition([A-Za-z]+)=/etc/kubernetes/csr-onboard(/\S+)?$`).FindAllStringSubmatch(string(text), -1)
	if len(conditions) == 0 {
		t.Fatal("the unit is started before the directory is set up")
	}
	// isStarted reports whether systemd would start the unit, if the directory were this one.
	isStarted := func(directory string) bool {
		for _, condition := range conditions {
			entries, err := os.ReadDir(directory + condition[2])
			holds := len(entries) > 0
			switch condition[1] {
			case "PathExists":
				_, err = os.Stat(directory + condition[2])
				holds = err == nil
			case "PathIsDirectory":
				holds = err == nil
			case "DirectoryNotEmpty":
			default:
				t.Fatalf("%q is a condition that this test does not know", condition[0])
			}
			if !holds {
				return false
			}
		}
		return true
	}
	directory := filepath.Join(t.TempDir(), "csr-onboard")
	if isStarted(directory) {
		t.Error("it is started before the directory is set up")
	}
	if ran := program.Run(t, exec.CommandContext(t.Context(), binary, "enforce", "init", "--directory", directory, "--authorization-mode", "Node,RBAC")); ran.Code != 0 {
		t.Fatalf("exit code %d\n%s", ran.Code, ran.Stderr)
	}
	files, err := os.ReadDir(directory)
	if err != nil || len(files) < 2 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		path, away := filepath.Join(directory, file.Name()), directory+".away"
		if err := os.Rename(path, away); err != nil {
			t.Fatal(err)
		}
		if !isStarted(directory) {
			t.Errorf("it is not started without %s", file.Name())
		}
		if err := os.Rename(away, path); err != nil {
			t.Fatal(err)
		}
	}
}

// descriptor is that of the OCI image specification.
type descriptor struct {
	MediaType, Digest, ArtifactType string
	Platform                        struct{ Architecture string }
}

// blob reads what a digest names in a layout, as JSON.
func blob(t *testing.T, layout, digest string, into any) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(layout, "blobs", strings.ReplaceAll(digest, ":", string(filepath.Separator))))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, into); err != nil {
		t.Fatal(err)
	}
}

func TestPackage_TheImageHoldsTheProgramThatTheManifestsDeploy(t *testing.T) {
	layout := filepath.Join(dist(t), "images", "csr-onboard-controller")
	var outer, index struct{ Manifests []descriptor }
	data, err := os.ReadFile(filepath.Join(layout, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(data, &outer); err != nil {
		t.Fatal(err)
	}
	deployed, err := os.ReadFile(filepath.Join(dist(t), "deploy-enforcer.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(deployed), "image: ghcr.io/csr-onboard/csr-onboard-controller@"+outer.Manifests[0].Digest+"\n") {
		t.Errorf("the manifests do not name %s", outer.Manifests[0].Digest)
	}
	blob(t, layout, outer.Manifests[0].Digest, &index)
	for _, image := range index.Manifests {
		var manifest struct{ Layers []descriptor }
		blob(t, layout, image.Digest, &manifest)
		if len(manifest.Layers) != 1 {
			t.Fatalf("the image for %s has %d layers, want 1", image.Platform.Architecture, len(manifest.Layers))
		}
		if image.Platform.Architecture != runtime.GOARCH || runtime.GOOS != "linux" {
			continue
		}
		directory := t.TempDir()
		layer := filepath.Join(layout, "blobs", strings.ReplaceAll(manifest.Layers[0].Digest, ":", string(filepath.Separator)))
		if err := runProgram(directory, nil, "tar", "-xzf", layer); err != nil {
			t.Fatal(err)
		}
		says := program.Run(t, exec.CommandContext(t.Context(), filepath.Join(directory, "csr-onboard-controller"), "--version"))
		if want := "csr-onboard-controller version " + version + "\n"; says.Stdout != want {
			t.Errorf("the program in the image says %q, want %q", says.Stdout, want)
		}
		if _, err := os.Stat(filepath.Join(directory, "LICENSE")); errors.Is(err, fs.ErrNotExist) {
			t.Error("the image has no license")
		}
	}
}
