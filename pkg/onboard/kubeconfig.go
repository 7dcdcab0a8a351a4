package onboard

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"path/filepath"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/outcome"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// KubeconfigInput says what a user's kubeconfig is to hold and where it goes.
type KubeconfigInput struct {
	// CertificateOnly writes the certificate alone, as PEM, in place of a kubeconfig.
	// Of what follows only Path means something then.
	CertificateOnly bool
	// Path is the file to write; "-" hands the kubeconfig back and writes
	// nothing. Optional: in the user's folder otherwise.
	Path string
	// Merge puts the user's entries into the kubeconfig at Path among others,
	// which stay as they are. Path is required then.
	Merge bool
	// Visible is what kubectl sees of all kubeconfig files together. Required
	// with Merge.
	Visible *clientcmdapi.Config
	// SetCurrent makes the user's context the current one of a kubeconfig that
	// is merged into. Optional.
	SetCurrent bool
	// ExternalServer is the address that the user reaches the API server at,
	// where it is not the one that this program uses. Optional.
	ExternalServer string
	// ClusterName, ContextName are the entries' names. Optional: the cluster's
	// own, and USER@CLUSTER.
	ClusterName, ContextName string
	// Namespace is the context's default namespace. Optional.
	Namespace string
	// Exec keeps certificate and key in a credential cache, from which the
	// kubeconfig has kubectl take them, and which renews them. ExecCommand is how
	// the kubeconfig calls this program then.
	Exec        bool
	ExecCommand string
	// Overwrite replaces a certificate and key that expire later than the new ones.
	Overwrite bool
}

// Fetched is a user's certificate, and where her kubeconfig is.
type Fetched struct {
	// User is whom the certificate names.
	User identity.User
	// Request is the name of the request object that it came from.
	Request string
	// Certificate is what the cluster signed.
	Certificate *pki.Certificate
	// LoggedIn says whether the certificate was tried.
	LoggedIn bool
	// Context is the context's name in the kubeconfig.
	Context string
	// Path is the kubeconfig, or the certificate if it is wanted alone; "" if it was
	// asked for in hand.
	Path string
	// InHand is the kubeconfig itself where it was asked for in hand, which holds the
	// private key, or the certificate.
	InHand []byte
	// CertificateOnly says that there is no kubeconfig.
	CertificateOnly bool
}

// Destination is where one user's kubeconfig goes.
type Destination struct {
	KubeconfigInput
	Endpoint kubeconfig.Endpoint
	names    kubeconfig.Names
	folder   store.Folder
	user     identity.User
	// cache is the credential cache with Exec, once it has the pair.
	cache store.CredentialCache
	// incoming is the certificate that the kubeconfig is to log in with, once it is
	// known.
	incoming *pki.Certificate
}

// Destination is where the kubeconfig of a user goes, for the program's cluster.
func (p *Program) Destination(in KubeconfigInput, folder store.Folder, user identity.User) *Destination {
	return DestinationFor(p.Cluster.Endpoint(), in, folder, user)
}

// DestinationFor is where the kubeconfig of a user goes, for the cluster at an endpoint.
func DestinationFor(endpoint kubeconfig.Endpoint, in KubeconfigInput, folder store.Folder, user identity.User) *Destination {
	d := &Destination{KubeconfigInput: in, Endpoint: endpoint, folder: folder, user: user}
	switch {
	case d.Path != "":
	case d.CertificateOnly:
		d.Path = folder.CertificatePath()
	default:
		d.Path = folder.KubeconfigPath()
	}
	cluster := d.Endpoint.Cluster
	if in.ClusterName != "" {
		cluster = in.ClusterName
	}
	if in.ExternalServer != "" {
		d.Endpoint.Server = kubeconfig.NormalServer(in.ExternalServer)
	}
	d.names = kubeconfig.NamesFor(user.Name, cluster, in.ContextName)
	return d
}

// CheckEarly finds what can be found before a wait that may be long.
func (d *Destination) CheckEarly(ctx context.Context) error {
	if d.Exec {
		cache, err := CacheFor(d.folder, d.Endpoint, d.user)
		if err == nil {
			err = cache.Check()
		}
		if err != nil {
			return fmt.Errorf("the credential cache could not be written: %w", err)
		}
	}
	kind, what := store.UserKubeconfig, "kubeconfig"
	switch {
	case d.Path == "-":
		return nil
	case d.Merge:
		kind = store.SharedKubeconfig
	case d.CertificateOnly:
		kind, what = store.Certificate, "certificate"
	}
	existing, err := store.ReadFileOf(kind, d.Path)
	isNew := errors.Is(err, fs.ErrNotExist)
	if err != nil && !isNew {
		return err
	}
	// Where the user's key is, a file can be made.
	if !isNew || filepath.Dir(d.Path) != filepath.Dir(d.folder.KeyPath()) {
		if err := store.CheckWritable(ctx, kind, d.Path); err != nil {
			return fmt.Errorf("the %s was not written: %w", what, err)
		}
	}
	switch {
	case isNew, d.Merge:
		// What is in a kubeconfig is compared when it is merged into.
		return nil
	case d.CertificateOnly:
		return d.checkCertificate(existing)
	}
	_, err = d.replaced(existing, d.assemble(kubeconfig.Credentials{}))
	return err
}

func (d *Destination) assemble(credentials kubeconfig.Credentials) *clientcmdapi.Config {
	return kubeconfig.Assemble(d.Endpoint, credentials, d.names, d.Namespace)
}

// login is the user entry that the kubeconfig gets: the pair itself, or the cache's.
func (d *Destination) login(config *clientcmdapi.Config) *clientcmdapi.AuthInfo {
	if d.Exec {
		return kubeconfig.ExecUser(d.ExecCommand, d.cache.Directory())
	}
	return config.AuthInfos[d.names.Context]
}

// alone is the kubeconfig with nothing else in it.
func (d *Destination) alone(config *clientcmdapi.Config) ([]byte, error) {
	alone := config.DeepCopy()
	alone.AuthInfos[d.names.Context] = d.login(config)
	return kubeconfig.Encode(alone)
}

func (d *Destination) write(ctx context.Context, credentials kubeconfig.Credentials, fetched *Fetched) (err error) {
	config := d.assemble(credentials)
	fetched.Context = config.CurrentContext
	if d.Path == "-" {
		fetched.InHand, err = d.alone(config)
		return err
	}
	fetched.Path = d.Path
	if d.Merge {
		err = store.UpdateSharedFile(ctx, d.Path, func(existing []byte) ([]byte, error) { return d.merged(existing, config) })
	} else {
		err = store.UpdateFile(ctx, store.UserKubeconfig, d.Path, func(existing []byte) ([]byte, error) { return d.replaced(existing, config) })
	}
	if err != nil {
		return fmt.Errorf("the kubeconfig was not written: %w", err)
	}
	return nil
}

// replaced puts the kubeconfig in the place of an older one of this user's, and
// of nothing else.
func (d *Destination) replaced(existing []byte, config *clientcmdapi.Config) ([]byte, error) {
	if err := CheckReplaceable(d.Path, existing, config); err != nil {
		return nil, outcome.ReplaceHint(err, "move it away, or name another place: --out FILE or --dir DIR, or add to it: --merge")
	}
	if existing != nil {
		old, err := kubeconfig.Decode(existing)
		if err != nil {
			return nil, err
		}
		if err := d.checkNoLaterPair(old); err != nil {
			return nil, err
		}
	}
	return d.alone(config)
}

// merged adds the user's entries to a kubeconfig.
func (d *Destination) merged(existing []byte, config *clientcmdapi.Config) ([]byte, error) {
	old := clientcmdapi.NewConfig()
	if existing != nil {
		var err error
		if old, err = kubeconfig.Decode(existing); err != nil {
			return nil, outcome.WithHint(fmt.Errorf("invalid kubeconfig %q: %w", d.Path, err), "name another: --kubeconfig FILE")
		}
	}
	if err := d.checkNoLaterPair(old, d.Visible); err != nil {
		return nil, err
	}
	merge := kubeconfig.Merge
	if d.Exec {
		merge = func(existing, visible, addition *clientcmdapi.Config, setCurrent bool) (*clientcmdapi.Config, error) {
			return kubeconfig.MergeExec(existing, visible, addition, d.login(config), setCurrent)
		}
	}
	merged, err := merge(old, d.Visible, config, d.SetCurrent)
	if err != nil {
		return nil, err
	}
	return kubeconfig.Encode(merged)
}

// WarnOf says what its user should know about an endpoint: that the server's
// certificate is not checked, and, where the kubeconfig is for somebody else, that
// its address is one that only this machine reaches.
func (p *Program) WarnOf(endpoint kubeconfig.Endpoint, forSomebodyElse bool) {
	if endpoint.InsecureSkipVerify {
		p.Tell(ServerNotVerified{Server: endpoint.Server})
	}
	address, err := url.Parse(endpoint.Server)
	if err != nil || !forSomebodyElse {
		return
	}
	if ip := net.ParseIP(address.Hostname()); address.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		p.Tell(ServerIsLoopback{Server: endpoint.Server})
	}
}

// CheckReplaceable refuses to write a kubeconfig in the place of anything but an
// older one of the same user on the same cluster.
func CheckReplaceable(path string, existing []byte, config *clientcmdapi.Config) error {
	if existing == nil {
		return nil
	}
	const hint = "move it away, or name another place: --out FILE"
	old, err := kubeconfig.Decode(existing)
	if err != nil {
		return outcome.WithHint(fmt.Errorf("the file %q already exists, and is not a kubeconfig", path), hint)
	}
	if kind, name, only := kubeconfig.IsOnly(old, config); !only {
		return outcome.WithHint(fmt.Errorf("the kubeconfig %q already exists, and its %s %q would be lost", path, kind, name), hint)
	}
	return nil
}
