package sign

import (
	"time"

	"github.com/csr-onboard/kubectl-csr-onboard/pkg/identity"
	"github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"
)

// NothingSigned reports what a dry run would have signed.
type NothingSigned struct {
	event.Marker

	User identity.User
	// Authority is the name of the certificate authority.
	Authority string
	Lifetime  time.Duration
}

// AuthorityKeyNotPrivate says that others may read an authority's private key.
type AuthorityKeyNotPrivate struct {
	event.Marker

	Path string
}

// PassphraseNotPrivate says that others may read the file with the passphrase of an
// authority's private key.
type PassphraseNotPrivate struct {
	event.Marker

	Path string
}

// SignerTrustedForServer says that a handoff has the authority that signs the user's
// certificate vouch for the API server too, because no other was named.
type SignerTrustedForServer struct {
	event.Marker

	Authority, Server string
}
