package sign

import "github.com/csr-onboard/kubectl-csr-onboard/pkg/onboard/event"

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
