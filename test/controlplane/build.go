package controlplane

import (
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"
	"golang.org/x/mod/modfile"
)

// sources are what the binaries are built from: the versions, their checksums,
// and the keeper. They are embedded so that no path of the checkout is needed.
//
//go:embed go.mod go.sum kubernetes-*.mod kubernetes-*.sum keeper/*.go
var sources embed.FS

// ReleaseVariable is the environment variable that names an older Kubernetes to build
// and start, such as 1.33, in place of the one in go.mod: for tests of version skew.
// There has to be a kubernetes-RELEASE.mod for it.
const ReleaseVariable = "CONTROLPLANE_KUBERNETES"

// moduleFile is the file that says which version of a module is built: go.mod, or the
// older release's.
func moduleFile(module string) string {
	if release := os.Getenv(ReleaseVariable); release != "" && module == kubernetesModule {
		return "kubernetes-" + release + ".mod"
	}
	return "go.mod"
}

const (
	kubernetesModule = "k8s.io/kubernetes"
	etcdModule       = "go.etcd.io/etcd/server/v3"
	// keeperProgram is named with a hash of its source, see Binaries.
	keeperProgram = "keeper"
	// Kubectl is the name of kubectl's binary, for Plane.Binary.
	Kubectl = "kubectl"
	// Kubeadm is the name of kubeadm's binary, which is built for those who ask for it
	// (see WithProgram).
	Kubeadm = "kubeadm"
)

// built is a program to build and how long that took on two cores the first
// time, for a person who waits.
type built struct {
	name    string
	module  string
	pkg     string
	usually time.Duration
}

// programs are what every control plane needs, and what else is asked for.
func programs(also ...string) []built {
	needed := []built{
		{string(Etcd), etcdModule, etcdModule, 40 * time.Second},
		{string(APIServer), kubernetesModule, kubernetesModule + "/cmd/kube-apiserver", 210 * time.Second},
		{string(ControllerManager), kubernetesModule, kubernetesModule + "/cmd/kube-controller-manager", 80 * time.Second},
		{Kubectl, kubernetesModule, kubernetesModule + "/cmd/kubectl", 20 * time.Second},
	}
	if slices.Contains(also, Kubeadm) {
		needed = append(needed, built{Kubeadm, kubernetesModule, kubernetesModule + "/cmd/kubeadm", 15 * time.Second})
	}
	return needed
}

// Binaries is where the built programs are.
type Binaries struct {
	directory string
	keeper    string
}

// Path is where a program's binary is.
func (b Binaries) Path(name string) string { return filepath.Join(b.directory, name) }

// Build builds what is not built yet, into a directory of the user's cache that is
// named for the versions, so that other versions are built next to it and the
// same never again. It needs Go and the module proxy, and nothing else. The
// progress is told while it lasts: the first time takes minutes. also names programs
// that not every control plane needs.
func Build(ctx context.Context, progress io.Writer, also ...string) (Binaries, error) {
	b, err := locateBinaries(ctx)
	wanted := programs(also...)
	if err != nil || b.complete(wanted) {
		return b, err
	}
	if err := os.MkdirAll(b.directory, 0o700); err != nil {
		return Binaries{}, err
	}
	lock := flock.New(filepath.Join(b.directory, "lock"))
	if locked, err := lock.TryLock(); err != nil {
		return Binaries{}, err
	} else if !locked {
		say(progress, "another process is building the control plane; waiting for it")
		if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
			return Binaries{}, err
		}
	}
	defer lock.Unlock() //nolint:errcheck // The process's end unlocks as well.
	return b, b.build(ctx, progress, wanted)
}

func locateBinaries(ctx context.Context) (Binaries, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Binaries{}, err
	}
	kubernetes, err := version(kubernetesModule)
	if err != nil {
		return Binaries{}, err
	}
	etcd, err := version(etcdModule)
	if err != nil {
		return Binaries{}, err
	}
	goVersion, err := goCommand(ctx, ".", "env", "GOVERSION")
	if err != nil {
		return Binaries{}, err
	}
	name := fmt.Sprintf("kubernetes-%s-etcd-%s-%s-%s-%s", kubernetes, etcd, strings.TrimSpace(goVersion), runtime.GOOS, runtime.GOARCH)
	directory := filepath.Join(cache, "kubectl-csr-onboard", "controlplane", name)
	hash, err := keeperHash()
	if err != nil {
		return Binaries{}, err
	}
	return Binaries{
		directory: directory,
		keeper:    filepath.Join(directory, keeperProgram+"-"+hash),
	}, nil
}

func (b Binaries) complete(wanted []built) bool {
	for _, program := range wanted {
		if !exists(b.Path(program.name)) {
			return false
		}
	}
	return exists(b.keeper)
}

func (b Binaries) build(ctx context.Context, progress io.Writer, wanted []built) error {
	source := filepath.Join(b.directory, "src")
	if err := os.RemoveAll(source); err != nil {
		return err
	}
	if err := os.CopyFS(source, sources); err != nil {
		return err
	}
	defer os.RemoveAll(source) //nolint:errcheck // The next build begins with it.
	if !exists(b.keeper) {
		if err := buildOne(ctx, source, "go.mod", "./"+keeperProgram, b.keeper, ""); err != nil {
			return err
		}
	}
	told := false
	for _, program := range wanted {
		if exists(b.Path(program.name)) {
			continue
		}
		if !told {
			say(progress, "building Kubernetes from its Go modules, once: for a whole control plane about 6 minutes on two cores, and downloads before")
			told = true
		}
		release, err := version(program.module)
		if err != nil {
			return err
		}
		say(progress, "  %s %s, usually %s …", program.name, release, program.usually)
		begin := time.Now()
		if err := buildOne(ctx, source, moduleFile(program.module), program.pkg, b.Path(program.name), linkerFlags(program, release)); err != nil {
			return err
		}
		say(progress, "  %s took %s", program.name, time.Since(begin).Round(time.Second))
	}
	if told {
		say(progress, "built; kept in %s", b.directory)
	}
	return nil
}

// linkerFlags give Kubernetes' programs their version, as its own build does.
func linkerFlags(program built, release string) string {
	flags := "-s -w"
	if program.module == kubernetesModule {
		numbers := strings.SplitN(strings.TrimPrefix(release, "v"), ".", 3)
		const variable = " -X k8s.io/component-base/version."
		flags += variable + "gitVersion=" + release + variable + "gitMajor=" + numbers[0] + variable + "gitMinor=" + numbers[1]
	}
	return flags
}

// buildOne builds under another name first, so that an interrupted build leaves
// no binary that looks whole.
func buildOne(ctx context.Context, source, moduleFile, pkg, target, linker string) error {
	partial := target + ".partial"
	if _, err := goCommand(ctx, source, "build", "-trimpath", "-mod=readonly", "-modfile="+moduleFile, "-ldflags="+linker, "-o", partial, pkg); err != nil {
		return err
	}
	return os.Rename(partial, target)
}

// goCommand runs go in a directory and returns its standard output.
func goCommand(ctx context.Context, directory string, arguments ...string) (string, error) {
	path, err := exec.LookPath("go")
	if err != nil {
		// Only a program that was built without -trimpath knows another place.
		root := runtime.GOROOT() //nolint:staticcheck // "go env GOROOT" needs the go command that is looked for.
		path = filepath.Join(root, "bin", "go")
		if root == "" || !exists(path) {
			return "", errors.New("go is not on PATH: it is needed to build the control plane")
		}
	}
	var out, failure bytes.Buffer
	command := exec.CommandContext(ctx, path, arguments...)
	// Interrupted, go waits for its compilers and removes its work directory; killed,
	// it would leave both.
	command.Cancel = func() error { return command.Process.Signal(os.Interrupt) }
	command.WaitDelay = 30 * time.Second
	command.Dir = directory
	command.Env = append(os.Environ(), "CGO_ENABLED=0", "GOWORK=off", "GO111MODULE=on")
	command.Stdout, command.Stderr = &out, &failure
	if err := command.Run(); err != nil {
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		return "", fmt.Errorf("go %s: %w: %s", arguments[0], err, bytes.TrimSpace(failure.Bytes()))
	}
	return out.String(), nil
}

// version is the version of a module that is built.
func version(module string) (string, error) {
	name := moduleFile(module)
	data, err := sources.ReadFile(name)
	if err != nil {
		return "", fmt.Errorf("%s names a release that cannot be built: %w", ReleaseVariable, err)
	}
	file, err := modfile.ParseLax(name, data, nil)
	if err != nil {
		return "", err
	}
	for _, require := range file.Require {
		if require.Mod.Path == module {
			return require.Mod.Version, nil
		}
	}
	return "", fmt.Errorf("%s does not require %q", name, module)
}

// keeperHash names the keeper's source, so that another source is built again.
func keeperHash() (string, error) {
	hash := sha256.New()
	err := fs.WalkDir(sources, keeperProgram, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := sources.ReadFile(path)
		hash.Write(data)
		return err
	})
	return hex.EncodeToString(hash.Sum(nil))[:12], err
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func say(out io.Writer, format string, arguments ...any) {
	// Narration that cannot be written is nobody's business to hear about.
	_, _ = fmt.Fprintf(out, format+"\n", arguments...)
}
