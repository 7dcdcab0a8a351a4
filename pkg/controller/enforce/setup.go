package enforce

import (
	"errors"
	"regexp"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/version"
	"sigs.k8s.io/yaml"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/document"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/revocation"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// Setup is what it takes to set up the directory of a node. Exactly one of Modes,
// Configuration and Manifest says which authorizers the API server has now.
type Setup struct {
	// Directory is where the authorization file is to be. Required.
	Directory store.Enforcement
	// Modes is the value of the API server's --authorization-mode.
	Modes string
	// Configuration is the path of its --authorization-config.
	Configuration string
	// Manifest is the path of its static pod's manifest, which has one or the other.
	Manifest string
}

// Prepared is a directory that was set up.
type Prepared struct {
	// Base are the authorizers that the API server has now, and has from then on behind those
	// that refuse who is revoked.
	Base revocation.Base
	// WasThere says that the directory had been set up before, in the same way.
	WasThere bool
}

// first is the first release that tells authorizers by which certificate somebody is logged
// in (k8s.io/apiserver pkg/authentication/request/x509), and that reads version v1 of the file.
var first = version.MajorMinor(1, 32)

// Prepare makes the directory and the first file in it, which refuses nobody. It changes
// nothing that an API server uses.
func Prepare(in Setup) (_ Prepared, err error) {
	base, err := in.base()
	if err != nil {
		return Prepared{}, err
	}
	if err := in.Directory.Make(); err != nil {
		return Prepared{}, err
	}
	release, err := in.Directory.Lock()
	if err != nil {
		return Prepared{}, err
	}
	defer func() { err = errors.Join(err, release()) }()
	encoded, err := base.Encode()
	if err != nil {
		return Prepared{}, err
	}
	before, err := in.Directory.Read(in.Directory.BasePath())
	switch {
	case err == nil && !base.IsIn(before):
		return Prepared{}, outcome.WithHint(
			outcome.Errorf(outcome.ErrRefused, "the directory %s was set up with other authorizers already", in.Directory),
			"to change them, change base.yaml in it; to set it up again, move it away while no API server uses it")
	case err == nil:
		// The files that an earlier run did not come to write are written now.
		opened, err := openFiles(in.Directory)
		if err == nil && len(opened.wanted) > 0 {
			return Prepared{Base: base, WasThere: true}, opened.keep()
		}
	case !store.IsMissing(err):
		return Prepared{}, err
	}
	if err := in.Directory.Write(in.Directory.BasePath(), encoded); err != nil {
		return Prepared{}, err
	}
	f := &files{directory: in.Directory, base: base, baseText: encoded}
	file, err := revocation.Render(base, nil, revocation.Options{Kubeconfig: in.Directory.DenierPath()})
	if err != nil {
		return Prepared{}, err
	}
	return Prepared{Base: base}, f.put(file.Text)
}

// base is what the API server has now.
func (in Setup) base() (revocation.Base, error) {
	switch {
	case in.Modes != "":
		return revocation.BaseOfModes(in.Modes)
	case in.Configuration != "":
		text, err := store.ReadFile(in.Configuration)
		if err != nil {
			return revocation.Base{}, outcome.Errorf(outcome.ErrUsage, "--authorization-config: %w", err)
		}
		return revocation.ParseBase(text)
	}
	text, err := store.ReadFile(in.Manifest)
	if err != nil {
		return revocation.Base{}, outcome.Errorf(outcome.ErrUsage, "--manifest: %w", err)
	}
	return in.baseOfManifest(text)
}

// serverImage is the tag of kube-apiserver's image.
var serverImage = regexp.MustCompile(`/kube-apiserver[^:]*:(v[0-9.]+)`)

// baseOfManifest reads the flags of the static pod, as kubeadm writes it.
func (in Setup) baseOfManifest(text []byte) (revocation.Base, error) {
	refuse := func(hint, format string, arguments ...any) (revocation.Base, error) {
		return revocation.Base{}, outcome.WithHint(outcome.Errorf(outcome.ErrUsage, "--manifest: "+format, arguments...), "%s", hint)
	}
	var pod corev1.Pod
	err := document.Check(text)
	if err == nil {
		err = yaml.Unmarshal(text, &pod)
	}
	if err != nil || pod.Kind != "Pod" || len(pod.Spec.Containers) == 0 {
		return refuse("name the static pod's manifest, such as /etc/kubernetes/manifests/kube-apiserver.yaml", "%q is not the manifest of a pod", in.Manifest)
	}
	container := pod.Spec.Containers[0]
	if tag := serverImage.FindStringSubmatch(container.Image); tag != nil {
		release, err := version.ParseGeneric(tag[1])
		if err == nil && release.LessThan(first) {
			return refuse("upgrade the cluster first; kubectl csr-onboard offboard NAME --block refuses writes from Kubernetes 1.30 on",
				"Kubernetes %s does not tell authorizers by which certificate somebody is logged in; revocation requires 1.32 or later", identity.Printable(tag[1]))
		}
	}
	modes, configuration := "", ""
	for _, word := range append(container.Command, container.Args...) {
		if value, isModes := strings.CutPrefix(word, "--authorization-mode="); isModes {
			modes = value
		}
		if value, isConfiguration := strings.CutPrefix(word, "--authorization-config="); isConfiguration {
			configuration = value
		}
	}
	switch {
	case configuration != "":
		return Setup{Configuration: configuration}.base()
	case modes != "":
		return revocation.BaseOfModes(modes)
	}
	return refuse("name them yourself: --authorization-mode MODES", "%q has neither --authorization-mode nor --authorization-config: such an API server permits everything", in.Manifest)
}
