package destination

import (
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
)

// KubeconfigWritten says that the kubeconfig is on the disk.
type KubeconfigWritten struct {
	event.Marker

	Path    string
	Context string
	// Named is the kubeconfig as --kubeconfig has to name it; "" where kubectl uses it without.
	Named string
	// IsMerged reports that it has other entries, and IsCurrent that its context was made the
	// current one.
	IsMerged, IsCurrent bool
	// LoginChecked reports whether its certificate has logged in.
	LoginChecked bool
}

// KubeconfigJoined says where the contexts of a user on several clusters are now.
type KubeconfigJoined struct {
	event.Marker

	Path string
	// Named is what --kubeconfig has to say for kubectl to use it; "" if kubectl uses it without.
	Named    string
	Contexts []string
	// IsMerged reports that it is the kubeconfig that kubectl uses.
	IsMerged bool
	// LoginChecked reports that each certificate has logged in.
	LoginChecked bool
}

// CertificateWritten says that a certificate that was signed here is on the disk.
type CertificateWritten struct {
	event.Marker

	Path string
	User identity.User
}

// KubeconfigNotPrivate says that a kubeconfig which was merged into, and now holds a
// private key more, can be read by others than its owner.
type KubeconfigNotPrivate struct {
	event.Marker

	Path string
}

// ExecIsLocal says that a kubeconfig for somebody else logs in from a credential cache,
// which is on this machine only.
type ExecIsLocal struct {
	event.Marker
}

// ServerIsLoopback says that a kubeconfig for somebody else holds an address
// that only this machine reaches.
type ServerIsLoopback struct {
	event.Marker

	Server string
}

// ServerNotVerified says that the kubeconfig has its user not check the server's
// certificate, as the one that it was made from.
type ServerNotVerified struct {
	event.Marker

	Server string
}

// CacheFilled says that a credential cache has a pair now.
type CacheFilled struct {
	event.Marker

	Directory string
}

// CacheKept says that a credential cache has a pair that is good for longer, which
// stays.
type CacheKept struct {
	event.Marker

	Directory string
	NotAfter  time.Time
}
