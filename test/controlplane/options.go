package controlplane

import (
	"io"
	"strconv"
	"time"

	rbacv1 "k8s.io/api/rbac/v1"
)

// Option changes how a control plane is started.
type Option func(*settings)

type settings struct {
	progress              io.Writer
	withControllerManager bool
	authorityAge          time.Duration
	controllerFlags       []string
	apiServerFlags        []string
	users                 []userSettings
	directory             string
	programs              []string
	oneAuthority          bool
	authorizationConfigs  []string
}

type userSettings struct {
	name   string
	groups []string
	rules  []rbacv1.PolicyRule
}

// WithoutControllerManager starts no controller manager: approved requests are
// never signed, as on a cluster that has no signer.
func WithoutControllerManager() Option {
	return func(s *settings) { s.withControllerManager = false }
}

// WithOneAuthority has one certificate authority for server and clients, as kubeadm does.
// Otherwise each has its own, as with k3s.
func WithOneAuthority() Option {
	return func(s *settings) { s.oneAuthority = true }
}

// WithAuthorityAge makes the certificate authorities so long ago; an hour otherwise.
func WithAuthorityAge(age time.Duration) Option {
	return func(s *settings) { s.authorityAge = age }
}

// WithMaximumLifetime caps the certificates' lifetime
// (--cluster-signing-duration; a year otherwise).
func WithMaximumLifetime(lifetime time.Duration) Option {
	return func(s *settings) {
		s.controllerFlags = append(s.controllerFlags, "--cluster-signing-duration="+lifetime.String())
	}
}

// WithControllerManagerRate sets how many requests a second the controller
// manager sends, and how many at once (--kube-api-qps, 20 otherwise, and
// --kube-api-burst, 30 otherwise).
func WithControllerManagerRate(queriesPerSecond, burst int) Option {
	return func(s *settings) {
		s.controllerFlags = append(s.controllerFlags,
			"--kube-api-qps="+strconv.Itoa(queriesPerSecond), "--kube-api-burst="+strconv.Itoa(burst))
	}
}

// WithControllerManagerFlags gives the controller manager flags of any kind, which
// win over the ones it has.
func WithControllerManagerFlags(flags ...string) Option {
	return func(s *settings) { s.controllerFlags = append(s.controllerFlags, flags...) }
}

// WithAPIServerFlags gives the API server flags of any kind, which win over the ones it
// has.
func WithAPIServerFlags(flags ...string) Option {
	return func(s *settings) { s.apiServerFlags = append(s.apiServerFlags, flags...) }
}

// WithAuthorizationConfigs starts the API server with an authorization file
// (--authorization-config) in place of --authorization-mode, and for each further file a
// further API server on the same etcd. The files have to exist.
func WithAuthorizationConfigs(files ...string) Option {
	return func(s *settings) { s.authorizationConfigs = files }
}

// WithUser makes a user with a client certificate who can do exactly what the
// rules say; without rules they can only log in. Their kubeconfig is at
// Plane.KubeconfigOf(name).
func WithUser(name string, groups []string, rules ...rbacv1.PolicyRule) Option {
	return func(s *settings) { s.users = append(s.users, userSettings{name, groups, rules}) }
}

// WithProgress says where the narration of the build and the start goes; nowhere
// otherwise (in tests, to the test's log).
func WithProgress(out io.Writer) Option {
	return func(s *settings) { s.progress = out }
}

// WithDirectory keeps the run's files in a directory that does not exist yet,
// in place of a temporary one. It is removed at the end all the same.
func WithDirectory(path string) Option {
	return func(s *settings) { s.directory = path }
}

// WithProgram has another program of Kubernetes' built next to the control plane's own,
// for Plane.Binary.
func WithProgram(name string) Option {
	return func(s *settings) { s.programs = append(s.programs, name) }
}
