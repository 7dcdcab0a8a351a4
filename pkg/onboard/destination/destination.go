package destination

import (
	"context"
	"net"
	"net/url"
	"path/filepath"
	"time"

	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/kubeconfig"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/pki"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/store"
)

// Input says what to write of a user's certificate, and where.
type Input struct {
	// CertificateOnly writes the certificate alone, as PEM, instead of a kubeconfig. Of the
	// other fields, only Path and Overwrite apply then. Optional.
	CertificateOnly bool
	// Path is the file to write; "-" returns the content and writes nothing. Optional: the
	// file in the user's directory.
	Path string
	// Merge adds the user's entries to the kubeconfig at Path, in which other entries stay as
	// they are. Path is required then.
	Merge bool
	// Named is what --kubeconfig says, with Merge. Optional: kubectl uses the kubeconfig at Path.
	Named string
	// Visible is what kubectl sees of all kubeconfig files together. Required with Merge.
	Visible *clientcmdapi.Config
	// SetCurrent makes the user's context the current context, with Merge. Optional.
	SetCurrent bool
	// ExternalServer is the address at which the user reaches the API server. Optional: the
	// address that this run uses.
	ExternalServer string
	// ClusterName and ContextName are the names of the entries. Optional: the cluster's own,
	// and USER@CLUSTER.
	ClusterName, ContextName string
	// Namespace is the context's default namespace. Optional.
	Namespace string
	// Exec keeps certificate and key in a credential cache, from which csr-onboard hands
	// them to kubectl and renews them. ExecCommand is how the kubeconfig calls csr-onboard,
	// and required then. Optional.
	Exec        bool
	ExecCommand string
	// Overwrite replaces a certificate and key that expire later than the new ones. Optional.
	Overwrite bool
}

// Run is what a destination needs of the run that writes to it.
type Run struct {
	// UserAgent is how audit logs name csr-onboard. Required.
	UserAgent string
	// Now is the clock. Required.
	Now func() time.Time
	// Tell takes what happens. Required.
	Tell func(event.Event)
}

// Destination is where the certificate of one user goes.
type Destination struct {
	// Endpoint is how the user reaches the cluster.
	Endpoint kubeconfig.Endpoint
	// Path is the file that is written; "-" for none.
	Path string
	// User is whose certificate it is.
	User    identity.User
	content content
	sink    sink
}

// Issued is a new certificate and its private key, which were checked.
type Issued struct {
	// Certificate is the certificate. Required.
	Certificate *pki.Certificate
	// Credentials are certificate and private key, in PEM. Required.
	Credentials kubeconfig.Credentials
	// LoggedIn reports whether they have logged in.
	LoggedIn bool
	// ForAnother reports whether they are for another person than the one who runs this.
	ForAnother bool
}

// Written is what was written, and where.
type Written struct {
	// Context is the context's name in the kubeconfig; "" if only the certificate was written.
	Context string
	// Path is the file; "" if it was returned in hand.
	Path string
	// InHand is the content if Path of the Input was "-". A kubeconfig in it has the private
	// key.
	InHand []byte
	// CertificateOnly reports that only the certificate was written.
	CertificateOnly bool
}

// New chooses content and sink for the certificate of a user of the cluster at an endpoint.
// directory is the user's directory.
func New(endpoint kubeconfig.Endpoint, in Input, directory store.UserDirectory, user identity.User) *Destination {
	path := in.Path
	switch {
	case path != "":
	case in.CertificateOnly:
		path = directory.CertificatePath()
	default:
		path = directory.KubeconfigPath()
	}
	cluster := endpoint.Cluster
	if in.ClusterName != "" {
		cluster = in.ClusterName
	}
	if in.ExternalServer != "" {
		endpoint.Server = kubeconfig.NormalServer(in.ExternalServer)
	}
	of := entries{
		endpoint: endpoint, names: kubeconfig.NamesFor(user.Name, cluster, in.ContextName), namespace: in.Namespace,
		user: user, path: path, overwrite: in.Overwrite, visible: in.Visible, setCurrent: in.SetCurrent,
		isMerged: in.Merge, named: in.Named,
	}
	d := &Destination{Endpoint: endpoint, Path: path, User: user}
	switch {
	case in.CertificateOnly:
		d.content = &certificateAlone{user: user, path: path, overwrite: in.Overwrite}
	case in.Exec:
		d.content = &fromCache{entries: of, directory: directory, command: in.ExecCommand}
	default:
		d.content = &embedded{entries: of}
	}
	switch {
	case path == "-":
		d.sink = inHand{}
	case in.Merge:
		d.sink = sharedFile{path: path}
	default:
		// A file can be created where the user's key is.
		d.sink = ownFile{path: path, directory: directory, isWithKey: filepath.Dir(path) == filepath.Dir(directory.KeyPath())}
	}
	return d
}

// CheckEarly finds what would keep the content from being written, before a wait that may be
// long and a certificate that few clusters can revoke.
func (d *Destination) CheckEarly(ctx context.Context) error {
	if err := d.content.check(); err != nil {
		return err
	}
	return d.sink.check(ctx, d.content)
}

// Deliver writes the content, and tells what the user should know about it.
func (d *Destination) Deliver(ctx context.Context, run Run, issued Issued) (Written, error) {
	if err := d.content.load(ctx, run, issued); err != nil {
		return Written{}, err
	}
	written, err := d.sink.write(ctx, d.content)
	if err != nil {
		return written, err
	}
	d.content.describe(&written)
	if written.Path != "" {
		d.content.report(run, written, issued)
	}
	return written, nil
}

// Complete is the certificate of the file at the destination, if the file is what would be
// written there now, and the certificate is valid: for the user and the groups, for the
// private key, and at this time. It is nil otherwise.
func (d *Destination) Complete(now time.Time) *pki.Certificate {
	encoded, err := store.ReadFileOf(store.UserKubeconfig, d.Path)
	if err != nil {
		return nil
	}
	return d.content.complete(encoded, now)
}

// WarnOf tells what the user of a kubeconfig should know about its endpoint: that the server's
// certificate is not checked, and, if the kubeconfig is for another person, that only this
// machine reaches the address.
func WarnOf(tell func(event.Event), endpoint kubeconfig.Endpoint, forAnother bool) {
	if endpoint.InsecureSkipVerify {
		tell(ServerNotVerified{Server: endpoint.Server})
	}
	address, err := url.Parse(endpoint.Server)
	if err != nil || !forAnother {
		return
	}
	if ip := net.ParseIP(address.Hostname()); address.Hostname() == "localhost" || ip != nil && ip.IsLoopback() {
		tell(ServerIsLoopback{Server: endpoint.Server})
	}
}
